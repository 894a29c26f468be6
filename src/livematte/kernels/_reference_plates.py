# mypy: disable-error-code="no-any-return, return-value, assignment, arg-type"
"""Plates in plain NumPy, for `reference.py`: blurred, the person's colours, light, and the composite."""

from __future__ import annotations

from typing import Any

import numpy as np

from livematte._frame import F32, U8, PixelFormat, Planes, Size
from livematte.kernels._reference_planes import I32, _half, _stretch_u8, downscale, f32, luma


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
