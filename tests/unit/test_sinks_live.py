"""Outputs of live use that need no device: which virtual camera, pyvirtualcam, the worker."""

from __future__ import annotations

import importlib.util
import os
import sys
import threading
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from livematte import _pipewire
from livematte._clock import ManualClock
from livematte._errors import MissingExtra, OptionError, SinkError
from livematte._frame import ColorMatrix, Frame, Size
from livematte._stages import Sink, StreamInfo
from livematte.sinks import open_sink, sink_name, v4l2, virtual
from livematte.sinks._camera import Steady, planar_bytes, yuyv
from livematte.sinks._worker import Worker
from livematte.sinks.pipewire import PipeWire
from livematte.sinks.v4l2 import V4L2
from livematte.sources.synthetic import Synthetic

spec = importlib.util.spec_from_file_location("fakes", Path(__file__).parents[1] / "contract" / "fakes.py")
fakes = importlib.util.module_from_spec(spec)
spec.loader.exec_module(fakes)


def figure(size=(64, 48), index=0):
    return Synthetic(Size(*size)).frame(index)


@pytest.fixture
def bare(monkeypatch, tmp_path):
    """A Linux machine with nothing installed, and no video device: the folder that its programs are put into."""
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(v4l2, "SYSFS", tmp_path / "devices")
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.setitem(sys.modules, "pyvirtualcam", None)
    return tmp_path


class TestSpelling:
    def test_names_alone(self):
        assert sink_name("virtual") == ("virtual", None)
        assert sink_name("preview") == ("preview", None)
        assert sink_name("preview:page:8080") == ("preview", "page:8080")
        assert sink_name("v4l2:/dev/video7") == ("v4l2", "/dev/video7")
        assert sink_name("virtual.mp4") == ("file", "virtual.mp4")

    def test_a_file_of_that_name_stays_one(self, monkeypatch, tmp_path):
        monkeypatch.chdir(tmp_path)
        (tmp_path / "preview").mkdir()
        assert sink_name("preview") == ("folder", "preview")


class TestVirtual:
    def test_nothing_works_and_each_way_says_why(self, bare):
        with pytest.raises(SinkError) as caught:
            open_sink("virtual")
        said = str(caught.value)
        assert "v4l2loopback: there is no v4l2loopback device; install v4l2loopback-dkms" in said
        assert "sudo modprobe v4l2loopback" in said
        assert "PipeWire: gst-launch-1.0, gst-inspect-1.0, pw-dump not found; Debian and Ubuntu: apt install" in said
        assert "\n" not in said

    def test_pipewire(self, bare, monkeypatch):
        monkeypatch.setenv("PATH", f"{bare}:/usr/bin:/bin")
        fakes.fake_programs(bare)
        assert isinstance(open_sink("virtual"), PipeWire)

    def test_a_loopback_device_comes_first(self, bare, monkeypatch):
        fakes.fake_programs(bare)
        (bare / "devices" / "video3").mkdir(parents=True)
        monkeypatch.setattr(v4l2, "Kernel", fakes.FakeKernel)
        sink = open_sink("virtual")
        assert isinstance(sink, V4L2)
        assert sink.path == "/dev/video3"

    @pytest.mark.parametrize("system", ["win32", "darwin"])
    def test_elsewhere(self, bare, monkeypatch, system):
        monkeypatch.setattr(sys, "platform", system)
        with pytest.raises(SinkError, match=r'pyvirtualcam: .*pip install "livematte\[virtualcam\]"'):
            open_sink("virtual")
        monkeypatch.setitem(sys.modules, "pyvirtualcam", fakes.fake_pyvirtualcam())
        assert isinstance(open_sink("virtual"), Sink)

    def test_an_argument(self):
        with pytest.raises(OptionError, match="say v4l2:3 or pipewire:3"):
            virtual.create("3")


class TestGraph:
    def test_what_changed_while_it_was_printed(self):
        dump = (
            '[{"id": 1, "info": {"a": 1}}, {"id": 2, "info": {}}]\n[{"id": 1, "info": null}, {"id": 3, "info": {}}]\n'
        )
        assert [item["id"] for item in _pipewire.parse_dump(dump)] == [2, 3]
        assert _pipewire.parse_dump("") == []

    def test_cameras_with_jpeg_alone(self, tmp_path, monkeypatch):
        from livematte.sources import open_source

        fakes.fake_programs(tmp_path)
        graph = (tmp_path / "graph").read_text()
        monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
        open_source("pipewire:A fake").__exit__(None, None, None)
        assert "target-object=77\n" in (tmp_path / "arguments").read_text()
        assert "jpegdec" not in (tmp_path / "arguments").read_text()
        (tmp_path / "graph").write_text(graph.replace('"raw"', '"mjpg"'))
        open_source("pipewire:77").__exit__(None, None, None)
        assert "image/jpeg\n!\njpegdec\n" in (tmp_path / "arguments").read_text()

    def test_nonsense_is_no_daemon(self, tmp_path, monkeypatch):
        fakes.fake_programs(tmp_path)
        (tmp_path / "graph").write_text("no JSON")
        monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
        with pytest.raises(_pipewire.NoPipeWire, match="does not answer"):
            _pipewire.graph()

    def test_names_are_quoted_whole(self):
        assert _pipewire.structure({"a": 'x "!é'}) == ('"p,a=(string)\\"x\\\\040\\\\042\\\\041\\\\303\\\\251\\""')


class TestPyVirtualCam:
    def test_pictures_go_as_they_are(self, monkeypatch):
        monkeypatch.setitem(sys.modules, "pyvirtualcam", fakes.fake_pyvirtualcam())
        frame = replace(figure(), matrix=ColorMatrix.BT601)
        with open_sink("pyvirtualcam:Cam", source_info=StreamInfo(fps=Fraction(25))) as sink:
            sink.write(frame)
            sink.write(figure((33, 17)))
        (camera,) = fakes.FakeCamera.made
        assert (camera.width, camera.height, camera.fps, camera.fmt) == (64, 48, 25.0, "I420")
        assert camera.device == "Cam"
        assert camera.closed
        assert bytes(camera.sent[0]) == bytes(planar_bytes(frame))
        assert len(camera.sent) == 2

    def test_no_camera_is_one_line(self, monkeypatch):
        module = fakes.fake_pyvirtualcam()

        def refuse(*args, **options):
            raise RuntimeError("'obs' backend: virtual camera not found\n'unitycapture' backend: not installed")

        module.Camera = refuse
        monkeypatch.setitem(sys.modules, "pyvirtualcam", module)
        with pytest.raises(SinkError, match="install OBS Studio") as caught, open_sink("pyvirtualcam:") as sink:
            sink.write(figure())
        assert "\n" not in str(caught.value)

    def test_not_installed(self, monkeypatch):
        monkeypatch.setitem(sys.modules, "pyvirtualcam", None)
        with pytest.raises(MissingExtra, match=r'pip install "livematte\[virtualcam\]"'):
            open_sink("pyvirtualcam:")


class TestSteady:
    def test_what_fits_is_not_copied(self):
        frame = replace(figure((1280, 720)), matrix=ColorMatrix.BT709)
        assert Steady()(frame) is frame

    def test_one_size_and_colour(self):
        steady = Steady()
        pictures = [steady(figure(size)) for size in ((64, 48), (33, 17), (200, 10), (1, 1))]
        assert {(p.size, p.format, p.matrix, p.range) for p in pictures} == {
            ((64, 48), pictures[0].format, ColorMatrix.BT601, pictures[0].range)
        }

    @pytest.mark.parametrize("spec", ["pipewire:x", "udp://127.0.0.1:9"])
    def test_what_is_transparent_never_passes(self, spec, tmp_path, monkeypatch):
        """The planes under a transparent background may still hold the room."""
        fakes.fake_programs(tmp_path)
        monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
        frame = replace(figure(), alpha=np.zeros((48, 64), np.uint8))
        with pytest.raises(SinkError, match="no transparency"), open_sink(spec) as sink:
            sink.write(frame)
        taken = tmp_path / "taken"
        assert not taken.exists() or taken.read_bytes() == b""

    def test_packing(self):
        frame = Frame((np.array([[1, 2], [3, 4]], np.uint8), np.array([[5]], np.uint8), np.array([[6]], np.uint8)))
        assert yuyv(frame).tolist() == [[1, 5, 2, 6], [3, 5, 4, 6]]
        assert bytes(planar_bytes(frame)) == bytes([1, 2, 3, 4, 5, 6])


class TestWorker:
    def test_what_waits_gives_way_to_the_newest(self):
        go, done = threading.Event(), []

        def work(item):
            go.wait(10)
            done.append(item)

        worker = Worker(work, depth=1)
        for item in range(1, 11):
            worker.put(item)
        go.set()
        worker.finish()
        assert done[-1] == 10
        assert len(done) + worker.dropped == 10

    def test_everything_gets_through_what_is_fast(self):
        done = []
        worker = Worker(done.append, depth=4, wait_s=10)
        for item in range(1, 101):
            worker.put(item)
        worker.finish()
        assert done == list(range(1, 101))

    def test_an_end_while_the_work_hangs(self, monkeypatch):
        monkeypatch.setattr("livematte.sinks._worker.JOIN_S", 0.05)
        go = threading.Event()
        worker = Worker(lambda item: go.wait(10))
        for item in range(1, 4):
            worker.put(item)
        worker.finish()
        assert worker.hangs
        worker.abandon()
        go.set()

    def test_errors_come_to_the_one_who_puts(self):
        def work(item):
            raise SinkError("no")

        worker = Worker(work)
        worker.put(1)
        with pytest.raises(SinkError, match="no"):
            worker.finish()
        with pytest.raises(SinkError, match="no"):
            worker.put(2)

    def test_work_that_stands_still_is_told(self):
        clock, go, begun = ManualClock(), threading.Event(), threading.Event()

        def work(item):
            begun.set()
            go.wait(10)

        worker = Worker(work, clock=clock)
        assert worker.busy_s == 0
        worker.put(1)
        begun.wait(10)
        clock.advance_ms(9_000)
        assert worker.busy_s == 9
        go.set()
        worker.abandon()
        assert worker.busy_s == 0
