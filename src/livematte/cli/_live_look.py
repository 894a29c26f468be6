"""How `livematte live` begins: a preset, and what was said beside it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from livematte import _registry
from livematte._errors import OptionError
from livematte.cli._options import Bokeh, Classes, LookOptions, Room, Weights, with_classes

if TYPE_CHECKING:
    from livematte._preset_file import PresetFile
    from livematte._presets import Preset

DEFAULT_MODEL = "livematte:fast"


@dataclass(frozen=True, kw_only=True)
class LiveLook:
    """Switches of `blur` and the like that a live stream takes, too, and how it is shown."""

    strength: Annotated[
        float | None, typer.Option(metavar="0.1-1", help="Of the blur, as --effect blur:0.6 has it.")
    ] = None
    bokeh: Bokeh = False
    classes: Classes = None
    weights: Weights = None
    room: Room = None
    mirror: Annotated[
        bool | None, typer.Option("--mirror/--no-mirror", help="Turn left and right of the output round.")
    ] = None


def settings_of(
    presets: PresetFile, name: str | None, said: dict[str, Any], look: LookOptions, live: LiveLook | None = None
) -> Preset:
    """What a stream begins with: a preset, and what was said beside it.

    Args:
        name: of the preset.
        said: its keys from the command line; those that are None were not given.

    Raises:
        LivematteError: no such preset, effect or model, or a switch out of its range or for another effect.
    """
    from livematte._presets import Preset, preset

    live = live or LiveLook()
    begun = Preset(effect="blur", model=DEFAULT_MODEL)
    if name is not None:
        begun = presets.find(name).after(begun)
    said = said | {"room": live.room, "mirror": live.mirror}
    given = {key: value for key, value in (look.given() | said).items() if value not in (None, [])}
    if look.framing:
        given["framing"] = True
    if live.bokeh:
        given["bokeh"] = True
    settings = preset(given, Path.cwd()).after(begun)
    effect = settings.effect or "blur"
    if live.bokeh:
        _check_blur("--bokeh", effect)
    if live.strength is not None:
        effect = _with_strength(effect, live.strength, given.get("effect"))
    return replace(settings, effect=effect, model=with_classes(settings.model or DEFAULT_MODEL, live.classes))


def _with_strength(effect: str, strength: float, said: str | None) -> str:
    """The blur with its strength.

    Args:
        effect: that is chosen.
        said: with `--effect`, if it was.
    """
    _check_blur("--strength", effect)
    argument = _registry.split(said or "")[1]
    if argument is not None and _number(argument) != strength:
        raise OptionError(f"--effect {said} and --strength {strength:g} are two strengths: give one of them")
    return f"blur:{strength:.6g}"


def _check_blur(option: str, effect: str) -> None:
    if _registry.split(effect)[0] != "blur":
        raise OptionError(
            f"{option} belongs to the effect blur, and {effect} is chosen; leave it out, or --effect blur"
        )


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:  # the effect itself will say so
        return None
