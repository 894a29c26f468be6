"""Names of files that are one name on a system that knows no capitals, or no two spellings of an accent."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Iterable
from typing import TypeVar

Named = TypeVar("Named")


def alike(items: Iterable[Named], name: Callable[[Named], str]) -> tuple[Named, Named] | None:
    """The first two that would share a name: macOS and Windows take `A.png` and `a.png` for one file.

    Args:
        items: whose names are to differ.
        name: that an item would have.

    Returns:
        The earlier and the later one; None if all names differ.
    """
    seen: dict[str, Named] = {}
    for item in items:
        key = unicodedata.normalize("NFC", unicodedata.normalize("NFC", name(item)).casefold())
        if key in seen:
            return seen[key], item
        seen[key] = item
    return None
