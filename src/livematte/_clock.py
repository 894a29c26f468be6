"""Time as a dependency: monotonic nanoseconds, or a clock that tests turn by hand."""

from __future__ import annotations

import time
from typing import Protocol


class Clock(Protocol):
    """Anything that tells monotonic nanoseconds."""

    def __call__(self) -> int: ...


monotonic: Clock = time.perf_counter_ns


class ManualClock:
    """A clock that moves only when told to."""

    def __init__(self) -> None:
        self.now_ns = 0

    def __call__(self) -> int:
        return self.now_ns

    def advance_ms(self, ms: float) -> None:
        self.now_ns += round(ms * 1e6)
