"""`livematte evaluate`: how good the mattes of one or more networks are."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from contextlib import ExitStack, nullcontext
from pathlib import Path
from typing import Annotated, Any

import typer

from livematte import _registry
from livematte._errors import OptionError
from livematte.cli._progress import progress
from livematte.cli.models import specs_of

EXAMPLE = "Example: livematte evaluate --data people --model livematte --model mediapipe:general"

WORST_SHOWN = 12
"""Pictures on a sheet for which no number is given."""

WIDE_COLUMNS = 200
"""Width of tables that nobody watches: nothing is folded in a file."""


def command(
    data: Annotated[
        list[str],
        typer.Option(
            metavar="DIR",
            help="images/ with masks/, clips/ with alphas/, a video, or clips that are made: motion:DIR[,BACKGROUNDS] "
            "or synthetic:WIDTHxHEIGHT; may be given again.",
        ),
    ],
    model: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME[=FILE]", help="Network, with weights of its own; again to compare.  [livematte]"),
    ] = None,
    weights: Annotated[
        str | None, typer.Option(metavar="FILE", help="Weights from this file, where there is one model.")
    ] = None,
    engine: Annotated[str, typer.Option(help="What runs the networks: auto, or a name; `livematte doctor`.")] = "auto",
    threads: Annotated[int | None, typer.Option(metavar="N", help="Threads of the engine.")] = None,
    raw: Annotated[bool, typer.Option("--raw", help="The network alone: neither refined nor steadied.")] = False,
    side: Annotated[
        int, typer.Option(metavar="PX", min=16, max=16384, help="Longest side at which pictures are scored.")
    ] = 640,
    limit: Annotated[
        int | None, typer.Option(metavar="N", min=1, help="Only N pictures or clips of each DIR, evenly spread.")
    ] = None,
    worst: Annotated[
        int | None, typer.Option(metavar="N", min=1, max=100, help="Name the N pictures of lowest IoU.")
    ] = None,
    sheet: Annotated[
        Path | None, typer.Option(metavar="FILE.png", help="Show the worst pictures of the first model.")
    ] = None,
    json_: Annotated[bool, typer.Option("--json", help="Print figures as one JSON object on stdout.")] = False,
    debug: Annotated[bool, typer.Option("--debug", help="Show a traceback if something fails.")] = False,
) -> None:
    """Score networks on pictures and clips whose truth is known.

    A video without truth is scored by its flicker: how much alpha changes where the
    picture stands still.
    """
    from livematte.cli._job import quiet
    from livematte.evaluation import datasets, metrics, score, tables
    from livematte.evaluation import sheet as contact_sheet

    if sheet is not None and sheet.suffix.lower() != ".png":
        raise OptionError(f"--sheet writes a PNG: name it .png, not {sheet.name!r}")
    wanted = models_of(model or ["livematte"], weights)
    cases = [case for path in data for case in datasets.find(path, limit)]
    if sheet is not None and not any(isinstance(case, datasets.Picture) for case in cases):
        raise OptionError("--sheet shows pictures, and there are none in --data: it needs images/ with masks/")
    with ExitStack() as stack:
        loaded = []
        for name, file in wanted:
            with nullcontext() if debug else quiet():
                one = score.Model(name, engine=engine, threads=threads, weights=file, raw=raw)
            stack.callback(one.close)
            loaded.append(one)
        shown = stack.enter_context(progress("evaluate", datasets.frames(cases)))
        results = score.evaluate(
            cases,
            loaded,
            side_px=side,
            worst=worst or (WORST_SHOWN if sheet else 0),
            panel=contact_sheet.panel if sheet else None,
            progress=shown,
        )
    if sheet is not None:
        contact_sheet.write(sheet, results[0].worst, [result.label for result in results])
    if json_:
        about = {"data": data, "side_px": side, "raw": raw, "scale": metrics.SCALE}
        typer.echo(json.dumps({**about, "models": [tables.as_dict(result) for result in results]}, indent=2))
    else:
        show(tables.tables(results))


def models_of(names: Sequence[str], weights: str | None) -> list[tuple[str, str | None]]:
    """Names with their weights file, from `NAME`, `NAME=FILE` and `--weights`.

    Raises:
        OptionError: it is not clear whose file `weights` is.
    """
    found = [_apart(name) for name in names]
    if weights is not None and (len(found) > 1 or found[0][1] is not None):
        raise OptionError("--weights is for one model; where there are more, write --model NAME=FILE")
    return [(name, file or weights) for name, file in found]


def _apart(text: str) -> tuple[str, str | None]:
    """`NAME=FILE` as both.

    Options of a model have `=`, too, as in `bodypix::resolution=0.5`, and so may paths: what is behind one is a file if
    it exists, or if the whole name of a model is before it; then loading says that the file is missing.
    """
    parts = text.split("=")
    for at in range(1, len(parts)):
        name, file = "=".join(parts[:at]), "=".join(parts[at:])
        if Path(file).is_file() or (at == 1 and _is_model(name)):
            return name, file
    return text, None


def _is_model(name: str) -> bool:
    """Whether this is `family` or `family:tag`, without anything behind it."""
    family, tag = _registry.split(name)
    return family in _registry.names("models") and (tag is None or tag in specs_of(family))


def show(tables: Sequence[Any]) -> None:
    """Print tables of rich on stdout."""
    from rich.console import Console

    console = Console(width=None if sys.stdout.isatty() else WIDE_COLUMNS, highlight=False)
    for table in tables:
        console.print(table)
