"""How things are measured here: in turns, with the machine written beside the figures."""

from __future__ import annotations

import json
import os
import platform
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import numpy as np

ROOT = Path(__file__).parents[1]
RESULTS = Path(__file__).parent / "results"

BLOCK = 6
"""Frames in a row of one contestant. The first is not counted: it finds the caches full of
another's pictures, which no stream does."""

PACKAGES = ("numpy", "opencv-python-headless", "av", "ai-edge-litert", "onnxruntime", "openvino", "torch")


def take_turns(
    contestants: Mapping[str, Callable[[Any], Any]], inputs: Sequence[Any], rounds: int
) -> dict[str, dict[str, Any]]:
    """Short blocks in turns, each round in another order: what disturbs the machine for a
    while disturbs everybody.

    Returns:
        For each contestant: milliseconds on the clock and of the processor (all threads),
        and `ratio` and `cpu_ratio`: its time to that of the first contestant in the same
        round. On a busy machine only the processor's time is worth reading.
    """
    names = list(contestants)
    wall: dict[str, list[list[int]]] = {name: [] for name in names}
    cpu: dict[str, list[list[int]]] = {name: [] for name in names}
    for turn in range(rounds):
        for name in names[turn % len(names) :] + names[: turn % len(names)]:
            walls, cpus = _block(contestants[name], inputs, turn * BLOCK)
            wall[name].append(walls)
            cpu[name].append(cpus)
    first, first_cpu = (np.median(times[names[0]], axis=1) for times in (wall, cpu))
    return {
        name: {
            "wall": summary(np.ravel(wall[name]) / 1e6),
            "cpu": summary(np.ravel(cpu[name]) / 1e6),
            "ratio": spread(np.median(wall[name], axis=1) / first),
            "cpu_ratio": spread(np.median(cpu[name], axis=1) / first_cpu),
        }
        for name in names
    }


def _block(process: Callable[[Any], Any], inputs: Sequence[Any], start: int) -> tuple[list[int], list[int]]:
    walls, cpus = [], []
    for index in range(start, start + BLOCK):
        picture = inputs[index % len(inputs)]
        cpu_ns, wall_ns = time.process_time_ns(), time.perf_counter_ns()
        process(picture)
        walls.append(time.perf_counter_ns() - wall_ns)
        cpus.append(time.process_time_ns() - cpu_ns)
    return walls[1:], cpus[1:]


def summary(values: Any) -> dict[str, float]:
    """Median and 95th percentile of milliseconds."""
    median, p95 = np.percentile(values, (50, 95))
    return {"p50_ms": round(float(median), 3), "p95_ms": round(float(p95), 3)}


def spread(ratios: Any) -> dict[str, float]:
    """Median of the rounds, and between which values 8 of 10 rounds lie."""
    low, median, high = np.percentile(ratios, (10, 50, 90))
    return {"median": round(float(median), 3), "low": round(float(low), 3), "high": round(float(high), 3)}


def pin(cores: int) -> list[int]:
    """Keep this process and what it starts on the last `cores` cores that it may use.

    Returns:
        The cores; empty where the system cannot do that.
    """
    if not hasattr(os, "sched_setaffinity"):
        return []
    chosen = sorted(os.sched_getaffinity(0))[-cores:]
    os.sched_setaffinity(0, chosen)
    return chosen


def machine() -> dict[str, Any]:
    """What the figures belong to."""
    from livematte import _doctor

    return {
        "date": time.strftime("%Y-%m-%d", time.gmtime()),
        "cpu": _doctor.cpu(),
        "memory_gb": _memory_gb(),
        "os": f"{platform.system()} {platform.release()} {platform.machine()}",
        "python": platform.python_version(),
        "packages": {name: _version(name) for name in PACKAGES},
        "kernels": _doctor.kernels(),
        "openblas_threads": os.environ.get("OPENBLAS_NUM_THREADS"),
        "load_1min": load(),
        "commit": commit(),
    }


def load() -> float | None:
    """Processes that wanted to run during the last minute, on average; above 1 with nothing of ours
    running, the figures are worth little."""
    return round(os.getloadavg()[0], 2) if hasattr(os, "getloadavg") else None


def commit() -> str:
    """The commit that was measured; `+` if package or kernels differ from it."""

    def git(*words: str) -> str:
        return subprocess.run(["git", *words], cwd=ROOT, capture_output=True, text=True, check=False).stdout.strip()

    return git("rev-parse", "--short=12", "HEAD") + ("+" if git("status", "--porcelain", "src", "kernels") else "")


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def _memory_gb() -> float | None:
    try:
        return round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9, 1)
    except (AttributeError, ValueError, OSError):
        return None


def save(name: str, figures: dict[str, Any]) -> Path:
    """Write `results/NAME.json`."""
    RESULTS.mkdir(exist_ok=True)
    path = RESULTS / f"{name}.json"
    path.write_text(json.dumps(figures, indent=1) + "\n", encoding="utf-8")
    return path


def say(text: str) -> None:
    """A line for whoever waits."""
    sys.stderr.write(f"{text}\n")
