"""Light for dark pictures: what a network gets to see, and nobody else."""

from __future__ import annotations

from fractions import Fraction
from typing import NamedTuple

import numpy as np

from livematte import kernels
from livematte._fade import step
from livematte._frame import F32, Frame

SETTLED_S = 0.5
"""How long the gain takes to follow, in seconds: lamps that flicker must not make mattes do so."""

NOTHING = 1.01
"""Gain below which a picture is left as it is: a code value or two."""


class Light(NamedTuple):
    """State of a stream: the gain of its last picture, and its time in seconds."""

    at_s: Fraction
    gain: float


def lighten(picture: F32, planar: bool, frame: Frame, before: Light | None) -> Light:
    """Make the small picture of `frame` as bright as networks know pictures, in place.

    Args:
        picture: RGB in 0-1, (h, w, 3), or (3, h, w) if `planar`; its colours are multiplied
            by 1 to 4 and limited to 1.
        before: None at the start of a stream.

    Source: docs/spec/kernels.md, "gain".
    """
    now_s = frame.pts * frame.time_base
    gain = kernels.gain(picture, planar)
    if before is not None:
        gain = before.gain + (gain - before.gain) * step(now_s, before.at_s, SETTLED_S)
    if gain > NOTHING:
        np.multiply(picture, np.float32(gain), out=picture)
        np.minimum(picture, np.float32(1), out=picture)
    return Light(now_s, gain)
