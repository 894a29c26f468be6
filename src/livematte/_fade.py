"""How far a fade goes from one frame to the next, by the frames' own time."""

from __future__ import annotations

from fractions import Fraction

FRAME_S = 1 / 30
"""Taken for the time between two frames that do not tell it."""


def step(now_s: Fraction, before_s: Fraction, whole_s: float) -> float:
    """Part of a fade of `whole_s` seconds that lies between two frames, 0-1."""
    since_s = float(now_s - before_s)
    return min((since_s if since_s > 0 else FRAME_S) / whole_s, 1.0)
