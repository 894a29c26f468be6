"""One size and colour for a whole live stream, whatever the camera gives and whether there is one."""

from __future__ import annotations

import threading
from fractions import Fraction
from typing import Any

import numpy as np

from livematte._frame import ColorMatrix, ColorRange, Frame, PixelFormat, Size, plane_sizes

TICK_S = Fraction(1, 1_000_000)
"""Seconds of one pts unit of a live stream: the frame's time of arrival, since the start."""

UNKNOWN_SIZE = Size(1280, 720)
"""Of the plate before anything is known of the camera."""

HD_HEIGHT_PX = 720
"""From this height on video is taken for BT.709, below for BT.601, by programs that are not told."""

CARD_LUMA, NEUTRAL = 40, 128
"""Dark grey in place of a camera that is not there: of a blurred room, it is what is left to see."""


class Shape:
    """Makes frames I420 of one size, of limited range and the matrix that goes with the size.

    Virtual cameras and encoders cannot change what they have said once.

    Args:
        size: None takes that of the first frame.
    """

    def __init__(self, size: Size | None = None) -> None:
        self._size = size
        self._scaler, self._lock = Scaler(), threading.Lock()

    @property
    def size(self) -> Size:
        """Of the output."""
        return self._size or UNKNOWN_SIZE

    @property
    def matrix(self) -> ColorMatrix:
        """Of the output."""
        return matrix_of(self.size)

    def __call__(self, frame: Frame) -> Frame:
        """The frame in the stream's shape; what the wider side has too much of is cut off."""
        self.settle(frame.size)
        return self._scaler(frame, self.size, self.matrix)

    @property
    def settled(self) -> bool:
        """Whether the size is known for good."""
        return self._size is not None

    def settle(self, size: Size) -> None:
        """The size to be, if there is none yet: the first frame decides, or the first plate without one."""
        with self._lock:
            self._size = self._size or size

    def card(self) -> Frame:
        """A plain frame for an effect to paint on where there is no camera."""
        planes = [
            np.full((size.height, size.width), value, np.uint8)
            for size, value in zip(plane_sizes(self.size, PixelFormat.I420), (CARD_LUMA, NEUTRAL, NEUTRAL), strict=True)
        ]
        return Frame((planes[0], planes[1], planes[2]), matrix=self.matrix, time_base=TICK_S)


class Scaler:
    """Scales pictures to I420 of limited range; keeps FFmpeg's scaler from frame to frame. For one thread."""

    def __init__(self) -> None:
        self._reformatter: Any = None

    def __call__(self, frame: Frame, size: Size, matrix: ColorMatrix) -> Frame:
        """The frame itself where there is nothing to do; its alpha is dropped where there is."""
        kind = (frame.size, frame.format, frame.matrix, frame.range)
        wanted = (size, PixelFormat.I420, matrix, ColorRange.LIMITED)
        if kind == wanted:
            return frame
        from av.video.reformatter import VideoReformatter

        from livematte import _av

        self._reformatter = self._reformatter or VideoReformatter()
        return _av.fit(frame, *wanted, self._reformatter)


def matrix_of(size: Size) -> ColorMatrix:
    """The matrix that untagged video of this size is taken to have."""
    return ColorMatrix.BT709 if size.height >= HD_HEIGHT_PX else ColorMatrix.BT601


def halved(frame: Frame) -> Frame:
    """Every second sample of every second row. Where time is this short, a true mean costs more than it saves."""
    y, u, v = (np.ascontiguousarray(plane[::2, ::2]) for plane in frame.planes)
    return frame.with_planes((y, u, v))


def mirrored(picture: Frame) -> Frame:
    """The picture with left and right turned round, its alpha too."""
    y, u, v = (np.ascontiguousarray(plane[:, ::-1]) for plane in picture.planes)
    alpha = None if picture.alpha is None else np.ascontiguousarray(picture.alpha[:, ::-1])
    return picture.with_planes((y, u, v), alpha)


def opaque(picture: Frame) -> Frame:
    """The picture with an alpha that says so, for an output that has one."""
    if picture.alpha is not None:
        return picture
    return picture.with_planes(picture.planes, np.full(picture.planes[0].shape, 255, np.uint8))
