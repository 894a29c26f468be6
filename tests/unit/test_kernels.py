"""What the kernels are for, beyond equality with their oracle (that is tests/golden)."""

from __future__ import annotations

import importlib.util
import shutil
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from livematte import kernels
from livematte._errors import LoadError, OptionError
from livematte._frame import ColorMatrix, ColorRange, PixelFormat, Planes, Size
from livematte.kernels import compiled, reference

sys.path.insert(0, str(Path(__file__).parent))

from kernel_planes import COLOURS, FULL, SIZE, U8, disc, every_format, flat, half, noisy, same


@pytest.fixture
def random() -> np.random.Generator:
    return np.random.default_rng(7)


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
