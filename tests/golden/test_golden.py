"""Every build of the kernels against the golden vectors, bit for bit."""

from __future__ import annotations

import importlib.util
import json
import re
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from livematte.kernels import compiled, reference

HERE = Path(__file__).resolve().parent
SOURCES = HERE.parents[1] / "kernels"

LARGEST_BYTES = 400_000
"""Both files together; larger ones are a burden to whoever clones the repository."""

GUARD = 256
"""Bytes of rubbish before and after every array a kernel gets."""


def _load(name: str, path: Path) -> ModuleType:
    """A module of its own, beside one that may be imported under another name."""
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # dataclasses look their module up
    spec.loader.exec_module(module)
    return module


make = _load("livematte_golden", HERE / "make.py")
VECTORS = list(make.read())


def _functions_of_header() -> set[str]:
    return set(re.findall(r"LM_API\s+\w+\s+(lm_\w+)\(", (SOURCES / "livematte.h").read_text(encoding="utf-8")))


KERNELS = _functions_of_header() - {"lm_cpu_level", "lm_scratch_bytes"}


@pytest.fixture
def build(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], Any]:
    """`build("avx2")`: the bindings with that build, or a skip that says why not."""

    def load(variant: str) -> Any:
        level = compiled._lib.lm_cpu_level()
        if compiled.LEVELS.index(variant) > level:
            pytest.skip(f"this CPU runs kernels up to {compiled.LEVELS[level]}")
        if not list(compiled.FOLDER.glob(f"livematte-{variant}.*")):
            pytest.skip(f"there is no {variant} build for this machine")
        monkeypatch.setenv("LIVEMATTE_KERNELS", variant)
        module = _load(f"livematte_compiled_{variant}", Path(compiled.__file__))
        assert variant == module.VARIANT
        return module

    return load


def _faults(backend: Any) -> list[str]:
    found = []
    for kernel, about, args, given, expected in VECTORS:
        got = make.call(backend, kernel, args, given)
        for index, (a, b) in enumerate(zip(got, expected, strict=True)):
            if a.shape != b.shape or a.dtype != b.dtype:
                found.append(f"{kernel} {about} {args} output {index}: {a.dtype} {a.shape}, not {b.dtype} {b.shape}")
            elif a.tobytes() != b.tobytes():
                found.append(f"{kernel} {about} {args} output {index}: {int((a != b).sum())} of {a.size} differ")
    return found


def test_the_vectors_are_what_make_writes() -> None:
    index, arrays = make.make()
    assert index == make.INDEX.read_text(encoding="utf-8"), "run `python tests/golden/make.py` and read the difference"
    assert arrays == make.ARRAYS.read_bytes(), "run `python tests/golden/make.py` and read the difference"
    assert len(index) + len(arrays) < LARGEST_BYTES


def test_the_vectors_hold_every_kernel() -> None:
    counts = Counter(kernel for kernel, *_ in VECTORS)
    assert set(counts) == KERNELS == set(compiled.SIGNATURES)
    layouts = {(kernel, args["layout"]) for kernel, _, args, _, _ in VECTORS if "layout" in args}
    assert layouts == {(kernel, layout) for kernel, _ in layouts for layout in range(3)}


def test_reference_equals_the_vectors() -> None:
    assert _faults(reference) == []


@pytest.mark.parametrize("variant", compiled.LEVELS)
def test_compiled_equals_the_vectors(variant: str, build: Callable[[str], Any]) -> None:
    assert _faults(build(variant)) == []


class _Guarded:
    """NumPy, or a pool of arrays, whose new arrays lie between guards."""

    def __init__(self, fill: int) -> None:
        self.fill = fill
        self.memory: list[npt.NDArray[np.uint8]] = []

    def __getattr__(self, name: str) -> Any:
        return getattr(np, name)

    def empty(self, shape: Any, dtype: Any = np.uint8) -> npt.NDArray[Any]:
        samples = int(np.prod(shape)) * np.dtype(dtype).itemsize
        raw = np.full(samples + 2 * GUARD, self.fill, np.uint8)
        self.memory.append(raw)
        return raw[GUARD : GUARD + samples].view(dtype).reshape(shape)

    def holding(self, array: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """A copy with the same row stride, between guards, rubbish between its rows too."""
        height, width = array.shape
        if array.strides[0] == 0 and height > 1:
            return array  # one row for all: nothing lies between
        pitch = max(array.strides[0] // array.itemsize, width)
        rows = self.empty((height, pitch), array.dtype)
        rows[:, :width] = array
        return rows[:, :width]

    def intact(self) -> bool:
        return all((raw[:GUARD] == self.fill).all() and (raw[-GUARD:] == self.fill).all() for raw in self.memory)


@pytest.mark.parametrize("fill", [0x00, 0xFF])
@pytest.mark.parametrize("variant", compiled.LEVELS)
def test_nothing_outside_the_buffers_is_written_or_matters(
    variant: str, fill: int, build: Callable[[str], Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    module = build(variant)
    for kernel, about, args, given, expected in VECTORS:
        guarded = _Guarded(fill)
        monkeypatch.setattr(module, "np", guarded)
        monkeypatch.setattr(module, "_pool", guarded, raising=False)
        module._scratch.memory = np.empty(0, np.uint8)  # scratch of its own for each case
        inside = {name: [guarded.holding(a) for a in arrays] for name, arrays in given.items()}
        inputs = len(guarded.memory)
        got = make.call(module, kernel, args, inside)
        assert len(guarded.memory) >= inputs + len(got), "outputs lie between guards"
        what = f"{kernel} {about} {args}"
        assert [a.tobytes() for a in got] == [b.tobytes() for b in expected], what
        assert guarded.intact(), f"{what} wrote outside its buffers"
        for name, arrays in given.items():
            for before, after in zip(arrays, inside[name], strict=True):
                assert np.array_equal(before, after, equal_nan=before.dtype == np.float32), f"{what} changed {name}"


@pytest.mark.parametrize("variant", compiled.LEVELS)
def test_the_library_exports_the_header_and_no_more(variant: str, build: Callable[[str], Any]) -> None:
    library = build(variant)._lib
    written = "".join(path.read_text(encoding="utf-8") for path in sorted(SOURCES.glob("*.[ch]")))
    names = set(re.findall(r"\blm_\w+(?=\()", written))
    assert {"lm_gauss", "lm_half_row"} <= names, "functions shared between files, to be hidden"
    assert {name for name in names if hasattr(library, name)} == _functions_of_header()


@pytest.fixture(scope="module")
def wasm(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What wasm.mjs reports of a module built from these sources."""
    node = shutil.which("node")
    if node is None:
        pytest.skip("node is not installed: the WebAssembly build is checked where it is")
    if importlib.util.find_spec("ziglang") is None:
        pytest.skip("ziglang is not installed, which compiles the WebAssembly build: pip install ziglang")
    folder = tmp_path_factory.mktemp("wasm")
    command = [sys.executable, str(SOURCES / "build.py"), "--target", "wasm", "--out", str(folder)]
    subprocess.run(command, check=True, capture_output=True)
    command = [node, str(HERE / "wasm.mjs"), str(folder / "livematte.wasm")]
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    report: dict[str, Any] = json.loads(done.stdout)
    return report


def test_wasm_equals_the_vectors(wasm: dict[str, Any]) -> None:
    assert wasm["faults"] == []
    assert wasm["run"] == Counter(kernel for kernel, *_ in VECTORS)


def test_wasm_exports_the_header_and_imports_nothing(wasm: dict[str, Any]) -> None:
    assert set(wasm["functions"]) == _functions_of_header()
    assert wasm["imports"] == []
    assert wasm["cpuLevel"] == 0
