"""Whether anybody looks at a live stream: the camera is open only then."""

from __future__ import annotations

from collections.abc import Callable

from livematte._clock import Clock
from livematte._stages import Sink

LINGER_NS = 3_000_000_000
"""The camera stays open so long after the last reader has gone: programs open a camera several times."""

ASK_NS = 250_000_000
"""How often the output is asked for readers."""


class Watch:
    """Asks an output for its readers.

    Args:
        sink: one that has `readers()` can tell how many there are.
        clock: of the stream.

    Attributes:
        readers: how many there were when the output was last asked; None if it cannot tell, or was not asked yet.
    """

    def __init__(self, sink: Sink, clock: Clock) -> None:
        self._ask: Callable[[], int | None] = getattr(sink, "readers", lambda: None)
        self._clock = clock
        self._asked_ns = clock()
        self._read_ns = self._asked_ns - LINGER_NS
        self.readers: int | None = None

    def can_tell(self) -> bool:
        """Whether the output knows its readers."""
        return self._ask() is not None

    def goes_on(self, *, first: bool, needed: bool) -> bool:
        """Whether anybody looks, as far as the output can tell; for a while after the last one has gone, too.

        Args:
            first: no frame was written yet: the output is asked each time.
            needed: the camera is wanted in any case.
        """
        now_ns = self._clock()
        if now_ns - self._asked_ns >= ASK_NS or first:
            self._asked_ns, self.readers = now_ns, self._ask()
        if self.readers != 0 or needed:
            self._read_ns = now_ns
            return True
        return now_ns - self._read_ns < LINGER_NS
