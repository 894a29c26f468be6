"""What a frame costs on this device, part by part: the figures behind `livematte bench`.

Comparisons with other pipelines are in the repository's bench/, not in the package.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from types import ModuleType
from typing import Any

import numpy as np

from livematte import kernels
from livematte._clock import Clock, monotonic
from livematte._errors import OptionError
from livematte._frame import Frame, Size
from livematte._pipeline import Stages, StreamState, render
from livematte._stats import Stats
from livematte.sources.synthetic import Synthetic

WARM_UP_FRAMES = 5
"""Frames before the clock counts: engines set themselves up, memory is touched once."""

DISTINCT_FRAMES = 30
"""Pictures in memory, shown in turn: 41 MB at 720p, so that each comes from main memory
or a far cache, as a decoder's frames do."""

Part = tuple[str, int]
"""A kernel's name and its nanoseconds."""


def synthetic_frames(size: Size, count: int = DISTINCT_FRAMES) -> list[Frame]:
    """Frames of a person-shaped figure, held in memory."""
    with Synthetic(size, frames=count) as source:
        return list(source)


@contextmanager
def timed_kernels(record: Callable[[Part], None], clock: Clock = monotonic) -> Iterator[None]:
    """Time every kernel that is called inside the block, in this process.

    Args:
        record: gets each call's name and nanoseconds.
    """
    real = kernels.backend()
    timed = ModuleType("timed")
    timed.__dict__.update(
        {
            name: _timed(name, value, record, clock) if callable(value) and not name.startswith("_") else value
            for name, value in vars(real).items()
            if not name.startswith("__")
        }
    )
    kernels._backend = timed
    try:
        yield
    finally:
        kernels._backend = real


def _timed(name: str, function: Callable[..., Any], record: Callable[[Part], None], clock: Clock) -> Callable[..., Any]:
    def call(*arguments: Any) -> Any:
        start_ns = clock()
        result = function(*arguments)
        record((name, clock() - start_ns))
        return result

    return call


def measure(stages: Stages, frames: Sequence[Frame], count: int) -> dict[str, Any]:
    """Time `count` frames as they are, then `count` more taken apart.

    Args:
        stages: what happens to each frame.
        frames: shown in turn.
        count: frames of each pass.

    Returns:
        Milliseconds, median and 95th percentile: `frame` (all of it, undisturbed),
        `stages` (as `Stats` has them) and `parts` (every kernel; `network` is what else
        finding the person takes; `python` is the rest).

    Raises:
        OptionError: less than one frame.
        InferenceError: the network gave no matte: a covered frame is no measurement.
    """
    if count < 1 or not frames:
        raise OptionError(f"a measurement needs at least 1 frame, got {min(count, len(frames))}")
    state = StreamState()
    for index in range(min(WARM_UP_FRAMES, count)):
        _frame(stages, frames[index % len(frames)], state, Stats())
    whole = Stats()
    total_ns = [_frame(stages, frames[index % len(frames)], state, whole) for index in range(count)]
    parts: dict[str, list[float]] = {}
    for index in range(count):
        for name, ns in _apart(stages, frames[index % len(frames)], state).items():
            parts.setdefault(name, []).append(ns)
    return {
        "frames": count,
        "frame": _summary(total_ns),
        "fps": round(1e9 / float(np.median(total_ns)), 1),
        "stages": {name: {k: v for k, v in times.items() if k != "p99_ms"} for name, times in _stages(whole).items()},
        "parts": {name: _summary(times) for name, times in parts.items()},
    }


def _frame(stages: Stages, frame: Frame, state: StreamState, stats: Stats) -> int:
    """Nanoseconds of one frame; a fresh copy of it, since frames remember their small picture."""
    frame = frame.with_planes(frame.planes)
    start_ns = stats.clock()
    render(stages, frame, state, stats, max_failures=1)
    return stats.clock() - start_ns


def _apart(stages: Stages, frame: Frame, state: StreamState) -> dict[str, float]:
    """Nanoseconds of each part of one frame."""
    calls: list[Part] = []
    stats = Stats()
    with timed_kernels(calls.append):
        total_ns = _frame(stages, frame, state, stats)
    parts: dict[str, float] = {}
    for name, ns in calls:
        parts[name] = parts.get(name, 0.0) + ns
    segment_ns = _stages(stats)["segment"]["p50_ms"] * 1e6
    downscale_ns = parts.get("downscale_rgb", 0.0)
    parts["network"] = segment_ns - downscale_ns
    parts["python"] = total_ns - sum(parts.values())
    return parts


def _stages(stats: Stats) -> dict[str, dict[str, float]]:
    stages: dict[str, dict[str, float]] = stats.as_dict()["stages"]
    return stages


def _summary(times_ns: Sequence[float]) -> dict[str, float]:
    median, p95 = np.percentile(times_ns, (50, 95))
    return {"p50_ms": round(float(median) / 1e6, 3), "p95_ms": round(float(p95) / 1e6, 3)}
