"""`livematte mix`: weights between two networks, one trained on from the other."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Annotated

import typer

from livematte.cli._options import Trained

EXAMPLE = "Example: livematte mix runs/first runs/steady --share 0.75 -o runs/mixed"


def command(
    start: Annotated[Path, typer.Argument(metavar="WEIGHTS", help="What the second was trained on from.")],
    end: Trained,
    out: Annotated[Path, typer.Option("--out", "-o", metavar="DIR", help="Folder for the weights between the two.")],
    share: Annotated[float, typer.Option(metavar="0-1", help="Part that the second has in them.")] = 0.5,
    debug: Annotated[bool, typer.Option("--debug", help="Show a traceback if something fails.")] = False,
) -> None:
    """Mix the weights before and after a training, to keep some of what it cost; the run's log goes along."""
    from livematte.training import require_torch

    require_torch()
    from livematte._errors import OptionError
    from livematte.training import checkpoint
    from livematte.training.mix import mix
    from livematte.training.net import load_weights

    if out.resolve() in {(path if path.is_dir() else path.parent).resolve() for path in (start, end)}:
        raise OptionError(f"{out} holds what is mixed, and would be written over: pass another folder to --out")
    first, second = (load_weights(path) for path in (start, end))
    mixed = mix(first, second, share)
    out.mkdir(parents=True, exist_ok=True)
    if (run := end / "run.json").is_file():
        facts = {**json.loads(run.read_text(encoding="utf-8")), "mixed": {"share": share, "start": start.name}}
        (out / "run.json").write_text(json.dumps(facts, indent=2) + "\n", encoding="utf-8")
        if (log := end / "log.jsonl").is_file():
            shutil.copy(log, out)
    checkpoint.save_weights(out / "weights.pt", mixed)
    typer.echo(f"{out / 'weights.pt'}  {share:.0%} of {end}, {1 - share:.0%} of {start}")
