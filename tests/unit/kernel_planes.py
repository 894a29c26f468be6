"""Planes and people for the tests of the kernels."""

from __future__ import annotations

from itertools import product

import numpy as np
import numpy.typing as npt
import pytest

from livematte._frame import ColorMatrix, ColorRange, PixelFormat, Planes, Size, plane_sizes

U8 = npt.NDArray[np.uint8]

SIZE = Size(75, 43)
FULL = PixelFormat.I444
COLOURS = list(product(ColorMatrix, ColorRange))
every_format = pytest.mark.parametrize("format", PixelFormat)


def noisy(random: np.random.Generator, format: PixelFormat, size: Size = SIZE) -> Planes:
    sizes = plane_sizes(size, format)
    return tuple(random.integers(0, 256, (s.height, s.width), np.uint8) for s in sizes)  # type: ignore[return-value]


def flat(colour: tuple[int, int, int], format: PixelFormat, size: Size = SIZE) -> Planes:
    sizes = plane_sizes(size, format)
    return tuple(np.full((s.height, s.width), c, np.uint8) for s, c in zip(sizes, colour, strict=True))  # type: ignore[return-value]


def disc(size: Size, radius_px: float, rim_px: float = 0.0) -> U8:
    """A person in the middle: 255 inside, a linear rim `rim_px` wide around `radius_px`."""
    y, x = np.mgrid[: size.height, : size.width]
    beyond = np.hypot(x - size.width / 2, y - size.height / 2) - radius_px
    return (255 * np.clip(0.5 - beyond / max(rim_px, 1e-6), 0, 1)).round().astype(np.uint8)


def half(alpha: U8) -> U8:
    """Mean alpha of 2x2 pixels, by another route than the kernels'."""
    padded = np.pad(alpha, ((0, alpha.shape[0] & 1), (0, alpha.shape[1] & 1)), "edge").astype(float)
    mean = padded.reshape(padded.shape[0] // 2, 2, -1, 2).mean((1, 3))
    return np.floor(mean + 0.5).astype(np.uint8)


def same(a: Planes, b: Planes) -> bool:
    return all(np.array_equal(x, y) for x, y in zip(a, b, strict=True))
