"""Frames: what they refuse, what they keep, and how they turn into RGB and back."""

from __future__ import annotations

import dataclasses
import importlib.util
import sys
from fractions import Fraction
from itertools import product
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from livematte._errors import FrameError
from livematte._frame import ColorMatrix, ColorRange, Frame, PixelFormat, Size, plane_sizes

U8 = npt.NDArray[np.uint8]

COLOURS = list(product(ColorMatrix, ColorRange))
"""In the order of the golden vectors."""


def plane(width: int, height: int, value: int = 7) -> U8:
    return np.full((height, width), value, np.uint8)


def i420(width: int = 6, height: int = 4, **options: Any) -> Frame:
    chroma = plane((width + 1) // 2, (height + 1) // 2)
    return Frame((plane(width, height), chroma, chroma.copy()), **options)


@pytest.fixture
def random_rgb() -> U8:
    return np.random.default_rng(3).integers(0, 256, (23, 37, 3), np.uint8)


@pytest.fixture(scope="module")
def golden() -> ModuleType:
    path = Path(__file__).parents[1] / "golden" / "make.py"
    spec = importlib.util.spec_from_file_location("livematte_golden_frames", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclasses look their module up
    spec.loader.exec_module(module)
    return module


# --- the border --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("planes", "message"),
    [
        ((plane(6, 4), plane(3, 2)), "a frame has 3 planes, got 2"),
        ((plane(6, 4), plane(3, 2), plane(6, 4)), "plane 2 of a 6x4 i420 frame must be 3x2, got 6x4"),
        ((plane(7, 5), plane(3, 2), plane(3, 2)), "plane 1 of a 7x5 i420 frame must be 4x3, got 3x2"),
        ((plane(6, 4).astype(np.float32), plane(3, 2), plane(3, 2)), r"plane 0 must be a uint8.*got float32 \(4, 6\)"),
        ((plane(6, 4), plane(3, 2).astype(np.uint16), plane(3, 2)), "plane 1 must be a uint8 array.*got uint16"),
        ((np.zeros((4, 6, 3), np.uint8), plane(3, 2), plane(3, 2)), r"plane 0 must be a uint8.*got uint8 \(4, 6, 3\)"),
        ((plane(6, 4), [[1, 2, 3], [4, 5, 6]], plane(3, 2)), "plane 1 must be a uint8 array.*got list"),
        ((plane(12, 4)[:, ::2], plane(3, 2), plane(3, 2)), "samples of plane 0 must be adjacent.*stride of 2 bytes"),
        ((plane(6, 4)[:, ::-1], plane(3, 2), plane(3, 2)), "samples of plane 0 must be adjacent.*stride of -1 bytes"),
        ((plane(0, 4), plane(0, 2), plane(0, 2)), "plane 0 must be 1x1 to 16384x16384, got 0x4"),
        ((plane(16385, 1), plane(8193, 1), plane(8193, 1)), "plane 0 must be 1x1 to 16384x16384, got 16385x1"),
    ],
)  # fmt: skip
def test_planes_are_checked(planes: Any, message: str) -> None:
    with pytest.raises(FrameError, match=message):
        Frame(planes)


@pytest.mark.parametrize(
    ("alpha", "message"),
    [
        (plane(3, 2), "alpha must be 6x4, got 3x2"),
        (plane(6, 4) / np.float32(255), "alpha must be a uint8 array"),
        (plane(12, 4)[:, ::2], "samples of alpha must be adjacent"),
    ],
)
def test_alpha_is_checked(alpha: Any, message: str) -> None:
    with pytest.raises(FrameError, match=message):
        i420(alpha=alpha)


@pytest.mark.parametrize(
    ("rgb", "message"),
    [
        ([[[1, 2, 3]]], "must be a NumPy array.*got list"),
        (np.zeros((4, 6, 3)), r"must be uint8 \(0-255\), got float64"),
        (np.zeros((4, 6), np.uint8), r"must have the shape \(h, w, 3\), got \(4, 6\)"),
        (np.zeros((4, 6, 4), np.uint8), r"must have the shape \(h, w, 3\), got \(4, 6, 4\)"),
        (np.zeros((0, 6, 3), np.uint8), "must be 1x1 to 16384x16384, got 6x0"),
        (np.zeros((1, 16385, 3), np.uint8), "must be 1x1 to 16384x16384, got 16385x1"),
    ],
)
def test_rgb_is_checked(rgb: Any, message: str) -> None:
    with pytest.raises(FrameError, match=message):
        Frame.from_rgb(rgb)


def test_padded_and_flipped_rows_are_taken_as_they_are() -> None:
    wide = plane(16, 8)
    frame = Frame((wide[::2, :6], wide[::4, :3], wide[::-4, 8:11]))
    assert frame.size == Size(6, 4)
    assert all(np.shares_memory(p, wide) for p in frame.planes)


@pytest.mark.parametrize("format", PixelFormat)
def test_one_pixel_is_a_frame(format: PixelFormat) -> None:
    frame = Frame((plane(1, 1), plane(1, 1), plane(1, 1)), format)
    assert frame.size == Size(1, 1)
    assert frame.to_rgb().shape == (1, 1, 3)


def test_plane_sizes_round_up() -> None:
    assert plane_sizes(Size(7, 5), PixelFormat.I420) == (Size(7, 5), Size(4, 3), Size(4, 3))
    assert plane_sizes(Size(7, 5), PixelFormat.I444) == (Size(7, 5),) * 3
    assert str(Size(7, 5)) == "7x5"


def test_rgb_is_always_full_range() -> None:
    planes = (plane(4, 4), plane(4, 4), plane(4, 4))
    assert Frame(planes, PixelFormat.RGB, range=ColorRange.LIMITED).range is ColorRange.FULL


# --- identity ----------------------------------------------------------------------------------


def test_frames_are_equal_to_themselves_alone() -> None:
    frame, twin = i420(), i420()
    assert frame == frame  # noqa: PLR0124
    assert frame != twin
    assert len({frame, twin, frame}) == 2


def test_frames_are_frozen() -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        i420().pts = 3  # type: ignore[misc]


def test_repr_tells_size_and_time_and_no_pixels() -> None:
    frame = i420(pts=45, time_base=Fraction(1, 30), alpha=plane(6, 4, 201))
    assert repr(frame) == "<Frame 6x4 i420+alpha pts=45 (1.500 s)>"
    assert frame.time_s == 1.5


def test_with_planes_keeps_kind_and_time_and_forgets_the_rest() -> None:
    frame = i420(pts=9, time_base=Fraction(1, 25), matrix=ColorMatrix.BT601, range=ColorRange.FULL, alpha=plane(6, 4))
    size = Size(3, 2)
    assert (frame.small_luma(size) == 7).all()
    other = frame.with_planes((plane(6, 4, 90), plane(3, 2), plane(3, 2)))
    assert (other.pts, other.time_base, other.matrix, other.range) == (9, Fraction(1, 25), frame.matrix, frame.range)
    assert other.alpha is None
    assert (other.small_luma(size) == 90).all(), "the luma of other pixels"


# --- pictures of a frame -----------------------------------------------------------------------


@pytest.mark.parametrize("size", [Size(1, 1), Size(2, 1), Size(3, 5), Size(37, 23)])
def test_rgb_comes_back_bit_for_bit(size: Size, random_rgb: U8) -> None:
    rgb = random_rgb[: size.height, : size.width]  # rows are not adjacent
    frame = Frame.from_rgb(rgb, pts=4)
    assert frame.size == size
    assert frame.pts == 4
    assert np.array_equal(frame.to_rgb(), rgb)
    assert np.array_equal(Frame.from_rgb(np.asfortranarray(rgb)).to_rgb(), rgb)


@pytest.mark.parametrize("format", [PixelFormat.I420, PixelFormat.I444])
@pytest.mark.parametrize(("matrix", "range"), COLOURS)
def test_a_flat_picture_survives_every_format(format: PixelFormat, matrix: ColorMatrix, range: ColorRange) -> None:
    for colour in ((255, 255, 255), (0, 0, 0), (200, 40, 90), (13, 250, 128)):
        rgb = np.full((5, 7, 3), colour, np.uint8)
        frame = Frame.from_rgb(rgb, format, matrix, range)
        assert (frame.format, frame.matrix, frame.range) == (format, matrix, range)
        assert np.abs(frame.to_rgb().astype(int) - rgb).max() <= 2


def test_conversions_are_those_of_the_golden_vectors(golden: ModuleType) -> None:
    seen = 0
    for kernel, _, args, given, out in golden.read():
        if kernel not in {"lm_rgb_to_planes", "lm_planes_to_rgb"}:
            continue
        format, (matrix, range) = golden.LAYOUTS[args["layout"]], COLOURS[args["colour"]]
        if kernel == "lm_rgb_to_planes":
            rgb = given["rgb"][0]
            got = Frame.from_rgb(rgb.reshape(rgb.shape[0], -1, 3), format, matrix, range).planes
            assert all(np.array_equal(a, b) for a, b in zip(got, out, strict=True)), args
        else:
            rgb = Frame(tuple(given["planes"]), format, matrix, range).to_rgb()  # type: ignore[arg-type]
            assert np.array_equal(rgb.reshape(rgb.shape[0], -1), out[0]), args
        seen += 1
    assert seen > 50


def test_alpha_is_the_fourth_channel(random_rgb: U8) -> None:
    frame = Frame.from_rgb(random_rgb)
    alpha = np.ascontiguousarray(random_rgb[..., 1])
    rgba = frame.with_planes(frame.planes, alpha).to_rgb()
    assert rgba.shape == (23, 37, 4)
    assert np.array_equal(rgba[..., :3], random_rgb)
    assert np.array_equal(rgba[..., 3], alpha)


@pytest.mark.parametrize("format", PixelFormat)
def test_small_pictures_are_stretched_to_the_size_asked_for(format: PixelFormat, random_rgb: U8) -> None:
    frame = Frame.from_rgb(random_rgb, format)
    small = frame.rgb(Size(16, 9))
    assert small.shape == (9, 16, 3)
    assert small.dtype == np.float32
    assert 0 <= small.min() < small.max() <= 1
    assert np.array_equal(frame.rgb(Size(16, 9), planar=True), small.transpose(2, 0, 1))
    assert small.mean((0, 1)) == pytest.approx(frame.to_rgb().mean((0, 1)) / 255, abs=0.03)


def test_the_guide_is_the_networks_picture() -> None:
    frame = i420()
    frame.rgb(Size(3, 2))
    small = frame.small(Size(3, 2))
    assert small is frame.small(Size(3, 2)), "made once, with the network's picture"
    assert small.shape == (3, 2, 3)
    assert (frame.small_luma(Size(3, 2)) == small[0]).all()
    rgb = Frame.from_rgb(np.full((4, 6, 3), (255, 0, 51), np.uint8))
    assert rgb.small_luma(Size(3, 2)) == pytest.approx((77 * 255 + 29 * 51) / 256)
    assert frame.small_luma(Size(2, 2)).shape == (2, 2)


def test_luma_is_plane_0_or_made_from_rgb(random_rgb: U8) -> None:
    frame = i420()
    assert frame.luma() is frame.planes[0]
    weights = np.array([0.299, 0.587, 0.114])
    assert np.abs(Frame.from_rgb(random_rgb).luma() - random_rgb @ weights).max() < 1.5
