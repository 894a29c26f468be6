# ruff: noqa: D103  the package says what each function is for, docs/spec/kernels.md how
# mypy: disable-error-code="no-any-return, return-value, assignment, arg-type"
"""The kernels in plain NumPy: what the compiled ones must equal bit for bit.

Slow and short. Floats are float32 and are added in the order that `kernels/*.c` adds
them in. The page docs/spec/kernels.md says the same in words.
"""

from __future__ import annotations

from math import gcd
from typing import Any

import numpy as np
import numpy.typing as npt

from livematte._frame import F32, U8, ColorMatrix, ColorRange, PixelFormat, Planes, Size

I16 = npt.NDArray[np.int16]
I32 = npt.NDArray[np.int32]

VARIANT = "reference"
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


# --- matte ----------------------------------------------------------------------------------


def _somebody(alpha: F32) -> F32:
    """Alpha without what is a sixteenth of a code value, or NaN."""
    return np.where(alpha > f32(1 / 4096), alpha, f32(0))


STILL, NOISE, MOVES, FALLS, BEGINS = 0.1, 1.5, 12.0, 2.0, 4.0
OTHER, CUT_SHARE = 20.0, 4


def temporal(alpha: F32, luma: F32, before: F32, luma_before: F32, moved: F32) -> tuple[F32, F32]:
    change = np.abs(luma - luma_before)
    if np.count_nonzero(change > f32(OTHER)) > alpha.size // CUT_SHARE:
        return _somebody(alpha), np.full_like(alpha, BEGINS)
    height, width = alpha.shape
    wide = np.pad(change, 1, "edge")
    most = np.max([wide[y : y + height, x : x + width] for y in range(3) for x in range(3)], axis=0)
    rest = np.where(moved > 1, moved - f32(1), moved / (f32(1) + moved))
    change = np.minimum((most - f32(NOISE)) * f32(1 / MOVES), f32(1))
    motion = np.maximum(np.maximum(change, rest), f32(STILL))
    way = _somebody(alpha) - before
    part = np.minimum(np.where(way < 0, motion * f32(FALLS), motion), f32(1))
    return _somebody(before + way * part), motion


FAINT, NOBODY, FOLLOWED = 0.1, 1 / 4096, 0.25


def _spread(alpha: F32, labels: I32, queue: list[tuple[int, int]], next: int, least: float) -> None:
    """Let the queued pixels from `next` on take their free neighbours in."""
    height, width = alpha.shape
    while next < len(queue):
        y, x = queue[next]
        for near in ((y, x - 1), (y, x + 1), (y - 1, x), (y + 1, x)):
            inside = 0 <= near[0] < height and 0 <= near[1] < width
            if inside and labels[near] < 0 and alpha[near] > f32(least):
                labels[near] = labels[y, x]
                queue.append(near)
        next += 1


def who_stays(
    alpha: F32, before: tuple[F32, F32] | None, step: float, leave: float, enter: float
) -> tuple[F32, F32, F32]:
    labels = np.full(alpha.shape, -1, np.int32)
    queue: list[tuple[int, int]] = []
    parts: list[list[tuple[int, int]]] = []
    for seed in zip(*np.nonzero(alpha > f32(FAINT)), strict=True):
        if labels[seed] < 0:
            start = len(queue)
            labels[seed] = len(parts)
            queue.append(seed)
            _spread(alpha, labels, queue, start, FAINT)
            parts.append(queue[start:])
    sizes = [f32(0)] * len(parts)
    for k, pixels in enumerate(parts):
        for pixel in pixels:
            sizes[k] = f32(sizes[k] + alpha[pixel])
    known = before if before is not None and (before[1] > 0).any() else None
    largest = sizes.index(max(sizes)) if parts else -1
    seen, stays = [], []
    for k, pixels in enumerate(parts):
        follows = None if known is None else _followed(pixels, *known)
        share = f32(k == largest) if follows is None else follows
        limit = f32(f32(f32(enter) + f32(f32(f32(leave) - f32(enter)) * share)) * sizes[largest])
        seen.append(share)
        stays.append(sizes[k] >= limit)
    of = labels.astype(f32)
    _spread(alpha, labels, queue, 0, NOBODY)
    out, shown = np.zeros_like(alpha), np.zeros_like(alpha)
    for pixel in queue:
        k = labels[pixel]
        share = f32(stays[k])
        if known is not None:
            share = seen[k]
            if of[pixel] >= 0 and known[0][pixel] >= 0:
                share = min(share, known[1][pixel])
            share = f32(share + f32(step)) if stays[k] else f32(share - f32(step))
            share = min(max(share, f32(0)), f32(1))
        out[pixel] = alpha[pixel] * share
        shown[pixel] = share if of[pixel] >= 0 else 0
    return out, of, shown


def _followed(pixels: list[tuple[int, int]], of: F32, shown: F32) -> np.float32 | None:
    """How much was seen of the part that these pixels go on from; None if they are new."""
    under = [int(of[pixel]) for pixel in pixels]
    covered = {part: under.count(part) for part in set(under) if part >= 0}
    best = min(covered, key=lambda part: (-covered[part], part), default=-1)
    if best < 0 or f32(covered[best]) < f32(FOLLOWED) * f32(len(pixels)):
        return None
    return max(shown[pixel] for pixel, part in zip(pixels, under, strict=True) if part == best)


def zone(corners: F32, size: Size, inset_px: float, soft_px: float) -> F32:
    width, height = f32(size.width), f32(size.height)
    corners = corners * np.array((width, height))
    py, px = (axis.astype(f32) + f32(0.5) for axis in np.mgrid[: size.height, : size.width])
    most = f32(inset_px) + f32(soft_px)
    nearest = np.full(px.shape, most * most)
    inside = np.zeros(px.shape, np.bool_)
    for (ax, ay), (bx, by) in zip(corners, np.roll(corners, -1, 0), strict=True):
        if ay != by:
            inside ^= ((ay > py) != (by > py)) & (px < (bx - ax) * ((py - ay) / (by - ay)) + ax)
        if max(ax, bx) <= 0 or max(ay, by) <= 0 or min(ax, bx) >= width or min(ay, by) >= height:
            continue
        ex, ey, vx, vy = bx - ax, by - ay, px - ax, py - ay
        length = ex * ex + ey * ey
        t = np.clip((vx * ex + vy * ey) / length, f32(0), f32(1)) if length > 0 else f32(0)
        dx, dy = vx - t * ex, vy - t * ey
        nearest = np.minimum(nearest, dx * dx + dy * dy)
    deep = (np.sqrt(nearest) - f32(inset_px)) / f32(soft_px)
    return np.where(inside & (deep > 0), deep, f32(0))


SURE_ROOM, SURE_PERSON, STANDS, MOVED = 0.05, 0.99, 0.1, 0.25


def _code(values: F32) -> npt.NDArray[np.int64]:
    return (values * f32(255) + f32(0.5)).astype(np.int64)


def _around(plane: F32) -> list[F32]:
    """The 3x3 pixels about each, edges repeated."""
    height, width = plane.shape
    wide = np.pad(plane, 1, "edge")
    return [wide[y : y + height, x : x + width] for y in range(3) for x in range(3)]


def room(rgb: F32, room: F32, alpha: F32, before: float, step: float) -> tuple[F32, F32]:
    sure = alpha < f32(SURE_ROOM)
    n = int(sure.sum())
    if not n or f32(n) < f32(0.05) * f32(alpha.size):
        return alpha.copy(), np.zeros((1, 1), f32)
    difference = np.zeros_like(alpha)
    for c in range(3):
        gain, offset = _light(rgb[..., c][sure], room[..., c][sure])
        near = _around(room[..., c] * gain + offset)
        low, high = np.minimum.reduce(near), np.maximum.reduce(near)
        frame = rgb[..., c]
        far = np.where(frame > high, frame - high, np.where(frame < low, low - frame, f32(0)))
        difference = np.maximum(difference, far)
    a, b, c, d, e, f, g, h, i = _around(difference)
    mean = (((a + b) + c) + ((d + e) + f) + ((g + h) + i)) * f32(1 / 9)
    difference = _part((mean - f32(0.01)) * f32(f32(1) / f32(0.07)))
    moved = f32(_code(difference[sure]).sum()) / f32(255 * n)
    trust = _part((f32(MOVED) - moved) / (f32(MOVED) - f32(STANDS)))
    if before == 0 and moved > f32(STANDS):
        trust = f32(0)
    if before >= 0:
        trust = min(trust, f32(f32(before) + f32(step)))
    if trust == 0:
        return alpha.copy(), np.zeros((1, 1), f32)
    person = f32(2) * difference - f32(1)
    more = alpha + ((trust * _part((alpha - f32(SURE_ROOM)) * f32(20))) * person) * (f32(1) - alpha)
    less = alpha + ((trust * _part((f32(SURE_PERSON) - alpha) * f32(50))) * person) * alpha
    return np.where(person > 0, more, less), np.full((1, 1), trust, f32)


def _light(frame: F32, room: F32) -> tuple[np.float32, np.float32]:
    """Gain and offset from the room's colour to the frame's, by what differs little."""
    gain, offset, kept = f32(1), f32(0), np.ones(room.shape, np.bool_)
    for _ in range(3):
        n = int(kept.sum())
        if not n:
            break
        x, y = _code(room[kept]), _code(frame[kept])
        plain = n * n * 64
        above, below = (n * int((a * x).sum()) - int(a.sum()) * int(x.sum()) + plain for a in (y, x))
        gain = np.clip(f32(above) / f32(below), f32(0.5), f32(2))
        offset = (f32(y.sum()) - gain * f32(x.sum())) / f32(255 * n)
        far = np.abs(frame - (room * gain + offset))
        kept = far <= f32(1.5) * (f32(_code(far).sum()) / f32(255 * room.size))
    return gain, offset


def _part(values: Any) -> Any:
    return np.clip(values, f32(0), f32(1))


def _box(values: F32, radius: int) -> F32:
    height, width = values.shape
    padded = np.pad(values, radius, "edge")[:, radius : radius + width]
    rows = np.empty_like(values)
    total = values[0] * f32(radius + 1)
    for j in range(1, radius + 1):
        total = total + values[min(j, height - 1)]
    rows[0] = total
    for y in range(1, height):
        total = total + (padded[y + 2 * radius] - padded[y - 1])
        rows[y] = total
    wide = np.pad(rows, ((0, 0), (radius, radius)), "edge")
    out = wide[:, :width].copy()
    for k in range(1, 2 * radius + 1):
        out = out + wide[:, k : k + width]
    return out * f32(1 / f32((2 * radius + 1) ** 2))


STEEPEST, CHROMA = 4.0, 6.0
FROM_RGB = ((0.299, 0.587, 0.114), (-0.168736, -0.331264, 0.5), (0.5, -0.418688, -0.081312))


def _cells(values: F32, reduce: int) -> F32:
    if reduce == 1:
        return values
    rows = [values[y::2, 0::2] + values[y::2, 1::2] for y in (0, 1)]
    return (rows[0] + rows[1]) * f32(0.25)


def _guide(small: F32, format: PixelFormat) -> list[F32]:
    """Luma, and two colour differences that weigh more."""
    if format is PixelFormat.RGB:
        red, green, blue = (p * f32(1 / 255) for p in small)
        luma, u, v = ((red * f32(r) + green * f32(g)) + blue * f32(b) for r, g, b in FROM_RGB)
        return [luma, u * f32(CHROMA), v * f32(CHROMA)]
    chroma = f32(CHROMA) / f32(255)
    return [small[0] * f32(1 / 255), (small[1] - f32(128)) * chroma, (small[2] - f32(128)) * chroma]


def _fit(guide: list[F32], alpha: F32, radius: int, epsilon: np.float32) -> list[F32]:
    """Slopes and offset of the line through each window: (S + epsilon 1) k = covariance."""
    i, j, k = guide
    mean_p, (m0, m1, m2) = _box(alpha, radius), (_box(g, radius) for g in guide)
    c0, c1, c2 = (_box(g * alpha, radius) - m * mean_p for g, m in zip(guide, (m0, m1, m2), strict=True))
    s00, s01, s02 = _box(i * i, radius) - m0 * m0, _box(i * j, radius) - m0 * m1, _box(i * k, radius) - m0 * m2
    s11, s12, s22 = _box(j * j, radius) - m1 * m1, _box(j * k, radius) - m1 * m2, _box(k * k, radius) - m2 * m2
    r0 = f32(1) / np.maximum(s00 + epsilon, epsilon)
    l1, l2 = s01 * r0, s02 * r0
    r1 = f32(1) / np.maximum((s11 + epsilon) - l1 * s01, epsilon)
    e = s12 - l1 * s02
    l3 = e * r1
    r2 = f32(1) / np.maximum(((s22 + epsilon) - l2 * s02) - l3 * e, epsilon)
    c1 = c1 - l1 * c0
    c2 = (c2 - l2 * c0) - l3 * c1
    k2 = c2 * r2
    k1 = c1 * r1 - l3 * k2
    k0 = (c0 * r0 - l1 * k1) - l2 * k2
    k0, k1, k2 = (np.clip(slope, f32(-STEEPEST), f32(STEEPEST)) for slope in (k0, k1, k2))
    return [k0, k1, k2, mean_p - ((k0 * m0 + k1 * m1) + k2 * m2)]


def guided(small: F32, format: PixelFormat, alpha: F32, reduce: int, radius: int, epsilon: float, gain: float) -> I16:
    half, g = f32(0.5), f32(gain)
    sharp = np.clip((_somebody(alpha) - half) * g + half, f32(0), f32(1))
    guide = _guide(np.stack([_cells(p, reduce) for p in small]), format)
    k0, k1, k2, offset = (_box(c, (radius + 1) // 2) for c in _fit(guide, _cells(sharp, reduce), radius, f32(epsilon)))
    luma = g * f32(256 / 255)
    chroma = luma * f32(CHROMA)
    if format is PixelFormat.RGB:
        weights = zip(*(map(f32, row) for row in FROM_RGB), strict=True)
        slopes = [_whole((((k0 * luma) * y + (k1 * chroma) * u) + (k2 * chroma) * v) * f32(128)) for y, u, v in weights]
        offset = offset + k0 * f32(128 / 255)
    else:
        slopes = [_whole((k0 * luma) * f32(512)), _whole((k1 * chroma) * f32(128)), _whole((k2 * chroma) * f32(128))]
    return np.stack([*slopes, _whole(((offset - half) * g + half) * f32(512))])


def _whole(scaled: F32) -> I16:
    scaled = np.clip(scaled, f32(-8191), f32(8191))
    return np.trunc(scaled + np.where(scaled < 0, f32(-0.5), f32(0.5))).astype(np.int16)


def _twice(values: I32, axis: int) -> I32:
    """Two samples for each, a quarter of the way to the neighbours."""
    n = values.shape[axis]
    before, after = (values.take(np.clip(np.arange(n) + step, 0, n - 1), axis) for step in (-1, 1))
    pairs = [values + ((other - values + 2) >> 2) for other in (before, after)]
    return np.stack(pairs, axis + 1).reshape(2 * n, -1) if axis == 0 else np.stack(pairs, 2).reshape(len(values), -1)


def apply_guided(lines: I16, planes: Planes, format: PixelFormat) -> U8:
    height, width = planes[0].shape
    first = 0 if format is PixelFormat.RGB else 1
    tint = sum(
        _stretch_i16(slope, *plane.shape) * (plane.astype(np.int32) - 128)
        for slope, plane in zip(lines[first:3], planes[first:], strict=True)
    )
    tint = np.clip((tint + 16) >> 5, -16000, 16000)
    if format is PixelFormat.I420:
        tint = _twice(_twice(tint, 1), 0)[:height, :width]
    q10 = 2 * _stretch_i16(lines[3], height, width) + tint
    if first:
        q10 = q10 + ((4 * _stretch_i16(lines[0], height, width) * (planes[0].astype(np.int32) << 7)) >> 16)
    return _bytes(q10)


def _bytes(q10: I32) -> U8:
    return ((16 * (np.clip(q10, 0, 1024) + 2) * 1020) >> 16).astype(np.uint8)


def upsample(alpha: F32, size: Size) -> U8:
    known = np.where(alpha > 0, np.minimum(alpha, f32(1)), f32(0))  # NaN is nobody
    small = (known * f32(1024) + f32(0.5)).astype(np.int16)
    return _bytes(_stretch_i16(small, size.height, size.width))


# --- plates ---------------------------------------------------------------------------------


def _gauss(plane: F32, sigma: float) -> F32:
    radius = min(int(f32(3) * f32(sigma) + f32(0.999)), 63)
    k = np.arange(radius + 1, dtype=f32)
    taps = np.array([_exp(-(v * v) / (f32(2) * f32(sigma) * f32(sigma))) for v in k], f32)
    total = f32(0)
    for index, tap in enumerate(taps):
        total = f32(total + (f32(2) * tap if index else tap))
    taps = taps / total
    for axis in (1, 0):
        wide = np.pad(plane, [(radius, radius) if a == axis else (0, 0) for a in (0, 1)], "edge")
        out = plane * taps[0]
        n = plane.shape[axis]
        for step in range(1, radius + 1):
            before = wide.take(np.arange(radius - step, radius - step + n), axis)
            after = wide.take(np.arange(radius + step, radius + step + n), axis)
            out = out + (before + after) * taps[step]
        plane = out
    return plane


def _exp(x: np.float32) -> np.float32:
    if x < -80:
        return f32(0)
    y, term, part = f32(1), f32(1), f32(x / f32(64))
    for k in range(1, 12):
        term = f32(term * f32(part / f32(k)))
        y = f32(y + term)
    for _ in range(6):
        y = f32(y * y)
    return y


def _weights(alpha: U8, person: bool) -> I32:
    """0..15: 15 far on the wanted side of the matte, 0 from half on."""
    wide = alpha.astype(np.int32)
    return np.maximum(wide - 128 if person else 127 - wide, 0) >> 3


def _cell_sums(planes: Planes, format: PixelFormat, alpha: U8, person: bool, reduce: int) -> list[F32]:
    """Sums of weight x sample of the three planes, and of the weight, over cells."""
    height, width = alpha.shape
    weight = _weights(alpha, person)
    sums = []
    for plane in (*planes, np.ones_like(alpha)):
        wide = plane
        if plane.shape != alpha.shape:  # a chroma sample weighs as much as the pixels it colours
            wide = plane.repeat(2, 0).repeat(2, 1)[:height, :width]
        product = np.pad(wide * weight, ((0, -height % reduce), (0, -width % reduce)))
        cells = product.reshape(product.shape[0] // reduce, reduce, -1, reduce)
        sums.append(cells.sum((1, 3)).astype(f32))
    return sums


def _blurred(sums: list[F32], reduce: int, sigma: float) -> tuple[Planes, bool]:
    return _divide(sums, [_gauss(s, sigma) for s in sums], 15 * reduce * reduce)


def _divide(sums: list[F32], blurred: list[F32], full: int) -> tuple[Planes, bool]:
    """Colours from blurred sums; `full` is the weight of a cell wholly on its side."""
    totals = [float(s.sum(dtype=np.float64)) for s in sums]
    weight = blurred[3]
    faint = f32(1 / 1024) * f32(full)
    planes = []
    for plane, total in zip(blurred[:3], totals[:3], strict=True):
        mean = f32(total / totals[3]) if totals[3] > 0 else f32(128)
        planes.append(_to_bytes((plane + faint * mean) / (weight + faint)))
    return tuple(planes), totals[3] > 0


def _to_bytes(values: F32) -> U8:
    return (np.clip(values, f32(0), f32(255)) + f32(0.5)).astype(np.uint8)


def blur_plate(planes: Planes, format: PixelFormat, alpha: U8, reduce: int, sigma: float) -> Planes:
    return _blurred(_cell_sums(planes, format, alpha, False, reduce), reduce, sigma)[0]


FULL, GLARE, LARGEST_DISC = 32, 31, 32
DULL, WHITE = 150, 235


def bokeh_plate(planes: Planes, format: PixelFormat, alpha: U8, reduce: int, radius: float) -> Planes:
    sums = _outshine(_cell_sums(planes, format, alpha, False, reduce), format, reduce)
    spans = _chords(min(radius, LARGEST_DISC))
    return _divide(sums, [_disc_mean(s, spans) for s in sums], FULL)[0]


def _outshine(sums: list[F32], format: PixelFormat, reduce: int) -> list[F32]:
    """Sums as small whole numbers: weight x mean colour, and the weight, in which bright cells count more."""
    weight = sums[3]
    each = np.divide(f32(1), weight, out=np.zeros_like(weight), where=weight > 0)
    colours = [s * each for s in sums[:3]]
    light = colours[0]
    if format is PixelFormat.RGB:
        light = ((f32(77) * colours[0] + f32(150) * colours[1]) + f32(29) * colours[2]) * f32(1 / 256)
    bright = np.clip((light - f32(DULL)) * (f32(1) / f32(WHITE - DULL)), f32(0), f32(1))
    weight = weight * (f32(FULL) / f32(15 * reduce * reduce)) * (f32(1) + f32(GLARE) * (bright * bright))
    weight = np.floor(weight + f32(0.5))
    return [*(np.floor(weight * c + f32(0.5)) for c in colours), weight]


def _chords(radius: float) -> list[int]:
    """Half of a disc's chord through each row of cells from the middle down, in halves of a cell."""
    halves: list[int] = []
    for y in range(LARGEST_DISC + 1):
        at = f32(y) + np.array((-3, -1, 1, 3), f32) * f32(0.125)
        chords = np.sqrt(np.maximum(f32(radius) * f32(radius) - at * at, f32(0)))
        total = f32(0)
        for chord in chords:
            total = f32(total + chord)
        half = max(int(total * f32(0.5) + f32(0.5)), int(y == 0))
        if not half:
            break
        halves.append(half)
    return halves


def _disc_mean(plane: F32, halves: list[int]) -> F32:
    height, width = plane.shape
    rows, pad = len(halves) - 1, halves[0] // 2 + 2
    wide = np.pad(plane.astype(np.int64), ((rows, rows), (pad, pad)), "edge")
    until = np.zeros((wide.shape[0], 2 * wide.shape[1] + 1), np.int64)  # running sums, in halves of a cell
    until[:, 1:] = wide.repeat(2, 1).cumsum(1)
    total = np.zeros((height, width), np.int64)
    for y in range(-rows, rows + 1):
        middle = 2 * (np.arange(width) + pad) + 1
        row = until[rows + y : rows + y + height]
        total += row[:, middle + halves[abs(y)]] - row[:, middle - halves[abs(y)]]
    area = 2 * halves[0] + 4 * sum(halves[1:])
    return total.astype(f32) * (f32(1) / f32(area))


UNSEEN = 128


def foreground(planes: Planes, format: PixelFormat, alpha: U8, reduce: int, sigma: float) -> Planes:
    room, _ = _blurred(_cell_sums(planes, format, alpha, False, reduce), reduce, sigma)
    person, anybody = _blurred(_cell_sums(planes, format, alpha, True, reduce), reduce, sigma)
    if not anybody:
        return tuple(p.copy() for p in planes)
    out = []
    for mixed, person_plane, room_plane in zip(planes, person, room, strict=True):
        f, b = (_stretch_u8(p, *mixed.shape).astype(np.int32) for p in (person_plane, room_plane))
        a = _plane_alpha(alpha, mixed).astype(np.int32)
        expected = _div255(f * a + b * (255 - a))
        detail = ((mixed.astype(np.int32) - expected) * a * 257 + 32768) >> 16
        out.append(np.where(a > 0, np.clip(f + detail, 0, 255), UNSEEN).astype(np.uint8))
    return tuple(out)


def _plane_alpha(alpha: U8, plane: U8) -> U8:
    return alpha if plane.shape == alpha.shape else _half(alpha)


def _div255(values: Any) -> Any:
    values = values + 128
    return (values + (values >> 8)) >> 8


def wrap_map(
    plate: Planes, format: PixelFormat, alpha: U8, reduce: int, sigma: float, strength: float
) -> tuple[Planes, U8]:
    height, width = alpha.shape
    cells = Size(-(-width // reduce), -(-height // reduce))
    light: Planes = tuple(_to_bytes(_gauss(downscale(p, cells), sigma)) for p in plate)
    soft = _gauss(downscale(alpha, cells), sigma)
    bright = (luma(light) if format is PixelFormat.RGB else light[0]).astype(f32) * f32(1 / 255)
    return light, _to_bytes((f32(strength) * (f32(255) - soft)) * bright)


def composite(
    foreground: Planes, format: PixelFormat, alpha: U8, plate: Planes, light: tuple[Planes, U8] | None
) -> Planes:
    out = []
    for index, (own, behind) in enumerate(zip(foreground, plate, strict=True)):
        f = own.astype(np.int32)
        b = _stretch_u8(behind, *own.shape).astype(np.int32)
        a = _plane_alpha(alpha, own).astype(np.int32)
        if light is not None:
            glow = _stretch_u8(light[0][index], *own.shape).astype(np.int32)
            part = _div255(_stretch_u8(light[1], *own.shape).astype(np.int32) * a)
            if index and format is not PixelFormat.RGB:
                f = _div255(glow * part + f * (255 - part))
            else:
                f = f + _div255(np.maximum(glow - f, 0) * part)
        out.append(_div255(f * a + b * (255 - a)).astype(np.uint8))
    return tuple(out)
