"""How body-pix makes a picture small for its network, and what the network says large again.

It does so in steps whose rounding shows in masks, so they are these steps: the sides of the network's picture are
a share of the frame's, rounded down to the grid; the frame gets zeros around it until it has the same aspect; it is
resized by bilinear interpolation from corner to corner without averaging. Back it goes from the grid to the network's
picture and from there to the frame, corners on corners.

Source: TensorFlow.js models, body-pix 2.2, util.ts (toValidInputResolution, padAndResizeTo,
scaleAndCropToInputTensorShape); TensorFlow, image_ops.cc, ResizeBilinear and CropAndResize.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from livematte._errors import OptionError
from livematte._frame import F32, U8, Size

F64 = npt.NDArray[np.float64]

SHARES = {"low": 0.25, "medium": 0.5, "high": 0.75, "full": 1.0}
"""Names of internal resolutions: the network's picture as a share of the frame's sides."""

SHARE_RANGE = (0.1, 2.0)
"""Shares that body-pix takes."""

PIXEL_RANGE = (167, 801)
"""Pixels of the longer side that the first BodyPix 2 took in place of a share."""

MAX_INPUT_PX = 2049
"""Largest side of the network's picture: at stride 8 its maps then have 0.1 GB."""

Resolution = str | float


def check_resolution(resolution: Resolution) -> float:
    """An internal resolution as a number: a share, or pixels.

    Args:
        resolution: `low`, `medium`, `high`, `full`, or a number as such or in words.

    Raises:
        OptionError: none of these.
    """
    try:
        number = SHARES.get(str(resolution)) or float(resolution)
    except (TypeError, ValueError):
        number = math.nan
    if SHARE_RANGE[0] <= number <= SHARE_RANGE[1] or PIXEL_RANGE[0] <= number <= PIXEL_RANGE[1]:
        return number
    raise OptionError(
        f"resolution must be one of {', '.join(SHARES)}, a share of the picture from {SHARE_RANGE[0]:g} to "
        f"{SHARE_RANGE[1]:g}, or {PIXEL_RANGE[0]} to {PIXEL_RANGE[1]} pixels of its longer side, got {resolution!r}"
    )


def input_size(frame: Size, resolution: float, stride: int) -> Size:
    """Size of the network's picture for a frame.

    Args:
        resolution: of `check_resolution`.
        stride: pixels of the network's picture from one cell of its grid to the next.

    Raises:
        OptionError: it would be larger than `MAX_INPUT_PX`.
    """
    share = resolution if resolution <= SHARE_RANGE[1] else resolution / max(frame)
    width, height = (_on_grid(side * share, stride) for side in frame)
    if max(width, height) > MAX_INPUT_PX:
        raise OptionError(
            f"a resolution of {resolution:g} makes {width}x{height} pixels of a picture of {frame} for the network, "
            f"at most {MAX_INPUT_PX} a side are possible: choose a smaller one"
        )
    return Size(width, height)


def _on_grid(side: float, stride: int) -> int:
    """The side if it is 1 + n strides, else the multiple below it, plus 1."""
    if (side - 1) % stride == 0:
        return int(side)
    return int(side // stride) * stride + 1


@dataclass(frozen=True, slots=True)
class Fit:
    """How a frame lies in the network's picture.

    Args:
        frame: size of the frame.
        inner: size of the network's picture.
        left: columns of zeros before it, and as many after it.
        top: rows of zeros above it, and as many below it.
    """

    frame: Size
    inner: Size
    left: int
    top: int

    @property
    def padded(self) -> Size:
        """Size of the frame with the zeros."""
        return Size(self.frame.width + 2 * self.left, self.frame.height + 2 * self.top)

    @property
    def scale(self) -> tuple[float, float]:
        """Pixels of the network's picture for one of the frame, down and across."""
        return self.inner.height / self.padded.height, self.inner.width / self.padded.width


def fit(frame: Size, inner: Size) -> Fit:
    """Where the zeros go: at the sides of frames that are too tall, above and below those that are too wide."""
    aspect = inner.width / inner.height
    if frame.width / frame.height < aspect:
        return Fit(frame, inner, _rounded(0.5 * (aspect * frame.height - frame.width)), 0)
    return Fit(frame, inner, 0, _rounded(0.5 * (1 / aspect * frame.width - frame.height)))


def _rounded(value: float) -> int:
    """To the nearest whole number, halves up, as JavaScript does."""
    return math.floor(value + 0.5)


def shrink(rgb: U8, fit: Fit) -> F32:
    """The network's picture (h, w, 3) of a frame, in code values."""
    padded = np.pad(rgb, ((fit.top, fit.top), (fit.left, fit.left), (0, 0)))
    down, across = fit.scale
    return sample(padded, _pixels(fit.inner.height) / down, _pixels(fit.inner.width) / across)


def enlarge(grid: F32, fit: Fit) -> F32:
    """Values of the grid (gh, gw, c) at the pixels of the network's picture (h, w, c)."""
    return sample(
        grid, *(_corners(n, m) for n, m in zip(grid.shape, (fit.inner.height, fit.inner.width), strict=False))
    )


def frame_rows(fit: Fit) -> F64:
    """For each row of the frame, where it is in the network's picture."""
    return _crop(fit.frame.height, fit.top, fit.inner.height)


def frame_columns(fit: Fit) -> F64:
    """For each column of the frame, where it is in the network's picture."""
    return _crop(fit.frame.width, fit.left, fit.inner.width)


def on_corners(cells: int, pixels: int, places: F64) -> tuple[int, F64]:
    """Where those pixels of the network's picture are in the grid that lie around `places`, and the first of them."""
    first, last = math.floor(places.min()), math.ceil(places.max())
    first, last = max(first, 0), min(last, pixels - 1)
    return first, _corners(cells, pixels)[first : last + 1]


def sample(values: npt.NDArray[Any], rows: F64, columns: F64) -> F32:
    """Bilinear interpolation of (h, w, c) at every crossing of rows and columns, which lie within it."""
    (top, bottom, below), (left, right, beside) = _between(rows, len(values)), _between(columns, values.shape[1])
    down, across = below[:, None, None], beside[:, None]
    wide = values[top] * (1 - down) + values[bottom] * down  # (rows, w, c)
    return (wide[:, left] * (1 - across) + wide[:, right] * across).astype(np.float32, copy=False)


def _between(at: F64, count: int) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.intp], F32]:
    """The cells before and behind each place, and how far it is from the first."""
    first = np.clip(np.floor(at).astype(np.intp), 0, count - 1)
    share = np.clip(at - first, 0, 1).astype(np.float32)
    return first, np.minimum(first + 1, count - 1), share


def _corners(cells: int, pixels: int) -> F64:
    """Places of pixels in a row of cells, first on first and last on last."""
    return _pixels(pixels) * ((cells - 1) / (pixels - 1) if pixels > 1 else 0.0)


def _crop(pixels: int, before: int, inner: int) -> F64:
    """Places of a frame's pixels, of which `before` zeros lie on either side, in the network's picture."""
    span = pixels + 2 * before - 1
    if pixels == 1:
        return np.array([0.5 * (inner - 1)])
    first, last = before / span, (before + pixels - 1) / span
    return first * (inner - 1) + _pixels(pixels) * ((last - first) * (inner - 1) / (pixels - 1))


def _pixels(count: int) -> F64:
    return np.arange(count, dtype=np.float64)
