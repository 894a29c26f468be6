"""Results as plain values for JSON, and as tables for a terminal."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from livematte.evaluation import subsets
from livematte.evaluation.metrics import SCALE
from livematte.evaluation.score import Means, Result, Scores

HEADINGS = {
    "iou": "IoU",
    "boundary_f": "boundary F",
    "mad": "MAD x1000",
    "mse": "MSE x1000",
    "grad": "Grad /1000",
    "conn": "Conn /1000",
    "dtssd": "dtSSD x100",
    "flicker": "flicker x1000",
    "trailing": "trailing px·frame",
}
"""Of columns, with the scale of `metrics.SCALE`."""

BRIEF = ("iou", "boundary_f", "mad")
"""What a table of subsets shows of each model."""

DIGITS = {"iou": 3, "boundary_f": 3, "dtssd": 2, "flicker": 2, "trailing": 2}
"""Decimals in tables; one for all others."""

JSON_DIGITS = 5
"""Decimals in JSON."""


def as_dict(result: Result) -> dict[str, Any]:
    """A result as plain values, the scores in the units of `HEADINGS`."""
    figures: dict[str, Any] = {"model": result.model, "engine": result.engine, "weights": result.weights}
    if result.pictures.cases:
        figures["pictures"] = _means(result.pictures)
        figures["subsets"] = {
            kind: {member: _means(found[member]) for member in subsets.KINDS[kind] if member in found}
            for kind, found in result.subsets.items()
        }
        figures["worst"] = [{"name": shown.name, **_scaled(shown.scores)} for shown in result.worst]
    if result.clips:
        figures["clips"] = [{"name": name, **_means(clip, "frames")} for name, clip in result.clips]
        figures["all_clips"] = _means(result.clip_means(), "clips")
    return figures


def tables(results: Sequence[Result]) -> list[Any]:
    """Tables of rich: all pictures, their subsets, the worst ones, the clips; those there are."""
    shown = []
    if results[0].pictures.cases:
        rows = [(result.label, result.pictures) for result in results]
        shown += [_table("pictures", rows), _subset_table(results)]
        shown += [_worst_table(result) for result in results if result.worst.count]
    if results[0].clips:
        rows = [(f"{name}  {result.label}", clip) for result in results for name, clip in result.clips]
        if len(results[0].clips) > 1:
            rows += [(f"all clips  {result.label}", result.clip_means()) for result in results]
        shown.append(_table("clips", rows, "frames"))
    return shown


def _table(title: str, rows: Sequence[tuple[str, Means]], count: str = "pictures") -> Any:
    names = [name for name in HEADINGS if any(name in means.scores() for _, means in rows)]
    table = _empty(title, "", count, *(HEADINGS[name] for name in names))
    for label, means in rows:
        scores = means.scores()
        table.add_row(label, str(means.cases), *(_cell(name, scores) for name in names))
    return table


def _subset_table(results: Sequence[Result]) -> Any:
    table = _empty("IoU / boundary F / MAD x1000", "", "pictures", *(result.label for result in results))
    for kind, members in subsets.KINDS.items():
        for member in members:
            found = [result.subsets[kind].get(member) for result in results]
            if found[0] is not None:
                cells = (_brief(means.scores()) for means in found if means is not None)
                table.add_row(f"{kind}: {member}", str(found[0].cases), *cells)
    return table


def _worst_table(result: Result) -> Any:
    table = _empty(f"lowest IoU of {result.label}", "", *(HEADINGS[name] for name in BRIEF))
    for shown in result.worst:
        table.add_row(shown.name, *(_cell(name, shown.scores) for name in BRIEF))
    return table


def _empty(title: str, *headings: str) -> Any:
    from rich import box
    from rich.table import Table

    table = Table(title=title, box=box.SIMPLE_HEAD, title_justify="left", title_style="bold", pad_edge=False)
    for index, heading in enumerate(headings):
        table.add_column(heading, justify="right" if index else "left", no_wrap=not index)
    return table


def _brief(scores: Scores) -> str:
    return " / ".join(_cell(name, scores) for name in BRIEF)


def _cell(name: str, scores: Scores) -> str:
    return f"{scores[name] * SCALE[name]:.{DIGITS.get(name, 1)}f}" if name in scores else "-"


def _means(means: Means, count: str = "count") -> dict[str, Any]:
    return {count: means.cases, **_scaled(means.scores())}


def _scaled(scores: Scores) -> Scores:
    return {name: round(value * SCALE[name], JSON_DIGITS) for name, value in scores.items()}
