"""Video files: every frame with its time, upright, or a clear error."""

from __future__ import annotations

import importlib.util
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from livematte._errors import OpenError, OptionError, SourceError, UnknownName
from livematte._frame import ColorMatrix, ColorRange, PixelFormat
from livematte.sources import open_source, parse_fps, source_name
from livematte.sources._mp4 import track_orientation
from livematte.sources._whole import missing_bytes

spec = importlib.util.spec_from_file_location("media_make", Path(__file__).parents[1] / "media" / "make.py")
make = importlib.util.module_from_spec(spec)
spec.loader.exec_module(make)


read = make.read
times = make.times


class TestSpelling:
    def test_what_a_spelling_means(self, tmp_path):
        (tmp_path / "frames").mkdir()
        assert source_name("-") == ("raw", None)
        assert source_name("a.mp4") == ("file", "a.mp4")
        assert source_name("a.GIF") == ("file", "a.GIF")
        assert source_name("a.JPG") == ("image", "a.JPG")
        assert source_name("file:a.png") == ("image", "a.png")
        assert source_name("synthetic:") == ("synthetic", "")
        assert source_name(str(tmp_path / "frames")) == ("folder", str(tmp_path / "frames"))

    def test_a_name_with_a_colon_is_a_file_if_there_is_one(self, tmp_path, monkeypatch):
        monkeypatch.chdir(tmp_path)
        make.clip(tmp_path / "a.mp4", frames=3).rename(tmp_path / "synthetic:x.mp4")
        assert len(read("synthetic:x.mp4")) == 3

    def test_options_of_another_source_are_refused(self):
        with pytest.raises(OptionError, match=r"'synthetic' has no option 'keep_broken'; it has fps, frames"):
            open_source("synthetic:", keep_broken=True)

    def test_options_not_given_and_the_pipe_format_are_passed_over(self, tmp_path):
        assert len(read(make.clip(tmp_path / "a.mp4", frames=3), format="rgb24:4x4", threads=None)) == 3

    @pytest.mark.parametrize("value", ["0", "-1", "x", "1/0", float("inf"), 1e9])
    def test_bad_rates(self, value):
        with pytest.raises(OptionError, match="fps must be"):
            parse_fps(value)

    def test_rates(self):
        assert parse_fps("30000/1001") == parse_fps(29.97002997) == Fraction(30000, 1001)


class TestFile:
    def test_every_frame_with_its_time(self, tmp_path):
        path = make.clip(tmp_path / "a.mp4", frames=20)
        with open_source(path) as source:
            frames = list(source)
        assert times(frames) == [Fraction(i, 30) for i in range(20)]
        assert source.info.size == (64, 48)
        assert (source.info.fps, source.info.frames, source.info.audio) == (30, 20, None)
        assert source.info.path == str(path)

    def test_variable_rate_is_passed_through(self, tmp_path):
        pts = [0, 3, 4, 11, 30, 31, 50, 90, 91, 200]
        for name, exact in (("a.mp4", True), ("a.mkv", False)):
            path = make.clip(tmp_path / name, frames=10, pts=pts, time_base=Fraction(1, 90))
            got = times(read(path))
            assert got == pytest.approx([p / 90 for p in pts], abs=0 if exact else 0.0006)
            assert not exact or got == [Fraction(p, 90) for p in pts]

    def test_b_frames_come_in_order_of_time(self, tmp_path):
        path = make.clip(tmp_path / "a.mp4", frames=40, options={"bf": "3", "b-adapt": "0"})
        with av.open(str(path)) as container:
            kinds = {frame.pict_type for frame in container.decode(video=0)}
        assert 3 in kinds  # there are B-frames in it
        assert times(read(path)) == [Fraction(i, 30) for i in range(40)]

    def test_a_first_time_other_than_zero_is_kept(self, tmp_path):
        path = make.clip(tmp_path / "a.mkv", frames=5, pts=[30, 31, 32, 33, 34])
        assert times(read(path)) == pytest.approx([1, 31 / 30, 32 / 30, 1.1, 34 / 30], abs=0.0006)

    def test_a_bare_stream_without_times_gets_them(self, tmp_path):
        path = make.clip(tmp_path / "a.h264", frames=10)
        frames = read(path)
        assert len(frames) == 10
        steps = np.diff([float(t) for t in times(frames)])
        assert steps == pytest.approx([float(1 / open_source(path).info.fps)] * 9)

    @pytest.mark.parametrize("name", ["a.mp4", "a.mov", "a.mkv"])
    @pytest.mark.parametrize("rotation", [0, 90, 180, -90])
    def test_rotation_is_applied(self, tmp_path, name, rotation):
        stored = read(make.clip(tmp_path / "plain.mp4", frames=2))[1]
        frame = read(make.clip(tmp_path / name, frames=2, rotation=rotation))[1]
        assert frame.size == ((64, 48) if rotation in (0, 180) else (48, 64))
        for got, before in zip(frame.planes, stored.planes, strict=True):
            np.testing.assert_array_equal(got, np.rot90(before, rotation // 90))

    @pytest.mark.parametrize("rotation", [0, 90, 180, -90])
    def test_mirroring_is_applied(self, tmp_path, rotation):
        stored = read(make.clip(tmp_path / "plain.mp4", frames=1))[0]
        frame = read(make.clip(tmp_path / "a.mp4", frames=1, rotation=rotation, hflip=True))[0]
        for got, before in zip(frame.planes, stored.planes, strict=True):
            np.testing.assert_array_equal(got, np.fliplr(np.rot90(before, rotation // 90)))

    @pytest.mark.parametrize("cut", [0, 4, 20, 200, 900, 1500])
    def test_a_track_header_that_is_cut_or_nonsense_turns_nothing(self, tmp_path, cut):
        path = make.clip(tmp_path / "a.mp4", frames=1, rotation=90, container_options={"movflags": "faststart"})
        assert track_orientation(path, 1) == 8
        assert track_orientation(path, 7) is None
        path.write_bytes(path.read_bytes()[:cut])
        assert track_orientation(path, 1) in (None, 8)
        path.write_bytes(bytes(cut))
        assert track_orientation(path, 1) is None

    @pytest.mark.parametrize(("rotation", "aspect"), [(0, Fraction(4, 3)), (90, Fraction(3, 4))])
    def test_pixels_that_are_not_square_are_told_of(self, tmp_path, rotation, aspect):
        path = make.clip(tmp_path / "a.mp4", frames=2, aspect=Fraction(4, 3), rotation=rotation)
        assert open_source(path).info.aspect == aspect

    @pytest.mark.parametrize("size", [(1, 1), (2, 2), (3, 5), (33, 17)])
    def test_tiny_and_odd_sizes(self, tmp_path, size):
        path = make.clip(tmp_path / "a.webm", frames=2, size=size, codec="libvpx-vp9")
        frames = read(path)
        assert [frame.size for frame in frames] == [size] * 2

    @pytest.mark.parametrize(
        ("codec", "pix_fmt", "expected"),
        [
            ("ffv1", "gray", PixelFormat.I420),
            ("ffv1", "gray16le", PixelFormat.I420),
            ("ffv1", "yuv420p10le", PixelFormat.I420),
            ("ffv1", "yuv444p16le", PixelFormat.I444),
            ("ffv1", "yuv422p", PixelFormat.I420),
            ("libx264", "yuv444p", PixelFormat.I444),
            ("libx264", "gray", PixelFormat.I420),
            ("mjpeg", "yuvj420p", PixelFormat.I420),
            ("qtrle", "rgb24", PixelFormat.RGB),
            ("png", "rgba", PixelFormat.RGB),
        ],
    )
    def test_depths_and_layouts(self, tmp_path, codec, pix_fmt, expected):
        path = make.clip(
            tmp_path / "a.mov" if codec in ("qtrle", "png", "mjpeg") else tmp_path / "a.mkv",
            frames=3,
            codec=codec,
            pix_fmt=pix_fmt,
        )
        frames = read(path)
        assert {frame.format for frame in frames} == {expected}
        black, white = frames[0].planes[0].min(), frames[0].planes[0].max()
        assert (black < 40, white > 220) == (True, True)

    def test_untagged_grey_of_h264_is_limited(self, tmp_path):
        assert read(make.clip(tmp_path / "a.mkv", frames=1, pix_fmt="gray"))[0].range is ColorRange.LIMITED

    def test_full_range_and_matrix_come_from_the_tags(self, tmp_path):
        frame = read(make.clip(tmp_path / "a.mp4", frames=1, tags={"color_range": 2, "colorspace": 1}))[0]
        assert (frame.range, frame.matrix) == (ColorRange.FULL, ColorMatrix.BT709)

    def test_sound_is_told_of(self, tmp_path):
        path = make.clip(tmp_path / "a.mp4", audio=("aac",))
        assert open_source(path).info.audio == str(path)

    def test_a_size_that_changes_midway(self, tmp_path):
        path = tmp_path / "both.h264"
        one = make.clip(tmp_path / "1.h264", frames=4, size=(64, 48))
        two = make.clip(tmp_path / "2.h264", frames=4, size=(32, 32))
        path.write_bytes(one.read_bytes() + two.read_bytes())
        assert [frame.size for frame in read(path)] == [(64, 48)] * 4 + [(32, 32)] * 4

    def test_leaving_early_frees_everything(self, tmp_path):
        path = make.clip(tmp_path / "a.mp4", frames=30)
        source = open_source(path)
        with source:
            next(iter(source))
        source.close()

    def test_real_recording(self, shared):
        frames = read(shared("media/sign-again.mkv"))
        assert len(frames) == 77
        assert (frames[0].pts, frames[-1].pts) == (33, 2567)
        assert frames[0].range is ColorRange.FULL

    def test_carphone(self, carphone):
        frames = read(carphone)
        assert len(frames) == 120
        assert frames[0].size == (176, 144)


class TestBrokenFile:
    def test_missing(self, tmp_path):
        with pytest.raises(OpenError, match=r"there is no file .*nothing\.mp4"):
            open_source(tmp_path / "nothing.mp4")

    def test_no_video_at_all(self, tmp_path):
        path = tmp_path / "text.mp4"
        path.write_text("this is no video\n" * 50)
        with pytest.raises(OpenError, match="not a video FFmpeg can read"):
            open_source(path)

    def test_empty(self, tmp_path):
        path = tmp_path / "empty.mp4"
        path.touch()
        with pytest.raises(OpenError, match="not a video FFmpeg can read"):
            open_source(path)

    @pytest.mark.parametrize(("name", "codec"), [("a.m4a", "aac"), ("a.mka", "libopus")])
    def test_sound_only(self, tmp_path, name, codec):
        with pytest.raises(OpenError, match="sound but no video"):
            open_source("file:" + str(make.sound_only(tmp_path / name, codec)))

    @pytest.mark.parametrize("name", ["a.mp4", "faststart.mp4", "fragmented.mp4", "a.mkv", "a.webm", "a.avi"])
    @pytest.mark.parametrize("part", [0.3, 0.6, 0.95])
    def test_cut_off(self, tmp_path, name, part):
        movflags = {"faststart.mp4": "faststart", "fragmented.mp4": "frag_keyframe+empty_moov"}.get(name)
        codec = {"webm": "libvpx-vp9", "avi": "mpeg4"}.get(name[-4:].strip("."), "libx264")
        path = make.clip(
            tmp_path / name, frames=30, codec=codec, container_options={"movflags": movflags} if movflags else None
        )
        data = path.read_bytes()
        assert missing_bytes(path) == 0
        path.write_bytes(data[: int(len(data) * part)])
        with pytest.raises(OpenError, match=r"cut off|bytes of it are missing"):
            open_source(path)

    def test_what_is_left_of_a_cut_file_can_be_asked_for(self, tmp_path):
        path = make.clip(tmp_path / "a.mkv", frames=30, size=(320, 240))
        path.write_bytes(path.read_bytes()[:-2000])
        assert 0 < len(read(path, keep_broken=True)) < 30

    @pytest.mark.parametrize("name", ["a.mp4", "a.mkv", "a.avi", "a.ts"])
    def test_damage_midway_is_told_with_how_far_it_got(self, tmp_path, name):
        codec = "mpeg4" if name == "a.avi" else "libx264"
        path = make.clip(tmp_path / name, frames=60, codec=codec, options={"g": "10", "bf": "0"}, size=(160, 96))
        data = bytearray(path.read_bytes())
        start = len(data) * (7 if name == "a.avi" else 5) // 10  # half of so small an AVI is its header
        data[start : start + 1000] = np.random.default_rng(5).integers(0, 256, 1000, dtype=np.uint8).tobytes()
        path.write_bytes(data)
        with open_source(path) as source, pytest.raises(SourceError, match=r"damaged after \d+ frames \(\d+\.\d\d s\)"):
            list(source)
        assert len(read(path, keep_broken=True)) > 30

    def test_threads_out_of_range(self, tmp_path):
        with pytest.raises(OptionError, match="threads must be from 1 to 256"):
            open_source(make.clip(tmp_path / "a.mp4", frames=1), threads=0)

    def test_descriptors_are_given_back(self, tmp_path):
        if not Path("/proc/self/fd").exists():
            pytest.skip("counts open files in /proc, which this system has not")
        path = make.clip(tmp_path / "a.mp4", frames=5)
        broken = tmp_path / "b.mp4"
        broken.write_bytes(path.read_bytes()[:-100])
        read(path)
        before = len(list(Path("/proc/self/fd").iterdir()))
        for _ in range(10):
            read(path)
            with pytest.raises(OpenError):
                open_source(broken)
        assert len(list(Path("/proc/self/fd").iterdir())) == before


def test_an_unknown_name_is_a_missing_file():
    with pytest.raises((OpenError, UnknownName), match="camra"):
        open_source("camra:0")
