"""Frames to and from PyAV."""

from __future__ import annotations

import gc
from fractions import Fraction

import av
import numpy as np
import pytest

from livematte._av import alpha_frame, fit, from_av, orientation, to_av, turn
from livematte._errors import FrameError
from livematte._frame import ColorMatrix, ColorRange, Frame, PixelFormat, Size, plane_sizes

SIZES = [(1, 1), (2, 2), (3, 5), (17, 9), (64, 48)]


def frame_of(size, format, *, alpha=False, matrix=ColorMatrix.BT709, range=ColorRange.LIMITED, pts=7):
    rng = np.random.default_rng(size[0] * 31 + size[1])
    planes = tuple(rng.integers(0, 256, (s.height, s.width), dtype=np.uint8) for s in plane_sizes(Size(*size), format))
    extra = rng.integers(0, 256, (size[1], size[0]), dtype=np.uint8) if alpha else None
    return Frame(planes, format, matrix, range, pts, Fraction(1, 30), extra)


def av_frame(format, *arrays, colorspace=None, color_range=None):
    height, width = arrays[0].shape
    out = av.VideoFrame(width, height, format)
    for plane, array in zip(out.planes, arrays, strict=True):
        np.frombuffer(plane, array.dtype).reshape(plane.height, -1)[:, : array.shape[1]] = array
    if colorspace is not None:
        out.colorspace = colorspace
    if color_range is not None:
        out.color_range = color_range
    return out


@pytest.mark.parametrize("range", ColorRange)
@pytest.mark.parametrize("matrix", ColorMatrix)
@pytest.mark.parametrize("format", PixelFormat)
@pytest.mark.parametrize("size", SIZES)
def test_there_and_back_is_bit_identical(size, format, matrix, range):
    frame = frame_of(size, format, matrix=matrix, range=range)
    back = from_av(to_av(frame))
    for before, after in zip(frame.planes, back.planes, strict=True):
        np.testing.assert_array_equal(before, after)
    assert (back.format, back.matrix, back.range) == (
        frame.format,
        matrix if format is not PixelFormat.RGB else back.matrix,
        frame.range,
    )
    assert (back.pts, back.time_base) == (7, Fraction(1, 30))


def test_planes_are_views_and_read_only():
    decoded = av_frame(
        "yuv420p", *(np.full(s, v, np.uint8) for s, v in (((48, 64), 90), ((24, 32), 100), ((24, 32), 110)))
    )
    frame = from_av(decoded)
    np.frombuffer(decoded.planes[0], np.uint8)[0] = 91  # the same memory
    assert frame.planes[0][0, 0] == 91
    assert not any(plane.flags.writeable for plane in frame.planes)
    with pytest.raises(ValueError, match="read-only"):
        frame.planes[1][0, 0] = 1


def test_planes_outlive_the_decoded_frame():
    frames = [
        from_av(av_frame("yuv420p", *(np.full(s, i, np.uint8) for s in ((8, 8), (4, 4), (4, 4))))) for i in range(50)
    ]
    gc.collect()
    assert [int(frame.planes[2].max()) for frame in frames] == list(range(50))


def test_padded_rows_are_left_out():
    frame = from_av(av_frame("yuv420p", np.ones((3, 5), np.uint8), *[np.ones((2, 3), np.uint8)] * 2))
    assert [plane.shape for plane in frame.planes] == [(3, 5), (2, 3), (2, 3)]
    assert all((plane == 1).all() for plane in frame.planes)


@pytest.mark.parametrize(
    ("colorspace", "color_range", "height", "matrix", "range"),
    [
        (1, 1, 48, "bt709", "limited"),
        (5, 1, 720, "bt601", "limited"),
        (6, 2, 720, "bt601", "full"),
        (2, 0, 719, "bt601", "limited"),
        (2, 0, 720, "bt709", "limited"),
        (1, 2, 16, "bt709", "full"),
    ],
)
def test_colour_is_read_from_the_tags(colorspace, color_range, height, matrix, range):
    chroma = np.full((height + 1) // 2 * 8, 128, np.uint8).reshape(-1, 8)
    frame = from_av(
        av_frame(
            "yuv420p", np.zeros((height, 16), np.uint8), chroma, chroma, colorspace=colorspace, color_range=color_range
        )
    )
    assert (frame.matrix.value, frame.range.value) == (matrix, range)


def test_yuvj_is_full_range_without_a_tag():
    chroma = np.full((2, 2), 128, np.uint8)
    assert from_av(av_frame("yuvj420p", np.zeros((4, 4), np.uint8), chroma, chroma)).range is ColorRange.FULL


# Colour bars, worked out from ITU-R BT.601-7 and BT.709-6 with 219/224 steps.
BARS = {
    ("bt601", "limited"): {(255, 0, 0): (81, 90, 240), (0, 255, 0): (145, 54, 34), (0, 0, 255): (41, 240, 110)},
    ("bt709", "limited"): {(255, 0, 0): (63, 102, 240), (0, 255, 0): (173, 42, 26), (0, 0, 255): (32, 240, 118)},
    ("bt601", "full"): {(255, 0, 0): (76, 85, 255), (0, 255, 0): (150, 44, 21), (0, 0, 255): (29, 255, 107)},
}


@pytest.mark.parametrize(("matrix", "range"), BARS)
def test_bars_of_rgb_and_yuv(matrix, range):
    for rgb, yuv in BARS[matrix, range].items():
        planes = tuple(np.full((4, 4), v, np.uint8) for v in rgb)
        red = Frame(planes, PixelFormat.RGB, ColorMatrix(matrix))
        if range == "limited":
            out = from_av(to_av(red, "yuv444p"))
        else:
            out = fit(red, Size(4, 4), PixelFormat.I444, ColorMatrix(matrix), ColorRange(range))
        assert [int(p[1, 1]) for p in out.planes] == pytest.approx(yuv, abs=1)
        assert (out.matrix.value, out.range.value) == (matrix, range)
        source = Frame(
            tuple(np.full((4, 4), v, np.uint8) for v in yuv), PixelFormat.I444, ColorMatrix(matrix), ColorRange(range)
        )
        back = from_av(to_av(source, "gbrp"))
        assert [int(p[1, 1]) for p in back.planes] == pytest.approx(rgb, abs=3)


def test_grey_of_every_depth_keeps_black_and_white():
    ramp = np.arange(0, 256, dtype=np.uint16).reshape(16, 16)
    assert (from_av(av_frame("gray", ramp.astype(np.uint8))).planes[0] == ramp).all()
    ten = from_av(av_frame("gray10le", (ramp.astype(np.uint32) * 1023 // 255).astype(np.uint16)))
    assert np.abs(ten.planes[0].astype(int) - ramp).max() <= 1
    assert (ten.planes[0][0, 0], ten.planes[0][-1, -1]) == (0, 255)
    sixteen = from_av(av_frame("gray16le", (ramp * 257).astype("<u2")))
    np.testing.assert_array_equal(sixteen.planes[0], ramp)
    assert sixteen.range is ColorRange.FULL
    assert (sixteen.planes[1] == 128).all()


def test_grey_of_limited_range_stays_limited():
    frame = from_av(av_frame("gray10le", np.full((4, 4), 64, np.uint16), color_range=1))
    assert frame.range is ColorRange.LIMITED
    assert (frame.planes[0] == 16).all()


@pytest.mark.parametrize(
    ("format", "expected"),
    [
        ("nv12", PixelFormat.I420),
        ("yuv422p", PixelFormat.I420),
        ("yuvj422p", PixelFormat.I420),
        ("yuv410p", PixelFormat.I420),
        ("yuv420p10le", PixelFormat.I420),
        ("yuv444p12le", PixelFormat.I444),
        ("rgb24", PixelFormat.RGB),
        ("bgr0", PixelFormat.RGB),
        ("rgb48le", PixelFormat.RGB),
        ("gbrp10le", PixelFormat.RGB),
        ("rgba", PixelFormat.RGB),
        ("yuva420p", PixelFormat.RGB),
        ("pal8", PixelFormat.RGB),
        ("monob", PixelFormat.I420),
    ],
)
@pytest.mark.parametrize("size", [(1, 1), (9, 7), (32, 16)])
def test_other_formats_become_the_nearest(format, expected, size):
    white = av.VideoFrame.from_ndarray(np.full((size[1], size[0], 3), 255, np.uint8), "rgb24")
    source = white.reformat(format="gray" if format == "monob" else format if format != "pal8" else "rgb8")
    if format == "monob":
        source = source.reformat(format="monob")
    if format == "pal8":
        pixels, palette = np.zeros((size[1], size[0]), np.uint8), np.full((256, 4), 255, np.uint8)
        source = av.VideoFrame.from_ndarray((pixels, palette), "pal8")
    frame = from_av(source)
    assert frame.format is expected
    assert frame.size == size
    top = 255 if frame.range is ColorRange.FULL else 235
    assert int(frame.planes[0].min()) >= top - 1


def test_ten_bits_keep_their_colour():
    luma = np.full((16, 16), 4 * 120, np.uint16)
    chroma_u, chroma_v = np.full((8, 8), 4 * 90, np.uint16), np.full((8, 8), 4 * 160, np.uint16)
    frame = from_av(av_frame("yuv420p10le", luma, chroma_u, chroma_v, colorspace=1, color_range=1))
    assert [int(np.abs(p.astype(int) - v).max()) for p, v in zip(frame.planes, (120, 90, 160), strict=True)] == [0] * 3


def test_alpha_is_composed_over_black():
    pixels = np.array([[[200, 100, 50, 255], [200, 100, 50, 0], [200, 100, 50, 128]]], np.uint8)
    frame = from_av(av.VideoFrame.from_ndarray(pixels, "rgba"))
    np.testing.assert_array_equal(np.stack([p[0] for p in frame.planes], 1), [[200, 100, 50], [0, 0, 0], [100, 50, 25]])


def test_hdr_becomes_bt709_with_white_and_black_in_place():
    for code, low, high in ((64, 16, 18), (940, 225, 255)):
        luma, chroma = np.full((16, 16), code, np.uint16), np.full((8, 8), 512, np.uint16)
        source = av_frame("yuv420p10le", luma, chroma, chroma, colorspace=9, color_range=1)
        source.color_trc, source.color_primaries = 16, 9  # PQ, BT.2020
        frame = from_av(source)
        assert (frame.matrix, frame.range) == (ColorMatrix.BT709, ColorRange.LIMITED)
        assert low <= int(frame.planes[0].mean()) <= high
        assert np.abs(frame.planes[1].astype(int) - 128).max() <= 2


def test_ycgco_and_giants_are_refused():
    chroma = np.full((2, 2), 128, np.uint8)
    with pytest.raises(FrameError, match="YCgCo"):
        from_av(av_frame("yuv420p", np.zeros((4, 4), np.uint8), chroma, chroma, colorspace=8))
    with pytest.raises(FrameError, match="16385x2"):
        from_av(av.VideoFrame(16385, 2, "gray"))


@pytest.mark.parametrize("format", PixelFormat)
@pytest.mark.parametrize("size", SIZES)
def test_alpha_survives_every_target(format, size):
    frame = frame_of(size, format, alpha=True)
    native = to_av(frame)
    assert native.format.name == {"i420": "yuva420p", "i444": "yuva444p", "rgb": "gbrap"}[format.value]
    rgba = to_av(frame, "rgba").to_ndarray()
    np.testing.assert_array_equal(rgba[..., 3], frame.alpha)
    deep = to_av(frame, "yuva444p10le")
    samples = np.frombuffer(deep.planes[3], "<u2").reshape(size[1], -1)[:, : size[0]]
    np.testing.assert_array_equal(samples >> 2, frame.alpha)
    assert (samples[frame.alpha == 255] == 1023).all()
    assert (samples[frame.alpha == 0] == 0).all()


def test_rgb_to_rgba_keeps_every_code():
    frame = frame_of((17, 9), PixelFormat.RGB, alpha=True)
    np.testing.assert_array_equal(to_av(frame, "rgba").to_ndarray(), np.dstack((*frame.planes, frame.alpha)))


def test_alpha_frame_is_the_alpha_as_grey():
    alpha = np.arange(256, dtype=np.uint8)[:255].reshape(15, 17)
    frame = alpha_frame(alpha, 5, Fraction(1, 30))
    assert frame.range is ColorRange.FULL
    rgb = to_av(frame, "rgb24").to_ndarray()
    assert (rgb == alpha[..., None]).all()


EXPECTED_TURNS = {
    1: [[1, 2, 3], [4, 5, 6]],
    2: [[3, 2, 1], [6, 5, 4]],
    3: [[6, 5, 4], [3, 2, 1]],
    4: [[4, 5, 6], [1, 2, 3]],
    5: [[1, 4], [2, 5], [3, 6]],
    6: [[4, 1], [5, 2], [6, 3]],
    7: [[6, 3], [5, 2], [4, 1]],
    8: [[3, 6], [2, 5], [1, 4]],
}


@pytest.mark.parametrize("number", EXPECTED_TURNS)
def test_turn_by_exif_number(number):
    plane = np.array([[1, 2, 3], [4, 5, 6]], np.uint8)
    turned = turn(Frame((plane, plane, plane), PixelFormat.RGB, alpha=plane), number)
    for got in (*turned.planes, turned.alpha):
        np.testing.assert_array_equal(got, EXPECTED_TURNS[number])
    assert turned.planes[0].strides[1] == 1


def test_a_plain_frame_needs_no_turn():
    assert orientation(av.VideoFrame(4, 4)) == 1


@pytest.mark.parametrize("format", PixelFormat)
@pytest.mark.parametrize("source", [(64, 48), (48, 64), (1, 1), (7, 200), (33, 31)])
@pytest.mark.parametrize("target", [(32, 18), (17, 31), (1, 1), (90, 90)])
def test_fit_covers_any_size(source, target, format):
    frame = frame_of(source, PixelFormat.I444)
    out = fit(frame, Size(*target), format, ColorMatrix.BT601, ColorRange.FULL)
    assert (out.size, out.format, out.matrix, out.range) == (target, format, ColorMatrix.BT601, ColorRange.FULL)


def test_fit_cuts_equally_from_both_sides():
    rgb = np.zeros((20, 60, 3), np.uint8)
    rgb[:, 20:40] = 255  # the middle third is white
    planes = tuple(np.ascontiguousarray(rgb[..., i]) for i in range(3))
    out = fit(Frame(planes, PixelFormat.RGB), Size(20, 20), PixelFormat.RGB, ColorMatrix.BT709, ColorRange.FULL)
    assert all((plane == 255).all() for plane in out.planes)


def test_fit_to_the_same_is_the_same():
    frame = frame_of((31, 17), PixelFormat.I420)
    out = fit(frame, frame.size, frame.format, frame.matrix, frame.range)
    for before, after in zip(frame.planes, out.planes, strict=True):
        np.testing.assert_array_equal(before, after)


def test_fit_changes_matrix_and_range():
    white = Frame(tuple(np.full((8, 8), v, np.uint8) for v in (235, 128, 128)), PixelFormat.I444)
    out = fit(white, Size(8, 8), PixelFormat.I444, ColorMatrix.BT601, ColorRange.FULL)
    assert [int(p[4, 4]) for p in out.planes] == pytest.approx([255, 128, 128], abs=1)
