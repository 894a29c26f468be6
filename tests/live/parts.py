"""Cameras, networks and outputs that tests of the live loop steer, without a clock of their own."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from fractions import Fraction
from typing import Any

import numpy as np

from livematte import DeviceLost, Frame, InferenceError, Matte, Size
from livematte._capture import Taken
from livematte._clock import ManualClock
from livematte._stages import StreamInfo
from livematte.sources.synthetic import Synthetic

SIZE, NETWORK = Size(320, 180), Size(64, 36)


class Figure:
    """A segmenter that knows where the figure of the synthetic source is, about; it can be killed.

    Args:
        name: as in the registry.
        cost_ms: for which it turns a clock.
    """

    engine = "none"

    def __init__(self, name: str = "figure", clock: ManualClock | None = None, cost_ms: float = 0.0) -> None:
        self.name, self.size = name, NETWORK
        self.runs, self.closed, self.dead, self.cost_ms = 0, 0, False, cost_ms
        self._clock = clock
        alpha = Synthetic(SIZE).true_alpha(0)
        rows, columns = (np.arange(n) * m // n for n, m in ((NETWORK.height, 180), (NETWORK.width, 320)))
        self._alpha = np.ascontiguousarray(alpha[np.ix_(rows, columns)])

    def segment(self, frame: Frame, state: Any) -> tuple[Matte, Any]:
        self.runs += 1
        if self._clock:
            self._clock.advance_ms(self.cost_ms)
        if self.dead or self.closed:
            raise InferenceError("killed by the test")
        return Matte(self._alpha.copy(), frame.pts), (state or 0) + 1

    def close(self) -> None:
        self.closed += 1


class Output:
    """A sink that keeps what it got, and lets others wait for it."""

    def __init__(self, written: Callable[[int], None] = lambda count: None) -> None:
        self.frames: list[Frame] = []
        self.left_by: Any = "never"
        self.changed = threading.Condition()
        self.over = False
        self._written = written

    def __enter__(self) -> Output:
        return self

    def __exit__(self, kind: Any, exc: Any, trace: Any) -> None:
        self.left_by = kind

    def write(self, frame: Frame) -> None:
        with self.changed:
            self.frames.append(frame)
            self.changed.notify_all()
        self._written(len(self.frames))

    def wait_for(self, more: int) -> None:
        """Wait until so many more frames are here, or the stream was told to end."""
        with self.changed:
            enough = len(self.frames) + more
            assert self.changed.wait_for(lambda: self.over or len(self.frames) >= enough, 30), "no frames come any more"


def end(live: Any) -> None:
    """Stop a stream, and let nobody wait for its frames."""
    live.stop()
    with live._sink.changed:
        live._sink.over = True
        live._sink.changed.notify_all()


class Room:
    """A camera in front of the synthetic room: a frame, then it waits until that was written.

    Args:
        output: where its frames go to.
        frames: after which it is pulled out; None leaves it in.
        size: of its pictures.
    """

    def __init__(self, output: Output, frames: int | None = None, size: Size = SIZE, fps: int = 30) -> None:
        self.info = StreamInfo(size, Fraction(fps), None, Fraction(1, fps))
        self._output, self._frames, self._picture = output, frames, Synthetic(size).frame(0)
        self.left = 0

    def __enter__(self) -> Room:
        return self

    def __exit__(self, *exc: Any) -> None:
        self.left += 1

    def __iter__(self) -> Iterator[Frame]:
        count = 0
        while self._frames is None or count < self._frames:
            before = len(self._output.frames)
            yield self._picture
            count += 1
            with self._output.changed:
                self._output.changed.wait_for(lambda before=before: len(self._output.frames) > before, 0.2)
        raise DeviceLost("the cable was pulled")


class TimedCamera:
    """In place of `Capture`: a camera whose frames come at times of a clock that it turns itself.

    Args:
        clock: turned to the next frame by who waits for it, and by who works in between.
        shape: of the stream.
        fps: of the camera.
        size: of its pictures.
    """

    def __init__(self, clock: ManualClock, shape: Any, fps: int = 30, size: Size = SIZE) -> None:
        self.state, self.openings, self.error, self.over = "open", 1, None, False
        self.info = StreamInfo(size, Fraction(fps), None, Fraction(1, fps))
        self.wanted = True
        self._clock, self._period_ns = clock, 1_000_000_000 // fps
        self._picture, self._last = shape(Synthetic(size).frame(0)), -1

    def __enter__(self) -> TimedCamera:
        return self

    def __exit__(self, *exc: Any) -> None:
        pass

    def want(self, on: bool) -> None:
        if on and not self.wanted:
            self._last = self._clock() // self._period_ns  # those in between were never taken
        self.wanted, self.state = on, "open" if on else "closed"

    def wake(self) -> None:
        pass

    def take(self, timeout_s: float) -> Taken | None:
        newest = self._clock() // self._period_ns
        if newest > self._last and self.wanted:
            skipped = newest - self._last - 1 if self._last >= 0 else 0
            self._last = newest
            return Taken(self._picture, newest * self._period_ns, skipped, self.openings)
        until_ns = self._clock() + int(timeout_s * 1e9)
        self._clock.now_ns = min(until_ns, (newest + 1) * self._period_ns) if self.wanted else until_ns
        return self.take(0) if self.wanted and self._clock() < until_ns else None
