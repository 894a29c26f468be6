"""Sinks: what is written, and that nothing is left where writing failed."""

from __future__ import annotations

import contextlib
import importlib.util
import io
import os
import subprocess
import sys
import threading
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from livematte._errors import OptionError, SinkError
from livematte._frame import ColorMatrix, ColorRange, Frame, PixelFormat, Size
from livematte._stages import StreamInfo
from livematte.sinks import AlphaOnly, open_sink, sink_name
from livematte.sinks import _codecs as codecs
from livematte.sinks._partial import PartialFile, PartialFolder
from livematte.sinks.folder import split_pattern
from livematte.sinks.raw import Raw
from livematte.sources import open_source
from livematte.sources._still import read_image
from livematte.sources.raw import Raw as RawSource
from livematte.sources.synthetic import Synthetic

spec = importlib.util.spec_from_file_location("media_make", Path(__file__).parents[1] / "media" / "make.py")
make = importlib.util.module_from_spec(spec)
spec.loader.exec_module(make)

VIDEO = [
    ("a.mp4", None),
    ("a.mp4", "h265"),
    ("a.mp4", "av1"),
    ("a.mp4", "vp9"),
    ("a.mov", None),
    ("a.mov", "prores"),
    ("a.mkv", None),
    ("a.webm", None),
    ("a.webm", "av1"),
]


def read(path, **options):
    with open_source(path, **options) as source:
        return list(source)


def times(frames):
    return [frame.pts * frame.time_base for frame in frames]


def write(path, frames, info=None, **options):
    sink = open_sink(path, source_info=info, **options)
    with sink:
        for frame in frames:
            sink.write(frame)
    return sink


def synthetic(size=(64, 48), frames=12, *, alpha=False, fps=30):
    source = Synthetic(Size(*size), frames=frames, fps=fps)
    for index in range(frames):
        extra = np.rint(source.true_alpha(index) * 255).astype(np.uint8) if alpha else None
        yield replace(source.frame(index), alpha=extra)


def broken_off(after, error=RuntimeError, before=lambda: None):
    """A stream that fails after so many frames."""
    if after:
        yield from synthetic(frames=after)
    before()
    raise error


def psnr(a, b):
    error = np.mean((a.astype(float) - b) ** 2)
    return 10 * np.log10(255**2 / max(error, 1e-9))


def left_in(folder):
    return sorted(path.name for path in folder.iterdir())


class TestSpelling:
    def test_what_a_spelling_means(self, tmp_path):
        still = StreamInfo(frames=1)
        assert sink_name("-") == ("raw", None)
        assert sink_name("a.mp4") == ("file", "a.mp4")
        assert sink_name("a.png", still) == ("image", "a.png")
        assert sink_name("file:a.png", still) == ("image", "a.png")
        assert sink_name("out/") == ("folder", "out/")
        assert sink_name("out/%04d.png") == ("folder", "out/%04d.png")
        assert sink_name("null:") == ("null", "")
        assert sink_name(str(tmp_path)) == ("folder", str(tmp_path))

    def test_a_video_does_not_fit_into_one_image(self):
        with pytest.raises(OptionError, match=r"out.png is one picture and the input a video.* out/%05d.png"):
            open_sink("out.png", source_info=StreamInfo(frames=20))

    def test_unknown_suffix(self):
        with pytest.raises(OptionError, match=r"a video ends in \.mp4, \.m4v, \.mov, \.mkv, \.webm; got 'a\.gif'"):
            open_sink("a.gif")

    def test_options_of_another_sink_are_refused(self, tmp_path):
        with pytest.raises(OptionError, match="the sink 'folder' has no option 'crf'"):
            open_sink(f"{tmp_path}/out/", crf=20)

    def test_options_that_anyone_may_pass(self, tmp_path):
        open_sink(f"{tmp_path}/out/", audio=True, format="rgb24:4x4", crf=None)


class TestFile:
    @pytest.mark.parametrize(("name", "codec"), VIDEO)
    def test_pictures_and_times_come_back(self, tmp_path, name, codec):
        frames = list(synthetic((160, 96), 40))
        write(tmp_path / name, frames, codec=codec)
        back = read(tmp_path / name)
        assert len(back) == 40
        exact = name.endswith((".mp4", ".mov"))
        assert times(back) == pytest.approx([float(t) for t in times(frames)], abs=0.0006)
        assert not exact or times(back) == times(frames)
        assert psnr(frames[20].planes[0], back[20].planes[0]) > 28
        assert (back[0].matrix, back[0].range) == (ColorMatrix.BT709, ColorRange.LIMITED)
        assert left_in(tmp_path) == [name]

    @pytest.mark.parametrize("name", ["a.mp4", "a.mov", "a.mkv", "a.webm"])
    @pytest.mark.parametrize("time_base", [Fraction(1, 1000), Fraction(1001, 30000), Fraction(1, 90000)])
    def test_variable_rate_and_a_late_start(self, tmp_path, name, time_base):
        step = max(1, round(Fraction(1, 500) / time_base))  # Matroska tells apart what is 1 ms apart
        frames = [
            replace(f, pts=31 + (i * i + i) * step, time_base=time_base) for i, f in enumerate(synthetic(frames=20))
        ]
        write(tmp_path / name, frames, StreamInfo(fps=Fraction(30)))
        back = times(read(tmp_path / name))
        if name.endswith((".mp4", ".mov")):
            assert back == times(frames)
        else:
            rounded = [Fraction(round(t * 1000), 1000) for t in times(frames)]
            assert back == pytest.approx(rounded, abs=0.0011)

    def test_the_file_lasts_until_its_last_frame_has_been_shown(self, tmp_path):
        frames = [
            replace(f, pts=p, time_base=Fraction(1, 100))
            for f, p in zip(synthetic(frames=6), (0, 3, 6, 9, 12, 300), strict=True)
        ]
        write(tmp_path / "a.mp4", frames, StreamInfo(fps=Fraction(25)))
        with av.open(str(tmp_path / "a.mp4")) as container:
            assert container.duration == pytest.approx(3.04e6, abs=1e4)

    @pytest.mark.parametrize(
        ("range", "matrix"), [(ColorRange.FULL, ColorMatrix.BT601), (ColorRange.LIMITED, ColorMatrix.BT601)]
    )
    @pytest.mark.parametrize("name", ["a.mp4", "a.mkv", "a.webm", "a.mov"])
    def test_colour_is_tagged(self, tmp_path, name, range, matrix):
        write(tmp_path / name, [replace(f, range=range, matrix=matrix) for f in synthetic(frames=3)])
        back = read(tmp_path / name)[0]
        assert (back.range, back.matrix) == (range, matrix)

    @pytest.mark.parametrize(
        ("format", "codec"), [(PixelFormat.I444, None), (PixelFormat.RGB, None), (PixelFormat.RGB, "prores")]
    )
    def test_other_layouts(self, tmp_path, format, codec):
        picture = make.picture(3, 64, 48)
        planes = tuple(np.ascontiguousarray(picture[..., i]) for i in range(3))
        frame = Frame(planes, PixelFormat.RGB)
        if format is PixelFormat.I444:
            from livematte._av import fit

            frame = fit(frame, frame.size, format, ColorMatrix.BT709, ColorRange.LIMITED)
        path = tmp_path / "a.mov"
        write(
            path,
            [replace(frame, pts=i, time_base=Fraction(1, 30)) for i in range(3)],
            codec=codec,
            crf=None if codec else 5,
        )
        from livematte._av import from_av, to_av

        back = from_av(to_av(read(path)[1], "gbrp"))
        assert psnr(np.stack(back.planes, 2), picture) > (28 if codec is None else 35)

    @pytest.mark.parametrize("size", [(65, 49), (65, 48), (64, 49), (3, 5), (1, 1)])
    @pytest.mark.parametrize(("name", "codec"), [("a.mp4", "h264"), ("a.webm", "vp9"), ("a.mov", "prores")])
    def test_odd_and_tiny_sizes(self, tmp_path, size, name, codec):
        frames = list(synthetic(size, 3))
        sink = write(tmp_path / name, frames, codec=codec, crf=None if codec == "prores" else 10)
        back = read(tmp_path / name)
        if codec == "h264":
            even = (size[0] + size[0] % 2, size[1] + size[1] % 2)
            assert back[0].size == even
            assert [f"{size[0]}x{size[1]} became {even[0]}x{even[1]}" in note for note in sink.notes] == [True]
        else:
            assert (back[0].size, sink.notes) == (size, [])
        cut = back[0].planes[0][: size[1], : size[0]]
        assert np.abs(cut.astype(int) - frames[0].planes[0]).mean() < 12

    def test_too_small_for_the_encoder_is_said(self, tmp_path):
        with pytest.raises(SinkError, match="libx265 cannot encode 2x2"):
            write(tmp_path / "a.mp4", synthetic((1, 1), 2), codec="h265")
        assert left_in(tmp_path) == []

    def test_pixels_that_are_not_square_stay_so(self, tmp_path):
        source = open_source(make.clip(tmp_path / "in.mp4", frames=3, aspect=Fraction(4, 3)))
        with source:
            write(tmp_path / "out.mp4", source, source.info)
        with open_source(tmp_path / "out.mp4") as again:
            assert again.info.aspect == Fraction(4, 3)

    def test_real_recording(self, tmp_path, shared):
        source = open_source(shared("media/sign-again.mkv"))
        frames = list(source)
        write(tmp_path / "a.mp4", frames, source.info)
        back = read(tmp_path / "a.mp4")
        assert times(back) == times(frames)
        assert (back[0].range, back[0].matrix) == (ColorRange.FULL, frames[0].matrix)

    @pytest.mark.parametrize(
        ("options", "message"),
        [
            ({"codec": "h263"}, "codec must be one of h264, h265, vp9, av1, prores"),
            ({"codec": "prores"}, r"a \.mp4 file cannot hold prores"),
            ({"crf": 52}, "crf of h264 must be from 0"),
            ({"crf": -1}, "crf of h264 must be from 0"),
            ({"preset": "warp"}, "preset of h264 must be one of ultrafast"),
            ({"codec": "av1", "preset": "14"}, "preset of av1"),
            ({"threads": 0}, "threads must be from 1"),
        ],
    )
    def test_bad_options_are_refused_before_anything_is_written(self, tmp_path, options, message):
        with pytest.raises(OptionError, match=message):
            open_sink(tmp_path / "a.mp4", **options)
        assert left_in(tmp_path) == []

    def test_crf_and_preset_reach_the_encoder(self, tmp_path):
        sizes = {}
        for crf in (10, 40):
            write(tmp_path / f"{crf}.mp4", synthetic(frames=10), crf=crf, preset="ultrafast", threads=1)
            sizes[crf] = (tmp_path / f"{crf}.mp4").stat().st_size
        assert sizes[10] > 1.5 * sizes[40]

    def test_an_encoder_that_is_not_there(self, tmp_path, monkeypatch):
        missing = replace(codecs.CODECS["h264"], encoder="libnothing")
        monkeypatch.setitem(codecs.CODECS, "h264", missing)
        with pytest.raises(SinkError, match=r"no libnothing to write h264; it can write h265, vp9"):
            open_sink(tmp_path / "a.mp4")

    def test_times_must_rise(self, tmp_path):
        frames = [replace(f, pts=p) for f, p in zip(synthetic(frames=3), (5, 6, 6), strict=True)]
        with pytest.raises(SinkError, match="times must rise: pts 6 came after 6"):
            write(tmp_path / "a.mp4", frames)
        assert left_in(tmp_path) == []

    def test_a_size_that_changes_is_refused(self, tmp_path):
        frames = [*synthetic((64, 48), 2), replace(next(synthetic((32, 32), 1)), pts=2)]
        with pytest.raises(SinkError, match="keeps its size, 64x48; frame 3 is 32x32"):
            write(tmp_path / "a.mp4", frames)
        assert left_in(tmp_path) == []

    def test_no_frame_no_file(self, tmp_path):
        with pytest.raises(SinkError, match="no frame was written"):
            write(tmp_path / "a.mp4", [])
        assert left_in(tmp_path) == []


class TestSound:
    def packets(self, path):
        with av.open(str(path)) as container:
            return {
                stream.index: [(bytes(p), p.pts * p.time_base) for p in container.demux(stream) if p.dts is not None]
                for stream in container.streams.audio
            }

    @pytest.mark.parametrize(
        ("source", "sound", "target"),
        [
            ("in.mp4", ("aac",), "out.mp4"),
            ("in.mkv", ("aac", "libopus"), "out.mkv"),
            ("in.mp4", ("aac", "aac"), "out.mov"),
            ("in.webm", ("libopus",), "out.webm"),
            ("in.mkv", ("libopus",), "out.mp4"),
        ],
    )
    def test_packets_are_passed_byte_for_byte(self, tmp_path, source, sound, target):
        codec = "libvpx-vp9" if source.endswith("webm") else "libx264"
        clip = make.clip(tmp_path / source, frames=40, codec=codec, audio=sound, audio_s=1.2)
        film = open_source(clip)
        with film:
            sink = write(tmp_path / target, film, film.info)
        before, after = self.packets(clip), self.packets(tmp_path / target)
        assert len(after) == len(sound)
        assert sink.notes == []
        for one, two in zip(before.values(), after.values(), strict=True):
            assert [data for data, _ in one] == [data for data, _ in two]
            assert [float(t) for _, t in one] == pytest.approx([float(t) for _, t in two], abs=0.0011)

    def test_what_does_not_fit_is_encoded_anew_and_told(self, tmp_path):
        clip = make.clip(tmp_path / "in.mp4", frames=30, audio=("aac",), audio_s=1.0)
        film = open_source(clip)
        with film:
            sink = write(tmp_path / "out.webm", film, film.info)
        assert [("anew as Opus" in note, "aac" in note) for note in sink.notes] == [(True, True)]
        with av.open(str(tmp_path / "out.webm")) as container:
            sound = container.streams.audio[0]
            seconds = sum(frame.samples for frame in container.decode(sound)) / sound.sample_rate
            assert (sound.codec_context.name, len(container.streams.video)) == ("opus", 1)
        assert seconds == pytest.approx(1.0, abs=0.06)

    def test_sound_can_be_left_out(self, tmp_path):
        film = open_source(make.clip(tmp_path / "in.mp4", audio=("aac",)))
        with film:
            write(tmp_path / "out.mp4", film, film.info, audio=False)
        assert self.packets(tmp_path / "out.mp4") == {}

    def test_sound_longer_than_the_video_is_kept_whole(self, tmp_path):
        film = open_source(make.clip(tmp_path / "in.mp4", frames=6, audio=("aac",), audio_s=2.0))
        with film:
            write(tmp_path / "out.mp4", film, film.info)
        before, after = self.packets(tmp_path / "in.mp4"), self.packets(tmp_path / "out.mp4")
        assert [len(p) for p in before.values()] == [len(p) for p in after.values()]

    def test_sound_never_runs_far_ahead_of_the_pictures(self, tmp_path):
        film = open_source(make.clip(tmp_path / "in.mkv", frames=90, audio=("aac",), audio_s=3.0))
        with film:
            write(tmp_path / "out.mkv", film, film.info)
        with av.open(str(tmp_path / "out.mkv")) as container:
            video = sound = Fraction(0)
            for packet in container.demux():
                if packet.dts is None:
                    continue
                if packet.stream.type == "video":
                    video = max(video, packet.dts * packet.time_base)
                else:
                    sound = packet.dts * packet.time_base
                    assert sound - video < Fraction(1, 2)


class TestAlpha:
    def test_prores_4444(self, tmp_path):
        frames = list(synthetic((65, 49), 5, alpha=True))
        write(tmp_path / "a.mov", frames)
        with av.open(str(tmp_path / "a.mov")) as container:
            assert container.streams.video[0].codec_context.name == "prores"
            for before, after in zip(frames, container.decode(video=0), strict=True):
                assert after.format.name.startswith("yuva444p1")
                bits = after.format.components[3].bits
                got = np.frombuffer(after.planes[3], "<u2").reshape(after.height, -1)[:, : after.width]
                assert np.abs((got >> (bits - 8)).astype(int) - before.alpha).max() <= 1
                assert (got[before.alpha == 255] == (1 << bits) - 1).all()
                assert (got[before.alpha == 0] == 0).all()

    def test_vp9(self, tmp_path):
        frames = list(synthetic((65, 49), 5, alpha=True))
        write(tmp_path / "a.webm", frames, crf=4)
        with av.open(str(tmp_path / "a.webm")) as container:
            stream = container.streams.video[0]
            assert stream.metadata.get("alpha_mode", stream.metadata.get("ALPHA_MODE")) == "1"
            decoder = av.CodecContext.create("libvpx-vp9", "r")  # FFmpeg's own decoder does not see alpha
            decoded = [frame for packet in container.demux(stream) if packet.size for frame in decoder.decode(packet)]
        assert len(decoded) == 5
        for before, after in zip(frames, decoded, strict=True):
            assert after.format.name == "yuva420p"
            got = np.frombuffer(after.planes[3], np.uint8).reshape(after.height, -1)[:, : after.width]
            assert np.abs(got.astype(int) - before.alpha).mean() < 3

    @pytest.mark.parametrize("name", ["a.mp4", "a.mkv"])
    def test_files_without_alpha_say_where_it_goes(self, tmp_path, name):
        with pytest.raises(OptionError, match=r"cannot hold transparency; write \.mov \(ProRes 4444\), \.webm \(VP9\)"):
            write(tmp_path / name, synthetic(frames=2, alpha=True))
        assert left_in(tmp_path) == []

    def test_a_codec_without_alpha(self, tmp_path):
        with pytest.raises(OptionError, match=r"h264 in a \.mov file cannot hold transparency"):
            write(tmp_path / "a.mov", synthetic(frames=2, alpha=True), codec="h264")

    def test_png_folder(self, tmp_path):
        frames = list(synthetic((33, 17), 3, alpha=True))
        write(f"{tmp_path}/out/", frames)
        assert left_in(tmp_path / "out") == ["00001.png", "00002.png", "00003.png"]
        with av.open(str(tmp_path / "out/00002.png")) as container:
            pixels = next(container.decode(video=0)).to_ndarray()
        np.testing.assert_array_equal(pixels[..., 3], frames[1].alpha)

    def test_the_alpha_itself_as_png(self, tmp_path):
        frames = list(synthetic((33, 17), 3, alpha=True))
        write(f"{tmp_path}/out/", frames, alpha_only=True)
        for frame, path in zip(frames, sorted((tmp_path / "out").iterdir()), strict=True):
            with av.open(str(path)) as container:
                picture = next(container.decode(video=0))
                assert picture.format.name == "gray"
                np.testing.assert_array_equal(picture.to_ndarray(), frame.alpha)
            np.testing.assert_array_equal(read_image(path).planes[1], frame.alpha)

    @pytest.mark.parametrize("suffix", [".mp4", ".mov", ".mkv", ".webm"])
    def test_the_alpha_itself_as_video(self, tmp_path, suffix):
        frames = list(synthetic((64, 48), 3, alpha=True))
        write(tmp_path / f"a{suffix}", frames, alpha_only=True, crf=8)
        back = read(tmp_path / f"a{suffix}")[1]
        assert back.range is ColorRange.FULL
        assert np.abs(back.planes[0].astype(int) - frames[1].alpha).mean() < 2
        assert back.planes[0].max() >= 252
        assert back.planes[0].min() <= 3

    def test_alpha_of_frames_that_have_none(self, tmp_path):
        with pytest.raises(SinkError, match="only the alpha was asked for"):
            write(tmp_path / "a.mp4", synthetic(frames=1), alpha_only=True)

    def test_alpha_only_passes_notes_on(self, tmp_path):
        sink = write(tmp_path / "a.mp4", synthetic((33, 17), 1, alpha=True), alpha_only=True)
        assert isinstance(sink, AlphaOnly)
        assert "even sides" in sink.notes[0]


class TestImage:
    @pytest.mark.parametrize(("name", "floor"), [("a.png", 90), ("a.jpg", 30), ("a.jpeg", 30), ("a.webp", 28)])
    def test_round_trip(self, tmp_path, name, floor):
        smooth = np.stack([np.tile(np.linspace(20, 230, 33), (17, 1))] * 3, 2).astype(np.uint8)
        frame = Frame(tuple(np.ascontiguousarray(smooth[..., i]) for i in range(3)), PixelFormat.RGB)
        write(tmp_path / name, [frame], StreamInfo(frames=1))
        assert psnr(np.stack(read_image(tmp_path / name).planes, 2), smooth) > floor

    @pytest.mark.parametrize("matrix", ColorMatrix)
    @pytest.mark.parametrize("range", ColorRange)
    def test_jpeg_of_video_frames_has_their_colour(self, tmp_path, matrix, range):
        from livematte._av import fit

        red = Frame(tuple(np.full((16, 16), v, np.uint8) for v in (200, 40, 90)), PixelFormat.RGB)
        frame = fit(red, Size(16, 16), PixelFormat.I420, matrix, range)
        write(tmp_path / "a.jpg", [frame], StreamInfo(frames=1))
        assert [int(p.mean()) for p in read_image(tmp_path / "a.jpg").planes] == pytest.approx([200, 40, 90], abs=6)

    def test_webp_keeps_alpha_and_jpeg_refuses_it(self, tmp_path):
        frame = next(synthetic((33, 17), 1, alpha=True))
        write(tmp_path / "a.webp", [frame], StreamInfo(frames=1))
        with av.open(str(tmp_path / "a.webp")) as container:
            pixels = next(container.decode(video=0)).to_ndarray(format="rgba")
        assert np.abs(pixels[..., 3].astype(int) - frame.alpha).max() <= 1
        with pytest.raises(OptionError, match=r"cannot hold transparency; write \.png"):
            write(tmp_path / "a.jpg", [frame], StreamInfo(frames=1))
        assert left_in(tmp_path) == ["a.webp"]

    def test_quality(self, tmp_path):
        frame = next(synthetic((160, 96), 1))
        for quality in (10, 95):
            write(tmp_path / f"{quality}.jpg", [frame], StreamInfo(frames=1), quality=quality)
        assert (tmp_path / "95.jpg").stat().st_size > 2 * (tmp_path / "10.jpg").stat().st_size
        with pytest.raises(OptionError, match="quality must be from 1 to 100"):
            open_sink(tmp_path / "a.jpg", source_info=StreamInfo(frames=1), quality=0)

    def test_a_second_picture_is_refused(self, tmp_path):
        with pytest.raises(SinkError, match="holds one picture"):
            write("image:" + str(tmp_path / "a.png"), synthetic(frames=2))
        assert left_in(tmp_path) == []


class TestFolder:
    def test_names(self, tmp_path):
        write(f"{tmp_path}/out/p-%03d.webp", synthetic(frames=2))
        assert left_in(tmp_path / "out") == ["p-001.webp", "p-002.webp"]

    def test_it_comes_back_as_it_was(self, tmp_path):
        frames = [read_image(make.still(tmp_path / "in.png", make.picture(i, 17, 9))) for i in range(3)]
        (tmp_path / "out").mkdir()
        write(f"{tmp_path}/out", frames)
        for before, after in zip(frames, read(tmp_path / "out"), strict=True):
            np.testing.assert_array_equal(np.stack(before.planes), np.stack(after.planes))

    def test_it_does_not_mix_into_what_is_there(self, tmp_path):
        (tmp_path / "mine.txt").touch()
        with pytest.raises(SinkError, match="is not an empty folder"):
            write(f"{tmp_path}/", synthetic(frames=1))
        assert left_in(tmp_path) == ["mine.txt"]

    @pytest.mark.parametrize("path", ["out/%s.png", "out/%d-%d.png", "%d/a.png", "out/%d%%.png"])
    def test_bad_patterns(self, path):
        with pytest.raises(OptionError, match="exactly one number"):
            split_pattern(path)

    def test_a_failure_leaves_nothing(self, tmp_path):
        with pytest.raises(RuntimeError):
            write(f"{tmp_path}/out/", broken_off(1))
        assert left_in(tmp_path) == []


class TestRaw:
    @pytest.mark.parametrize("pixels", ["yuv420p", "yuv444p", "rgb24"])
    def test_out_and_in_again(self, pixels):
        frames = list(synthetic((5, 3), 2))
        pipe = io.BytesIO()
        sink = Raw(pixels + ":5x3@30", file=pipe)
        with sink:
            for frame in frames:
                sink.write(frame)
        pipe.seek(0)
        back = list(RawSource(f"{pixels}:5x3@30", file=pipe))
        assert len(back) == 2
        if pixels == "yuv420p":
            for before, after in zip(frames, back, strict=True):
                for a, b in zip(before.planes, after.planes, strict=True):
                    np.testing.assert_array_equal(a, b)

    def test_alpha_needs_a_format_that_holds_it(self):
        frame = next(synthetic((5, 3), 1, alpha=True))
        pipe = io.BytesIO()
        Raw(file=pipe).write(frame)
        np.testing.assert_array_equal(np.frombuffer(pipe.getvalue(), np.uint8).reshape(3, 5, 4)[..., 3], frame.alpha)
        with pytest.raises(OptionError, match="raw rgb24 cannot hold transparency"):
            Raw("rgb24", file=pipe).write(frame)

    def test_a_reader_that_went_away(self):
        class Closed(io.BytesIO):
            def write(self, data):
                raise BrokenPipeError(32, "Broken pipe")

        with pytest.raises(SinkError, match="beyond frame 0: Broken pipe"):
            Raw("rgb24", file=Closed()).write(next(synthetic((5, 3), 1)))

    def test_unknown_format(self):
        with pytest.raises(OptionError, match="raw video can be rgb24"):
            Raw("yuv9000", file=io.BytesIO())


class TestNothingIsLeft:
    @pytest.mark.parametrize("name", ["a.mp4", "a.webm", "a.mov", "a.mkv"])
    @pytest.mark.parametrize("after", [0, 1, 7])
    @pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt])
    def test_after_an_abort(self, tmp_path, name, after, error):
        seen = []
        with pytest.raises(error):
            write(tmp_path / name, broken_off(after, error, lambda: seen.extend(left_in(tmp_path))))
        assert [hidden.startswith(".a.") for hidden in seen] == [True]
        assert left_in(tmp_path) == []

    def test_an_abort_leaves_the_older_file(self, tmp_path):
        (tmp_path / "a.mp4").write_bytes(b"older")
        with pytest.raises(RuntimeError):
            write(tmp_path / "a.mp4", broken_off(1))
        assert (tmp_path / "a.mp4").read_bytes() == b"older"
        write(tmp_path / "a.mp4", synthetic(frames=2))
        assert len(read(tmp_path / "a.mp4")) == 2

    def test_the_input_is_not_written_over(self, tmp_path):
        path = make.clip(tmp_path / "a.mp4", frames=3)
        before = path.read_bytes()
        (tmp_path / "b.mp4").symlink_to(path)
        film = open_source(path)
        for name in ("a.mp4", "b.mp4", "../" + tmp_path.name + "/a.mp4"):
            with (
                pytest.raises(SinkError, match="is the input itself"),
                open_sink(tmp_path / name, source_info=film.info),
            ):
                pass
        assert path.read_bytes() == before
        still = open_source(make.still(tmp_path / "s.png", make.picture(0, 8, 8)))
        with (
            pytest.raises(SinkError, match="is the input itself"),
            open_sink(tmp_path / "s.png", source_info=still.info),
        ):
            pass

    def test_a_link_is_followed(self, tmp_path):
        (tmp_path / "real").mkdir()
        (tmp_path / "link.mp4").symlink_to(tmp_path / "real" / "a.mp4")
        write(tmp_path / "link.mp4", synthetic(frames=2))
        assert (tmp_path / "link.mp4").is_symlink()
        assert left_in(tmp_path / "real") == ["a.mp4"]

    def test_places_that_cannot_be_written_to(self, tmp_path):
        (tmp_path / "file").touch()
        for path, message in (
            (tmp_path / "none" / "a.mp4", "does not exist; make it first"),
            (tmp_path / "file" / "a.mp4", "is not a folder"),
            (Path("/dev/null"), "is not a regular file"),
        ):
            with pytest.raises(SinkError, match=message):
                PartialFile(path)
        with pytest.raises(SinkError, match="does not exist"):
            PartialFolder(tmp_path / "none" / "out")

    def test_a_folder_without_permission(self, tmp_path):
        if not hasattr(os, "geteuid") or os.geteuid() == 0:
            pytest.skip("root may write everywhere; test_a_folder_that_nobody_may_write_to stands in")
        tmp_path.chmod(0o500)
        with pytest.raises(SinkError, match="Permission denied"), open_sink(tmp_path / "a.mp4"):
            pass

    def test_a_folder_that_nobody_may_write_to(self):
        if not Path("/proc/self").is_dir():
            pytest.skip("uses /proc, which takes no new files even from root, and this system has none")
        with pytest.raises(SinkError, match=r"cannot write /proc/.*a\.mp4: "), open_sink("/proc/self/a.mp4"):
            pass

    @pytest.mark.parametrize("name", ["a.mp4", "a.mkv", "a.webm", "out/"])
    def test_a_disk_that_is_full(self, tmp_path, name):
        if not hasattr(os, "geteuid") or os.geteuid() != 0:
            pytest.skip("needs root to mount a small tmpfs; test_no_room_for_more stands in")
        disk = tmp_path / "disk"
        disk.mkdir()
        mounted = subprocess.run(
            ["mount", "-t", "tmpfs", "-o", "size=128k", "tmpfs", str(disk)], capture_output=True, check=False
        )
        if mounted.returncode:
            pytest.skip(f"this system mounts no tmpfs: {mounted.stderr.decode().strip()}")
        try:
            with pytest.raises(SinkError, match="No space left on device"):
                write(f"{disk}/{name}", synthetic((320, 180), 60), **({} if name == "out/" else {"crf": 0}))
            assert left_in(disk) == []
        finally:
            subprocess.run(["umount", str(disk)], check=True)

    @pytest.mark.parametrize("name", ["a.mp4", "a.mkv", "out/"])
    def test_no_room_for_more(self, tmp_path, name):
        """A limit on file sizes fails writes as a full disk does, without privileges."""
        resource = pytest.importorskip("resource", reason="limits on file sizes are a Unix matter")
        soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, hard))
        try:
            with pytest.raises(SinkError, match="File too large"):
                write(f"{tmp_path}/{name}", synthetic((320, 180), 60), **({} if name == "out/" else {"crf": 0}))
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        assert left_in(tmp_path) == []

    def test_long_names(self, tmp_path):
        name = "é" * 120 + ".mp4"
        write(tmp_path / name, synthetic(frames=1))
        assert left_in(tmp_path) == [name]


def test_300_frames_leave_no_threads_or_descriptors(tmp_path):
    if not Path("/proc/self/fd").exists():
        pytest.skip("counts open files in /proc, which this system has not")
    path = make.clip(tmp_path / "in.mp4", frames=300, audio=("aac",), audio_s=10)

    def count():
        return len(list(Path("/proc/self/fd").iterdir())), len(list(Path("/proc/self/task").iterdir()))

    def once(name):
        seen = []
        film = open_source(path)
        sink = open_sink(tmp_path / name, source_info=film.info)
        with film, sink:
            for frame in film:
                sink.write(frame)
                seen.append(count())
        return seen

    once("warm.mp4")
    before = count()
    seen = once("out.mp4")
    assert len(seen) == 300
    assert len(set(seen[150:])) == 1  # flat once the encoder runs
    assert count() == before
    assert threading.active_count() == 1


def test_import_of_the_folder_is_light():
    code = "import sys, livematte.sinks, livematte.sources; print('av' in sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )
    assert done.stdout.strip() == "False"


def test_partial_file_is_dropped_twice_without_complaint(tmp_path):
    partial = PartialFile(tmp_path / "a.bin")
    partial.drop()
    partial.drop()
    with contextlib.suppress(SinkError):
        partial.keep()
    assert left_in(tmp_path) == []
