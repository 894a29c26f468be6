"""No effect, asked for by name. Nothing in this package falls back to it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from livematte._errors import OptionError
from livematte._frame import Frame
from livematte._matte import Matte
from livematte._stages import State
from livematte.effects import Look


@dataclass(frozen=True, kw_only=True)
class Off(Look):
    """The camera as it is: the plate is the frame itself."""

    def plate(self, frame: Frame, matte: Matte, state: State) -> tuple[Frame, State]:
        return frame, None


def create(argument: str | None, **options: Any) -> Off:
    """`off`."""
    if argument is not None:
        raise OptionError(f"off takes no argument, got off:{argument}")
    return Off(**options)
