"""Steady mattes: where the picture stands still the matte settles, where it moves it follows at once."""

from __future__ import annotations

import numpy as np

from livematte import kernels
from livematte._frame import Frame
from livematte._matte import Matte
from livematte._stages import State


class Temporal:
    """Averages the network's alpha over time, less where the small picture changes or alpha falls.

    In the first frames of a stream, and of another scene, nothing is held back.

    Source: docs/spec/kernels.md, "temporal".
    """

    def refine(self, frame: Frame, matte: Matte, state: State) -> tuple[Matte, State]:
        """State: the last alpha, the luma it was made from and how freely it moves, float32 at network size."""
        luma = frame.small_luma(matte.size)
        if state is None or state[0].shape != matte.alpha.shape:
            return matte, (matte.alpha, luma, np.full_like(luma, kernels.BEGINS))
        alpha, motion = kernels.temporal(matte.alpha, luma, *state)
        return matte.with_alpha(alpha), (alpha, luma, motion)
