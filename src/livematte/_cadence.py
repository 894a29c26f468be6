"""The network on every n-th frame; between, the matte at hand follows the edges of the frame at hand."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

from livematte._errors import InferenceError
from livematte._frame import Frame, Size
from livematte._matte import Matte
from livematte._pipeline import Stages, StreamState, refine, segment
from livematte._stages import State
from livematte._stats import Stats

MAX_MATTE_AGE_S = Fraction(1, 5)
"""A person may move so long beside their matte; docs/spec/governor.md."""


@dataclass(slots=True)
class Held:
    """What one stream keeps between two runs of the network.

    Args:
        matte: at the network's size, by the refiners that work there; None before the first.
        frames: since it was made.
    """

    matte: Matte | None = None
    frames: int = 0


class Cadence:
    """Finds mattes for `render()`.

    Args:
        every: the network runs on every n-th frame.
        refiners_before: how many of the refiners work at the network's size: they run when the network does.
        held: this stream's memory.
    """

    def __init__(self, every: int, refiners_before: int, held: Held) -> None:
        self._every, self._held = every, held
        self._before, self._after = slice(0, refiners_before), slice(refiners_before, None)

    def find(self, stages: Stages, frame: Frame, state: StreamState, stats: Stats) -> Matte:
        """The refined matte of `frame`, from its own picture by the network or from a matte that is young enough.

        Raises:
            InferenceError: the network gave none.
        """
        held = self._held
        held.frames += 1
        if held.matte is None or held.frames >= self._every or not _young(held.matte, frame):
            held.matte = None  # one that could not be made leaves none
            matte = segment(stages, frame, state, stats)
            held.matte, held.frames = refine(stages, frame, matte, state, stats, self._before), 0
        return refine(stages, frame, held.matte, state, stats, self._after)


class NoNetwork:
    """A segmenter in place of one that is not there: every frame is covered."""

    name = "none"
    size = Size(1, 1)

    def segment(self, frame: Frame, state: State) -> tuple[Matte, State]:
        raise InferenceError("there is no network")

    def close(self) -> None:
        """Nothing to free."""


def _young(matte: Matte, frame: Frame) -> bool:
    return bool(0 <= (frame.pts - matte.pts) * frame.time_base <= MAX_MATTE_AGE_S)
