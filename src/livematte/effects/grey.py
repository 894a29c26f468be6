"""The room without its colours. Where there is no matte it is not shown at all."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from livematte import kernels
from livematte._errors import OptionError
from livematte._frame import Frame
from livematte._matte import Matte
from livematte._stages import State
from livematte.effects import Look
from livematte.effects._anyone import anyone
from livematte.effects.color import Color


@dataclass(frozen=True, kw_only=True)
class Grey(Look):
    """The room in shades of grey, behind the person in colour.

    A grey room can be recognised, which is what was asked for by name: a frame for which there is no matte, or one
    in which nobody is seen (`anyone`), gets a plain grey in its place. In many an empty room networks see somebody.
    """

    def plate(self, frame: Frame, matte: Matte, state: State) -> tuple[Frame, State]:
        if not anyone(matte.alpha):
            return Color(rgb="gray").plate(frame, matte, state)
        luma = frame.luma()
        _, neutral = kernels.black(frame.format, frame.range)
        if neutral:
            blue, red = (np.full(plane.shape, neutral, np.uint8) for plane in frame.planes[1:])
            return frame.with_planes((luma, blue, red)), None
        return frame.with_planes((luma, luma, luma)), None


def create(argument: str | None, **options: Any) -> Grey:
    """`grey`."""
    if argument is not None:
        raise OptionError(f"grey takes no argument, got grey:{argument}")
    return Grey(**options)
