"""Is a file all there? Its own boxes say how long it must be.

FFmpeg reads a cut-off file to the cut and calls it the end. The top-level structure of
the common containers holds sizes, and a size that points past the end is proof.
Layouts: ISO 14496-12 (MP4, MOV), RFC 8794 and 9559 (Matroska, WebM), RIFF (AVI).
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import BinaryIO

_EBML = b"\x1a\x45\xdf\xa3"
_SEGMENT = b"\x18\x53\x80\x67"
_BOXES = {b"ftyp", b"moov", b"mdat", b"free", b"skip", b"wide", b"moof", b"styp", b"sidx", b"uuid", b"pnot", b"udta"}


def missing_bytes(path: str | Path) -> int:
    """How many bytes a media file lacks by its own account; 0 if none, or if it has none.

    Raises:
        OSError: the file cannot be read.
    """
    total = Path(path).stat().st_size
    with Path(path).open("rb") as file:
        head = file.read(12)
        if head[:4] == _EBML:
            end = _matroska_end(file)
        elif head[4:8] in _BOXES:
            end = _mp4_end(file, total)
        elif head[:4] == b"RIFF" and head[8:12] == b"AVI ":
            end = 8 + int.from_bytes(head[4:8], "little")
        else:
            end = 0
    return max(0, end - total)


def _mp4_end(file: BinaryIO, total: int) -> int:
    at = 0
    while at + 8 <= total:
        file.seek(at)
        head = file.read(16)
        size = int.from_bytes(head[:4], "big")
        if head[4:8] not in _BOXES:  # what follows the last known box proves nothing
            return 0
        if size == 1:
            size = int.from_bytes(head[8:16], "big")
        if size < 8:  # 0: to the end of the file, whatever that is
            return 0
        at += size
    return at


def _matroska_end(file: BinaryIO) -> int:
    file.seek(4)
    size = _vint(file)
    if size is None:
        return 0
    file.seek(size, os.SEEK_CUR)
    if file.read(4) != _SEGMENT:
        return 0
    size = _vint(file)
    return 0 if size is None else file.tell() + size


def _vint(file: BinaryIO) -> int | None:
    """An EBML size; None where it is unknown, as in live recordings, or broken."""
    first = file.read(1)
    if not first or not first[0]:
        return None
    length = 9 - first[0].bit_length()
    value = int.from_bytes(bytes([first[0] & (0xFF >> length)]) + file.read(length - 1), "big")
    return None if value == (1 << (7 * length)) - 1 else value
