"""Pictures from outside: known by their first bytes, bounded before they are decoded."""

from __future__ import annotations

import numpy as np

from livematte._errors import OpenError
from livematte._frame import U8, ColorMatrix, ColorRange, Frame, PixelFormat, Size

MAGIC = {b"\x89PNG\r\n\x1a\n": "png_pipe", b"\xff\xd8\xff": "jpeg_pipe"}
"""How a PNG and a JPEG begin; what WebP begins with has a length in it."""


def demuxer(head: bytes) -> str | None:
    """FFmpeg's reader for a file that begins as PNG, JPEG or WebP does, and for no other. Left to itself FFmpeg looks
    further than that, and finds films, or lists of further files, which it would open."""
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return "webp_pipe"
    return next((name for magic, name in MAGIC.items() if head.startswith(magic)), None)


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

    format = demuxer(data[:12])
    if format is None:
        raise OpenError("what was sent is no PNG, JPEG or WebP picture")
    frame: Frame = decode_image(data, "what was sent", most_pixels, format)
    width, height = frame.size
    scale = longest_px / max(width, height)
    if scale < 1:
        size = Size(max(1, round(width * scale)), max(1, round(height * scale)))
        frame = fit(frame, size, PixelFormat.RGB, ColorMatrix.BT709, ColorRange.FULL)
    return np.ascontiguousarray(frame.to_rgb())
