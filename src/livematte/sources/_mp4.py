"""How a track of an MP4 or MOV file is turned and mirrored.

FFmpeg tells the angle alone through PyAV, and a mirrored picture is then upside down.
The matrix lies in the track's header (ISO 14496-12, 8.3.2).
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

_TURNS = {
    (1, 0, 0, 1): 1,
    (-1, 0, 0, 1): 2,
    (-1, 0, 0, -1): 3,
    (1, 0, 0, -1): 4,
    (0, 1, 1, 0): 5,
    (0, 1, -1, 0): 6,
    (0, -1, -1, 0): 7,
    (0, -1, 1, 0): 8,
}
"""Signs of the matrix's a, b, c, d to the orientation numbers of EXIF."""

_TRACK_ID_AT = (12, 20)
_MATRIX_AT = (40, 52)
"""Where they begin in a track header of version 0 and 1."""


def track_orientation(path: str | Path, track: int) -> int | None:
    """EXIF orientation (1-8) of a track; None if the file is no MP4, or turns it by another angle.

    Args:
        path: the file.
        track: its number, which FFmpeg gives as the stream's id.
    """
    try:
        with Path(path).open("rb") as file:
            for name, start, size in _boxes(file, 0, Path(path).stat().st_size):
                if name == b"moov":
                    return _in_movie(file, start, size, track)
    except (OSError, struct.error):  # whoever decodes it will complain
        pass
    return None


def _in_movie(file: BinaryIO, start: int, size: int, track: int) -> int | None:
    for name, at, length in _boxes(file, start, start + size):
        if name != b"trak":
            continue
        for inner, header_at, header_size in _boxes(file, at, at + length):
            if inner != b"tkhd":
                continue
            file.seek(header_at)
            header = file.read(header_size)
            version = 1 if header[:1] == b"\1" else 0
            if struct.unpack_from(">I", header, _TRACK_ID_AT[version])[0] == track:
                a, b, _, c, d = struct.unpack_from(">5i", header, _MATRIX_AT[version])
                return _TURNS.get((_sign(a), _sign(b), _sign(c), _sign(d)))
    return None


def _sign(value: int) -> int:
    """Of a 16.16 number, where what is below a hundredth is 0."""
    return 0 if abs(value) < 656 else (1 if value > 0 else -1)


def _boxes(file: BinaryIO, start: int, end: int) -> Iterator[tuple[bytes, int, int]]:
    """Name, start and size of the contents of the boxes between two places."""
    while start + 8 <= end:
        file.seek(start)
        size, name, large = struct.unpack(">I4sQ", file.read(16).ljust(16, b"\0"))
        head = 16 if size == 1 else 8
        size = large if size == 1 else size or end - start
        if size < head:
            return
        yield name, start + head, size - head
        start += size
