# mypy: disable-error-code="no-any-return, return-value, assignment, arg-type"
"""Mattes in plain NumPy, for `reference.py`: over time, who stays, the room, edges."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from livematte._frame import F32, U8, PixelFormat, Planes, Size
from livematte.kernels._reference_planes import I16, I32, _stretch_i16, f32


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
