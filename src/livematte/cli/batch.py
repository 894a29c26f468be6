"""`livematte batch`: whole folders, again and again."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import typer

from livematte._errors import OpenError, OptionError
from livematte.cli._job import process
from livematte.cli._many import Item, check_apart, output_name
from livematte.cli._options import Job, LookOptions, expand

EXAMPLE = "Example: livematte batch holiday/ -o private/ --effect blur:0.8"

VIDEO_SUFFIXES = frozenset(
    (".3gp", ".avi", ".flv", ".m2ts", ".m4v", ".mkv", ".mov", ".mp4", ".mpeg", ".mpg", ".mts", ".ogv", ".webm", ".wmv")
)
"""What is taken for a video among the files of a folder; a file that is named itself is taken as it is."""


@expand
def command(
    job: Job,
    look: LookOptions,
    effect: Annotated[
        str,
        typer.Option(metavar="EFFECT", help="blur:0.6, image:beach.jpg, color:green, transparent, grey, ..."),
    ] = "blur",
) -> None:
    """Change the background of every video and picture in folders and below, into the same tree.

    What is there already is passed over, so that a batch which was stopped, or has new files,
    goes on where it was. -y does all again.
    """
    from livematte import _registry
    from livematte.effects.transparent import Transparent

    painter = _registry.create("effects", effect, **look.given())
    root = Path(job.output)
    if root.exists() and not root.is_dir():
        raise OptionError(f"{job.output} is a file; the output of a batch is a folder")
    found = tree(job.inputs, root, alpha=isinstance(painter, Transparent))
    items = [item for item in found if job.overwrite or not Path(item.output).exists()]
    if not found:
        raise OpenError(f"there is no video or picture in {', '.join(job.inputs)}")
    if len(items) < len(found):
        typer.echo(f"livematte: note: {len(found) - len(items)} of {len(found)} are there already", err=True)
    process(job, "batch", painter, framing=look.framing, plan=(items, root))


def tree(inputs: list[str], root: Path, *, alpha: bool) -> list[Item]:
    """What every video and picture of `inputs` becomes below `root`.

    Args:
        alpha: the outputs are transparent.

    Raises:
        OpenError: an input does not exist.
        OptionError: two would have one output.
    """
    items = []
    for source in inputs:
        given = Path(source.removeprefix("file:"))
        if not given.exists():
            raise OpenError(f"there is no {source}; a batch takes files and folders")
        above = given if given.is_dir() else given.parent
        for path in films_and_pictures(given, root.resolve()) if given.is_dir() else [given]:
            place = root / path.parent.relative_to(above)
            items.append(Item(str(path), str(place / output_name(str(path), alpha=alpha, grey=False))))
    check_apart(items)
    return items


def films_and_pictures(folder: Path, apart: Path) -> Iterator[Path]:
    """Videos and pictures of a folder and of those below, in natural order; hidden ones and links to folders are
    passed over.

    Args:
        apart: a folder to leave out, resolved: the output may lie among the inputs.
    """
    from livematte.sources import IMAGE_SUFFIXES
    from livematte.sources.folder import natural_key

    for here, folders, files in os.walk(folder):
        place = Path(here)
        folders[:] = sorted(name for name in folders if not name.startswith(".") and (place / name).resolve() != apart)
        for path in sorted((place / name for name in files if not name.startswith(".")), key=natural_key):
            if path.suffix.lower() in VIDEO_SUFFIXES or path.suffix.lower() in IMAGE_SUFFIXES:
                yield path
