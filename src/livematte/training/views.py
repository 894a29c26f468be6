"""Views: the parts of a picture that teachers look at, and how their mattes come back to it."""

from __future__ import annotations

import functools
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from livematte._frame import F32, Frame, PixelFormat, Planes

CELLS = 48
"""Grid on which people are told apart, cells along the longer side: a cell of a 400 pixel
picture is 8 pixels, the gap that separates two people."""

MARGIN = 0.15
"""Room around a person's box, in parts of its longer side: networks need to see what is no person."""

LONG = 1.2
"""Ratio of sides beyond which a box is also looked at in squares, since teachers are square."""

FEATHER = 0.12
"""Part of a view at each of its inner edges over which it counts less: a cut person is guesswork there."""

LEAST_PX = 257
"""Pictures smaller than a teacher's are enlarged smoothly first, where the frame's own reduction
would repeat pixels."""


class Box(NamedTuple):
    """A rectangle in pixels: left, top inside; right, bottom outside."""

    left: int
    top: int
    right: int
    bottom: int

    @property
    def width(self) -> int:
        return self.right - self.left

    @property
    def height(self) -> int:
        return self.bottom - self.top


def people(probability: F32, threshold: float, smallest: float, most: int) -> list[Box]:
    """Boxes around the people of a coarse estimate, the largest first.

    Args:
        probability: of a person, (h, w).
        threshold: from which a cell counts.
        smallest: least part of the picture's area.
        most: boxes at most.
    """
    height, width = probability.shape
    rows = max(1, round(CELLS * height / max(height, width)))
    columns = max(1, round(CELLS * width / max(height, width)))
    grid = resampling(height, rows) @ probability @ resampling(width, columns).T
    labels = components(grid > threshold)
    found = []
    for label in range(1, int(labels.max()) + 1):
        ys, xs = np.nonzero(labels == label)
        if len(ys) < smallest * rows * columns:
            continue
        box = Box(
            int(xs.min() * width / columns), int(ys.min() * height / rows),
            int(np.ceil((xs.max() + 1) * width / columns)), int(np.ceil((ys.max() + 1) * height / rows)),
        )  # fmt: skip
        found.append((len(ys), box))
    found.sort(key=lambda item: -item[0])
    return [box for _, box in found[:most]]


def components(mask: npt.NDArray[np.bool_]) -> npt.NDArray[np.int64]:
    """Labels 1, 2, ... of the parts of a mask that touch one another, corners included; 0 outside."""
    height, width = mask.shape
    labels = np.where(mask, np.arange(1, height * width + 1).reshape(height, width), 0)
    while True:
        padded = np.pad(labels, 1)
        near = [padded[y : y + height, x : x + width] for y in range(3) for x in range(3)]
        grown = np.where(mask, np.max(near, axis=0), 0)
        if np.array_equal(grown, labels):
            return np.searchsorted(np.unique(np.append(labels, 0)), labels).astype(np.int64)
        labels = grown


def around(box: Box, width: int, height: int, margin: float = MARGIN) -> Box:
    """The box with room on all sides and no side shorter than half the other, as far as the picture goes."""
    longer = max(box.width, box.height)
    room = margin * longer
    wide = max(box.width + 2 * room, longer / 2)
    high = max(box.height + 2 * room, longer / 2)
    x, y = (box.left + box.right) / 2, (box.top + box.bottom) / 2
    return Box(
        max(0, round(x - wide / 2)), max(0, round(y - high / 2)),
        min(width, round(x + wide / 2)), min(height, round(y + high / 2)),
    )  # fmt: skip


def squares(box: Box) -> list[Box]:
    """Squares along a long box that cover it, overlapping by a third or more; none for one that is not long."""
    short, long = sorted((box.width, box.height))
    if long < LONG * short:
        return []
    count = int(np.ceil((long - short) / (short * 2 / 3))) + 1
    starts = [round((long - short) * i / (count - 1)) for i in range(count)]
    if box.width > box.height:
        return [Box(box.left + s, box.top, box.left + s + short, box.bottom) for s in starts]
    return [Box(box.left, box.top + s, box.right, box.top + s + short) for s in starts]


def crop(frame: Frame, box: Box, mirrored: bool) -> Frame:
    """A part of an RGB frame, enlarged if it is small."""
    step = -1 if mirrored else 1
    parts = [np.ascontiguousarray(p[box.top : box.bottom, box.left : box.right][:, ::step]) for p in frame.planes]
    if min(box.width, box.height) < LEAST_PX:
        rows = resampling(box.height, max(box.height, LEAST_PX))
        columns = resampling(box.width, max(box.width, LEAST_PX))
        parts = [np.rint(rows @ part.astype(np.float32) @ columns.T).astype(np.uint8) for part in parts]
    planes: Planes = (parts[0], parts[1], parts[2])
    return Frame(planes, PixelFormat.RGB)


def quarters(width: int, height: int, part: float = 0.62) -> list[Box]:
    """Four overlapping corners of a picture, to look for people who are too small in the whole."""
    wide, high = max(1, round(width * part)), max(1, round(height * part))
    return [Box(x, y, x + wide, y + high) for y in (0, height - high) for x in (0, width - wide)]


def back(alpha: F32, box: Box, mirrored: bool) -> F32:
    """A teacher's alpha of a view, in the view's own pixels (h, w)."""
    if mirrored:
        alpha = alpha[:, ::-1]
    stretched: F32 = resampling(alpha.shape[0], box.height) @ alpha @ resampling(alpha.shape[1], box.width).T
    return stretched


def importance(box: Box, width: int, height: int) -> F32:
    """How much each pixel of a view counts: 1, falling to a little at edges inside the picture."""

    def ramp(start: int, end: int, whole: int) -> F32:
        length = end - start
        edge = max(1.0, FEATHER * length)
        at = np.arange(length) + 0.5
        value = np.ones(length)
        if start > 0:
            value = np.minimum(value, at / edge)
        if end < whole:
            value = np.minimum(value, (length - at) / edge)
        return np.maximum(value, 1e-3).astype(np.float32)

    rows, columns = ramp(box.top, box.bottom, height), ramp(box.left, box.right, width)
    result: F32 = rows[:, None] * columns[None]
    return result


@functools.lru_cache(maxsize=128)
def resampling(source: int, target: int) -> F32:
    """Matrix (target, source) of a triangle filter: linear where it enlarges, averaging where it reduces."""
    scale = source / target
    at = (np.arange(target) + 0.5) * scale - 0.5
    distance = np.abs(at[:, None] - np.arange(source)[None]) / max(scale, 1.0)
    weights = np.maximum(0.0, 1.0 - distance)
    weights /= weights.sum(axis=1, keepdims=True)
    matrix: F32 = weights.astype(np.float32)
    matrix.flags.writeable = False  # shared by all who ask again
    return matrix
