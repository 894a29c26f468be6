"""One connection of a push: frames are encoded here, and sent by a program beside us, which may be killed."""

from __future__ import annotations

import contextlib
import json
import shutil
import sys
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import av
from av.error import FFmpegError

from livematte._av import RANGE_LIMITED, SPC_BT709, SPC_SMPTE170M, reason, to_av
from livematte._child import Child
from livematte._frame import ColorMatrix, Frame
from livematte.sinks import _push
from livematte.sinks._codecs import CODECS
from livematte.sinks._secrets import Handed, apart

TIME_BASE = Fraction(1, 90_000)
"""The clock of MPEG-TS and RTP (ISO 13818-1, RFC 6184)."""

FFMPEG = ("ffmpeg", "-hide_banner", "-loglevel", "error", "-probesize", "32", "-analyzeduration", "0")
FFMPEG_REPORTS = ("-progress", "pipe:1", "-stats_period", "0.5")
"""Its first report comes when it is connected."""


class Broken(Exception):
    """The connection cannot be used; the message says why, on one line."""


class NoProtocol(Broken):
    """PyAV's FFmpeg does not know the protocol."""


@dataclass(frozen=True, slots=True)
class Push:
    """Where to, and how.

    Args:
        url: with all its secrets.
        address: the same without them.
        format: FFmpeg's muxer.
        options: of the muxer.
        fps: for the encoder's rate control.
        encoder: options of x264.
        gop: frames between key frames, at most.
    """

    url: str
    address: str
    format: str
    options: dict[str, str]
    fps: Fraction
    encoder: dict[str, str]
    gop: int


class Connection:
    """A program that sends, waiting for the first frame; after `begin()` no other is taken before `established()`.

    Args:
        push: where to, and how.
        by_ffmpeg: let FFmpeg's own program send.

    Raises:
        Broken: it cannot be started.
    """

    def __init__(self, push: Push, *, by_ffmpeg: bool) -> None:
        self._push, self._by_ffmpeg, self._zero = push, by_ffmpeg, 0
        self._container: Any = None
        self._stream: Any = None
        url, secrets = apart(push.url)
        self._secrets: Handed | None = None
        try:
            if by_ffmpeg:
                self._secrets = Handed(secrets)
                self._child = _ffmpeg(push, url, self._secrets)
                self._secrets.started()
            else:
                self._child = _program()
        except OSError as exc:
            self._forget()
            raise Broken(f"no process can be started for it: {reason(exc)}") from exc

    def begin(self, frame: Frame, pts: int) -> None:
        """Begin to connect.

        Args:
            frame: the first one, a key frame.
            pts: of it, in `TIME_BASE`; the other side counts from there.

        Raises:
            Broken: it failed at once.
        """
        push, self._zero = self._push, pts
        try:
            if not self._by_ffmpeg:
                wanted = {"url": push.url, "format": push.format, "options": push.options}
                self._child.send(json.dumps(wanted).encode() + b"\n")  # not as an argument: those are for all to see
            pipe: Any = self._child.stdin
            self._container = av.open(pipe, "w", format="nut", container_options={"flush_packets": "1"})
            self._stream = _stream(self._container, push, frame)
            self._container.start_encoding()
        except (FFmpegError, OSError, ValueError) as exc:
            raise self._why(exc) from exc
        self.send(frame, pts)

    def established(self, timeout_s: float = 0.0) -> bool:
        """Whether the other side has taken the connection.

        Raises:
            Broken: it refused.
        """
        answer = self._child.answered(timeout_s)
        if answer is False:
            raise self._why(None)
        if answer:
            self._forget()
        return bool(answer)

    def send(self, frame: Frame, pts: int) -> None:
        """Encode a frame and hand it over; waits while the network takes nothing, until `kill()`.

        Raises:
            Broken: the other side, or the way to it, is gone.
        """
        picture = to_av(frame)
        picture.pts, picture.time_base = pts - self._zero, TIME_BASE
        try:
            self._container.mux(self._stream.encode(picture))
        except (FFmpegError, OSError, ValueError) as exc:
            raise self._why(exc) from exc

    def finish(self) -> None:
        """Send what waits, and end in order."""
        with contextlib.suppress(FFmpegError, OSError, ValueError):  # whoever watched has gone
            self._container.mux(self._stream.encode(None))
            self._container.close()
        self._child.finish()
        self._forget()

    def kill(self) -> None:
        """End the program that sends; a thread that waits in `send()` wakes up."""
        self._child.kill()

    def close(self) -> None:
        """End without the rest; twice is fine."""
        self._child.kill()
        if self._container is not None:
            with contextlib.suppress(FFmpegError, OSError, ValueError):
                self._container.close()
        self._child.close()
        self._forget()

    def _forget(self) -> None:
        """FFmpeg has read what is secret."""
        if self._secrets is not None:
            self._secrets.over()

    def _why(self, exc: BaseException | None) -> Broken:
        code = self._child.code()
        if code == _push.NO_PROTOCOL:
            return NoProtocol("PyAV's FFmpeg does not know this protocol; install ffmpeg")
        words = reason(exc) if code is None and exc is not None else self._child.last_words()
        if self._secrets is not None and "SRTO_PASSPHRASE" in words:
            words = (
                "FFmpeg has taken no passphrase: one has 10 to 79 characters, and FFmpeg 9.0 cannot be given one "
                "without showing it; FFmpeg 7.0 can"
            )
        for url in (self._push.url, apart(self._push.url)[0]):
            words = words.replace(url, self._push.address)
        return Broken(words.removeprefix("[Errno 5] "))


def _program() -> Child:
    """The program of ours that sends."""
    return Child([sys.executable, "-m", _push.__name__], feed=True, answers=True)


def _ffmpeg(push: Push, url: str, secrets: Handed) -> Child:
    """FFmpeg's own program.

    Args:
        url: where to, without secrets.
        secrets: of the address.
    """
    options = [word for key, value in push.options.items() for word in (f"-{key}", value)]
    arguments = [*FFMPEG[1:], *FFMPEG_REPORTS, "-f", "nut", "-i", "pipe:0", "-c", "copy", "-f", push.format]
    command = [shutil.which("ffmpeg") or "ffmpeg", *arguments, *options, *secrets.arguments, url]
    return Child(command, feed=True, answers=True, files=secrets.files)


def _stream(container: Any, push: Push, frame: Frame) -> Any:
    stream = container.add_stream(CODECS["h264"].encoder, rate=push.fps, options=push.encoder)
    stream.width, stream.height = frame.size
    stream.pix_fmt = "yuv420p"
    stream.codec_context.time_base = stream.time_base = TIME_BASE
    stream.codec_context.color_range = RANGE_LIMITED
    stream.codec_context.colorspace = SPC_BT709 if frame.matrix is ColorMatrix.BT709 else SPC_SMPTE170M
    stream.codec_context.max_b_frames = 0
    stream.codec_context.gop_size = push.gop
    return stream
