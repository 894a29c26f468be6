"""No background at all: the output has an alpha channel."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from livematte._errors import OptionError
from livematte._frame import Frame
from livematte._matte import Matte
from livematte._stages import State
from livematte.effects import Look


@dataclass(frozen=True, kw_only=True)
class Transparent(Look):
    """The person alone, with straight alpha; black under alpha 0."""

    despill: bool = True

    def plate(self, frame: Frame, matte: Matte, state: State) -> tuple[None, State]:
        return None, None


def create(argument: str | None, **options: Any) -> Transparent:
    """`transparent`."""
    if argument is not None:
        raise OptionError(f"transparent takes no argument, got transparent:{argument}")
    return Transparent(**options)
