"""Edges: an estimate becomes a label at the picture's size, with the picture's own edges."""

from __future__ import annotations

import numpy as np

from livematte._frame import F32, U8, Frame, Size
from livematte.refine import guided
from livematte.training import ensemble, views
from livematte.training.ensemble import Estimate

SIDE_PX = 640
"""Longest side on which the teachers are asked; the edges follow the picture at its full size."""

SOFTNESS = 0.3
"""Of the guided filter, as `Session` has it."""

MASK_LOW, MASK_HIGH = 0.2, 0.6
"""Like `ensemble.LOW` and `HIGH`, for the difference between a given mask and the ensemble."""


def refine(frame: Frame, estimate: Estimate) -> tuple[U8, U8]:
    """Alpha and confidence at the frame's size, edges as the picture has them.

    Args:
        frame: the whole picture.
        estimate: made of it, at its size or smaller.

    Returns:
        Two uint8 arrays (h, w).
    """
    return _guided(frame, estimate.probability), _full(estimate.confidence, frame.size)


def refine_mask(frame: Frame, mask: F32, estimate: Estimate) -> tuple[U8, U8]:
    """The same for a mask (h, w) 0-1 that is right about the people it shows.

    Pixels that the ensemble calls person and the mask does not, or the other way round, over
    more than an edge's width, are in doubt.
    """
    probability = resized(estimate.probability, frame.size)
    confidence = ensemble.confident(np.abs(probability - mask), MASK_LOW, MASK_HIGH)
    return _guided(frame, mask), to_bytes(confidence)


def _guided(frame: Frame, alpha: F32) -> U8:
    """Half the size of what the teachers saw is what the guided filter of the product gets."""
    height, width = alpha.shape
    small = Size(max(1, (width + 1) // 2), max(1, (height + 1) // 2))
    return guided.follow(frame, resized(alpha, small), SOFTNESS)


def _full(values: F32, size: Size) -> U8:
    return to_bytes(resized(values, size))


def resized(values: F32, size: tuple[int, int]) -> F32:
    """A plane (h, w) at another size (width, height), smoothly."""
    height, width = values.shape
    if (width, height) == size:
        return values
    resized: F32 = views.resampling(height, size[1]) @ values @ views.resampling(width, size[0]).T
    return np.ascontiguousarray(resized)


def to_bytes(values: F32) -> U8:
    """0-1 as 0-255."""
    return np.rint(np.clip(values, 0, 1) * 255).astype(np.uint8)


def reduced(frame: Frame) -> Frame:
    """The picture at the size the teachers are asked at."""
    width, height = frame.size
    longest = max(width, height)
    if longest <= SIDE_PX:
        return frame
    size = Size(max(1, round(width * SIDE_PX / longest)), max(1, round(height * SIDE_PX / longest)))
    return Frame.from_rgb(np.rint(frame.rgb(size) * 255).astype(np.uint8))
