"""How outputs that can be lost are connected again: soon, then less and less often."""

from __future__ import annotations

from livematte._clock import Clock

FIRST_RETRY_S, LAST_RETRY_S = 0.25, 5.0
"""Wait before a broken connection is tried again, doubled each time; anew after one that held for the longer time."""

CONNECTING, OPEN, RECONNECTING = "connecting", "open", "reconnecting"
"""What such an output is: as `state`."""


class BackOff:
    """Says when to try again.

    Args:
        clock: monotonic nanoseconds.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._retry_s = FIRST_RETRY_S
        self._again_ns: int | None = None
        self._held_ns: int | None = None

    def over(self) -> bool:
        """Whether it is time for the next try."""
        return self._again_ns is None or self._clock() >= self._again_ns

    def held(self) -> None:
        """The connection is there."""
        self._held_ns = self._clock()

    def again(self) -> None:
        """The connection is broken, or could not be made."""
        now_ns = self._clock()
        if self._held_ns is not None and now_ns - self._held_ns >= LAST_RETRY_S * 1e9:
            self._retry_s = FIRST_RETRY_S
        self._held_ns = None
        self._again_ns = now_ns + int(self._retry_s * 1e9)
        self._retry_s = min(2 * self._retry_s, LAST_RETRY_S)
