"""The kernels compile for machines that these tests do not run on."""

from __future__ import annotations

import importlib.util
import struct
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).parents[2]

ARM64 = {"elf": 183, "macho": 0x0100000C}
"""Machine numbers: ELF e_machine EM_AARCH64, Mach-O CPU_TYPE_ARM64."""


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
    assert struct.unpack_from("<H", data, 18) == (ARM64["elf"],)
    assert b"lm_composite\0" in data


def test_macos_on_arm64(build: ModuleType, tmp_path: Path) -> None:
    (library,) = build.build("aarch64-macos", tmp_path)
    data = library.read_bytes()
    assert data[:4] == b"\xcf\xfa\xed\xfe"
    assert struct.unpack_from("<I", data, 4) == (ARM64["macho"],)
    assert b"_lm_composite\0" in data


def test_windows(build: ModuleType, tmp_path: Path) -> None:
    libraries = build.build("x86_64-windows", tmp_path)
    assert sorted(path.name for path in libraries) == [f"livematte-{v}.dll" for v in ("avx2", "avx512", "baseline")]
    assert all(path.read_bytes()[:2] == b"MZ" for path in libraries)


def test_an_unknown_target_is_refused(build: ModuleType, tmp_path: Path) -> None:
    with pytest.raises(KeyError, match="sparc"):
        build.build("sparc-linux", tmp_path)
