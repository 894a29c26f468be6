"""Nowhere: for timing everything but the writing."""

from __future__ import annotations

from types import TracebackType

from livematte._errors import OptionError
from livematte._frame import Frame
from livematte._stages import StreamInfo


class Null:
    """Counts frames and drops them."""

    resizes = True

    def __init__(self, *, source_info: StreamInfo | None = None) -> None:
        self.written = 0

    def __enter__(self) -> Null:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, trace: TracebackType | None
    ) -> None:
        pass

    def write(self, frame: Frame) -> None:
        self.written += 1


def create(argument: str | None, *, source_info: StreamInfo | None = None) -> Null:
    """`null:`."""
    if argument:
        raise OptionError(f"null takes no argument, got null:{argument}")
    return Null(source_info=source_info)
