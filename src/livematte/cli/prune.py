"""`livematte prune`: a smaller network from a trained one."""

from __future__ import annotations

import json
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
    from livematte.training import checkpoint
    from livematte.training.net import load_weights, multiply_adds
    from livematte.training.prune import prune

    net = load_weights(weights)
    small = prune(net, keep)
    checkpoint.save_weights(out, small)
    before, after = multiply_adds(net), multiply_adds(small)
    if json_:
        typer.echo(json.dumps({"multiply_adds": after, "before": before, "size_bytes": out.stat().st_size}))
    else:
        typer.echo(f"{out}  {after / 1e6:.1f} M multiply-adds at 256x144, {after / before:.0%} of {before / 1e6:.1f} M")
