"""Video pushed into a network: RTMP, RTSP, SRT, MPEG-TS over UDP. H.264 for live use: no frame waits for another."""

from __future__ import annotations

import contextlib
import re
import shutil
from fractions import Fraction
from types import TracebackType
from typing import Any
from urllib.parse import urlsplit

import av
from av.error import FFmpegError, ProtocolNotFoundError

from livematte._av import RANGE_LIMITED, SPC_BT709, SPC_SMPTE170M, reason, to_av
from livematte._child import Child
from livematte._clock import Clock, monotonic
from livematte._errors import OptionError, SinkError
from livematte._frame import ColorMatrix, Frame, Size
from livematte._stages import StreamInfo
from livematte.sinks._camera import Steady
from livematte.sinks._codecs import CODECS, check_encoder
from livematte.sinks._worker import Worker

MUXERS = {"rtmp": "flv", "rtmps": "flv", "rtsp": "rtsp", "srt": "mpegts", "udp": "mpegts", "tcp": "mpegts"}
"""By scheme of the address: FFmpeg's muxer."""

TIME_BASE = Fraction(1, 90_000)
"""The clock of MPEG-TS and RTP (ISO 13818-1, RFC 6184)."""

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
"""After so long without progress the connection counts as broken."""


class Stream:
    """A push to an address, in real time: the moment of writing is the time of a frame.

    Connecting, encoding and sending are a thread's work. A network that stalls costs frames, never memory; one that
    is broken raises SinkError at the next write. Frames keep the first one's size.

    Args:
        url: `rtmp://`, `rtmps://`, `rtsp://`, `srt://`, `udp://` or `tcp://` and where to.
        source_info: of the source, for the rate.
        bitrate: bits a second, or as in `2500k` and `3M`; None is by size and rate.
        preset: speed of x264, `ultrafast` to `veryslow`.
        clock: monotonic nanoseconds.

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
        clock: Clock = monotonic,
    ) -> None:
        self._scheme = urlsplit(url).scheme.lower()
        if self._scheme not in MUXERS or not urlsplit(url).netloc:
            raise OptionError(f"a stream's address begins with {', '.join(f'{s}://' for s in MUXERS)}; got {url!r}")
        codec = CODECS["h264"]
        check_encoder("h264", codec)
        if preset is not None and codec.preset is not None and preset not in codec.preset[2]:
            raise OptionError(f"preset must be one of {', '.join(codec.preset[2])}; got {preset!r}")
        self._url, self._clock = url, clock
        self._preset = preset or "veryfast"
        self._bitrate = None if bitrate is None else parse_bitrate(bitrate)
        self._fps = (source_info.fps if source_info else None) or DEFAULT_FPS
        self.address = shown(url)
        self.notes: list[str] = []
        self._steady = Steady(tagged=True)
        self._worker: Worker | None = None
        self._container: Any = None
        self._stream: Any = None
        self._relay: Child | None = None
        self._start_ns = 0
        self._last_pts = -1

    @property
    def dropped(self) -> int:
        """Frames that the network had no room for."""
        return self._worker.dropped if self._worker else 0

    def __enter__(self) -> Stream:
        self._start_ns = self._clock()
        self._worker = Worker(self._send, depth=DEPTH, wait_s=WAIT_S, stall_s=STALL_S, clock=self._clock)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, trace: TracebackType | None
    ) -> None:
        worker, self._worker = self._worker, None
        if worker is None:
            return
        try:
            if kind is None:
                worker.finish()
                if not worker.hangs:
                    self._finish()
        finally:
            if self._relay is not None:
                self._relay.close()  # a thread that waits for it wakes up
            worker.abandon()
            if not worker.hangs:  # FFmpeg still holds what hangs; it goes with the process
                self._close()
            if worker.dropped:
                self.notes.append(f"{worker.dropped} frames were dropped: the network was too slow")

    def write(self, frame: Frame) -> None:
        if self._worker is None:
            raise SinkError("the stream is not open: write inside `with`")
        picture = self._steady(frame)
        pts = (self._clock() - self._start_ns) * TIME_BASE.denominator // 1_000_000_000
        self._last_pts = max(pts, self._last_pts + 1)
        self._worker.put((picture, self._last_pts))

    def _send(self, item: tuple[Frame, int]) -> None:
        """On the worker's thread."""
        frame, pts = item
        try:
            if self._container is None:
                self._connect(frame)
            picture = to_av(frame)
            picture.pts, picture.time_base = pts, TIME_BASE
            self._container.mux(self._stream.encode(picture))
        except (FFmpegError, OSError, ValueError) as exc:
            said = self._relay.last_words() if self._relay is not None and not self._relay.running else reason(exc)
            raise SinkError(f"cannot push to {self.address}: {said.removeprefix('[Errno 5] ')}") from exc

    def _connect(self, frame: Frame) -> None:
        try:
            self._open(self._url, frame)
        except ProtocolNotFoundError:
            if shutil.which("ffmpeg") is None:
                raise SinkError(
                    f"PyAV's FFmpeg has no {self._scheme}, and there is no ffmpeg beside it; install ffmpeg"
                ) from None
            self._close()
            command = ["ffmpeg", "-hide_banner", "-loglevel", "error", "-fflags", "nobuffer", "-probesize", "32768"]
            command += ["-f", "mpegts", "-i", "pipe:0", "-c", "copy", "-f", "mpegts", "-flush_packets", "1", self._url]
            self._relay = Child(command, feed=True)
            self._open(self._relay.stdin, frame)

    def _open(self, place: Any, frame: Frame) -> None:
        options = {"flush_packets": "1"}
        if self._scheme == "rtsp":
            options["rtsp_transport"] = "tcp"
        if self._scheme.startswith("rtmp"):
            options["flvflags"] = "no_duration_filesize"  # there is no way back to the start
        self._container = av.open(place, "w", format=MUXERS[self._scheme], container_options=options)
        encoder = CODECS["h264"].encoder
        stream: Any = self._container.add_stream(encoder, rate=self._fps, options=self._encoder_options(frame.size))
        stream.width, stream.height = frame.size
        stream.pix_fmt = "yuv420p"
        stream.codec_context.time_base = stream.time_base = TIME_BASE
        stream.codec_context.color_range = RANGE_LIMITED
        stream.codec_context.colorspace = SPC_BT709 if frame.matrix is ColorMatrix.BT709 else SPC_SMPTE170M
        stream.codec_context.max_b_frames = 0
        stream.codec_context.gop_size = round(KEYFRAME_S * self._fps)
        self._stream = stream
        self._container.start_encoding()

    def _encoder_options(self, size: Size) -> dict[str, str]:
        bits = self._bitrate or max(LEAST_BITS, round(BITS_PER_PIXEL * size.width * size.height * self._fps))
        # the buffer of rate control holds half a second: a picture with much in it cannot hold up those behind it
        return {
            "preset": self._preset,
            "tune": "zerolatency",
            "b": str(bits),
            "maxrate": str(bits),
            "bufsize": str(bits // 2),
        }

    def _finish(self) -> None:
        if self._container is not None:
            with contextlib.suppress(FFmpegError, OSError, ValueError):  # whoever watched has gone
                self._container.mux(self._stream.encode(None))
        if self._relay is not None and self._container is not None:
            with contextlib.suppress(FFmpegError, OSError, ValueError):
                self._container.close()
            self._container = None
            self._relay.finish()

    def _close(self) -> None:
        container, relay = self._container, self._relay
        self._container = self._relay = None
        if relay is not None:
            relay.close()
        if container is not None:
            with contextlib.suppress(FFmpegError, OSError, ValueError):
                container.close()


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


def shown(url: str) -> str:
    """An address without what is secret in it: user, password, query, and the key that RTMP has for a last name."""
    parts = urlsplit(url)
    host = parts.netloc.rpartition("@")[2]
    path = parts.path
    if parts.scheme.startswith("rtmp") and path.count("/") > 1:
        path = path.rpartition("/")[0] + "/..."
    return f"{parts.scheme}://{host}{path}"


def create(
    argument: str | None,
    *,
    source_info: StreamInfo | None = None,
    bitrate: int | str | None = None,
    preset: str | None = None,
) -> Stream:
    """`rtmp://HOST/APP/KEY` and the like, or `stream:` before it."""
    if not argument:
        raise OptionError("stream needs an address, as in rtmp://localhost/live/key")
    return Stream(argument, source_info=source_info, bitrate=bitrate, preset=preset)
