"""Video files. The suffix decides what is inside."""

from __future__ import annotations

import contextlib
import os
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from types import TracebackType
from typing import Any

import av
import numpy as np
from av.error import FFmpegError

from livematte._av import RANGE_FULL, RANGE_LIMITED, SPC_BT709, SPC_SMPTE170M, reason, to_av
from livematte._errors import OptionError, SinkError
from livematte._frame import U8, ColorMatrix, ColorRange, Frame, PixelFormat, Size
from livematte._stages import StreamInfo
from livematte.sinks._audio import Audio
from livematte.sinks._codecs import CONTAINERS, check_encoder, choose, encoder_options
from livematte.sinks._partial import PartialFile

DEFAULT_FPS = Fraction(30)
"""For the encoder's rate control where the source knows no rate; times come from the frames."""

MAX_TIMESCALE = 2**31 - 1
"""Largest clock rate of an MP4 file (ISO 14496-12, 32 bits, signed in practice)."""


class File:
    """A video file with the sound of its source.

    Times are those of the frames, exactly in .mp4 and .mov; .mkv and .webm count
    milliseconds. Sizes must not change. H.264, H.265 and AV1 have even sides: an odd
    last row or column is repeated, which `notes` tells.

    Args:
        path: .mp4, .m4v, .mov, .mkv or .webm.
        source_info: of the source, for rate, sound, and so that it is not overwritten.
        codec: h264, h265, vp9, av1 or prores; None is what the suffix suggests.
        crf: quality, lower is better; the range is the codec's.
        preset: speed of the encoder, in its own words (veryfast, 0-13).
        threads: of the encoder; None leaves the choice to it.
        audio: take the sound along, untouched where the container can hold it.
        overwrite: replace a file that has the name by the time this one is complete.

    Raises:
        OptionError: suffix, codec or a setting that does not exist or fit.
        SinkError: the place cannot be written to, or FFmpeg lacks the encoder.
    """

    def __init__(
        self,
        path: str | Path,
        *,
        source_info: StreamInfo | None = None,
        codec: str | None = None,
        crf: int | None = None,
        preset: str | None = None,
        threads: int | None = None,
        audio: bool = True,
        overwrite: bool = True,
    ) -> None:
        self._suffix = Path(path).suffix.lower()
        if self._suffix not in CONTAINERS:
            raise OptionError(f"a video ends in {', '.join(CONTAINERS)}; got {str(path)!r}")
        if threads is not None and not 1 <= threads <= 256:
            raise OptionError(f"threads must be from 1 to 256, got {threads}")
        name, chosen = choose(self._suffix, codec, alpha=False)  # frames with alpha choose again
        encoder_options(name, chosen, crf, preset)
        check_encoder(name, chosen)
        self.notes: list[str] = []
        self._path = path
        self._info = source_info or StreamInfo()
        self._codec, self._crf, self._preset, self._threads, self._audio_wanted = codec, crf, preset, threads, audio
        self._overwrite = overwrite
        self._partial: PartialFile | None = None
        self._container: Any = None
        self._stream: Any = None
        self._audio: Audio | None = None
        self._written = 0
        self._last_pts: int | None = None
        self._first_times: tuple[int, int] | None = None
        self._held: Any = None

    def __enter__(self) -> File:
        source = getattr(self._info, "path", None) or self._info.audio
        self._partial = PartialFile(self._path, source, overwrite=self._overwrite)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._partial is None:
            return
        partial, self._partial = self._partial, None
        try:
            if kind is None:
                self._finish()
                partial.keep()
        finally:
            self._close()
            partial.drop()

    def write(self, frame: Frame) -> None:
        if self._container is None:
            self._begin(frame)
        if (frame.size, frame.alpha is not None) != self._kind:
            was, now = self._kind, (frame.size, frame.alpha is not None)
            raise SinkError(
                f"a video file keeps its size, {_say(was)}; frame {self._written + 1} is {_say(now)}: "
                "scale the source first, or write a folder of images"
            )
        if frame.time_base != self._time_base:
            frame = self._in_our_time(frame)
        if self._last_pts is not None and frame.pts <= self._last_pts:
            raise SinkError(f"times must rise: pts {frame.pts} came after {self._last_pts} at {frame.time_s:.3f} s")
        self._last_pts = frame.pts
        picture = to_av(self._even(frame), self._stream.pix_fmt)
        picture.duration = self._ticks
        try:
            self._mux(self._stream.encode(picture))
        except (FFmpegError, OSError, ValueError) as exc:
            raise SinkError(self._failed(exc)) from exc
        self._written += 1

    def _begin(self, frame: Frame) -> None:
        if self._partial is None:
            raise SinkError("the file is not open: write inside `with`")
        alpha = frame.alpha is not None
        name, codec = choose(self._suffix, self._codec, alpha=alpha)
        check_encoder(name, codec)
        options = encoder_options(name, codec, self._crf, self._preset)
        muxer, _ = CONTAINERS[self._suffix]
        self._kind = (frame.size, alpha)
        self._pad = codec.even and (frame.size.width % 2 == 1 or frame.size.height % 2 == 1)
        size = Size(frame.size.width + frame.size.width % 2, frame.size.height + frame.size.height % 2)
        if self._pad:
            self.notes.append(f"{name} has even sides: {frame.size} became {size}, the last row or column repeated")
        else:
            size = frame.size
        fps = self._info.fps or DEFAULT_FPS
        self._time_base = frame.time_base
        self._ticks = max(1, round(1 / (fps * self._time_base)))
        if name == "av1":  # SVT-AV1 talks on stderr unless told not to; 1 is errors alone
            os.environ.setdefault("SVT_LOG", "1")
        try:
            self._container = av.open(
                "file:" + str(self._partial.hidden),
                "w",
                format=muxer,
                container_options=self._container_options(muxer),
            )
            stream: Any = self._container.add_stream(codec.encoder, rate=fps, options=options)
            stream.width, stream.height = size
            stream.pix_fmt = codec.alpha_format if alpha else codec.format
            stream.codec_context.time_base = stream.time_base = self._time_base
            full = frame.range is ColorRange.FULL and frame.format is not PixelFormat.RGB
            stream.codec_context.color_range = RANGE_FULL if full else RANGE_LIMITED
            stream.codec_context.colorspace = SPC_BT709 if frame.matrix is ColorMatrix.BT709 else SPC_SMPTE170M
            aspect = getattr(self._info, "aspect", 1)
            if aspect != 1:
                stream.codec_context.sample_aspect_ratio = aspect
            if self._threads:
                stream.codec_context.thread_count = self._threads
            self._stream = stream
            if self._audio_wanted and self._info.audio:
                self._audio = Audio(self._info.audio, self._container, muxer, self.notes)
            stream.codec_context.open()
        except (FFmpegError, OSError, ValueError) as exc:
            raise SinkError(
                f"{codec.encoder} cannot encode {size} at {float(fps):.4g} frames a second: {reason(exc)}; "
                "try another codec or size"
            ) from exc

    def _container_options(self, muxer: str) -> dict[str, str]:
        """MP4 and MOV: a clock on which a first pts other than 0 is exact, not rounded to 1 ms."""
        clock = self._time_base.denominator
        return {"movie_timescale": str(clock)} if muxer in {"mp4", "mov"} and clock <= MAX_TIMESCALE else {}

    def _in_our_time(self, frame: Frame) -> Frame:
        pts = frame.pts * frame.time_base / self._time_base
        if pts.denominator != 1:
            raise SinkError(f"the time base changed from {self._time_base} to {frame.time_base} within the stream")
        return replace(frame, pts=int(pts), time_base=self._time_base)

    def _even(self, frame: Frame) -> Frame:
        if not self._pad:
            return frame
        if frame.format is not PixelFormat.I420:
            planes = tuple(_repeat_last(plane) for plane in frame.planes)
            return frame.with_planes((planes[0], planes[1], planes[2]))
        return frame.with_planes((_repeat_last(frame.planes[0]), frame.planes[1], frame.planes[2]))

    def _mux(self, packets: list[Any]) -> None:
        for packet in packets:
            if self._first_times is None:
                self._first_times = packet.dts, packet.pts
            self._mux_held()
            self._held = packet

    def _mux_held(self) -> None:
        if self._held is None:
            return
        if self._audio is not None:
            self._audio.until(self._held.dts * self._held.time_base)
        self._container.mux(self._held)
        self._held = None

    def _stretch_last(self) -> None:
        """Let the file last until its last frame has been shown.

        MP4 sums up the time between decodings, which lags behind what is shown where the
        frame rate varies; the last packet makes up for it.
        """
        if self._suffix not in {".mp4", ".m4v", ".mov"}:
            return
        if self._held is not None and self._first_times is not None and self._last_pts is not None:
            first_dts, first_pts = self._first_times
            shown = self._last_pts + self._ticks - first_pts
            self._held.duration = max(self._ticks, shown - (self._held.dts - first_dts))

    def _finish(self) -> None:
        if self._container is None:
            raise SinkError(f"no frame was written, so there is no {self._path}")
        try:
            self._mux(self._stream.encode(None))
            self._stretch_last()
            self._mux_held()
            if self._audio is not None:
                self._audio.finish()
            self._container.close()
        except (FFmpegError, OSError, ValueError) as exc:
            raise SinkError(self._failed(exc)) from exc

    def _close(self) -> None:
        if self._audio is not None:
            self._audio.close()
        if self._container is not None:
            with contextlib.suppress(FFmpegError, OSError, ValueError):  # it failed before, or is thrown away
                self._container.close()
        self._audio = self._container = None

    def _failed(self, exc: BaseException) -> str:
        return f"cannot write {self._path} beyond frame {self._written} ({reason(exc)}); nothing was left behind"


def _repeat_last(plane: U8) -> U8:
    """Even sides, by repeating the last row or column of an odd one."""
    height, width = plane.shape
    return np.pad(plane, ((0, height & 1), (0, width & 1)), mode="edge")


def _say(kind: tuple[Size, bool]) -> str:
    return f"{kind[0]}{' with alpha' if kind[1] else ''}"


def create(
    argument: str | None,
    *,
    source_info: StreamInfo | None = None,
    codec: str | None = None,
    crf: int | None = None,
    preset: str | None = None,
    threads: int | None = None,
    audio: bool = True,
    overwrite: bool = True,
) -> File:
    """`file:PATH`, or just a PATH with a video's suffix."""
    if not argument:
        raise OptionError("file needs a path, as in file:out.mp4")
    return File(
        argument, source_info=source_info, codec=codec, crf=crf, preset=preset, threads=threads, audio=audio,
        overwrite=overwrite,
    )  # fmt: skip
