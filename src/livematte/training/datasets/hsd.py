"""Human Segmentation Dataset: `Training_Images/N.jpg` and `Ground_Truth/N.png`, people white.

Source: https://github.com/VikramShenoy97/Human-Segmentation-Dataset
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
    """The pictures with their masks.

    Raises:
        SourceError: no pictures, or one without mask.
        OpenError: no `Training_Images`.
        OptionError: `empty`, since all show people.
    """
    refuse_empty("hsd", empty)
    folder = Path(argument)
    return [Picture(path, mask_of(path, folder / "Ground_Truth")) for path in picture_files(folder / "Training_Images")]
