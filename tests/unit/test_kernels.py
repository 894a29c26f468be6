"""What the kernels are for, beyond equality with their oracle (that is tests/golden)."""

from __future__ import annotations

import importlib.util
import shutil
from concurrent.futures import ThreadPoolExecutor
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from livematte import kernels
from livematte._errors import LoadError, OptionError
from livematte._frame import ColorMatrix, ColorRange, PixelFormat, Planes, Size, plane_sizes
from livematte.effects.blur import sigma_px
from livematte.kernels import compiled, reference

U8 = npt.NDArray[np.uint8]

SIZE = Size(75, 43)
FULL = PixelFormat.I444
COLOURS = list(product(ColorMatrix, ColorRange))
every_format = pytest.mark.parametrize("format", PixelFormat)


@pytest.fixture
def random() -> np.random.Generator:
    return np.random.default_rng(7)


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


# --- composite ---------------------------------------------------------------------------------


@every_format
@pytest.mark.parametrize("light_wrap", [0.0, 1.0])
def test_alpha_0_is_the_plate_bit_for_bit(format: PixelFormat, light_wrap: float, random: np.random.Generator) -> None:
    person, plate = noisy(random, format), noisy(random, format)
    nobody = np.zeros(SIZE[::-1], np.uint8)
    assert same(kernels.composite(person, format, nobody, plate, light_wrap), plate)


@every_format
def test_alpha_255_is_the_foreground_bit_for_bit(format: PixelFormat, random: np.random.Generator) -> None:
    person, plate = noisy(random, format), noisy(random, format)
    everybody = np.full(SIZE[::-1], 255, np.uint8)
    assert same(kernels.composite(person, format, everybody, plate, 0.0), person)


@every_format
@pytest.mark.parametrize("colour", [(0, 0, 0), (1, 254, 3), (255, 255, 255)])
def test_equal_colours_reproduce(
    format: PixelFormat, colour: tuple[int, int, int], random: np.random.Generator
) -> None:
    alpha = random.integers(0, 256, SIZE[::-1], np.uint8)
    small = PixelFormat.RGB if format is PixelFormat.RGB else FULL
    out = kernels.composite(flat(colour, format), format, alpha, flat(colour, small, Size(5, 3)), 0.0)
    assert same(out, flat(colour, format))


@every_format
def test_composite_is_the_rounded_mean_by_alpha(format: PixelFormat, random: np.random.Generator) -> None:
    person, plate = noisy(random, format), noisy(random, format)
    alpha = random.integers(0, 256, SIZE[::-1], np.uint8)
    out = kernels.composite(person, format, alpha, plate, 0.0)
    for f, b, o in zip(person, plate, out, strict=True):
        a = (alpha if f.shape == alpha.shape else half(alpha)) / 255
        assert np.array_equal(o, np.floor(a * f + (1 - a) * b + 0.5))


@every_format
def test_wrapped_light_only_brightens_the_rim(format: PixelFormat) -> None:
    grey = (60, 60, 60) if format is PixelFormat.RGB else (60, 128, 128)
    bright = (240, 240, 240) if format is PixelFormat.RGB else (235, 128, 128)
    size = Size(320, 240)
    alpha = disc(size, 90, 4)
    person = flat(grey, format, size)
    plain, wrapped = (kernels.composite(person, format, alpha, flat(bright, format, size), w)[0] for w in (0.0, 0.8))
    assert (wrapped >= plain).all()
    assert (wrapped > plain).any()
    assert np.array_equal(wrapped[alpha == 0], plain[alpha == 0])
    deep = disc(size, 60) == 255
    assert np.array_equal(wrapped[deep], plain[deep])
    dark = (0, 0, 0) if format is PixelFormat.RGB else (0, 128, 128)
    without, with_ = (kernels.composite(person, format, alpha, flat(dark, format, size), w) for w in (0.0, 0.8))
    assert same(without, with_), "a black room gives no light"


# --- downscale and colour ------------------------------------------------------------------------


@pytest.mark.parametrize("to", [Size(1, 1), Size(25, 43), Size(16, 9), Size(75, 43), Size(200, 90)])
def test_downscale_keeps_the_mean(to: Size, random: np.random.Generator) -> None:
    plane = noisy(random, FULL)[0]
    small = kernels.downscale(plane, to)
    assert small.shape == (to.height, to.width)
    assert small.mean(dtype=np.float64) == pytest.approx(plane.mean(), abs=1e-4)
    assert np.abs(kernels.downscale(np.full_like(plane, 93), to) - 93).max() < 1e-4


def test_downscale_by_whole_factors_is_a_block_mean(random: np.random.Generator) -> None:
    plane = noisy(random, FULL, Size(60, 36))[0]
    blocks = plane.reshape(9, 4, 12, 5).mean((1, 3))
    assert kernels.downscale(plane, Size(12, 9)) == pytest.approx(blocks, abs=1e-4)


@every_format
@pytest.mark.parametrize(("matrix", "range"), COLOURS)
def test_the_small_picture_is_the_mean_of_the_large_one(
    format: PixelFormat, matrix: ColorMatrix, range: ColorRange, random: np.random.Generator
) -> None:
    rgb = np.repeat(np.repeat(random.integers(30, 226, (9, 16, 3), np.uint8), 4, 0), 4, 1)
    planes = kernels.rgb_to_planes(rgb, format, matrix, range)
    small, parts = kernels.downscale_rgb(planes, format, matrix, range, Size(16, 9), False)
    assert np.abs(small * 255 - rgb[::4, ::4]).max() < 2.5
    planar, _ = kernels.downscale_rgb(planes, format, matrix, range, Size(16, 9), True)
    assert np.array_equal(planar.transpose(1, 2, 0), small)
    for part, plane in zip(parts, planes, strict=True):
        assert np.array_equal(part, kernels.downscale(plane, Size(16, 9)))


@pytest.mark.parametrize(("matrix", "range"), COLOURS)
def test_colours_follow_the_standards(matrix: ColorMatrix, range: ColorRange, random: np.random.Generator) -> None:
    rgb = random.integers(0, 256, (43, 75, 3), np.uint8)
    kr, kb = {ColorMatrix.BT601: (0.299, 0.114), ColorMatrix.BT709: (0.2126, 0.0722)}[matrix]
    red, green, blue = np.moveaxis(rgb / 255, 2, 0)
    luma = kr * red + (1 - kr - kb) * green + kb * blue
    u, v = (blue - luma) / (2 * (1 - kb)), (red - luma) / (2 * (1 - kr))
    limited = range is ColorRange.LIMITED
    expected = (
        (16 + 219 * luma, 128 + 224 * u, 128 + 224 * v) if limited else (255 * luma, 128 + 255 * u, 128 + 255 * v)
    )
    planes = kernels.rgb_to_planes(rgb, FULL, matrix, range)
    for got, ideal in zip(planes, expected, strict=True):
        assert np.abs(got - np.clip(ideal, 0, 255)).max() < 0.51
    back = kernels.planes_to_rgb(planes, FULL, matrix, range).astype(int)
    assert np.abs(back - rgb).max() <= (3 if limited else 2)


@pytest.mark.parametrize(("matrix", "range"), COLOURS)
@pytest.mark.parametrize("format", [PixelFormat.I420, PixelFormat.I444])
def test_grey_stays_grey(format: PixelFormat, matrix: ColorMatrix, range: ColorRange) -> None:
    grey = np.repeat(np.arange(256, dtype=np.uint8)[None, :, None], 3, 2)
    y, u, v = kernels.rgb_to_planes(grey, format, matrix, range)
    assert (u == 128).all()
    assert (v == 128).all()
    assert (y[0, 0], y[0, -1]) == ((16, 235) if range is ColorRange.LIMITED else (0, 255))
    assert np.abs(kernels.planes_to_rgb((y, u, v), format, matrix, range).astype(int) - grey).max() <= 1


# --- plates ------------------------------------------------------------------------------------


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


# --- memory, threads, choice of a build ------------------------------------------------------------


@every_format
def test_padded_and_flipped_rows_change_nothing(format: PixelFormat, random: np.random.Generator) -> None:
    planes = noisy(random, format)
    upside_down: Any = tuple(p[::-1].copy()[::-1] for p in planes)
    wide: Any = tuple(np.pad(p, ((0, 0), (3, 8)))[:, 3:-8] for p in planes)
    alpha = disc(SIZE, 15, 6)
    colour = (ColorMatrix.BT709, ColorRange.LIMITED)
    for other in (upside_down, wide):
        assert np.array_equal(
            kernels.planes_to_rgb(planes, format, *colour), kernels.planes_to_rgb(other, format, *colour)
        )
        assert same(kernels.blur_plate(planes, format, alpha, 5.0), kernels.blur_plate(other, format, alpha, 5.0))
        assert same(kernels.foreground(planes, format, alpha), kernels.foreground(other, format, alpha))
        assert same(
            kernels.composite(planes, format, alpha, planes, 0.5), kernels.composite(other, format, alpha, other, 0.5)
        )


def test_threads_do_not_disturb_each_other(random: np.random.Generator) -> None:
    jobs = []
    for width in (64, 75, 130, 200):  # scratch of several sizes
        size = Size(width, 90)
        jobs.append((noisy(random, PixelFormat.I420, size), disc(size, 25, 6)))

    def work(job: tuple[Planes, U8]) -> list[bytes]:
        planes, alpha = job
        plate = kernels.blur_plate(planes, PixelFormat.I420, alpha, 9.0)
        own = kernels.foreground(planes, PixelFormat.I420, alpha)
        out = kernels.composite(own, PixelFormat.I420, alpha, plate, 0.5)
        return [p.tobytes() for p in (*plate, *own, *out)]

    alone = [work(job) for job in jobs]
    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(work, jobs * 20)) == alone * 20


def test_results_stay_as_they_are_while_anything_holds_them(random: np.random.Generator) -> None:
    """Memory may be lent again, but not while a view of a result is alive."""
    size = Size(640, 360)  # planes large enough to be worth keeping
    alpha, plate = disc(size, 100, 6), flat((9, 8, 7), FULL, Size(4, 4))
    held: list[tuple[U8, U8]] = []
    for turn in range(12):
        planes = noisy(random, FULL, size)
        out = kernels.composite(planes, FULL, alpha, plate, 0.0)
        held.append((out[0], out[0].copy()))
        if turn % 3 == 0:  # of the other planes only a corner, or nothing
            held.append((out[1][5:9, 7:], out[1][5:9, 7:].copy()))
        del out
    assert all(np.array_equal(now, then) for now, then in held)
    everybody = np.full_like(alpha, 255)
    pictures = [noisy(random, FULL, size) for _ in range(8)]
    with ThreadPoolExecutor(2) as pool:  # memory of one thread, held by another
        results = list(pool.map(lambda own: kernels.composite(own, FULL, everybody, plate, 0.0), pictures))
    assert all(same(now, own) for now, own in zip(results, pictures, strict=True))


def bindings(path: Path) -> Any:
    spec = importlib.util.spec_from_file_location("livematte_bindings", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_an_unknown_build_names_those_there_are(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LIVEMATTE_KERNELS", "sse9")
    with pytest.raises(OptionError, match=r"baseline.*reference on this processor, got 'sse9'"):
        bindings(Path(compiled.__file__))


def test_missing_libraries_are_an_error_with_a_way_out(tmp_path: Path) -> None:
    path = shutil.copy(compiled.__file__, tmp_path / "compiled.py")
    with pytest.raises(LoadError, match=r"python kernels/build\.py"):
        bindings(Path(path))


def test_the_oracle_can_stand_in(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LIVEMATTE_KERNELS", "reference")
    monkeypatch.setattr(kernels, "_backend", None)
    assert kernels.variant() == "reference"
    assert kernels.backend() is reference
