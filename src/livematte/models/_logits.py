"""Logits as probabilities, and grids of them stretched to the size of a picture.

The interpolation is gathered from neighbours, not a product of matrices, which is shorter to write:
NumPy's products take every core, and their threads wait in a loop after each, which costs another
core as long as frames keep coming.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from livematte._frame import F32

STEEPEST = 80.0
"""Logit beyond which a probability is 0 or 1; exp() of more than 88 is no float32 any more."""


def sigmoid(logits: F32) -> F32:
    """1 / (1 + exp(-x)), without overflow."""
    result: F32 = 1 / (1 + np.exp(-np.clip(logits, -STEEPEST, STEEPEST, dtype=np.float32)))
    return result


@dataclass(frozen=True, slots=True)
class Places:
    """Where each pixel of one axis lies between the cells of a grid.

    Args:
        low, high: indices (pixels,) of the neighbours on both sides.
        share: of the higher one, (pixels,), 0-1.
    """

    low: npt.NDArray[np.intp]
    high: npt.NDArray[np.intp]
    share: F32

    def first(self, pixels: int) -> Places:
        """Those of the first pixels alone."""
        return Places(self.low[:pixels], self.high[:pixels], self.share[:pixels])


def by_corners(cells: int, pixels: int) -> Places:
    """First cell on first pixel, last on last."""
    return _places(np.linspace(0, cells - 1, pixels), cells)


def by_area(cells: int, pixels: int) -> Places:
    """All cells over the length of all pixels."""
    return _places(np.clip((np.arange(pixels) + 0.5) * cells / pixels - 0.5, 0, cells - 1), cells)


def stretch(values: F32, rows: Places, columns: Places) -> F32:
    """Linear interpolation of (..., h', w') at these places: (..., h, w) on one thread.

    Columns come first, while there are few rows; rows are then mixed whole.
    """
    wide = _between(values.take(columns.low, axis=-1), values.take(columns.high, axis=-1), columns.share)
    return _between(wide.take(rows.low, axis=-2), wide.take(rows.high, axis=-2), rows.share[:, None])


def _places(at: npt.NDArray[np.float64], cells: int) -> Places:
    low = at.astype(np.intp)
    return Places(low, np.minimum(low + 1, cells - 1), (at - low).astype(np.float32))


def _between(low: F32, high: F32, share: F32) -> F32:
    """The mixture low + share (high - low), in the memory of `high`, which the caller gives away."""
    high -= low
    high *= share
    high += low
    return high
