"""`livematte widen`: a wider network that does what a trained one does."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from livematte.cli._options import Trained

EXAMPLE = "Example: livematte widen runs/base -o wide.pt --factor 1.5"


def command(
    weights: Trained,
    out: Annotated[Path, typer.Option("--out", "-o", metavar="FILE", help="Weights of the wider network.")],
    factor: Annotated[float, typer.Option(metavar="1-4", help="Of all numbers of channels.")] = 1.5,
    json_: Annotated[bool, typer.Option("--json", help="Print the sizes as one JSON object.")] = False,
    debug: Annotated[bool, typer.Option("--debug", help="Show a traceback if something fails.")] = False,
) -> None:
    """Give a network more channels without a change of its mattes; then train on with a recipe whose net is "init"."""
    from livematte.training import require_torch

    require_torch()
    from livematte.cli import _reshaped
    from livematte.training.net import load_weights
    from livematte.training.widen import widen

    net = load_weights(weights)
    _reshaped.write(out, widen(net, factor), net, json_=json_)
