"""Video files: pictures, times and sound come back as they went in."""

from __future__ import annotations

import importlib.util
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
from livematte._frame import ColorMatrix, ColorRange, Frame, PixelFormat
from livematte._stages import StreamInfo
from livematte.sinks import _audio, open_sink, sink_name
from livematte.sinks import _codecs as codecs
from livematte.sources import open_source

spec = importlib.util.spec_from_file_location("media_make", Path(__file__).parents[1] / "media" / "make.py")
make = importlib.util.module_from_spec(spec)
spec.loader.exec_module(make)

read = make.read
write = make.write
times = make.times
synthetic = make.synthetic
psnr = make.psnr
left_in = make.left_in

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

    def test_what_players_do_not_play_is_encoded_anew(self, tmp_path, monkeypatch):
        # PyAV's FFmpeg cannot encode Vorbis, so Opus stands for it here.
        assert ("mp4", "vorbis") in _audio.UNPLAYED
        monkeypatch.setattr(_audio, "UNPLAYED", {("mp4", "opus")})
        film = open_source(make.clip(tmp_path / "in.mkv", frames=30, audio=("libopus",), audio_s=1.0))
        with film:
            sink = write(tmp_path / "out.mp4", film, film.info)
        assert [("anew as AAC" in note, "opus" in note) for note in sink.notes] == [(True, True)]
        with av.open(str(tmp_path / "out.mp4")) as container:
            assert container.streams.audio[0].codec_context.name == "aac"

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
