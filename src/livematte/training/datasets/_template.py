"""Copy this file to `datasets/NAME.py`: its name is the kind's name (`--data NAME:DIR`).

The contract (`datasets.Record`): records come in the same order each time, know their files, and
are read to uint8 (5, h, w) with red, green, blue, alpha (255 = person) and weight (0 = nobody
knows). What is wrong with the data raises SourceError and names the file. The contract tests
find the new file by themselves, and ask for a layout to test it with.
"""

from __future__ import annotations

from pathlib import Path

from livematte.training.datasets import DIR, refuse_empty
from livematte.training.datasets._picture import Picture
from livematte.training.folder import mask_of, picture_files

ARGUMENT = DIR
VERSION = 1
CUT_OUT = False


def create(argument: str, *, empty: bool = False) -> list[Picture]:
    """The pictures of a folder with their masks.

    Args:
        argument: the folder.
        empty: whether pictures without people are asked for.

    Raises:
        SourceError: no pictures, or one without mask.
        OptionError: `empty`, where all show people.
    """
    refuse_empty("template", empty)
    folder = Path(argument)
    return [Picture(path, mask_of(path, folder / "masks")) for path in picture_files(folder)]
