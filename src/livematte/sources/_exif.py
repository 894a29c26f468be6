"""EXIF orientation of JPEG, PNG and WebP files.

FFmpeg tells the rotation but, through PyAV, not the mirroring, and older builds tell
nothing; the tag is a few bytes away. Layouts: CIPA DC-008 (EXIF), ISO 10918-1 (JPEG),
W3C PNG 3 (eXIf), RFC 9649 (WebP).
"""

from __future__ import annotations

import struct

_ORIENTATION_TAG = 0x0112
_PREFIX = b"Exif\0\0"


def exif_orientation(data: bytes) -> int | None:
    """Orientation 1-8 from the bytes of an image file; None where it has none."""
    block = _block(data).removeprefix(_PREFIX)
    if block[:4] not in (b"II*\0", b"MM\0*"):
        return None
    order = "<" if block[:2] == b"II" else ">"
    try:
        (start,) = struct.unpack_from(order + "I", block, 4)
        (count,) = struct.unpack_from(order + "H", block, start)
        for index in range(count):
            tag, _, _, value = struct.unpack_from(order + "HHIH", block, start + 2 + 12 * index)
            if tag == _ORIENTATION_TAG:
                return value if 1 <= value <= 8 else None
    except struct.error:  # cut off or nonsense: as good as none
        pass
    return None


def _block(data: bytes) -> bytes:
    if data[:2] == b"\xff\xd8":
        return _jpeg(data)
    if data[:8] == b"\x89PNG\r\n\x1a\n":
        return _chunk(data, 8, b"eXIf", ">I4s", size_first=True)
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return _chunk(data, 12, b"EXIF", "<4sI", size_first=False)
    return b""


def _jpeg(data: bytes) -> bytes:
    at = 2
    while data[at : at + 1] == b"\xff" and len(data) >= at + 4:
        marker = data[at + 1]
        size = int.from_bytes(data[at + 2 : at + 4], "big")
        body = data[at + 4 : at + 2 + size]
        if marker == 0xE1 and body.startswith(_PREFIX):
            return body
        if marker == 0xDA or size < 2:  # the picture begins, or this is no JPEG
            return b""
        at += 2 + size
    return b""


def _chunk(data: bytes, at: int, name: bytes, layout: str, *, size_first: bool) -> bytes:
    tail = 4 if size_first else 0  # PNG chunks end with a CRC; RIFF chunks are even
    while len(data) >= at + 8:
        head = struct.unpack_from(layout, data, at)
        size, kind = (head[0], head[1]) if size_first else (head[1], head[0])
        if kind == name:
            return data[at + 8 : at + 8 + size]
        at += 8 + size + tail + (0 if size_first else size & 1)
    return b""
