"""Plates: what a kernel makes of the room, and of the person's own colour, beyond equality with the oracle."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

from livematte import kernels
from livematte._frame import ColorMatrix, ColorRange, PixelFormat, Planes, Size, plane_sizes
from livematte.effects.blur import sigma_px
from livematte.kernels import compiled

sys.path.insert(0, str(Path(__file__).parent))

from kernel_planes import FULL, SIZE, U8, disc, every_format, flat, half, noisy


@pytest.fixture
def random() -> np.random.Generator:
    return np.random.default_rng(7)


@every_format
@pytest.mark.parametrize("bokeh", [False, True])
@pytest.mark.parametrize("sigma", [1.0, 6.0, 40.0])
def test_the_blurred_room_has_nothing_of_the_person(format: PixelFormat, sigma: float, bokeh: bool) -> None:
    room, person = ((120,) * 3, (255, 0, 30)) if format is PixelFormat.RGB else ((120, 128, 128), (82, 16, 240))
    size = Size(321, 181)
    alpha = disc(size, 60.5)
    planes = [p.copy() for p in flat(room, format, size)]
    for plane, colour in zip(planes, person, strict=True):
        if plane.shape == alpha.shape:
            plane[alpha == 255] = colour
        else:  # a chroma sample is the person's where all its pixels are; mixed ones are not the kernel's to undo
            plane[half(alpha) == 255] = colour
    plate = kernels.blur_plate(tuple(planes), format, alpha, sigma, bokeh)  # type: ignore[arg-type]
    for plane, colour in zip(plate, room, strict=True):
        assert np.abs(plane.astype(int) - colour).max() <= 1


@pytest.mark.parametrize("format", [PixelFormat.I420, PixelFormat.I444])
@pytest.mark.parametrize("bokeh", [False, True])
def test_mixed_rims_hardly_tint_the_room(format: PixelFormat, bokeh: bool) -> None:
    """A rim of mixed pixels and shared chroma samples, as cameras make them."""
    size, colour = Size(640, 360), (ColorMatrix.BT709, ColorRange.LIMITED)
    alpha = disc(size, 120, 3)
    part = alpha[..., None] / 255
    rgb = (part * (255, 0, 30) + (1 - part) * 120).round().astype(np.uint8)
    room = kernels.rgb_to_planes(np.full_like(rgb, 120), FULL, *colour)
    planes = kernels.rgb_to_planes(rgb, format, *colour)
    plate = kernels.blur_plate(planes, format, alpha, sigma_px(size, 0.6), bokeh)
    shown = kernels.composite(room, FULL, alpha, plate, 0.0)  # over a grey person, so that only the plate tints
    for got, grey in zip(shown, room, strict=True):
        assert np.abs(got.astype(int) - grey).max() <= 2


@every_format
def test_without_a_person_the_plate_is_a_plain_blur(format: PixelFormat, random: np.random.Generator) -> None:
    size, sigma = Size(160, 96), 8.0
    planes = noisy(random, format, size)
    plate = kernels.blur_plate(planes, format, np.zeros(size[::-1], np.uint8), sigma)
    reduce, cells = kernels.cell_grid(sigma)
    k = np.arange(-np.ceil(3 * cells), np.ceil(3 * cells) + 1)
    kernel = np.exp(-(k**2) / (2 * cells**2))
    kernel /= kernel.sum()
    for plane, got in zip(planes, plate, strict=True):
        side = reduce * plane.shape[1] // size.width
        blurred = plane.reshape(plane.shape[0] // side, side, -1, side).mean((1, 3))
        for axis in (0, 1):
            edge = [(len(k) // 2,) * 2 if a == axis else (0, 0) for a in (0, 1)]
            padded = np.pad(blurred, edge, "edge")
            blurred = np.apply_along_axis(np.convolve, axis, padded, kernel, "valid")
        assert np.abs(got - blurred).max() < 1


@every_format
@pytest.mark.parametrize("bokeh", [False, True])
def test_a_picture_full_of_person_gives_a_grey_plate(
    format: PixelFormat, bokeh: bool, random: np.random.Generator
) -> None:
    plate = kernels.blur_plate(noisy(random, format), format, np.full(SIZE[::-1], 255, np.uint8), 6.0, bokeh)
    assert all((p == 128).all() for p in plate)


@pytest.mark.parametrize("strength", [0.1, 0.3, 0.6, 1.0])
@pytest.mark.parametrize("bokeh", [False, True])
def test_blur_looks_the_same_at_every_resolution(strength: float, bokeh: bool) -> None:
    spreads = []
    for size in (Size(640, 360), Size(1280, 720), Size(1920, 1080)):
        y = np.zeros(size[::-1], np.uint8)
        y[:, size.width // 2 :] = 140  # below what shines
        chroma = np.full((size.height // 2, size.width // 2), 128, np.uint8)
        nobody = np.zeros_like(y)
        plate = kernels.blur_plate((y, chroma, chroma), PixelFormat.I420, nobody, sigma_px(size, strength), bokeh)
        shown = kernels.composite((y, chroma, chroma), PixelFormat.I420, nobody, plate, 0.0)[0]
        rise = np.diff(shown[size.height // 2].astype(float))
        at = np.arange(rise.size)
        centre = (at * rise).sum() / rise.sum()
        spreads.append((((at - centre) ** 2 * rise).sum() / rise.sum()) ** 0.5 / size.height)
    assert spreads == pytest.approx([strength * 0.05] * 3, rel=0.1)


def lamp(size: Size, strength: float) -> U8:
    """Luma of a white lamp in a dark room, behind a lens."""
    y, x = np.mgrid[: size.height, : size.width]
    far = np.hypot(x + 0.5 - size.width / 2, y + 0.5 - size.height / 2) / size.height
    planes: Planes = (np.where(far < 0.01, 235, 40).astype(np.uint8), *flat((0, 128, 128), PixelFormat.I420, size)[1:])
    nobody = np.zeros(size[::-1], np.uint8)
    plate = kernels.blur_plate(planes, PixelFormat.I420, nobody, sigma_px(size, strength), True)
    return kernels.composite(planes, PixelFormat.I420, nobody, plate, 0.0)[0]


@pytest.mark.parametrize("strength", [0.3, 0.6, 1.0])
def test_a_lamp_becomes_an_even_disc_of_one_size_at_every_resolution(strength: float) -> None:
    for size in (Size(640, 360), Size(1280, 720), Size(1920, 1080)):
        shown = lamp(size, strength).astype(int)
        y, x = np.mgrid[: size.height, : size.width]
        far = np.hypot(x + 0.5 - size.width / 2, y + 0.5 - size.height / 2) / size.height
        radius = 2 * 0.05 * strength
        inside = shown[far < radius - 0.02]
        assert np.ptp(inside) <= 0.1 * (inside.min() - 40), "even inside"
        assert inside.min() - 40 > 5 * (235 - 40) * min((0.01 / radius) ** 2, 0.1), (
            "much more than a mean of code values"
        )
        assert (shown[far > radius + 0.03] == 40).all(), "nothing beyond it"
        lit = shown > (40 + inside.mean()) / 2
        assert np.sqrt(lit.sum() / np.pi) / size.height == pytest.approx(radius, abs=0.01)


@every_format
@pytest.mark.parametrize("radius", [0.4, 1.0, 1.7, 2.5, 3.2])
def test_a_disc_is_round_and_even(format: PixelFormat, radius: float) -> None:
    cells = Size(64, 64)
    grey = flat((60, 128, 128), format, Size(128, 128))
    spot = [p.copy() for p in grey]
    for plane in spot:
        middle = plane.shape[0] // 2
        plane[middle : middle + max(plane.shape[0] // 64, 1), middle : middle + max(plane.shape[0] // 64, 1)] = 140
    nobody = np.zeros((128, 128), np.uint8)
    before, after = (
        compiled.bokeh_plate(tuple(p), format, nobody, 2, radius)[0].astype(float)  # type: ignore[arg-type]
        for p in (grey, spot)
    )
    y, x = np.mgrid[: cells.height, : cells.width]
    far = np.hypot(x - 32, y - 32)
    risen = after - before
    assert (risen[far > radius + 1] == 0).all()
    inside = risen[far < radius - 1]
    assert np.abs(inside - 80 / (np.pi * radius**2)).max(initial=0) <= 1
    about = risen[1:, 1:]
    assert np.array_equal(about, about[::-1])
    assert np.array_equal(about, about[:, ::-1])


def test_cells_grow_with_the_blur() -> None:
    grids = [kernels.cell_grid(sigma) for sigma in np.linspace(0.1, 250, 500)]
    assert {reduce for reduce, _ in grids} == {2, 4, 8, 16}
    assert [reduce for reduce, _ in grids] == sorted(reduce for reduce, _ in grids)
    assert all(0 < sigma <= 20 for _, sigma in grids)


@every_format
def test_foreground_finds_the_persons_own_colour_at_the_rim(format: PixelFormat, random: np.random.Generator) -> None:
    size = Size(320, 240)
    alpha = disc(size, 70, 6)
    own = (200, 60, 50) if format is PixelFormat.RGB else (90, 100, 190)
    room = (30, 160, 220) if format is PixelFormat.RGB else (170, 160, 70)
    true, mixed = [], []
    for s, f, b in zip(plane_sizes(size, format), own, room, strict=True):
        a = (alpha if s == size else half(alpha)) / 255
        texture = random.normal(0, 4, (s.height, s.width))
        true.append(f + texture)
        mixed.append((a * (f + texture) + (1 - a) * b).round().astype(np.uint8))
    estimate = kernels.foreground(tuple(mixed), format, alpha)  # type: ignore[arg-type]
    for f, m, e in zip(true, mixed, estimate, strict=True):
        a = alpha if f.shape == alpha.shape else half(alpha)
        rim = (a > 0) & (a < 255)
        assert np.abs(e - f)[rim].mean() < 0.5 * np.abs(m - f)[rim].mean()
        assert np.array_equal(e[a == 255], m[a == 255]), "what is all person stays bit for bit"
