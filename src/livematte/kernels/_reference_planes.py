# mypy: disable-error-code="no-any-return, return-value, assignment, arg-type"
"""Planes in plain NumPy, for `reference.py`: colour, smaller, larger, brighter."""

from __future__ import annotations

from math import gcd

import numpy as np
import numpy.typing as npt

from livematte._frame import F32, U8, ColorMatrix, ColorRange, PixelFormat, Planes, Size

I16 = npt.NDArray[np.int16]
I32 = npt.NDArray[np.int32]

f32 = np.float32

# --- colour -----------------------------------------------------------------------------

KR_KB = {ColorMatrix.BT601: (0.299, 0.114), ColorMatrix.BT709: (0.2126, 0.0722)}
"""Weights of red and blue in luma (BT.601-7 section 2.5.1, BT.709-6 section 3)."""


def _steps(range: ColorRange) -> tuple[int, float, float]:
    """Black, steps of luma and of chroma."""
    return (16, 219.0, 224.0) if range is ColorRange.LIMITED else (0, 255.0, 255.0)


def rgb_to_planes(rgb: U8, format: PixelFormat, matrix: ColorMatrix, range: ColorRange) -> Planes:
    if format is PixelFormat.RGB:
        return tuple(np.ascontiguousarray(rgb[..., c]) for c in (0, 1, 2))
    kr, kb = KR_KB[matrix]
    black, luma_steps, chroma_steps = _steps(range)
    luma, chroma = luma_steps / 255 * 32768, chroma_steps / 255 * 32768
    yr, yb = round(kr * luma), round(kb * luma)
    yg = round(luma) - yr - yb
    ur, ub = round(-kr / (2 * (1 - kb)) * chroma), round(0.5 * chroma)
    vb, vr = round(-kb / (2 * (1 - kr)) * chroma), round(0.5 * chroma)
    red, green, blue = (rgb[..., c].astype(np.int32) for c in (0, 1, 2))
    y = black + ((yr * red + yg * green + yb * blue + (1 << 14)) >> 15)
    if format is PixelFormat.I420:
        red, green, blue = (_sum_2x2(c) for c in (red, green, blue))
    else:
        red, green, blue = 4 * red, 4 * green, 4 * blue
    u = 128 + ((ur * red + (-ur - ub) * green + ub * blue + (1 << 16)) >> 17)
    v = 128 + ((vr * red + (-vr - vb) * green + vb * blue + (1 << 16)) >> 17)
    return tuple(np.clip(p, 0, 255).astype(np.uint8) for p in (y, u, v))


def rgba_to_planes(rgba: U8, bgra: bool, format: PixelFormat, matrix: ColorMatrix, range: ColorRange) -> Planes:
    """RGBA or BGRA (h, w, 4) as three planes; alpha is dropped."""
    order = (2, 1, 0) if bgra else (0, 1, 2)
    return rgb_to_planes(rgba[..., order], format, matrix, range)


def split_chroma(uv: U8) -> tuple[U8, U8]:
    """The two planes of NV12's pairs (h, 2w)."""
    return np.ascontiguousarray(uv[:, ::2]), np.ascontiguousarray(uv[:, 1::2])


def halve(plane: U8) -> U8:
    """A plane of half the sides: means of 2x2 samples."""
    return ((_sum_2x2(plane.astype(np.int32)) + 2) >> 2).astype(np.uint8)


def _sum_2x2(plane: I32) -> I32:
    """Sums of 2x2 pixels; a border pixel stands in for its missing neighbour."""
    height, width = plane.shape
    padded = np.pad(plane, ((0, height & 1), (0, width & 1)), "edge")
    return padded[::2, ::2] + padded[::2, 1::2] + padded[1::2, ::2] + padded[1::2, 1::2]


def planes_to_rgb(planes: Planes, format: PixelFormat, matrix: ColorMatrix, range: ColorRange) -> U8:
    if format is PixelFormat.RGB:
        return np.dstack(planes)
    kr, kb = KR_KB[matrix]
    black, luma_steps, chroma_steps = _steps(range)
    luma, chroma = 255 / luma_steps * 16384, 255 / chroma_steps * 16384
    kg = 1 - kr - kb
    height, width = planes[0].shape
    y, u, v = (p.astype(np.int32) for p in planes)
    if format is PixelFormat.I420:
        u, v = (p.repeat(2, 0).repeat(2, 1)[:height, :width] for p in (u, v))
    y, u, v = (y - black) * round(luma) + (1 << 13), u - 128, v - 128
    red = y + round(2 * (1 - kr) * chroma) * v
    green = y + round(-2 * kb * (1 - kb) / kg * chroma) * u + round(-2 * kr * (1 - kr) / kg * chroma) * v
    blue = y + round(2 * (1 - kb) * chroma) * u
    return np.clip(np.dstack((red, green, blue)) >> 14, 0, 255).astype(np.uint8)


def luma(planes: Planes) -> U8:
    red, green, blue = (p.astype(np.int32) for p in planes)
    return ((77 * red + 150 * green + 29 * blue + 128) >> 8).astype(np.uint8)


def relight(
    planes: Planes, format: PixelFormat, matrix: ColorMatrix, range: ColorRange, gains: tuple[int, int, int]
) -> Planes:
    """R, G and B times gains in Q12."""
    if format is PixelFormat.RGB:
        return tuple(_byte((p.astype(np.int32) * g + 2048) >> 12) for p, g in zip(planes, gains, strict=True))
    kr, kb = KR_KB[matrix]
    black, luma_steps, chroma_steps = _steps(range)
    kg = 1 - kr - kb
    forward, back = luma_steps / 255 * 32768, chroma_steps / 255 * 32768
    yr, yb = round(kr * forward), round(kb * forward)
    ur, ub = round(-kr / (2 * (1 - kb)) * back), round(0.5 * back)
    vb, vr = round(-kb / (2 * (1 - kr)) * back), round(0.5 * back)
    rows = ((yr, round(forward) - yr - yb, yb), (ur, -ur - ub, ub), (vr, -vr - vb, vb))
    level, chroma = round(255 / luma_steps * 16384), 255 / chroma_steps * 16384
    rv, bu = round(2 * (1 - kr) * chroma), round(2 * (1 - kb) * chroma)
    gu, gv = round(-2 * kb * (1 - kb) / kg * chroma), round(-2 * kr * (1 - kr) / kg * chroma)
    columns = ((level,) * 3, (0, gu, bu), (rv, gv, 0))
    m = [
        [(sum(a * g * b for a, g, b in zip(row, gains, column, strict=True)) + (1 << 28)) >> 29 for column in columns]
        for row in rows
    ]
    height, width = planes[0].shape
    y, u, v = (p.astype(np.int32) for p in planes)
    u, v = u - 128, v - 128
    wide_u, wide_v, mean = u, v, y
    if format is PixelFormat.I420:
        wide_u, wide_v = (p.repeat(2, 0).repeat(2, 1)[:height, :width] for p in (u, v))
        mean = (_sum_2x2(y) + 2) >> 2
    luma = black + ((m[0][0] * (y - black) + m[0][1] * wide_u + m[0][2] * wide_v + 2048) >> 12)
    rest = (128 + ((a * (mean - black) + b * u + c * v + 2048) >> 12) for a, b, c in m[1:])
    return tuple(map(_byte, (luma, *rest)))


def _byte(values: I32) -> U8:
    return np.clip(values, 0, 255).astype(np.uint8)


# --- downscale ----------------------------------------------------------------------------


def _coverage(source: int, cells: int) -> tuple[npt.NDArray[np.int64], int]:
    """How much of each source sample (columns) lies in each cell (rows), in units of
    which a cell holds the second result."""
    g = gcd(source, cells)
    span, cell = source // g, cells // g
    low = np.maximum(np.arange(cells)[:, None] * span, np.arange(source)[None] * cell)
    high = np.minimum((np.arange(cells)[:, None] + 1) * span, (np.arange(source)[None] + 1) * cell)
    return np.maximum(high - low, 0).astype(np.int64), span


def downscale(plane: U8, size: Size) -> F32:
    rows, row_units = _coverage(plane.shape[0], size.height)
    columns, column_units = _coverage(plane.shape[1], size.width)
    total = rows @ plane.astype(np.int64) @ columns.T
    return total.astype(f32) * f32(1 / (row_units * column_units))


def downscale_rgb(
    planes: Planes, format: PixelFormat, matrix: ColorMatrix, range: ColorRange, size: Size, planar: bool
) -> tuple[F32, F32]:
    a, b, c = (downscale(p, size) for p in planes)
    if format is PixelFormat.RGB:
        channels = [p * f32(1 / 255) for p in (a, b, c)]
    else:
        kr, kb = KR_KB[matrix]
        kg = 1 - kr - kb
        black, luma_steps, chroma_steps = _steps(range)
        y, u, v = (a - f32(black)) * f32(1 / luma_steps), b - f32(128), c - f32(128)
        rv, bu = 2 * (1 - kr) / chroma_steps, 2 * (1 - kb) / chroma_steps
        gu, gv = -2 * kb * (1 - kb) / kg / chroma_steps, -2 * kr * (1 - kr) / kg / chroma_steps
        channels = [y + v * f32(rv), (y + u * f32(gu)) + v * f32(gv), y + u * f32(bu)]
        channels = [np.clip(channel, f32(0), f32(1)) for channel in channels]
    return np.stack(channels, 0 if planar else 2), np.stack((a, b, c))


# --- stretching -----------------------------------------------------------------------------


def _positions(source: int, to: int) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Left neighbour and the part of the way to the next (0..65535) of each sample."""
    step = (source << 16) // to
    at = np.clip(step // 2 - 32768 + np.arange(to, dtype=np.int64) * step, 0, (source - 1) << 16)
    return at >> 16, at & 0xFFFF


def crop(plane: U8, left: int, top: int, side: int) -> U8:
    values = plane.astype(np.int64)
    for axis, start in ((1, left), (0, top)):
        n = plane.shape[axis]
        at = np.clip(start * n + side // 2 - 32768 + np.arange(n, dtype=np.int64) * side, 0, (n - 1) << 16)
        part = np.expand_dims((at & 0xFFFF) >> 8, 1 - axis)
        after = np.minimum((at >> 16) + 1, n - 1)
        values = (values.take(at >> 16, axis) * (256 - part) + values.take(after, axis) * part + 128) >> 8
    return values.astype(np.uint8)


def _stretch_u8(plane: U8, height: int, width: int) -> U8:
    """Along rows, then down columns, rounding each time; nothing if the size is right."""
    if plane.shape == (height, width):
        return plane
    values = plane.astype(np.int64)
    for axis, to in ((1, width), (0, height)):
        at, part = _positions(values.shape[axis], to)
        part = np.expand_dims(part >> 8, 1 - axis)
        after = np.minimum(at + 1, values.shape[axis] - 1)
        values = (values.take(at, axis) * (256 - part) + values.take(after, axis) * part + 128) >> 8
    return values.astype(np.uint8)


def _stretch_i16(values: I16, height: int, width: int) -> I32:
    if values.shape == (height, width):
        return values.astype(np.int32)
    wide = values.astype(np.int32)
    for axis, to in ((1, width), (0, height)):
        at, part = _positions(wide.shape[axis], to)
        part = np.expand_dims(part >> 1, 1 - axis)
        after = np.minimum(at + 1, wide.shape[axis] - 1)
        first = wide.take(at, axis)
        wide = (first + ((2 * (wide.take(after, axis) - first) * part) >> 16)).astype(np.int32)
    return wide


def _half(alpha: U8) -> U8:
    return ((_sum_2x2(alpha.astype(np.int32)) + 2) >> 2).astype(np.uint8)


# --- light ----------------------------------------------------------------------------------


def gain(rgb: F32, planar: bool) -> F32:
    red, green, blue = rgb.reshape(3, -1) if planar else rgb.reshape(-1, 3).T
    luma = (red * f32(77) + green * f32(150)) + blue * f32(29)
    codes = np.clip((luma * f32(255 / 256) + f32(0.5)).astype(np.int32), 0, 255)
    enough = np.cumsum(np.bincount(codes, minlength=256)).astype(f32) >= f32(0.95) * f32(codes.size)
    bright = f32(f32(0.6) * f32(255)) / f32(max(int(np.argmax(enough)), 1))
    return np.full((1, 1), np.clip(bright, f32(1), f32(4)), f32)
