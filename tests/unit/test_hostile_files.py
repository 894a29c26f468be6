"""Bad files of networks end in one line, an exit code, and bounded memory and time; on every engine.

The command line runs in another process under a memory limit. A file that a check of ours refuses never
reaches a runtime; what passes is tried in a process of its own, so that a crash there is a line here.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path

import pytest

from livematte import _registry
from livematte._errors import LoadError
from livematte.engines import _onnx_file, _tflite_file, _trial

sys.path.insert(0, str(Path(__file__).parent))  # tests are no package
import hostile

resource = pytest.importorskip("resource", reason="memory limits need a system with setrlimit")

ENGINES = _registry.names("engines")

SUFFIXES = (".onnx", ".tflite", ".json", ".h5")
"""Formats whose bad files `hostile.cases` knows."""

CHECKS = {".onnx": (hostile.ONNX, _onnx_file.check), ".tflite": (hostile.TFLITE, _tflite_file.check)}
"""A sound file, and what looks at files before anything else, of formats that a runtime reads."""

MODELS = {".h5": "deeplabv3:voc-xception"}
"""By the format that no other model takes."""

ADDRESSES_BYTES = 16 << 30
"""Address space of a process: PyTorch's libraries alone reserve several gigabytes."""

RESIDENT_BYTES = 3 << 30
"""Memory that may really be taken; the files ask for up to 10^12 bytes."""

SECONDS = 60

LONGEST = 800
"""Characters of a line: with the path, and the list of operators or outputs that are known."""

RUN_ALL = """
import contextlib, io, json, resource, sys
folder, engine, model, names, limit = *sys.argv[1:4], json.loads(sys.argv[4]), int(sys.argv[5])
resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
from livematte import cli
for name in names:
    err = io.StringIO()
    with contextlib.redirect_stderr(err):
        code = cli.run(["matte", "synthetic:64x48*1", "-o", f"{folder}/out.png", "-y", "--engine", engine,
                        "--model", model, "--weights", f"{folder}/{name}"])
    peak = max(resource.getrusage(who).ru_maxrss for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    print(json.dumps([name, code, err.getvalue(), peak * 1024]), flush=True)
"""


def chosen(engine: str, suffix: str) -> list[hostile.Case]:
    """Cases for an engine: of its own formats all; of those it converts what another's cases do not show.

    Where importing a runtime takes seconds, only some of the cases that reach it.
    """
    found = hostile.cases(suffix)
    if engine in ("openvino", "torch") or (engine, suffix) == ("onnxruntime", ".tflite"):
        checked = [case for case in found if not case.harmless and not case.deep]
        deep = [case for case in found if case.deep]
        return checked + (deep[:2] if engine == "torch" else deep)
    return found


def pairs() -> list[tuple[str, str]]:
    modules = {name: _registry.load("engines", name) for name in ENGINES}
    found = [(n, s) for n, m in modules.items() for s in SUFFIXES if s in (*m.READS, *m.CONVERTS)]
    return [*found, ("onnxruntime", ".h5")]


@pytest.mark.parametrize(("engine", "suffix"), pairs())
def test_each_ends_in_one_line(engine: str, suffix: str, tmp_path: Path) -> None:
    if not _registry.load("engines", engine).installed():
        pytest.skip(f"the runtime of {engine} is not installed")
    if suffix in (".tflite", ".json") and engine in ("openvino", "torch"):
        pytest.skip(f"{engine} runs {suffix} through the conversion that onnxruntime's cases test")
    if suffix == ".h5":
        pytest.importorskip("h5py")
    cases = {f"{number}/{number}{suffix}": case for number, case in enumerate(chosen(engine, suffix))}
    for name, case in cases.items():
        (tmp_path / name).parent.mkdir()
        for file, data in {**case.beside, Path(name).name: case.data}.items():
            (tmp_path / name).with_name(file).write_bytes(data)
    done = subprocess.run(
        [sys.executable, "-c", RUN_ALL, str(tmp_path), engine, MODELS.get(suffix, "livematte"),
         json.dumps(list(cases)), str(ADDRESSES_BYTES)],
        capture_output=True, text=True, timeout=SECONDS, check=False,
    )  # fmt: skip
    results = [json.loads(line) for line in done.stdout.splitlines()]
    assert len(results) == len(cases), f"ended with {done.returncode} at {list(cases.values())[len(results)].name}"
    wrong = []
    for name, code, said, peak_bytes in results:
        case = cases[name]
        refused = code == 1 and said.count("\n") == 1 and said.startswith("livematte: error: ")
        named = Path(name).name in said or "needs a graph with one input" in said  # a sound one, of another kind
        clear = named and "not expected" not in said and "Traceback" not in said and len(said) < LONGEST
        fine = case.harmless and code == 0
        if not ((refused and clear) or fine) or peak_bytes > RESIDENT_BYTES:
            wrong.append((case.name, code, said, peak_bytes >> 20))
    assert wrong == []
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("suffix", CHECKS)
def test_what_is_not_well_formed_reaches_no_runtime(suffix: str) -> None:
    _, check = CHECKS[suffix]
    for case in hostile.cases(suffix):
        if not case.deep and not case.harmless:
            with pytest.raises(LoadError, match=f"bad{suffix}"):
                check(case.data, Path(f"bad{suffix}"))


@pytest.mark.parametrize("suffix", CHECKS)
def test_checks_say_nothing_else_than_load_errors(suffix: str) -> None:
    """A thousand more, where no runtime is needed."""
    import numpy as np

    good, check = CHECKS[suffix]
    data, random, refused = good.read_bytes(), np.random.default_rng(7), 0
    for number in range(300):
        harmed = bytearray(data)
        part = slice(0, 4_000) if number % 2 else slice(len(data) - 12_000, len(data))
        harmed[part] = hostile._flipped(data[part], random, 8)
        try:
            check(bytes(harmed), good)
        except LoadError:
            refused += 1
    assert refused > 100


def test_good_files_pass() -> None:
    _onnx_file.check(hostile.ONNX.read_bytes(), hostile.ONNX)
    _tflite_file.check(hostile.TFLITE.read_bytes(), hostile.TFLITE)


def test_a_crash_is_told_apart(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LIVEMATTE_CACHE", str(tmp_path / "cache"))  # others have tried this graph already
    monkeypatch.setattr(_trial, "__name__", "livematte_crash")
    (tmp_path / "livematte_crash.py").write_text("import os, signal\nos.kill(os.getpid(), signal.SIGSEGV)\n")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(LoadError, match=r"crashed \(SIGSEGV\) onnxruntime in a trial"):
        _trial.prove("onnxruntime", hostile.ONNX, threads=3)


def test_what_never_ends_is_stopped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LIVEMATTE_CACHE", str(tmp_path / "cache"))  # others have tried this graph already
    monkeypatch.setattr(_trial, "__name__", "livematte_endless")
    monkeypatch.setattr(_trial, "SECONDS", 0.3)
    (tmp_path / "livematte_endless.py").write_text("import time\ntime.sleep(1000)\n")
    monkeypatch.syspath_prepend(tmp_path)
    started = time.monotonic()
    with pytest.raises(LoadError, match="not loaded and run once in 0 s on onnxruntime"):
        _trial.prove("onnxruntime", hostile.ONNX)
    assert time.monotonic() - started < 100


def test_what_passed_is_not_tried_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LIVEMATTE_CACHE", str(tmp_path))
    _trial.prove("onnxruntime", hostile.ONNX)
    monkeypatch.setattr(_trial.subprocess, "run", lambda *a, **k: pytest.fail("tried again"))
    _trial.prove("onnxruntime", hostile.ONNX)
    other = tmp_path / "other.onnx"
    other.write_bytes(hostile.ONNX.read_bytes() + b"\x12\x01x")  # the same network by another producer
    with pytest.raises(pytest.fail.Exception, match="tried again"):
        _trial.prove("onnxruntime", other)
