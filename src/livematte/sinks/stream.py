"""Video pushed into a network: RTMP, RTSP, SRT, MPEG-TS over UDP. H.264 for live use: no frame waits for another."""

from __future__ import annotations

import re
import shutil
from fractions import Fraction
from types import TracebackType
from urllib.parse import urlsplit

from livematte._address import without_secrets
from livematte._clock import Clock, monotonic
from livematte._errors import OptionError, SinkError
from livematte._frame import Frame, Size
from livematte._stages import StreamInfo
from livematte.sinks._backoff import CONNECTING, OPEN, RECONNECTING, BackOff
from livematte.sinks._camera import Steady
from livematte.sinks._codecs import CODECS, check_encoder
from livematte.sinks._connection import TIME_BASE, Broken, Connection, NoProtocol, Push
from livematte.sinks._worker import Worker

MUXERS = {"rtmp": "flv", "rtmps": "flv", "rtsp": "rtsp", "srt": "mpegts", "udp": "mpegts", "tcp": "mpegts"}
"""By scheme of the address: FFmpeg's muxer."""

MUXER_OPTIONS = {
    "flv": {"flvflags": "no_duration_filesize"},  # there is no way back to the start
    "rtsp": {"rtsp_transport": "tcp"},
}

DEFAULT_FPS = Fraction(30)
"""For the encoder's rate control where the source knows no rate; times are those of writing."""

BITS_PER_PIXEL = 0.1
"""Of the usual bit rate: 2.8 Mbit/s at 720p30, as streaming services ask for."""

LEAST_BITS = 100_000
"""Of the usual bit rate: x264's rate control refuses next to nothing."""

KEYFRAME_S = 2
"""Between key frames, so long at most: what a viewer who comes late waits for."""

DEPTH = 4
"""Frames that wait for the network."""

WAIT_S = 0.05
"""A write waits so long for the network before a frame is dropped: a frame and a half."""

STALL_S = 10.0
"""After so long without progress the connection counts as broken; as long may connecting take."""

SILENT = f"there was no answer for {STALL_S:g} s"


class Stream:
    """A push to an address, in real time: the moment of writing is the time of a frame.

    Encoding is a thread's work, connecting and sending that of a program beside us. A network that stalls costs
    frames, never memory. Frames keep the first one's size.

    Args:
        url: `rtmp://`, `rtmps://`, `rtsp://`, `srt://`, `udp://` or `tcp://` and where to.
        source_info: of the source, for the rate.
        bitrate: bits a second, or as in `2500k` and `3M`; None is by size and rate.
        preset: speed of x264, `ultrafast` to `veryslow`.
        reconnect: connect again when a connection breaks that was there once, and drop frames until then.
            Otherwise that is SinkError at the next write, as a first connection that fails always is.
        clock: monotonic nanoseconds.

    Attributes:
        state: `connecting`, `open` or `reconnecting`.
        trouble: what is wrong while it reconnects, in words.
        dropped: frames that the network had no room for, or that came while there was no connection.
        reconnections: how often it was connected again.

    Raises:
        OptionError: an address or a setting that cannot be.
        SinkError: FFmpeg cannot encode H.264.
    """

    def __init__(
        self,
        url: str,
        *,
        source_info: StreamInfo | None = None,
        bitrate: int | str | None = None,
        preset: str | None = None,
        reconnect: bool = False,
        clock: Clock = monotonic,
    ) -> None:
        self._scheme = urlsplit(url).scheme.lower()
        if self._scheme not in MUXERS or not urlsplit(url).netloc:
            raise OptionError(
                f"a stream's address begins with {', '.join(f'{s}://' for s in MUXERS)}; got {without_secrets(url)!r}"
            )
        codec = CODECS["h264"]
        check_encoder("h264", codec)
        if preset is not None and codec.preset is not None and preset not in codec.preset[2]:
            raise OptionError(f"preset must be one of {', '.join(codec.preset[2])}; got {preset!r}")
        self._url, self._clock = url, clock
        self._preset = preset or "veryfast"
        self._bitrate = None if bitrate is None else parse_bitrate(bitrate)
        self._fps = (source_info.fps if source_info else None) or DEFAULT_FPS
        self._reconnect = reconnect
        self.address = without_secrets(url)
        self.notes: list[str] = []
        self.state, self.reconnections = CONNECTING, 0
        self.trouble: str | None = None
        self._lost = self._overrun = 0
        self._steady = Steady(tagged=True)
        self._worker: Worker | None = None
        self._connection: Connection | None = None
        self._by_ffmpeg = False
        self._start_ns = self._since_ns = 0
        self._wait = BackOff(clock)
        self._last_pts = -1

    @property
    def dropped(self) -> int:
        """Frames that did not go out."""
        return self._lost + (self._worker.dropped if self._worker else self._overrun)

    def __enter__(self) -> Stream:
        self._start_ns = self._clock()
        self._worker = Worker(self._take, depth=DEPTH, wait_s=WAIT_S, clock=self._clock)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, trace: TracebackType | None
    ) -> None:
        worker = self._worker
        if worker is None:
            return
        try:
            if kind is None:
                worker.finish()
                if not worker.hangs and self._connection is not None and self.state == OPEN:
                    self._connection.finish()
        finally:
            if self._connection is not None:
                self._connection.kill()  # a thread that waits for it wakes up
            worker.abandon()
            if not worker.hangs:
                self._disconnect()
            self._overrun, self._worker = worker.dropped, None
            self._note()

    def write(self, frame: Frame) -> None:
        worker, connection = self._worker, self._connection
        if worker is None:
            raise SinkError("the stream is not open: write inside `with`")
        if worker.busy_s > STALL_S:
            if not self._reconnect:
                raise SinkError(f"nothing could be written for {STALL_S:g} s; the other side does not take it")
            if connection is not None:
                connection.kill()
        picture = self._steady(frame)
        pts = (self._clock() - self._start_ns) * TIME_BASE.denominator // 1_000_000_000
        self._last_pts = max(pts, self._last_pts + 1)
        worker.put((picture, self._last_pts))

    def _take(self, item: tuple[Frame, int]) -> None:
        """On the worker's thread: send a frame, or do what has to come before that."""
        frame, pts = item
        try:
            if self._connection is None:
                if not self._wait.over():
                    self._lost += 1
                else:
                    self._connect(frame, pts)
            elif self._is_open(self._connection):
                self._connection.send(frame, pts)
            else:
                self._lost += 1
        except NoProtocol as exc:
            if self._by_ffmpeg or shutil.which("ffmpeg") is None:
                raise SinkError(f"cannot push to {self.address}: {exc}") from exc
            self._by_ffmpeg = True
            self._disconnect()
            self._take(item)
        except Broken as exc:
            self._lost += 1
            self._broke(str(exc), exc)

    def _connect(self, frame: Frame, pts: int) -> None:
        self._since_ns = self._clock()
        self._connection = connection = Connection(self._push(frame.size), by_ffmpeg=self._by_ffmpeg)
        connection.begin(frame, pts)
        if not self._reconnect and not self._is_open(connection, STALL_S):  # nobody is kept waiting but us
            raise Broken(SILENT)

    def _is_open(self, connection: Connection, timeout_s: float = 0.0) -> bool:
        if self.state == OPEN:
            return True
        if connection.established(timeout_s):
            self.reconnections += self.state == RECONNECTING
            self.state, self.trouble = OPEN, None
            self._wait.held()
            return True
        if self._clock() - self._since_ns > STALL_S * 1e9:
            raise Broken(SILENT)
        return False

    def _broke(self, why: str, exc: Broken) -> None:
        """Wait for the next try, or give up."""
        if not self._reconnect or self.state == CONNECTING:
            raise SinkError(f"cannot push to {self.address}: {why}") from exc
        self.state, self.trouble = RECONNECTING, f"output: reconnecting to {self.address}: {why}"
        self._disconnect()
        self._wait.again()

    def _disconnect(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()

    def _note(self) -> None:
        if self.dropped:
            again = f", or had to be connected again ({self.reconnections} times)" if self.reconnections else ""
            self.notes.append(f"{self.dropped} frames were dropped: the network was too slow{again}")
        if self.trouble:
            self.notes.append(f"the connection was broken at the end: {self.trouble.removeprefix('output: ')}")

    def _push(self, size: Size) -> Push:
        bits = self._bitrate or max(LEAST_BITS, round(BITS_PER_PIXEL * size.width * size.height * self._fps))
        muxer = MUXERS[self._scheme]
        return Push(
            url=self._url,
            address=self.address,
            format=muxer,
            options={"flush_packets": "1", **MUXER_OPTIONS.get(muxer, {})},
            fps=self._fps,
            # the buffer of rate control holds half a second: a picture with much in it cannot hold up those behind it
            encoder={
                "preset": self._preset,
                "tune": "zerolatency",
                "b": str(bits),
                "maxrate": str(bits),
                "bufsize": str(bits // 2),
            },
            gop=round(KEYFRAME_S * self._fps),
        )


def parse_bitrate(value: int | str) -> int:
    """Bits a second, from `2500000`, `2500k` or `2.5M`.

    Raises:
        OptionError: not such a number, or not from 10k to 1000M.
    """
    match = re.fullmatch(r"(\d+(?:\.\d+)?)([kM]?)", str(value))
    bits = round(float(match[1]) * {"": 1, "k": 1_000, "M": 1_000_000}[match[2]]) if match else 0
    if not 10_000 <= bits <= 1_000_000_000:
        raise OptionError(f"bitrate is from 10k to 1000M bits a second, as in 2500k; got {value!r}")
    return bits


def create(
    argument: str | None,
    *,
    source_info: StreamInfo | None = None,
    bitrate: int | str | None = None,
    preset: str | None = None,
    reconnect: bool = False,
) -> Stream:
    """`rtmp://HOST/APP/KEY` and the like, or `stream:` before it."""
    if not argument:
        raise OptionError("stream needs an address, as in rtmp://localhost/live/key")
    return Stream(argument, source_info=source_info, bitrate=bitrate, preset=preset, reconnect=reconnect)
