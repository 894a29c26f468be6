"""Which model fits a need, from figures: the decision alone, without files, devices or clocks.

The rule is told in docs/models.md, "How choose decides".
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from livematte._device import Cost
from livematte._frame import Size
from livematte._governor import LADDER, START, TOO_SLOW
from livematte._quality import Quality

CALM = 1.0
"""Most flicker x1000 of a matte for video. Those that hold still stay below 0.5; from 1.3 on it is seen."""

STEP = 0.01
"""Models whose quality differs by less are alike: 256 pictures tell no more."""

ENOUGH = 3
"""So many that fit, with figures to trust, end the search: what is left is worse."""

SMALLER = (0.75, 0.5, 0.25)
"""Parts of the sides that are offered where nothing fits."""


@dataclass(frozen=True, slots=True)
class Need:
    """What the user wants.

    Args:
        use: `live`, `file` (a video) or `picture`.
        size: of the frames.
        fps: frames a second that it must manage; None for files that may take their time.
        share: part of one core that it may take; None for all there is.
        gives: `person`, `parts`, `people` or `classes`.
        commercial: whether commercial use must be clear.
        browser: whether it must run in the browser SDK.
    """

    use: str
    size: Size
    fps: float | None
    share: float | None
    gives: str = "person"
    commercial: bool = False
    browser: bool = False

    @property
    def moving(self) -> bool:
        """Whether frames follow one another, so that flicker is seen."""
        return self.use != "picture"

    @property
    def clock_ms(self) -> float:
        """Most milliseconds of a frame: where the quality ladder would step down."""
        return math.inf if self.fps is None else TOO_SLOW * 1000 / self.fps

    @property
    def core_ms(self) -> float:
        """Most milliseconds of processor time for a frame."""
        return math.inf if self.fps is None or self.share is None else self.share * 1000 / self.fps


@dataclass(frozen=True, slots=True)
class Candidate:
    """A model with what is known of it; None where it was not measured.

    Args:
        network_ms, frame_ms, cpu_ms: the network, the whole frame, and processor time for it, all threads.
        engine: what ran it.
        here: its weights are on this machine.
        in_browser: what the browser SDK calls it, empty if it has it not.
        error: why it could not be measured.
    """

    model: str
    gives: tuple[str, ...]
    licence: str
    commercial: bool | None
    quality: Quality | None
    here: bool = True
    in_browser: str = ""
    network_ms: float | None = None
    frame_ms: float | None = None
    cpu_ms: float | None = None
    engine: str = ""
    error: str = ""

    @property
    def worth(self) -> float:
        """Mean of IoU and boundary F: the right pixels, and the right outline. Below 0 where nobody measured it."""
        return -1.0 if self.quality is None else (self.quality.iou + self.quality.boundary_f) / 2

    @property
    def sure(self) -> bool:
        """Whether its figures say how it does on pictures that it has never seen."""
        return self.quality is not None and not self.quality.familiar


@dataclass(frozen=True, slots=True)
class Decision:
    """What fits, and what does not.

    Args:
        choice: the model to take; None if none fits.
        ranked: all that were measured and fit, the best first; the choice may not be the first.
        misfits: the others that were measured, the nearest to fitting first, and why each does not fit.
        passed_over: those that are here and were not measured: worse by their figures, or without any.
        absent: those that would suit but are not here, the best first.
        instead: where none fits, what to give up so that the nearest does.
    """

    choice: Candidate | None
    ranked: tuple[Candidate, ...]
    misfits: tuple[tuple[Candidate, str], ...]
    passed_over: tuple[Candidate, ...]
    absent: tuple[Candidate, ...]
    instead: tuple[str, ...] = ()


def suits(need: Need, candidate: Candidate) -> bool:
    """Whether a model gives what is needed, on the terms and in the place that are needed; its speed aside."""
    free = candidate.commercial is True or not need.commercial
    return need.gives in candidate.gives and free and bool(candidate.in_browser or not need.browser)


def too_slow(need: Need, candidate: Candidate) -> str:
    """Why a measured model does not fit, empty if it does."""
    if candidate.error:
        return candidate.error
    if candidate.frame_ms is None or candidate.cpu_ms is None:
        return "not measured"
    if candidate.frame_ms > need.clock_ms:
        return "too slow"
    if candidate.cpu_ms > need.core_ms:
        return "too much of a core"
    return ""


def rank(need: Need, candidate: Candidate) -> tuple[bool, float, float, bool, str]:
    """The best first: calm ones in video, then by quality, by time, our own, by name."""
    flicker = candidate.quality.flicker if candidate.quality else None
    restless = need.moving and flicker is not None and flicker > CALM
    own = candidate.model.partition(":")[0] == "livematte"
    frame_ms = math.inf if candidate.frame_ms is None else round(candidate.frame_ms, 1)
    return restless, -round(candidate.worth / STEP), frame_ms, not own, candidate.model


def enough(need: Need, candidates: Iterable[Candidate]) -> bool:
    """Whether more measurements would find nothing better."""
    return sum(trusted(need, it) for it in candidates) >= ENOUGH


def trusted(need: Need, candidate: Candidate) -> bool:
    """Whether it fits, and its figures can be trusted, so that it can be the choice over others."""
    return not too_slow(need, candidate) and candidate.sure and not rank(need, candidate)[0]


def decide(need: Need, candidates: Iterable[Candidate]) -> Decision:
    """Rank those that suit and fit, and choose.

    The choice is the best whose figures can be trusted: one that may have been trained on pictures like those it was
    measured on is not chosen over another, whatever its figures, unless nothing else fits.
    """
    suited = sorted((it for it in candidates if suits(need, it)), key=lambda it: rank(need, it))
    here = [it for it in suited if it.here and (it.error or it.frame_ms is not None)]
    ranked = [it for it in here if not too_slow(need, it)]
    misfits = sorted(
        ((it, too_slow(need, it)) for it in here if it not in ranked), key=lambda pair: load(need, pair[0])
    )
    choice = next((it for it in ranked if trusted(need, it)), ranked[0] if ranked else None)
    nearest = misfits[0][0] if misfits and not ranked else None
    return Decision(
        choice,
        tuple(ranked),
        tuple(misfits),
        tuple(it for it in suited if it.here and it not in here),
        tuple(it for it in suited if not it.here),
        tuple(instead(need, nearest)) if nearest is not None and not nearest.error else (),
    )


def load(need: Need, candidate: Candidate) -> float:
    """What it takes in parts of what may be taken; above 1 it does not fit."""
    if candidate.frame_ms is None or candidate.cpu_ms is None:
        return math.inf
    return max(candidate.frame_ms / need.clock_ms, candidate.cpu_ms / need.core_ms)


def instead(need: Need, nearest: Candidate) -> Sequence[str]:
    """What to give up so that a model fits that is too slow; in words, the least loss first."""
    frame_ms, cpu_ms, network_ms = nearest.frame_ms or 0.0, nearest.cpu_ms or 0.0, nearest.network_ms or 0.0
    found = []
    over = load(need, nearest)
    cost = Cost(min(network_ms, frame_ms), max(frame_ms - network_ms, 0.0))
    rung = next((it for it in LADDER[START + 1 :] if cost.at(it) / frame_ms * over <= 1), None)
    if need.use == "live" and rung is not None:
        found.append(f"quality: at the rung {rung.name} it fits; `livematte live` takes it by itself")
    part = next((it for it in SMALLER if (network_ms + it * it * cost.rest_ms) / frame_ms * over <= 1), None)
    if part is not None:
        width, height = (int(side * part) // 2 * 2 for side in need.size)
        found.append(f"size: --size {width}x{height}, if all but the network shrinks with the picture")
    if need.fps is not None and (fps := math.floor(need.fps / over)) >= 1:
        found.append(f"frames: --fps {fps}")
    if need.share is not None and need.fps is not None and frame_ms <= need.clock_ms:
        found.append(f"the rest of the machine: --share {math.ceil(100 * cpu_ms * need.fps / 1000) / 100:g}")
    return found
