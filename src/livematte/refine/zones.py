"""Only what is inside drawn zones stays."""

from __future__ import annotations

import functools
from collections.abc import Sequence

import numpy as np

from livematte import kernels
from livematte._frame import F32, Frame, Size
from livematte._matte import Matte
from livematte._stages import State
from livematte.effects._zones import Zone

INSET_PX, SOFT_PX = 8, 2
"""Where a zone's soft edge begins inside it, and how wide it is, in pixels of the network's input.
The guided filter carries alpha 8 pixels far: none of it comes out of the zone."""


class Inside:
    """Takes out of the matte whatever lies outside every zone.

    Args:
        zones: as `check_zones` returns them.

    Source: docs/spec/kernels.md, "zones".
    """

    def __init__(self, zones: Sequence[Zone]) -> None:
        self.zones = tuple(zones)

    def refine(self, frame: Frame, matte: Matte, state: State) -> tuple[Matte, State]:
        return matte.with_alpha(matte.alpha * inside(self.zones, matte.size)), None


@functools.lru_cache(maxsize=8)
def inside(zones: tuple[Zone, ...], size: Size) -> F32:
    """How far inside a zone each pixel lies: float32 (h, w), 0 outside, 1 beyond its soft edge."""
    masks = [kernels.zone(np.array(zone, np.float32), size, INSET_PX, SOFT_PX) for zone in zones]
    mask: F32 = np.maximum.reduce(masks)
    mask.flags.writeable = False  # shared by all who ask again
    return mask
