"""Steady mattes: still areas settle, moving ones follow at once."""

from __future__ import annotations

from livematte import kernels
from livematte._frame import Frame
from livematte._matte import Matte
from livematte._stages import State


class Temporal:
    """Averages the network's alpha over time, less where it changes more.

    Source: docs/spec/kernels.md, "temporal".
    """

    def refine(self, frame: Frame, matte: Matte, state: State) -> tuple[Matte, State]:
        """State: the last alpha, float32 at network size."""
        if state is None or state.shape != matte.alpha.shape:
            return matte, matte.alpha
        alpha = kernels.temporal(matte.alpha, state)
        return matte.with_alpha(alpha), alpha
