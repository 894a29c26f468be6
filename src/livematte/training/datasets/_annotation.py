"""Annotations in JSON, and the shapes they describe."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from livematte._errors import SourceError

Mask = npt.NDArray[np.bool_]

HAIR = 1e-4
"""Pixels, a distance that is nothing: a closed polygon is looked at from both sides of each line."""


def read_json(path: Path) -> Any:
    """What a JSON file holds.

    Raises:
        SourceError: it is missing, or no JSON.
    """
    try:
        return json.loads(path.read_bytes())
    except OSError as exc:
        raise SourceError(f"cannot read the annotations {path}: {exc.strerror}") from exc
    except ValueError as exc:  # JSONDecodeError and UnicodeDecodeError
        raise SourceError(f"{path} is broken, its JSON ends or errs: {exc}") from exc


def polygon(points: Sequence[Sequence[float]] | npt.NDArray[np.float64], shape: tuple[int, int]) -> Mask:
    """The pixels whose centres lie in a polygon; where it crosses itself, those inside an odd number of times.

    Args:
        points: corners (n, 2), x and y, pixel 0 from 0 to 1.
        shape: (h, w) of the mask.

    Raises:
        ValueError: fewer than 3 corners, or no numbers.
    """
    corners = np.asarray(points, np.float64)
    if corners.ndim != 2 or corners.shape[1] != 2 or len(corners) < 3 or not np.isfinite(corners).all():
        raise ValueError(f"a polygon has 3 or more corners of x and y, got {points!r:.80}")
    height, width = shape
    crossings = np.zeros((height, width + 1), np.int32)
    ends = np.roll(corners, -1, axis=0)
    for (x0, y0), (x1, y1) in zip(corners, ends, strict=True):
        first, last = sorted((y0, y1))
        rows = np.arange(max(0, int(np.ceil(first - 0.5))), min(height, int(np.ceil(last - 0.5))))
        if len(rows):
            x = x0 + (rows + 0.5 - y0) * (x1 - x0) / (y1 - y0)
            crossings[rows, np.clip(np.ceil(x - 0.5), 0, width).astype(np.int64)] += 1
    inside: Mask = crossings[:, :width].cumsum(axis=1) % 2 == 1
    return inside


def closed_polygon(points: Sequence[Sequence[float]], shape: tuple[int, int]) -> Mask:
    """A polygon whose corners are pixels, with the pixels of its outline.

    Args:
        points: corners (n, 2), column and row.
        shape: (h, w) of the mask.

    Raises:
        ValueError: as `polygon`.
    """
    centres = np.asarray(points, np.float64) + 0.5
    steps = [(dx, dy) for dx in (-HAIR, HAIR) for dy in (-HAIR, HAIR)]
    inside: Mask = np.any([polygon(centres + step, shape) for step in steps], axis=0)
    return inside
