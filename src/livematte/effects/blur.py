"""Blur the room. The person is left out of it, so that nobody glows into their room."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from livematte import kernels
from livematte._errors import OptionError
from livematte._frame import Frame, PixelFormat, Size
from livematte._matte import Matte
from livematte._stages import State
from livematte.effects import Look, check_fraction
from livematte.effects._anyone import anyone

WEAKEST = 0.1
"""Smallest strength: less is no blur but a soft picture of the room."""

SIGMA_OF_HEIGHT = 0.05
"""Standard deviation at strength 1, as part of the picture's shorter side: a constant
look at every resolution."""

COVER_STRENGTH = 0.6
"""Strength where nobody is seen: a picture that is nothing but blur must
not be read, whatever strength was chosen behind a person."""


@dataclass(frozen=True, kw_only=True)
class Blur(Look):
    """The room, out of focus.

    Args:
        strength: 0.1-1; constant across resolutions.
        bokeh: blur as a lens does: every point becomes a disc, and lamps stay bright;
            else a Gaussian, which is softer.

    Raises:
        OptionError: strength outside its range.
    """

    strength: float = field(default=0.6, kw_only=False)
    bokeh: bool = False

    def __post_init__(self) -> None:
        super().__post_init__()
        check_fraction("blur strength", self.strength, WEAKEST)

    def plate(self, frame: Frame, matte: Matte, state: State) -> tuple[Frame, State]:
        strength = self.strength
        if strength < COVER_STRENGTH and not anyone(matte.alpha):
            strength = COVER_STRENGTH
        planes = kernels.blur_plate(frame.planes, frame.format, matte.alpha, sigma_px(frame.size, strength), self.bokeh)
        format = PixelFormat.RGB if frame.format is PixelFormat.RGB else PixelFormat.I444
        return Frame(planes, format, frame.matrix, frame.range, frame.pts, frame.time_base), None


def sigma_px(size: Size, strength: float) -> float:
    """Standard deviation of the blur in pixels of the frame."""
    return strength * SIGMA_OF_HEIGHT * min(size)


def create(argument: str | None, **options: Any) -> Blur:
    """`blur` or `blur:STRENGTH`."""
    if argument is None:
        return Blur(**options)
    try:
        strength = float(argument)
    except ValueError:
        raise OptionError(f"blur takes a strength from {WEAKEST} to 1, as in blur:0.6; got blur:{argument}") from None
    return Blur(strength, **options)
