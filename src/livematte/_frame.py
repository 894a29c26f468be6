"""Frames: timed planar pictures, 8 bits a sample, from decoder to encoder."""

from __future__ import annotations

import enum
import math
from collections.abc import Iterable
from dataclasses import dataclass, field
from fractions import Fraction
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import numpy.typing as npt

from livematte._errors import FrameError

if TYPE_CHECKING:
    import av

U8 = npt.NDArray[np.uint8]
F32 = npt.NDArray[np.float32]
Planes = tuple[U8, U8, U8]

MAX_SIDE_PX = 16384
"""Largest side a frame may have: what the integer kernels are proven for."""

ASPECT_DIGITS = 6
"""Of the logarithm of a stretch: 4:3 lies as far from 16:9 as from a square, but for the last bit."""


class Size(NamedTuple):
    """Width and height in pixels, in this order everywhere in the API."""

    width: int
    height: int

    def __str__(self) -> str:
        return f"{self.width}x{self.height}"

    def nearest(self, sizes: Iterable[Size]) -> Size:
        """That of `sizes` to which a picture of this size is stretched least; the first of equals."""

        def stretch(size: Size) -> float:
            return round(abs(math.log(self.width * size.height / (self.height * size.width))), ASPECT_DIGITS)

        return min(sizes, key=stretch)


class PixelFormat(enum.Enum):
    """How three planes make a picture."""

    I420 = "i420"
    """Y, U, V; chroma at half width and height, rounded up."""
    I444 = "i444"
    """Y, U, V; all planes full size."""
    RGB = "rgb"
    """R, G, B; all planes full size."""

    @property
    def chroma_shift(self) -> int:
        """1 where planes 1 and 2 are half size, else 0."""
        return 1 if self is PixelFormat.I420 else 0


class ColorMatrix(enum.Enum):
    """Which weights turn RGB into luma and chroma (ITU-R BT.601-7, BT.709-6)."""

    BT601 = "bt601"
    BT709 = "bt709"


class ColorRange(enum.Enum):
    """Which code values are black and white: 16-235, or 0-255."""

    LIMITED = "limited"
    FULL = "full"


def plane_sizes(size: Size, format: PixelFormat) -> tuple[Size, Size, Size]:
    """Size of each plane of a picture of `size`."""
    shift = format.chroma_shift
    chroma = Size((size.width + shift) >> shift, (size.height + shift) >> shift)
    return size, chroma, chroma


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Frame:
    """One picture with its time.

    Args:
        planes: three uint8 arrays (h, w); rows may be padded (any row stride),
            samples of a row are adjacent. Not copied: whoever passes them must
            not write to them again.
        format: layout of the planes.
        matrix: colour matrix of I420 and I444; RGB frames keep it for their luma.
        range: code values of black and white of I420 and I444; RGB is always full.
        pts: presentation time in units of `time_base`.
        time_base: seconds of one pts unit.
        alpha: straight alpha (h, w) uint8 at frame size, 255 = person; None means
            an opaque picture. Only outputs of the transparent effect have one.

    Raises:
        FrameError: wrong type, number, shape or layout of the planes.
    """

    planes: Planes
    format: PixelFormat = PixelFormat.I420
    matrix: ColorMatrix = ColorMatrix.BT709
    range: ColorRange = ColorRange.LIMITED
    pts: int = 0
    time_base: Fraction = Fraction(1, 1000)
    alpha: U8 | None = None
    _small: dict[Size, F32] = field(default_factory=dict, init=False)

    def __post_init__(self) -> None:
        if len(self.planes) != 3:
            raise FrameError(f"a frame has 3 planes, got {len(self.planes)}")
        if self.format is PixelFormat.RGB and self.range is not ColorRange.FULL:
            object.__setattr__(self, "range", ColorRange.FULL)
        for index, plane in enumerate(self.planes):
            _check_plane(plane, f"plane {index}")
        height, width = self.planes[0].shape
        shift = self.format.chroma_shift
        chroma = ((height + shift) >> shift, (width + shift) >> shift)
        for index in (1, 2):
            if self.planes[index].shape != chroma:
                raise FrameError(
                    f"plane {index} of a {self.size} {self.format.value} frame must be {chroma[1]}x{chroma[0]}, "
                    f"got {self.planes[index].shape[1]}x{self.planes[index].shape[0]}"
                )
        if self.alpha is not None:
            _check_plane(self.alpha, "alpha")
            if self.alpha.shape != self.planes[0].shape:
                raise FrameError(f"alpha must be {self.size}, got {self.alpha.shape[1]}x{self.alpha.shape[0]}")

    def __repr__(self) -> str:
        extra = "+alpha" if self.alpha is not None else ""
        return f"<Frame {self.size} {self.format.value}{extra} pts={self.pts} ({self.time_s:.3f} s)>"

    @property
    def size(self) -> Size:
        height, width = self.planes[0].shape
        return Size(width, height)

    @property
    def time_s(self) -> float:
        """Presentation time in seconds."""
        return float(self.pts * self.time_base)

    def with_planes(self, planes: Planes, alpha: U8 | None = None) -> Frame:
        """A frame of the same kind and time with other pixels."""
        return Frame(planes, self.format, self.matrix, self.range, self.pts, self.time_base, alpha)

    def luma(self) -> U8:
        """Full-size luma (h, w) uint8: plane 0 itself (not a copy) of YUV frames."""
        if self.format is PixelFormat.RGB:
            from livematte import kernels

            return kernels.luma(self.planes)
        return self.planes[0]

    def rgb(self, size: Size, planar: bool = False) -> F32:
        """The picture at `size`, averaged over areas, straight from the planes.

        Returns:
            float32 RGB in 0-1, (h, w, 3), or (3, h, w) if `planar`. The picture is
            stretched, not cropped.

        Source: docs/spec/kernels.md, "downscale".
        """
        from livematte import kernels

        rgb, self._small[size] = kernels.downscale_rgb(self.planes, self.format, self.matrix, self.range, size, planar)
        return rgb

    def small(self, size: Size) -> F32:
        """The planes at `size`, averaged over areas, float32 in 0-255, (3, h, w); remembered from
        `rgb()`, since the network's picture and the guide of its matte are one."""
        if size not in self._small:
            self.rgb(size)
        return self._small[size]

    def small_luma(self, size: Size) -> F32:
        """Luma at `size`, averaged over areas, float32 in 0-255, (h, w)."""
        small = self.small(size)
        luma: F32 = small[0]
        if self.format is PixelFormat.RGB:
            red, green, blue = (np.float32(weight / 256) for weight in (77, 150, 29))
            luma = (small[0] * red + small[1] * green) + small[2] * blue
        return luma

    def to_rgb(self) -> U8:
        """The picture as RGB.

        Returns:
            uint8 (h, w, 3), or (h, w, 4) with straight alpha if the frame has one.
            Chroma of I420 is repeated, not interpolated.

        Source: docs/spec/kernels.md, "colour".
        """
        from livematte import kernels

        rgb = kernels.planes_to_rgb(self.planes, self.format, self.matrix, self.range)
        return rgb if self.alpha is None else np.dstack((rgb, self.alpha))

    @classmethod
    def from_rgb(
        cls,
        rgb: U8,
        format: PixelFormat = PixelFormat.RGB,
        matrix: ColorMatrix = ColorMatrix.BT709,
        range: ColorRange = ColorRange.LIMITED,
        pts: int = 0,
        time_base: Fraction = Fraction(1, 1000),
    ) -> Frame:
        """A frame from an RGB picture (h, w, 3) uint8; lossless in the default format.

        Raises:
            FrameError: `rgb` is not uint8 (h, w, 3), or too large.
        """
        from livematte import kernels

        check_rgb(rgb)
        if format is PixelFormat.RGB:
            range = ColorRange.FULL
        planes = kernels.rgb_to_planes(np.ascontiguousarray(rgb), format, matrix, range)
        return cls(planes, format, matrix, range, pts, time_base)

    @classmethod
    def from_av(cls, frame: av.VideoFrame) -> Frame:
        """A frame from PyAV; yuv420p, yuvj420p and yuv444p are not copied.

        Other pixel formats (more bits, grey, 4:2:2, packed) are converted by FFmpeg's
        scaler to the nearest of I420, I444 and RGB. See `livematte._av`.
        """
        from livematte import _av

        return _av.from_av(frame)

    def to_av(self, format: str | None = None) -> av.VideoFrame:
        """This frame for PyAV, a copy; `format` names another FFmpeg pixel format."""
        from livematte import _av

        return _av.to_av(self, format)


def check_rgb(rgb: Any) -> None:
    """Refuse what is not an RGB picture uint8 (h, w, 3).

    Raises:
        FrameError: says what it is instead.
    """
    if not isinstance(rgb, np.ndarray):
        raise FrameError(f"an RGB picture must be a NumPy array (h, w, 3) of uint8, got {type(rgb).__name__}")
    if rgb.dtype != np.uint8:
        raise FrameError(f"an RGB picture must be uint8 (0-255), got {rgb.dtype}; convert it first")
    if rgb.ndim != 3 or rgb.shape[2] != 3:
        raise FrameError(f"an RGB picture must have the shape (h, w, 3), got {rgb.shape}")
    _check_side(rgb.shape[1], rgb.shape[0], "an RGB picture")


def _check_side(width: int, height: int, what: str) -> None:
    if not (1 <= width <= MAX_SIDE_PX and 1 <= height <= MAX_SIDE_PX):
        raise FrameError(f"{what} must be 1x1 to {MAX_SIDE_PX}x{MAX_SIDE_PX}, got {width}x{height}")


def _check_plane(plane: Any, what: str) -> None:
    if not isinstance(plane, np.ndarray) or plane.dtype != np.uint8 or plane.ndim != 2:
        got = f"{plane.dtype} {plane.shape}" if isinstance(plane, np.ndarray) else type(plane).__name__
        raise FrameError(f"{what} must be a uint8 array (h, w), got {got}")
    _check_side(plane.shape[1], plane.shape[0], what)
    if plane.shape[1] > 1 and plane.strides[1] != 1:
        raise FrameError(f"samples of {what} must be adjacent in a row, got a stride of {plane.strides[1]} bytes")
