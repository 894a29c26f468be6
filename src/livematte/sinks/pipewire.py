"""A camera in PipeWire's graph: other programs see it, and no kernel module is needed."""

from __future__ import annotations

import re
import secrets
import threading
from fractions import Fraction
from types import TracebackType

from livematte import _pipewire
from livematte._child import Child
from livematte._clock import Clock, monotonic
from livematte._errors import OptionError, SinkError
from livematte._frame import ColorMatrix, Frame
from livematte._stages import StreamInfo
from livematte.sinks._backoff import CONNECTING, OPEN, RECONNECTING, BackOff
from livematte.sinks._camera import Steady, planar_bytes
from livematte.sinks._worker import Worker

DEFAULT_FPS = Fraction(30)
"""Told to readers where the source knows no rate; frames come when they come."""

GRID_PX = (8, 2)
"""Sides of the picture: in rows of other widths GStreamer leaves gaps, which PipeWire before 1.0 does not expect."""

LOOK_NS, LOOK_SOON_NS = 1_000_000_000, 250_000_000
"""Between two looks at the graph, each 10 ms of a core; and where the camera is about to be in it."""

MISSED = 2
"""Looks in a row without the camera after which it is gone: one can fail on a machine that is out of breath."""

APPEAR_NS = 10_000_000_000
"""Given to a camera to be in the graph; it takes a tenth of a second."""


class PipeWire:
    """A camera node, as long as the sink is open, of the first frame's size.

    `write()` never waits: a frame that the daemon has no time for gives way to the next.

    Args:
        name: of the node, for programs: letters, digits and `._-`.
        description: for people; None is "Livematte", or the name if another one is given.
        source_info: of the source, for the rate.
        reconnect: offer the camera again when the daemon goes that was there once, and drop frames until it is back.
            Otherwise that is SinkError at the next write, as a first camera that cannot be offered always is.
        clock: monotonic nanoseconds.

    Attributes:
        state: `connecting`, `open` or `reconnecting`.
        trouble: what is wrong while PipeWire does not answer, in words.
        dropped: frames that the daemon had no time for, or that came while there was none.
        reconnections: how often the camera was offered again.

    Raises:
        OptionError: a name that cannot be.
    """

    def __init__(
        self,
        name: str = "livematte",
        *,
        description: str | None = None,
        source_info: StreamInfo | None = None,
        reconnect: bool = False,
        clock: Clock = monotonic,
    ) -> None:
        if not re.fullmatch(r"[A-Za-z0-9._-]{1,64}", name):
            raise OptionError(f"a PipeWire node's name has 1 to 64 letters, digits or ._- in it; got {name!r}")
        self.name = name
        self.description = description or ("Livematte" if name == "livematte" else name)
        self.notes: list[str] = []
        self.state, self.reconnections = CONNECTING, 0
        self.trouble: str | None = None
        self._fps = (source_info.fps if source_info else None) or DEFAULT_FPS
        self._reconnect, self._clock = reconnect, clock
        self._mark = secrets.token_hex(8)
        self._steady = Steady(GRID_PX)
        self._pipeline: Child | None = None
        self._worker: Worker | None = None
        self._open = False
        self._wait = BackOff(clock)
        self._lost = self._missed = self._begun_ns = 0
        self._looking = threading.Lock()
        self._looked_ns: int | None = None
        self._count: int | None = 0  # of readers; None if nobody can tell
        self._absence = ""  # why the camera was not in the graph at the last look

    @property
    def dropped(self) -> int:
        """Frames that nobody can have seen."""
        return self._lost + (self._worker.dropped if self._worker else 0)

    @property
    def address(self) -> str:
        """What other programs find it under."""
        return f"the camera {self.description!r}, through PipeWire"

    def readers(self) -> int | None:
        """How many programs read the camera; None if nobody can tell. The answer is up to a second old."""
        if self.state == RECONNECTING:
            return 0  # there is no camera to read
        self._look()
        return self._count

    def __enter__(self) -> PipeWire:
        try:
            _pipewire.check()
        except _pipewire.NoPipeWire as exc:
            raise SinkError(f"no camera can be offered through PipeWire: {exc}") from exc
        self._open = True
        self._worker = Worker(self._take)
        self.notes.append(f"the camera {self.description!r} was offered through PipeWire")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._open = False
        self._disconnect()  # first: a thread that waits for the pipe wakes up
        if self._worker is not None:
            self._worker.abandon()
            self._disconnect()  # it may have begun another one meanwhile
            self._lost, self._worker = self.dropped, None
        if self.reconnections:
            self.notes.append(f"it was offered again {self.reconnections} times: PipeWire's daemon had gone")

    def write(self, frame: Frame) -> None:
        if self._worker is None:
            raise SinkError("the camera is not open: write inside `with`")
        self._worker.put(self._steady(frame))

    def _take(self, picture: Frame) -> None:
        """On the worker's thread: show a frame, or do what has to come before that."""
        try:
            if self._pipeline is None:
                if not self._wait.over():
                    self._lost += 1
                    return
                if self.state == RECONNECTING:
                    _pipewire.graph()  # says more clearly than GStreamer that there is no daemon
                self._begin(picture)
            self._send(picture)
            self._look()
            self._judge()
        except (_pipewire.NoPipeWire, _Gone) as exc:
            self._lost += 1
            if not self._open:
                return
            if not self._reconnect or self.state == CONNECTING:
                raise SinkError(f"the PipeWire camera {self.name} is gone: {exc}; does the daemon still run?") from exc
            self.state, self.trouble = RECONNECTING, f"output: the camera is gone and is offered again: {exc}"
            self._disconnect()
            self._wait.again()

    def _send(self, picture: Frame) -> None:
        """The bytes of one frame, all of them, or the next would begin in its middle."""
        pipeline = self._pipeline
        if pipeline is None:
            raise _Gone("it was closed")
        try:
            if not pipeline.running:
                raise _Gone(pipeline.last_words())
            pipeline.send(planar_bytes(picture))
        except (OSError, ValueError) as exc:
            raise _Gone(pipeline.last_words()) from exc

    def _look(self) -> None:
        """Find the camera and its readers in the graph, now and then. GStreamer does not end with the daemon."""
        pause_ns = LOOK_NS if self.state == OPEN or self._worker is None else LOOK_SOON_NS
        if not self._looking.acquire(blocking=False):
            return  # another thread does
        try:
            now_ns = self._clock()
            if self._looked_ns is not None and now_ns - self._looked_ns < pause_ns:
                return
            self._looked_ns = now_ns
            try:
                count = _pipewire.readers("livematte.id", self._mark)
                self._count, self._absence = count or 0, "" if count is not None else "it is not in PipeWire's graph"
            except _pipewire.NoPipeWire as exc:
                self._count, self._absence = None, str(exc)
            self._missed = self._missed + 1 if self._absence else 0
            if self.state != RECONNECTING:
                self.trouble = f"output: {self._absence}" if self._count is None else None
        finally:
            self._looking.release()

    def _judge(self) -> None:
        """Take note of what the last look found."""
        if self.state == OPEN:
            if self._missed >= MISSED:
                raise _Gone(self._absence)
        elif not self._absence and self._looked_ns is not None and self._looked_ns > self._begun_ns:
            self.reconnections += self.state == RECONNECTING
            self.state, self.trouble = OPEN, None
            self._wait.held()
        elif self._missed and self._clock() - self._begun_ns > APPEAR_NS:
            raise _Gone(self._absence)

    def _disconnect(self) -> None:
        pipeline, self._pipeline = self._pipeline, None
        if pipeline is not None:
            pipeline.close()

    def _begin(self, picture: Frame) -> None:
        self._begun_ns, self._missed = self._clock(), 0
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
        if not self._open:
            self._disconnect()


class _Gone(Exception):
    """The camera cannot be shown any more; the message says why, on one line."""


def create(
    argument: str | None,
    *,
    description: str | None = None,
    source_info: StreamInfo | None = None,
    reconnect: bool = False,
) -> PipeWire:
    """`pipewire:`, or `pipewire:NAME`."""
    return PipeWire(argument or "livematte", description=description, source_info=source_info, reconnect=reconnect)
