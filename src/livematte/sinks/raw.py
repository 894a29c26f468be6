"""Raw pictures into a pipe: no header, every byte a sample."""

from __future__ import annotations

import sys
from types import TracebackType
from typing import BinaryIO

import numpy as np

from livematte._av import to_av
from livematte._errors import OptionError, SinkError
from livematte._frame import Frame
from livematte._stages import StreamInfo
from livematte.sources.raw import SAMPLES, plane_bytes


class Raw:
    """Raw video on standard output. What was written before a failure is not taken back.

    Args:
        format: pixel format; what follows a colon (size and rate) is for whoever reads.
            None is rgb24, or rgba where frames have alpha.
        source_info: not used; every sink takes it.
        file: where to write; None is standard output.

    Raises:
        OptionError: an unknown pixel format, or standard output is a terminal.
    """

    def __init__(
        self, format: str | None = None, *, source_info: StreamInfo | None = None, file: BinaryIO | None = None
    ) -> None:
        self._pixels = format.partition(":")[0] if format else None
        if self._pixels is not None and self._pixels not in SAMPLES:
            raise OptionError(f"raw video can be {', '.join(SAMPLES)}; got {self._pixels!r}")
        if file is None and sys.stdout.isatty():
            raise OptionError("raw video is not for a terminal; send it through a pipe or into a file")
        self._file = file
        self._written = 0

    def __enter__(self) -> Raw:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, trace: TracebackType | None
    ) -> None:
        pass

    def write(self, frame: Frame) -> None:
        file = self._file or sys.stdout.buffer
        pixels = self._pixels or ("rgb24" if frame.alpha is None else "rgba")
        if frame.alpha is not None and pixels not in {"rgba", "bgra"}:
            raise OptionError(f"raw {pixels} cannot hold transparency; use rgba or bgra")
        picture = to_av(frame, pixels)
        try:
            for plane, (h, w) in zip(picture.planes, plane_bytes(pixels, frame.size), strict=True):
                rows = np.frombuffer(memoryview(plane), np.uint8).reshape(h, -1)  # type: ignore[arg-type,unused-ignore]
                file.write(np.ascontiguousarray(rows[:, :w]).data)
            file.flush()
        except OSError as exc:
            raise SinkError(f"cannot write raw video beyond frame {self._written}: {exc.strerror}") from exc
        self._written += 1


def create(
    argument: str | None,
    *,
    format: str | None = None,
    source_info: StreamInfo | None = None,
    file: BinaryIO | None = None,
) -> Raw:
    """`-`, or `raw:PIXELFORMAT`."""
    return Raw(format or argument or None, source_info=source_info, file=file)
