"""The end of commands that make a network of another shape from a trained one."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    from livematte.training.nets import Network


def write(out: Path, made: Network, before: Network, *, json_: bool) -> None:
    """Write the weights of a network, and tell its work beside that of the one it was made from."""
    from livematte.training import checkpoint
    from livematte.training.net import multiply_adds

    checkpoint.save_weights(out, made)
    was, now = multiply_adds(before), multiply_adds(made)
    if json_:
        typer.echo(json.dumps({"multiply_adds": now, "before": was, "size_bytes": out.stat().st_size}))
    else:
        typer.echo(f"{out}  {now / 1e6:.1f} M multiply-adds at 256x144, {now / was:.0%} of {was / 1e6:.1f} M")
