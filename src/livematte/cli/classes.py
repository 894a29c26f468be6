"""`livematte classes`: what is where, as colours with their names."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from livematte._errors import OptionError
from livematte.cli._job import PIPE, process
from livematte.cli._options import Job, expand

EXAMPLE = "Example: livematte classes street.jpg -o street.png --model deeplabv3"

MODEL = "deeplabv3"
"""Network where none is named: the default of other commands tells no classes apart."""


@expand
def command(
    job: Job,
    opacity: Annotated[float, typer.Option(metavar="0-1", help="Of the colours over the picture.")] = 0.7,
    legend: Annotated[bool, typer.Option("--legend/--no-legend", help="Write the names into the picture.")] = True,
) -> None:
    """Paint every class of things in its colour; --classes paints only some. The room can be seen through them."""
    from dataclasses import replace

    from livematte._stages import Segmenter
    from livematte.effects.color import Color
    from livematte.models._overlay import Overlay

    if not 0 <= opacity <= 1:
        raise OptionError(f"--opacity must be from 0 to 1, got {opacity}")
    if job.room is not None or job.lookahead:
        raise OptionError("--room and --lookahead are for mattes of people; `livematte classes` has none")
    only = [name.strip() for name in job.classes.split(",")] if job.classes else None
    painters: list[Overlay] = []

    def painting(network: Segmenter) -> Segmenter:
        known: Any = network
        if not getattr(known, "classes", None) or not hasattr(known, "labels"):
            raise OptionError(f"{network.name} tells no classes apart: --model deeplabv3 or mediapipe:multiclass does")
        painters.append(Overlay(known, opacity=opacity, legend=legend, only=only))
        return painters[0]

    if job.model == Job.model:
        job = replace(job, model=MODEL)
    process(job, "classes", Color(rgb="black"), paint=painting)
    if not job.json and job.output != PIPE:
        for line in summary(painters[0]):
            typer.echo(line)


def summary(painter: Any) -> list[str]:
    """Names, colours and parts of all pictures, the largest first."""
    shares = painter.shares / max(float(painter.shares.sum()), 1e-9)
    order = [int(index) for index in (-shares).argsort() if shares[index] >= 0.0005]
    colours = painter.palette
    width = max((len(painter.classes[index]) for index in order), default=0)
    return [
        f"{painter.classes[i]:<{width}}  #{bytes(colours[i].tolist()).hex()}  {100 * shares[i]:.1f} %" for i in order
    ]
