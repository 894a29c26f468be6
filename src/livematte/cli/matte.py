"""`livematte matte`: the alpha itself."""

from __future__ import annotations

from typing import Annotated

import typer

from livematte.cli._job import process
from livematte.cli._options import Job, Zones, expand, zones_of

EXAMPLE = "Example: livematte matte portrait.jpg -o alpha.png"


@expand
def command(
    job: Job,
    softness: Annotated[float, typer.Option(metavar="0-1", help="Softness of the person's edge.")] = 0.3,
    who: Annotated[
        str, typer.Option(metavar="WHO", help="Who stays: everyone, or those nearest the camera.")
    ] = "everyone",
    zone: Zones = None,
) -> None:
    """Write the matte itself: person white, room black."""
    from livematte.effects.transparent import Transparent

    process(job, "matte", Transparent(softness=softness, who=who, zones=zones_of(zone), despill=False), alpha_only=True)
