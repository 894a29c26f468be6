"""A camera of PipeWire's graph, one that another program offers included."""

from __future__ import annotations

import re
import select
import time
from collections.abc import Iterator
from fractions import Fraction
from types import TracebackType

import numpy as np

from livematte import _pipewire
from livematte._clock import Clock, monotonic
from livematte._errors import DeviceLost, OpenError, OptionError, SourceError
from livematte._frame import MAX_SIDE_PX, ColorMatrix, ColorRange, Frame, PixelFormat, Size, plane_sizes
from livematte._stages import StreamInfo

TICK = Fraction(1, 1_000_000)
"""Frames are stamped with the time they came, in microseconds."""

LOOK_S = 0.5
"""Silence after which the graph is asked whether the camera is still there."""

LONGEST_LINE = 256
"""Bytes of a line between two pictures; more is no such stream."""

READ_BYTES = 1 << 20
"""Most that is read at once."""


class PipeWire:
    """A camera node, opened here. BT.709, limited range, converted by GStreamer where the camera gives other colours.

    Of a size whose width is no multiple of 8 or whose height is odd, the next smaller one is scaled to.

    Args:
        name: the node's name or description, or its serial number; as `cameras()` lists them.
        timeout_s: longest silence of a camera that is still there, and longest wait for its first picture.
        clock: monotonic nanoseconds.

    Raises:
        OpenError: no such camera, no picture, or no PipeWire; says which and what to do.
    """

    def __init__(self, name: str, *, timeout_s: float = 5.0, clock: Clock = monotonic) -> None:
        self._timeout_s, self._clock = timeout_s, clock
        self._node = _find(name)
        self._last_pts = -1
        self._buffer = bytearray()
        self._size, self._fps = Size(0, 0), Fraction(30)
        self._start_ns = clock()
        sides = f"width=[8,{MAX_SIDE_PX},8],height=[2,{MAX_SIDE_PX},2]"  # y4menc leaves gaps in other rows
        self._pipeline = _pipewire.pipeline(
            [
                *("pipewiresrc", f"target-object={self._node.serial}", "always-copy=true", "client-name=livematte"),
                *(("!", "image/jpeg", "!", "jpegdec") if self._node.jpeg else ()),
                *("!", "queue", "leaky=downstream", "max-size-buffers=1", "max-size-bytes=0", "max-size-time=0"),
                *("!", "videoconvert", "!", "videoscale"),
                *(
                    "!",
                    f"video/x-raw,format=I420,colorimetry=bt709,{sides}",
                ),
                *("!", "y4menc", "!", "fdsink", "fd=1", "sync=false"),
            ],
            feed=False,
        )
        try:
            first = self._picture()
            if first is None:
                raise OpenError(f"the camera {self._node.name} gave no picture: {self._pipeline.last_words()}")
        except SourceError as exc:
            self._pipeline.close()
            raise exc if isinstance(exc, OpenError) else OpenError(str(exc)) from exc
        except BaseException:
            self._pipeline.close()
            raise
        self._first: Frame | None = first
        self.info = StreamInfo(size=self._size, fps=self._fps, time_base=TICK)

    def __enter__(self) -> PipeWire:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._first = None
        self._pipeline.close()

    def __iter__(self) -> Iterator[Frame]:
        if self._first is not None:
            first, self._first = self._first, None
            yield first
        while (frame := self._picture()) is not None:
            yield frame

    def _picture(self) -> Frame | None:
        """The next picture; None at the stream's end. It is YUV4MPEG2: a line, then the planes."""
        while True:
            line = self._line()
            if line is None:
                return None
            if line.startswith(b"FRAME"):
                break
            self._header(line)
        if not self._size.width:
            raise SourceError("GStreamer sent a picture before its size")
        sizes = plane_sizes(self._size, PixelFormat.I420)
        data = self._take(sum(size.width * size.height for size in sizes))
        if data is None:
            return None
        planes, at = [], 0
        for size in sizes:
            count = size.width * size.height
            planes.append(np.frombuffer(data, np.uint8, count, at).reshape(size.height, size.width))
            at += count
        self._last_pts = max((self._clock() - self._start_ns) // 1000, self._last_pts + 1)
        y, u, v = planes
        return Frame((y, u, v), PixelFormat.I420, ColorMatrix.BT709, ColorRange.LIMITED, self._last_pts, TICK)

    def _header(self, line: bytes) -> None:
        width, height = re.search(rb" W(\d+)", line), re.search(rb" H(\d+)", line)
        if not line.startswith(b"YUV4MPEG2 ") or width is None or height is None:
            raise SourceError(f"GStreamer sent no YUV4MPEG2 stream but {line[:32]!r}")
        self._size = Size(int(width[1]), int(height[1]))
        if not (1 <= self._size.width <= MAX_SIDE_PX and 1 <= self._size.height <= MAX_SIDE_PX):
            raise SourceError(f"a camera's picture must be up to {MAX_SIDE_PX} pixels a side, got {self._size}")
        rate = re.search(rb" F(\d+):(\d+)", line)
        if rate is not None and int(rate[1]) and int(rate[2]):
            self._fps = Fraction(int(rate[1]), int(rate[2]))

    def _line(self) -> bytes | None:
        while (end := self._buffer.find(b"\n")) < 0:
            if len(self._buffer) > LONGEST_LINE:
                raise SourceError("GStreamer sent no YUV4MPEG2 stream")
            if not self._fill():
                return None
        line = bytes(self._buffer[:end])
        del self._buffer[: end + 1]
        return line

    def _take(self, count: int) -> bytes | None:
        while len(self._buffer) < count:
            if not self._fill():
                return None
        data = bytes(memoryview(self._buffer)[:count])
        del self._buffer[:count]
        return data

    def _fill(self) -> bool:
        """Read what is there; False at the end.

        Raises:
            DeviceLost: the camera has gone, or is silent.
        """
        pipe, silent_since = self._pipeline.stdout, time.monotonic()
        if pipe is None or pipe.closed:
            return False
        while not select.select([pipe], [], [], LOOK_S)[0]:
            if not self._is_there():
                raise DeviceLost(f"the camera {self._node.name} has left PipeWire's graph")
            if time.monotonic() - silent_since > self._timeout_s:
                raise DeviceLost(f"the camera {self._node.name} gave no picture for {self._timeout_s:g} s")
        data = pipe.read(READ_BYTES)
        self._buffer += data
        if not data and self._pipeline.failed():
            raise DeviceLost(f"the camera {self._node.name} cannot be read on: {self._pipeline.last_words()}")
        return bool(data)

    def _is_there(self) -> bool:
        try:
            return any(node.serial == self._node.serial for node in _pipewire.cameras())
        except _pipewire.NoPipeWire:
            return False


def cameras() -> list[_pipewire.Node]:
    """The cameras there are.

    Raises:
        OpenError: no PipeWire.
    """
    try:
        return _pipewire.cameras()
    except _pipewire.NoPipeWire as exc:
        raise OpenError(f"no PipeWire camera can be listed: {exc}") from exc


def _find(name: str) -> _pipewire.Node:
    try:
        _pipewire.check()
        nodes = _pipewire.cameras()
    except _pipewire.NoPipeWire as exc:
        raise OpenError(f"no PipeWire camera can be read: {exc}") from exc
    for node in nodes:
        if name in {node.name, node.serial, node.description}:
            return node
    there = ", ".join(node.name for node in nodes) or "none"
    raise OpenError(f"PipeWire has no camera {name!r}; there are: {there}")


def create(argument: str | None, *, timeout_s: float = 5.0) -> PipeWire:
    """`pipewire:NAME`."""
    if not argument:
        raise OptionError("pipewire needs a camera's name, as in pipewire:livematte; `pw-cli ls Node` lists them")
    return PipeWire(argument, timeout_s=timeout_s)
