"""Copy this file to `sinks/NAME.py`: its name is the sink's name (`NAME:ARGUMENT`).

The contract (`_stages.Sink`): options are checked when the object is made, the place is
taken in `__enter__`, and what is written appears under its name only when `__exit__`
comes without an exception; otherwise nothing is left. `sinks/_partial.py` does that for
files and folders. What cannot be written raises SinkError.
"""

from __future__ import annotations

from types import TracebackType

from livematte._frame import Frame
from livematte._stages import StreamInfo


class Template:
    """Remembers the times of its frames.

    Args:
        source_info: what is known of the source: size, rate, sound.
    """

    def __init__(self, *, source_info: StreamInfo | None = None) -> None:
        self.times_s: list[float] = []
        self.notes: list[str] = []  # what the user should know when all is done

    def __enter__(self) -> Template:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is not None:
            self.times_s.clear()

    def write(self, frame: Frame) -> None:
        self.times_s.append(frame.time_s)


def create(argument: str | None, *, source_info: StreamInfo | None = None) -> Template:
    """`NAME` or `NAME:ARGUMENT`; keyword-only arguments are its options."""
    return Template(source_info=source_info)
