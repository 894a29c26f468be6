"""Edges of the picture for the matte: a guided filter at network size, applied at full size."""

from __future__ import annotations

from livematte import kernels
from livematte._frame import Frame
from livematte._matte import Matte
from livematte._stages import State

RADIUS_PX = 2
"""Half window in pixels of the network's input: 10 pixels at 720p, the width of the band
in which a network at 256x144 is unsure. Of 1, 2, 3, 4 and 6 the best boundaries."""

EPSILON = 4e-3
"""Variance of luma (0-1) below which an edge of the picture is taken for texture: a step
of 16 code values. Less finds hair, and pulls the matte to patterns in the room."""


class Guided:
    """Full-size alpha whose edges follow the luma of the frame.

    Args:
        softness: 0 (crisp) to 1 (as the filter leaves it).

    Source: He and Sun 2015, "Fast Guided Filter"; docs/spec/kernels.md, "guided".
    """

    def __init__(self, softness: float = 0.3) -> None:
        self.softness = softness

    def refine(self, frame: Frame, matte: Matte, state: State) -> tuple[Matte, State]:
        guide = frame.small_luma(matte.size)
        slope, offset = kernels.guided(guide, matte.alpha, RADIUS_PX, EPSILON, self.softness)
        return matte.with_alpha(kernels.apply_guided(slope, offset, frame.luma())), None


class Upsample:
    """Full-size alpha without a look at the picture, where time is short."""

    def refine(self, frame: Frame, matte: Matte, state: State) -> tuple[Matte, State]:
        return matte.with_alpha(kernels.upsample(matte.alpha, frame.size)), None
