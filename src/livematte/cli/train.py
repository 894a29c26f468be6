"""`livematte train`: from folders of pictures and masks to weights."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import typer

from livematte import _registry
from livematte.cli import SIGNALED
from livematte.training.datasets import PLUGINS

EXAMPLE = "Example: livematte train --recipe fast --data people --dev people-dev --out runs/fast"


def command(
    out: Annotated[Path, typer.Option("--out", "-o", metavar="DIR", help="Folder of the run.")],
    data: Annotated[
        list[str] | None,
        typer.Option(
            metavar="[KIND:]DIR[:SHARE]",
            help=f"Pictures and masks; may be given again. KIND is {', '.join(_registry.names(PLUGINS))}; "
            "without one it is pairs, a folder with images/ and masks/.",
        ),
    ] = None,
    backgrounds: Annotated[
        list[str] | None,
        typer.Option(
            metavar="[KIND:]DIR[:SHARE]",
            help="Pictures that show nobody; may be given again. A folder of them, coco:DIR for those without people, "
            "or procedural:N for N rooms that are made up.",
        ),
    ] = None,
    recipe: Annotated[str, typer.Option(help="Its name, such as fast or base, or a .toml file.")] = "fast",
    dev: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Pictures for validation, which are not trained on.")
    ] = None,
    init: Annotated[
        Path | None,
        typer.Option(
            metavar="WEIGHTS", help="Start from a run's folder, a weights file, or livematte:base as it ships."
        ),
    ] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on from the checkpoint in --out, if any.")] = False,
    threads: Annotated[int | None, typer.Option(metavar="N", min=1, help="Threads of the processor.")] = None,
    device: Annotated[str, typer.Option(help="auto, cpu or cuda.")] = "auto",
    cache: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Where scaled pictures are kept.  [default: in --out]")
    ] = None,
    save_every: Annotated[float, typer.Option(metavar="SECONDS", min=1, help="Time between checkpoints.")] = 300,
    validate_every: Annotated[int, typer.Option(metavar="STEPS", min=1, help="Steps between validations.")] = 1000,
    json_: Annotated[bool, typer.Option("--json", help="Print how it ended as one JSON object on stdout.")] = False,
    debug: Annotated[bool, typer.Option("--debug", help="Show a traceback if something fails.")] = False,
) -> None:
    """Train a network; Ctrl-C stops it so that --resume goes on where it was.

    On many GPUs or processes: torchrun --nproc-per-node N -m livematte train ...
    """
    from livematte.training import require_torch
    from livematte.training.recipe import read_recipe

    require_torch()
    from livematte.training.data import parse_folder
    from livematte.training.train import Job, train

    folders = [*map(parse_folder, data or ()), *(parse_folder(text, empty=True) for text in backgrounds or ())]
    job = Job(
        recipe=read_recipe(recipe),
        folders=tuple(folders),
        out=out,
        dev=dev,
        init=init,
        resume=resume,
        threads=threads,
        device=device,
        cache=cache,
        save_s=save_every,
        validate_steps=validate_every,
    )
    with shown(job.recipe.steps) as (report, reading):
        outcome = train(job, report, reading)
    figures = {"step": outcome.step, "steps": outcome.steps, **{f"dev_{k}": v for k, v in outcome.figures.items()}}
    if os.environ.get("RANK", "0") != "0":  # under torchrun one process speaks for all
        pass
    elif json_:
        typer.echo(json.dumps(figures))
    elif outcome.signum is None:
        typer.echo(f"{out / 'weights.pt'}  {outcome.step} steps{_figures(outcome.figures)}")
    if outcome.signum is not None:
        sys.stderr.write(f"livematte: stopped after step {outcome.step}; --resume goes on from there\n")
        raise typer.Exit(SIGNALED + outcome.signum)


def _figures(figures: dict[str, float]) -> str:
    return "".join(f", dev {name} {value:.4f}" for name, value in figures.items())


@contextmanager
def shown(steps: int) -> Iterator[tuple[Callable[[dict[str, Any]], None], Callable[[str, int, int], None]]]:
    """Callbacks for the log and for the reading: a bar where somebody watches, lines elsewhere."""
    if not sys.stderr.isatty():
        yield lambda line: _tell(json.dumps(line)), lambda name, done, total: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[said]}"),
        TimeRemainingColumn(compact=True),
    )
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("training", total=steps, said="")

        def report(line: dict[str, Any]) -> None:
            if "loss" in line:
                said = f"{line['size']} loss {line['loss']:.4f} {line['pictures_per_s']:.0f} pictures/s"
                bar.update(task, description="training", completed=line["step"], total=steps, said=said)
            else:
                bar.console.print(f"step {line['step']}: IoU {line['dev_iou']:.4f}, MAD {line['dev_mad']:.4f}")

        def reading(name: str, done: int, total: int) -> None:
            bar.update(task, description=f"reading {Path(name).name}", completed=done, total=total)

        yield report, reading


def _tell(line: str) -> None:
    sys.stderr.write(f"{line}\n")
    sys.stderr.flush()
