"""The preview: a window, a page for this machine, and the JPEGs that go there."""

from __future__ import annotations

import http.client
import os
import sys
import threading
from dataclasses import replace

import numpy as np
import pytest

from livematte._clock import ManualClock
from livematte._errors import OptionError, SinkError
from livematte._frame import ColorMatrix, Size
from livematte.sinks import open_sink, preview
from livematte.sinks._camera import planar_bytes
from livematte.sinks._jpeg import JpegFeed, encoded
from livematte.sinks.preview import Page, Window, jpeg_frames
from livematte.sources.synthetic import Synthetic


def figure(size=(64, 48), index=0):
    return Synthetic(Size(*size)).frame(index)


@pytest.fixture
def bare(monkeypatch, tmp_path):
    """A Linux machine with nothing installed: the folder that its programs are put into."""
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(sys, "platform", "linux")
    return tmp_path


class TestWindow:
    @pytest.fixture
    def player(self, tmp_path, monkeypatch):
        """An ffplay that keeps what it is fed, and then ends with the given code."""

        def make(then="exit 0", first=""):
            (tmp_path / "ffplay").write_text(f'#!/bin/sh\n{first}\ncat > "{tmp_path}/fed"\n{then}\n')
            (tmp_path / "ffplay").chmod(0o755)
            monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
            monkeypatch.setenv("DISPLAY", ":9")
            return tmp_path / "fed"

        return make

    def test_it_is_fed(self, player):
        fed = player()
        frame = replace(figure(), matrix=ColorMatrix.BT601)
        with open_sink("preview") as sink:
            sink.write(frame)
            sink._worker.finish()
            sink._player.finish()
        assert fed.read_bytes() == (b"YUV4MPEG2 W64 H48 F30:1 Ip A1:1 C420mpeg2\nFRAME\n" + bytes(planar_bytes(frame)))

    def test_closed_by_the_user(self, player):
        player(first="exit 0")
        with open_sink("preview") as sink:
            assert isinstance(sink, Window)
            sink.write(figure())
            sink._player.failed()
            assert sink.ended
            sink.write(figure())

    def test_broken(self, player):
        player(first="echo 'Could not initialize SDL' >&2; exit 1")
        sink = open_sink("preview")
        with pytest.raises(SinkError, match="ffplay shows no window: Could not initialize SDL"), sink:
            [sink.write(figure()) for _ in range(10_000)]

    def test_no_program_and_no_screen(self, bare, monkeypatch):
        with pytest.raises(SinkError, match=r"needs ffplay.* use --out preview:page"), open_sink("preview"):
            pass
        (bare / "ffplay").write_text("#!/bin/sh\n")
        (bare / "ffplay").chmod(0o755)
        monkeypatch.delenv("DISPLAY", raising=False)
        monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)
        with pytest.raises(SinkError, match="there is no screen for a preview window"), open_sink("preview"):
            pass

    def test_spelling(self):
        for argument in ("window", "page:", "page:x", "page:70000"):
            if argument != "page:":
                with pytest.raises(OptionError, match="preview:page"):
                    preview.create(argument)
        assert isinstance(preview.create("page:"), Page)


class TestJpegFeed:
    def test_nothing_is_encoded_for_nobody(self, monkeypatch):
        monkeypatch.setattr("livematte.sinks._jpeg.encoded", lambda *args: pytest.fail("encoded"))
        JpegFeed().put(figure())

    def test_viewers_get_the_newest_and_are_counted(self):
        clock = ManualClock()
        feed = JpegFeed(fps=10, clock=clock)
        one, two = feed.frames(timeout_s=0.01), feed.frames(timeout_s=0.01)
        assert (next(one), next(two), feed.viewers) == (b"", b"", 2)
        feed.put(figure())
        first = next(one)
        assert first[:2] == b"\xff\xd8"
        assert next(two) == first
        feed.put(figure(index=5))  # too soon
        assert next(one) == b""
        clock.advance_ms(100)
        feed.put(figure(index=9))
        assert next(one) not in {b"", first}
        one.close()
        assert feed.viewers == 1
        feed.close()
        assert list(two) == []
        assert feed.viewers == 0

    def test_large_ones_are_made_smaller(self):
        import av

        packet = av.Packet(encoded(figure((1280, 720)), 320, 80))
        (picture,) = av.CodecContext.create("mjpeg", "r").decode(packet)
        assert (picture.width, picture.height) == (320, 180)

    def test_what_is_transparent_is_black(self):
        import cv2

        frame = replace(figure(), alpha=np.zeros((48, 64), np.uint8))
        picture = cv2.imdecode(np.frombuffer(encoded(frame, 960, 90), np.uint8), cv2.IMREAD_COLOR)
        assert picture.max() <= 2

    def test_for_a_page_of_ones_own(self):
        page = Page(port=0)
        frames = jpeg_frames(page)
        thread = threading.Thread(target=lambda: got.append(next(frames)))
        got = []
        with page:
            thread.start()
            while not got:
                page.write(figure())
            thread.join()
            frames.close()
        assert got[0][:2] == b"\xff\xd8"


class TestPage:
    @pytest.fixture
    def page(self):
        with open_sink("preview:page:0") as sink:
            yield sink

    @staticmethod
    def ask(page, path, **headers):
        port = int(page.address.split(":")[2].split("/")[0])
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
        connection.request("GET", path, headers=headers)
        answer = connection.getresponse()
        return connection, answer

    def test_the_page(self, page):
        connection, answer = self.ask(page, f"/?token={page.token}")
        text = answer.read().decode()
        assert answer.status == 200
        assert f'src="preview.mjpeg?token={page.token}"' in text
        assert answer.headers["Content-Security-Policy"].startswith("default-src 'none'")
        assert answer.headers["Cache-Control"] == "no-store"
        connection.close()

    @pytest.mark.parametrize("path", ["/", "/?token=", "/?token=wrong", "/preview.mjpeg", "/preview.mjpeg?token=x"])
    def test_nothing_without_the_token(self, page, path):
        connection, answer = self.ask(page, path)
        assert answer.status == 403
        answer.read()
        connection.close()

    def test_nothing_for_a_name_that_points_here(self, page):
        connection, answer = self.ask(page, f"/?token={page.token}", Host="evil.example:80")
        assert answer.status == 403
        answer.read()
        connection.close()

    def test_other_paths(self, page):
        connection, answer = self.ask(page, f"/etc/passwd?token={page.token}")
        assert answer.status == 404
        answer.read()
        connection.close()

    def test_pictures_come_and_viewers_are_readers(self, page):
        import cv2

        assert page.readers() == 0
        connection, answer = self.ask(page, f"/preview.mjpeg?token={page.token}")
        assert answer.headers["Content-Type"] == "multipart/x-mixed-replace; boundary=picture"
        stop = threading.Event()

        def show():
            while not stop.wait(0.005):
                page.write(figure((320, 240)))

        thread = threading.Thread(target=show)
        thread.start()
        try:
            for _ in range(2):
                assert answer.readline() == b"--picture\r\n"
                assert answer.readline() == b"Content-Type: image/jpeg\r\n"
                length = int(answer.readline().split(b":")[1])
                assert answer.readline() == b"\r\n"
                picture = cv2.imdecode(np.frombuffer(answer.read(length), np.uint8), cv2.IMREAD_COLOR)
                assert picture.shape == (240, 320, 3)
                assert abs(picture[..., ::-1].astype(int) - figure((320, 240)).to_rgb()).mean() < 8
                assert answer.readline() == b"\r\n"
            assert page.readers() == 1
        finally:
            stop.set()
            thread.join()
        answer.close()
        connection.close()
        for _ in range(2000):
            if page.readers() == 0:
                break
            page.write(figure((320, 240)))
            threading.Event().wait(0.005)
        assert page.readers() == 0

    def test_a_port_that_is_taken(self, page):
        port = page.address.split(":")[2].split("/")[0]
        with pytest.raises(SinkError, match=f"port {port} cannot be had"), open_sink(f"preview:page:{port}"):
            pass
