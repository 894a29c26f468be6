"""A camera on a thread of its own: the newest frame, and the camera again when it was gone."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from types import TracebackType

from livematte._clock import Clock, monotonic
from livematte._errors import DeviceLost, OpenError
from livematte._frame import Frame
from livematte._stages import Source, StreamInfo

FIRST_RETRY_S, LAST_RETRY_S = 0.1, 1.0
"""Wait before a lost camera is tried again, doubled each time up to the second: a camera that
is put back is found within that and the time it takes to open."""

LEAVE_S = 2.0
"""A device may hang in a read that nobody can end. Its thread is left behind then, and dies with the process."""


@dataclass(frozen=True, slots=True)
class Taken:
    """A frame as it came in.

    Args:
        frame: as the source gave it, in the shape that was asked for.
        arrived_ns: when the source gave it.
        skipped: frames that came between the last one taken and this one.
        opening: how often the source had been opened; frames of two openings do not follow one another.
    """

    frame: Frame
    arrived_ns: int
    skipped: int
    opening: int


class Capture:
    """Reads a source for as long as it is wanted, and opens it again when it is lost.

    A source that ends has ended; one that raises DeviceLost is opened again until it is
    there. Any other error is the loop's to raise. A source that cannot be opened at all is
    an error at first, unless it is to be waited for.

    Args:
        open_source: opens the source.
        shape: what becomes of each frame, on this thread, before it is handed out.
        wait: wait for a source that is not there at the start, too.
        clock: stamps the arrival of frames.
        pause: waits for so many seconds before the next try, less if the camera is no longer
            wanted; tests turn a clock in it.

    Attributes:
        state: `closed`, `opening`, `open`, `lost` or `ended`.
        info: what the source told when it was last opened.
        error: why it is lost, in words.
        openings: how often it has been opened.
    """

    def __init__(
        self,
        open_source: Callable[[], Source],
        shape: Callable[[Frame], Frame] = lambda frame: frame,
        *,
        wait: bool = False,
        clock: Clock = monotonic,
        pause: Callable[[float], None] | None = None,
    ) -> None:
        self._open, self._shape, self._wait, self._clock = open_source, shape, wait, clock
        self._pause = pause or self._pause_here
        self.state, self.openings = "closed", 0
        self.info: StreamInfo | None = None
        self.error: str | None = None
        self._changed = threading.Condition()
        self._box: Taken | None = None
        self._wanted = self._stopped = False
        self._woken = 0
        self._failure: BaseException | None = None
        self._thread = threading.Thread(target=self._work, name="livematte-capture", daemon=True)

    def __enter__(self) -> Capture:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, trace: TracebackType | None
    ) -> None:
        with self._changed:
            self._stopped, self._wanted = True, False
            self._changed.notify_all()
        self._thread.join(LEAVE_S)

    def want(self, on: bool) -> None:
        """Whether the source is to be open. What it gave before is forgotten when it is not."""
        with self._changed:
            if on != self._wanted:
                self._wanted = on
                self._box = None
                self._changed.notify_all()

    @property
    def over(self) -> bool:
        """Whether the source has ended and its last frame was taken."""
        with self._changed:
            return self.state == "ended" and self._box is None

    def take(self, timeout_s: float) -> Taken | None:
        """The newest frame that was not taken; None if none comes in time, and when the state changes.

        Raises:
            LivematteError: the source failed for good.
        """
        with self._changed:
            known = self.state, self._woken
            self._changed.wait_for(lambda: self._box or self._failure or known != (self.state, self._woken), timeout_s)
            taken, self._box = self._box, None
            if taken is None and self._failure is not None:
                raise self._failure
            return taken

    def wake(self) -> None:
        """End a `take()` that waits."""
        with self._changed:
            self._woken += 1
            self._changed.notify_all()

    def _work(self) -> None:
        retry_s = FIRST_RETRY_S
        while self._wait_until_wanted():
            before = self.openings
            try:
                ended = self._read()
            except (DeviceLost, OpenError) as exc:
                if isinstance(exc, OpenError) and not self.openings and not self._wait:
                    return self._fail(exc)
                retry_s = FIRST_RETRY_S if self.openings > before else min(2 * retry_s, LAST_RETRY_S)
                self._set("lost", str(exc))
                self._pause(retry_s)
            except BaseException as exc:  # raised by the side that takes frames
                return self._fail(exc)
            else:
                self._set("ended" if ended else "closed")
                if ended:
                    return

    def _wait_until_wanted(self) -> bool:
        with self._changed:
            if not self._wanted:
                self.state = "closed"
            self._changed.wait_for(lambda: self._wanted or self._stopped)
            return not self._stopped

    def _read(self) -> bool:
        """Read until the source ends (True) or is no longer wanted (False)."""
        self._set("opening", self.error)
        with self._open() as source:
            self.info = source.info
            first = True
            for frame in source:
                arrived_ns = self._clock()
                if first:
                    first = False
                    self.openings += 1
                    self._set("open")
                if not self._put(self._shape(frame), arrived_ns):
                    return False
        return True

    def _put(self, frame: Frame, arrived_ns: int) -> bool:
        with self._changed:
            if not self._wanted:
                return False
            skipped = 0 if self._box is None else self._box.skipped + 1
            self._box = Taken(frame, arrived_ns, skipped, self.openings)
            self._changed.notify_all()
            return True

    def _set(self, state: str, error: str | None = None) -> None:
        with self._changed:
            self.state, self.error = state, error
            self._changed.notify_all()

    def _fail(self, exc: BaseException) -> None:
        with self._changed:
            self.state, self._failure, self.error = "lost", exc, str(exc)
            self._changed.notify_all()

    def _pause_here(self, seconds: float) -> None:
        with self._changed:
            self._changed.wait_for(lambda: not self._wanted, seconds)
