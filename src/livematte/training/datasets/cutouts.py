"""People cut out: a folder of PNGs with an alpha channel, which is the matte.

What stood behind the people is not seen, so these pictures are composed over backgrounds
(`compose`), in each step over others.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from livematte._errors import SourceError
from livematte._frame import F32, U8
from livematte.training.datasets import DIR, refuse_empty
from livematte.training.datasets._picture import SURE
from livematte.training.datasets._rgba import OPAQUE, read_rgba
from livematte.training.folder import picture_files

ARGUMENT = DIR
VERSION = 1
CUT_OUT = True

FAINT = 8
"""Alpha below which a pixel's colour is rounding, not colour."""


@dataclass(frozen=True, slots=True)
class CutOut:
    """A picture with alpha."""

    image: Path

    @property
    def files(self) -> tuple[Path, ...]:
        return (self.image,)

    def read(self) -> U8:
        """As `Record.read`; where nobody is, the weight is 0 and the colour that of the nearest person."""
        rgba = read_rgba(self.image)
        alpha = rgba[..., 3]
        if alpha.min() == OPAQUE:
            raise SourceError(f"{self.image} has no transparent pixel: a cut-out needs an alpha channel")
        rgb = spread(rgba[..., :3], alpha)
        weight = np.where(alpha > 0, SURE, 0).astype(np.uint8)
        return np.concatenate([rgb.transpose(2, 0, 1), alpha[None], weight[None]])


def create(argument: str, *, empty: bool = False) -> list[CutOut]:
    """The cut-outs of a folder, or of the `images/` in it, in the order of their names.

    Raises:
        SourceError: there are none.
        OptionError: `empty`, since all show people.
    """
    refuse_empty("cutouts", empty)
    return [CutOut(path) for path in picture_files(Path(argument))]


def spread(rgb: U8, alpha: U8) -> U8:
    """Colours (h, w, 3) with those that are not seen taken from the nearest ones that are.

    Else a cut-out that is scaled down would get a rim of whatever its file holds where it is empty.

    Source: Gortler et al., "The Lumigraph", 1996, section 3.4.3 (push and pull).
    """
    seen: F32 = np.divide(np.where(alpha >= FAINT, alpha, 0), OPAQUE, dtype=np.float32)[..., None]
    filled = _pulled(np.multiply(rgb, seen, dtype=np.float32), seen)
    return np.where(seen > 0, rgb, np.rint(filled).clip(0, 255)).astype(np.uint8)


def _pulled(colour: F32, seen: F32) -> F32:
    """Colours, of which `colour` is what is seen, whole: the rest from the same at half the size.

    Args:
        colour: times `seen`, (h, w, 3).
        seen: 0-1, (h, w, 1).
    """
    height, width = seen.shape[:2]
    if height == width == 1:
        return np.divide(colour, np.maximum(seen, 1e-6), dtype=np.float32)
    fours, share = _fours(colour), _fours(seen)
    most = np.maximum(share, 1)  # four pixels that are seen count no more than one
    coarse = _pulled(np.divide(fours, most, dtype=np.float32), np.divide(share, most, dtype=np.float32))
    behind = coarse.repeat(2, axis=0).repeat(2, axis=1)[:height, :width]
    filled: F32 = colour + (1 - seen) * behind
    return filled


def _fours(planes: F32) -> F32:
    """Sums of 2x2 pixels; beyond an odd edge lies nothing."""
    even = np.pad(planes, ((0, planes.shape[0] % 2), (0, planes.shape[1] % 2), (0, 0)))
    summed: F32 = even[::2, ::2] + even[1::2, ::2] + even[::2, 1::2] + even[1::2, 1::2]
    return summed
