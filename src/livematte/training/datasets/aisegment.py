"""AISegment's "matting human half": portraits with mattes, 600x800.

    clip_img/GROUP/clip_N/NAME.jpg      pictures
    matting/GROUP/matting_N/NAME.png    the same person cut out; alpha is the fourth channel

A picture or two have no matte; they are passed over.

Source: https://github.com/aisegmentcn/matting_human_datasets, and the layout of its archive as
https://github.com/dataset-ninja/aisegmentcom-human-matting describes it.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from livematte._errors import SourceError
from livematte._frame import U8
from livematte.sources.folder import images, natural_key
from livematte.training.datasets import DIR, refuse_empty
from livematte.training.datasets._picture import planes, same_size
from livematte.training.datasets._rgba import OPAQUE, read_rgba

ARGUMENT = DIR
VERSION = 1
CUT_OUT = False


@dataclass(frozen=True, slots=True)
class Portrait:
    """A picture, and the person of it cut out."""

    image: Path
    matting: Path

    @property
    def files(self) -> tuple[Path, ...]:
        return self.image, self.matting

    def read(self) -> U8:
        from livematte.sources._still import read_image

        frame = read_image(self.image)
        alpha = read_rgba(self.matting)[..., 3]
        if alpha.min() == OPAQUE:
            raise SourceError(f"{self.matting} has no alpha channel: the matte is expected in its fourth channel")
        return planes(frame, same_size(self.matting, np.ascontiguousarray(alpha), frame), None)


def create(argument: str, *, empty: bool = False) -> list[Portrait]:
    """The pictures with their mattes.

    Raises:
        SourceError: no picture that has a matte.
        OptionError: `empty`, since all show people.
    """
    refuse_empty("aisegment", empty)
    root = Path(argument)
    clips, mattings = root / "clip_img", root / "matting"
    folders = sorted((f for f in clips.glob("*/clip_*") if f.is_dir()), key=lambda f: (f.parent.name, natural_key(f)))
    found = []
    for folder in folders:
        beside = mattings / folder.parent.name / folder.name.replace("clip_", "matting_", 1)
        pairs = [(image, beside / f"{image.stem}.png") for image in images(folder)]
        found += [Portrait(image, matting) for image, matting in pairs if matting.is_file()]
    if not found:
        raise SourceError(
            f"{root} holds no AISegment pictures: expected clip_img/GROUP/clip_N/NAME.jpg "
            f"and matting/GROUP/matting_N/NAME.png"
        )
    return found
