"""What a stage must offer. Stages keep no memory: state comes in and goes out."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from types import TracebackType
from typing import Any, Protocol, runtime_checkable

from livematte._frame import Frame, Size
from livematte._matte import Matte

State = Any
"""A stage's memory of one stream; None is the state at the start and after a reset."""


@dataclass(frozen=True, slots=True)
class StreamInfo:
    """What a source knows before its first frame; None where it cannot know.

    Args:
        size: size of the frames, upright.
        fps: average frames a second.
        frames: number of frames, as far as the container tells.
        time_base: seconds of one pts unit.
        audio: path of the file whose audio belongs to these frames.
    """

    size: Size | None = None
    fps: Fraction | None = None
    frames: int | None = None
    time_base: Fraction | None = None
    audio: str | None = None


@runtime_checkable
class Source(Protocol):
    """Reads frames, upright, in order of time. Opened by `with`, read once."""

    info: StreamInfo

    def __enter__(self) -> Source: ...
    def __exit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, trace: TracebackType | None
    ) -> None: ...
    def __iter__(self) -> Iterator[Frame]:
        """Frames until the end of the stream.

        Raises:
            SourceError: the stream broke off.
        """
        ...


@runtime_checkable
class Sink(Protocol):
    """Writes frames. Leaving `with` by an exception abandons the output: nothing
    stays under its final name.

    A sink of a live stream may also have `readers() -> int | None`: how many programs look,
    None if that cannot be known; `ended: bool`: whether nobody ever will again; and
    `resizes: bool`: whether frames may change their size.
    """

    def __enter__(self) -> Sink: ...
    def __exit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, trace: TracebackType | None
    ) -> None: ...
    def write(self, frame: Frame) -> None:
        """Write one frame.

        Raises:
            SinkError: it cannot be written.
        """
        ...


@runtime_checkable
class Segmenter(Protocol):
    """Finds people in one frame. Loaded once, shared by many streams and threads."""

    @property
    def name(self) -> str:
        """Name and tag in the registry."""
        ...

    @property
    def size(self) -> Size:
        """Size of the network's input and of the alpha it gives; the usual one, if other aspects have their own."""
        ...

    def segment(self, frame: Frame, state: State) -> tuple[Matte, State]:
        """The matte of `frame`, float32 0-1 at network size, with the frame's pts.

        Raises:
            InferenceError: no matte could be made; the frame will be covered.
        """
        ...

    def close(self) -> None:
        """Free the engine; twice is fine."""
        ...


@runtime_checkable
class Refiner(Protocol):
    """Matte in, better matte out."""

    def refine(self, frame: Frame, matte: Matte, state: State) -> tuple[Matte, State]: ...


@runtime_checkable
class Effect(Protocol):
    """Paints the background plate. Never writes output and never sees it."""

    @property
    def light_wrap(self) -> float:
        """Light of the plate that falls on the person's rim, 0-1."""
        ...

    def plate(self, frame: Frame, matte: Matte, state: State) -> tuple[Frame | None, State]:
        """The plate for `frame`.

        Returns:
            A frame of any size up to the frame's and of its colour, to be stretched
            over it; its planes are full size (I444 or RGB) if it is smaller than the
            frame. None leaves the background transparent.
        """
        ...
