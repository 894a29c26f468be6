"""`livematte tune`: the fastest engine for a model on this device."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Annotated, Any

import typer

EXAMPLE = "Example: livematte tune --model livematte:fast"


def command(
    model: Annotated[str, typer.Option(help="Network that finds people; `livematte models list`.")] = "livematte",
    seconds: Annotated[float, typer.Option(metavar="S", help="How long it may take, from 1 to 600.")] = 18.0,
    forget: Annotated[bool, typer.Option("--forget", help="Forget what was measured for this model.")] = False,
    json_: Annotated[bool, typer.Option("--json", help="Print figures as one JSON object on stdout.")] = False,
    debug: Annotated[bool, typer.Option("--debug", help="Show a traceback if something fails.")] = False,
) -> None:
    """Measure engines, threads and precisions for a model, and remember the fastest.

    `--engine auto`, the default of every command, uses it from then on. A candidate counts only if its
    matte is the same as ONNX Runtime's: within one step of 8 bits on average, 16 at most.
    """
    from livematte import _doctor, _tune
    from livematte.cli._progress import waiting

    name = _tune.spec_of(model).name
    if forget:
        gone = _tune.forget(model)
        found = "forgotten" if gone else "nothing was remembered"
        typer.echo(json.dumps({"model": name, "forgotten": gone}) if json_ else f"{name}: {found}")
        return
    with waiting("tuning") as progress:
        choice, candidates = _tune.tune(model, seconds, progress=progress)
    figures: dict[str, Any] = {
        "model": name,
        "cpu": _doctor.cpu(),
        "choice": asdict(choice),
        "candidates": [{k: v for k, v in asdict(c).items() if k != "blocks"} for c in candidates],
    }
    typer.echo(json.dumps(figures, indent=2) if json_ else "\n".join(lines(figures)))


def lines(figures: dict[str, Any]) -> list[str]:
    """The figures for a reader: a row for each candidate."""
    cpu, choice = figures["cpu"], figures["choice"]
    rows = [f"{figures['model']} on {cpu['name']}, {cpu['cores']} cores", ""]
    rows.append(f"{'engine':<20}{'threads':>8}{'median ms':>11}{'of 255':>9}{'at most':>9}")
    for found in figures["candidates"]:
        ms = "-" if found["ms"] is None else f"{found['ms']:.2f}"
        difference = "-" if found["difference"] is None else f"{found['difference'] * 255:.3f}"
        largest = "-" if found["largest"] is None else f"{found['largest'] * 255:.2f}"
        chosen = (found["engine"], found["threads"]) == (choice["engine"], choice["threads"])
        note = "chosen" if chosen else found["why"]
        rows.append(f"{found['engine']:<20}{found['threads']:>8}{ms:>11}{difference:>9}{largest:>9}  {note}".rstrip())
    return [*rows, "", f"Remembered: --engine auto is {choice['engine']} on {choice['threads']} thread(s) here."]
