"""Rooms that nobody is in, made by livematte itself: `procedural:2000` is two thousand of them.

Always the same ones: `procedural:2000` begins with those of `procedural:1000`.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from livematte._errors import OptionError
from livematte._frame import U8
from livematte.training.datasets._picture import SURE
from livematte.training.rooms import room

ARGUMENT = "N"
VERSION = 1
CUT_OUT = False

MOST = 1_000_000
"""More rooms than a disk holds are a slip of the keyboard."""


@dataclass(frozen=True, slots=True)
class Room:
    """The room of a number."""

    seed: int

    @property
    def files(self) -> tuple[Path, ...]:
        return ()

    def read(self) -> U8:
        rgb = room(self.seed).transpose(2, 0, 1)
        return np.concatenate([rgb, np.zeros_like(rgb[:1]), np.full_like(rgb[:1], SURE)])


def create(argument: str, *, empty: bool = False) -> list[Room]:
    """So many rooms; they are `empty` in any case.

    Raises:
        OptionError: the argument is no number from 1 to `MOST`.
    """
    if not argument.isdecimal() or not 1 <= int(argument) <= MOST:
        raise OptionError(f"procedural takes a number of rooms up to {MOST}, as in procedural:2000, got {argument!r}")
    return [Room(seed) for seed in range(int(argument))]
