"""A Supervisely project: people as bitmaps or polygons, a JSON file a picture.

    DATASET/img/NAME.jpg         as many data sets as there are; one may be the folder itself
    DATASET/ann/NAME.jpg.json    also NAME.json

Every class whose name starts with `person` is a person. A person who is only boxed, and the class
`neutral` of the Supervisely Person dataset, get the weight 0: nobody knows what is in there.

Source: https://docs.supervisely.com/customization-and-integration/00_ann_format_navi, and
https://developer.supervisely.com/getting-started/supervisely-annotation-format/objects
"""

from __future__ import annotations

import base64
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from livematte._errors import SourceError
from livematte._frame import U8
from livematte.sources._still import read_image
from livematte.sources.folder import images, natural_key
from livematte.training.datasets import DIR, refuse_empty
from livematte.training.datasets._annotation import Mask, closed_polygon, read_json
from livematte.training.datasets._picture import planes, same_size
from livematte.training.datasets._rgba import OPAQUE, decode

ARGUMENT = DIR
VERSION = 1
CUT_OUT = False

PERSON, UNSURE = "person", "neutral"
"""How names of classes begin."""


@dataclass(frozen=True, slots=True)
class Annotated:
    """A picture and the file of its objects."""

    image: Path
    annotation: Path

    @property
    def files(self) -> tuple[Path, ...]:
        return self.image, self.annotation

    def read(self) -> U8:
        frame = read_image(self.image)
        held = read_json(self.annotation)
        try:
            shape = int(held["size"]["height"]), int(held["size"]["width"])
            person, unsure = np.zeros(shape, bool), np.zeros(shape, bool)
            for item in held["objects"]:
                title = str(item["classTitle"]).lower()
                if title.startswith((PERSON, UNSURE)):
                    known = title.startswith(PERSON) and item.get("geometryType") != "rectangle"
                    (person if known else unsure)[...] |= self._region(item, shape)
        except (KeyError, TypeError, AttributeError, ValueError, IndexError, zlib.error) as exc:
            raise SourceError(
                f"{self.annotation} is not Supervisely's annotation of a picture: {type(exc).__name__} {exc}"
            ) from exc
        alpha = same_size(self.annotation, np.where(person, 255, 0).astype(np.uint8), frame)
        return planes(frame, alpha, np.where(unsure & ~person, 0, 255).astype(np.uint8))

    def _region(self, item: dict[str, Any], shape: tuple[int, int]) -> Mask:
        """Of one object; lines and points have none."""
        if item.get("bitmap"):
            return self._bitmap(item["bitmap"], shape)
        points = item["points"]
        outline = points["exterior"]
        if item.get("geometryType") == "rectangle":
            (left, top), (right, bottom) = outline
            outline = [(left, top), (right, top), (right, bottom), (left, bottom)]
        if len(outline) < 3:
            return np.zeros(shape, bool)
        region = closed_polygon(outline, shape)
        for hole in points.get("interior", ()):
            region &= ~closed_polygon(hole, shape)
        return region

    def _bitmap(self, bitmap: dict[str, Any], shape: tuple[int, int]) -> Mask:
        """A PNG, packed by zlib and base64, whose upper left corner lies at its origin."""
        rgba = decode(zlib.decompress(base64.b64decode(bitmap["data"])), self.annotation)
        part = rgba[..., 3] > 0 if rgba[..., 3].min() < OPAQUE else rgba[..., 0] > 0
        left, top = (int(value) for value in bitmap["origin"])
        region = np.zeros(shape, bool)
        if left < 0 or top < 0 or top + part.shape[0] > shape[0] or left + part.shape[1] > shape[1]:
            raise ValueError(f"a bitmap of {part.shape[1]}x{part.shape[0]} at {left}, {top} reaches beyond the picture")
        region[top : top + part.shape[0], left : left + part.shape[1]] = part
        return region


def create(argument: str, *, empty: bool = False) -> list[Annotated]:
    """The pictures of all data sets of a project, in the order of their names.

    Raises:
        SourceError: there are none, or one has no annotation.
        OptionError: `empty`, since most show people.
    """
    refuse_empty("supervisely", empty)
    root = Path(argument)
    sets = sorted((f for f in (root, *root.iterdir()) if (f / "img").is_dir()), key=natural_key)
    found = [Annotated(image, _annotation(folder, image)) for folder in sets for image in images(folder / "img")]
    if not found:
        raise SourceError(
            f"{root} holds no Supervisely project: expected DATASET/img/NAME.jpg, DATASET/ann/NAME.jpg.json"
        )
    return found


def _annotation(folder: Path, image: Path) -> Path:
    names = (f"{image.name}.json", f"{image.stem}.json")
    found = next((path for name in names if (path := folder / "ann" / name).is_file()), None)
    if found is None:
        raise SourceError(f"{image} has no annotation: expected {folder / 'ann' / names[0]}")
    return found
