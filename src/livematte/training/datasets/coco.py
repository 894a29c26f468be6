"""COCO instances: people as polygons or run lengths in one JSON file, pictures in a folder.

    annotations/instances_NAME.json    and NAME/*.jpg or images/NAME/*.jpg, as COCO is handed out, or
    *.json                             with the pictures beside it or in images/

The people of a picture are one matte. Where a crowd is annotated as one region, the weight is 0.
Pictures without people are kept, since empty rooms are to be learnt too; as backgrounds they are
the only ones that are taken.

Source: https://cocodataset.org/#format-data, "Object Detection"; run lengths as strings are those of
https://github.com/cocodataset/cocoapi, `common/maskApi.c`, `rleToString`.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from livematte._errors import SourceError
from livematte._frame import U8
from livematte.sources._still import read_image
from livematte.training.datasets import DIR
from livematte.training.datasets._annotation import Mask, polygon, read_json
from livematte.training.datasets._picture import planes, same_size

ARGUMENT = DIR
VERSION = 1
CUT_OUT = False

PERSON = "person"

PREFIX = "instances_"

DIGIT_BITS, MORE, NEGATIVE, ZERO = 5, 0x20, 0x10, 48
"""A character of run lengths: 5 bits of a number, whether more follow, its sign, and the code of 0."""


@dataclass(frozen=True, slots=True)
class Annotated:
    """A picture with the regions of its people.

    Args:
        image: the picture.
        annotations: the JSON file.
        size: (width, height) that the JSON file says.
        people: `segmentation` of each person.
        crowds: of each crowd.
    """

    image: Path
    annotations: Path
    size: tuple[int, int]
    people: tuple[Any, ...]
    crowds: tuple[Any, ...]

    @property
    def files(self) -> tuple[Path, ...]:
        return self.image, self.annotations

    def read(self) -> U8:
        frame = read_image(self.image)
        person, crowd = self._region(self.people), self._region(self.crowds)
        alpha = same_size(self.annotations, np.where(person, 255, 0).astype(np.uint8), frame)
        weight = np.where(crowd & ~person, 0, 255).astype(np.uint8)
        return planes(frame, alpha, weight)

    def _region(self, segmentations: tuple[Any, ...]) -> Mask:
        width, height = self.size
        region = np.zeros((height, width), bool)
        try:
            for segmentation in segmentations:
                if isinstance(segmentation, dict):
                    region |= run_lengths(segmentation["counts"], tuple(segmentation["size"]), region.shape)
                    continue
                for flat in segmentation:
                    region |= polygon(np.asarray(flat, np.float64).reshape(-1, 2), (height, width))
        except (KeyError, TypeError, ValueError, IndexError) as exc:
            raise SourceError(
                f"{self.annotations}: the region of a person in {self.image.name} is broken: {exc}"
            ) from exc
        return region


def create(argument: str, *, empty: bool = False) -> list[Annotated]:
    """The pictures that the JSON files name, in their order.

    Args:
        argument: the folder.
        empty: whether only pictures without people are asked for.

    Raises:
        SourceError: no annotations, broken ones, none of people, or pictures that are missing.
    """
    root = Path(argument)
    files = sorted((root / "annotations").glob(f"{PREFIX}*.json")) or sorted(root.glob("*.json"))
    if not files:
        raise SourceError(f"{root} holds no annotations: expected annotations/{PREFIX}NAME.json or a .json file")
    parts = [part for path in files if (part := _pictures(root, path)) is not None]
    if not parts:
        raise SourceError(
            f"{root} holds none of the pictures that {files[0].name} names: expected {_places(root, files[0])}"
        )
    found = [record for part in parts for record in part if not (empty and (record.people or record.crowds))]
    if not found:
        raise SourceError(f"{root} holds no pictures{' without people' if empty else ''}")
    return found


def _places(root: Path, annotations: Path) -> str:
    name = annotations.stem.removeprefix(PREFIX)
    return f"{root / name}, {root / 'images' / name}, {root / 'images'} or {root}"


def _pictures(root: Path, path: Path) -> list[Annotated] | None:
    """The pictures of one JSON file; None if their folder is not there."""
    held = read_json(path)
    try:
        names = {category["id"]: category["name"] for category in held["categories"]}
        persons = {key for key, name in names.items() if name == PERSON}
        if not persons:
            raise SourceError(f"{path} has no category {PERSON}: there are {', '.join(map(str, names.values()))}")
        regions: dict[Any, tuple[list[Any], list[Any]]] = defaultdict(lambda: ([], []))
        for item in held["annotations"]:
            if item["category_id"] in persons:
                regions[item["image_id"]][bool(item.get("iscrowd", 0))].append(item["segmentation"])
        pictures = [(i["id"], str(i["file_name"]), (int(i["width"]), int(i["height"]))) for i in held["images"]]
    except (KeyError, TypeError, AttributeError, ValueError) as exc:
        raise SourceError(f"{path} is not COCO's instances: {type(exc).__name__} {exc}") from exc
    if not pictures:
        return []
    name = path.stem.removeprefix(PREFIX)
    folders = (root / name, root / "images" / name, root / "images", root)
    folder = next((f for f in folders if any((f / file).is_file() for _, file, _ in pictures[:1])), None)
    if folder is None:
        return None
    missing = [file for _, file, _ in pictures if not (folder / file).is_file()]
    if missing:
        raise SourceError(f"{path} names {len(missing)} pictures that {folder} lacks, the first is {missing[0]}")
    return [
        Annotated(folder / file, path, size, tuple(regions[key][0]), tuple(regions[key][1]))
        for key, file, size in pictures
    ]


def run_lengths(counts: list[int] | str, size: tuple[int, ...], shape: tuple[int, ...]) -> Mask:
    """A mask from the lengths of its runs down the columns, of zeros and ones in turn.

    Args:
        counts: the lengths, or the string they are packed in.
        size: (h, w) they are for.
        shape: (h, w) of the picture.

    Raises:
        ValueError: they do not fill the picture.
    """
    lengths = np.asarray(unpacked(counts) if isinstance(counts, str) else counts, np.int64)
    if size != shape or lengths.ndim != 1 or lengths.sum() != size[0] * size[1] or (lengths < 0).any():
        raise ValueError(f"runs of {lengths.sum()} pixels for {size} do not fill {shape[1]}x{shape[0]}")
    runs = np.repeat(np.arange(len(lengths)) % 2 == 1, lengths)
    return np.ascontiguousarray(runs.reshape(size[1], size[0]).T)


def unpacked(text: str) -> list[int]:
    """Run lengths from COCO's string: 5 bits a character; from the fourth on, what is added to the last but one."""
    lengths: list[int] = []
    value = bits = 0
    for character in text:
        code = ord(character) - ZERO
        value |= (code & (MORE - 1)) << bits
        bits += DIGIT_BITS
        if code & MORE:
            continue
        if code & NEGATIVE:
            value -= 1 << bits
        lengths.append(value + lengths[-2] if len(lengths) > 2 else value)
        value = bits = 0
    return lengths
