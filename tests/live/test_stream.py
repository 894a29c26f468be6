"""Pushes into the network, received by FFmpeg on this machine."""

from __future__ import annotations

import functools
import itertools
import shutil
import socket
import subprocess
import threading
import time
import traceback
from contextlib import nullcontext, suppress
from fractions import Fraction
from pathlib import Path
from urllib.parse import urlsplit

import av
import numpy as np
import pytest

from livematte._clock import ManualClock
from livematte._errors import OptionError, SinkError
from livematte._frame import Frame, Size
from livematte._stages import StreamInfo
from livematte.sinks import _worker, open_sink, sink_name, stream
from livematte.sinks._connection import Broken
from livematte.sinks._secrets import Handed, apart
from livematte.sinks.stream import Stream, parse_bitrate
from livematte.sources.synthetic import Synthetic

SIZE = Size(320, 240)
FRAMES = 45

LISTEN = {
    "rtmp": ("rtmp://127.0.0.1:{port}/live/key", ["-listen", "1", "-f", "flv", "-i", "{url}"]),
    "rtsp": ("rtsp://127.0.0.1:{port}/live", ["-rtsp_flags", "listen", "-i", "{url}"]),
    "srt": ("srt://127.0.0.1:{port}", ["-f", "mpegts", "-i", "{url}?mode=listener&timeout=20000000"]),
    "udp": ("udp://127.0.0.1:{port}", ["-f", "mpegts", "-i", "{url}?timeout=20000000"]),
    "tcp": ("tcp://127.0.0.1:{port}", ["-f", "mpegts", "-i", "{url}?listen=1"]),
}
"""Address to push to, and how ffmpeg waits for it."""

UNENDING = ("srt", "udp")
"""Where nothing tells the receiver that it is over: it ends by itself, after 20 frames."""


def free_port(kind=socket.SOCK_STREAM):
    with socket.socket(socket.AF_INET, kind) as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def listens(port, udp):
    """Whether somebody has the port, as the kernel's table tells."""
    with open("/proc/net/udp" if udp else "/proc/net/tcp") as table:  # noqa: PTH123
        rows = [row.split() for row in table][1:]
    return any(int(row[1].split(":")[1], 16) == port and (udp or row[3] == "0A") for row in rows)


@pytest.fixture
def receiver(tmp_path):
    """`receiver("rtmp")`: an address, and a file that ffmpeg records what is pushed there into."""
    if shutil.which("ffmpeg") is None:
        pytest.skip("ffmpeg not found; it is the peer that is pushed to")
    running = []

    def start(scheme, wait_until, url=None, unending=False, options=""):
        udp = scheme in {"srt", "udp"}
        port = urlsplit(url).port if url else free_port(socket.SOCK_DGRAM if udp else socket.SOCK_STREAM)
        address, arguments = LISTEN[scheme]
        url = address.format(port=port)
        path = tmp_path / ("received.ts" if unending else "received.mkv")  # the former grows with every frame
        command = ["ffmpeg", "-hide_banner", "-loglevel", "error", "-nostdin"]
        command += [
            "-analyzeduration",
            "300000",
            *(argument.format(url=url) + options * ("?" in argument) for argument in arguments),
        ]
        command += [*(("-frames:v", "20") if scheme in UNENDING and not unending else ())]
        command += ["-c", "copy", "-flush_packets", "1", "-y", str(path)]
        log = (tmp_path / "log").open("w")
        process = subprocess.Popen(command, stdout=log, stderr=log)
        running.append((process, log))
        wait_until(lambda: listens(port, udp) or process.poll() is not None, "the receiver")
        assert process.poll() is None, (tmp_path / "log").read_text()
        return url, path, process

    yield start
    for process, log in running:
        process.kill()
        process.wait()
        log.close()


def received(path):
    """Bytes that a receiver has written."""
    return path.stat().st_size if path.exists() else 0


@pytest.mark.parametrize("scheme", LISTEN)
def test_what_is_pushed_arrives(scheme, receiver, wait_until):
    url, path, process = receiver(scheme, wait_until)
    frames = [Synthetic(SIZE).frame(index) for index in range(FRAMES)]
    sink = open_sink(url, source_info=StreamInfo(fps=Fraction(30)), bitrate="4M")
    assert isinstance(sink, Stream)
    gone = suppress(SinkError) if scheme in UNENDING else nullcontext()  # SRT tells that the receiver has ended
    with gone, sink:
        for frame in itertools.islice(itertools.cycle(frames), 1200 if scheme in UNENDING else FRAMES):
            sink.write(frame)
            time.sleep(1 / 60)
            if process.poll() is not None:
                break
    process.wait(20)
    with av.open(str(path)) as recording:
        video = recording.streams.video[0]
        assert video.codec_context.name == "h264"
        assert (video.width, video.height) == SIZE
        assert not video.codec_context.has_b_frames
        decoded = list(recording.decode(video=0))
    assert len(decoded) >= 20
    times = [frame.time for frame in decoded]
    assert times == sorted(times)
    assert 0.1 < times[-1] - times[0] < 5  # real time
    got = decoded[-1].to_ndarray(format="rgb24").astype(int)
    assert min(abs(got - frame.to_rgb()).mean() for frame in frames) < 8


class TestBroken:
    @pytest.mark.parametrize("scheme", ["rtmp", "rtsp", "tcp", "srt"])
    def test_nobody_there(self, scheme, wait_until):
        if scheme == "srt" and shutil.which("ffmpeg") is None:
            pytest.skip("ffmpeg not found; it brings SRT")
        url = LISTEN[scheme][0].format(port=free_port(socket.SOCK_DGRAM if scheme == "srt" else socket.SOCK_STREAM))
        frame = Synthetic(SIZE).frame(0)
        url += "?connect_timeout=300" if scheme == "srt" else ""
        with pytest.raises(SinkError, match=f"cannot push to {scheme}://127.0.0.1") as caught, Stream(url) as sink:
            wait_until(lambda: sink.write(frame), "the refusal")
        assert "\n" not in str(caught.value)
        assert "key" not in str(caught.value)

    def test_the_other_side_goes(self, receiver, wait_until):
        url, _, process = receiver("tcp", wait_until)
        frame, pushed = Synthetic(SIZE).frame(0), []

        def push():
            sink.write(frame)
            pushed.append(frame)
            if len(pushed) == 10:
                process.kill()

        with pytest.raises(SinkError, match="cannot push to tcp://"), Stream(url) as sink:
            wait_until(push, "the error")

    def test_a_network_that_takes_nothing_costs_frames_not_memory(self, wait_until, monkeypatch):
        """A peer that accepts and never reads: the writer goes on, and in the end says so."""
        monkeypatch.setattr(_worker, "JOIN_S", 0.2)
        now = [0]
        noise = np.random.default_rng(0)

        def frame():
            planes = [noise.integers(0, 255, shape, np.uint8) for shape in ((720, 1280), (360, 640), (360, 640))]
            return Frame((planes[0], planes[1], planes[2]))

        with socket.socket() as server:
            server.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            server.bind(("127.0.0.1", 0))
            server.listen(1)
            peers = []
            thread = threading.Thread(target=lambda: peers.append(server.accept()[0]))
            thread.start()
            sink = Stream(f"tcp://127.0.0.1:{server.getsockname()[1]}", bitrate="100M", clock=lambda: now[0])
            pictures = [frame() for _ in range(4)]

            def push():
                now[0] += 60_000_000_000 if sink.dropped > 20 else 33_000_000
                sink.write(pictures[0])
                pictures.append(pictures.pop(0))

            with pytest.raises(SinkError, match="nothing could be written for 10 s"), sink:
                wait_until(push, "the error")
            thread.join()
            peers[0].close()


class TestReconnection:
    @pytest.mark.parametrize("scheme", ["rtmp", "rtsp", "srt"])
    def test_a_listener_that_is_killed_and_started_again(self, scheme, receiver, wait_until):
        url, path, first = receiver(scheme, wait_until, unending=True)
        frames = itertools.cycle([Synthetic(SIZE).frame(index) for index in range(8)])
        with Stream(url, reconnect=True) as sink:

            def until(done, what):
                wait_until(lambda: sink.write(next(frames)) or done(), what)

            until(lambda: sink.state == "open" and received(path) > 0, "the first connection")
            first.kill() if scheme != "srt" else first.terminate()  # SRT notices silence after 5 s alone
            until(lambda: first.poll() is not None, "the receiver's end")  # which looks at signals between two packets
            until(lambda: sink.state == "reconnecting", "the break")
            assert sink.trouble.startswith(f"output: reconnecting to {scheme}://127.0.0.1")
            assert "key" not in sink.trouble
            assert "\n" not in sink.trouble
            before = sink.dropped
            until(lambda: sink.dropped > before, "a frame without a connection")
            path.unlink()
            _, path, _ = receiver(scheme, wait_until, url=url, unending=True)
            until(lambda: sink.reconnections == 1, "the second connection")
            assert (sink.state, sink.trouble) == ("open", None)
            until(lambda: received(path) > 10_000, "what is received")
        with av.open(str(path)) as got:  # from its first frame on it can be decoded
            picture = next(got.decode(video=0))
        assert (picture.width, picture.height) == SIZE
        assert sink.notes[0].endswith("or had to be connected again (1 times)")

    def test_waits_get_longer_up_to_five_seconds_and_begin_anew(self, monkeypatch):
        clock, made = ManualClock(), []

        class Line:
            """A connection that a test breaks."""

            refuses = False

            def __init__(self, push, *, by_ffmpeg):
                made.append(clock() / 1e9)
                self.broken = Line.refuses

            def begin(self, frame, pts):
                if self.broken:
                    raise Broken("Connection refused")

            def established(self, timeout_s):
                return True

            def send(self, frame, pts):
                if self.broken:
                    raise Broken("Broken pipe")

            def close(self):
                pass

            kill = finish = close

        monkeypatch.setattr(stream, "Connection", Line)
        sink, frame, count = Stream("tcp://127.0.0.1:9", reconnect=True, clock=clock), Synthetic(SIZE).frame(0), [0]

        def take(seconds):
            for _ in range(round(seconds / 0.25)):
                sink._take((frame, count[0]))
                count[0] += 1
                clock.advance_ms(250)

        take(10)
        assert len(made) == 1
        sink._connection.broken = Line.refuses = True
        take(22)
        waits = [round(b - a, 2) for a, b in itertools.pairwise(made)][1:]
        assert waits == [0.5, 1, 2, 4, 5, 5]
        assert sink.state == "reconnecting"
        assert sink.dropped == 22 * 4  # every frame without a connection is counted, none is kept
        Line.refuses = False
        take(12)
        assert sink.state == "open"
        sink._connection.broken = True
        tries = len(made)
        take(0.75)
        assert len(made) == tries + 1  # at once again: it had held

    def test_a_network_that_takes_nothing_is_left_and_tried_again(self, wait_until, monkeypatch):
        monkeypatch.setattr(_worker, "JOIN_S", 0.2)
        now, noise = [0], np.random.default_rng(0)
        planes = [noise.integers(0, 255, shape, np.uint8) for shape in ((720, 1280), (360, 640), (360, 640))]
        picture = Frame((planes[0], planes[1], planes[2]))
        with socket.socket() as server:
            server.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            server.bind(("127.0.0.1", 0))
            server.listen(4)
            url = f"tcp://127.0.0.1:{server.getsockname()[1]}"
            with Stream(url, bitrate="100M", reconnect=True, clock=lambda: now[0]) as sink:

                def push():
                    now[0] += 60_000_000_000 if sink.dropped > 5 and sink.state == "open" else 33_000_000
                    sink.write(picture)
                    return sink.reconnections

                wait_until(push, "another connection")
                sink._connection.kill()  # it takes nothing either: do not wait for the rest

    def test_a_first_connection_that_is_refused_is_an_error(self, wait_until):
        frame = Synthetic(SIZE).frame(0)
        sink = Stream(f"tcp://127.0.0.1:{free_port()}", reconnect=True)
        with pytest.raises(SinkError, match=r"cannot push to tcp://127\.0\.0\.1:\d+: Connection refused$"), sink:
            wait_until(lambda: sink.write(frame), "the refusal")


class TestSecrets:
    KEY = "correct-horse-battery"

    def test_srt_gets_its_passphrase_and_name_where_nobody_can_read_them(self, receiver, wait_until):
        url, path, _ = receiver("srt", wait_until, unending=True, options=f"&passphrase={self.KEY}")
        frames, arguments = itertools.cycle([Synthetic(SIZE).frame(index) for index in range(8)]), b""
        with Stream(f"{url}?passphrase={self.KEY}&latency=20000&streamid=#!::r={self.KEY},m=publish") as sink:
            wait_until(lambda: sink.write(next(frames)) or sink.state == "open", "the connection")
            if sink._by_ffmpeg:
                arguments = Path(f"/proc/{sink._connection._child._process.pid}/cmdline").read_bytes()
                assert url.encode() + b"?latency=20000\0" in arguments
            wait_until(lambda: sink.write(next(frames)) or received(path) > 10_000, "what is received")
        assert self.KEY.encode() not in arguments

    def test_another_passphrase_is_refused_and_none_is_told(self, receiver, wait_until):
        url, _, _ = receiver("srt", wait_until, unending=True, options=f"&passphrase={self.KEY}")
        frame = Synthetic(SIZE).frame(0)
        with (
            pytest.raises(SinkError, match=r"cannot push to srt://127\.0\.0\.1:\d+: ") as caught,
            Stream(f"{url}?passphrase=another-passphrase&connect_timeout=300") as sink,
        ):
            wait_until(lambda: sink.write(frame), "the refusal")
        told = "".join(traceback.format_exception(caught.value))
        assert "another-passphrase" not in told
        assert self.KEY not in told

    @pytest.mark.parametrize(
        ("url", "parted"),
        [
            ("srt://h:9?passphrase=a+b%20c&mode=caller", ("srt://h:9?mode=caller", "passphrase=a b%20c\n")),
            ("srt://h:9?streamid=#!::u=me,r=a?b=c", ("srt://h:9", "srt_streamid=#!::u=me,r=a?b=c\n")),
            ("srt://h:9?passphrase=&latency=1", ("srt://h:9?latency=1", "")),
            ("srt://h:9", ("srt://h:9", "")),
            ("udp://h:9?passphrase=a", ("udp://h:9?passphrase=a", "")),
        ],
    )
    def test_what_is_secret_in_an_address_comes_apart(self, url, parted):
        assert apart(url) == parted

    def test_where_there_are_no_pipes_a_file_has_what_is_secret_until_it_was_read(
        self, receiver, wait_until, tmp_path, monkeypatch
    ):
        monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
        monkeypatch.setattr("livematte.sinks._connection.Handed", functools.partial(Handed, pipes=False))
        url, path, _ = receiver("srt", wait_until, unending=True, options=f"&passphrase={self.KEY}")
        frames = itertools.cycle([Synthetic(SIZE).frame(index) for index in range(8)])
        with Stream(f"{url}?passphrase={self.KEY}") as sink:
            sink.write(next(frames))
            if sink._by_ffmpeg:
                child = sink._connection._child
                assert self.KEY.encode() not in Path(f"/proc/{child._process.pid}/cmdline").read_bytes()
            wait_until(lambda: sink.write(next(frames)) or sink.state == "open", "the connection")
            assert list(tmp_path.glob("*.ffpreset")) == []
            wait_until(lambda: sink.write(next(frames)) or received(path) > 10_000, "what is received")


class TestSpelling:
    def test_addresses_are_streams(self):
        assert sink_name("rtmp://localhost/live/key") == ("stream", "rtmp://localhost/live/key")
        assert sink_name("srt://localhost:9000") == ("stream", "srt://localhost:9000")

    @pytest.mark.parametrize("url", ["http://localhost/", "rtmp:", "rtmp://", "stream"])
    def test_others_are_not(self, url):
        with pytest.raises(OptionError, match="a stream's address begins with rtmp://"):
            Stream(url)

    def test_bit_rates(self):
        assert [parse_bitrate(text) for text in (2_500_000, "2500k", "2.5M")] == [2_500_000] * 3
        for text in ("fast", "-1", "1G", "5", "5000M"):
            with pytest.raises(OptionError, match="bitrate is from 10k to 1000M bits a second"):
                parse_bitrate(text)

    def test_presets(self):
        with pytest.raises(OptionError, match="preset must be one of ultrafast"):
            Stream("udp://127.0.0.1:9", preset="warp")
