"""Cameras, screens and network streams: chosen by name, asked of the kernel, read by FFmpeg, lost in words."""

from __future__ import annotations

import errno
import functools
import itertools
import os
import struct
import threading
from collections.abc import Iterator
from fractions import Fraction
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import av
import numpy as np
import pytest

from livematte import ColorMatrix, ColorRange, DeviceLost, OpenError, OptionError, PixelFormat, Size
from livematte._clock import ManualClock
from livematte._stages import Source
from livematte.sources import camera as camera_source
from livematte.sources import open_source, source_name
from livematte.sources._device import Device
from livematte.sources._paced import Paced
from livematte.sources._v4l2 import Camera, Mode, cameras
from livematte.sources.camera import best_mode, choose
from livematte.sources.stream import create as open_stream
from livematte.sources.synthetic import Synthetic

HD, VGA = Size(1280, 720), Size(640, 480)


def lavfi(text: str) -> Device:
    """FFmpeg's own test picture, as if it were a camera."""
    return Device("the test picture", text, "lavfi", {})


class TestDevice:
    def test_it_is_a_source_of_frames_as_the_live_loop_wants_them(self) -> None:
        source = lavfi("testsrc2=size=320x240:rate=30")
        assert isinstance(source, Source)
        assert (source.info.size, source.info.fps) == (Size(320, 240), Fraction(30))
        with source:
            frames = list(itertools.islice(source, 5))
        assert {(f.size, f.format, f.matrix, f.range) for f in frames} == {
            (Size(320, 240), PixelFormat.I420, ColorMatrix.BT601, ColorRange.LIMITED)
        }
        assert all(b.pts > a.pts for a, b in itertools.pairwise(frames))
        source.__exit__(None, None, None)

    @pytest.mark.parametrize("pixels", ["yuv420p", "yuyv422", "nv12", "yuvj422p", "bgr0", "gray"])
    def test_what_cameras_give_becomes_one_kind(self, pixels: str) -> None:
        with lavfi(f"color=c=0xc08040:size=64x48:rate=30,format={pixels}") as source:
            frame = next(iter(source))
        assert frame.format is PixelFormat.I420
        expected = (192, 128, 64) if pixels != "gray" else frame.to_rgb().mean((0, 1))
        np.testing.assert_allclose(frame.to_rgb().reshape(-1, 3).mean(0), expected, atol=4)

    def test_its_end_is_a_loss(self) -> None:
        with lavfi("testsrc2=size=64x48:rate=30:duration=0.2") as source:
            frames = []
            with pytest.raises(DeviceLost, match="the test picture ended"):
                frames.extend(source)
        assert 1 <= len(frames) <= 6

    def test_nothing_there_says_so_in_one_line(self) -> None:
        with pytest.raises(OpenError, match="cannot open the camera: ") as caught:
            Device("the camera", "/dev/video77", None, {}, hint="plug it in")
        assert str(caught.value).endswith("; plug it in")
        assert "\n" not in str(caught.value)

    def test_sound_alone_is_no_video(self) -> None:
        with pytest.raises(OpenError, match="gives no video"):
            lavfi("sine=frequency=440")


class Kernel:
    """A driver as the V4L2 documentation has it: lists end with EINVAL, structures are filled in place."""

    def __init__(self, capabilities: int = 0x84200001, part: int = 0x04200001) -> None:
        self.asked: list[int] = []
        self._capabilities, self._part = capabilities, part
        self.modes = {
            b"MJPG": {(1280, 720): [(1, 30), (1, 15)], (640, 480): [(1, 30)]},
            b"YUYV": {(1280, 720): [(1, 10)], (640, 480): [(1, 30)]},
        }

    def __call__(self, file: int, request: int, answer: bytearray) -> int:
        self.asked.append(request)
        number, size = request & 0xFF, request >> 16 & 0x3FFF
        assert len(answer) == size  # the size is part of the request
        if number == 0:
            struct.pack_into(
                "=16s32s32s3I", answer, 0, b"uvcvideo", b"HD Webcam", b"usb-1", 0x060100, self._capabilities, self._part
            )
            return 0
        index, code = struct.unpack_from("=2I", answer)
        try:
            if number == 2:
                struct.pack_into("=I", answer, 44, int.from_bytes(list(self.modes)[index], "little"))
                return 0
            sizes = self.modes[code.to_bytes(4, "little")]
            if number == 74:
                struct.pack_into("=I2I", answer, 8, 1, *list(sizes)[index])
            elif number == 75:
                width, height = struct.unpack_from("=2I", answer, 8)
                struct.pack_into("=I2I", answer, 16, 1, *sizes[width, height][index])
        except IndexError:
            raise OSError(errno.EINVAL, "no more") from None
        return 0


@pytest.fixture
def plugged(tmp_path: Path) -> tuple[Path, Path]:
    """A camera as sysfs and /dev show it: its second node carries metadata."""
    sysfs, dev = tmp_path / "sysfs", tmp_path / "dev"
    dev.mkdir()
    for node in ("video0", "video10", "video2"):
        (sysfs / node).mkdir(parents=True)
        (sysfs / node / "name").write_text(f"{node} by sysfs\n")
        (dev / node).touch()
    (sysfs / "v4l-subdev0").mkdir()
    return sysfs, dev


class TestV4l2:
    def test_cameras_and_what_they_can_do(self, plugged: tuple[Path, Path]) -> None:
        found = cameras(*plugged, Kernel())
        assert [(c.index, Path(c.path).name, c.name) for c in found] == [
            (0, "video0", "HD Webcam"),
            (2, "video2", "HD Webcam"),
            (10, "video10", "HD Webcam"),
        ]
        assert found[0].modes == (
            Mode("MJPG", HD, Fraction(30)),
            Mode("MJPG", VGA, Fraction(30)),
            Mode("YUYV", HD, Fraction(10)),
            Mode("YUYV", VGA, Fraction(30)),
        )

    def test_a_node_that_captures_nothing_is_none(self, plugged: tuple[Path, Path]) -> None:
        assert cameras(*plugged, Kernel(part=0x04A00000)) == []
        assert cameras(*plugged, Kernel(capabilities=0x00000002)) == []  # an output of an old driver

    def test_one_that_may_not_be_opened_is_named_all_the_same(self, plugged: tuple[Path, Path]) -> None:
        def refused(file: int, request: int, answer: bytearray) -> int:
            raise OSError(errno.EACCES, "no")

        assert cameras(*plugged, refused)[0] == Camera(0, str(plugged[1] / "video0"), "video0 by sysfs")

    def test_sizes_in_a_range(self, plugged: tuple[Path, Path]) -> None:
        class Ranges(Kernel):
            def __call__(self, file: int, request: int, answer: bytearray) -> int:
                if request & 0xFF == 74:
                    struct.pack_into("=I6I", answer, 8, 3, 160, 1920, 8, 120, 1080, 8)
                    return 0
                if request & 0xFF == 75:
                    struct.pack_into("=I6I", answer, 16, 3, 1, 60, 1, 1, 1, 1)
                    return 0
                return super().__call__(file, request, answer)

        modes = cameras(*plugged, Ranges())[0].modes
        assert {mode.size for mode in modes} >= {HD, VGA, Size(1920, 1080)}
        assert {mode.fps for mode in modes} == {Fraction(60)}

    def test_no_folder_is_no_camera(self, tmp_path: Path) -> None:
        assert cameras(tmp_path / "none") == []


WEBCAM = Camera(0, "/dev/video0", "HD Pro Webcam C920", ())
OTHER = Camera(2, "/dev/video2", "Integrated Camera", ())


class TestChoice:
    @pytest.mark.parametrize("named", ["0", "/dev/video0", "HD Pro Webcam C920", "c920", "webcam"])
    def test_by_number_path_name_or_part_of_it(self, named: str) -> None:
        assert choose(named, [WEBCAM, OTHER]) is WEBCAM

    def test_an_unknown_one_lists_those_there_are(self) -> None:
        with pytest.raises(
            OpenError, match=r"no camera is called '7'; there are: 0 \(HD Pro Webcam C920\), 2 \(Integr"
        ):
            choose("7", [WEBCAM, OTHER])
        with pytest.raises(OpenError, match="did you mean 'Integrated Camera'"):
            choose("Integrated Camra", [WEBCAM, OTHER])
        with pytest.raises(OpenError, match="several cameras are called 'cam'"):
            choose("cam", [WEBCAM, OTHER])
        with pytest.raises(OpenError, match="none is plugged in"):
            choose("0", [])

    def test_the_mode_is_quick_enough_then_near_then_cheap(self) -> None:
        modes = (
            Mode("MJPG", HD, Fraction(30)),
            Mode("MJPG", Size(1920, 1080), Fraction(30)),
            Mode("YUYV", HD, Fraction(10)),
            Mode("YUYV", VGA, Fraction(30)),
            Mode("H264", HD, Fraction(60)),
        )
        assert best_mode(modes, HD, Fraction(30)) == Mode("MJPG", HD, Fraction(30))
        assert best_mode(modes, HD, Fraction(10)) == Mode("YUYV", HD, Fraction(10))
        assert best_mode(modes, VGA, Fraction(30)) == Mode("YUYV", VGA, Fraction(30))
        assert best_mode(modes, Size(1600, 900), Fraction(30)) == Mode("MJPG", Size(1920, 1080), Fraction(30))
        assert best_mode(modes[4:], HD, Fraction(30)) is None

    def test_what_ffmpeg_is_asked_for(self, monkeypatch: pytest.MonkeyPatch) -> None:
        asked: list[tuple[object, ...]] = []
        camera = Camera(3, "/dev/video3", "Cam", (Mode("MJPG", HD, Fraction(30)), Mode("YUYV", VGA, Fraction(30))))
        monkeypatch.setattr(camera_source, "found", lambda: [camera])
        monkeypatch.setattr(camera_source, "Device", lambda *words, **more: asked.append(words))
        for system, url, format, key in (
            ("Linux", "/dev/video3", "v4l2", ("input_format", "mjpeg")),
            ("Darwin", "3:none", "avfoundation", ("video_size", "1280x720")),
            ("Windows", "video=/dev/video3", "dshow", ("vcodec", "mjpeg")),
        ):
            monkeypatch.setattr(camera_source.platform, "system", lambda system=system: system)
            camera_source.create("3")
            what, *given, options = asked.pop()
            assert (what, given) == ("camera 3 (Cam)", [url, format])
            assert key in options.items()
            assert (options["video_size"], options["framerate"]) == ("1280x720", "30/1")
        with pytest.raises(OptionError, match="gives no nv12; it gives MJPG, YUYV"):
            camera_source.create("3", pixels="nv12")
        with pytest.raises(OptionError, match="pixels must be"):
            camera_source.create("3", pixels="h264")


@pytest.fixture
def site(tmp_path: Path) -> Iterator[str]:
    """A web server of a short clip."""
    with av.open(str(tmp_path / "clip.mkv"), "w") as container:
        stream = container.add_stream("mpeg4", rate=30)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        for index in range(12):
            picture = av.VideoFrame.from_ndarray(np.full((72, 64), 100, np.uint8), format="yuv420p")
            picture.pts, picture.time_base = index, Fraction(1, 30)
            container.mux(stream.encode(picture))
        container.mux(stream.encode(None))

    class Quiet(SimpleHTTPRequestHandler):
        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Quiet, directory=str(tmp_path)))
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()
    thread.join()


class TestStream:
    def test_it_is_read_and_its_end_is_a_loss(self, site: str) -> None:
        source = open_source(f"{site}/clip.mkv")
        assert source.info.size == (64, 48)
        frames = []
        with pytest.raises(DeviceLost, match="ended"), source:
            frames.extend(source)
        assert len(frames) >= 8
        assert {frame.size for frame in frames} == {(64, 48)}

    def test_nothing_answers(self) -> None:
        with pytest.raises(OpenError, match=r"cannot open rtsp://127\.0\.0\.1:9/room") as caught:
            open_stream("rtsp://me:secret@127.0.0.1:9/room?key=123")
        assert "secret" not in str(caught.value)
        assert "123" not in str(caught.value)

    def test_silence_ends(self) -> None:
        with pytest.raises(OpenError, match="cannot open udp:"):
            open_stream("udp://127.0.0.1:46999", timeout_s=0.3)

    def test_a_playlist_may_not_open_files_of_this_machine(self, site: str, tmp_path: Path) -> None:
        (tmp_path / "list.m3u8").write_text(
            f"#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\nfile://{tmp_path}/clip.mkv\n#EXT-X-ENDLIST\n"
        )
        with pytest.raises((OpenError, DeviceLost)):
            list(open_stream(f"{site}/list.m3u8", timeout_s=3))

    def test_an_address_is_a_stream_and_all_else_is_not(self, tmp_path: Path) -> None:
        assert source_name("rtsp://host/room") == ("stream", "rtsp://host/room")
        assert source_name("camera:0") == ("camera", "0")
        assert source_name("screen:") == ("screen", "")
        assert source_name("talk.mp4") == ("file", "talk.mp4")
        for wrong in ("talk.mp4", "gopher://host/", "", None):
            with pytest.raises(OptionError, match="begins with"):
                open_stream(wrong)


class TestScreen:
    def test_without_a_display_it_says_what_to_do(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.delenv("DISPLAY", raising=False)
        monkeypatch.setattr("livematte.sources.screen.platform.system", lambda: "Linux")
        with pytest.raises(OpenError, match="Wayland"):
            open_source("screen:")

    def test_a_part_of_it(self, monkeypatch: pytest.MonkeyPatch) -> None:
        from livematte.sources import screen

        asked: list[tuple[object, ...]] = []
        monkeypatch.setenv("DISPLAY", ":5")
        monkeypatch.setattr(screen.platform, "system", lambda: "Linux")
        monkeypatch.setattr(screen, "Device", lambda *words, **more: asked.append(words))
        screen.create("800x600+10+20", fps=15)
        assert asked[-1][1:] == (":5+10,20", "x11grab", {"video_size": "800x600", "framerate": "15/1"})
        with pytest.raises(OptionError, match="as in screen:1280x720"):
            screen.create("left half")

    def test_it_is_read(self) -> None:
        if not os.environ.get("DISPLAY"):
            pytest.skip("DISPLAY is not set: there is no X server to read")
        with open_source("screen:64x48+0+0") as source:
            assert next(iter(source)).size == (64, 48)


def test_a_recording_is_played_at_its_own_speed() -> None:
    clock, waits = ManualClock(), []

    def sleep(seconds: float) -> None:
        waits.append(seconds)
        clock.advance_ms(1000 * seconds)

    with Paced(Synthetic(Size(16, 9), fps=10, frames=4), clock, sleep) as source:
        for index, frame in enumerate(source):
            assert frame.pts == index
            assert clock() == pytest.approx((0, 1e8, 2.5e8, 3e8)[index])
            if index == 1:
                clock.advance_ms(150)  # who reads is late: the next ones come at once
    assert waits == pytest.approx([0.1, 0.05])
