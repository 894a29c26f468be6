"""What golden vectors are made of: integers alone, so that no generator of another NumPy changes them."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from livematte._frame import ColorMatrix, ColorRange, PixelFormat, Planes, Size, plane_sizes

LAYOUTS = (PixelFormat.I420, PixelFormat.I444, PixelFormat.RGB)
COLOURS = tuple((matrix, range_) for matrix in ColorMatrix for range_ in ColorRange)
"""In the order of enum lm_colour."""

Array = npt.NDArray[Any]
Given = dict[str, list[Array]]

Case = tuple[str, str, dict[str, Any], Given]
"""Kernel, what is odd about the case, arguments, arrays."""

TINY = (Size(1, 1), Size(2, 2), Size(3, 5), Size(7, 1), Size(1, 6))
SMALL, ODD, WIDE = Size(16, 10), Size(51, 27), Size(300, 2)
"""WIDE fills the longest vectors several times over and leaves a rest."""


def noise(height: int, width: int, seed: int) -> npt.NDArray[np.uint8]:
    """White noise 0-255, from an integer hash (the finaliser of MurmurHash3)."""
    v = np.arange(height * width, dtype=np.uint64) + np.uint64(seed * 0x9E3779B1)
    for shift, factor in ((16, 0x85EBCA6B), (13, 0xC2B2AE35), (16, 1)):
        v = ((v ^ (v >> np.uint64(shift))) * np.uint64(factor)) & np.uint64(0xFFFFFFFF)
    return (v >> np.uint64(24)).astype(np.uint8).reshape(height, width)


def picture(height: int, width: int, seed: int) -> npt.NDArray[np.uint8]:
    """A ramp, a block and a little noise: what planes of a video look like."""
    y, x = np.mgrid[:height, :width]
    ramp = (200 * x // max(width, 2) + 90 * y // max(height, 2) + 40 * seed) % 256
    block = (x > width // 3) & (x < 2 * width // 3) & (y > height // 4)
    level = np.where(block, 255 - ramp, ramp) + (noise(height, width, seed).astype(np.int64) >> 4)
    return np.clip(level, 0, 255).astype(np.uint8)


def planes_of(size: Size, layout: PixelFormat, seed: int = 1, wild: bool = False) -> Planes:
    make = noise if wild else picture
    return tuple(make(s.height, s.width, seed + k) for k, s in enumerate(plane_sizes(size, layout)))  # type: ignore[return-value]


def person(height: int, width: int) -> npt.NDArray[np.uint8]:
    """An ellipse of 255 with a soft rim in 0, uint8; single pixels have 128."""
    y, x = np.mgrid[:height, :width]
    far = (400 * (2 * x - width + 1) ** 2) // width**2 + (300 * (2 * y - height + 1) ** 2) // height**2
    return np.clip(128 + (120 - far) * (1 if min(height, width) == 1 else 3), 0, 255).astype(np.uint8)


def unit(values: Array) -> npt.NDArray[np.float32]:
    """Bytes as float32 in 0-1."""
    return values.astype(np.float32) / np.float32(255)


def padded(array: Array, padding: int = 5) -> Array:
    """The same samples with rubbish between the rows."""
    height, width = array.shape
    wide = np.full((height, width + padding), 0xA5, array.dtype)
    wide[:, :width] = array
    return wide[:, :width]


def every_padded(planes: Planes) -> list[Array]:
    return [padded(p, 5 + 2 * k) for k, p in enumerate(planes)]
