"""Cameras through a PipeWire session: what goes in comes out, to the pixel, and nothing else does."""

from __future__ import annotations

import itertools
import subprocess
import threading
import time

import numpy as np
import pytest

from livematte import _pipewire
from livematte._errors import DeviceLost, OpenError, SinkError
from livematte._frame import Frame, Size
from livematte.sinks.pipewire import PipeWire as Camera
from livematte.sources.pipewire import PipeWire as Reader
from livematte.sources.pipewire import cameras
from livematte.sources.synthetic import Synthetic

pytestmark = pytest.mark.usefixtures("pipewire")


def coloured(number, size=(320, 240)):
    width, height = size
    planes = (
        np.full((height, width), 80 + number, np.uint8),
        np.full(((height + 1) // 2, (width + 1) // 2), 118, np.uint8),
        np.full(((height + 1) // 2, (width + 1) // 2), 138, np.uint8),
    )
    return Frame(planes, pts=number)


def shown(camera, picture, wait_until):
    """Keep a camera alive until it is in the graph."""

    def there():
        camera.write(picture)
        return any(node.name == camera.name for node in cameras())

    wait_until(there, f"the camera {camera.name}")


def read_while_writing(camera, frames, reader_name, count):
    """What a reader gets while frames go out, one after the other."""
    got, failed = [], []

    def read():
        try:
            with Reader(reader_name) as source:
                for frame in source:
                    got.append(frame)
                    if len(got) == count:
                        return
        except BaseException as exc:
            failed.append(exc)

    thread = threading.Thread(target=read)
    thread.start()
    for frame in frames:
        if not thread.is_alive():
            break
        camera.write(frame)
        time.sleep(0.02)
    thread.join(10)
    if failed:
        raise failed[0]
    return got


def lose(camera, session, wait_until):
    """A camera that was there, and whose daemon has died."""
    shown(camera, coloured(1), wait_until)
    wait_until(lambda: camera.write(coloured(1)) or camera.state == "open", "the camera")
    session.end()
    wait_until(lambda: camera.write(coloured(2)) or camera.state == "reconnecting", "the break")


class TestRoundTrip:
    @pytest.mark.parametrize("size", [(320, 240), (1280, 720), (8, 2)])
    def test_samples_come_back_as_they_went(self, size, wait_until):
        with Camera("exact") as camera:
            shown(camera, coloured(0, size), wait_until)
            got = read_while_writing(camera, (coloured(n % 100, size) for n in range(600)), "exact", 5)
        assert len(got) == 5
        for frame in got:
            assert frame.size == size
            assert len(np.unique(frame.planes[0])) == 1  # of one frame, not of two
            assert 70 <= frame.planes[0][0, 0] < 190
            exact = 0 if size == (1280, 720) else 4  # small ones are BT.601 on the way
            assert abs(frame.planes[1].astype(int) - 118).max() <= exact
            assert abs(frame.planes[2].astype(int) - 138).max() <= exact
        assert all(b.pts > a.pts for a, b in itertools.pairwise(got))

    def test_a_picture_of_many_colours(self, wait_until):
        picture = Synthetic(Size(1280, 720)).frame(7)
        with Camera("colours") as camera:
            shown(camera, picture, wait_until)
            got = read_while_writing(camera, (picture for _ in range(600)), "colours", 2)
        assert (got[-1].matrix, got[-1].range) == (picture.matrix, picture.range)
        for plane, want in zip(got[-1].planes, picture.planes, strict=True):
            np.testing.assert_array_equal(plane, want)

    def test_another_size_does_not_change_the_camera(self, wait_until):
        with Camera("sizes") as camera:
            shown(camera, coloured(1), wait_until)
            frames = (coloured(2, (64, 48) if n % 2 else (33, 17)) for n in range(600))
            got = read_while_writing(camera, frames, "sizes", 6)
        assert {frame.size for frame in got} == {(320, 240)}

    def test_names_that_are_no_words(self, wait_until):
        with Camera("odd-name", description='Anna\'s "room" ! fakesink, x=1 é\\') as camera:
            shown(camera, coloured(0), wait_until)
            assert [node.description for node in cameras() if node.name == "odd-name"] == [camera.description]


class TestReaders:
    def test_they_are_counted(self, wait_until, pipewire):
        now = [0]

        def clock():
            now[0] += 2_000_000_000  # every count is a new one
            return now[0]

        camera = Camera("counted", clock=clock)
        assert camera.readers() == 0
        with camera:
            shown(camera, coloured(0), wait_until)
            assert camera.readers() == 0
            command = [
                "gst-launch-1.0",
                "-q",
                "pipewiresrc",
                "target-object=counted",
                "!",
                "videoconvert",
                "!",
                "fakesink",
            ]
            programs = [subprocess.Popen(command, env=pipewire) for _ in range(2)]
            try:
                wait_until(lambda: camera.write(coloured(0)) or camera.readers() == 2, "two readers")
            finally:
                for program in programs:
                    program.terminate()
                    program.wait()
            wait_until(lambda: camera.write(coloured(0)) or camera.readers() == 0, "their end")


class TestEnds:
    def test_a_pipeline_that_dies_is_one_clear_line(self, wait_until):
        with Camera("dies") as camera:
            shown(camera, coloured(0), wait_until)
            camera._pipeline._process.kill()
            with pytest.raises(SinkError, match="the PipeWire camera dies is gone") as caught:
                wait_until(lambda: camera.write(coloured(0)), "the error")
        assert "\n" not in str(caught.value)

    def test_a_daemon_that_dies_and_comes_back(self, session, wait_until):
        """The camera is offered again, of the same name and size, and programs that open it anew see frames of now."""
        with Camera("returns", reconnect=True) as camera:
            lose(camera, session, wait_until)
            assert camera.trouble.startswith("output: the camera is gone and is offered again: ")
            assert "\n" not in camera.trouble
            assert camera.readers() == 0  # so that the real camera is closed meanwhile
            lost = camera.dropped
            wait_until(lambda: camera.write(coloured(2)) or "no PipeWire daemon runs" in camera.trouble, "the reason")
            assert camera.dropped > lost
            session.begin()
            wait_until(lambda: camera.write(coloured(3)) or camera.state == "open", "the camera again")
            assert (camera.reconnections, camera.trouble) == (1, None)
            got = read_while_writing(camera, (coloured(40) for _ in range(600)), "returns", 3)
        assert {frame.size for frame in got} == {(320, 240)}
        assert all(frame.planes[0][0, 0] > 110 for frame in got)  # none of the frames from before
        assert camera.notes[-1] == "it was offered again 1 times: PipeWire's daemon had gone"

    def test_one_that_is_closed_meanwhile_stays_away(self, session, wait_until):
        with Camera("closed", reconnect=True) as camera:
            lose(camera, session, wait_until)
        session.begin()
        assert all(node.name != "closed" for node in cameras())
        assert camera._pipeline is None

    def test_a_stalled_pipeline_drops_and_does_not_block(self, wait_until):
        import os
        import signal

        with Camera("stalls") as camera:
            shown(camera, coloured(0), wait_until)
            os.kill(camera._pipeline._process.pid, signal.SIGSTOP)
            try:
                for _ in range(200):
                    camera.write(coloured(0, (640, 480)))
                assert camera.dropped > 100
            finally:
                os.kill(camera._pipeline._process.pid, signal.SIGCONT)

    def test_the_node_goes_with_the_sink(self, wait_until):
        with Camera("goes") as camera:
            shown(camera, coloured(0), wait_until)
        wait_until(lambda: all(node.name != "goes" for node in cameras()), "the node's end")

    def test_a_camera_that_goes_is_lost(self, wait_until):
        camera = Camera("lost")
        with camera:
            shown(camera, coloured(0), wait_until)
            stop = threading.Event()

            def feed():
                while not stop.wait(0.02):
                    camera.write(coloured(0))

            thread = threading.Thread(target=feed)
            thread.start()
            try:
                source = Reader("lost")
            finally:
                stop.set()
                thread.join()
        with source, pytest.raises(DeviceLost, match="the camera lost has left PipeWire's graph"):
            for _ in source:
                pass

    def test_no_such_camera(self):
        with pytest.raises(OpenError, match="PipeWire has no camera 'nobody'; there are: "):
            Reader("nobody")

    def test_no_daemon(self, monkeypatch, tmp_path):
        monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
        with pytest.raises(OpenError, match="no PipeWire daemon runs"):
            Reader("any")
        with pytest.raises(SinkError, match="no PipeWire daemon runs"), Camera("any"):
            pass
        camera = Camera("any")
        assert camera.readers() is None
        assert "no PipeWire daemon runs" in camera.trouble
        with pytest.raises(_pipewire.NoPipeWire):
            _pipewire.cameras()
