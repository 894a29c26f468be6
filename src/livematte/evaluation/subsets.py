"""Which subsets a picture belongs to: one of each kind."""

from __future__ import annotations

import numpy as np

from livematte._frame import F32, U8
from livematte.evaluation._opencv import opencv
from livematte.evaluation.metrics import mask

SIZES = (0.05, 0.25)
"""Parts of the picture that people cover, between small, middle and large."""

PERSON_AREA = 0.005
"""Part of the picture from which a connected part of the mask counts as a person: what is
smaller is a hand behind a table, or a crumb of the mask."""

DARK, BRIGHT = 80.0, 160.0
"""Mean luma (0-255) below which a picture is dark, and from which it is bright."""

LUMA = (0.2126, 0.7152, 0.0722)
"""Weights of R, G and B (BT.709)."""

KINDS: dict[str, tuple[str, ...]] = {
    "size": ("nobody", "<5%", "5-25%", ">25%"),
    "people": ("0", "1", "2", "3 or more"),
    "light": ("dark", "middle", "bright"),
    "format": ("upright", "wide"),
}
"""Every kind of subset, with its members in the order of tables."""


def of(rgb: U8, truth: F32) -> dict[str, str]:
    """The member of each kind of `KINDS` that a picture is.

    Args:
        rgb: uint8 (h, w, 3).
        truth: float32 (h, w), 0-1.
    """
    height, width = truth.shape
    return {
        "size": size(float(mask(truth).mean())),
        "people": people(truth),
        "light": light(rgb),
        "format": "upright" if height > width else "wide",
    }


def size(part: float) -> str:
    """By the part of the picture that people cover."""
    if part == 0:
        return "nobody"
    low, high = SIZES
    return "<5%" if part < low else "5-25%" if part <= high else ">25%"


def people(truth: F32) -> str:
    """By the number of 8-connected parts of the mask; people who touch count as one.

    Where there is a mask at all there is somebody, however small.
    """
    cv2 = opencv()
    person = mask(truth)
    stats = cv2.connectedComponentsWithStats(person.astype(np.uint8), connectivity=8)[2]
    large = int(np.count_nonzero(stats[1:, cv2.CC_STAT_AREA] >= PERSON_AREA * person.size))
    count = max(large, int(person.any()))
    return str(count) if count < 3 else "3 or more"


def light(rgb: U8) -> str:
    """By the mean luma."""
    mean = round(float(np.dot(rgb.reshape(-1, 3).mean(axis=0), LUMA)), 6)  # processors differ in the last bit
    return "dark" if mean < DARK else "middle" if mean < BRIGHT else "bright"
