"""A picture and its planes as files, and the planes put together."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from livematte._errors import SourceError
from livematte._frame import U8, Frame

SURE = 255
"""Weight of a pixel whose alpha is known."""


@dataclass(frozen=True, slots=True)
class Picture:
    """Files of one picture; no mask means that nobody is in it."""

    image: Path
    mask: Path | None = None
    weight: Path | None = None

    @property
    def files(self) -> tuple[Path, ...]:
        return tuple(path for path in (self.image, self.mask, self.weight) if path is not None)

    def read(self) -> U8:
        from livematte.sources._still import read_image

        frame = read_image(self.image)
        alpha, weight = (
            None if path is None else same_size(path, read_image(path).planes[1], frame)
            for path in (self.mask, self.weight)
        )
        return planes(frame, alpha, weight)


def same_size(path: Path, plane: U8, frame: Frame) -> U8:
    """`plane`, if it is as large as the picture.

    Args:
        path: where it comes from.
        plane: (h, w).
        frame: the picture.

    Raises:
        SourceError: it is not.
    """
    if plane.shape != frame.planes[0].shape:
        raise SourceError(f"{path} is {plane.shape[1]}x{plane.shape[0]}, its picture {frame.size}: they must be alike")
    return plane


def planes(frame: Frame, alpha: U8 | None, weight: U8 | None) -> U8:
    """Red, green, blue, alpha and weight, (5, h, w); without alpha nobody is there, without weight all is sure."""
    red = frame.planes[0]
    nobody, sure = np.zeros_like(red), np.full_like(red, SURE)
    return np.stack([*frame.planes, nobody if alpha is None else alpha, sure if weight is None else weight])
