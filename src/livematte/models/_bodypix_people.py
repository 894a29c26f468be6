"""Which person a pixel belongs to: it votes for where that person's face and shoulders are.

In every cell the long offsets point to the key points of the person the cell is part of. A pixel follows them, looks
again from where it got to, and so on; the person whose key points are nearest to where it ends has it.

Source: Papandreou et al. 2018, "PersonLab", section 3.3 (instance segmentation); the numbers, and that a vote which
leaves the grid above or below counts for nobody, are TensorFlow.js models', body-pix 2.2, decode_multiple_masks_cpu.ts.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from livematte._frame import F32
from livematte.models._bodypix_poses import NAMES, Pose
from livematte.models._bodypix_resize import Fit

F64 = npt.NDArray[np.float64]
Labels = npt.NDArray[np.int8]

VOTES = 5
"""Key points that are compared: nose, eyes and ears, the first of the heatmaps."""

LEAST_KEYPOINT_SCORE = 0.3
"""Of key points of a person that are compared."""

PIXELS_AT_ONCE = 1 << 16
"""Bounds the memory of the votes to some megabytes, and keeps them in the cache."""


def assign(
    mask: npt.NDArray[np.bool_], offsets: F32, poses: Sequence[Pose], fit: Fit, stride: int, steps: int
) -> Labels:
    """The person each pixel belongs to.

    Args:
        mask: (h, w) of the frame, where anybody is.
        offsets: (gh, gw, 34), from a cell to each key point of its person, first all y, then all x, in pixels.
        poses: at most 127 people, with points in pixels of the frame.
        fit: of the frame in the network's picture.
        stride: pixels of that from one cell to the next.
        steps: how often a vote looks again.

    Returns:
        int8 (h, w): index among `poses`, or -1 for nobody.
    """
    labels: Labels = np.full(mask.shape, -1, np.int8)
    rows, columns = np.nonzero(mask)
    if not poses:
        return labels
    for at in range(0, len(rows), PIXELS_AT_ONCE):
        some = slice(at, at + PIXELS_AT_ONCE)
        labels[rows[some], columns[some]] = _nearest(rows[some], columns[some], offsets, poses, fit, stride, steps)
    return labels


def _nearest(
    rows: npt.NDArray[np.intp],
    columns: npt.NDArray[np.intp],
    offsets: F32,
    poses: Sequence[Pose],
    fit: Fit,
    stride: int,
    steps: int,
) -> Labels:
    """The nearest person by the mean squared distance of the votes (n, VOTES) from their key points."""
    y, x = (np.repeat(at[:, None].astype(np.float64), VOTES, axis=1) for at in (rows, columns))
    flat = offsets.reshape(-1, offsets.shape[2]).astype(np.float64)
    (down, across), votes = fit.scale, np.arange(VOTES)
    for step in range(steps + 1):
        if step:
            np.minimum(y, fit.frame.height - 1, out=y)
            np.minimum(x, fit.frame.width - 1, out=x)
        row = np.floor(((fit.top + y + 1) * down - 1) / stride + 0.5)
        column = np.floor(((fit.left + x + 1) * across - 1) / stride + 0.5)
        cell = row * offsets.shape[1] + column
        lost = ~((cell >= 0) & (cell < len(flat)))  # those that were lost before are not numbers
        cell = np.where(lost, 0, cell).astype(np.intp)
        y += flat[cell, votes]
        x += flat[cell, len(NAMES) + votes]
        y[lost] = x[lost] = np.nan
    distances = np.stack([_distance(x, y, pose) for pose in poses], axis=1)  # (n, people)
    distances[np.isnan(distances)] = np.inf
    nearest: Labels = np.argmin(distances, axis=1).astype(np.int8)
    nearest[np.isinf(distances.min(axis=1))] = -1
    return nearest


def _distance(x: F64, y: F64, pose: Pose) -> F64:
    """Mean squared distance of votes from the sure key points of a person; infinite if none is sure."""
    sure = np.flatnonzero(pose.scores[:VOTES] > LEAST_KEYPOINT_SCORE)
    if not len(sure):
        return np.full(len(x), np.inf)
    squares = np.square(x[:, sure] - pose.points[sure, 0]) + np.square(y[:, sure] - pose.points[sure, 1])
    mean: F64 = squares.mean(axis=1)
    return mean
