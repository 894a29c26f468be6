"""v4l2loopback without the module: the calls, their order and their bytes, against the kernel's own header."""

from __future__ import annotations

import errno
import importlib.util
import os
import platform
import struct
import subprocess
import sys
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from livematte._errors import SinkError
from livematte._frame import ColorMatrix, Frame, Size
from livematte._stages import StreamInfo
from livematte.sinks import v4l2
from livematte.sinks.v4l2 import V4L2
from livematte.sources.synthetic import Synthetic

spec = importlib.util.spec_from_file_location("fakes", Path(__file__).parents[1] / "contract" / "fakes.py")
fakes = importlib.util.module_from_spec(spec)
spec.loader.exec_module(fakes)
FakeKernel = fakes.FakeKernel

SHIM = Path(__file__).parents[1] / "media" / "fake_v4l2.c"


def figure(size=(64, 48), index=0):
    frame = Synthetic(Size(*size)).frame(index)
    return Frame(frame.planes, matrix=ColorMatrix.BT601)


def planes_of(data, size):
    """Y, U and V of a YU12 picture."""
    width, height = size
    y, u = width * height, width // 2 * (height // 2)
    flat = np.frombuffer(data, np.uint8)
    chroma = (height // 2, width // 2)
    return flat[:y].reshape(height, width), flat[y : y + u].reshape(chroma), flat[y + u :].reshape(chroma)


@pytest.fixture
def nodes(monkeypatch, tmp_path):
    """`nodes("Webcam", "Livematte")`: video devices that sysfs lists, from 0 on."""
    monkeypatch.setattr(v4l2, "SYSFS", tmp_path)

    def make(*labels):
        for index, label in enumerate(labels):
            (tmp_path / f"video{index}").mkdir()
            (tmp_path / f"video{index}" / "name").write_text(label + "\n")

    return make


class TestKernelHeader:
    """The shim is compiled against linux/videodev2.h: numbers and structures cannot agree by accident."""

    @pytest.fixture
    def shim(self, tmp_path):
        if sys.platform != "linux":
            pytest.skip("Video for Linux is Linux's")
        pytest.importorskip("ziglang", reason="ziglang compiles the device")
        library = tmp_path / "fake_v4l2.so"
        target = f"{platform.machine()}-linux-gnu.2.28"
        command = [sys.executable, "-m", "ziglang", "cc", "-target", target, "-shared", "-fPIC", "-O1"]
        subprocess.run([*command, str(SHIM), "-o", str(library), "-ldl"], check=True, capture_output=True)
        return library

    def test_calls_and_bytes(self, shim, tmp_path):
        code = """
import numpy as np
from fractions import Fraction
from livematte._frame import ColorMatrix, Size
from livematte._stages import StreamInfo
from livematte.sinks import open_sink
from livematte.sources.synthetic import Synthetic
with open_sink("v4l2:/dev/video9", source_info=StreamInfo(fps=Fraction(30000, 1001))) as sink:
    for index in range(3):
        sink.write(Synthetic(Size(1280, 720)).frame(index))
assert sink.notes == ["the camera 'Shim' was /dev/video9"], sink.notes
"""
        environment = os.environ | {
            "LD_PRELOAD": str(shim),
            "FAKE_LOG": str(tmp_path / "log"),
            "FAKE_PICTURES": str(tmp_path / "pictures"),
            "PYTHONPATH": os.pathsep.join(sys.path),
        }
        done = subprocess.run(
            [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=False, timeout=60
        )
        assert done.returncode == 0, done.stderr
        assert (tmp_path / "log").read_text().splitlines() == [
            "open rdwr=1 nonblock=1",
            "querycap",
            "s_fmt type=2 1280x720 YU12 field=1 stride=1280 image=1382400 colorspace=3 priv=feedcafe encoding=2 "
            "range=2 transfer=0",
            "s_parm type=2 1001/30000",
            "write 1382400",
            "write 1382400",
            "write 1382400",
            "close",
        ]
        written = (tmp_path / "pictures").read_bytes()
        for index in range(3):
            frame = Synthetic(Size(1280, 720)).frame(index)
            got = planes_of(written[index * 1382400 : (index + 1) * 1382400], (1280, 720))
            for plane, want in zip(got, frame.planes, strict=True):
                np.testing.assert_array_equal(plane, want)


class TestStructures:
    def test_sizes_are_the_kernels(self):
        assert v4l2.CAPABILITY.size == 104
        assert v4l2.PARAMETERS.size == 204
        assert v4l2.FORMAT.size == (208 if struct.calcsize("P") == 8 else 204)

    @pytest.mark.skipif(struct.calcsize("P") != 8, reason="the numbers hold a structure's size, here of 64 bits")
    def test_numbers_are_the_kernels(self):
        assert (v4l2.QUERYCAP, v4l2.G_FMT, v4l2.S_FMT, v4l2.S_PARM) == (
            FakeKernel.QUERYCAP,
            FakeKernel.G_FMT,
            FakeKernel.S_FMT,
            FakeKernel.S_PARM,
        )


@pytest.mark.skipif(struct.calcsize("P") != 8, reason="the fake driver is one of 64 bits")
class TestPictures:
    def test_order(self):
        kernel = FakeKernel()
        with V4L2("/dev/video9", kernel=kernel, source_info=StreamInfo(fps=Fraction(25))) as sink:
            for index in range(2):
                sink.write(figure(index=index))
        assert [call[:2] if call[0] != "close" else call for call in kernel.calls] == [
            ("open", "/dev/video9"),
            ("ioctl", kernel.QUERYCAP),
            ("ioctl", kernel.S_FMT),
            ("ioctl", kernel.S_PARM),
            ("write", 64 * 48 * 3 // 2),
            ("write", 64 * 48 * 3 // 2),
            ("close",),
        ]
        for index, picture in enumerate(kernel.pictures):
            for got, want in zip(planes_of(picture, (64, 48)), figure(index=index).planes, strict=True):
                np.testing.assert_array_equal(got, want)

    def test_packed_where_planar_is_refused(self):
        kernel = FakeKernel(formats=(b"YUYV",))
        frame = figure()
        with V4L2("/dev/video9", kernel=kernel) as sink:
            sink.write(frame)
        packed = np.frombuffer(kernel.pictures[0], np.uint8).reshape(48, 64, 2)
        np.testing.assert_array_equal(packed[..., 0], frame.planes[0])
        np.testing.assert_array_equal(packed[::2, ::2, 1], frame.planes[1])
        np.testing.assert_array_equal(packed[1::2, 1::2, 1], frame.planes[2])

    @pytest.mark.parametrize("padding", [16, 64])
    def test_rows_with_gaps(self, padding):
        kernel = FakeKernel(padding=padding)
        frame = figure()
        with V4L2("/dev/video9", kernel=kernel) as sink:
            sink.write(frame)
        got = planes_of(kernel.pictures[0], (64 + padding, 48))
        np.testing.assert_array_equal(got[0][:, :64], frame.planes[0])
        np.testing.assert_array_equal(got[1][:, :32], frame.planes[1])

    @pytest.mark.parametrize("size", [(1, 1), (33, 17), (63, 48)])
    def test_odd_sizes_become_even(self, size):
        kernel = FakeKernel()
        with V4L2("/dev/video9", kernel=kernel) as sink:
            sink.write(figure(size))
        assert kernel.format[:2] == (size[0] + size[0] % 2, size[1] + size[1] % 2)

    def test_the_size_stays(self):
        kernel = FakeKernel()
        with V4L2("/dev/video9", kernel=kernel) as sink:
            sink.write(figure())
            sink.write(figure((128, 96)))
            sink.write(figure((20, 90)))
        assert {len(picture) for picture in kernel.pictures} == {64 * 48 * 3 // 2}
        assert len([call for call in kernel.calls if call[:2] == ("ioctl", kernel.S_FMT)]) == 1

    def test_the_size_that_the_driver_insists_on(self):
        kernel = FakeKernel(size=(320, 240))
        with V4L2("/dev/video9", kernel=kernel) as sink:
            sink.write(figure())
        assert [len(picture) for picture in kernel.pictures] == [320 * 240 * 3 // 2]

    def test_a_format_that_a_reader_holds(self):
        kernel = FakeKernel(size=(320, 240), formats=(b"YUYV",), errors={FakeKernel.S_FMT: errno.EBUSY})
        with V4L2("/dev/video9", kernel=kernel) as sink:
            sink.write(figure())
        assert [len(picture) for picture in kernel.pictures] == [320 * 240 * 2]

    def test_no_room_drops_the_frame(self):
        kernel = FakeKernel()
        with V4L2("/dev/video9", kernel=kernel) as sink:
            sink.write(figure())
            kernel.full = True
            sink.write(figure())
            kernel.full = False
            sink.write(figure())
        assert (sink.dropped, len(kernel.pictures)) == (1, 2)


@pytest.mark.skipif(struct.calcsize("P") != 8, reason="the fake driver is one of 64 bits")
class TestErrors:
    @pytest.mark.parametrize(
        ("errors", "match"),
        [
            ({"open": errno.ENOENT}, "there is no device /dev/video9; make one: sudo modprobe v4l2loopback"),
            ({"open": errno.EACCES}, "/dev/video9 may not be written by this user; join the group video"),
            ({"open": errno.EBUSY}, "another program writes to /dev/video9; close it"),
            ({FakeKernel.QUERYCAP: errno.ENOTTY}, "/dev/video9 is no video device"),
        ],
    )
    def test_opening(self, errors, match):
        kernel = FakeKernel(errors=errors)
        with pytest.raises(SinkError, match=match) as caught, V4L2("/dev/video9", kernel=kernel):
            pass
        assert "\n" not in str(caught.value)
        assert kernel.calls.count(("close",)) == ("open" not in errors)

    def test_a_camera(self):
        kernel = FakeKernel(capabilities=1)
        with pytest.raises(SinkError, match="is a camera that takes no pictures"), V4L2("/dev/video9", kernel=kernel):
            pass
        assert kernel.calls[-1] == ("close",)

    def test_no_format_in_common(self):
        sink = V4L2("/dev/video9", kernel=FakeKernel(formats=(b"MJPG",)))
        with pytest.raises(SinkError, match=r"takes neither YU12 nor YUYV pictures of 64x48.*v4l2loopback-ctl"), sink:
            sink.write(figure())

    def test_the_module_goes(self):
        kernel = FakeKernel(errors={"write": errno.ENODEV})
        with (
            pytest.raises(SinkError, match="/dev/video9 takes no more frames"),
            V4L2("/dev/video9", kernel=kernel) as it,
        ):
            it.write(figure())


class TestWhichDevice:
    def test_none(self, nodes):
        nodes()
        with pytest.raises(SinkError, match="there is no v4l2loopback device; install v4l2loopback-dkms"):
            V4L2(kernel=FakeKernel())

    def test_the_first_loopback_device(self, nodes):
        nodes("Webcam", "Dummy")

        class Two(FakeKernel):
            def open(self, path):
                self.capabilities, self.driver = (1, b"uvcvideo") if path.endswith("0") else (2, b"v4l2 loopback")
                return super().open(path)

        assert V4L2(kernel=Two()).path == "/dev/video1"

    def test_one_that_may_not_be_written(self, nodes):
        nodes("Dummy")
        with pytest.raises(SinkError, match="/dev/video0 may not be written by this user"):
            V4L2(kernel=FakeKernel(errors={"open": errno.EACCES}))

    def test_by_label_and_number(self, nodes):
        nodes("Webcam", "Livematte")
        assert V4L2("Livematte", kernel=FakeKernel()).path == "/dev/video1"
        assert V4L2("7", kernel=FakeKernel()).path == "/dev/video7"
        with pytest.raises(SinkError, match="no video device is labelled 'Other'; there are: Webcam, Livematte"):
            V4L2("Other", kernel=FakeKernel())
