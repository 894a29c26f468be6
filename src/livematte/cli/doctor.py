"""`livematte doctor`: what a bug report needs, and proof that each part runs."""

from __future__ import annotations

import json
import shutil
import textwrap
from typing import Annotated, Any

import typer

EXAMPLE = "Example: livematte doctor --json > report.json"

MARGIN = 21
"""Columns of the names, with a space."""

NARROWEST = 60
"""Columns below which nothing is wrapped any narrower."""


def command(
    json_: Annotated[bool, typer.Option("--json", help="Print everything as one JSON object.")] = False,
    debug: Annotated[bool, typer.Option("--debug", help="Show a traceback if something fails.")] = False,
) -> None:
    """Show versions, and prove every part by using it.

    Exits with 0 only if the default path works on this machine.
    """
    from livematte import _doctor

    facts = _doctor.examine()
    typer.echo(json.dumps(facts, indent=2) if json_ else "\n".join(lines(facts)))
    if facts["problems"]:
        raise typer.Exit(1)


def lines(facts: dict[str, Any]) -> list[str]:
    """The facts for a reader."""
    cpu, kernels, ffmpeg, weights = (facts[key] for key in ("cpu", "kernels", "ffmpeg", "weights"))
    proof, live = facts["proof"], facts["live"]
    rows = [
        ("livematte", facts["livematte"]),
        ("Python", facts["python"]),
        ("system", facts["os"]),
        ("CPU", f"{cpu['name']}, {cpu['cores']} cores, {' '.join(cpu['features'])}"),
        ("NumPy", facts["numpy"]),
        ("kernels", kernels.get("variant") or f"FAILED: {kernels['error']}"),
        *((f"engine {name}", _engine(found)) for name, found in facts["engines"].items()),
        *((f"tuned {name}", _tuned(found)) for name, found in facts["tuned"].items()),
        ("FFmpeg", f"FAILED: {ffmpeg['error']}" if "error" in ffmpeg else f"{ffmpeg['ffmpeg']}, PyAV {ffmpeg['pyav']}"),
        *((f"encode {codec}", ", ".join(names) or "none") for codec, names in ffmpeg.get("encoders", {}).items()),
        ("weights in", f"{weights['folder']}: {', '.join(weights['pulled']) or 'none pulled'}"),
        ("a clip, blurred", f"FAILED: {proof['error']}" if "error" in proof else f"works, {proof['frames']} frames"),
        *(("live", reason) for reason in live["begins"]),
        ("cameras", ", ".join(live["cameras"]) or "none"),
        ("virtual camera", live["virtual"].get("missing") or f"can be offered, through {live['virtual']['through']}"),
    ]
    verdict = [f"PROBLEM: {problem}" for problem in facts["problems"]] or ["The default path works."]
    width = max(shutil.get_terminal_size().columns, NARROWEST)
    return [line for name, value in rows for line in wrapped(name, value, width)] + verdict


def wrapped(name: str, value: str, width: int) -> list[str]:
    """A row; what does not fit beside its name goes on below, and so does each part after a bar."""
    found: list[str] = []
    for part in value.split(" | "):
        found += textwrap.wrap(part, width - MARGIN, break_long_words=False, break_on_hyphens=False) or [""]
    return [f"{name if number == 0 else '':<{MARGIN - 1}} {line}" for number, line in enumerate(found)]


def _engine(found: dict[str, Any]) -> str:
    if "missing" in found:
        return str(found["missing"])
    if "error" in found:
        return f"{found['version']}, FAILED: {found['error']}"
    return f"{found['version']}, {found['ms']} ms, one thread, on {found['runs_on']}"


def _tuned(found: dict[str, Any]) -> str:
    return f"{found['engine']}, {found['threads']} thread(s), {found['ms']} ms"
