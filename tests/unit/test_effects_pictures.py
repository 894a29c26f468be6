"""The picture and the video behind the person."""

from __future__ import annotations

import importlib.util
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from livematte import _registry
from livematte._errors import FrameError, OpenError, OptionError, SourceError
from livematte._frame import ColorMatrix, ColorRange, Frame, PixelFormat, Size, plane_sizes
from livematte._matte import Matte
from livematte.effects.image import Image
from livematte.effects.video import Video
from livematte.sources import open_source

spec = importlib.util.spec_from_file_location("media_make", Path(__file__).parents[1] / "media" / "make.py")
make = importlib.util.module_from_spec(spec)
spec.loader.exec_module(make)


def camera(
    size=(64, 36),
    pts=0,
    *,
    format=PixelFormat.I420,
    matrix=ColorMatrix.BT709,
    range=ColorRange.LIMITED,
    time_base=Fraction(1, 30),
):
    planes = tuple(np.full((s.height, s.width), 77, np.uint8) for s in plane_sizes(Size(*size), format))
    return Frame(planes, format, matrix, range, pts, time_base)


def plate_of(effect, frame, state=None):
    return effect.plate(frame, Matte.empty(frame), state)


def levels(path, count, *, fps=30):
    """A film whose frame i is plain grey of luma 20 + 10 i."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream("ffv1", rate=fps)
        stream.width, stream.height, stream.pix_fmt = 32, 18, "yuv420p"
        stream.codec_context.time_base = Fraction(1, fps)
        for index in range(count):
            frame = av.VideoFrame(32, 18, "yuv420p")
            for plane, value in zip(frame.planes, (20 + 10 * index, 128, 128), strict=True):
                np.frombuffer(plane, np.uint8)[:] = value
            frame.pts, frame.time_base = index, Fraction(1, fps)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


def shown(effect, times_s, frame=None):
    """Which frame of a `levels` film stands behind frames of these times."""
    state, indices = None, []
    for time_s in times_s:
        at = replace(frame or camera(), pts=round(time_s * 3000), time_base=Fraction(1, 3000))
        plate, state = plate_of(effect, at, state)
        indices.append((int(np.median(plate.planes[0])) - 20) / 10)
    return indices


class TestImage:
    @pytest.mark.parametrize("range", ColorRange)
    @pytest.mark.parametrize("matrix", ColorMatrix)
    @pytest.mark.parametrize("format", PixelFormat)
    @pytest.mark.parametrize("size", [(64, 36), (33, 17), (1, 1), (18, 32)])
    def test_the_plate_is_of_the_frames_kind(self, tmp_path, size, format, matrix, range):
        effect = Image(make.still(tmp_path / "a.png", make.picture(0, 40, 30)))
        frame = camera(size, 9, format=format, matrix=matrix, range=range)
        plate, _ = plate_of(effect, frame)
        assert (plate.size, plate.format, plate.matrix, plate.range) == (size, format, matrix, frame.range)
        assert [p.shape for p in plate.planes] == [p.shape for p in frame.planes]
        assert (plate.pts, plate.time_base) == (9, frame.time_base)

    def test_it_is_the_picture(self, tmp_path):
        rgb = make.picture(0, 64, 36)
        plate, _ = plate_of(Image(make.still(tmp_path / "a.png", rgb)), camera(format=PixelFormat.RGB))
        np.testing.assert_array_equal(np.stack(plate.planes, 2), rgb)

    def test_colour_follows_matrix_and_range(self):
        red = np.full((8, 8, 3), (255, 0, 0), np.uint8)
        for matrix, range, yuv in (
            (ColorMatrix.BT601, ColorRange.LIMITED, (81, 90, 240)),
            (ColorMatrix.BT709, ColorRange.LIMITED, (63, 102, 240)),
            (ColorMatrix.BT601, ColorRange.FULL, (76, 85, 255)),
        ):
            plate, _ = plate_of(Image(red), camera(matrix=matrix, range=range))
            assert [int(p.mean()) for p in plate.planes] == pytest.approx(yuv, abs=1)

    def test_the_middle_is_shown(self):
        picture = np.zeros((20, 60, 3), np.uint8)
        picture[:, 20:40] = 255
        plate, _ = plate_of(Image(picture), camera((20, 20), format=PixelFormat.RGB))
        assert all((p == 255).all() for p in plate.planes)

    def test_scaled_once_and_again_when_the_frame_changes(self, tmp_path):
        effect = Image(make.still(tmp_path / "a.png", make.picture(0, 40, 30)))
        one, state = plate_of(effect, camera())
        two, state = plate_of(effect, camera(pts=1), state)
        assert two.planes[0] is one.planes[0]
        three, state = plate_of(effect, camera((32, 18), 2), state)
        assert three.size == (32, 18)
        four, _ = plate_of(effect, camera((32, 18), 3, range=ColorRange.FULL), state)
        assert four.range is ColorRange.FULL

    def test_one_effect_serves_two_streams(self, tmp_path):
        effect = Image(make.still(tmp_path / "a.png", make.picture(0, 40, 30)))
        states = [None, None]
        for _ in range(3):
            for index, size in enumerate([(64, 36), (32, 18)]):
                plate, states[index] = plate_of(effect, camera(size), states[index])
                assert plate.size == size

    def test_defaults_and_look(self):
        effect = Image(np.zeros((4, 4, 3), np.uint8))
        assert (effect.light_wrap, effect.despill, effect.who) == (0.3, True, "everyone")
        assert Image(np.zeros((4, 4, 3), np.uint8), light_wrap=0, despill=False).despill is False
        with pytest.raises(OptionError, match="light_wrap must be"):
            Image(np.zeros((4, 4, 3), np.uint8), light_wrap=2)

    def test_what_is_no_picture(self, tmp_path):
        with pytest.raises(OpenError, match="cannot read the image"):
            Image(tmp_path / "none.png")
        with pytest.raises(FrameError, match="uint8"):
            Image(np.zeros((4, 4, 3), np.float32))
        with pytest.raises(OptionError, match=r"as in image:beach\.jpg"):
            _registry.create("effects", "image")

    def test_by_name(self, tmp_path):
        path = make.still(tmp_path / "a.png", make.picture(0, 8, 8))
        assert _registry.create("effects", f"image:{path}", light_wrap=0.1).light_wrap == 0.1


class TestVideo:
    def test_it_runs_with_the_time_not_with_the_frames(self, tmp_path):
        effect = Video(levels(tmp_path / "a.mkv", 6))
        assert shown(effect, [i / 60 for i in range(8)]) == [0, 0, 1, 1, 2, 2, 3, 3]
        assert shown(effect, [i / 15 for i in range(3)]) == [0, 2, 4]

    def test_equal_rates_do_not_stutter_for_rounded_times(self, tmp_path):
        effect = Video(levels(tmp_path / "a.mkv", 20))
        assert shown(effect, [round(i / 30, 3) for i in range(60)]) == [i % 20 for i in range(60)]

    def test_it_begins_with_the_stream(self, tmp_path):
        effect = Video(levels(tmp_path / "a.mkv", 6))
        assert shown(effect, [100 + i / 30 for i in range(4)]) == [0, 1, 2, 3]

    def test_it_runs_in_a_loop(self, tmp_path):
        effect = Video(levels(tmp_path / "a.mkv", 4, fps=25))
        assert shown(effect, [i / 25 for i in range(11)]) == [0, 1, 2, 3, 0, 1, 2, 3, 0, 1, 2]

    def test_it_leaps_with_the_stream(self, tmp_path):
        effect = Video(levels(tmp_path / "a.mkv", 4, fps=25))
        assert shown(effect, [0, 401 / 25, 1003 / 25, 1004 / 25]) == [0, 1, 3, 0]

    def test_it_goes_back_with_the_stream(self, tmp_path):
        effect = Video(levels(tmp_path / "a.mkv", 4, fps=25))
        assert shown(effect, [0, 6 / 25, 1 / 25, 2 / 25]) == [0, 2, 1, 2]

    def test_a_single_frame_stands_still(self, tmp_path):
        effect = Video(levels(tmp_path / "a.mkv", 1))
        assert shown(effect, [0, 1, 2.5]) == [0, 0, 0]

    def test_every_stream_has_its_own_place(self, tmp_path):
        effect = Video(levels(tmp_path / "a.mkv", 6))
        first, one = plate_of(effect, camera(pts=0))
        plate_of(effect, camera(pts=0))
        second, _ = plate_of(effect, camera(pts=1), one)
        assert (int(first.planes[0][0, 0]), int(second.planes[0][0, 0])) == (20, 30)

    @pytest.mark.parametrize("format", PixelFormat)
    def test_the_plate_is_of_the_frames_kind(self, tmp_path, format):
        effect = Video(make.clip(tmp_path / "a.mp4", frames=3, rotation=90))
        state = None
        for size in ((64, 36), (33, 17)):
            frame = camera(size, format=format, range=ColorRange.FULL, matrix=ColorMatrix.BT601)
            plate, state = plate_of(effect, frame, state)
            assert (plate.size, plate.format, plate.matrix, plate.range) == (size, format, frame.matrix, frame.range)

    def test_a_held_frame_is_scaled_once(self, tmp_path):
        effect = Video(levels(tmp_path / "a.mkv", 2))
        one, state = plate_of(effect, camera(pts=0, time_base=Fraction(1, 3000)))
        two, _ = plate_of(effect, camera(pts=1, time_base=Fraction(1, 3000)), state)
        assert two.planes[0] is one.planes[0]

    def test_loops_leave_no_descriptors(self, tmp_path):
        if not Path("/proc/self/fd").exists():
            pytest.skip("counts open files in /proc, which this system has not")
        effect = Video(levels(tmp_path / "a.mkv", 3))
        shown(effect, [0])
        before = len(list(Path("/proc/self/fd").iterdir()))
        shown(effect, [i / 30 for i in range(60)])
        assert len(list(Path("/proc/self/fd").iterdir())) == before

    def test_a_broken_film_is_refused_at_once(self, tmp_path):
        path = make.clip(tmp_path / "a.mp4", frames=30)
        path.write_bytes(path.read_bytes()[:-500])
        with pytest.raises(SourceError, match=r"missing|cut off"):
            Video(path)
        with pytest.raises(SourceError, match="there is no file"):
            Video(tmp_path / "none.mp4")
        with pytest.raises(SourceError, match="sound but no video"):
            Video(make.sound_only(tmp_path / "a.m4a"))
        with pytest.raises(OptionError, match=r"as in video:waves\.mp4"):
            _registry.create("effects", "video")

    def test_by_name_and_with_real_film(self, shared):
        path = shared("media/office-720p.h264")
        effect = _registry.create("effects", f"video:{path}", light_wrap=0.0)
        state = None
        for index in range(40):  # more than the 19 it has
            plate, state = plate_of(effect, camera((320, 180), index), state)
        assert plate.size == (320, 180)
        assert plate.planes[0].std() > 5
        assert open_source(path).info.size == (1280, 720)
