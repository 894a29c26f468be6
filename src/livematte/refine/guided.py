"""Edges of the picture for the matte: a guided filter at network size, applied at full size."""

from __future__ import annotations

from livematte import kernels
from livematte._frame import F32, U8, Frame, Size
from livematte._matte import Matte
from livematte._stages import State

REDUCE = 2
"""Cells of so many pixels of the network's input in which the filter is fitted: as good as every
pixel with twice the radius, at a quarter of the work."""

RADIUS = 2
"""Half window in cells: 20 pixels at 720p for a network at 256x144. Of 1, 2 and 3 the best boundaries."""

EPSILON = 4e-3
"""Variance of the guide (luma 0-1, colour six times that) below which an edge of the picture is taken
for texture: a step of 16 code values of luma. Less finds hair, and pulls the matte to patterns in the room."""


def follow(frame: Frame, alpha: F32, softness: float) -> U8:
    """Alpha (h, w) uint8 at the frame's size whose edges follow its picture.

    Args:
        alpha: float32 in 0-1, at the network's size.
        softness: 0 (crisp) to 1 (as the filter leaves it).
    """
    height, width = alpha.shape
    # cells must not reach beyond the picture
    reduce, radius = (1, 2 * RADIUS) if height % REDUCE or width % REDUCE else (REDUCE, RADIUS)
    small = frame.small(Size(width, height))
    lines = kernels.guided(small, frame.format, alpha, reduce, radius, EPSILON, softness)
    return kernels.apply_guided(lines, frame.planes, frame.format)


class Guided:
    """Full-size alpha whose edges follow luma and colour of the frame.

    Args:
        softness: 0 (crisp) to 1 (as the filter leaves it).

    Source: He, Sun and Tang 2013, "Guided Image Filtering", section 3.5 (colour), and He and
    Sun 2015, "Fast Guided Filter"; docs/spec/kernels.md, "guided"; chosen in docs/evaluate.md.
    """

    def __init__(self, softness: float = 0.3) -> None:
        self.softness = softness

    def refine(self, frame: Frame, matte: Matte, state: State) -> tuple[Matte, State]:
        return matte.with_alpha(follow(frame, matte.alpha, self.softness)), None


class Upsample:
    """Full-size alpha without a look at the picture, where time is short."""

    def refine(self, frame: Frame, matte: Matte, state: State) -> tuple[Matte, State]:
        return matte.with_alpha(kernels.upsample(matte.alpha, frame.size)), None
