"""Copy this file to `effects/NAME.py`: its name is the effect's name (`NAME:ARGUMENT`).

The contract (`_stages.Effect`): a plate has the frame's colour and is not larger than
the frame; a smaller one has full-size planes (I444 or RGB). What must be remembered
between frames goes out as the state and comes back in; an effect object itself never
changes. It sees the frame to know its size and colour, and must not show it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from livematte._frame import Frame
from livematte._matte import Matte
from livematte._stages import State
from livematte.effects import Look
from livematte.effects.color import Color


@dataclass(frozen=True)
class Template(Look):
    """A plain grey room. Another place than the camera's, so that `match` has a light to follow.

    Raises:
        OptionError: say here which option is wrong, what it got and what it takes.
    """

    new_background: ClassVar[bool] = True

    def plate(self, frame: Frame, matte: Matte, state: State) -> tuple[Frame, State]:
        return Color(rgb="gray").plate(frame, matte, state)


def create(argument: str | None, **options: Any) -> Template:
    """`NAME` or `NAME:ARGUMENT`; the options are those of `Look` and the effect's own."""
    return Template(**options)
