"""What cameras, screens and network streams have in common: FFmpeg reads them, now, and they may go away."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import nullcontext
from fractions import Fraction
from types import TracebackType
from typing import TYPE_CHECKING, Any

from livematte._errors import DeviceLost, FrameError, OpenError
from livematte._frame import Frame, Size
from livematte._stages import StreamInfo

if TYPE_CHECKING:
    from livematte.sources._silence import Silence

AT_ONCE = {"fflags": "nobuffer", "flags": "low_delay"}
"""Nothing is kept back: neither packets to guess durations, nor frames to put them in order."""

POLL_S = 0.002
"""Between two looks at a device that says "not yet" in place of waiting (AVFoundation)."""

MOST_BAD = 30
"""Packets in a row that cannot be decoded, after which a device counts as lost: cameras send one now and then."""


class Device:
    """Something live that FFmpeg reads, opened here.

    Frames are I420 of limited range, upright, with the device's times, or the next free one
    where it has none. It never ends: when nothing comes any more it is lost.

    Args:
        what: its name in messages.
        url, format: for FFmpeg; None lets it find the format.
        options: of FFmpeg's input; those it does not know are ignored.
        timeout_s: of opening and of each read, where that can be interrupted (network).
        silence: the same for a V4L2 device.
        hint: what to do when it cannot be opened.

    Raises:
        OpenError: it is not there, is used by another program, or gives no video.
    """

    def __init__(
        self,
        what: str,
        url: str,
        format: str | None,
        options: dict[str, str],
        *,
        timeout_s: float | None = None,
        silence: Silence | None = None,
        hint: str = "",
    ) -> None:
        import av
        from av.error import FFmpegError

        from livematte._av import reason

        self.what, self._silence = what, silence
        self._container: Any = None
        try:
            with nullcontext() if silence is None else silence.opening():
                self._container = av.open(url, format=format, options={**AT_ONCE, **options}, timeout=timeout_s)
        except DeviceLost as exc:
            if self._container is not None:
                self._container.close()
            raise OpenError(f"{exc}{hint and '; ' + hint}") from exc
        except (FFmpegError, OSError, ValueError) as exc:
            if url in exc.args:  # with its password and keys, which a traceback would show
                exc.args = tuple(what if word == url else word for word in exc.args)
            raise OpenError(f"cannot open {what}: {reason(exc)}{hint and '; ' + hint}") from exc
        try:
            video = self._container.streams.video
            if not video:
                raise OpenError(f"{what} gives no video")
            self._stream: Any = video[0]
            self._stream.thread_type = "SLICE"  # frame threads keep back a frame each
            context = self._stream.codec_context
            size = Size(context.width, context.height)
            self.info = StreamInfo(
                size=size if min(size) > 0 else None,
                fps=_rate(self._stream),
                time_base=self._stream.time_base,
            )
        except BaseException:
            self._container.close()
            raise

    def __enter__(self) -> Device:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._container.close()

    def __iter__(self) -> Iterator[Frame]:
        from av.error import FFmpegError
        from av.video.reformatter import VideoReformatter

        from livematte._av import from_camera, orientation, reason, turn

        last, reformatter, count, bad = -1, VideoReformatter(), 0, 0
        packets = self._container.demux(self._stream)
        while True:
            if self._silence is not None:
                self._silence.wait()
            try:
                packet = next(packets, None)
            except BlockingIOError:
                time.sleep(POLL_S)
                continue
            except (FFmpegError, OSError) as exc:
                raise DeviceLost(f"{self.what} is gone after {count} packets: {reason(exc)}") from exc
            if packet is None or packet.size == 0:
                raise DeviceLost(f"{self.what} ended after {count} packets")
            count += 1
            try:
                pictures = packet.decode()
                bad = 0
            except FFmpegError as exc:
                bad += 1
                if bad >= MOST_BAD:
                    raise DeviceLost(f"{self.what} sends what cannot be decoded: {reason(exc)}") from exc
                continue
            for picture in pictures:
                last = picture.pts = last + 1 if picture.pts is None else max(picture.pts, last + 1)
                picture.time_base = self._stream.time_base
                try:
                    frame = from_camera(picture, reformatter)
                except FrameError as exc:
                    raise DeviceLost(f"a frame of {self.what} cannot be used: {exc}") from exc
                yield turn(frame, orientation(picture))


def _rate(stream: Any) -> Fraction | None:
    """Frames a second, if the device tells a believable one."""
    rate = stream.average_rate or stream.guessed_rate
    return Fraction(rate) if rate and 1 <= rate <= 1000 else None
