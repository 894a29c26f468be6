"""Networks that can be chosen: those whose weights are on this machine."""

from __future__ import annotations

from typing import Any

from livematte import _registry, _weights
from livematte._errors import LivematteError


def here() -> list[dict[str, Any]]:
    """Name and what it is, of every network that can be loaded."""
    found = []
    for family in _registry.names("models"):
        try:
            specs = getattr(_registry.load("models", family), "SPECS", {})
        except LivematteError:  # a family whose extra is missing
            continue
        found += [
            {"name": spec.name, "summary": spec.summary}
            for spec in specs.values()
            if any(_weights.place(file).is_file() for file in spec.files)
        ]
    return found
