"""One colour behind the person."""

from __future__ import annotations

import difflib
import re
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar

import numpy as np

from livematte._errors import OptionError
from livematte._frame import Frame, PixelFormat
from livematte._matte import Matte
from livematte._stages import State
from livematte.effects import Look
from livematte.effects._css_colors import css_colors

NAMED = css_colors() | {"green": (0, 177, 64)}
"""Colours by name, sRGB: those of CSS, but for `green`, the green of chroma-key paint. CSS's own is `#008000`."""


CHANNELS = 3


@dataclass(frozen=True, kw_only=True)
class Color(Look):
    """A plain background.

    Args:
        rgb: sRGB red, green and blue, 0-255 each; or a name of CSS or `#rrggbb`.

    Raises:
        OptionError: not a colour.
    """

    new_background: ClassVar[bool] = True

    rgb: tuple[int, int, int] | str = field(default=(0, 177, 64), kw_only=False)
    despill: bool = True

    def __post_init__(self) -> None:
        super().__post_init__()
        object.__setattr__(self, "rgb", parse_rgb(self.rgb))

    def plate(self, frame: Frame, matte: Matte, state: State) -> tuple[Frame, State]:
        format = PixelFormat.RGB if frame.format is PixelFormat.RGB else PixelFormat.I444
        pixel = np.array(self.rgb, np.uint8).reshape(1, 1, 3)
        plate = Frame.from_rgb(pixel, format, frame.matrix, frame.range)
        return replace(plate, pts=frame.pts, time_base=frame.time_base), None


def parse_rgb(color: Any) -> tuple[int, int, int]:
    """`"green"`, `"#00b140"` or `(0, 177, 64)` as three numbers.

    Raises:
        OptionError: none of these.
    """
    if isinstance(color, str):
        if is_named(color):
            return NAMED[color.lower()]
        if re.fullmatch(r"#?[0-9a-fA-F]{6}", color):
            red, green, blue = bytes.fromhex(color.removeprefix("#"))
            return red, green, blue
    elif isinstance(color, (tuple, list, np.ndarray)) and len(color) == CHANNELS and all(map(_is_byte, color)):
        red, green, blue = map(int, color)
        return red, green, blue
    near = difflib.get_close_matches(str(color).lower(), NAMED, n=3)
    hint = f"; did you mean {' or '.join(near)}?" if near else ""
    raise OptionError(
        f"a colour is three numbers from 0 to 255, #rrggbb, or a name of CSS such as red, green or navy; "
        f"got {color!r}{hint}"
    )


def is_named(color: str) -> bool:
    """Whether a colour has this name, whatever its capitals."""
    return color.lower() in NAMED


def _is_byte(value: Any) -> bool:
    return isinstance(value, (int, np.integer)) and 0 <= int(value) <= 255


def create(argument: str | None, **options: Any) -> Color:
    """`color`, `color:NAME` or `color:#rrggbb`."""
    return Color(**options) if argument is None else Color(argument, **options)
