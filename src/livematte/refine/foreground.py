"""The person's own colour where the rim shows some of the old room."""

from __future__ import annotations

from dataclasses import replace

from livematte import kernels
from livematte._frame import Frame
from livematte._matte import Matte
from livematte._stages import State


class Foreground:
    """Estimates the colour of the person where 0 < alpha < 1; where alpha is 0 it is grey.

    Source: Forte 2021, "Approximate Fast Foreground Colour Estimation";
    docs/spec/kernels.md, "foreground".
    """

    def refine(self, frame: Frame, matte: Matte, state: State) -> tuple[Matte, State]:
        planes = kernels.foreground(frame.planes, frame.format, matte.alpha)
        return replace(matte, foreground=planes), None
