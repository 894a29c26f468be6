"""`livematte models`: which networks there are, and their weights on this machine."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import typer

from livematte import _registry, _weights
from livematte._errors import WeightsError
from livematte._weights import WeightsFile
from livematte.models._spec import ModelSpec, pick

COMMERCIAL = {True: "yes", False: "no", None: "unclear"}
"""Whether commercial use is clear, in words."""

Json = Annotated[bool, typer.Option("--json", help="Print a JSON array.")]
Debug = Annotated[bool, typer.Option("--debug", help="Show a traceback if something fails.")]
Name = Annotated[str, typer.Argument(metavar="MODEL", help="A name such as mediapipe:landscape.")]
Names = Annotated[list[str] | None, typer.Argument(metavar="[MODEL]...", help="Names; all of them by default.")]

app = typer.Typer(no_args_is_help=True, rich_markup_mode=None, help="List, fetch and check the networks.")


@app.command("list", epilog="Example: livematte models list")
def list_(json_: Json = False, debug: Debug = False) -> None:
    """Every model with its size, its terms, and whether its weights are here."""
    specs = every()
    if json_:
        typer.echo(json.dumps([facts(spec) for spec in specs], indent=2))
        return
    width = max(len(spec.name) for spec in specs)
    for spec in specs:
        terms = f"commercial use: {COMMERCIAL[spec.commercial]}"
        typer.echo(f"{spec.name:<{width}}  {spec.size!s:<8} {state(spec):<11} {terms:<24} {spec.summary}")


@app.command(epilog="Example: livematte models info mediapipe:landscape")
def info(name: Name, json_: Json = False, debug: Debug = False) -> None:
    """Everything that is known about one model."""
    known = facts(find(name))
    if json_:
        typer.echo(json.dumps(known, indent=2))
        return
    for key, value in known.items():
        if key != "files":
            typer.echo(f"{key:<11} {value}")
    for file in known["files"]:
        typer.echo(f"{'file':<11} {file['path']} ({file['state']}, {file['size_bytes']} bytes)")
        typer.echo(f"{'':<11} {file['url'] or file['origin']}")
        typer.echo(f"{'':<11} sha256 {file['sha256']}")


@app.command(epilog="Example: livematte models pull mediapipe:landscape")
def pull(names: Names = None, debug: Debug = False) -> None:
    """Fetch weights from their official address, and check them."""
    wanted = [find(name) for name in names] if names else [s for s in every() if all(f.published for f in s.all_files)]
    for spec in wanted:
        for file in spec.all_files:
            with bar(spec.name) as progress:
                path = _weights.pull(file, progress)
            typer.echo(f"{spec.name}  {path}")


@app.command(epilog="Example: livematte models verify")
def verify(names: Names = None, debug: Debug = False) -> None:
    """Compare the weights on this machine with what was published.

    Exits with 0 if all that are here are unharmed; a named model must be here.
    """
    bad: list[str] = []
    for spec in [find(name) for name in names] if names else every():
        for file in spec.all_files:
            found = check(file)
            typer.echo(f"{spec.name}  {file.path}  {found}")
            if found != "ok" and (names or found != "not here"):
                bad.append(spec.name)
    if bad:
        raise WeightsError(
            f"missing or not as published: {', '.join(dict.fromkeys(bad))}; run `livematte models pull` with the name"
        )


def every() -> list[ModelSpec]:
    """The specs of all registered models, in the order of their names."""
    return [spec for name in _registry.names("models") for spec in specs_of(name).values()]


def find(spelling: str) -> ModelSpec:
    """The spec of `family` or `family:tag`.

    Raises:
        UnknownName: no such model or tag.
    """
    name, tag = _registry.split(spelling)
    return pick(specs_of(name), name, tag)


def specs_of(name: str) -> dict[str, ModelSpec]:
    """Specs of one family by tag; models of other packages may have none."""
    specs: dict[str, ModelSpec] = getattr(_registry.load("models", name), "SPECS", {})
    return specs


def facts(spec: ModelSpec) -> dict[str, Any]:
    """A spec as plain values."""
    return {
        "name": spec.name,
        "summary": spec.summary,
        "size": ", ".join(str(shape.size) for shape in spec.shapes),
        "licence": spec.licence,
        "commercial": COMMERCIAL[spec.commercial],
        "source": spec.source,
        "state": state(spec),
        "files": [
            {
                "path": str(_weights.place(file)),
                "state": "here" if _weights.place(file).is_file() else "not here",
                "size_bytes": file.size_bytes,
                "sha256": file.sha256,
                "url": file.url,
                "origin": origin(file),
            }
            for file in spec.all_files
        ],
    }


def origin(file: WeightsFile) -> str:
    """Where a file comes from, in words."""
    if file.packaged:
        return "in the package"
    return "official address" if file.url else "no official address: pass --weights FILE"


def state(spec: ModelSpec) -> str:
    """Where a model's weights are: `in package`, `pulled` or `not here`."""
    if all(file.packaged for file in spec.all_files):
        return "in package"
    return "pulled" if any(_weights.place(file).is_file() for file in spec.all_files) else "not here"


def check(file: WeightsFile) -> str:
    """`ok`, `not here`, or what is wrong with it."""
    path: Path = _weights.place(file)
    if not path.is_file():
        return "not here"
    try:
        _weights.verify(path, file)
    except WeightsError as exc:
        return str(exc)
    return "ok"


@contextmanager
def bar(label: str) -> Iterator[Callable[[int, int], None]]:
    """A progress bar of bytes on stderr where somebody watches, nothing elsewhere."""
    if not sys.stderr.isatty():
        yield lambda done, total: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn, TransferSpeedColumn

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        DownloadColumn(),
        TransferSpeedColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=Console(stderr=True), transient=True) as shown:
        task = shown.add_task(label, total=None)
        yield lambda done, total: shown.update(task, completed=done, total=total)
