"""`livematte widen`: a wider network that does what a trained one does."""

from __future__ import annotations

import json
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
    from livematte.training import checkpoint
    from livematte.training.net import load_weights, multiply_adds
    from livematte.training.widen import widen

    net = load_weights(weights)
    wide = widen(net, factor)
    checkpoint.save_weights(out, wide)
    before, after = multiply_adds(net), multiply_adds(wide)
    if json_:
        typer.echo(json.dumps({"multiply_adds": after, "before": before, "size_bytes": out.stat().st_size}))
    else:
        typer.echo(f"{out}  {after / 1e6:.1f} M multiply-adds at 256x144, {after / before:.0%} of {before / 1e6:.1f} M")
