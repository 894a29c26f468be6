"""A progress bar on stderr where somebody watches, nothing elsewhere."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from livematte._stats import Stats

REFRESH_HZ = 5
"""Redraws a second: a bar that costs less than 1 % of a core."""


@contextmanager
def progress(label: str, frames: int | None) -> Iterator[Callable[[Stats], None]]:
    """A callback for `run()` that shows how far the job is.

    Args:
        label: what is being done.
        frames: how many there will be; None shows a bar without an end.
    """
    if not sys.stderr.isatty():
        yield lambda stats: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[fps]:.1f} fps"),
        TimeRemainingColumn(compact=True),
    )
    with Progress(*columns, console=Console(stderr=True), refresh_per_second=REFRESH_HZ, transient=True) as bar:
        task = bar.add_task(label, total=frames, fps=0.0)
        yield lambda stats: bar.update(task, completed=stats.frames, fps=stats.fps)


@contextmanager
def waiting(label: str) -> Iterator[Callable[[str], None]]:
    """What is being done, on stderr, where somebody watches; nothing elsewhere."""
    if not sys.stderr.isatty():
        yield lambda text: None
        return
    from rich.console import Console

    with Console(stderr=True).status(label) as status:
        yield lambda text: status.update(f"{label}: {text}")
