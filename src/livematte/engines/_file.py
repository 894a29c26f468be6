"""Files of graphs are foreign data: how much of one is read, how large its tensors may be, how ours are written."""

from __future__ import annotations

import math
import os
import tempfile
from collections.abc import Sequence
from pathlib import Path

from livematte._errors import LoadError

MAX_FILE_BYTES = 1 << 30
"""Largest file that is read: the largest published network of the field has 180 MB."""

MAX_RANK = 8
"""Axes of a tensor; pictures have 4."""

MAX_ELEMENTS = 1 << 26
"""Numbers in one tensor, 256 MB of float32: a picture of 4096 x 4096 pixels has 50 million."""

MAX_NODES = 100_000
"""Operators of a graph; the largest network here has 2,000."""


def read(path: Path) -> bytes:
    """The content of a graph's file.

    Raises:
        LoadError: it cannot be read, or is larger than any network.
    """
    try:
        size_bytes = path.stat().st_size
        if size_bytes > MAX_FILE_BYTES:
            raise LoadError(f"{path} has {size_bytes} bytes, more than the {MAX_FILE_BYTES} that are read: no network")
        with path.open("rb") as file:
            return file.read(MAX_FILE_BYTES)
    except OSError as exc:
        raise LoadError(f"cannot read {path}: {exc.strerror or exc}") from exc


def elements(shape: Sequence[int], what: str) -> int:
    """How many numbers a tensor has; an axis of -1 or 0 is open and counts as 1.

    Raises:
        LoadError: more than `MAX_ELEMENTS`, more axes than `MAX_RANK`, or a negative size.
    """
    if len(shape) > MAX_RANK or any(n < -1 for n in shape):
        raise LoadError(f"{what} has the shape {list(shape)[: MAX_RANK + 1]}, which no tensor has: the file is damaged")
    count = math.prod(max(n, 1) for n in shape)
    if count > MAX_ELEMENTS:
        raise LoadError(f"{what} has the shape {list(shape)}, more than {MAX_ELEMENTS} numbers: refused")
    return count


def write_atomically(path: Path, data: bytes) -> None:
    """Write a file that nobody ever sees half of.

    Raises:
        OSError: it cannot be written; nothing is left behind.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, part = tempfile.mkstemp(dir=path.parent, prefix=path.name, suffix=".part")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
        Path(part).replace(path)
    except OSError:
        Path(part).unlink()
        raise
