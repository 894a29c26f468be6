"""A graph that nobody vouches for is loaded and run once in a process of its own.

`_onnx_file.py` and `_tflite_file.py` find what is wrong with a file; what a well-formed one makes a
runtime do, only the runtime shows: take all memory, never end, or crash on a stride of zero. Here that
happens to another process, under limits, and the user reads one line about it. What passed is remembered
in the cache by its content, so that a file is tried once.

The memory limit needs an operating system that has one for a process (Linux); elsewhere time and
crashes are bounded, memory is not.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np

from livematte import _registry, _weights
from livematte._errors import LivematteError, LoadError
from livematte._frame import Size
from livematte.engines import DEFAULT_THREADS, _onnx_file, _tfjs_file, _tflite_file, version_of
from livematte.engines._file import read, write_atomically

MEMORY_BYTES = 4 << 30
"""Data of the process: networks for pictures of 1024 x 1024 pixels take less than half of it."""

SECONDS = 60.0
"""For starting, loading and one inference: a network that needs longer is of no use to video."""

REFUSED = 3
"""Exit code of a process that says what is wrong, in one line."""


def prove(engine: str, graph: Path, threads: int | None = None, picture: Size | None = None) -> None:
    """Load and run a graph elsewhere, unless this content has passed before on this engine.

    Raises:
        LoadError: it cannot be loaded or run, took too much memory or time, or crashed the runtime.
    """
    if getattr(sys, "frozen", False):
        return  # an application's own executable starts no Python
    passed = _weights.cache_dir() / "tried" / _key(engine, graph, picture)
    if passed.is_file():
        return
    well_formed(graph)
    root = Path(_registry.__file__).parents[1]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join((str(root), *sys.path))}
    size = [] if picture is None else [str(picture.width), str(picture.height)]
    words = [engine, str(graph), str(threads or DEFAULT_THREADS), *size]
    try:
        done = subprocess.run(
            [sys.executable, "-W", "ignore", "-m", __name__, *words],
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            timeout=SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired as exc:
        raise LoadError(f"{graph} was not loaded and run once in {SECONDS:.0f} s on {engine}: refused") from exc
    if done.returncode == REFUSED:
        said = done.stdout.decode("utf-8", "replace").strip()
        raise LoadError(said if str(graph) in said else f"{graph}: {said or 'it cannot be loaded'}")
    if done.returncode:
        raise LoadError(f"{graph} {_end(done.returncode)} {engine} in a trial: the file is damaged or hostile")
    with contextlib.suppress(OSError):  # a cache that cannot be written costs a trial next time
        write_atomically(passed, b"")


def well_formed(graph: Path) -> None:
    """What can be said of a file without a runtime, and without starting a process.

    Raises:
        LoadError: see `_onnx_file.check` and `_tflite_file.check`.
    """
    checks = {".onnx": _onnx_file.check, ".tflite": _tflite_file.check}
    if (check := checks.get(graph.suffix)) is not None:
        check(read(graph), graph)


def _key(engine: str, graph: Path, picture: Size | None) -> str:
    digest = _tfjs_file.digest(graph) if graph.suffix == ".json" else hashlib.sha256(read(graph)).hexdigest()
    return f"{digest[:32]}-{engine.replace(':', '-')}-{version_of(engine)}-{picture or 'own'}"


def _end(code: int) -> str:
    """What an exit code says in the middle of a sentence."""
    if code >= 0:
        return f"ended (with {code})"
    with contextlib.suppress(ValueError):
        return f"crashed ({signal.Signals(-code).name})"
    return f"crashed ({-code})"


def main(words: list[str]) -> int:
    """The other process: load, run, and say what went wrong."""
    engine, graph, threads, *size = words
    _limit(engine)
    options: dict[str, Any] = {"picture": Size(int(size[0]), int(size[1]))} if size else {}
    try:
        loaded = _registry.create("engines", engine, graph=Path(graph), threads=int(threads), **options)
        loaded.run([np.zeros(tensor.shape, np.float32) for tensor in loaded.inputs])
        loaded.close()
    except LivematteError as exc:
        sys.stdout.write(" ".join(str(exc).split()))
        return REFUSED
    except MemoryError:
        sys.stdout.write(f"{graph} needs more than {MEMORY_BYTES >> 30} GiB to run: refused")
        return REFUSED
    return 0


def _limit(engine: str) -> None:
    """Bound memory, and leave no core file."""
    try:
        import resource
    except ImportError:  # Windows
        return
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    if not _on_a_card(engine):  # a driver maps the card's memory, which is none of the process
        _, most = resource.getrlimit(resource.RLIMIT_DATA)
        limit = MEMORY_BYTES if most == resource.RLIM_INFINITY else min(MEMORY_BYTES, most)
        resource.setrlimit(resource.RLIMIT_DATA, (limit, most))


def _on_a_card(engine: str) -> bool:
    name, argument = _registry.split(engine)
    if name == "torch":
        import torch

        return torch.cuda.is_available()
    return name == "onnxruntime" and argument not in (None, "cpu")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
