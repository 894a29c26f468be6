"""What goes out, for the control page to show: small JPEGs of the output, made only while somebody looks.

The frames are those that the sink is given. What was not composited or covered never comes here.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass
from types import TracebackType
from typing import Any

import numpy as np

from livematte._clock import Clock, monotonic
from livematte._frame import Frame
from livematte._stages import Sink

LONGEST_PX = 640
"""Longest side of a preview: enough for a page, at a fifth of the cost of 1280."""

PERIOD_NS = 100_000_000
"""Between two previews: ten a second, whoever asks."""

WATCHED_NS = 2_000_000_000
"""So long after it was asked for a preview counts as being watched."""

QUALITY = 80
"""Of the JPEGs."""

BOARD_PX, BOARD = 12, (168, 200)
"""Squares behind a transparent picture, and their two greys."""


@dataclass(frozen=True, slots=True)
class Shot:
    """One preview.

    Args:
        number: grows from one to the next.
        jpeg: the file.
    """

    number: int
    jpeg: bytes


class Preview:
    """Stands before a sink and keeps the newest of its frames while somebody looks.

    Args:
        sink: gets every frame.
        clock: monotonic nanoseconds.
    """

    def __init__(self, sink: Sink, clock: Clock = monotonic) -> None:
        self._sink, self._clock = sink, clock
        self._out: Sink = sink
        self._changed = threading.Condition()
        self._encoding = threading.Lock()
        self._asked_ns = clock() - WATCHED_NS
        self._frame: Frame | None = None
        self._number = 0
        self._shot: Shot | None = None
        self._shot_ns = clock() - PERIOD_NS
        self._open = False

    def __enter__(self) -> Preview:
        self._out = self._sink.__enter__()
        self._open = True
        return self

    def __exit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, trace: TracebackType | None
    ) -> None:
        with self._changed:
            self._open, self._frame, self._shot = False, None, None
            self._changed.notify_all()
        self._sink.__exit__(kind, exc, trace)

    def write(self, frame: Frame) -> None:
        self._out.write(frame)
        if self.watched:
            with self._changed:
                self._frame, self._number = frame, self._number + 1
                self._changed.notify_all()

    @property
    def ended(self) -> bool:
        """Whether the sink has ended the stream."""
        return bool(getattr(self._out, "ended", False))

    @property
    def resizes(self) -> bool:
        """Whether the sink takes frames of another size than before."""
        return bool(getattr(self._sink, "resizes", False))

    @property
    def notes(self) -> list[str]:
        """What the sink has to tell."""
        return list(getattr(self._sink, "notes", []))

    @property
    def state(self) -> str | None:
        """Of the sink's connection, if it has one."""
        return getattr(self._sink, "state", None)

    @property
    def trouble(self) -> str | None:
        """What is wrong with the sink while it mends itself."""
        return getattr(self._sink, "trouble", None)

    @property
    def dropped(self) -> int:
        """Frames that the sink had no room for."""
        return int(getattr(self._sink, "dropped", 0))

    @property
    def watched(self) -> bool:
        """Whether somebody has asked for a preview of late."""
        return self._clock() - self._asked_ns < WATCHED_NS

    def readers(self) -> int | None:
        """Programs that read the output, and one more while the preview is watched; None if that cannot be known."""
        readers: int | None = getattr(self._sink, "readers", lambda: None)()
        return None if readers is None else readers + self.watched

    def shot(self, after: int = 0, timeout_s: float = 1.0) -> Shot | None:
        """The newest preview.

        Args:
            after: number of the preview that is known; waits for another one.
            timeout_s: how long to wait.

        Returns:
            None if there is none in time.

        Raises:
            SinkError: the picture cannot be encoded.
        """
        self._asked_ns = self._clock()
        with self._changed:
            self._changed.wait_for(lambda: self._fresh(after) or self._due(after), timeout_s)
        with self._encoding:  # one at a time; who waited for another takes what that one made
            with self._changed:
                frame, number, shot = self._frame, self._number, self._shot
            if frame is None or not self._due(after):
                return shot if shot is not None and shot.number > after else None
            shot = Shot(number, encoded(frame))
            with self._changed:
                if not self._open:
                    return None
                self._shot, self._shot_ns = shot, self._clock()
                return shot

    def _fresh(self, after: int) -> bool:
        """Whether there is a preview that the asker does not know, and none newer is due."""
        return self._shot is not None and self._shot.number > after and not self._rested()

    def _due(self, after: int) -> bool:
        """Whether there is a newer frame, and it is time to make a preview of it."""
        known = max(after, 0 if self._shot is None else self._shot.number)
        return self._number > known and self._rested()

    def _rested(self) -> bool:
        return self._clock() - self._shot_ns >= PERIOD_NS


def encoded(frame: Frame) -> bytes:
    """A frame of the output as a small JPEG; what is transparent shows a board of grey squares.

    Raises:
        SinkError: it cannot be encoded.
    """
    from livematte.sinks._jpeg import encoded as jpeg

    return jpeg(frame if frame.alpha is None else _on_board(frame), LONGEST_PX, QUALITY)


def _on_board(frame: Frame) -> Frame:
    """The picture over squares, by its own alpha."""
    from livematte._composite import composite
    from livematte._matte import Matte

    height, width = frame.planes[0].shape
    squares = (np.arange(height)[:, None] // BOARD_PX + np.arange(width)[None, :] // BOARD_PX) % 2
    grey = np.array(BOARD, np.uint8)[squares]
    board = Frame.from_rgb(np.repeat(grey[..., None], 3, axis=2), frame.format, frame.matrix, frame.range)
    alpha: Any = frame.alpha
    return composite(frame.with_planes(frame.planes), board, Matte(alpha, frame.pts))
