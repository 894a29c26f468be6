"""Only the people nearest the camera stay."""

from __future__ import annotations

from livematte import kernels
from livematte._frame import Frame
from livematte._matte import Matte
from livematte._stages import State

SMALLEST_PART = 0.35
"""Area of a person who stays, as part of the largest one's. People twice as far away
are a quarter as large, so they go; two who sit side by side both stay."""


class Nearest:
    """Removes connected parts of the matte that are small beside the largest."""

    def refine(self, frame: Frame, matte: Matte, state: State) -> tuple[Matte, State]:
        return matte.with_alpha(kernels.keep_largest(matte.alpha, SMALLEST_PART)), None
