"""Options that several commands share: said once, here."""

from __future__ import annotations

import functools
import inspect
import re
from collections.abc import Callable
from dataclasses import MISSING, dataclass, fields, is_dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, get_type_hints

import typer

from livematte._errors import OptionError

if TYPE_CHECKING:
    from livematte._frame import Size

Classes = Annotated[
    str | None,
    typer.Option(metavar="NAME,NAME", help="What stays, for a model that tells classes apart: person,dog."),
]
Weights = Annotated[
    str | None, typer.Option(metavar="FILE", help="Weights from this file in place of the model's own.")
]
Room = Annotated[
    str | None,
    typer.Option(metavar="FILE", help="The room without people, by the same camera: sharpens the matte."),
]
Trained = Annotated[
    Path, typer.Argument(metavar="WEIGHTS", help="Folder of a run, a weights file, or livematte:base as it ships.")
]
Bokeh = Annotated[bool, typer.Option("--bokeh", help="Blur as a lens does: lamps become discs.")]


@dataclass(frozen=True, kw_only=True)
class Job:
    """Inputs, each of which becomes an output."""

    inputs: Annotated[
        list[str], typer.Argument(metavar="INPUT", help="Videos, pictures, a folder of pictures, or - for stdin.")
    ]
    output: Annotated[
        str,
        typer.Option(
            "--output", "-o", metavar="OUTPUT", help="Where the result goes; folder/ for several, - for stdout."
        ),
    ]
    model: Annotated[str, typer.Option(help="Network that finds people; `livematte models list`.")] = "livematte"
    classes: Classes = None
    engine: Annotated[str, typer.Option(help="What runs the network: auto, or a name; `livematte doctor`.")] = "auto"
    threads: Annotated[int | None, typer.Option(metavar="N", help="Threads of the engine.")] = None
    weights: Weights = None
    temporal: Annotated[
        bool | None,
        typer.Option(
            "--temporal/--no-temporal", help="Steady the matte over time.  [default: for video, not pictures]"
        ),
    ] = None
    lookahead: Annotated[
        bool, typer.Option("--lookahead", help="Let the next frame have a say in the matte: steadier, for video.")
    ] = False
    refine: Annotated[bool, typer.Option("--refine/--no-refine", help="Follow the picture's edges.")] = True
    room: Room = None
    codec: Annotated[
        str | None, typer.Option(metavar="NAME", help="h264, h265, vp9 or av1; by default what the suffix suggests.")
    ] = None
    crf: Annotated[int | None, typer.Option(metavar="N", help="Quality of the video, lower is better.")] = None
    preset: Annotated[str | None, typer.Option(metavar="NAME", help="Speed of the encoder, such as veryfast.")] = None
    format: Annotated[
        str | None, typer.Option(metavar="SPEC", help="What - carries: rgb24:1280x720@30 or yuv420p:1280x720@30.")
    ] = None
    keep_broken: Annotated[bool, typer.Option("--keep-broken", help="Go on over damage in the input.")] = False
    audio: Annotated[bool, typer.Option("--audio/--no-audio", help="Take the sound along.")] = True
    overwrite: Annotated[bool, typer.Option("--overwrite", "-y", help="Replace an output that exists.")] = False
    json: Annotated[bool, typer.Option("--json", help="Print figures as one JSON object on stdout.")] = False
    debug: Annotated[bool, typer.Option("--debug", help="Show a traceback if something fails.")] = False


def with_classes(model: str, classes: str | None) -> str:
    """The model with the classes that stay, as the registry spells it.

    Raises:
        OptionError: a model that tells no classes apart, or that names others already.
    """
    if classes is None:
        return model
    from livematte import _registry

    name, argument = _registry.split(model)
    if not any(spec.classes for spec in getattr(_registry.load("models", name), "SPECS", {}).values()):
        raise OptionError(f"{model} tells no classes apart: --classes is for --model deeplabv3 or mediapipe:multiclass")
    tag, colon, named = (argument or "").partition(":")
    if colon and named != classes:
        raise OptionError(f"--model {model} and --classes {classes} name two lists of classes: give one of them")
    return f"{name}:{tag}:{classes}"


LINES = (360, 540, 720, 1080, 1440, 2160)
"""Heights that have a name: `720p` is 1280x720."""


def parse_size(text: str) -> Size:
    """`1280x720` as a size, or `720p`.

    Raises:
        OptionError: not a size that frames can have.
    """
    from livematte._frame import MAX_SIDE_PX, Size

    if text.endswith("p") and text[:-1] in map(str, LINES):
        lines = int(text[:-1])
        return Size(lines * 16 // 9, lines)
    match = re.fullmatch(r"(\d{1,5})x(\d{1,5})", text)
    size = Size(int(match[1]), int(match[2])) if match else Size(0, 0)
    if not (1 <= size.width <= MAX_SIDE_PX and 1 <= size.height <= MAX_SIDE_PX):
        raise OptionError(
            f"a size is 720p, or WIDTHxHEIGHT up to {MAX_SIDE_PX}x{MAX_SIDE_PX}, as in 1280x720; got {text!r}"
        )
    return size


Zones = Annotated[
    list[str] | None,
    typer.Option(
        metavar='"X,Y X,Y X,Y"',
        help="Keep only what is inside this polygon, in parts of the picture from 0 to 1; may be given again.",
    ),
]


@dataclass(frozen=True, kw_only=True)
class LookOptions:
    """Switches that every effect shares; None leaves the effect's own default."""

    softness: Annotated[float | None, typer.Option(metavar="0-1", help="Softness of the person's edge.")] = None
    light_wrap: Annotated[
        float | None, typer.Option(metavar="0-1", help="Light of the new background on the person's rim.")
    ] = None
    despill: Annotated[
        bool | None, typer.Option("--despill/--no-despill", help="Take the old room's colour off the person's rim.")
    ] = None
    who: Annotated[
        str | None, typer.Option(metavar="WHO", help="Who stays: everyone, or those nearest the camera.")
    ] = None
    zone: Zones = None

    framing: Annotated[bool, typer.Option("--framing", help="Keep the people in the middle, calmly.")] = False

    def given(self) -> dict[str, Any]:
        """The switches that were given, as keywords of an effect."""
        switches = {item.name: getattr(self, item.name) for item in fields(self) if item.name != "framing"}
        look = {name: value for name, value in switches.items() if value is not None}
        return look | {"zones": zones_of(look.pop("zone", None))}


def zones_of(texts: list[str] | None) -> list[Any]:
    """The polygons of `--zone`, as the keyword of an effect."""
    from livematte.effects._zones import parse

    return [parse(text) for text in texts or []]


def expand(command: Callable[..., Any]) -> Callable[..., Any]:
    """Let typer see the fields of `command`'s dataclass parameters as options of their own."""
    hints = get_type_hints(command, include_extras=True)
    groups: dict[str, Any] = {name: kind for name, kind in hints.items() if is_dataclass(kind)}
    parameters = []
    for name, parameter in inspect.signature(command).parameters.items():
        if name in groups:
            parameters += _as_parameters(groups[name])
        else:
            parameters.append(parameter.replace(annotation=hints[name], kind=inspect.Parameter.KEYWORD_ONLY))

    @functools.wraps(command)
    def collected(**given: Any) -> Any:
        packed = {
            name: kind(**{item.name: given.pop(item.name) for item in fields(kind)}) for name, kind in groups.items()
        }
        return command(**packed, **given)

    collected.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    collected.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
    del collected.__wrapped__  # or inspect would look through to `command`
    return collected


def _as_parameters(kind: Any) -> list[inspect.Parameter]:
    hints = get_type_hints(kind, include_extras=True)
    return [
        inspect.Parameter(
            item.name,
            inspect.Parameter.KEYWORD_ONLY,
            default=inspect.Parameter.empty if item.default is MISSING else item.default,
            annotation=hints[item.name],
        )
        for item in fields(kind)
    ]
