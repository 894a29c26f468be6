"""Raw pictures from a pipe: no header, every byte a sample."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from fractions import Fraction
from types import TracebackType
from typing import Any, BinaryIO

import av
import numpy as np

from livematte._av import from_av
from livematte._errors import OptionError, SourceError
from livematte._frame import MAX_SIDE_PX, Frame, Size
from livematte._stages import StreamInfo
from livematte.sources import parse_fps

SAMPLES = {"rgb24": 3, "bgr24": 3, "rgba": 4, "bgra": 4, "gray": 1, "yuv420p": 1, "yuv422p": 1, "yuv444p": 1, "nv12": 1}
"""Pixel formats of a pipe, and the bytes of one pixel in their first plane."""

EXAMPLE = "rgb24:1280x720@30"


class Raw:
    """Raw video from standard input.

    YUV is limited range, BT.709 from 720 rows on and BT.601 below; alpha of rgba and
    bgra is composed over black.

    Args:
        format: pixel format, size and rate, as in `rgb24:1280x720@30` (rate 25 if left out).
        file: where to read; None is standard input.

    Raises:
        OptionError: a format that is not understood.
    """

    def __init__(self, format: str, *, file: BinaryIO | None = None) -> None:
        self._pixels, size, fps = parse_raw_format(format)
        self._file = file
        self.info = StreamInfo(size=size, fps=fps, time_base=1 / fps)

    def __enter__(self) -> Raw:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, trace: TracebackType | None
    ) -> None:
        pass

    def __iter__(self) -> Iterator[Frame]:
        file = self._file or sys.stdin.buffer
        size, time_base = self.info.size, self.info.time_base
        if size is None:  # never: parse_raw_format gave it
            raise SourceError("a raw stream needs a size")
        shapes = plane_bytes(self._pixels, size)
        needed = sum(h * w for h, w in shapes)
        index = 0
        while True:
            data = _read_all(file, needed)
            if not data:
                return
            if len(data) < needed:
                raise SourceError(
                    f"the raw stream ended inside frame {index + 1}: {len(data)} of {needed} bytes; "
                    f"is it really {self._pixels} at {size}?"
                )
            picture: Any = av.VideoFrame(size.width, size.height, self._pixels)
            at = 0
            for plane, (h, w) in zip(picture.planes, shapes, strict=True):
                rows = np.frombuffer(plane, np.uint8).reshape(h, -1)  # type: ignore[call-overload,unused-ignore]
                rows[:, :w] = np.frombuffer(data, np.uint8, h * w, at).reshape(h, w)
                at += h * w
            picture.pts, picture.time_base = index, time_base
            picture.color_range = 0 if self._pixels != "gray" else 2
            yield from_av(picture)
            index += 1


def parse_raw_format(text: str | None) -> tuple[str, Size, Fraction]:
    """`rgb24:1280x720@30` as pixel format, size and rate.

    Raises:
        OptionError: says which part is wrong.
    """
    match = re.fullmatch(r"(\w+):(\d+)x(\d+)(?:@([\d./]+))?", text or "")
    if not match:
        raise OptionError(f"raw video needs its format, as in --format {EXAMPLE}; got {text!r}")
    pixels, width, height, rate = match.groups()
    if pixels not in SAMPLES:
        raise OptionError(f"raw video can be {', '.join(SAMPLES)}; got {pixels!r}")
    size = Size(int(width), int(height))
    if not (1 <= size.width <= MAX_SIDE_PX and 1 <= size.height <= MAX_SIDE_PX):
        raise OptionError(f"raw video must be 1x1 to {MAX_SIDE_PX}x{MAX_SIDE_PX}, got {size}")
    return pixels, size, parse_fps(rate or 25)


def plane_bytes(pixels: str, size: Size) -> list[tuple[int, int]]:
    """Rows and bytes of a row of each plane."""
    width, height = size
    half_w, half_h = (width + 1) // 2, (height + 1) // 2
    rest = {
        "yuv420p": [(half_h, half_w)] * 2,
        "yuv422p": [(height, half_w)] * 2,
        "yuv444p": [(height, width)] * 2,
        "nv12": [(half_h, 2 * half_w)],
    }
    return [(height, width * SAMPLES[pixels]), *rest.get(pixels, [])]


def _read_all(file: BinaryIO, count: int) -> bytes:
    """`count` bytes, fewer only at the end; a pipe may give them in pieces."""
    parts = []
    while count:
        try:
            part = file.read(count)
        except OSError as exc:
            raise SourceError(f"cannot read the raw stream: {exc.strerror}") from exc
        if not part:
            break
        parts.append(part)
        count -= len(part)
    return b"".join(parts)


def create(argument: str | None, *, format: str | None = None, file: BinaryIO | None = None) -> Raw:
    """`-` with `format`, or `raw:rgb24:1280x720@30`."""
    return Raw(format or argument or "", file=file)
