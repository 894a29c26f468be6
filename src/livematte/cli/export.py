"""`livematte export`: from weights to graphs that the engines run."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from livematte.cli._options import Trained, parse_size

EXAMPLE = "Example: livematte export runs/fast -o export --name livematte-fast --pictures people-dev"


def command(
    weights: Trained,
    out: Annotated[Path, typer.Option("--out", "-o", metavar="DIR", help="Where the graphs and model.json go.")],
    format_: Annotated[
        list[str] | None,
        typer.Option(
            "--format",
            metavar="NAME",
            help="onnx, tflite, tflite-fp16, onnx-fp16, onnx-int8, tflite-int8, tflite-dynamic or tfjs; may be given "
            "again.  [default: the first three]",
        ),
    ] = None,
    size: Annotated[
        list[str] | None,
        typer.Option(
            metavar="WxH",
            help="Size of the network's picture; may be given again.  [default: what it was made for]",
        ),
    ] = None,
    name: Annotated[str, typer.Option(help="First part of the files' names.")] = "livematte",
    pictures: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Pictures to compare on.  [default: generated ones]")
    ] = None,
    licence: Annotated[str, typer.Option(help="Terms of the weights, for model.json.")] = "not stated",
    commercial: Annotated[
        bool | None, typer.Option("--commercial/--no-commercial", help="Whether commercial use is clear.")
    ] = None,
    best: Annotated[bool, typer.Option("--best", help="The best weights of a run, not the last.")] = False,
    json_: Annotated[bool, typer.Option("--json", help="Print what was written as a JSON array.")] = False,
    debug: Annotated[bool, typer.Option("--debug", help="Show a traceback if something fails.")] = False,
) -> None:
    """Write ONNX, TFLite and TensorFlow.js graphs, each compared with torch on pictures, and model.json."""
    from livematte.training import require_torch

    require_torch()
    from dataclasses import asdict

    from livematte.training.export import DEFAULT_FORMATS, Graph, Terms, export

    def show(graph: Graph) -> None:
        if not json_:
            typer.echo(
                f"{out / graph.path}  {graph.size_bytes} bytes, difference from torch at most "
                f"{graph.largest_difference:.2g}, mean {graph.mean_difference:.2g}"
            )

    graphs = export(
        weights,
        out,
        sizes=[parse_size(text) for text in size or ()],
        formats=format_ or DEFAULT_FORMATS,
        name=name,
        terms=Terms(licence, commercial),
        pictures=pictures,
        best=best,
        done=show,
    )
    if json_:
        typer.echo(json.dumps([asdict(graph) for graph in graphs], indent=2))
