"""`livematte bench`: what a frame costs on this device."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from livematte.cli._options import parse_size

EXAMPLE = "Example: livematte bench --model livematte --size 1280x720"

DEFAULT_SIZES = ["640x360", "1280x720", "1920x1080"]


def command(
    model: Annotated[str, typer.Option(help="Network that finds people; `livematte models list`.")] = "livematte",
    engine: Annotated[str, typer.Option(help="What runs the network: auto, or a name; `livematte doctor`.")] = "auto",
    threads: Annotated[int | None, typer.Option(metavar="N", help="Threads of the engine.")] = None,
    weights: Annotated[
        str | None, typer.Option(metavar="FILE", help="Weights from this file in place of the model's own.")
    ] = None,
    effect: Annotated[str, typer.Option(help="What the background becomes, such as blur:0.6.")] = "blur:0.6",
    refine: Annotated[bool, typer.Option("--refine/--no-refine", help="Follow the picture's edges.")] = True,
    size: Annotated[
        list[str] | None, typer.Option(metavar="WxH", help="Size of the frames; may be given again.  [default: three]")
    ] = None,
    frames: Annotated[int, typer.Option(metavar="N", min=1, max=100_000, help="Frames of each measurement.")] = 100,
    models: Annotated[
        str | None,
        typer.Option(metavar="all|A,B,C", help="Compare these models instead, at 1280x720, each in its own process."),
    ] = None,
    data: Annotated[
        Path | None, typer.Option(metavar="DIR", help="With --models: pictures and masks, for the IoU.")
    ] = None,
    limit: Annotated[
        int | None, typer.Option(metavar="N", min=1, help="With --data: pictures of it, evenly spread.")
    ] = None,
    json_: Annotated[bool, typer.Option("--json", help="Print figures as one JSON object on stdout.")] = False,
    debug: Annotated[bool, typer.Option("--debug", help="Show a traceback if something fails.")] = False,
) -> None:
    """Measure this device: milliseconds of a frame, stage by stage.

    The frames are generated and lie in memory: decoding and encoding are not counted.
    """
    from livematte import _bench, _doctor
    from livematte._errors import OptionError
    from livematte._session import build_stages

    if models is not None:
        _compare(models, engine, threads, effect, frames, data, limit, json_)
        return
    if data is not None or limit is not None:
        raise OptionError("--data and --limit go with --models")
    sizes = [parse_size(text) for text in size or DEFAULT_SIZES]
    stages = build_stages(model, effect, engine=engine, threads=threads, weights=weights, refine=refine)
    try:
        measured = {str(s): _bench.measure(stages, _bench.synthetic_frames(s), frames) for s in sizes}
        figures: dict[str, Any] = {
            "model": stages.segmenter.name,
            "engine": getattr(stages.segmenter, "engine", engine),
            "effect": effect,
            "cpu": _doctor.cpu(),
            "kernels": _doctor.kernels(),
            "sizes": measured,
        }
    finally:
        stages.segmenter.close()
    typer.echo(json.dumps(figures, indent=2) if json_ else "\n".join(lines(figures)))


def _compare(
    names: str,
    engine: str,
    threads: int | None,
    effect: str,
    frames: int,
    data: Path | None,
    limit: int | None,
    json_: bool,
) -> None:
    """One table over models."""
    from livematte import _bench_models, _doctor
    from livematte._errors import OptionError
    from livematte.cli._progress import waiting

    if data is not None and not data.exists():
        raise OptionError(f"--data: there is no folder {data}")
    here, absent = _bench_models.chosen(names)
    with waiting("measuring") as progress:
        rows = list(
            _bench_models.rows(
                here,
                engine=engine,
                threads=threads,
                effect=effect,
                frames=frames,
                data=data,
                limit=limit,
                progress=progress,
            )
        )
    figures = {
        "cpu": _doctor.cpu(),
        "kernels": _doctor.kernels(),
        "frame": str(_bench_models.SIZE),
        "effect": effect,
        "data": None if data is None else data.name,
        "rows": rows,
        "not_here": [spec.name for spec in absent],
    }
    typer.echo(json.dumps(figures, indent=2) if json_ else "\n".join(table(figures)))
    if rows and all("error" in row for row in rows):
        raise typer.Exit(1)


COLUMNS = (("network_ms", "network ms", 2), ("frame_ms", "720p ms", 2), ("cpu_ms", "CPU ms", 2),
           ("peak_mb", "peak MB", 0), ("iou", "IoU", 3))  # fmt: skip
"""Figures of a row, their headings and decimals."""


def table(figures: dict[str, Any]) -> list[str]:
    """Models for a reader: a row for each."""
    from livematte import _bench_models

    cpu = figures["cpu"]
    width = max((len(row["model"]) for row in figures["rows"]), default=5)
    lines = [
        f"{figures['effect']} on {figures['frame']}, {cpu['name']}, {cpu['cores']} cores"
        + (f"; IoU on {figures['data']}" if figures["data"] else ""),
        "",
        f"{'model':<{width}}  {'engine':<12}" + "".join(f"{head:>12}" for _, head, _ in COLUMNS) + "  commercial use",
    ]
    for row in figures["rows"]:
        if "error" in row:
            lines.append(f"{row['model']:<{width}}  FAILED: {row['error']}")
            continue
        shown = "".join(f"{'-' if row[key] is None else f'{row[key]:.{n}f}':>12}" for key, _, n in COLUMNS)
        terms = {True: "yes", False: "no", None: "unclear"}[row["commercial"]]
        lines.append(f"{row['model']:<{width}}  {row['engine']:<12}{shown}  {terms}")
    if figures["not_here"]:
        missing = _bench_models.by_family(figures["not_here"])
        lines += ["", f"Not measured, their weights are not here: {missing}. `livematte models list` names them."]
    return lines


def lines(figures: dict[str, Any]) -> list[str]:
    """The figures for a reader: a column for each size."""
    cpu, sizes = figures["cpu"], figures["sizes"]
    kernels = figures["kernels"].get("variant", "missing")
    rows = [
        f"{figures['model']} on {figures['engine']}, {figures['effect']}, {kernels} kernels",
        f"{cpu['name']}, {cpu['cores']} cores",
        "",
        f"{'median ms':<16}" + "".join(f"{size:>12}" for size in sizes),
    ]
    names = list(dict.fromkeys(name for found in sizes.values() for name in found["parts"]))
    for name in names:
        times = (found["parts"].get(name, {}).get("p50_ms") for found in sizes.values())
        rows.append(f"{name:<16}" + "".join(f"{'-' if ms is None else f'{ms:.2f}':>12}" for ms in times))
    rows.append(f"{'whole frame':<16}" + "".join(f"{found['frame']['p50_ms']:>12.2f}" for found in sizes.values()))
    rows.append(f"{'  95th percent':<16}" + "".join(f"{found['frame']['p95_ms']:>12.2f}" for found in sizes.values()))
    rows.append(f"{'frames a second':<16}" + "".join(f"{found['fps']:>12.0f}" for found in sizes.values()))
    return rows
