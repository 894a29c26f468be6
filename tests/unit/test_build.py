"""The kernels compile for a machine that these tests do not run on; `make wheels` builds for all."""

from __future__ import annotations

import importlib.util
import struct
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).parents[2]

EM_AARCH64 = 183
"""ELF's number of the machine."""


@pytest.fixture(scope="module")
def build() -> ModuleType:
    spec = importlib.util.spec_from_file_location("livematte_kernels_build", ROOT / "kernels" / "build.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_linux_on_arm64(build: ModuleType, tmp_path: Path) -> None:
    (library,) = build.build("aarch64-linux", tmp_path)
    data = library.read_bytes()
    assert data[:4] == b"\x7fELF"
    assert struct.unpack_from("<H", data, 18) == (EM_AARCH64,)
    assert b"lm_composite\0" in data


def test_an_unknown_target_is_refused(build: ModuleType, tmp_path: Path) -> None:
    with pytest.raises(KeyError, match="sparc"):
        build.build("sparc-linux", tmp_path)
