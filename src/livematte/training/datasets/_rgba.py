"""Images with an alpha channel, straight, not composed over anything."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np

from livematte._errors import OpenError
from livematte._frame import U8

OPAQUE = 255
"""Alpha of a pixel that hides what is behind it; that of all pixels where an image has no alpha."""


def read_rgba(path: Path) -> U8:
    """An image file as uint8 (h, w, 4).

    Raises:
        OpenError: missing, unreadable, or not an image.
    """
    try:
        data = path.read_bytes()
    except OSError as exc:
        raise OpenError(f"cannot read the image {path}: {exc.strerror}") from exc
    return decode(data, path)


def decode(data: bytes, where: Path) -> U8:
    """The same from the bytes of an image; `where` they come from is said in errors."""
    import av
    from av.error import FFmpegError

    try:
        opened: Any = av.open(io.BytesIO(data))
        with opened as container:
            rgba = next(container.decode(video=0)).to_ndarray(format="rgba")
    except (FFmpegError, StopIteration, IndexError) as exc:
        raise OpenError(f"{where} holds no image FFmpeg can read: {exc}") from exc
    return np.asarray(rgba, np.uint8)
