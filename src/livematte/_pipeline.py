"""The loop: a frame comes in, a matte is estimated, a picture goes out.

`render()` is the whole of it for one frame and `run()` for a stream. A frame whose
matte cannot be made is covered: its matte is empty, and `composite()` then gives the
plate alone. There is no second way to the sink.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import AbstractContextManager, closing, suppress
from dataclasses import dataclass, field
from fractions import Fraction
from types import TracebackType
from typing import Any

import numpy as np

from livematte._composite import composite
from livematte._errors import InferenceError, SinkError
from livematte._frame import F32, Frame
from livematte._matte import Matte
from livematte._stages import Effect, Refiner, Segmenter, Sink, Source, State
from livematte._stats import Stats

MAX_FAILURES = 30
"""Covered frames in a row after which a stream gives up: one second of video."""

DEPTH = 4
"""Frames that wait between two threads: enough to even out B-frames, 6 MB at 720p."""

SURELY_ROOM = 0.05
"""Alpha up to which the network is sure that there is nobody, whatever other frames say."""


@dataclass(frozen=True, slots=True)
class Stages:
    """What happens to every frame of a stream.

    Args:
        memory: whether segmenter and refiners are told of the frame before; without, every frame stands alone.
        framing: show the part of the output in which the people are, at its size.
        lookahead: in `run`, let the next frame have a say in the matte: pictures come one frame later.
    """

    segmenter: Segmenter
    refiners: tuple[Refiner, ...]
    effect: Effect
    memory: bool = True
    framing: bool = False
    lookahead: bool = False


@dataclass(slots=True)
class StreamState:
    """The memory of one stream, a slot for each stage."""

    segmenter: State = None
    refiners: list[State] = field(default_factory=list)
    effect: State = None
    light: State = None
    framing: State = None
    failures: int = 0


def segment(stages: Stages, frame: Frame, state: StreamState, stats: Stats) -> Matte:
    """The network's own matte of `frame`; `state` moves on.

    Raises:
        InferenceError: the network gave none.
    """
    with stats.stage("segment"):
        matte, kept = stages.segmenter.segment(frame, state.segmenter)
        state.segmenter = kept if stages.memory else None
    return matte


def refine(
    stages: Stages, frame: Frame, matte: Matte, state: StreamState, stats: Stats, part: slice | None = None
) -> Matte:
    """What the refiners, or some of them in a row, make of the network's matte; `state` moves on."""
    with stats.stage("refine"):
        state.refiners = state.refiners or [None] * len(stages.refiners)
        for index, refiner in list(enumerate(stages.refiners))[part or slice(None)]:
            matte, kept = refiner.refine(frame, matte, state.refiners[index])
            state.refiners[index] = kept if stages.memory else None
    return matte


def estimate(stages: Stages, frame: Frame, state: StreamState, stats: Stats) -> Matte:
    """The refined matte of `frame`; `state` moves on.

    Raises:
        InferenceError: the network gave none.
    """
    return refine(stages, frame, segment(stages, frame, state, stats), state, stats)


Find = Callable[[Stages, Frame, StreamState, Stats], Matte]
"""Finds the refined matte of a frame, as `estimate` does, or raises InferenceError."""


def render(
    stages: Stages,
    frame: Frame,
    state: StreamState,
    stats: Stats,
    max_failures: int = MAX_FAILURES,
    find: Find = estimate,
    max_matte_age_s: Fraction | int = 0,
) -> Frame:
    """The output picture of `frame`, by the matte that `find` finds; `state` moves on.

    Raises:
        InferenceError: `max_failures` frames in a row had to be covered.
    """
    try:
        matte = find(stages, frame, state, stats)
        state.failures = 0
    except InferenceError:
        stats.covered += 1
        state.failures += 1
        if state.failures >= max_failures:
            raise
        matte, state.segmenter, state.refiners = Matte.empty(frame), None, []
    with stats.stage("effect"):
        plate, state.effect = stages.effect.plate(frame, matte, state.effect)
        if plate is not None and (amount := getattr(stages.effect, "match", 0.0)) > 0:
            from livematte.refine.light import match_light

            before = state.light if stages.memory else None
            matte, state.light = match_light(frame, plate, matte, amount, before)
    with stats.stage("composite"):
        picture = composite(frame, plate, matte, light_wrap=stages.effect.light_wrap, max_matte_age_s=max_matte_age_s)
    if not stages.framing:
        return picture
    with stats.stage("framing"):
        from livematte.refine.framing import reframe

        picture, state.framing = reframe(picture, matte, state.framing if stages.memory else None)
        return picture


def run(
    source: Source,
    stages: Stages,
    sink: Sink,
    *,
    frames: Callable[[Source, Stats], Generator[Frame, None, None]] | None = None,
    stats: Stats | None = None,
    max_failures: int = MAX_FAILURES,
    progress: Callable[[Stats], None] = lambda stats: None,
) -> Stats:
    """Drive one stream until its source ends. Nothing is written without a matte.

    Args:
        source, sink: opened and closed here; a failure abandons the sink's output.
        frames: `every` (default) loses nothing; `latest` skips frames to stay live.
        progress: called after each frame.

    Raises:
        InferenceError: `max_failures` frames in a row without a matte.
        SourceError, SinkError: reading or writing failed.
    """
    stats = stats or Stats()
    state = StreamState()
    with source, behind(sink) as out, closing((frames or every)(source, stats)) as feed:
        for frame, find in looking_ahead(stages, feed, state, stats) if stages.lookahead else at_once(feed):
            picture = render(stages, frame, state, stats, max_failures, find)
            with stats.stage("write"):
                out.write(picture)
            stats.frames += 1
            progress(stats)
    return stats


def at_once(feed: Iterable[Frame]) -> Iterator[tuple[Frame, Find]]:
    """Frames with what finds the matte of each: nothing but the frame itself and those before."""
    for frame in feed:
        yield frame, estimate


def looking_ahead(
    stages: Stages, feed: Iterable[Frame], state: StreamState, stats: Stats
) -> Iterator[tuple[Frame, Find]]:
    """Frames, each once the next is here, with what finds the matte of each: three frames vote.

    What the network says of one frame alone, and neither of the one before nor of the one after, is overruled. A
    frame for which it gave no matte has none, whatever its neighbours have.
    """
    before: F32 | None = None
    waiting: tuple[Frame, Matte | InferenceError] | None = None
    for frame in feed:
        try:
            found: Matte | InferenceError = segment(stages, frame, state, stats)
        except InferenceError as exc:  # raised again where this frame is rendered
            found, state.segmenter = exc, None
        if waiting is not None:
            yield waiting[0], _voted(waiting[1], before, found)
            before = waiting[1].alpha if isinstance(waiting[1], Matte) else None
        waiting = frame, found
    if waiting is not None:
        yield waiting[0], _voted(waiting[1], before, None)


def vote(before: F32, alpha: F32, after: F32) -> F32:
    """The median of three alphas; but nobody is added where the network is sure of the room, as in a single frame of
    another scene."""
    least = np.where(alpha > SURELY_ROOM, np.minimum(before, after), np.float32(0))
    voted: F32 = np.clip(alpha, least, np.maximum(before, after))
    return voted


def _voted(found: Matte | InferenceError, before: F32 | None, after: Matte | InferenceError | None) -> Find:
    """What the alphas before, now and after agree on, refined; the one now where a neighbour is missing."""

    def find(stages: Stages, frame: Frame, state: StreamState, stats: Stats) -> Matte:
        if isinstance(found, InferenceError):
            raise found
        alpha = found.alpha
        if before is not None and isinstance(after, Matte) and before.shape == alpha.shape == after.alpha.shape:
            alpha = vote(before, alpha, after.alpha)
        return refine(stages, frame, found.with_alpha(alpha), state, stats)

    return find


class _Stopped(Exception):
    """The other side of a queue has gone."""


class _Channel:
    """A bounded queue between two threads that ends, and passes errors on."""

    def __init__(self, depth: int) -> None:
        self._items: queue.Queue[tuple[str, Any]] = queue.Queue(depth)
        self._stopped = threading.Event()

    def put(self, kind: str, item: Any) -> None:
        while not self._stopped.is_set():
            try:
                return self._items.put((kind, item), timeout=0.1)
            except queue.Full:
                continue
        raise _Stopped

    def put_last(self, kind: str, item: Any) -> None:
        """Put without waiting, in place of the oldest item of a full queue."""
        while True:
            try:
                return self._items.put_nowait((kind, item))
            except queue.Full:
                with suppress(queue.Empty):
                    self._items.get_nowait()

    def get(self) -> tuple[str, Any]:
        return self._items.get()

    def stop(self) -> None:
        self._stopped.set()


def every(source: Source, stats: Stats) -> Generator[Frame, None, None]:
    """All frames, read ahead by a thread of their own."""
    channel = _Channel(DEPTH)

    def read() -> None:
        try:
            for frame in source:
                channel.put("frame", frame)
            channel.put("end", None)
        except _Stopped:
            return
        except BaseException as exc:  # handed to the reader, which raises it
            channel.put_last("error", exc)

    thread = threading.Thread(target=read, name="livematte-read", daemon=True)
    thread.start()
    try:
        while True:
            kind, item = channel.get()
            if kind == "end":
                return
            if kind == "error":
                raise item
            yield item
    finally:
        channel.stop()
        thread.join()


def latest(source: Source, stats: Stats) -> Generator[Frame, None, None]:
    """The newest frame each time; older unread ones are dropped and counted."""
    box: list[Frame] = []
    ended: list[BaseException | None] = []
    changed = threading.Condition()
    stop = threading.Event()

    def read() -> None:
        error: BaseException | None = None
        try:
            for frame in source:
                with changed:
                    stats.dropped += len(box)
                    box[:] = [frame]
                    changed.notify()
                if stop.is_set():
                    return
        except BaseException as exc:  # handed to the reader, which raises it
            error = exc
        with changed:
            ended.append(error)
            changed.notify()

    thread = threading.Thread(target=read, name="livematte-read", daemon=True)
    thread.start()
    try:
        while True:
            with changed:
                changed.wait_for(lambda: box or ended)
                if not box:
                    if ended[0] is not None:
                        raise ended[0]
                    return
                frame = box.pop()
            yield frame
    finally:
        stop.set()
        thread.join()


class behind(AbstractContextManager["behind"]):
    """A sink on a thread of its own, at most `DEPTH` frames behind.

    The thread opens, writes and closes it, so that a signal, which Python raises in the
    main thread wherever it is, never cuts into the sink's own work. The sink is left by an
    exception, and so abandons its output, if either side failed; its errors are raised by
    the next `write()` or on leaving `with`.
    """

    def __init__(self, sink: Sink) -> None:
        self._sink = sink
        self._channel = _Channel(DEPTH)
        self._opened = threading.Event()
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._work, name="livematte-write", daemon=True)

    def __enter__(self) -> behind:
        self._thread.start()
        try:
            self._opened.wait()
            if self._error is not None:
                raise self._error
        except BaseException as exc:
            self.__exit__(type(exc), exc, exc.__traceback__)
            raise
        return self

    def write(self, frame: Frame) -> None:
        try:
            self._channel.put("frame", frame)
        except _Stopped:
            raise self._error or SinkError("the output is closed: write inside `with`") from None

    def __exit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if exc is None:
                with suppress(_Stopped):
                    self._channel.put("end", None)
                self._thread.join()
        except BaseException as stopped:  # a signal while the last frames were written
            exc = stopped
            raise
        finally:
            if exc is not None:
                self._channel.put_last("error", exc)
                self._thread.join()
        if exc is None and self._error is not None:
            raise self._error

    def _work(self) -> None:
        try:
            with self._sink:
                self._opened.set()
                while True:
                    kind, item = self._channel.get()
                    if kind == "error":
                        raise item
                    if kind == "end":
                        return
                    self._sink.write(item)
        except BaseException as exc:  # raised again by the side that owns the thread
            self._error = exc
        finally:
            self._channel.stop()
            self._opened.set()
