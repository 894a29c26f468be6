"""Lowers the quality to keep up, and raises it again: docs/spec/governor.md; web/src/governor.ts has the same."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Rung:
    """A step of the ladder.

    Args:
        name: as in the specification.
        every: the network runs on every n-th frame.
        large: the network sees more pixels, if there is a larger one.
        refine: the matte's edges follow the picture.
        half_size: the picture is computed at half its sides.
    """

    name: str
    every: int = 1
    large: bool = False
    refine: bool = True
    half_size: bool = False


LADDER = (
    Rung("large-input", large=True),
    Rung("full"),
    Rung("every-2nd", every=2),
    Rung("every-3rd", every=3),
    Rung("no-refinement", every=3, refine=False),
    Rung("half-size", every=3, refine=False, half_size=True),
)
"""Best first. Each costs clearly less than the one before."""

NAMES = tuple(rung.name for rung in LADDER)

START = 1
"""Where every stream begins, unless its device is known to be too slow for it."""

TOO_SLOW = 0.9
"""Part of the time between two frames that p90 of the frames' times may take before a rung is given up."""

FAST = 0.55
"""Part of it below which a better rung is tried."""

IDLE = 0.15
"""Part of it below which the larger input is tried: it may double what a frame costs, and batteries count."""

TOO_MANY_DROPS = 0.1
"""Part of the camera's frames that may be skipped."""

WINDOW_MS = 1000.0

DOWN_AFTER_MS, UP_AFTER_MS = 500.0, 3000.0
"""Quick down, slow up."""

PATIENCE_MAX_MS = 48_000.0
"""A rung that did not hold is tried again after twice the time, up to this."""

PROVED_MS = 60_000.0
"""A rung that held this long has proved itself: patience starts again."""

HISTORY = 32

FEWEST_FRAMES = 8
"""Of the camera, processed or skipped: fewer say nothing."""

FEWEST_DROPS = 4
"""Fewer than this in a second are chance."""


@dataclass(frozen=True, slots=True)
class RungChange:
    """A step that was taken.

    Args:
        at_ms: when, by the time that `observe` was told.
        rung: name of the new rung.
        why: in words.
    """

    at_ms: float
    rung: str
    why: str


class Governor:
    """Decides once a frame which rung of the ladder is next. It has no clock of its own.

    Args:
        budget_ms: time between two frames of the camera.
        enabled: False stays where it begins.
        lowest: name of the last rung that may be taken.
    """

    def __init__(self, budget_ms: float, enabled: bool = True, lowest: str = LADDER[-1].name) -> None:
        self.history: deque[RungChange] = deque(maxlen=HISTORY)
        self._budget_ms, self._enabled = budget_ms, enabled
        self._larger = False
        self._index, self._lowest = START, NAMES.index(lowest)
        self._since_ms = -math.inf
        self._patience_ms = UP_AFTER_MS
        self._climbed = False
        self._seen: deque[tuple[float, float, int]] = deque()

    @property
    def rung(self) -> Rung:
        return LADDER[self._index]

    def set_fps(self, fps: float) -> None:
        """The camera's frame rate, when it is known better."""
        self._budget_ms = 1000 / fps

    def begin(self, rung: str, at_ms: float, why: str) -> RungChange | None:
        """Take note of what the device was found to manage, before the first frame; only ever down."""
        step = min(NAMES.index(rung), self._lowest) - self._index
        return self._move(step, at_ms, why) if self._enabled and step > 0 else None

    def exchange(self, larger: bool, at_ms: float) -> RungChange | None:
        """Take note of another network.

        Args:
            larger: whether there is a larger one of its kind.
            at_ms: now.

        Returns:
            The change of rung, if there is none for the present one.
        """
        self._larger = larger
        if larger or self._index >= START:
            return None
        return self._move(START - self._index, at_ms, "the network has no larger input")

    def observe(self, at_ms: float, spent_ms: float, skipped: int) -> RungChange | None:
        """Take note of a frame.

        Args:
            at_ms: now.
            spent_ms: from its arrival to its output.
            skipped: frames of the camera that were missed just before it.

        Returns:
            The change of rung, if this frame led to one.
        """
        if not self._enabled:
            return None
        if self._since_ms == -math.inf:
            self._since_ms = at_ms
        self._seen.append((at_ms, spent_ms, skipped))
        while self._seen and self._seen[0][0] < at_ms - WINDOW_MS:
            self._seen.popleft()
        held_ms = at_ms - self._since_ms
        if self._climbed and held_ms >= PROVED_MS:
            self._patience_ms, self._climbed = UP_AFTER_MS, False
        skips = sum(frame[2] for frame in self._seen)
        if held_ms < DOWN_AFTER_MS or skips + len(self._seen) < FEWEST_FRAMES:
            return None

        p90_ms = _part_of(_cycles([frame[1] for frame in self._seen], self.rung.every), 0.9)
        spent = f"p90 {p90_ms:.1f} of {self._budget_ms:.1f} ms"
        dropping = skips >= FEWEST_DROPS and skips > TOO_MANY_DROPS * (skips + len(self._seen))
        if self._index < self._lowest and (p90_ms > TOO_SLOW * self._budget_ms or dropping):
            if self._climbed:
                self._patience_ms = min(2 * self._patience_ms, PATIENCE_MAX_MS)
            self._climbed = False
            return self._move(1, at_ms, f"{skips} frames skipped in a second" if dropping else spent)
        upwards = FAST if self._index > START else IDLE if self._larger and self._index == START else 0.0
        if held_ms >= self._patience_ms and p90_ms < upwards * self._budget_ms and skips < FEWEST_DROPS:
            self._climbed = True
            return self._move(-1, at_ms, f"{spent} for {self._patience_ms / 1000:.0f} s")
        return None

    def as_list(self, zero_ms: float = 0.0) -> list[dict[str, Any]]:
        """The history as plain values, oldest first, in seconds since `zero_ms`."""
        changes = tuple(self.history)
        return [{"at_s": round((c.at_ms - zero_ms) / 1000, 1), "rung": c.rung, "why": c.why} for c in changes]

    def _move(self, step: int, at_ms: float, why: str) -> RungChange:
        self._index += step
        self._since_ms = at_ms
        self._seen.clear()
        change = RungChange(at_ms, self.rung.name, why)
        self.history.append(change)
        return change


def _cycles(values: Sequence[float], every: int) -> list[float]:
    """Means over the frames that share one run of the network: a late one in three is caught up by the others."""
    return [sum(values[i : i + every]) / every for i in range(len(values) - every + 1)]


def _part_of(values: Sequence[float], part: float) -> float:
    """The value that a part of all values do not exceed; 0 of none."""
    ordered = sorted(values)
    return ordered[min(int(part * len(ordered)), len(ordered) - 1)] if ordered else 0.0
