"""`livematte ctl`: steer a stream that runs."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from livematte._errors import OpenError, OptionError

if TYPE_CHECKING:
    from livematte.control._client import Client

LOOK_S = 0.1
"""How often there is a look whether a network is loaded."""

PATIENCE_S = 60.0
"""A network is loaded by then, or the stream goes on loading by itself."""

Name = Annotated[str | None, typer.Option("--name", metavar="NAME", help="Which stream, where several run.")]
Json = Annotated[bool, typer.Option("--json", help="Print the state as one JSON object.")]
Debug = Annotated[bool, typer.Option("--debug", help="Show a traceback if something fails.")]

app = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode=None,
    help="""Steer a live stream while it runs: one that `livematte live --control 0` or the page of
    `livematte serve --live` has started. It is found by itself.""",
    epilog="Example: livematte ctl effect blur:0.8",
)


@app.command(epilog="Example: livematte ctl status")
def status(name: Name = None, json_: Json = False, debug: Debug = False) -> None:
    """Show how the stream is."""
    found = _client(name).status()
    typer.echo(json.dumps(found) if json_ else "\n".join(described(found)))


@app.command(epilog="Example: livematte ctl effect blur:0.6")
def effect(
    spec: Annotated[str, typer.Argument(metavar="EFFECT", help="blur:0.6, color:green, image:beach.jpg, off, ...")],
    name: Name = None,
    json_: Json = False,
    debug: Debug = False,
) -> None:
    """Choose another background."""
    kind, colon, path = spec.partition(":")
    if kind == "image" and colon:
        return picture(Path(path), name, json_)
    _done(_client(name).change(effect=spec), json_)


@app.command(epilog="Example: livematte ctl picture beach.jpg")
def picture(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="PNG, JPEG or WebP.")],
    name: Name = None,
    json_: Json = False,
    debug: Debug = False,
) -> None:
    """Put a picture behind the person. The file is sent: the stream need not be able to read it."""
    from livematte.control._answer import MOST_PICTURE_BYTES

    try:
        with file.open("rb") as opened:
            data = opened.read(MOST_PICTURE_BYTES + 1)
    except OSError as exc:
        raise OpenError(f"cannot read {file}: {exc.strerror}") from exc
    if len(data) > MOST_PICTURE_BYTES:
        raise OptionError(f"{file} is larger than {MOST_PICTURE_BYTES // 2**20} MB; send a smaller picture")
    _done(_client(name).send_picture(data, file.name), json_)


@app.command(epilog="Example: livematte ctl strength 0.4")
def strength(
    value: Annotated[float, typer.Argument(metavar="0.1-1", help="Of the blur.")],
    name: Name = None,
    json_: Json = False,
    debug: Debug = False,
) -> None:
    """Set how strong the blur is."""
    _done(_client(name).change(strength=value), json_)


@app.command(epilog="Example: livematte ctl model livematte:base")
def model(
    spec: Annotated[str, typer.Argument(metavar="MODEL", help="`livematte models list` shows those that are here.")],
    name: Name = None,
    json_: Json = False,
    debug: Debug = False,
) -> None:
    """Choose another network. It is loaded beside the stream, which goes on meanwhile."""
    client = _client(name)
    client.change(model=spec)
    found = _when(client, lambda found: _settled(found, spec))
    if not _is_at_work(found, spec):
        raise OptionError(f"{found['error'] or f'{spec} is not loaded yet'}; {_at_work(found)} goes on")
    _done(found, json_)


@app.command(epilog="Example: livematte ctl room")
def room(
    drop: Annotated[bool, typer.Option("--drop", help="Forget the picture of the room.")] = False,
    name: Name = None,
    json_: Json = False,
    debug: Debug = False,
) -> None:
    """Take a picture of the room without people, which sharpens the matte: step out, and it counts down.

    It is refused if somebody is seen in it; what goes out does not change meanwhile. It is kept until
    the stream ends or --drop, and never written to disk. A camera that stands still is needed.
    """
    client = _client(name)
    if drop:
        return _done(client.room("DELETE"), json_, "the room is forgotten")
    found, told = client.room("POST"), -1
    end = time.monotonic() + PATIENCE_S
    while (left := _room(found).get("taking")) is not None and time.monotonic() < end:
        if math.ceil(left) != told:
            told = math.ceil(left)
            typer.echo(f"{told}: {'step out of the picture' if told else 'taking the room'}", err=True)
        time.sleep(LOOK_S)
        found = client.status()
    if (why := _room(found).get("refused")) or _room(found).get("source") != "taken":
        raise OptionError(why or "the stream ended before the room was taken")
    _done(found, json_, "the room is taken")


@app.command(epilog="Example: livematte ctl mirror on")
def mirror(
    value: Annotated[str, typer.Argument(metavar="on|off", help="Whether left and right are turned round.")],
    name: Name = None,
    json_: Json = False,
    debug: Debug = False,
) -> None:
    """Turn left and right of the output round, or leave them."""
    _done(_client(name).change(mirror=_is_on("mirror", value)), json_)


@app.command(epilog="Example: livematte ctl framing on")
def framing(
    value: Annotated[str, typer.Argument(metavar="on|off", help="Whether the picture follows them.")],
    name: Name = None,
    json_: Json = False,
    debug: Debug = False,
) -> None:
    """Keep the people in the middle, or show all. Off shows the whole picture."""
    _done(_client(name).change(framing=_is_on("framing", value)), json_)


@app.command(epilog="Example: livematte ctl pause")
def pause(name: Name = None, json_: Json = False, debug: Debug = False) -> None:
    """Close the camera; the background alone goes out."""
    _done(_client(name).command("pause"), json_, "paused")


@app.command(epilog="Example: livematte ctl resume")
def resume(name: Name = None, json_: Json = False, debug: Debug = False) -> None:
    """Open the camera again."""
    _done(_client(name).command("resume"), json_, "goes on")


@app.command(epilog="Example: livematte ctl preset office")
def preset(
    preset_name: Annotated[
        str | None, typer.Argument(metavar="[PRESET]", help="Its name; without, all are listed.")
    ] = None,
    list_: Annotated[bool, typer.Option("--list", help="List all with what they name; needs no stream.")] = False,
    save: Annotated[bool, typer.Option("--save", help="Keep the present settings under this name.")] = False,
    delete: Annotated[bool, typer.Option("--delete", help="Forget the preset.")] = False,
    name: Name = None,
    json_: Json = False,
    debug: Debug = False,
) -> None:
    """Choose a preset by its name; list, save or delete presets."""
    if (save and delete) or (preset_name is None and (save or delete)):
        raise OptionError("give a preset's name with --save or with --delete, one of them")
    if preset_name is not None:
        if list_:
            raise OptionError(f"--list lists all presets: leave out {preset_name!r}, or --list to choose it")
        method, said = ("PUT", "saved") if save else ("DELETE", "deleted") if delete else ("POST", None)
        return _done(_client(name).preset(method, preset_name), json_, said and f"{preset_name} {said}")
    found = _presets(name)
    if json_:
        return typer.echo(json.dumps(found))
    for one, values in found["presets"].items():
        typer.echo(f"{one}  {', '.join(f'{key} {_shown(value)}' for key, value in values.items())}")
    if found["error"]:
        typer.echo(f"livematte: note: {found['error']}", err=True)
    elif not found["presets"]:
        typer.echo(f"no presets yet; `livematte ctl preset NAME --save` writes them to {found['path']}", err=True)


@app.command(epilog="Example: livematte ctl page")
def page(name: Name = None, debug: Debug = False) -> None:
    """Print the address of the stream's page, with its token."""
    from livematte.control._running import pick

    typer.echo(pick(name).page)


@app.command(epilog="Example: livematte ctl stop")
def stop(name: Name = None, json_: Json = False, debug: Debug = False) -> None:
    """End the stream."""
    _done(_client(name).command("stop"), json_, "stopped")


def described(found: dict[str, Any]) -> list[str]:
    """A stream's state in a few lines."""
    live, settings = found["live"], found["settings"]
    if not found["running"] or live is None:
        lines = ["not running"]
    else:
        latency = live["latency"]
        known = latency["p50_ms"] is not None
        times = " ".join(f"p{p} {latency[f'p{p}_ms']:.1f} ms" for p in (50, 95, 99)) if known else "not known yet"
        lines = [
            f"camera    {'paused' if live['paused'] else live['camera']}",
            f"output    {'x'.join(map(str, live['size']))}, {live['fps']} fps, {live['rung']}",
            f"latency   {times}",
            f"frames    {live['frames']}, {live['covered']} covered, {live['dropped']} dropped",
            f"model     {live['model']}{' (loading another)' if live['loading'] else ''}",
        ]
    chosen = f" (preset {found['preset']})" if found["preset"] else ""
    lines.append(f"effect    {found['picture'] if settings['effect'] == 'image' else settings['effect']}{chosen}")
    if source := _room(found).get("source"):
        lines.append(f"room      {source}")
    if settings["mirror"]:
        lines.append("mirror    on")
    return [*lines, *([f"error     {found['error']}"] if found["error"] else [])]


def _client(name: str | None) -> Client:
    from livematte.control._client import Client
    from livematte.control._running import pick

    return Client(pick(name))


def _presets(name: str | None) -> dict[str, Any]:
    """The presets as the API lists them: of the stream, or of this user's file where none runs."""
    from livematte._preset_file import PresetFile
    from livematte.control._running import running

    return PresetFile().as_dict() if name is None and len(running()) != 1 else _client(name).presets()


def _done(found: dict[str, Any], as_json: bool, said: str | None = None) -> None:
    """What came of it: the whole state, or a line."""
    if as_json:
        typer.echo(json.dumps(found))
    elif said is not None:
        typer.echo(said)
    else:
        typer.echo("\n".join(described(found)))


def _when(client: Client, holds: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
    """The state once something holds of it, or after a while."""
    end = time.monotonic() + PATIENCE_S
    while not holds(found := client.status()) and time.monotonic() < end:
        time.sleep(LOOK_S)
    return found


def _is_on(what: str, value: str) -> bool:
    if value not in ("on", "off"):
        raise OptionError(f"{what} is on or off, got {value!r}")
    return value == "on"


def _room(found: dict[str, Any]) -> dict[str, Any]:
    """What a state tells of the room; nothing where no stream runs."""
    room: dict[str, Any] = found["live"]["room"] if found["running"] and found["live"] else {}
    return room


def _settled(found: dict[str, Any], spec: str) -> bool:
    """Whether a network is at work, or will not be."""
    if not found["running"] or found["live"] is None:
        return True
    return _is_at_work(found, spec) or str(found["error"]).startswith(f"{spec}:")


def _is_at_work(found: dict[str, Any], spec: str) -> bool:
    return not found["running"] or _at_work(found) == spec


def _at_work(found: dict[str, Any]) -> str | None:
    return None if found["live"] is None else found["live"]["model"]


def _shown(value: Any) -> str:
    if isinstance(value, (list, tuple)):  # zones: their corners are for --json
        return str(len(value))
    return {True: "on", False: "off"}[value] if isinstance(value, bool) else str(value)
