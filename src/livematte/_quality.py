"""How good the mattes of our models were found to be: `quality.json`, which `python bench/quality.py` measures.

Figures belong to weights: those of other weights than were measured are not given.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from livematte.models._spec import ModelSpec

FORMAT = 1
"""Of the file."""

FILE = Path(__file__).with_name("quality.json")


@dataclass(frozen=True, slots=True)
class Quality:
    """What a model was measured to do, as users get it.

    Args:
        iou: mean over pictures of people, 0-1.
        boundary_f: the same of their outlines, 0-1.
        mad: mean absolute difference of alpha x1000; lower is better.
        flicker: how much alpha changes x1000 where a clip of people stands still; lower is better, None where
            it was not measured.
        familiar: why its figures may flatter it: what it was trained on is like what it was measured on.
    """

    iou: float
    boundary_f: float
    mad: float
    flicker: float | None = None
    familiar: str = ""


def published(spec: ModelSpec) -> Quality | None:
    """The figures of these weights; None where there are none."""
    row = facts()["models"].get(spec.name)
    if row is None or row["weights"] != fingerprint(spec):
        return None
    return Quality(**{name: value for name, value in row.items() if name != "weights"})


def facts() -> dict[str, Any]:
    """The whole file: `models`, `browser`, and where and when the figures were measured."""
    found: dict[str, Any] = json.loads(FILE.read_text(encoding="utf-8"))
    return found


def fingerprint(spec: ModelSpec) -> str:
    """Which weights were measured: the beginning of their checksum, empty where none is published."""
    return (spec.files[0].sha256 or "")[:16]
