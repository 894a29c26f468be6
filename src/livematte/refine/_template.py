"""Copy this file to make a refiner: say here what it makes of a matte.

A refiner before `Guided` gets float32 alpha at network size, one after it uint8 alpha at
frame size; `livematte._session.build_refiners` puts them in order.
"""

from __future__ import annotations

import numpy as np

from livematte._frame import Frame
from livematte._matte import Matte
from livematte._stages import State


class Sure:
    """Takes alpha for all or nothing.

    Source: the paper and section, or the page of docs/spec/.
    """

    def refine(self, frame: Frame, matte: Matte, state: State) -> tuple[Matte, State]:
        """State: what the next frame of the stream must know; None at its start."""
        alpha = np.where(matte.alpha >= 0.5, np.float32(1), np.float32(0))  # (h, w), network size
        return matte.with_alpha(alpha), state
