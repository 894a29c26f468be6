"""Session: one stream's effect, model and memory, for NumPy users."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np

from livematte import _registry
from livematte._errors import OptionError
from livematte._frame import F32, U8, Frame, Size
from livematte._pipeline import MAX_FAILURES, Stages, StreamState, estimate, render
from livematte._stages import Effect, Refiner, Segmenter
from livematte._stats import Stats
from livematte.effects.blur import Blur

PICTURE_S = Fraction(1, 30)
"""Seconds from one RGB picture to the next, which have no times of their own."""


def build_stages(
    model: str | Segmenter = "livematte",
    effect: Effect | str | None = None,
    *,
    engine: str = "auto",
    threads: int | None = None,
    weights: str | Path | None = None,
    temporal: bool = True,
    refine: bool = True,
    room: str | Path | U8 | None = None,
    framing: bool = False,
    lookahead: bool = False,
) -> Stages:
    """The stages of a stream from names and options; see `Session`.

    `lookahead` is for `run()`: each matte waits for that of the next frame, which needs frames that follow one another.
    """
    if lookahead and not temporal:
        raise OptionError("lookahead steadies frames that follow one another: it needs a video and temporal=True")
    check_threads(threads)
    painter: Effect = _registry.create("effects", effect) if isinstance(effect, str) else effect or Blur()
    refiners = build_refiners(painter, temporal=temporal, refine=refine, room=room)
    segmenter = load(model, engine=engine, threads=threads, weights=weights) if isinstance(model, str) else model
    return Stages(segmenter, refiners, painter, temporal, framing, lookahead)


def load(
    model: str, *, engine: str = "auto", threads: int | None = None, weights: str | Path | None = None
) -> Segmenter:
    """The network by its name, loaded.

    Raises:
        UnknownName, MissingExtra, OptionError, WeightsError, LoadError.
    """
    check_threads(threads)
    segmenter: Segmenter = _registry.create("models", model, engine=engine, threads=threads, weights=weights)
    return segmenter


def check_threads(threads: int | None) -> None:
    """Refuse a number of threads that no engine is asked for.

    Raises:
        OptionError: not from 1 to 256.
    """
    if threads is not None and not 1 <= threads <= 256:
        raise OptionError(f"threads must be from 1 to 256, got {threads}")


def build_refiners(
    effect: Effect, *, temporal: bool, refine: bool, room: str | Path | U8 | Refiner | None = None
) -> tuple[Refiner, ...]:
    """The refiners that an effect's switches ask for, in order; `room` is a picture, or made of one already."""
    from livematte.refine.foreground import Foreground
    from livematte.refine.guided import Guided, Upsample
    from livematte.refine.nearest import Nearest
    from livematte.refine.room import Room
    from livematte.refine.temporal import Temporal
    from livematte.refine.zones import Inside

    chain: list[Refiner] = []
    if room is not None:
        chain.append(Room(room) if isinstance(room, (str, Path, np.ndarray)) else room)
    if zones := getattr(effect, "zones", ()):
        chain.append(Inside(zones))
    if getattr(effect, "who", "everyone") == "nearest":
        chain.append(Nearest())
    if temporal:
        chain.append(Temporal())
    chain.append(Guided(getattr(effect, "softness", 0.3)) if refine else Upsample())
    if getattr(effect, "despill", False):
        chain.append(Foreground())
    return tuple(chain)


class Session:
    """One stream: every call continues from the one before.

    Args:
        model: registry name such as `livematte` or `mediapipe:landscape`, or a loaded
            segmenter to share with other sessions.
        effect: what the background becomes; an object or its spelling (`blur:0.6`).
        engine: `auto`, or an engine's name.
        threads: threads of the engine; None leaves the choice to it.
        weights: a local weights file in place of the model's own.
        temporal: steady the matte over time; False treats every picture alone.
        refine: follow the picture's edges at full size.
        room: a picture of the room without people, taken by the same camera from the same
            place: a path, or RGB uint8 (h, w, 3). It sharpens the matte as long as the
            camera stays there.
        framing: show the part of the output in which the people are, at its size; it
            follows them calmly.
        max_failures: covered frames in a row after which `process` gives up.

    Raises:
        UnknownName, MissingExtra, OptionError, WeightsError, LoadError; OpenError and
        FrameError for `room`.
    """

    def __init__(
        self,
        model: str | Segmenter = "livematte",
        effect: Effect | str | None = None,
        *,
        engine: str = "auto",
        threads: int | None = None,
        weights: str | Path | None = None,
        temporal: bool = True,
        refine: bool = True,
        room: str | Path | U8 | None = None,
        framing: bool = False,
        max_failures: int = MAX_FAILURES,
    ) -> None:
        self.stages = build_stages(
            model,
            effect,
            engine=engine,
            threads=threads,
            weights=weights,
            temporal=temporal,
            refine=refine,
            room=room,
            framing=framing,
        )
        self.stats = Stats()
        self._temporal = temporal
        self._max_failures = max_failures
        self._owns_model = isinstance(model, str)
        self.reset()

    def matte(self, rgb: U8) -> F32:
        """The alpha of one RGB picture.

        Args:
            rgb: uint8 (h, w, 3).

        Returns:
            float32 (h, w) in 0-1, 1 = person, refined at the picture's size.

        Raises:
            FrameError: not such a picture.
            InferenceError: the network gave no matte.
        """
        frame = self._next(Frame.from_rgb(rgb, pts=self._pts, time_base=PICTURE_S))
        matte = estimate(self.stages, frame, self._state, self.stats)
        alpha: F32 = np.divide(matte.alpha, 255, dtype=np.float32)
        return alpha

    def process(self, rgb: U8) -> U8:
        """One RGB picture with its background changed.

        Args:
            rgb: uint8 (h, w, 3).

        Returns:
            uint8 (h, w, 3); (h, w, 4) with straight alpha from `Transparent()`.

        Raises:
            FrameError: not such a picture.
            InferenceError: `max_failures` pictures in a row could not be segmented;
                those before came out covered by the plate.
        """
        return self.process_frame(Frame.from_rgb(rgb, pts=self._pts, time_base=PICTURE_S)).to_rgb()

    def process_frame(self, frame: Frame) -> Frame:
        """One planar frame with its background changed; no RGB on the way."""
        frame = self._next(frame)
        picture = render(self.stages, frame, self._state, self.stats, self._max_failures)
        self.stats.frames += 1
        return picture

    def reset(self) -> None:
        """Forget the pictures before: the next one starts a new stream."""
        self._state = StreamState()
        self._size: Size | None = None
        self._pts = 0

    def close(self) -> None:
        """Free the model, unless it came from outside."""
        if self._owns_model:
            self.stages.segmenter.close()

    def __enter__(self) -> Session:
        return self

    def __exit__(self, *exc: Any) -> None:
        self.close()

    def _next(self, frame: Frame) -> Frame:
        """Start anew where the picture's size changes, or where each stands alone."""
        if frame.size != self._size:
            self._state = StreamState(failures=self._state.failures)
            self._size = frame.size
        if not self._temporal:
            self._state.segmenter, self._state.refiners = None, []
        self._pts += 1
        return frame
