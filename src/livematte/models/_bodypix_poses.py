"""Poses from BodyPix's maps: which of the key points that were found belong to one person.

The surest key point that nobody has is the root of a new person; the others are found from it along the edges of a
tree, by the displacement from a joint to the next and the short offset from a cell to the key point in it. A root near
the same key point of a person already found is that person again.

Source: Papandreou et al. 2018, "PersonLab", sections 3.1 and 3.2 (fast greedy decoding); the order of parts and edges
is that of TensorFlow.js models, body-pix 2.2, keypoints.ts.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from livematte._frame import F32

F64 = npt.NDArray[np.float64]

NAMES = (
    "nose", "leftEye", "rightEye", "leftEar", "rightEar", "leftShoulder", "rightShoulder", "leftElbow", "rightElbow",
    "leftWrist", "rightWrist", "leftHip", "rightHip", "leftKnee", "rightKnee", "leftAnkle", "rightAnkle",
)  # fmt: skip
"""Key points in the order of the heatmaps; left is the person's left."""

EDGES = (
    (0, 1), (1, 3), (0, 2), (2, 4), (0, 5), (5, 7), (7, 9), (5, 11), (11, 13), (13, 15), (0, 6), (6, 8), (8, 10),
    (6, 12), (12, 14), (14, 16),
)  # fmt: skip
"""From a joint to the next, in the order of the displacements."""

REFINEMENTS = 2
"""How often the offset of the cell a key point falls into corrects it."""


class Maps(NamedTuple):
    """What the network says of key points, on its grid.

    Args:
        scores: (gh, gw, 17), 0-1.
        offsets: (gh, gw, 34), from a cell to the key point, first all y, then all x, in pixels of its picture.
        forward: (gh, gw, 32), from the first joint of each edge to the second, likewise.
        backward: (gh, gw, 32), from the second to the first.
        stride: pixels from one cell to the next.
    """

    scores: F32
    offsets: F32
    forward: F32
    backward: F32
    stride: int


class Pose(NamedTuple):
    """Key points of one person.

    Args:
        score: mean score of the key points that no surer person has, 0-1.
        points: (17, 2) float64, x and y in pixels.
        scores: (17,), 0-1.
    """

    score: float
    points: F64
    scores: F64


def decode(maps: Maps, *, most: int, least_score: float, radius_px: float) -> list[Pose]:
    """The people of a picture, surest root first, with points in pixels of the network's picture.

    Args:
        most: number of people after which the search ends.
        least_score: of a key point that may be a root, 0-1.
        radius_px: within which two key points of one name are the same one.
    """
    poses: list[Pose] = []
    for row, column, part in _roots(maps.scores, least_score):
        if len(poses) == most:
            break
        root = np.array([column, row]) * maps.stride + _vector(maps.offsets, row, column, part)
        if any(_near(pose.points[part], root, radius_px) for pose in poses):
            continue
        points, scores = _follow(maps, part, root, float(maps.scores[row, column, part]))
        claimed = np.zeros(len(NAMES), bool)
        for pose in poses:
            claimed |= _near(pose.points, points, radius_px)
        poses.append(Pose(float(scores[~claimed].sum() / len(NAMES)), points, scores))
    return poses


def _roots(scores: F32, least: float) -> npt.NDArray[np.intp]:
    """Row, column and part of every cell that is as sure as its eight neighbours, surest first."""
    padded = np.pad(scores, ((1, 1), (1, 1), (0, 0)), constant_values=-np.inf)
    height, width, _ = scores.shape
    highest = np.max([padded[y : y + height, x : x + width] for y in range(3) for x in range(3)], axis=0)
    found = np.argwhere((scores >= least) & (scores >= highest))
    values = scores[tuple(found.T)]
    return found[np.argsort(-values, kind="stable")]


def _follow(maps: Maps, part: int, root: F64, score: float) -> tuple[F64, F64]:
    """All key points of a person from one of them: up the tree to the nose, and down from there."""
    points, scores = np.zeros((len(NAMES), 2)), np.zeros(len(NAMES))
    points[part], scores[part] = root, score
    known = {part}
    steps = [(edge, child, parent, maps.backward) for edge, (parent, child) in reversed(list(enumerate(EDGES)))]
    steps += [(edge, parent, child, maps.forward) for edge, (parent, child) in enumerate(EDGES)]
    for edge, source, target, displacements in steps:
        if source not in known or target in known:
            continue
        known.add(target)
        row, column = _cell(maps, points[source])
        point = points[source] + _vector(displacements, row, column, edge)
        for _ in range(REFINEMENTS):
            row, column = _cell(maps, point)
            point = np.array([column, row]) * maps.stride + _vector(maps.offsets, row, column, target)
        row, column = _cell(maps, point)
        points[target], scores[target] = point, maps.scores[row, column, target]
    return points, scores


def _cell(maps: Maps, point: F64) -> tuple[int, int]:
    """Row and column of the cell a point falls into."""
    height, width, _ = maps.scores.shape
    column, row = np.floor(point / maps.stride + 0.5).astype(int)
    return min(max(row, 0), height - 1), min(max(column, 0), width - 1)


def _vector(field: F32, row: int, column: int, index: int) -> F64:
    """One of the vectors in a cell: x and y."""
    half = field.shape[2] // 2
    return np.array([field[row, column, half + index], field[row, column, index]], np.float64)


def _near(a: F64, b: F64, radius_px: float) -> npt.NDArray[np.bool_]:
    """Whether points are the same one."""
    near: npt.NDArray[np.bool_] = np.sum(np.square(a - b), axis=-1) <= radius_px * radius_px
    return near
