"""Stills, folders of stills, raw pipes, and the synthetic room."""

from __future__ import annotations

import importlib.util
import io
import os
import subprocess
import sys
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from livematte._errors import OpenError, OptionError, SourceError
from livematte._frame import PixelFormat, Size
from livematte.sources import open_source
from livematte.sources._exif import exif_orientation
from livematte.sources._still import read_image
from livematte.sources.folder import natural_key
from livematte.sources.raw import Raw
from livematte.sources.synthetic import Synthetic, legibility, marker_box, room

spec = importlib.util.spec_from_file_location("media_make", Path(__file__).parents[1] / "media" / "make.py")
make = importlib.util.module_from_spec(spec)
spec.loader.exec_module(make)


read = make.read
times = make.times


class TestImage:
    def test_png_is_exact(self, tmp_path):
        rgb = make.picture(0, 33, 17)
        frames = read(make.still(tmp_path / "a.png", rgb))
        assert len(frames) == 1
        np.testing.assert_array_equal(np.stack(frames[0].planes, 2), rgb)
        assert frames[0].format is PixelFormat.RGB

    def test_sixteen_bits_and_grey(self, tmp_path):
        deep = np.linspace(0, 65535, 64).astype(">u2").reshape(8, 8)
        grey = read(make.still(tmp_path / "g.png", None, pix_fmt="gray16be", array=deep.astype(np.uint16)))[0]
        assert (grey.planes[0].min(), grey.planes[0].max()) == (0, 255)
        np.testing.assert_array_equal(grey.planes[0], grey.planes[2])
        colour = np.stack((deep, deep[::-1], deep.T), 2).astype(np.uint16)
        rgb = read(make.still(tmp_path / "c.png", None, pix_fmt="rgb48be", array=colour))[0]
        assert np.abs(np.stack(rgb.planes, 2).astype(int) - (colour >> 8)).max() <= 1

    def test_jpeg_is_full_range_bt601(self, tmp_path):
        rgb = np.full((800, 16, 3), (200, 40, 90), np.uint8)  # 800 rows: untagged video would be BT.709
        image = read_image(make.still(tmp_path / "a.jpg", rgb, "mjpeg", "yuvj444p"))
        assert [int(p.mean()) for p in image.planes] == pytest.approx([200, 40, 90], abs=4)

    def test_webp_is_bt601_at_any_size(self, tmp_path):
        rgb = np.full((800, 16, 3), (200, 40, 90), np.uint8)
        image = read_image(make.still(tmp_path / "a.webp", rgb, "libwebp", "yuv420p"))
        assert [int(p.mean()) for p in image.planes] == pytest.approx([200, 40, 90], abs=6)

    @pytest.mark.parametrize("order", "<>")
    @pytest.mark.parametrize("number", range(1, 9))
    def test_exif_orientation(self, tmp_path, number, order):
        path = make.still(tmp_path / "a.jpg", make.picture(0, 48, 32), "mjpeg", "yuvj444p")
        path.write_bytes(make.with_exif(path.read_bytes(), number, order))
        assert exif_orientation(path.read_bytes()) == number
        image = read_image(path)
        assert image.size == ((48, 32) if number < 5 else (32, 48))
        green = image.planes[1]
        row, column = {1: (0, 0), 2: (0, -1), 3: (-1, -1), 4: (-1, 0), 5: (0, 0), 6: (0, -1), 7: (-1, -1), 8: (-1, 0)}[
            number
        ]
        assert green[row, column] > 200  # the white square of the upper left

    def test_exif_of_png_and_webp(self):
        tiff = make.with_exif(b"\xff\xd8", 6)[12:]
        png = b"\x89PNG\r\n\x1a\n" + len(tiff).to_bytes(4, "big") + b"eXIf" + tiff + b"crc."
        webp = b"RIFF\0\0\0\0WEBP" + b"VP8X\x03\0\0\0abc\0" + b"EXIF" + len(tiff).to_bytes(4, "little") + tiff
        assert exif_orientation(png) == exif_orientation(webp) == 6

    @pytest.mark.parametrize(
        "data",
        [
            b"",
            b"\xff\xd8",
            b"\xff\xd8\xff\xe1\0\x04",
            b"\x89PNG\r\n\x1a\n\xff\xff\xff\xffeXIf",
            make.with_exif(b"\xff\xd8", 6)[:-8],
            make.with_exif(b"\xff\xd8", 77),
        ],
    )
    def test_exif_nonsense_is_none(self, data):
        assert exif_orientation(data) is None

    def test_a_colour_profile_is_no_trouble_to_the_collector(self, astronaut_path):
        """In a process of its own: PyAV's side data would crash it."""
        code = f"""
import gc
from livematte.sources import open_source
for _ in range(3):
    print(len(list(open_source({str(astronaut_path)!r}))))
    gc.collect()
"""
        done = subprocess.run(
            [sys.executable, "-c", code],
            capture_output=True,
            text=True,
            check=False,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        )
        assert (done.returncode, done.stdout.split(), done.stderr) == (0, ["1"] * 3, "")

    def test_not_an_image(self, tmp_path):
        path = tmp_path / "a.png"
        path.write_bytes(b"no image at all, whatever the suffix says")
        with pytest.raises(OpenError, match="not an image"):
            open_source(path)
        with pytest.raises(OpenError, match="cannot read the image"):
            open_source(tmp_path / "none.png")

    @pytest.mark.parametrize("kept", [0.5, 0.9])
    def test_a_jpeg_that_is_cut_off_is_refused(self, tmp_path, kept):
        whole = make.still(tmp_path / "a.jpg", make.picture(0, 96, 64), "mjpeg", "yuvj420p").read_bytes()
        cut = tmp_path / "cut.jpg"
        cut.write_bytes(whole[: int(len(whole) * kept)])
        with pytest.raises(OpenError, match="damaged"):
            open_source(cut)
        folder = tmp_path / "frames"
        folder.mkdir()
        (folder / "1.jpg").write_bytes(whole)
        cut.rename(folder / "2.jpg")
        with open_source(folder) as source, pytest.raises(SourceError, match="after 1 images of 2"):
            list(source)
        assert [frame.size for frame in read(folder, keep_broken=True)] == [(96, 64)] * 2
        assert read(folder / "2.jpg", keep_broken=True)[0].size == (96, 64)

    def test_a_jpeg_without_its_end_mark_is_whole(self, tmp_path):
        path = make.still(tmp_path / "a.jpg", make.picture(0, 96, 64), "mjpeg", "yuvj420p")
        wanted = read(path)[0].planes
        path.write_bytes(path.read_bytes()[:-2])
        for got, plane in zip(read(path)[0].planes, wanted, strict=True):
            np.testing.assert_array_equal(got, plane)

    def test_names_are_no_patterns(self, tmp_path):
        path = make.still(tmp_path / "100%d [a]*.png", make.picture(0, 8, 8))
        assert read(path)[0].size == (8, 8)


class TestFolder:
    def test_natural_order_and_times(self, tmp_path):
        for number in (10, 9, 1, 100):
            make.still(tmp_path / f"f{number}.png", np.full((4, 4, 3), number, np.uint8))
        (tmp_path / "notes.txt").write_text("not an image")
        (tmp_path / ".hidden.png").write_bytes(b"")
        frames = read(tmp_path, fps="30000/1001")
        assert [int(frame.planes[0][0, 0]) for frame in frames] == [1, 9, 10, 100]
        assert times(frames) == [i * Fraction(1001, 30000) for i in range(4)]

    def test_order_of_names(self):
        names = ["b2", "a10", "A9", "a1b", "a1", "7", "10"]
        assert sorted(map(Path, names), key=natural_key) == list(map(Path, ["7", "10", "a1", "a1b", "A9", "a10", "b2"]))

    def test_formats_and_sizes_may_mix(self, tmp_path):
        make.still(tmp_path / "1.png", make.picture(0, 8, 6))
        make.still(tmp_path / "2.jpg", make.picture(0, 9, 5), "mjpeg", "yuvj420p")
        make.still(tmp_path / "3.bmp", make.picture(0, 7, 7), "bmp", "bgr24")
        assert [frame.size for frame in read(tmp_path)] == [(8, 6), (9, 5), (7, 7)]

    def test_nothing_in_it(self, tmp_path):
        with pytest.raises(OpenError, match="there is no image"):
            open_source(tmp_path)

    def test_a_broken_one_says_how_far_it_got(self, tmp_path):
        make.still(tmp_path / "1.png", make.picture(0, 8, 6))
        (tmp_path / "2.png").write_bytes(b"broken")
        with open_source(tmp_path) as source, pytest.raises(SourceError, match="after 1 images of 2"):
            list(source)


class TestRaw:
    def test_rgb(self):
        pixels = np.arange(2 * 3 * 5 * 3, dtype=np.uint8)
        frames = list(Raw("rgb24:5x3@50", file=io.BytesIO(pixels.tobytes())))
        assert times(frames) == [0, Fraction(1, 50)]
        np.testing.assert_array_equal(np.stack(frames[1].planes, 2).ravel(), pixels[45:])

    @pytest.mark.parametrize("pixels", ["yuv420p", "yuv444p", "gray"])
    def test_planes(self, pixels):
        count = {"yuv420p": 15 + 2 * 6, "yuv444p": 45, "gray": 15}[pixels]
        data = np.random.default_rng(0).integers(0, 256, count, dtype=np.uint8)
        frame = next(iter(Raw(f"{pixels}:5x3", file=io.BytesIO(data.tobytes()))))
        got = np.concatenate([plane.ravel() for plane in frame.planes])[:count]
        np.testing.assert_array_equal(got, data)

    @pytest.mark.parametrize("pixels", ["bgr24", "rgba", "bgra", "yuv422p", "nv12"])
    def test_every_format_is_read_frame_by_frame(self, pixels):
        picture = av.VideoFrame.from_ndarray(make.picture(0, 6, 4), "rgb24").reformat(format=pixels)
        count = {"bgr24": 72, "rgba": 96, "bgra": 96, "yuv422p": 48, "nv12": 36}[pixels]
        frames = list(Raw(f"{pixels}:6x4", file=io.BytesIO(bytes(count * 3))))
        assert (len(frames), frames[0].size, picture.format.name) == (3, (6, 4), pixels)

    def test_a_pipe_that_gives_pieces(self):
        class Dripping(io.RawIOBase):
            left = 2 * 48

            def read(self, count=-1):
                part = min(count, 7, self.left)
                self.left -= part
                return bytes(part)

        assert len(list(Raw("rgb24:4x4", file=Dripping()))) == 2

    def test_half_a_frame_is_an_error(self):
        source = iter(Raw("rgb24:4x4@25", file=io.BytesIO(bytes(60))))
        next(source)
        with pytest.raises(SourceError, match="ended inside frame 2: 12 of 48 bytes"):
            next(source)

    @pytest.mark.parametrize("text", [None, "", "rgb24", "rgb24:0x4", "xyz:4x4", "rgb24:4x4@0", "rgb24:99999x4"])
    def test_formats_that_are_none(self, text):
        with pytest.raises(OptionError):
            open_source("-", format=text)


class TestSynthetic:
    def test_same_every_time(self):
        for one, two in zip(read("synthetic:64x36*3"), read("synthetic:64x36*3"), strict=True):
            for a, b in zip(one.planes, two.planes, strict=True):
                np.testing.assert_array_equal(a, b)

    def test_the_picture_is_the_matte_over_the_room(self):
        source, empty = Synthetic(Size(160, 90)), room(Size(160, 90))
        alpha, frame = source.true_alpha(7), source.frame(7)
        np.testing.assert_array_equal(frame.planes[0][alpha == 0], empty[0][alpha == 0])
        assert 0.1 < alpha.mean() < 0.4
        assert ((alpha > 0) & (alpha < 1)).sum() > 100
        clear = np.abs(frame.planes[0].astype(int) - empty[0])[alpha == 1]
        assert np.median(clear) > 10

    def test_the_figure_moves(self):
        source = Synthetic(Size(160, 90))
        assert np.abs(source.true_alpha(0) - source.true_alpha(15)).sum() > 100

    @pytest.mark.parametrize("size", [(640, 360), (90, 160), (100, 100), (33, 17)])
    def test_the_marker_is_never_covered_and_can_be_read(self, size):
        source = Synthetic(Size(*size))
        left, top, right, bottom = marker_box(Size(*size))
        for index in range(0, 60, 5):
            assert source.true_alpha(index)[top:bottom, left:right].max() == 0
            assert legibility(source.frame(index).planes[0]) == pytest.approx(1)

    def test_other_pictures_do_not_show_the_marker(self):
        assert legibility(np.full((90, 160), 128, np.uint8)) == 0
        noise = np.random.default_rng(1).integers(0, 256, (360, 640), dtype=np.uint8)
        assert abs(legibility(noise)) < 0.1
        assert legibility(255 - room(Size(160, 90))[0]) == pytest.approx(-1)

    @pytest.mark.parametrize("size", [(1, 1), (2, 1), (3, 5)])
    def test_tiny(self, size):
        frame = Synthetic(Size(*size), frames=1).frame(0)
        assert frame.size == size
        assert legibility(frame.planes[0]) == 0

    def test_spelling(self):
        info = open_source("synthetic:64x36@24*7").info
        assert (info.size, info.fps, info.frames) == ((64, 36), 24, 7)
        assert open_source("synthetic:", frames=3, fps=10).info.frames == 3

    @pytest.mark.parametrize("argument", ["64", "64x36x3", "0x4", "64x36*0", "64x36@0"])
    def test_bad_spelling(self, argument):
        with pytest.raises(OptionError):
            open_source("synthetic:" + argument)
