"""The only door: what composite() refuses, and what never comes through."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from livematte._composite import composite
from livematte._errors import FrameError
from livematte._frame import ColorMatrix, ColorRange, Frame, PixelFormat, Planes, Size, plane_sizes
from livematte._matte import Matte

U8 = npt.NDArray[np.uint8]

SIZE, SMALL = Size(45, 31), Size(9, 7)
every_format = pytest.mark.parametrize("format", PixelFormat)


def room(format: PixelFormat, **options: Any) -> Frame:
    """A camera frame with a marker in it: noise that no plate has."""
    random = np.random.default_rng(11)
    planes = tuple(random.integers(0, 256, (s.height, s.width), np.uint8) for s in plane_sizes(SIZE, format))
    return Frame(planes, format, **{"pts": 5, **options})  # type: ignore[arg-type]


def flat_plate(frame: Frame, value: int = 60, size: Size = SMALL) -> Frame:
    format = PixelFormat.RGB if frame.format is PixelFormat.RGB else PixelFormat.I444
    planes = tuple(np.full((size.height, size.width), value + k, np.uint8) for k in range(3))
    return replace(frame, planes=planes, format=format, alpha=None)


def person() -> U8:
    """0 left, a rim of all values, 255 right."""
    ramp = np.clip((np.arange(SIZE.width) - 15) * 17, 0, 255).astype(np.uint8)
    return np.tile(ramp, (SIZE.height, 1))


def chroma_alpha(alpha: U8, plane: U8) -> U8:
    """Largest alpha of the pixels that share a sample."""
    if plane.shape == alpha.shape:
        return alpha
    padded = np.pad(alpha, ((0, alpha.shape[0] & 1), (0, alpha.shape[1] & 1)), "edge")
    return padded.reshape(padded.shape[0] // 2, 2, -1, 2).max((1, 3))


# --- which mattes --------------------------------------------------------------------------------


@pytest.mark.parametrize("pts", [4, 0, -3])
def test_a_matte_of_an_older_frame_is_refused(pts: int) -> None:
    frame = room(PixelFormat.I420)
    with pytest.raises(FrameError, match=rf"made at pts {pts} for a frame of pts 5; it may be at most 0 s old"):
        composite(frame, flat_plate(frame), Matte(person(), pts))


def test_a_matte_may_be_as_old_as_allowed_and_no_older() -> None:
    frame = room(PixelFormat.I420, time_base=Fraction(1, 30))
    plate = flat_plate(frame)
    fresh = composite(frame, plate, Matte(person(), 5))
    aged = composite(frame, plate, Matte(person(), 3), max_matte_age_s=Fraction(2, 30))
    assert all(np.array_equal(a, b) for a, b in zip(fresh.planes, aged.planes, strict=True))
    with pytest.raises(FrameError, match="segment this frame first"):
        composite(frame, plate, Matte(person(), 2), max_matte_age_s=Fraction(2, 30))


def test_a_matte_of_a_later_frame_is_refused_however_old_it_may_be() -> None:
    frame = room(PixelFormat.I420)
    with pytest.raises(FrameError, match="never younger"):
        composite(frame, flat_plate(frame), Matte(person(), 6), max_matte_age_s=1000)


@pytest.mark.parametrize(
    ("alpha", "got"),
    [
        (np.ones(SIZE[::-1], np.float32), "float32 45x31"),
        (np.ones((30, 45), np.uint8), "uint8 45x30"),
        (np.ones((45, 31), np.uint8), "uint8 31x45"),
        (np.ones((16, 23), np.uint8), "uint8 23x16"),
    ],
)
@pytest.mark.parametrize("transparent", [False, True])
def test_alpha_of_another_kind_is_refused(alpha: Any, got: str, transparent: bool) -> None:
    frame = room(PixelFormat.I420)
    with pytest.raises(FrameError, match=f"frame's size 45x31, got {got}"):
        composite(frame, None if transparent else flat_plate(frame), Matte(alpha, 5))


@every_format
def test_a_foreground_of_another_size_is_refused(format: PixelFormat) -> None:
    frame = room(format)
    small: Planes = tuple(np.zeros((8, 8), np.uint8) for _ in range(3))  # type: ignore[assignment]
    for planes in (small, frame.planes[:1] + small[1:], frame.planes[:2]):
        with pytest.raises(FrameError, match="foreground"):
            composite(frame, flat_plate(frame), Matte(person(), 5, planes))  # type: ignore[arg-type]


# --- which plates --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"matrix": ColorMatrix.BT601}, "must have the frame's colour bt709 limited, got bt601 limited"),
        ({"range": ColorRange.FULL}, "must have the frame's colour bt709 limited, got bt709 full"),
        ({"format": PixelFormat.RGB}, "a plate for a i420 frame cannot be rgb"),
    ],
)
def test_a_plate_of_another_colour_is_refused(change: dict[str, Any], message: str) -> None:
    frame = room(PixelFormat.I420)
    with pytest.raises(FrameError, match=message):
        composite(frame, replace(flat_plate(frame), **change), Matte(person(), 5))


def test_a_yuv_plate_is_refused_for_rgb() -> None:
    frame = room(PixelFormat.RGB)
    plate = replace(flat_plate(frame), format=PixelFormat.I444)
    with pytest.raises(FrameError, match="a plate for a rgb frame cannot be i444"):
        composite(frame, plate, Matte(person(), 5))


def test_a_plate_larger_than_its_frame_is_refused() -> None:
    frame = room(PixelFormat.I420)
    for size in (Size(46, 31), Size(45, 32), SIZE):  # I444 of the frame's size has larger chroma than I420
        with pytest.raises(FrameError, match="must not be larger than its frame 45x31"):
            composite(frame, flat_plate(frame, size=size), Matte(person(), 5))


# --- what comes out ------------------------------------------------------------------------------


@every_format
@pytest.mark.parametrize("light_wrap", [0.0, 0.5])
def test_nobody_means_the_plate_alone(format: PixelFormat, light_wrap: float) -> None:
    frame = room(format)
    out = composite(frame, flat_plate(frame), Matte.empty(frame), light_wrap=light_wrap)
    for k, plane in enumerate(out.planes):
        assert (plane == 60 + k).all()


@every_format
def test_nothing_of_the_room_is_left_where_alpha_is_0(format: PixelFormat) -> None:
    frame = room(format)
    out = composite(frame, flat_plate(frame), Matte(person(), 5), light_wrap=0.5)
    for k, (plane, own) in enumerate(zip(out.planes, frame.planes, strict=True)):
        outside = chroma_alpha(person(), plane) == 0
        assert outside.any()
        assert (plane[outside] == 60 + k).all()
        inside = chroma_alpha(255 - person(), plane) == 0
        assert inside.any()
        assert np.array_equal(composite(frame, flat_plate(frame), Matte(person(), 5)).planes[k][inside], own[inside])


@pytest.mark.parametrize("order", ["strided", "flipped", "transposed"])
def test_alpha_is_read_right_whatever_its_memory_order(order: str) -> None:
    """A view of zeros in a memory full of 255 lets nothing through."""
    frame = room(PixelFormat.I420)
    width, height = SIZE
    memory = np.full((2 * height, 2 * width), 255, np.uint8)
    if order == "strided":
        memory[:, ::2] = 0
        alpha = memory[:height, ::2]
    elif order == "flipped":
        memory[:height] = 0
        alpha = memory[:height, :width][::-1]
    else:
        memory = np.full((width, 2 * height), 255, np.uint8)
        memory[:, :height] = 0
        alpha = memory[:, :height].T
    assert not alpha.any()
    out = composite(frame, flat_plate(frame), Matte(alpha, 5))
    for k, plane in enumerate(out.planes):
        assert (plane == 60 + k).all()


@every_format
def test_the_estimated_foreground_takes_the_place_of_the_frame(format: PixelFormat) -> None:
    frame = room(format)
    own: Planes = tuple(np.full_like(p, 200) for p in frame.planes)  # type: ignore[assignment]
    everybody = np.full(SIZE[::-1], 255, np.uint8)
    out = composite(frame, flat_plate(frame), Matte(everybody, 5, own))
    assert all((p == 200).all() for p in out.planes)


@every_format
def test_kind_and_time_are_the_frames_and_inputs_stay_as_they_are(format: PixelFormat) -> None:
    frame = room(format, matrix=ColorMatrix.BT601, time_base=Fraction(1, 90000))
    plate, matte = flat_plate(frame), Matte(person(), 5)
    before = [p.copy() for p in (*frame.planes, *plate.planes, matte.alpha)]
    for out in (composite(frame, plate, matte), composite(frame, None, matte)):
        assert (out.format, out.size, out.matrix, out.range) == (frame.format, frame.size, frame.matrix, frame.range)
        assert (out.pts, out.time_base) == (frame.pts, frame.time_base)
        assert not any(np.shares_memory(a, b) for a in out.planes for b in (*frame.planes, *plate.planes))
    after = (*frame.planes, *plate.planes, matte.alpha)
    assert all(np.array_equal(a, b) for a, b in zip(before, after, strict=True))


def test_an_opaque_output_has_no_alpha() -> None:
    frame = room(PixelFormat.I444, alpha=person())
    assert composite(frame, flat_plate(frame), Matte(person(), 5)).alpha is None


@every_format
@pytest.mark.parametrize("range", ColorRange)
def test_transparent_hides_nothing_under_alpha_0(format: PixelFormat, range: ColorRange) -> None:
    frame = room(format, range=range)
    out = composite(frame, None, Matte(person(), 5))
    assert out.alpha is not None
    assert np.array_equal(out.alpha, person())
    luma = 16 if frame.range is ColorRange.LIMITED else 0
    black = (0, 0, 0) if format is PixelFormat.RGB else (luma, 128, 128)
    for plane, own, dark in zip(out.planes, frame.planes, black, strict=True):
        hidden = chroma_alpha(person(), plane) == 0
        assert hidden.any()
        assert (plane[hidden] == dark).all()
        shown = chroma_alpha(np.where(person() > 0, 0, 255).astype(np.uint8), plane) == 0
        assert np.array_equal(plane[shown], own[shown]), "colour is straight: not darkened by alpha"


@every_format
def test_transparent_nobody_is_all_black(format: PixelFormat) -> None:
    frame = room(format)
    out = composite(frame, None, Matte.empty(frame))
    assert out.alpha is not None
    assert not out.alpha.any()
    assert not out.to_rgb().any()
