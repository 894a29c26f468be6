"""Data sets: how the pictures of a folder are laid out. One file a kind; `_template.py` shows how.

`--data KIND:DIR` names a kind and a folder. A kind's module offers, beside `create(argument, *, empty)`:

    ARGUMENT   what stands after the colon: `DIR`, which must be there, or what the kind itself says
    VERSION    part of the name of a cache: raise it when pictures are read in another way
    CUT_OUT    whether its people stand before nothing, and must be composed over backgrounds

`create` gives the records of the pictures, always in the same order.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from livematte._errors import OptionError

if TYPE_CHECKING:
    from livematte._frame import U8

PLUGINS = "training.datasets"
"""This folder, as the registry calls it."""

DIR = "DIR"
"""The argument is a folder that must be there."""


class Record(Protocol):
    """One picture of a data set, not read yet. Equal records give equal pictures."""

    @property
    def files(self) -> tuple[Path, ...]:
        """What `read` reads, the picture first: the cache is made again when one of them changes."""

    def read(self) -> U8:
        """Red, green, blue, alpha and weight, uint8 (5, h, w), at the picture's own size.

        Raises:
            SourceError, OpenError: a file that is missing, broken, or of another size.
        """


def refuse_empty(kind: str, empty: bool) -> None:
    """Refuse to serve as backgrounds, where every picture shows people.

    Raises:
        OptionError: `empty` is asked for.
    """
    if empty:
        raise OptionError(f"{kind} shows people: pass it with --data; backgrounds show nobody")
