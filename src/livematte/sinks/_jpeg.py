"""Pictures of a running stream as JPEG, for whoever looks at the moment."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import replace

from livematte._clock import Clock, monotonic
from livematte._frame import ColorRange, Frame, PixelFormat, Size

LONGEST_PX = 960
"""Longest side of a preview: enough to judge an edge by, a third of the work of 720p."""

FPS = 15.0
"""Most pictures a second."""

QUALITY = 80
"""Of JPEG, 1-100."""


class JpegFeed:
    """The newest picture as JPEG, for any number of viewers. Encoded once, and only while somebody looks.

    Args:
        fps: most pictures a second.
        longest_px: longest side; larger pictures are scaled down.
        quality: of JPEG, 1-100.
        clock: monotonic nanoseconds.
    """

    def __init__(
        self,
        *,
        fps: float = FPS,
        longest_px: int = LONGEST_PX,
        quality: int = QUALITY,
        clock: Clock = monotonic,
    ) -> None:
        self._gap_ns, self._longest_px, self._quality, self._clock = int(1e9 / fps), longest_px, quality, clock
        self._next_ns: int | None = None
        self._changed = threading.Condition()
        self._newest, self._number = b"", 0
        self._viewers = 0
        self._closed = False

    @property
    def viewers(self) -> int:
        """How many look."""
        return self._viewers

    def put(self, frame: Frame) -> None:
        """Show a frame, unless nobody looks or the last one was a moment ago. Alpha is composed over black.

        Raises:
            SinkError: it cannot be encoded.
        """
        if not self._viewers:
            return
        now_ns = self._clock()
        if self._next_ns is not None and now_ns < self._next_ns:
            return
        self._next_ns = now_ns + self._gap_ns
        jpeg = encoded(frame, self._longest_px, self._quality)
        with self._changed:
            self._newest, self._number = jpeg, self._number + 1
            self._changed.notify_all()

    def frames(self, timeout_s: float | None = None) -> Iterator[bytes]:
        """Every new picture from now on, those in between left out if the caller is slow; ends with the feed.

        Args:
            timeout_s: longest wait for one; then an empty one comes, so that a server can see whether its viewer is
                still there.
        """
        with self._changed:
            self._viewers += 1
            seen = self._number

        def news() -> bool:
            return self._closed or self._number != seen

        try:
            while True:
                with self._changed:
                    self._changed.wait_for(news, timeout_s)
                    if self._closed:
                        return
                    jpeg, seen = (self._newest if self._number != seen else b""), self._number
                yield jpeg
        finally:
            with self._changed:
                self._viewers -= 1

    def close(self) -> None:
        """Let every viewer go; twice is fine."""
        with self._changed:
            self._closed = True
            self._newest = b""
            self._changed.notify_all()


def encoded(frame: Frame, longest_px: int, quality: int) -> bytes:
    """A frame as JPEG, no longer than `longest_px`."""
    from livematte._av import fit
    from livematte.sinks._still import image_bytes

    if frame.alpha is not None:
        frame = _over_black(frame)
    longest = max(frame.size)
    if longest > longest_px:
        size = Size(*(max(2, round(side * longest_px / longest) // 2 * 2) for side in frame.size))
        frame = fit(frame, size, PixelFormat.I420, frame.matrix, ColorRange.LIMITED)
    return image_bytes(frame, ".jpg", quality=quality, grey=False)


def _over_black(frame: Frame) -> Frame:
    """An opaque RGB frame: where the person is not, there is nothing to see."""
    import numpy as np

    rgba = frame.to_rgb().astype(np.uint16)
    rgb = (rgba[..., :3] * rgba[..., 3:] + 127) // 255
    return replace(Frame.from_rgb(rgb.astype(np.uint8)), pts=frame.pts, time_base=frame.time_base)
