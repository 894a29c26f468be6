"""Whether a matte shows somebody: docs/spec/compositing.md, "Somebody"; web/src/render/anyone.ts has the same."""

from __future__ import annotations

import numpy as np

from livematte._frame import U8

PERSON = 128
"""Alpha that counts, of 255: one half, which neither refinement nor softness moves."""

PARTS = 200
"""Somebody is there if that alpha takes up one of so many parts of the picture (0.005) or more."""


def anyone(alpha: U8) -> bool:
    """Whether enough of a picture belongs to a person.

    Args:
        alpha: uint8 (h, w), 255 = person.
    """
    return bool(np.count_nonzero(alpha >= PERSON) * PARTS >= alpha.size)
