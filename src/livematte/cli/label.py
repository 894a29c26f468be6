"""`livematte label`: mattes for unlabelled pictures, made by an ensemble of networks."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Annotated

import typer

EXAMPLE = "Example: livematte label photos -o labelled"


def command(
    images: Annotated[Path, typer.Argument(metavar="IMAGES", help="Folder of pictures.")],
    output: Annotated[
        Path, typer.Option("--output", "-o", metavar="DIR", help="Data folder to make, or to go on with.")
    ],
    masks: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Masks that are right but may lack people; they are kept.")
    ] = None,
    teacher: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME[=WEIGHT]", help="A network to ask; may be given again.  [default: four]"),
    ] = None,
    student: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME", help="A network trained on such labels settles what the teachers doubt."),
    ] = None,
    weights: Annotated[
        Path | None, typer.Option(metavar="DIR", help="The teachers' files, laid out as in the cache.")
    ] = None,
    agreement: Annotated[
        float, typer.Option(metavar="0-1", help="Drop pictures on which the teachers agree less.")
    ] = 0.6,
    matting: Annotated[bool, typer.Option("--matting", help="Solve edges by closed-form matting.")] = False,
    jobs: Annotated[int, typer.Option(metavar="N", help="Processes.")] = 2,
    json_: Annotated[bool, typer.Option("--json", help="Print figures as one JSON object on stdout.")] = False,
    debug: Annotated[bool, typer.Option("--debug", help="Show a traceback if something fails.")] = False,
) -> None:
    """Label pictures: soft masks and how sure they are, for training.

    What is done already is not done again. Pictures in which nobody is found, or on which the
    teachers disagree, are dropped; labels.json says which and why.
    """
    from livematte.cli._job import quiet
    from livematte.training import label
    from livematte.training.teachers import TEACHERS

    settings = label.Settings(tuple(teacher or TEACHERS), weights, agreement, matting, jobs, tuple(student or ()))
    with bar("label") as progress:
        report = label.label(
            images, output, settings, masks=masks, progress=progress, loading=nullcontext if debug else quiet
        )
    dropped = len(report.outcomes) - report.kept
    if json_:
        figures = {"kept": report.kept, "dropped": dropped, "done_now": report.done_now, "output": str(output)}
        typer.echo(json.dumps(figures))
    else:
        typer.echo(f"{output}: {report.kept} labelled, {dropped} dropped; {output / 'labels.json'} says why")


@contextmanager
def bar(title: str) -> Iterator[Callable[[int, int], None]]:
    """A progress bar of pictures on stderr where somebody watches, nothing elsewhere."""
    if not sys.stderr.isatty():
        yield lambda done, total: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn(compact=True))
    with Progress(*columns, console=Console(stderr=True), transient=True) as shown:
        task = shown.add_task(title, total=None)
        yield lambda done, total: shown.update(task, completed=done, total=total)
