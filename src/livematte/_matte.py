"""Mattes: how much of each pixel is person."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from livematte._errors import FrameError
from livematte._frame import Frame, Planes, Size


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Matte:
    """The matte of one frame.

    Args:
        alpha: (h, w), 1 = person: float32 in 0-1 at the network's size as a segmenter
            makes it, uint8 in 0-255 at frame size as the last refiner leaves it.
        pts: pts of the frame it was made from; `composite()` compares it.
        foreground: estimated colour of the person, planes of the frame's format and
            size; None means the frame's own pixels.

    Raises:
        FrameError: other types or shapes.
    """

    alpha: npt.NDArray[Any]
    pts: int
    foreground: Planes | None = None

    def __post_init__(self) -> None:
        if self.alpha.ndim != 2 or self.alpha.dtype not in (np.float32, np.uint8):
            raise FrameError(
                f"alpha must be float32 (0-1) or uint8 (0-255) of shape (h, w), "
                f"got {self.alpha.dtype} {self.alpha.shape}"
            )
        # kernels read rows without gaps; a view of another order would be read as other pixels
        object.__setattr__(self, "alpha", np.ascontiguousarray(self.alpha))

    def __repr__(self) -> str:
        return f"<Matte {self.size} {self.alpha.dtype} pts={self.pts}>"

    @property
    def size(self) -> Size:
        height, width = self.alpha.shape
        return Size(width, height)

    def with_alpha(self, alpha: npt.NDArray[Any]) -> Matte:
        """The matte of the same frame with another alpha."""
        return Matte(alpha, self.pts, self.foreground)

    @classmethod
    def empty(cls, frame: Frame) -> Matte:
        """Nobody: the matte that covers a frame completely."""
        return cls(np.zeros(frame.planes[0].shape, np.uint8), frame.pts)
