"""A recording as if it came from a camera: every frame when it is due."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from types import TracebackType

from livematte._clock import Clock, monotonic
from livematte._frame import Frame
from livematte._stages import Source


class Paced:
    """A source whose frames come at the times that their pts say; late ones at once.

    Args:
        source: what is played.
        clock: monotonic nanoseconds.
        sleep: waits for so many seconds.
    """

    def __init__(self, source: Source, clock: Clock = monotonic, sleep: Callable[[float], None] = time.sleep) -> None:
        self._source, self._clock, self._sleep = source, clock, sleep
        self.info = source.info

    def __enter__(self) -> Paced:
        self._source.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._source.__exit__(kind, exc, trace)

    def __iter__(self) -> Iterator[Frame]:
        zero_ns: int | None = None
        for frame in self._source:
            at_ns = int(frame.pts * frame.time_base * 1_000_000_000)
            if zero_ns is None:
                zero_ns = self._clock() - at_ns
            wait_ns = zero_ns + at_ns - self._clock()
            if wait_ns > 0:
                self._sleep(wait_ns / 1e9)
            yield frame
