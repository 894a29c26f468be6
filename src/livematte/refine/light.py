"""The person in the light of the new background: brighter or darker, warmer or colder."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from livematte import kernels
from livematte._frame import U8, Frame, Size
from livematte._matte import Matte
from livematte._stages import State

GRID = Size(32, 18)
"""Cells in which means are taken."""

FEWEST = 0.005
"""Part of the picture that people must take up for their light to be known."""

BRIGHTNESS, TINT = 0.35, 0.2
"""How far, as powers of the ratio of means, the person follows the plate at match 1. A room
is no person: dark clothes are no sign of dim light, nor is skin one of warm light."""

LEAST, MOST = 0.7, 1.4
"""Bounds of a channel's gain, in linear light."""

SETTLING_S = 2.0
"""Time constant: light that changes faster is seen to change."""

LONGEST_STEP_S = 0.5
"""A gap in the stream counts as no more."""

LUMINANCE = np.array((0.2126, 0.7152, 0.0722))
"""Weights of linear R, G and B (ITU-R BT.709-6)."""

DARKEST = 1e-4
"""Mean light that is never gone below: a black plate is a ratio, too."""


@dataclass(frozen=True, slots=True, eq=False)
class Adapted:
    """What one stream's light has come to.

    Args:
        gains: logarithms of the gains of linear R, G and B.
        plate: first plane of the plate, by which a still picture is known again.
        plate_light: mean linear R, G and B of the plate.
        time_s: of the frame they were made for.
    """

    gains: npt.NDArray[np.float64]
    plate: U8
    plate_light: npt.NDArray[np.float64]
    time_s: float


def match_light(frame: Frame, plate: Frame, matte: Matte, amount: float, state: State) -> tuple[Matte, State]:
    """Move the person's colour towards the light of the plate.

    Args:
        frame: camera frame of the matte.
        plate: new background.
        matte: alpha uint8 at frame size; its `foreground`, if any, is what is changed.
        amount: 0-1, how far.
        state: `Adapted`, or None at the start of a stream, whose first picture gets its gains at once.

    Returns:
        The matte with a changed `foreground`, and the state. Without people neither changes.

    Source: docs/spec/compositing.md, "Match".
    """
    alpha = kernels.downscale(matte.alpha, GRID)
    if alpha.mean() < FEWEST * 255:
        return matte, state
    known = state is not None and state.plate is plate.planes[0]
    plate_light = state.plate_light if known else _light(plate, np.ones_like(alpha))
    wanted = _gains(_light(frame, alpha), plate_light, amount)
    gains = wanted
    if state is not None:
        step_s = min(max(frame.time_s - state.time_s, 0.0), LONGEST_STEP_S)
        gains = state.gains + (wanted - state.gains) * (1 - math.exp(-step_s / SETTLING_S))
    red, green, blue = np.exp(gains / 2).tolist()  # of code values: roots of those of light
    own = frame.planes if matte.foreground is None else matte.foreground
    planes = kernels.relight(own, frame.format, frame.matrix, frame.range, (red, green, blue))
    return replace(matte, foreground=planes), Adapted(gains, plate.planes[0], plate_light, frame.time_s)


def _light(frame: Frame, weight: Any) -> npt.NDArray[np.float64]:
    """Mean linear R, G and B, by weights (h, w) of `GRID`; light is the square of a code value."""
    rgb, _ = kernels.downscale_rgb(frame.planes, frame.format, frame.matrix, frame.range, GRID, False)
    light: npt.NDArray[np.float64] = np.tensordot(weight, np.square(rgb), 2) / float(weight.sum())
    return np.maximum(light, DARKEST, dtype=np.float64)


def _gains(person: npt.NDArray[Any], plate: npt.NDArray[Any], amount: float) -> npt.NDArray[np.float64]:
    """Logarithms of the gains that are wanted."""
    ratio = np.log(plate / person)
    brightness = math.log((plate @ LUMINANCE) / (person @ LUMINANCE))
    wanted = amount * (BRIGHTNESS * brightness + TINT * (ratio - brightness))
    clipped: npt.NDArray[np.float64] = np.clip(wanted, math.log(LEAST), math.log(MOST))
    return clipped
