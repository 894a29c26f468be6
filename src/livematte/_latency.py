"""How old a frame is when it leaves: from its arrival at this machine to the end of its writing."""

from __future__ import annotations

from collections import deque

from livematte._stats import WINDOW, percentile

RECENT_NS = 2_000_000_000
"""Span in which frames are counted to tell the rate of now, not of since the start."""

MOST_RECENT = 512
"""Times kept for that: more than 2 s of 240 frames a second."""


class Latency:
    """Times of the newest frames that came from the camera, and of all in sum.

    Attributes:
        count: frames measured since the start.
        sum_ns: of their latencies.
    """

    def __init__(self) -> None:
        self.count = 0
        self.sum_ns = 0
        self._times_ns: deque[int] = deque(maxlen=WINDOW)

    def add(self, ns: int) -> None:
        """Take note of a frame."""
        self.count += 1
        self.sum_ns += ns
        self._times_ns.append(ns)

    def as_dict(self) -> dict[str, float | None]:
        """p50, p95 and p99 in milliseconds over the newest frames; None before the first."""
        times = deque(self._times_ns)  # a copy: the loop goes on
        return {f"p{p}_ms": round(percentile(times, p) / 1e6, 2) if times else None for p in (50, 95, 99)}


class Rate:
    """Events a second, of late."""

    def __init__(self) -> None:
        self._at_ns: deque[int] = deque(maxlen=MOST_RECENT)

    def add(self, at_ns: int) -> None:
        """Take note of an event."""
        self._at_ns.append(at_ns)

    def fps(self, now_ns: int) -> float:
        """Events of the last two seconds, by the second; 0 before there are two of them."""
        recent = [at for at in tuple(self._at_ns) if at >= now_ns - RECENT_NS]
        if len(recent) < 2 or recent[-1] == recent[0]:
            return 0.0
        return float((len(recent) - 1) * 1e9 / (recent[-1] - recent[0]))
