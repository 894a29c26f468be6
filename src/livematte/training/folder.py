"""Which files of a data folder are pictures, and which lie beside them."""

from __future__ import annotations

from pathlib import Path

from livematte._errors import SourceError
from livematte.sources import IMAGE_SUFFIXES
from livematte.sources.folder import images

BESIDE = (".png", *(suffix for suffix in IMAGE_SUFFIXES if suffix != ".png"))
"""Endings of masks and weights, in the order in which a stem is looked for."""


def picture_files(folder: Path) -> list[Path]:
    """The pictures of a folder, or of the `images/` in it, in natural order.

    Raises:
        SourceError: it holds none.
        OpenError: it cannot be read.
    """
    inside = folder / "images" if (folder / "images").is_dir() else folder
    found = images(inside)
    if not found:
        raise SourceError(f"{inside} holds no pictures ({', '.join(IMAGE_SUFFIXES)})")
    return found


def beside(folder: Path, image: Path) -> Path | None:
    """The file of `folder` that has the stem of a picture; None if there is none."""
    return next((path for suffix in BESIDE if (path := folder / f"{image.stem}{suffix}").is_file()), None)


def mask_of(image: Path, masks: Path) -> Path:
    """The same, where there must be one.

    Raises:
        SourceError: there is none.
    """
    mask = beside(masks, image)
    if mask is None:
        raise SourceError(f"{image} has no mask: expected {masks / image.stem}.png")
    return mask
