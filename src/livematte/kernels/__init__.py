"""The per-pixel work, as functions of arrays.

Compiled from `kernels/*.c`; the NumPy oracle `reference.py` has the same functions and
replaces them where LIVEMATTE_KERNELS=reference is set. What each computes is said in
docs/spec/kernels.md. Arrays that come in are not modified and not kept; those that go
out are new. Shapes are the caller's to check: this is inside the border.
"""

from __future__ import annotations

import math
import os
from types import ModuleType

import numpy as np
import numpy.typing as npt

from livematte._frame import F32, U8, ColorMatrix, ColorRange, PixelFormat, Planes, Size

I16 = npt.NDArray[np.int16]


def _choose() -> ModuleType:
    if os.environ.get("LIVEMATTE_KERNELS") == "reference":
        from livematte.kernels import reference

        return reference
    from livematte.kernels import compiled

    return compiled


_backend: ModuleType | None = None


def backend() -> ModuleType:
    """The implementation in use, loaded on first use."""
    global _backend
    if _backend is None:
        _backend = _choose()
    return _backend


def variant() -> str:
    """Which build runs here: `avx512`, `avx2`, `baseline` or `reference`."""
    return str(backend().VARIANT)


def black(format: PixelFormat, range: ColorRange) -> tuple[int, int]:
    """Code values of black: of the first plane, and of the other two."""
    if format is PixelFormat.RGB:
        return 0, 0
    return (16 if range is ColorRange.LIMITED else 0), 128


def rgb_to_planes(rgb: U8, format: PixelFormat, matrix: ColorMatrix, range: ColorRange) -> Planes:
    """RGB (h, w, 3) uint8, C-contiguous, as three planes."""
    return backend().rgb_to_planes(rgb, format, matrix, range)  # type: ignore[no-any-return]


def planes_to_rgb(planes: Planes, format: PixelFormat, matrix: ColorMatrix, range: ColorRange) -> U8:
    """Three planes as RGB (h, w, 3) uint8; half-size chroma is repeated."""
    return backend().planes_to_rgb(planes, format, matrix, range)  # type: ignore[no-any-return]


def luma(planes: Planes) -> U8:
    """Luma (h, w) uint8 of three RGB planes, full-range BT.601."""
    return backend().luma(planes)  # type: ignore[no-any-return]


def relight(
    planes: Planes,
    format: PixelFormat,
    matrix: ColorMatrix,
    range: ColorRange,
    gains: tuple[float, float, float],
) -> Planes:
    """Three planes with their R, G and B code values times `gains`, each below 8."""
    red, green, blue = (round(4096 * gain) for gain in gains)
    return backend().relight(planes, format, matrix, range, (red, green, blue))  # type: ignore[no-any-return]


def downscale(plane: U8, size: Size) -> F32:
    """Area means of a plane at `size`, float32 in 0-255, (h, w)."""
    return backend().downscale(plane, size)  # type: ignore[no-any-return]


def downscale_rgb(
    planes: Planes, format: PixelFormat, matrix: ColorMatrix, range: ColorRange, size: Size, planar: bool
) -> tuple[F32, F32]:
    """Area means as RGB float32 in 0-1, (h, w, 3), or (3, h, w) if `planar`; and
    the planes themselves at that size, float32 in 0-255, (3, h, w)."""
    return backend().downscale_rgb(planes, format, matrix, range, size, planar)  # type: ignore[no-any-return]


def gain(rgb: F32, planar: bool) -> float:
    """By how much a dark picture, RGB 0-1 (h, w, 3), or (3, h, w) if `planar`, is to be made
    brighter for a network: 1 (not at all) to 4."""
    return float(backend().gain(rgb, planar)[0, 0])


BEGINS = 4.0
"""`moved` at the start of a stream: for so many frames what the network says is followed at once."""


def temporal(alpha: F32, luma: F32, before: F32, luma_before: F32, moved: F32) -> tuple[F32, F32]:
    """Alpha moved towards `alpha` from `before`: a little where the picture stands still, more where alpha
    falls, wholly where it moves, everywhere in another scene. And how much of a new alpha counts, 0.1 to
    `BEGINS`, for the next frame's `moved`."""
    return backend().temporal(alpha, luma, before, luma_before, moved)  # type: ignore[no-any-return]


def who_stays(
    alpha: F32, before: tuple[F32, F32] | None, step: float, leave: float, enter: float
) -> tuple[F32, tuple[F32, F32]]:
    """Alpha without the connected parts that are small beside the largest, faded in and out.

    Args:
        before: the second result for the frame before; None at the start of a stream.
        step: of the fade, 0-1: time since then by the time that a whole fade takes.
        leave, enter: area as a part of the largest one's, 0-1, below which who is seen
            goes, and from which who is not seen comes.

    Returns:
        Alpha; and, of the pixels of each part, its number (-1: of none) and how much of
        it is seen, 0-1.
    """
    out, of, shown = backend().who_stays(alpha, before, step, leave, enter)
    return out, (of, shown)


def zone(corners: F32, size: Size, inset_px: float, soft_px: float) -> F32:
    """How far inside a polygon each pixel of a picture of `size` lies, float32 (h, w): 0 as
    far as `inset_px` inside, 1 from `soft_px` further on. `corners` are (n, 2) in parts of
    the picture."""
    return backend().zone(corners, size, inset_px, soft_px)  # type: ignore[no-any-return]


def room(rgb: F32, room: F32, alpha: F32, before: float | None, step: float) -> tuple[F32, float]:
    """Alpha where a picture of the empty room decides what the network is unsure of.

    Args:
        rgb, room: the frame and the empty room in 0-1, (h, w, 3).
        before: how far the room was trusted for the frame before; None at the start.
        step: how much further it may be trusted now, 0-1.

    Returns:
        Alpha; and how far the room is trusted, 0 (not at all: the camera moved) to 1.
    """
    out, weight = backend().room(rgb, room, alpha, -1.0 if before is None else before, step)
    return out, float(weight[0, 0])


STEEPEST_GAIN = 1.8
"""Gain of alpha about one half at softness 0, before the fit and again after it. At the usual softness
of 0.3 the mean error is least; more looks crisper, and errs more from frame to frame (dtSSD)."""


def guided(
    small: F32, format: PixelFormat, alpha: F32, reduce: int, radius: int, epsilon: float, softness: float
) -> I16:
    """Slopes of the three planes and offset (4, h / reduce, w / reduce) int16 of the guided filter
    of `alpha` (h, w) by the planes `small` (3, h, w; 0-255), steeper about one half the less soft it is."""
    gain = 1.0 + (STEEPEST_GAIN - 1.0) * (1.0 - softness)
    return backend().guided(small, format, alpha, reduce, radius, epsilon, gain)  # type: ignore[no-any-return]


def apply_guided(lines: I16, planes: Planes, format: PixelFormat) -> U8:
    """Alpha (h, w) uint8 at the frame's size from stretched slopes and offset."""
    return backend().apply_guided(lines, planes, format)  # type: ignore[no-any-return]


def upsample(alpha: F32, size: Size) -> U8:
    """Alpha float32 0-1 stretched to `size` as uint8."""
    return backend().upsample(alpha, size)  # type: ignore[no-any-return]


SMOOTH_CELLS = 1.6
"""Sigma in cells from which a stretched plate shows no grid."""

ROUGH_CELLS = 0.8
"""Sigma in cells that is enough for what only tints a rim."""


def cell_grid(sigma_px: float, cells: float = SMOOTH_CELLS) -> tuple[int, float]:
    """Cells to blur in: side of a cell in pixels, and sigma in cells.

    The side is the largest power of two at which the Gaussian still spans `cells` cells.
    What the cells and the stretching blur by themselves (variances of 1/12 and 1/6 cell)
    is taken off sigma.
    """
    reduce = 2
    while reduce < 16 and sigma_px / (2 * reduce) >= cells:
        reduce *= 2
    return reduce, _sigma_cells(sigma_px / reduce)


def _sigma_cells(sigma: float) -> float:
    return min(math.sqrt(max(sigma**2 - 0.25, 0.04)), 20.0)


DISC_CELLS = 4.6
"""Sigma in cells of a disc: its radius, twice that, spans enough of them to look round."""

DISC_GRID = 180
"""Cells of the shorter side, or up to twice as many; half as many where the disc is large.
Bright cells outshine others, so that their side is to be much the same part of a picture
of any size."""


def disc_grid(sigma_px: float, shorter_px: int) -> tuple[int, float]:
    """Cells to blur in by a disc: side in pixels, and sigma in cells, half its radius."""
    reduce = min(max(1 << (shorter_px // DISC_GRID).bit_length() >> 1, 2), 8)
    if sigma_px / (2 * reduce) >= DISC_CELLS:
        reduce *= 2
    return reduce, _sigma_cells(sigma_px / reduce)


def blur_plate(planes: Planes, format: PixelFormat, alpha: U8, sigma_px: float, bokeh: bool = False) -> Planes:
    """The room without the person, blurred: three full planes of reduced size. `bokeh`
    blurs by a disc of that standard deviation, in which lamps stay bright."""
    if bokeh:
        reduce, sigma = disc_grid(sigma_px, min(alpha.shape))
        return backend().bokeh_plate(planes, format, alpha, reduce, 2 * sigma)  # type: ignore[no-any-return]
    reduce, sigma = cell_grid(sigma_px)
    return backend().blur_plate(planes, format, alpha, reduce, sigma)  # type: ignore[no-any-return]


RIM_OF_HEIGHT = 0.012
"""How far, as part of the shorter side, colours at the rim are looked for: 9 pixels at
720p, somewhat more than the band in which the matte is neither 0 nor 1."""


def foreground(planes: Planes, format: PixelFormat, alpha: U8) -> Planes:
    """The person's estimated colour: the frame where alpha is 1, without room below."""
    reduce, sigma = cell_grid(RIM_OF_HEIGHT * min(alpha.shape), ROUGH_CELLS)
    return backend().foreground(planes, format, alpha, reduce, sigma)  # type: ignore[no-any-return]


def crop(plane: U8, left: int, top: int, side: int) -> U8:
    """A part of a plane, stretched to its size: `side` of each side from `left` and `top` on,
    all of 65536; side at least 32768, and inside the plane."""
    return backend().crop(plane, left, top, side)  # type: ignore[no-any-return]


WRAP_OF_HEIGHT = 0.015
"""Reach of wrapped light as part of the shorter side: 11 pixels at 720p."""


def composite(foreground: Planes, format: PixelFormat, alpha: U8, plate: Planes, light_wrap: float) -> Planes:
    """`foreground` over `plate` by `alpha` (uint8, frame size); the plate is stretched."""
    if light_wrap <= 0:
        return backend().composite(foreground, format, alpha, plate, None)  # type: ignore[no-any-return]
    reduce, sigma = cell_grid(WRAP_OF_HEIGHT * min(alpha.shape), ROUGH_CELLS)
    light = backend().wrap_map(plate, format, alpha, reduce, sigma, light_wrap)
    return backend().composite(foreground, format, alpha, plate, light)  # type: ignore[no-any-return]
