"""Alpha, stills, folders of stills, and raw pipes."""

from __future__ import annotations

import importlib.util
import io
from dataclasses import replace
from pathlib import Path

import av
import numpy as np
import pytest

from livematte._errors import OptionError, SinkError
from livematte._frame import ColorMatrix, ColorRange, Frame, PixelFormat, Size
from livematte._stages import StreamInfo
from livematte.sinks import AlphaOnly, open_sink
from livematte.sinks.folder import split_pattern
from livematte.sinks.raw import Raw
from livematte.sources import FileInfo, open_source
from livematte.sources._still import read_image
from livematte.sources.raw import Raw as RawSource

spec = importlib.util.spec_from_file_location("media_make", Path(__file__).parents[1] / "media" / "make.py")
make = importlib.util.module_from_spec(spec)
spec.loader.exec_module(make)

read = make.read
write = make.write
synthetic = make.synthetic
psnr = make.psnr
left_in = make.left_in


def broken_off(after, error=RuntimeError, before=lambda: None):
    """A stream that fails after so many frames."""
    if after:
        yield from synthetic(frames=after)
    before()
    raise error


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

    def test_pictures_of_a_folder_keep_their_names_and_formats(self, tmp_path):
        (tmp_path / "in").mkdir()
        for name in ("zoe.jpg", "Bob.JPEG", "9.png", "10.webp", "scan.tiff"):
            make.still(tmp_path / "in" / name, make.picture(0, 16, 8))
        photos = open_source(tmp_path / "in")
        plain = list(photos)
        alpha = [replace(frame, alpha=np.zeros((8, 16), np.uint8)) for frame in plain]
        for folder, frames, options, names in (
            ("out", plain, {}, ["10.webp", "9.png", "Bob.JPEG", "scan.png", "zoe.jpg"]),
            ("alpha", alpha, {}, ["10.webp", "9.png", "Bob.png", "scan.png", "zoe.png"]),
            ("matte", alpha, {"alpha_only": True}, ["10.png", "9.png", "Bob.png", "scan.png", "zoe.png"]),
            ("numbered/%d.png", plain, {}, ["1.png", "2.png", "3.png", "4.png", "5.png"]),
        ):
            with open_sink(
                f"{tmp_path}/{folder}" + ("" if "%" in folder else "/"), source_info=photos.info, **options
            ) as sink:
                for frame in frames:
                    sink.write(frame)
            assert left_in(tmp_path / folder.partition("/")[0]) == names

    def test_an_own_name_is_that_of_its_picture(self, tmp_path):
        (tmp_path / "in").mkdir()
        for index, name in enumerate(("2.png", "10.png", "a.png")):
            make.still(tmp_path / "in" / name, make.picture(index, 16, 8))
        write(f"{tmp_path}/out/", open_source(tmp_path / "in"), info=open_source(tmp_path / "in").info)
        for name in left_in(tmp_path / "in"):
            before, after = (read_image(tmp_path / folder / name) for folder in ("in", "out"))
            np.testing.assert_array_equal(np.stack(before.planes), np.stack(after.planes))

    @pytest.mark.parametrize("names", [("alice.jpg", "alice.png"), ("alice.jpg", "Alice.jpg")])
    def test_two_that_would_share_a_name(self, tmp_path, names):
        info = FileInfo(names=names)
        with pytest.raises(OptionError, match=r"might both become .*rename one of them, or number .*out/%05d\.png"):
            open_sink(f"{tmp_path}/out/", source_info=info)
        open_sink(f"{tmp_path}/out/%05d.png", source_info=info)

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
