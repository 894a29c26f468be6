"""`livematte prune`: a smaller network from a trained one."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from livematte.cli._options import Trained

EXAMPLE = "Example: livematte prune runs/base -o half.pt --keep 0.5"


def command(
    weights: Trained,
    out: Annotated[Path, typer.Option("--out", "-o", metavar="FILE", help="Weights of the smaller network.")],
    keep: Annotated[float, typer.Option(metavar="0-1", help="Part of the channels that stays.")] = 0.75,
    json_: Annotated[bool, typer.Option("--json", help="Print the sizes as one JSON object.")] = False,
    debug: Annotated[bool, typer.Option("--debug", help="Show a traceback if something fails.")] = False,
) -> None:
    """Take away the channels that matter least; then train on with a recipe whose net is "init"."""
    from livematte.training import require_torch

    require_torch()
    from livematte.cli import _reshaped
    from livematte.training.net import load_weights
    from livematte.training.prune import prune

    net = load_weights(weights)
    _reshaped.write(out, prune(net, keep), net, json_=json_)
