"""A constant frame rate out of a live stream's arrival times, for outputs that are played back later."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from types import TracebackType

from livematte._frame import Frame
from livematte._stages import Sink

MOST_REPEATS_S = 2
"""A longer gap (the computer slept) is cut out, not filled: a live stream writes five frames a second at least."""

SLACK = Fraction(3, 4)
"""Of a tick: so far from its own may a frame be; farther, the next ones are brought as near as they can be. It is more
than half, so that a camera of the same rate does not go to and fro between two ticks."""


class ConstantRate:
    """A sink before another: a frame for every tick of the rate, none of them more than a tick from its time.

    A camera's frames come a little early or late, and follow one another all the same. Only where that adds up is one
    left out, or the one before written again.

    Args:
        sink: what is written to, in ticks of the rate.
        fps: frames a second.
    """

    def __init__(self, sink: Sink, fps: Fraction) -> None:
        self._sink, self._fps = sink, fps
        self._held: Frame | None = None
        self._tick, self._zero = 0, Fraction(0)

    @property
    def notes(self) -> list[str]:
        """What the sink behind has to tell."""
        return list(getattr(self._sink, "notes", []))

    def __enter__(self) -> ConstantRate:
        self._sink.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if kind is None and self._held is not None:
                self._pass_on(self._held)
                self._held = None
        except BaseException as failed:
            self._sink.__exit__(type(failed), failed, failed.__traceback__)
            raise
        self._sink.__exit__(kind, exc, trace)

    def write(self, frame: Frame) -> None:
        at = frame.pts * frame.time_base * self._fps - self._zero
        if self._held is None:
            self._zero, self._held = at, frame
            return
        late = at - (self._tick + 1)  # in ticks, from the one that is next
        if late > MOST_REPEATS_S * self._fps:
            self._zero += late
            late = Fraction(0)
        if late > -SLACK:
            for _ in range(1 + (round(late) if late >= SLACK else 0)):
                self._pass_on(self._held)
        self._held = frame

    def _pass_on(self, frame: Frame) -> None:
        self._sink.write(replace(frame, pts=self._tick, time_base=1 / self._fps))
        self._tick += 1
