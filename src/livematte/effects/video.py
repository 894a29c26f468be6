"""A film behind the person."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from fractions import Fraction
from pathlib import Path
from typing import Any, ClassVar

from livematte._errors import OptionError
from livematte._frame import Frame
from livematte._matte import Matte
from livematte._stages import State
from livematte.effects import Look

ROUNDING_S = Fraction(1, 500)
"""How much a film's frame may be early: containers that count milliseconds round both the
film's times and the camera's, and equal rates must not stutter for it."""


@dataclass(frozen=True)
class Video(Look):
    """A video in a loop, scaled to cover the frame, its middle shown.

    It runs with the time of the frames it stands behind, from their first on, whatever
    the two frame rates are. Every stream has a decoder of its own, in the state.

    Args:
        path: a video file. Its first frame is decoded here, so that a broken one is
            refused before anything is written.

    Raises:
        SourceError: missing, no video in it, cut off or damaged.
    """

    new_background: ClassVar[bool] = True

    path: str | Path = field(kw_only=False)
    light_wrap: float = field(default=0.3, kw_only=True)
    despill: bool = field(default=True, kw_only=True)

    def __post_init__(self) -> None:
        super().__post_init__()
        from livematte.sources.file import File

        File(self.path).close()

    def plate(self, frame: Frame, matte: Matte, state: State) -> tuple[Frame, State]:
        playback: _Playback = state or _Playback(self.path, frame.pts * frame.time_base)
        return playback.at(frame), playback


class _Playback:
    """One stream's place in the film; memory is two frames, the plate and the decoder."""

    def __init__(self, path: str | Path, start_s: Fraction) -> None:
        from av.video.reformatter import VideoReformatter

        self._path = path
        self._start_s = start_s
        self._length_s = Fraction(0)  # not known before the film has ended once
        self._reformatter = VideoReformatter()
        self._kind: Any = None
        self._plate: Frame | None = None
        self._rewind()

    def __del__(self) -> None:
        film = getattr(self, "_film", None)
        if film is not None:  # a state is dropped, not closed; its decoder's threads must not wait for the collector
            film.close()

    def at(self, frame: Frame) -> Frame:
        """The plate for `frame`."""
        elapsed_s = frame.pts * frame.time_base - self._start_s + ROUNDING_S
        if elapsed_s < self._round_s:  # the stream went back
            self._seek(elapsed_s)
        while not self._reach(elapsed_s - self._round_s):
            rounds = (elapsed_s - self._round_s) // self._length_s
            self._rewind(self._round_s + rounds * self._length_s)
        kind = (frame.size, frame.format, frame.matrix, frame.range)
        if self._plate is None or kind != self._kind:
            from livematte._av import fit

            self._kind = kind
            self._plate = fit(self._shown, *kind, self._reformatter)
        return replace(self._plate, pts=frame.pts, time_base=frame.time_base)

    def _rewind(self, round_s: Fraction = Fraction(0)) -> None:
        """Start the film again; this round begins `round_s` after the first."""
        from livematte.sources.file import DEFAULT_FPS, File

        self._round_s = round_s
        self._film = File(self._path)
        self._frame_s = 1 / (self._film.info.fps or DEFAULT_FPS)
        self._frames: Iterator[Frame] = iter(self._film)
        self._show(next(self._frames))
        self._zero_s = self._shown.pts * self._shown.time_base
        self._next: Frame | None = next(self._frames, None)

    def _seek(self, elapsed_s: Fraction) -> None:
        self._film.close()
        self._rewind(elapsed_s // self._length_s * self._length_s if self._length_s else min(elapsed_s, Fraction(0)))

    def _reach(self, time_s: Fraction) -> bool:
        """Show the frame of film time `time_s`; False if the film ends before."""
        while self._next is not None and self._time_s(self._next) <= time_s:
            self._show(self._next)
            self._next = next(self._frames, None)
        if self._next is not None:
            return True
        self._length_s = self._time_s(self._shown) + self._frame_s
        if time_s < self._length_s:
            return True
        self._film.close()
        return False

    def _show(self, frame: Frame) -> None:
        self._shown, self._plate = frame, None

    def _time_s(self, frame: Frame) -> Fraction:
        return frame.pts * frame.time_base - self._zero_s


def create(argument: str | None, **options: Any) -> Video:
    """`video:PATH`."""
    if not argument:
        raise OptionError("video needs a film, as in video:waves.mp4")
    return Video(argument, **options)
