"""One live stream: from a camera to an output, steered while it runs, covered whenever there is no matte.

The loop takes the newest frame, has `render()` make a picture of it and writes that. Where
no frame comes, because the camera is closed, gone or slow, it paints the effect on a plain
card: covered frames keep flowing. A frame's pts is the time of its arrival, so that
everybody downstream can tell its age.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from livematte import _registry
from livematte._cadence import MAX_MATTE_AGE_S
from livematte._capture import Capture, Taken
from livematte._clock import Clock, monotonic
from livematte._empty_room import EmptyRoom, Picture, read
from livematte._errors import OptionError, SourceError
from livematte._exchange import LARGER, Exchange
from livematte._frame import U8, Frame, Size
from livematte._latency import Latency, Rate
from livematte._loader import loading
from livematte._pipeline import StreamState, estimate, render
from livematte._shape import TICK_S, UNKNOWN_SIZE, Shape, halved, mirrored, opaque
from livematte._spelling import make_effect, spelled
from livematte._stages import Effect, Segmenter, Sink, Source
from livematte._stats import Stats
from livematte._watch import Watch
from livematte.effects.transparent import Transparent

PAUSED_FPS = 5
"""Rate of the plate while the stream is paused or nobody looks: programs that read a camera
give one up that stands still."""

DEFAULT_FPS = 30.0
"""Of covered frames, where the camera did not tell its rate."""

STALL_NS = 250_000_000
"""Silence of an open camera after which covered frames take its place."""

SIZE_NS, ASK_SIZE_NS = 1_000_000_000, 10_000_000
"""How long the first plate waits for a camera to tell its size, and how often it looks."""

LEAST_STEP = 1000
"""Between the pts of two frames, in microseconds: many containers count milliseconds."""

NEVER = sys.maxsize


class Live:
    """One live stream. `run()` blocks; everything else may be called from any thread, and takes
    effect between two frames.

    Args:
        source: opens the camera; called again whenever it is lost (DeviceLost). A source that ends, ends the stream.
        sink: entered and left by `run()`. One with `readers()` decides whether the camera is open, one that
            `resizes` gets pictures of half the sides at the end of the quality ladder. What it tells of itself as
            `state`, `dropped` and `trouble` stands in `status()`.
        model: registry name, loaded beside the stream, or a loaded segmenter.
        engine, threads, weights: of the model, see `Session`; one with weights of your own has no `large-input`.
        effect: what the background becomes; an object or its spelling.
        framing: show the part of the output in which the people are.
        room: a picture of the room without people, see `Session`; one that does not fit the camera is left aside.
        mirror: turn the output's left and right round, background included.
        size: of the output; None takes the camera's, or 1280x720 if none is there after a second.
        fps: of covered frames, and the budget of a frame, until the camera tells its own.
        governor: lower the quality to keep up.
        wait: wait for a camera that is not there at the start, too.
        clock: monotonic nanoseconds.
        progress: called after each frame that was written.
        load: makes a segmenter from its name, in place of the registry.

    Raises:
        OptionError, UnknownName, OpenError, FrameError: an effect or a picture of the room that cannot be.
    """

    def __init__(
        self,
        source: Callable[[], Source],
        sink: Sink,
        *,
        model: str | Segmenter = "livematte:fast",
        engine: str = "auto",
        threads: int | None = None,
        weights: str | None = None,
        effect: Effect | str = "blur",
        framing: bool = False,
        room: str | Path | U8 | Picture | None = None,
        mirror: bool = False,
        size: Size | None = None,
        fps: float | None = None,
        governor: bool = True,
        wait: bool = False,
        clock: Clock = monotonic,
        progress: Callable[[Live], None] = lambda live: None,
        load: Callable[[str], Segmenter] | None = None,
    ) -> None:
        self.stats = Stats(clock)
        self._clock, self._sink, self._progress = clock, sink, progress
        self._effect = make_effect(effect)
        self._clear = isinstance(self._effect, Transparent)
        self._fps = fps or DEFAULT_FPS
        self._shape = Shape(size)
        self._watch = Watch(sink, clock)
        self._capture = Capture(source, self._shape, wait=wait or self._watch.can_tell(), clock=clock)
        self._room, self._mirror = EmptyRoom(room, clock), mirror
        self._parts = Exchange(
            model,
            self._effect,
            load or loading(engine, threads, {model: weights} if isinstance(model, str) else {}),
            self._shape.card,
            # weights of the user's own stand for one name, and are never exchanged for others or others for them
            larger={few: more for few, more in LARGER.items() if weights is None or model not in (few, more)},
            framing=framing,
            governor=governor,
            lowest="half-size" if getattr(sink, "resizes", False) and not self._clear else "no-refinement",
            fps=self._fps,
            clock=clock,
        )
        self._latency, self._rate = Latency(), Rate()
        self._lock = threading.RLock()  # a signal may steer while the loop takes what was asked for
        self._pending: dict[str, Any] = {}
        self._ran = self._paused = self._stopped = False
        self._state, self._opening = StreamState(), 0
        self._started_ns = self._next_ns = clock()
        self._seen_ns = self._started_ns - STALL_NS
        self._last_pts = -LEAST_STEP
        self._error: str | None = None

    # steering

    def stop(self) -> None:
        """End the stream after the frame in hand."""
        self._stopped = True
        self._capture.wake()

    def set_effect(self, effect: Effect | str, **look: Any) -> None:
        """Another background, as an object or as `"blur:0.6"` with switches (`softness=0.2`).

        Raises:
            OptionError, UnknownName, OpenError: it cannot be; the one before goes on.
        """
        made = make_effect(effect, **look)
        if isinstance(made, Transparent) and not self._clear:
            raise OptionError("this output holds no transparency: start livematte with a transparent effect")
        self._change(effect=made)

    def set_model(self, spec: str) -> None:
        """Another network. It is loaded beside the stream; until then, and if it fails, the one before goes on.

        Raises:
            UnknownName: there is no such family.
        """
        _registry.load("models", _registry.split(spec)[0])
        self._change(model=spec)

    def dismiss(self) -> str | None:
        """The user has chosen anew: `status()` tells no more of a network that was asked for in vain. Returns its
        name."""
        return self._parts.dismiss()

    def set_framing(self, on: bool) -> None:
        """Show the part of the output in which the people are, or all of it."""
        self._change(framing=on)

    def read_room(self, picture: str | Path | U8) -> Picture:
        """A picture of the room for `set_room`, checked.

        Raises:
            OpenError, FrameError, OptionError: no picture, or not of this camera.
        """
        return read(picture, self._shape, self._capture.info)

    def set_room(self, picture: str | Path | U8 | Picture | None) -> None:
        """Another picture of the room without people, or none. Raises what `read_room` does; the one before stays."""
        self._change(room=self.read_room(picture) if isinstance(picture, (str, Path, np.ndarray)) else picture)

    def take_room(self) -> None:
        """Count down, then take a picture of the room without people; `status()["room"]` tells what came of it."""
        self._room.begin()
        self._capture.wake()

    def set_mirror(self, on: bool) -> None:
        """Turn the output's left and right round, or leave them."""
        self._change(mirror=on)

    def pause(self) -> None:
        """Close the camera, at once; the plate alone goes out."""
        self._change(paused=True)
        self._capture.want(False)  # the loop does so, too, but not while an output hangs

    def resume(self) -> None:
        """Open the camera again."""
        self._change(paused=False)

    def toggle_pause(self) -> None:
        """Pause, or go on."""
        with self._lock:
            paused = self._pending.get("paused", self._paused)
        self.resume() if paused else self.pause()

    @property
    def seconds(self) -> float:
        """Since the stream began."""
        return (self._clock() - self._started_ns) / 1e9

    @property
    def loading(self) -> bool:
        """Whether a network is on its way."""
        return self._parts.loading

    def status(self) -> dict[str, Any]:
        """How the stream is, as plain values; see docs/live.md."""
        parts, capture = self._parts, self._capture
        size, now_ns = self._shape.size, self._clock()
        errors = capture.error, parts.error, self._error, self._room.error, getattr(self._sink, "trouble", None)
        return {
            "effect": spelled(self._effect),
            "model": parts.spec,
            "engine": parts.engine,
            "loading": parts.loading,
            "framing": parts.framing,
            "mirror": self._mirror,
            "room": self._room.as_dict(),
            "paused": self._paused,
            "camera": capture.state,
            "openings": capture.openings,
            "readers": self._watch.readers,
            "size": [size.width, size.height],
            "fps": round(self._rate.fps(now_ns), 1),
            "frames": self.stats.frames,
            "covered": self.stats.covered,
            "dropped": self.stats.dropped,
            "latency": self._latency.as_dict(),
            "latency_sum_s": round(self._latency.sum_ns / 1e9, 3),
            "latency_count": self._latency.count,
            "rung": parts.governor.rung.name,
            "rungs": parts.governor.as_list(self._started_ns / 1e6),
            "seconds": round(self.seconds, 1),
            "connection": getattr(self._sink, "state", None),
            "output_dropped": getattr(self._sink, "dropped", 0),
            "error": "; ".join(filter(None, errors)) or None,
        }

    # the loop

    def run(self) -> Stats:
        """Go on until `stop()`, or until the sink or the source ends for good.

        Raises:
            OptionError: it ran already: networks, camera and output are for one run.
            SourceError: the source failed at the start, or in a way that opening it again does not heal.
            SinkError: writing failed.
            LivematteError: the first network cannot be loaded.
        """
        if self._ran:
            raise OptionError("a stream runs once; make another Live of a source and a sink")
        self._ran = True
        self._started_ns = self._next_ns = self._clock()
        self._parts.start()
        try:
            with self._sink as out, self._capture:
                while not self._stopped and not self._capture.over and not getattr(out, "ended", False):
                    self.step(out)
        finally:
            self._parts.close()
        return self.stats

    def step(self, out: Sink) -> None:
        """One turn of the loop: at most one frame is written."""
        self._apply()
        self._room.tick(self._paused)
        watched = self._watch.goes_on(first=self.stats.frames == 0, needed=self._room.taking)
        self._capture.want(watched and not self._paused)
        taken = self._capture.take(max(0, self._due_ns() - self._clock()) / 1e9)
        if taken is not None:
            self._show(out, taken)
        elif self._clock() >= self._due_ns() and not self._stopped:
            self._cover(out, resting=self._paused or not watched)

    def _show(self, out: Sink, taken: Taken) -> None:
        """A frame of the camera."""
        if taken.opening != self._opening:
            self._opening, self._state = taken.opening, StreamState()
            self._parts.forget()
            info = self._capture.info
            self._fps = float(info.fps) if info is not None and info.fps else self._fps
            self._parts.set_fps(self._fps)
            self._room.start_over()
            self._fit_room()
        self.stats.dropped += taken.skipped
        covered = self.stats.covered
        frame = self._stamped(taken.frame, taken.arrived_ns)
        self._write(out, self._picture(frame))
        if self._room.saw(frame):
            self._fit_room()
        now_ns = self._clock()
        spent_ns = now_ns - taken.arrived_ns
        self._latency.add(spent_ns)
        self._seen_ns, self._next_ns = now_ns, now_ns + int(1e9 / self._fps)
        self._parts.observe(now_ns, spent_ns, taken.skipped, self.stats.covered > covered)

    def _cover(self, out: Sink, resting: bool) -> None:
        """No frame is there: the effect on a plain card."""
        now_ns = self._clock()
        if not self._shape.settled:
            info = self._capture.info
            soon = not resting and self._capture.state in {"closed", "opening"}
            if info is None and soon and now_ns - self._started_ns < SIZE_NS:
                self._next_ns = now_ns + ASK_SIZE_NS
                return
            self._shape.settle(UNKNOWN_SIZE if info is None or info.size is None else info.size)
        self._write(out, self._picture(self._stamped(self._shape.card(), now_ns), camera=False))
        period_ns = int(1e9 / (PAUSED_FPS if resting else self._fps))
        behind = self._next_ns + period_ns <= now_ns
        self._next_ns = (now_ns if behind else self._next_ns) + period_ns

    def _due_ns(self) -> int:
        """When a frame has to go out, whether the camera gives one or not."""
        return max(self._next_ns, self._seen_ns + STALL_NS) if self._capture.state == "open" else self._next_ns

    def _picture(self, frame: Frame, camera: bool = True) -> Frame:
        """What goes out for a frame in the stream's shape."""
        parts = self._parts
        stages, find = (self._room.witnessed(parts.stages), parts.find) if camera else (parts.covering, estimate)
        if parts.governor.rung.half_size:
            frame = halved(frame)
        try:
            picture = render(stages, frame, self._state, self.stats, NEVER, find, MAX_MATTE_AGE_S)
        except SourceError as exc:  # an effect's film or picture is gone: its plate becomes a plain one
            self._error = str(exc)
            self._effect = make_effect("color:gray")
            parts.set_effect(self._effect)
            self._state = StreamState()
            picture = render(parts.covering, frame, self._state, self.stats, NEVER)
        picture = mirrored(picture) if self._mirror else picture
        return opaque(picture) if self._clear else picture

    def _fit_room(self) -> None:
        """Put the picture of the room in place, if it fits the camera; the first frame does so, too."""
        self._parts.set_room(self._room.refiner(self._shape, self._capture.info))
        self._state.refiners = []

    def _stamped(self, frame: Frame, at_ns: int) -> Frame:
        """The frame with the time it came as its pts, which never stands still."""
        self._last_pts = max((at_ns - self._started_ns) // 1000, self._last_pts + LEAST_STEP)
        return replace(frame, pts=self._last_pts, time_base=TICK_S)

    def _write(self, out: Sink, picture: Frame) -> None:
        with self.stats.stage("write"):
            out.write(picture)
        self.stats.frames += 1
        self._rate.add(self._clock())
        self._progress(self)

    def _change(self, **what: Any) -> None:
        with self._lock:
            self._pending |= what
        self._capture.wake()

    def _apply(self) -> None:
        """What was asked for since the last frame."""
        if self._pending:
            with self._lock:
                asked, self._pending = self._pending, {}
            if "paused" in asked and asked["paused"] != self._paused:
                self._paused, self._next_ns = asked["paused"], self._clock()
            if "effect" in asked:
                self._effect, self._error = asked["effect"], None
                self._parts.set_effect(self._effect)
                self._state.effect = self._state.light = None
                self._state.refiners = []
            self._mirror = asked.get("mirror", self._mirror)
            if "room" in asked:
                self._room.put(*asked["room"] or (None, None))
                self._fit_room()
            if "framing" in asked:
                self._parts.set_framing(asked["framing"])
            if "model" in asked:
                self._parts.set_model(asked["model"])
        if self._parts.exchange():
            self._state = StreamState(failures=self._state.failures, framing=self._state.framing)
