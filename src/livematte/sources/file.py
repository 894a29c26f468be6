"""Video files, upright, with the pts they have."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from types import TracebackType
from typing import Any

import av
from av.error import FFmpegError
from av.stream import Disposition

from livematte._av import QUARTER_TURNS, RANGE_LIMITED, from_av, orientation, reason, turn
from livematte._errors import FrameError, OpenError, OptionError, SourceError
from livematte._frame import Frame
from livematte.sources import FileInfo
from livematte.sources._mp4 import track_orientation
from livematte.sources._whole import missing_bytes

DEFAULT_FPS = Fraction(25)
"""For streams that tell neither times nor a rate."""

_LIMITED_BY_STANDARD = ("h264", "hevc", "mpeg2video", "mpeg4", "vp8", "vp9", "av1")
"""Codecs whose untagged grey is 16-235; FFmpeg takes grey for full range."""


class File:
    """A video file, opened and checked here, read once.

    Rotation and mirroring of the container are applied, so that every frame is upright.
    pts and time base are the file's own; a frame without pts, or not later than the one
    before, gets the next free one. Frames may change size where the stream does. Pixels
    that are not square stay so: `info.aspect` tells.

    Args:
        path: file name; a leading `file:` is cut off.
        keep_broken: go on over damaged data instead of stopping there.
        threads: of the decoder; None leaves the choice to FFmpeg.

    Raises:
        OpenError: missing, no video in it (audio only), cut off, or not decodable.
        OptionError: threads out of range.
    """

    def __init__(self, path: str | Path, *, keep_broken: bool = False, threads: int | None = None) -> None:
        self.path = str(path)
        self._keep_broken = keep_broken
        if threads is not None and not 1 <= threads <= 256:
            raise OptionError(f"threads must be from 1 to 256, got {threads}")
        self._container = _opened(self.path)
        try:
            if not keep_broken:
                _refuse_cut(self.path)
            self._stream = _video_stream(self._container, self.path)
            self._stream.thread_type = "AUTO"
            if threads:
                self._stream.thread_count = threads
            fps = self._stream.average_rate or self._stream.guessed_rate or DEFAULT_FPS
            self._time_base: Fraction = self._stream.time_base or 1 / fps
            self._frame_ticks = max(1, round(1 / (fps * self._time_base)))
            self._count = 0
            self._turn: int | None = None
            self._last_pts: int | None = None
            self._frames = self._read()
            first = next(self._frames, None)
            if first is None:
                raise OpenError(f"no frame of {self.path} can be decoded; is it damaged, or empty?")
        except BaseException:
            self._container.close()
            raise
        self._first: Frame | None = first
        self.info = FileInfo(
            size=first.size,
            fps=fps,
            frames=_frames(self._container, self._stream, fps),
            time_base=self._time_base,
            audio=self.path if self._container.streams.audio else None,
            path=self.path,
            aspect=_aspect(self._stream, self._turn),
        )

    def __enter__(self) -> File:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Free decoder and file; twice is fine."""
        self._first = None
        self._frames.close()
        self._container.close()

    def __iter__(self) -> Iterator[Frame]:
        if self._first is not None:
            first, self._first = self._first, None
            yield first
        yield from self._frames

    def _read(self) -> Any:
        """Generator of frames."""
        packets = self._container.demux(self._stream)
        while True:
            try:
                packet = next(packets, None)
            except FFmpegError as exc:
                raise SourceError(f"cannot read on in {self.path} after {self._reached()}: {reason(exc)}") from exc
            if packet is None:
                return
            if packet.is_corrupt and not self._keep_broken:
                raise SourceError(self._damaged("a packet of the stream is incomplete"))
            try:
                decoded = packet.decode()
            except FFmpegError as exc:
                if self._keep_broken:
                    continue
                raise SourceError(self._damaged(reason(exc))) from exc
            for picture in decoded:
                if picture.is_corrupt and not self._keep_broken:
                    raise SourceError(self._damaged("a frame could not be decoded completely"))
                yield self._frame(picture)

    def _frame(self, picture: Any) -> Frame:
        pts = picture.pts
        if self._last_pts is not None:
            if pts is None:
                pts = self._last_pts + self._frame_ticks
            pts = max(pts, self._last_pts + 1)
        picture.pts = self._last_pts = pts or 0
        picture.time_base = self._time_base
        self._count += 1
        if picture.color_range == 0 and picture.format.name.startswith("gray"):
            picture.color_range = RANGE_LIMITED if self._stream.codec_context.name in _LIMITED_BY_STANDARD else 0
        try:
            frame = from_av(picture)
        except FrameError as exc:
            raise SourceError(f"frame {self._count} of {self.path} cannot be used: {exc}") from exc
        if self._turn is None:
            self._turn = track_orientation(self.path, self._stream.id) or orientation(picture)
        return turn(frame, self._turn)

    def _reached(self) -> str:
        seconds = float((self._last_pts or 0) * self._time_base)
        return f"{self._count} frames ({seconds:.2f} s)"

    def _damaged(self, why: str) -> str:
        return f"{self.path} is damaged after {self._reached()}: {why}; to go on over damage, ask for keep_broken"


def _opened(path: str) -> Any:
    if Path(path).is_dir():
        raise OpenError(f"{path} is a folder, not a video file")
    try:
        return av.open("file:" + path)  # the prefix keeps a colon in a name from meaning a protocol
    except (FFmpegError, OSError, ValueError) as exc:
        if not Path(path).exists():  # asked after the attempt: a file may go at any time
            raise OpenError(f"there is no file {path}") from exc
        lacking = _lacking(path)
        cut = f"; {lacking} bytes of it are missing" if lacking else ""
        raise OpenError(f"{path} is not a video FFmpeg can read: {reason(exc)}{cut}") from exc


def _video_stream(container: Any, path: str) -> Any:
    for stream in container.streams.video:
        cover = stream.disposition & Disposition.attached_pic
        if not cover and stream.codec_context is not None:
            return stream
    if container.streams.audio:
        raise OpenError(f"{path} holds sound but no video; a video file is needed")
    raise OpenError(f"{path} holds no video that this build of FFmpeg can decode")


def _refuse_cut(path: str) -> None:
    lacking = _lacking(path)
    if lacking:
        raise OpenError(
            f"{path} is cut off: it lacks {lacking} bytes of what it says it holds; get the whole file, "
            "or ask for keep_broken to use what is there"
        )


def _lacking(path: str) -> int:
    try:
        return missing_bytes(path)
    except OSError:  # a pipe, or gone: reading it will say so
        return 0


def _frames(container: Any, stream: Any, fps: Fraction) -> int | None:
    if stream.frames:
        return int(stream.frames)
    if stream.duration and stream.time_base:
        return round(Fraction(stream.duration * stream.time_base * fps))
    if container.duration:
        return round(Fraction(container.duration, av.time_base) * fps)
    return None


def _aspect(stream: Any, turned: int | None) -> Fraction:
    """Width of an upright pixel by its height."""
    aspect = Fraction(stream.sample_aspect_ratio or 1)
    return 1 / aspect if turned in QUARTER_TURNS else aspect


def create(argument: str | None, *, keep_broken: bool = False, threads: int | None = None) -> File:
    """`file:PATH`, or just PATH."""
    if not argument:
        raise OptionError("file needs a path, as in file:talk.mp4")
    return File(argument, keep_broken=keep_broken, threads=threads)
