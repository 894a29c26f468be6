"""A person-shaped figure in a textured room, with the true matte in closed form.

The figure is the union of three ellipses (head, neck, shoulders) that sways; its alpha
is a linear ramp of the distance from the outline. The room holds a marker: a chequered
panel whose bits are known, so that a test can ask a picture whether it shows the room.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from fractions import Fraction
from types import TracebackType

import numpy as np

from livematte._errors import OptionError
from livematte._frame import F32, MAX_SIDE_PX, U8, ColorMatrix, ColorRange, Frame, PixelFormat, Planes, Size
from livematte._stages import StreamInfo
from livematte.sources import parse_fps

MARKER_BITS = np.array(
    [
        [1, 0, 1, 1, 0, 0, 1, 0],
        [0, 1, 1, 0, 1, 0, 0, 1],
        [1, 1, 0, 0, 1, 1, 0, 1],
        [0, 0, 1, 0, 0, 1, 1, 0],
        [1, 0, 0, 1, 1, 0, 1, 1],
        [0, 1, 0, 1, 0, 1, 0, 0],
    ],
    np.float32,
)
"""The marker, row by row; as many ones as zeros."""

MARKER_LUMA = (40, 215)
"""Luma of zeros and ones."""

DEFAULT_SIZE = Size(320, 180)
"""Small enough for hundreds of frames in a test."""

SWAY_FRAMES = 60
"""Frames of one sway from side to side and back."""

FIGURE = {"head": (150, 108, 152), "neck": (138, 110, 150), "shoulders": (92, 150, 112)}
"""Y, U, V of the parts."""


class Synthetic:
    """The figure in its room, I420, BT.709, limited range.

    Args:
        size: of the frames.
        fps: frames a second.
        frames: how many.

    Raises:
        OptionError: a value out of range.
    """

    def __init__(self, size: Size = DEFAULT_SIZE, *, fps: Fraction | float | str = 30, frames: int = 90) -> None:
        if not (1 <= size.width <= MAX_SIDE_PX and 1 <= size.height <= MAX_SIDE_PX):
            raise OptionError(f"synthetic video must be 1x1 to {MAX_SIDE_PX}x{MAX_SIDE_PX}, got {size}")
        if frames < 1:
            raise OptionError(f"synthetic video has at least 1 frame, got {frames}")
        self._fps = parse_fps(fps)
        self.info = StreamInfo(size=size, fps=self._fps, frames=frames, time_base=1 / self._fps)
        self._size = size
        self._frames = frames
        self._room = room(size)

    def __enter__(self) -> Synthetic:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, trace: TracebackType | None
    ) -> None:
        pass

    def __iter__(self) -> Iterator[Frame]:
        for index in range(self._frames):
            yield self.frame(index)

    def true_alpha(self, index: int) -> F32:
        """The matte of frame `index`: float32 (h, w), 0-1."""
        return _alpha(_distance(self._size, index)[0], self._size)

    def frame(self, index: int) -> Frame:
        """Frame `index`: alpha F + (1 - alpha) B in code values, chroma by the mean alpha of its pixels."""
        distance, part = _distance(self._size, index)
        alpha = _alpha(distance, self._size)
        colors = np.array(list(FIGURE.values()), np.float32)
        small = halved(alpha)
        chroma_part = part[::2, ::2]
        mixed = [_mix(alpha, colors[part, 0], self._room[0])]
        mixed += [_mix(small, colors[chroma_part, i], self._room[i]) for i in (1, 2)]
        return Frame(
            (mixed[0], mixed[1], mixed[2]),
            PixelFormat.I420,
            ColorMatrix.BT709,
            ColorRange.LIMITED,
            index,
            1 / self._fps,
        )


def room(size: Size) -> Planes:
    """Y, U, V of the empty room."""
    x, y = _grid(size)
    luma = 110 + 45 * (x / size.width) + 22 * np.sin(x * 0.37) * np.sin(y * 0.29) + 12 * np.sin((x + 2 * y) * 1.3)
    left, top, right, bottom = marker_box(size)
    if right > left and bottom > top:
        luma[top:bottom, left:right] = _marker(right - left, bottom - top)
    cx, cy = halved(x), halved(y)
    u = 122 + 14 * np.sin(cx * 0.05) + 6 * np.sin(cy * 0.21)
    v = 120 - 10 * np.cos(cy * 0.04) + 5 * np.sin(cx * 0.17)
    y8, u8, v8 = (np.rint(np.clip(plane, 16, 235)).astype(np.uint8) for plane in (luma, u, v))
    return y8, u8, v8


def marker_box(size: Size) -> tuple[int, int, int, int]:
    """Left, top, right, bottom of the marker, upper left in the room; the figure never covers it."""
    width, height = size
    side = min(width, height)
    return width // 32, height // 18, width // 32 + side // 4, height // 18 + side // 5


def legibility(luma: U8) -> float:
    """How much of the marker a picture shows: its correlation with the marker's place, -1 to 1.

    1 is the room itself and 0 a picture that knows nothing of it.
    """
    height, width = luma.shape
    left, top, right, bottom = marker_box(Size(width, height))
    if right <= left or bottom <= top:  # too small a picture to hold one
        return 0.0
    seen = luma[top:bottom, left:right].astype(np.float64)
    bits = _marker(right - left, bottom - top).astype(np.float64)
    seen, bits = seen - seen.mean(), bits - bits.mean()
    scale = math.sqrt(float((seen**2).sum()) * float((bits**2).sum()))
    return float((seen * bits).sum()) / scale if scale else 0.0


def halved(plane: F32) -> F32:
    """Means of 2x2 pixels; an odd side repeats its last row or column."""
    height, width = plane.shape
    even = np.pad(plane, ((0, height & 1), (0, width & 1)), mode="edge")
    return ((even[::2, ::2] + even[1::2, ::2] + even[::2, 1::2] + even[1::2, 1::2]) / 4).astype(np.float32)


def _grid(size: Size) -> tuple[F32, F32]:
    y, x = np.mgrid[0 : size.height, 0 : size.width].astype(np.float32)
    return x, y


def _alpha(distance: F32, size: Size) -> F32:
    """1 inside and 0 outside, with a ramp over the outline that is soft at every size."""
    ramp_px = max(1.5, 0.008 * min(size))
    alpha: F32 = np.clip(0.5 - distance / ramp_px, 0, 1).astype(np.float32)
    return alpha


def _distance(size: Size, index: int) -> tuple[F32, np.ndarray[tuple[int, ...], np.dtype[np.intp]]]:
    """Signed distance from the figure's outline in pixels (negative inside), and the nearest part."""
    x, y = _grid(size)
    side = min(size)
    center = size.width / 2 + 0.08 * side * math.sin(2 * math.pi * index / SWAY_FRAMES)
    nod = 0.01 * side * math.sin(4 * math.pi * index / SWAY_FRAMES)
    bottom = size.height - side
    ellipses = (
        (center, bottom + 0.36 * side + nod, 0.115 * side, 0.155 * side),
        (center, bottom + 0.54 * side, 0.065 * side, 0.12 * side),
        (center, bottom + 1.02 * side, 0.34 * side, 0.42 * side),
    )
    parts = []
    for cx, cy, rx, ry in ellipses:
        radius = np.hypot((x + 0.5 - cx) / rx, (y + 0.5 - cy) / ry)
        parts.append((radius - 1) * min(rx, ry))
    stack = np.stack(parts)
    return stack.min(axis=0).astype(np.float32), stack.argmin(axis=0)


def _marker(width: int, height: int) -> F32:
    rows = np.arange(height) * MARKER_BITS.shape[0] // max(1, height)
    columns = np.arange(width) * MARKER_BITS.shape[1] // max(1, width)
    low, high = MARKER_LUMA
    marker: F32 = (low + (high - low) * MARKER_BITS[np.ix_(rows, columns)]).astype(np.float32)
    return marker


def _mix(alpha: F32, figure: F32, background: U8) -> U8:
    mixed: U8 = np.rint(alpha * figure + (1 - alpha) * background).astype(np.uint8)
    return mixed


def create(argument: str | None, *, fps: Fraction | float | str | None = None, frames: int | None = None) -> Synthetic:
    """`synthetic:`, `synthetic:640x360`, `synthetic:640x360@30*90` (size, rate, frames)."""
    match = re.fullmatch(r"(?:(\d+)x(\d+))?(?:@([\d./]+))?(?:\*(\d+))?", argument or "")
    if not match:
        raise OptionError(f"synthetic takes a size, rate and number of frames, as in 640x360@30*90; got {argument!r}")
    width, height, rate, count = match.groups()
    size = Size(int(width), int(height)) if width else DEFAULT_SIZE
    return Synthetic(size, fps=fps or rate or 30, frames=frames if frames is not None else int(count or 90))
