"""What `livematte live` shows: a line while it runs, figures at its end."""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Callable
from typing import Any

import typer

from livematte._clock import Clock, monotonic

REDRAW_NS = 200_000_000
"""Between two states of the line on the terminal."""


class StatusLine:
    """One line on the terminal, drawn over itself.

    Args:
        clock: monotonic nanoseconds.
    """

    def __init__(self, clock: Clock = monotonic) -> None:
        self._clock, self._drawn_ns = clock, -REDRAW_NS

    def draw(self, status: Callable[[], dict[str, Any]]) -> None:
        """Show how the stream is, unless that was done a moment ago."""
        now_ns = self._clock()
        if now_ns - self._drawn_ns >= REDRAW_NS:
            self._drawn_ns = now_ns
            columns = shutil.get_terminal_size().columns  # a line that wraps could not be drawn over
            sys.stderr.write(f"\r{line(status())[: columns - 1]}\x1b[K")
            sys.stderr.flush()

    def clear(self) -> None:
        """Take the line away."""
        sys.stderr.write("\r\x1b[K")
        sys.stderr.flush()


def line(status: dict[str, Any]) -> str:
    """The state of a stream in one line, what matters most first: terminals cut it off."""
    latency = status["latency"]
    times = " ".join(f"p{p} {latency[f'p{p}_ms']:.0f}" for p in (50, 95, 99)) if latency["p50_ms"] is not None else "-"
    unseen = status["readers"] == 0 and status["camera"] == "closed"
    state = "paused" if status["paused"] else "nobody looks" if unseen else status["camera"]
    size = "x".join(map(str, status["size"]))
    parts = [
        f"{state} {size} {status['fps']:.1f} fps",
        *([status["error"]] if status["error"] else []),
        f"{times} ms",
        f"dropped {status['dropped']}",
        f"covered {status['covered']}",
        status["rung"],
        status["effect"],
        f"{'loading' if status['loading'] else ''} {status['model']}".strip(),
    ]
    return " | ".join(parts)


def report(status: dict[str, Any], stats: dict[str, Any], spec: str, out: str, as_json: bool, notes: list[str]) -> None:
    """Print the figures of a stream that has ended: as JSON if asked for, else for a person who watches."""
    if as_json:
        figures = {"command": "live", "input": spec, "output": out, **status, "stages": stats["stages"], "notes": notes}
        typer.echo(json.dumps(figures), err=out == "-")
        return
    for note in notes:
        typer.echo(f"livematte: note: {note}", err=True)
    if sys.stderr.isatty():
        typer.echo(line(status), err=True)
    for change in status["rungs"]:
        typer.echo(f"  {change['at_s']:8.1f} s  {change['rung']}: {change['why']}", err=True)
