"""A picture behind the person."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, ClassVar

from livematte._errors import OptionError
from livematte._frame import U8, Frame
from livematte._matte import Matte
from livematte._stages import State
from livematte.effects import Look


@dataclass(frozen=True, eq=False)
class Image(Look):
    """A still picture, scaled to cover the frame, its middle shown.

    Args:
        image: path of an image in any format FFmpeg reads, or an RGB picture (h, w, 3)
            of uint8. Read once, here; transparent parts show black.

    Raises:
        OpenError: missing or not an image.
        FrameError: an array of another shape or type.
    """

    new_background: ClassVar[bool] = True

    image: str | Path | U8 = field(kw_only=False)
    light_wrap: float = field(default=0.3, kw_only=True)
    despill: bool = field(default=True, kw_only=True)
    _picture: Frame = field(init=False, repr=False, kw_only=True)

    def __post_init__(self) -> None:
        super().__post_init__()
        if isinstance(self.image, (str, Path)):
            from livematte.sources._still import read_image

            picture = read_image(self.image)
        else:
            picture = Frame.from_rgb(self.image)
        object.__setattr__(self, "_picture", picture)

    def plate(self, frame: Frame, matte: Matte, state: State) -> tuple[Frame, State]:
        kind = (frame.size, frame.format, frame.matrix, frame.range)
        if state is None or state[0] != kind:
            from livematte._av import fit

            state = (kind, fit(self._picture, *kind))
        return replace(state[1], pts=frame.pts, time_base=frame.time_base), state


def create(argument: str | None, **options: Any) -> Image:
    """`image:PATH`."""
    if not argument:
        raise OptionError("image needs a picture, as in image:beach.jpg")
    return Image(argument, **options)
