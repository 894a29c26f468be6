"""A camera in PipeWire's graph: other programs see it, and no kernel module is needed."""

from __future__ import annotations

import re
import secrets
from fractions import Fraction
from types import TracebackType

from livematte import _pipewire
from livematte._child import Child
from livematte._clock import Clock, monotonic
from livematte._errors import OptionError, SinkError
from livematte._frame import ColorMatrix, Frame
from livematte._stages import StreamInfo
from livematte.sinks._camera import Steady, planar_bytes
from livematte.sinks._worker import Worker

DEFAULT_FPS = Fraction(30)
"""Told to readers where the source knows no rate; frames come when they come."""

GRID_PX = (8, 2)
"""Sides of the picture: in rows of other widths GStreamer leaves gaps, which PipeWire before 1.0 does not expect."""

COUNT_NS = 1_000_000_000
"""How long a count of readers holds: asking takes 10 ms of a core."""


class PipeWire:
    """A camera node, as long as the sink is open, of the first frame's size.

    `write()` never waits: a frame that the daemon has no time for gives way to the next.

    Args:
        name: of the node, for programs: letters, digits and `._-`.
        description: for people; None is "Livematte", or the name if another one is given.
        source_info: of the source, for the rate.
        clock: monotonic nanoseconds.

    Attributes:
        trouble: what is wrong while PipeWire does not answer, in words.

    Raises:
        OptionError: a name that cannot be.
    """

    def __init__(
        self,
        name: str = "livematte",
        *,
        description: str | None = None,
        source_info: StreamInfo | None = None,
        clock: Clock = monotonic,
    ) -> None:
        if not re.fullmatch(r"[A-Za-z0-9._-]{1,64}", name):
            raise OptionError(f"a PipeWire node's name has 1 to 64 letters, digits or ._- in it; got {name!r}")
        self.name = name
        self.description = description or ("Livematte" if name == "livematte" else name)
        self.notes: list[str] = []
        self._fps = (source_info.fps if source_info else None) or DEFAULT_FPS
        self._clock = clock
        self._mark = secrets.token_hex(8)
        self._steady = Steady(GRID_PX)
        self._pipeline: Child | None = None
        self._worker: Worker | None = None
        self._open = False
        self._counted_ns: int | None = None
        self._count: int | None = 0
        self.trouble: str | None = None

    @property
    def dropped(self) -> int:
        """Frames that the daemon had no time for."""
        return self._worker.dropped if self._worker else 0

    @property
    def address(self) -> str:
        """What other programs find it under."""
        return f"the camera {self.description!r}, through PipeWire"

    def readers(self) -> int | None:
        """How many programs read the camera; None if nobody can tell. The answer is up to a second old."""
        if self._counted_ns is None or self._clock() - self._counted_ns >= COUNT_NS:
            self._counted_ns = self._clock()
            try:
                self._count, self.trouble = _pipewire.readers("livematte.id", self._mark) or 0, None
            except _pipewire.NoPipeWire as exc:
                self._count, self.trouble = None, f"output: {exc}"
        return self._count

    def __enter__(self) -> PipeWire:
        try:
            _pipewire.check()
        except _pipewire.NoPipeWire as exc:
            raise SinkError(f"no camera can be offered through PipeWire: {exc}") from exc
        self._open = True
        self.notes.append(f"the camera {self.description!r} was offered through PipeWire")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._open = False
        if self._pipeline is not None:
            self._pipeline.close()  # first: a thread that waits for the pipe wakes up
        if self._worker is not None:
            self._worker.abandon()
        self._pipeline = self._worker = None

    def write(self, frame: Frame) -> None:
        if not self._open:
            raise SinkError("the camera is not open: write inside `with`")
        picture = self._steady(frame)
        if self._pipeline is None:
            self._begin(picture)
        if self._worker is None or self._pipeline is None or not self._pipeline.running:
            words = self._pipeline.last_words() if self._pipeline else "it was never there"
            raise SinkError(f"the PipeWire camera {self.name} is gone: {words}; does the daemon still run?")
        self._worker.put(picture)

    def _begin(self, picture: Frame) -> None:
        colour = "bt709" if picture.matrix is ColorMatrix.BT709 else "bt601"
        size, rate = picture.size, f"{self._fps.numerator}/{self._fps.denominator}"
        props = {
            "media.class": "Video/Source",
            "media.role": "Camera",
            "media.name": self.description,
            "node.name": self.name,
            "node.description": self.description,
            "livematte.id": self._mark,
        }
        caps = f"video/x-raw,format=I420,width={size.width},height={size.height},framerate={rate},colorimetry={colour}"
        self._pipeline = _pipewire.pipeline(
            [
                *("fdsrc", "fd=0", "do-timestamp=true", "!", caps),
                *("!", "rawvideoparse", "use-sink-caps=true"),
                *("!", "queue", "leaky=downstream", "max-size-buffers=1", "max-size-bytes=0", "max-size-time=0"),
                # fdsrc asks for memory before sizes are known; PipeWire's pool would then hold buffers of 0 bytes
                *("!", "identity", "drop-allocation=true"),
                *("!", "pipewiresink", "mode=provide", "sync=false", "client-name=livematte"),
                "stream-properties=" + _pipewire.structure(props),
            ],
            feed=True,
        )
        self._worker = Worker(self._send)

    def _send(self, picture: Frame) -> None:
        """On the worker's thread: the bytes of one frame, all of them, or the next would begin in its middle."""
        try:
            if self._pipeline is not None:
                self._pipeline.send(planar_bytes(picture))
        except (OSError, ValueError) as exc:
            words = self._pipeline.last_words() if self._pipeline else "it was closed"
            raise SinkError(f"the PipeWire camera {self.name} is gone: {words}; does the daemon still run?") from exc


def create(argument: str | None, *, description: str | None = None, source_info: StreamInfo | None = None) -> PipeWire:
    """`pipewire:`, or `pipewire:NAME`."""
    return PipeWire(argument or "livematte", description=description, source_info=source_info)
