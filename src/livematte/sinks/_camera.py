"""Frames as a virtual camera shows them: one size for as long as it is there, opaque, 4:2:0, limited range."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from livematte._av import HD_HEIGHT_PX, fit
from livematte._errors import SinkError
from livematte._frame import U8, ColorMatrix, ColorRange, Frame, PixelFormat, Size

if TYPE_CHECKING:
    from av.video.reformatter import VideoReformatter


class Steady:
    """Makes every frame like the first: programs that read a camera do not expect it to change.

    A frame of another size is scaled to cover the first one's, and what is too much is cut off its sides.

    Args:
        grid: width and height are rounded up to multiples of these; a device may not take others.
        size: to be had in any case; None takes the first frame's.
        tagged: whether readers are told the colour matrix, which then is the first frame's. Otherwise it is the one
            that programs take for granted at this size.
    """

    def __init__(self, grid: tuple[int, int] = (2, 2), size: Size | None = None, *, tagged: bool = False) -> None:
        self._grid, self._tagged = grid, tagged
        self.size: Size | None = None if size is None else self._on_grid(size)
        self.matrix: ColorMatrix | None = None
        self._reformatter: VideoReformatter | None = None

    def __call__(self, frame: Frame) -> Frame:
        """The picture to show.

        Raises:
            SinkError: the frame is transparent. What lies under its alpha may be the room.
        """
        if frame.alpha is not None:
            raise SinkError("this output has no transparency; choose an effect with a background, as blur or color")
        self.size = self.size or self._on_grid(frame.size)
        if self.matrix is None:
            usual = ColorMatrix.BT709 if self.size.height >= HD_HEIGHT_PX else ColorMatrix.BT601
            self.matrix = frame.matrix if self._tagged else usual
        if (frame.size, frame.format, frame.matrix, frame.range) == (
            self.size,
            PixelFormat.I420,
            self.matrix,
            ColorRange.LIMITED,
        ):
            return frame
        if self._reformatter is None:
            from av.video.reformatter import VideoReformatter

            self._reformatter = VideoReformatter()
        return fit(frame, self.size, PixelFormat.I420, self.matrix, ColorRange.LIMITED, self._reformatter)

    def _on_grid(self, size: Size) -> Size:
        width, height = self._grid
        return Size(-(-size.width // width) * width, -(-size.height // height) * height)


def planar_bytes(frame: Frame) -> Any:
    """The planes of an I420 frame one after the other, rows without gaps: a buffer."""
    return np.concatenate([plane.ravel() for plane in frame.planes]).data


def yuyv(frame: Frame) -> U8:
    """An I420 frame of even sides as packed 4:2:2, (h, 2w): Y0 U Y1 V; both rows share their chroma."""
    y, u, v = frame.planes
    height, width = y.shape
    out = np.empty((height, 2 * width), np.uint8)
    out[:, 0::2] = y
    out[:, 1::4] = np.repeat(u, 2, axis=0)
    out[:, 3::4] = np.repeat(v, 2, axis=0)
    return out
