"""Pictures with masks of the same stems: `images/`, `masks/` and, where labels are not sure, `weights/`.

Masks have 1 bit, or 8 bits for soft alpha; weights 8 bits, 255 = sure. What `livematte label` writes.
Backgrounds are pictures in `images/` or by themselves.
"""

from __future__ import annotations

from pathlib import Path

from livematte.training.datasets import DIR
from livematte.training.datasets._picture import Picture
from livematte.training.folder import beside, mask_of, picture_files

ARGUMENT = DIR
VERSION = 1
CUT_OUT = False


def create(argument: str, *, empty: bool = False) -> list[Picture]:
    """The pictures of a folder, in the order of their names.

    Args:
        argument: the folder.
        empty: whether nobody is in them, so that they need no masks.

    Raises:
        SourceError: there are none, or one has no mask.
    """
    folder = Path(argument)
    paths = picture_files(folder)
    if empty:
        return [Picture(path) for path in paths]
    masks, weights = folder / "masks", folder / "weights"
    return [Picture(path, mask_of(path, masks), beside(weights, path)) for path in paths]
