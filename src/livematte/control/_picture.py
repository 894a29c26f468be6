"""Pictures from outside: known by their first bytes, bounded before they are decoded."""

from __future__ import annotations

import numpy as np

from livematte._errors import OpenError
from livematte._frame import U8, ColorMatrix, ColorRange, Frame, PixelFormat, Size


def is_picture(head: bytes) -> bool:
    """Whether a file begins as PNG, JPEG or WebP does. Other formats may be lists of further files, which FFmpeg
    would open."""
    return head.startswith((b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff")) or (head[:4] == b"RIFF" and head[8:12] == b"WEBP")


def read(data: bytes, most_pixels: int, longest_px: int) -> U8:
    """A picture as RGB.

    Args:
        data: of the file.
        most_pixels: a larger one is refused before memory is taken for it.
        longest_px: its longer side is scaled down to this.

    Returns:
        uint8 (h, w, 3).

    Raises:
        OpenError: not such a picture, or too large a one.
    """
    from livematte._av import fit
    from livematte.sources._still import decode_image

    if not is_picture(data[:12]):
        raise OpenError("what was sent is no PNG, JPEG or WebP picture")
    frame: Frame = decode_image(data, "what was sent", most_pixels)
    width, height = frame.size
    scale = longest_px / max(width, height)
    if scale < 1:
        size = Size(max(1, round(width * scale)), max(1, round(height * scale)))
        frame = fit(frame, size, PixelFormat.RGB, ColorMatrix.BT709, ColorRange.FULL)
    return np.ascontiguousarray(frame.to_rgb())
