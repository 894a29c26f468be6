"""Zones as users write them: polygons in parts of the picture."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

from livematte._errors import OptionError

Zone = tuple[tuple[float, float], ...]
"""Corners (x, y) of a polygon in parts of the upright picture, (0, 0) top left, (1, 1) bottom right."""

FEWEST_POINTS, MOST_POINTS, MOST_ZONES = 3, 64, 16
"""Points of a zone, and zones: as many as somebody draws, and few enough for every frame's size."""


def check_zones(zones: Any) -> tuple[Zone, ...]:
    """Zones as tuples of pairs of floats.

    Raises:
        OptionError: not polygons of 3 to 64 points in 0-1, or more than 16.
    """
    if isinstance(zones, str) or not isinstance(zones, Iterable):
        raise OptionError(f"zones must be polygons, each a list of points (x, y), got {zones!r}")
    polygons = tuple(_polygon(zone, f"zone {number}") for number, zone in enumerate(zones, 1))
    if len(polygons) > MOST_ZONES:
        raise OptionError(f"there may be at most {MOST_ZONES} zones, got {len(polygons)}")
    return polygons


def parse(text: str) -> Zone:
    """A zone from "x,y x,y x,y".

    Raises:
        OptionError: not numbers in pairs, or no such polygon.
    """
    try:
        points = [tuple(float(number) for number in pair.split(",")) for pair in text.split()]
    except ValueError:
        points = []
    if not points or any(len(point) != 2 for point in points):
        raise OptionError(f'a zone is "x,y x,y x,y" in parts of the picture from 0 to 1, got {text!r}')
    return _polygon(points, f"zone {text!r}")


def _polygon(zone: Any, what: str) -> Zone:
    try:
        points = tuple((float(x), float(y)) for x, y in zone)
    except (TypeError, ValueError, OverflowError):
        raise OptionError(f"{what} must be points (x, y) of two numbers, got {zone!r}") from None
    if not FEWEST_POINTS <= len(points) <= MOST_POINTS:
        raise OptionError(f"{what} must have {FEWEST_POINTS} to {MOST_POINTS} points, got {len(points)}")
    for x, y in points:
        if not (math.isfinite(x) and math.isfinite(y) and 0 <= x <= 1 and 0 <= y <= 1):
            raise OptionError(f"{what} must lie in the picture, x and y from 0 to 1, got the point {x:g},{y:g}")
    return points
