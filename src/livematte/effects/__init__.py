"""Effects: what the background becomes. One file each; `_template.py` shows how.

An effect paints a plate and nothing else. What it may paint with is its own business:
`blur` uses the frame itself, with the person left out.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from livematte._errors import OptionError
from livematte.effects._zones import check_zones


@dataclass(frozen=True, kw_only=True)
class Look:
    """Switches that every effect shares.

    Args:
        light_wrap: how much of a bright plate falls on the person's rim, 0-1.
        despill: estimate the person's true colour at the rim, so that hair does not
            carry the old room's colours into the new one.
        softness: width of the matte's edge, 0 (crisp) to 1 (as soft as the network
            leaves it).
        match: how far the person's brightness and white balance follow the new background,
            0-1; only effects that have one take it.
        who: who stays: `everyone`, or only those `nearest` the camera.
        zones: polygons in parts of the upright picture, each a sequence of points (x, y)
            from 0 to 1; only what is inside one of them stays. None given: everything.

    Raises:
        OptionError: an option outside its range.
    """

    new_background: ClassVar[bool] = False
    """Whether the plate is another place than the camera's."""

    light_wrap: float = 0.0
    despill: bool = False
    softness: float = 0.3
    match: float = 0.0
    who: str = "everyone"
    zones: Sequence[Sequence[tuple[float, float]]] = ()

    def __post_init__(self) -> None:
        for name in ("light_wrap", "softness", "match"):
            check_fraction(name, getattr(self, name))
        if self.match and not self.new_background:
            raise OptionError(f"match takes its light from a new background; {type(self).__name__} has none")
        if self.who not in ("everyone", "nearest"):
            raise OptionError(f"who must be 'everyone' or 'nearest', got {self.who!r}")
        object.__setattr__(self, "zones", check_zones(self.zones))


def check_fraction(name: str, value: Any, lowest: float = 0.0) -> None:
    """Refuse what is not a number from `lowest` to 1.

    Raises:
        OptionError: names the option, what it got and its range.
    """
    if not isinstance(value, (int, float)) or isinstance(value, bool) or not lowest <= value <= 1:
        raise OptionError(f"{name} must be a number from {lowest:g} to 1, got {value!r}")
