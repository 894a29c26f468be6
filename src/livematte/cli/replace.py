"""`livematte replace`: another place behind the person."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated, Any

import typer

from livematte._errors import OptionError
from livematte.cli._job import process
from livematte.cli._options import Job, LookOptions, expand

EXAMPLE = "Example: livematte replace talk.mp4 --with beach.jpg -o beach.mp4"

BACKGROUNDS = ("color", "image", "video")
"""Effects that are a new background."""


@expand
def command(
    job: Job,
    look: LookOptions,
    background: Annotated[
        str, typer.Option("--with", metavar="BACKGROUND", help="Picture, video, color:NAME or #rrggbb.")
    ],
    match: Annotated[
        float | None, typer.Option(metavar="0-1", help="Light of the person follows that of the background.")
    ] = None,
) -> None:
    """Put a picture, a video or a colour behind the person."""
    given = look.given() if match is None else {**look.given(), "match": match}
    process(job, "replace", effect(background, given), framing=look.framing)


def effect(background: str, look: dict[str, Any]) -> Any:
    """The effect that `--with` asks for.

    Raises:
        OptionError: it is none of a picture, a video or a colour.
    """
    from livematte import _registry
    from livematte.effects.color import is_named
    from livematte.sources import source_name

    name = _registry.split(background)[0]
    if re.fullmatch(r"#[0-9a-fA-F]{6}", background):
        spec = f"color:{background}"
    elif name in BACKGROUNDS:
        spec = background
    elif name in _registry.names("effects"):
        raise OptionError(
            f"--with takes a picture, a video, color:NAME or #rrggbb, got the effect {background!r}; "
            f"use `livematte blur` or `livematte remove` for those"
        )
    elif is_named(background) and not Path(background).exists():
        raise OptionError(f"there is no file {background}; for the colour write --with color:{background}")
    else:
        spec = f"{'image' if source_name(background)[0] == 'image' else 'video'}:{background}"
    return _registry.create("effects", spec, **look)


def check_match(spec: str, painter: Any) -> None:
    """Refuse `--match` where it would do nothing. Presets leave it aside for such effects.

    Args:
        spec: of the effect, as it was asked for.
        painter: the effect.

    Raises:
        OptionError: the effect has no background of its own to take light from.
    """
    if not getattr(painter, "new_background", False):
        raise OptionError(
            f"--match takes its light from a new background, and the effect {spec} has none; leave it out, or choose "
            f"--effect {', '.join(f'{known}:...' for known in BACKGROUNDS)}"
        )
