"""BodyPix on maps whose answer is known: a scene, and people with all their key points."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from livematte._frame import F32, Size
from livematte.models._bodypix_found import OUTPUTS, Found
from livematte.models._bodypix_poses import EDGES, NAMES, Maps
from livematte.models._bodypix_resize import (
    fit,
)

spec = importlib.util.spec_from_file_location("bodypix_graphs", Path(__file__).parents[1] / "bodypix_graphs.py")
assert spec is not None
assert spec.loader is not None
graphs = importlib.util.module_from_spec(spec)
spec.loader.exec_module(graphs)

STRIDE = 16
FRAME, INNER, STAGE = Size(203, 117), Size(193, 113), Size(321, 241)
SURE, UNSURE = 8.0, -8.0
"""Logits."""


def scene(**more: F32) -> tuple[Found, dict[str, F32]]:
    """Noise for every map of a picture."""
    random = np.random.default_rng(5)
    grid = ((INNER.height - 1) // STRIDE + 1, (INNER.width - 1) // STRIDE + 1)
    maps = {name: random.normal(0, 2, (*grid, n)).astype(np.float32) for name, n in OUTPUTS.items()} | more
    return Found("bodypix:test", maps, fit(FRAME, INNER), STRIDE, 0.7), maps


FIGURE = np.array(
    [
        (0, 0), (4, -4), (-4, -4), (9, -2), (-9, -2), (20, 20), (-20, 20), (26, 45), (-26, 45), (28, 68), (-28, 68),
        (13, 70), (-13, 70), (14, 105), (-14, 105), (14, 140), (-14, 140),
    ],
    np.float64,
)  # fmt: skip
"""Key points of somebody who stands, x and y from the nose, in pixels."""


def maps_of(noses: list[tuple[float, float]], size: Size = STAGE) -> tuple[Maps, F32, list[npt.NDArray[Any]]]:
    """Maps of figures whose noses are given, the long offsets to them, and their key points."""
    grid = ((size.height - 1) // STRIDE + 1, (size.width - 1) // STRIDE + 1)
    people = [FIGURE + nose for nose in noses]
    scores = np.zeros((*grid, len(NAMES)), np.float32)
    cells = np.stack(np.mgrid[0 : grid[0], 0 : grid[1]][::-1], axis=-1) * float(STRIDE)  # (gh, gw, 2), x and y
    middles = np.stack([person.mean(axis=0) for person in people])
    nearest = np.square(cells[:, :, None] - middles).sum(axis=3).argmin(axis=2)
    whose = np.stack(people)[nearest]  # (gh, gw, 17, 2)

    def field(vectors: npt.NDArray[Any]) -> F32:
        return np.concatenate([vectors[..., 1], vectors[..., 0]], axis=2).astype(np.float32)

    to_points = field(whose - cells[:, :, None])
    heads, tails = (np.array(side) for side in zip(*EDGES, strict=True))
    edges = whose[:, :, tails] - whose[:, :, heads]
    for n, person in enumerate(people):
        for part, point in enumerate(person):
            column, row = np.clip(np.floor(point / STRIDE + 0.5), 0, (grid[1] - 1, grid[0] - 1)).astype(int)
            scores[row, column, part] = 0.9 - 0.1 * n
    return Maps(scores, to_points, field(edges), field(-edges), STRIDE), to_points, people
