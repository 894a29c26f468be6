"""The undecided band of a matte, solved from the picture's colours. Extra `label`.

Source: Levin, Lischinski, Weiss 2008, "A Closed-Form Solution to Natural Image Matting",
as `pymatting` implements it; a tenth of a second for 0.1 megapixels, after a minute of
compiling the first time.
"""

from __future__ import annotations

import contextlib
import io
from importlib.util import find_spec

import numpy as np

from livematte._errors import MissingExtra
from livematte._frame import F32, U8
from livematte.training.ensemble import dilate

SURE = 0.95
"""Probability from which a pixel is person, and below one minus which it is room."""

BAND = 0.0075
"""Half width of the band around the edge that is solved anew, in parts of the longer side."""


def require_pymatting() -> None:
    """Refuse to go on without it.

    Raises:
        MissingExtra: the message holds the pip line.
    """
    if find_spec("pymatting") is None:
        raise MissingExtra('closed-form matting needs pymatting: pip install "livematte[label]"')


def trimap(alpha: F32) -> F32:
    """0, 0.5 or 1 for each pixel of an alpha (h, w): undecided where it is soft, or near an edge."""
    radius = max(1, round(BAND * max(alpha.shape)))
    result = np.full(alpha.shape, 0.5, np.float32)
    result[-dilate(-alpha, radius) >= SURE] = 1.0
    result[dilate(alpha, radius) <= 1 - SURE] = 0.0
    return result


def closed_form(rgb: U8, alpha: F32) -> F32:
    """The alpha (h, w) float32 0-1 with its undecided band solved.

    Args:
        rgb: the picture, (h, w, 3) uint8.
        alpha: a first matte, (h, w) in 0-1.

    Raises:
        MissingExtra: pymatting is not installed.
    """
    require_pymatting()
    from pymatting import estimate_alpha_cf

    known = trimap(alpha)
    if not ((known == 0).any() and (known == 1).any()):  # nothing to solve from
        return alpha
    with contextlib.redirect_stdout(io.StringIO()):  # it prints when its first try at a preconditioner fails
        solved = estimate_alpha_cf(rgb / 255.0, known.astype(np.float64))
    result: F32 = np.clip(solved, 0, 1).astype(np.float32)
    return result
