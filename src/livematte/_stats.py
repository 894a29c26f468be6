"""Figures of one stream: frames, covered frames, time of each stage."""

from __future__ import annotations

from collections import deque
from typing import Any

from livematte._clock import Clock, monotonic

WINDOW = 1024
"""Frames that percentiles look back on: 34 s at 30 fps, and constant memory."""


class Stats:
    """Counts and stage times of one stream.

    Attributes:
        frames: frames written.
        covered: frames shown as the plate alone because no matte could be made.
        dropped: live frames replaced by younger ones before they were read.
    """

    def __init__(self, clock: Clock = monotonic) -> None:
        self.clock = clock
        self.frames = 0
        self.covered = 0
        self.dropped = 0
        self.started_ns = clock()
        self._stages: dict[str, deque[int]] = {}

    def stage(self, name: str) -> _Stage:
        """Time a `with` block as stage `name`."""
        times = self._stages.get(name)
        if times is None:
            times = self._stages[name] = deque(maxlen=WINDOW)
        return _Stage(self.clock, times)

    @property
    def fps(self) -> float:
        """Frames a second since the start."""
        elapsed_ns = self.clock() - self.started_ns
        return self.frames * 1e9 / elapsed_ns if elapsed_ns else 0.0

    def as_dict(self) -> dict[str, Any]:
        """Everything as plain numbers; stage times in milliseconds."""
        stages = {
            name: {f"p{p}_ms": round(percentile(times, p) / 1e6, 3) for p in (50, 95, 99)}
            for name, times in self._stages.items()
        }
        return {
            "frames": self.frames,
            "covered": self.covered,
            "dropped": self.dropped,
            "fps": round(self.fps, 2),
            "stages": stages,
        }


class _Stage:
    """Appends the nanoseconds that a block took, also if it failed."""

    __slots__ = ("_clock", "_start_ns", "_times")

    def __init__(self, clock: Clock, times: deque[int]) -> None:
        self._clock, self._times, self._start_ns = clock, times, 0

    def __enter__(self) -> None:
        self._start_ns = self._clock()

    def __exit__(self, *exc: object) -> None:
        self._times.append(self._clock() - self._start_ns)


def percentile(values: deque[int], p: float) -> float:
    """Nearest-rank percentile."""
    ordered = sorted(values)
    return float(ordered[min(len(ordered) - 1, int(len(ordered) * p / 100))])
