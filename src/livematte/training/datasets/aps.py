"""Automatic Portrait Segmentation: Flickr portraits `NNNNN.jpg` with masks in MATLAB files.

    images_data_crop/NNNNN.jpg    also images_data/, images/, or the folder itself
    images_mask/NNNNN_mask.mat    its matrix `mask`, 1 = person; also NNNNN.mat, .png; also masks/

Source: Shen et al., "Automatic Portrait Segmentation for Image Stylization", Eurographics 2016, section 4,
http://xiaoyongshen.me/webpage_portrait/index.html; names of files as in
https://github.com/dongwu92/AutoPortraitMatting
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from livematte._errors import MissingExtra, OpenError, SourceError
from livematte._frame import U8
from livematte.sources.folder import images
from livematte.training.datasets import DIR, refuse_empty
from livematte.training.datasets._picture import planes, same_size

ARGUMENT = DIR
VERSION = 1
CUT_OUT = False

IMAGES = ("images_data_crop", "images_data", "images", ".")
MASKS = ("images_mask", "masks", ".")
ENDINGS = ("_mask.mat", ".mat", "_mask.png", ".png")


@dataclass(frozen=True, slots=True)
class Portrait:
    """A picture and its mask."""

    image: Path
    mask: Path

    @property
    def files(self) -> tuple[Path, ...]:
        return self.image, self.mask

    def read(self) -> U8:
        from livematte.sources._still import read_image

        frame = read_image(self.image)
        alpha = _matlab(self.mask) if self.mask.suffix == ".mat" else read_image(self.mask).planes[1]
        return planes(frame, same_size(self.mask, alpha, frame), None)


def create(argument: str, *, empty: bool = False) -> list[Portrait]:
    """The portraits with their masks.

    Raises:
        SourceError: no pictures, or one without mask.
        OptionError: `empty`, since all show people.
    """
    refuse_empty("aps", empty)
    root = Path(argument)
    folder = next(root / name for name in IMAGES if (root / name).is_dir())
    pictures = [path for path in images(folder) if path.suffix.lower() in (".jpg", ".jpeg")]
    if not pictures:
        raise SourceError(f"{folder} holds no pictures: expected NNNNN.jpg there, or in {', '.join(IMAGES[:-1])}")
    return [Portrait(path, _mask(root, path)) for path in pictures]


def _mask(root: Path, image: Path) -> Path:
    places = [root / name / f"{image.stem}{ending}" for name in MASKS for ending in ENDINGS]
    found = next((path for path in places if path.is_file()), None)
    if found is None:
        raise SourceError(f"{image} has no mask: expected {places[0]}, or {places[2].name}")
    return found


def _matlab(path: Path) -> U8:
    """The matrix `mask` of a MATLAB file, 0 and 1, as 0 and 255: (h, w)."""
    try:
        from scipy.io import loadmat
    except ImportError as exc:
        raise MissingExtra(f"{path} is a MATLAB file, and reading it needs SciPy: pip install scipy") from exc
    try:
        held = loadmat(str(path))
    except Exception as exc:  # damaged bytes raise anything
        raise OpenError(f"{path} is no MATLAB file that SciPy can read: {' '.join(str(exc).split())}") from exc
    if "mask" not in held or np.ndim(held["mask"]) != 2:
        names = ", ".join(name for name in held if not name.startswith("__")) or "nothing"
        raise SourceError(f"{path} holds {names}: a matrix called mask was expected")
    return np.where(np.asarray(held["mask"]) > 0, 255, 0).astype(np.uint8)
