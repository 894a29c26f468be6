"""`livematte models`: which networks there are, and their weights on this machine."""

from __future__ import annotations

import json
import sys
import textwrap
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from enum import Enum
from itertools import groupby
from pathlib import Path
from typing import Annotated, Any

import typer

from livematte import _registry, _weights
from livematte._errors import LivematteError, OptionError, WeightsError
from livematte._weights import WeightsFile
from livematte.cli._options import parse_size
from livematte.models._spec import ModelSpec, pick

COMMERCIAL = {True: "yes", False: "no", None: "unclear"}
"""Whether commercial use is clear, in words."""

Json = Annotated[bool, typer.Option("--json", help="Print a JSON array.")]
Debug = Annotated[bool, typer.Option("--debug", help="Show a traceback if something fails.")]
Name = Annotated[str, typer.Argument(metavar="MODEL", help="A name such as mediapipe:landscape.")]
Names = Annotated[list[str] | None, typer.Argument(metavar="[MODEL]...", help="Names; all of them by default.")]
Pulled = Annotated[list[str] | None, typer.Argument(metavar="[MODEL]...", help="Names; see `livematte models list`.")]

COLUMNS = ("name", "picture", "cost", "ms", "commercial", "licence")
"""Of the table, which is for a terminal of 80 columns."""

LICENCE_WIDTH = 15
"""What is longer is cut: `info` has the rest."""

GROUPS = (
    "Ready to use, in the package or pulled:",
    "To be fetched by `livematte models pull NAME`:",
    "Without an official address, for a file of your own (--weights FILE):",
)
"""Of the table, in its order."""

MISSING = "not here"
"""State of weights that are not on this machine."""

app = typer.Typer(no_args_is_help=True, rich_markup_mode=None, help="List, fetch, check and convert the networks.")


@app.command("list", epilog="Example: livematte models list")
def list_(json_: Json = False, debug: Debug = False) -> None:
    """Every model with its picture, its cost and its terms; those whose weights are here first.

    cost is multiply-adds of one picture, ms milliseconds of one inference on this device, where
    `livematte tune` has measured them.
    """
    known = [facts(spec) for spec in every()]
    if json_:
        typer.echo(json.dumps(known, indent=2))
        return
    for line in table(known):
        typer.echo(line)


@app.command(epilog="Example: livematte models info mediapipe:landscape")
def info(name: Name, json_: Json = False, debug: Debug = False) -> None:
    """Everything that is known about one model."""
    known = facts(find(name))
    if json_:
        typer.echo(json.dumps(known, indent=2))
        return
    for key, value in known.items():
        if key != "files":
            shown = (", ".join(value) or "-") if isinstance(value, list) else "-" if value is None else value
            typer.echo(f"{key:<13} {shown}")
    for file in known["files"]:
        size = "size not published" if file["size_bytes"] is None else f"{file['size_bytes']} bytes"
        typer.echo(f"{'file':<13} {file['path']} ({file['state']}, {size})")
        typer.echo(f"{'':<13} {file['url'] or file['origin']}")
        typer.echo(f"{'':<13} {file['checksum']}")


@app.command(epilog="Example: livematte models pull mediapipe:landscape")
def pull(
    names: Pulled = None,
    all_: Annotated[bool, typer.Option("--all", help="Every model with an official address: some gigabytes.")] = False,
    accept_licence: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME", help="Agree to a licence that asks for it, such as GPL-3.0; may be given again."),
    ] = None,
    debug: Debug = False,
) -> None:
    """Fetch weights from their official address, and check them."""
    accepted = accept_licence or []
    if not names and not all_:
        raise OptionError("which model? Name one of `livematte models list`, or pass --all")
    for spec in [find(name) for name in names] if names else every():
        if not names and (why := passed_over(spec, accepted)):
            typer.echo(f"{spec.name}  {why}")
            continue
        for file in wanted(spec):
            with bar(spec.name) as progress:
                path = _weights.pull(file, progress, accepted=accepted)
            typer.echo(f"{spec.name}  {path}")


@app.command(epilog="Example: livematte models verify")
def verify(names: Names = None, debug: Debug = False) -> None:
    """Compare the weights on this machine with what was published, or with their first download.

    Exits with 0 if all that are here are unharmed; a named model must be here.
    """
    bad: list[str] = []
    for spec in [find(name) for name in names] if names else every():
        states = [(file, *check(file)) for file in spec.all_files]
        for file, _, said in states:
            typer.echo(f"{spec.name}  {file.path}  {said}")
        missing = names and not any(state is Found.OK for _, state, _ in states)
        if missing or any(state is Found.HARMED for _, state, _ in states):
            bad.append(spec.name)
    if bad:
        raise WeightsError(
            f"missing or not as published: {', '.join(dict.fromkeys(bad))}; run `livematte models pull` with the name"
        )


@app.command(epilog="Example: livematte models convert net.tflite -o net.onnx")
def convert(
    source: Annotated[Path, typer.Argument(metavar="FILE", help=".tflite, TensorFlow.js model.json, .h5 or .onnx.")],
    output: Annotated[Path, typer.Option("--output", "-o", metavar="FILE.onnx", help="Where the result goes.")],
    size: Annotated[
        str | None, typer.Option(metavar="WIDTHxHEIGHT", help="Of the picture, where the file leaves it open.")
    ] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", "-y", help="Replace an output that exists.")] = False,
    debug: Debug = False,
) -> None:
    """Write a network of another format as an ONNX file."""
    from livematte.models._convert import convert as to_onnx

    if output.exists() and not overwrite:
        raise OptionError(f"{output} exists; choose another name, or pass -y to replace it")
    typer.echo(f"{output}  {to_onnx(source, output, parse_size(size) if size is not None else None)}")


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
    from livematte import _tune

    return {
        "name": spec.name,
        "summary": spec.summary,
        "size": ", ".join(str(shape.size) for shape in spec.shapes),
        "multiply_adds": cost(spec),
        "licence": spec.licence,
        "commercial": COMMERCIAL[spec.commercial],
        "source": spec.source,
        "classes": list(spec.classes),
        "ms": _tune.known_ms(spec.name),
        "state": state(spec),
        "files": [
            {
                "path": str(_weights.place(file)),
                "state": "here" if _weights.place(file).is_file() else MISSING,
                "size_bytes": file.size_bytes,
                "sha256": file.sha256,
                "md5": file.md5,
                "checksum": file.checksum or UNCHECKED[file.published],
                "url": file.url,
                "origin": origin(file),
                "consent": file.consent,
            }
            for file in spec.all_files
        ],
    }


UNCHECKED = {
    True: "no checksum is published: the first download is recorded, and compared with from then on",
    False: "no checksum is published, and nothing to compare it with",
}
"""What stands in place of a checksum, by whether the file has an official address."""


def table(models: Sequence[dict[str, Any]]) -> list[str]:
    """Lines for people: a table for each of `GROUPS`, our own family first, tags alike in all columns together."""
    own_first = sorted(models, key=lambda model: model["name"].partition(":")[0] != "livematte")
    grouped = [folded(row(model) for model in own_first if group(model) == title) for title in GROUPS]
    cells = [(name.partition(", ")[0], *others) for rows in grouped for name, *others in rows]
    widths = [max(map(len, column)) for column in zip(COLUMNS, *cells, strict=True)]

    def line(name: str, *others: str) -> str:
        shown = zip((name.partition(", ")[0], *others), widths, strict=True)
        return "  ".join(f"{cell:<{width}}" for cell, width in shown).rstrip()

    lines: list[str] = []
    for title, rows in zip(GROUPS, grouped, strict=True):
        if rows:
            lines += [title, line(*COLUMNS)]
        for alike, found in groupby(rows, lambda cells: cells[0].partition(", ")[2]):
            those = [line(*cells) for cells in found]
            lines += [*those, f"  each of these {len(those)} also with {alike}"] if alike else those
        if rows:
            lines.append("")
    return [*lines, "More of each: livematte models info NAME", "A network of your own: --model custom:PATH"]


def group(model: dict[str, Any]) -> str:
    """The one of `GROUPS` to which a model belongs."""
    if model["state"] != MISSING:
        return GROUPS[0]
    return GROUPS[1] if any(file["url"] for file in model["files"]) else GROUPS[2]


def folded(rows: Iterable[tuple[str, ...]]) -> list[tuple[str, ...]]:
    """Rows with `name-q1` and the like in the row of `name`, if all else is the same."""
    made: list[tuple[str, ...]] = []
    for name, *cells in rows:
        first = made[-1][0].partition(",")[0] if made else name
        if made and name.startswith(f"{first}-") and made[-1][1:] == tuple(cells):
            made[-1] = (f"{made[-1][0]}, {name.removeprefix(first)}", *cells)
        else:
            made.append((name, *cells))
    return made


def row(model: dict[str, Any]) -> tuple[str, ...]:
    """A line of the table."""
    first, *others = model["size"].split(", ")
    return (
        model["name"],
        f"{first}+{len(others)}" if others else first,
        "-" if model["multiply_adds"] is None else rounded(model["multiply_adds"]),
        "-" if model["ms"] is None else f"{model['ms']:.1f}",
        model["commercial"],
        textwrap.shorten(model["licence"], LICENCE_WIDTH, placeholder="..."),
    )


def rounded(number: int) -> str:
    """Two or three digits of a large number: `33 M`, `1.2 G`."""
    unit, letter = (1e9, "G") if number >= 1e9 else (1e6, "M")
    value = number / unit
    return f"{value:.0f} {letter}" if value >= 10 else f"{value:.1f} {letter}"


def cost(spec: ModelSpec) -> int | None:
    """Multiply-adds of one picture: as known, or counted in the file if that is here."""
    if spec.multiply_adds is not None:
        return spec.multiply_adds
    for file in spec.files:
        if _weights.place(file).is_file() and file.suffix != ".h5":
            from livematte.models._cost import multiply_adds

            with suppress(LivematteError):  # a file that cannot be read is for `verify` to tell of
                return multiply_adds(_weights.place(file), spec.size)
    return None


def wanted(spec: ModelSpec) -> tuple[WeightsFile, ...]:
    """Files to pull: those that are published; else those that a mirror may have; else all, with their own messages."""
    published = tuple(file for file in spec.all_files if file.published)
    return published or tuple(file for file in spec.all_files if _weights.address(file)) or spec.all_files


def passed_over(spec: ModelSpec, accepted: Sequence[str]) -> str | None:
    """Why a model is left out of `pull --all`."""
    files = wanted(spec)
    if not any(file.published for file in files):
        return "no official address"
    if asked := [
        f.consent for f in files if f.consent and f.consent not in accepted and not _weights.place(f).is_file()
    ]:
        return f"left out: pass --accept-licence {asked[0]} to agree to its licence"
    return None


def origin(file: WeightsFile) -> str:
    """Where a file comes from, in words."""
    if file.packaged:
        return "in the package"
    return "official address" if file.url else "no official address: pass --weights FILE"


def state(spec: ModelSpec) -> str:
    """Where a model's weights are: `in package`, `pulled` or `not here`."""
    if all(file.packaged for file in spec.all_files):
        return "in package"
    return "pulled" if any(_weights.place(file).is_file() for file in spec.all_files) else MISSING


class Found(Enum):
    """What `verify` found of a file."""

    OK = "ok"
    MISSING = MISSING
    HARMED = "harmed"


def check(file: WeightsFile) -> tuple[Found, str]:
    """What a file is, and what to say of it."""
    path: Path = _weights.place(file)
    if not path.is_file():
        return Found.MISSING, Found.MISSING.value
    try:
        compared = _weights.verify(path, file)
    except WeightsError as exc:
        return Found.HARMED, str(exc)
    return Found.OK, "ok" if file.checksum else f"ok, compared with {compared}"


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
