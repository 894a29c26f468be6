"""Presets: looks with a name. `_preset_file.py` keeps them; the browser app writes the same keys."""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

from livematte import _registry
from livematte._errors import LivematteError, OptionError
from livematte._stages import Effect
from livematte.effects import check_fraction
from livematte.effects._zones import Zone, check_zones

WITH_PATH = ("image", "video")
"""Effects whose argument is a file."""


@dataclass(frozen=True, kw_only=True)
class Preset:
    """A look; None stands for what it does not name.

    Args:
        effect: as `--effect` takes it.
        model: registry name.
        light_wrap, softness, despill, match, who, zones: see `livematte.effects.Look`.
        framing: follow the people with a window.
        bokeh: of blur.
        mirror: turn the output's left and right round.
        room: path of a picture of the room without people; empty for none.
    """

    effect: str | None = None
    model: str | None = None
    light_wrap: float | None = None
    softness: float | None = None
    despill: bool | None = None
    match: float | None = None
    who: str | None = None
    zones: tuple[Zone, ...] | None = None
    framing: bool | None = None
    bokeh: bool | None = None
    mirror: bool | None = None
    room: str | None = None

    def given(self) -> dict[str, Any]:
        """What it names."""
        return {item.name: value for item in fields(self) if (value := getattr(self, item.name)) is not None}

    def after(self, before: Preset) -> Preset:
        """What is in force when this is chosen and `before` was."""
        if self.effect is not None:
            before = replace(before, **dict.fromkeys(LOOK))
        return replace(before, **self.given())

    def painter(self) -> Effect:
        """The effect with its look. Switches that mean nothing to it are left aside: they are for another.

        Raises:
            UnknownName, OptionError, OpenError: it cannot be.
        """
        spec = self.effect or "blur"
        name, argument = _registry.split(spec)
        create = _registry.load("effects", name).create
        look = {key: value for key, value in self.given().items() if key in LOOK}
        if name != "blur":
            look.pop("bokeh", None)
        match = look.pop("match", 0)
        painter: Effect = create(argument, **look)
        if match and getattr(painter, "new_background", False):
            painter = create(argument, **look, match=match)
        return painter


LOOK = ("light_wrap", "softness", "despill", "match", "who", "zones", "bokeh")
"""Keys that belong to an effect."""

KEYS = tuple(item.name for item in fields(Preset))


def preset(values: Mapping[str, Any], folder: Path | None = None) -> Preset:
    """A preset from plain values, checked.

    Args:
        values: by key.
        folder: that a relative path counts from.

    Raises:
        OptionError: an unknown key, or a value that cannot be; begins with the key.
        UnknownName: no such effect or model.
    """
    checked = {}
    for key, value in values.items():
        if key not in KEYS:
            raise Misfit(str(key), f"unknown; {nearest(str(key), KEYS)}")
        try:
            checked[key] = CHECKS[key](value)
        except LivematteError as exc:
            raise Misfit(key, str(exc)) from exc
    if folder is not None and "effect" in checked:
        checked["effect"] = _from_folder(checked["effect"], folder)
    if folder is not None and checked.get("room"):
        checked["room"] = str(folder.resolve() / Path(checked["room"]).expanduser())
    return Preset(**checked)


class Misfit(OptionError):
    """A value that a preset cannot have.

    Attributes:
        key: which.
    """

    def __init__(self, key: str, why: str) -> None:
        super().__init__(f"{key}: {why}")
        self.key = key


def _from_folder(effect: str, folder: Path) -> str:
    kind, argument = _registry.split(effect)
    if kind not in WITH_PATH or not argument:
        return effect
    return f"{kind}:{folder.resolve() / Path(argument).expanduser()}"


def nearest(name: str, known: tuple[str, ...]) -> str:
    near = difflib.get_close_matches(name, known, n=1, cutoff=0.5)
    return f"did you mean {near[0]}?" if near else f"there are: {', '.join(known)}"


def whole_effect(short: str) -> str | None:
    """The effect that a colour or a file's name alone must mean, as in `green` for `color:green`; else None."""
    from livematte.effects.color import is_named
    from livematte.sinks._codecs import CONTAINERS
    from livematte.sources import IMAGE_SUFFIXES

    suffix = Path(short).suffix.lower()
    if is_named(short) or re.fullmatch(r"#[0-9a-fA-F]{6}", short):
        return f"color:{short}"
    return f"image:{short}" if suffix in IMAGE_SUFFIXES else f"video:{short}" if suffix in CONTAINERS else None


def _named(folder: str) -> Callable[[Any], str]:
    """Checks the spelling of a plugin; what its argument means is seen when it is used."""

    def check(value: Any) -> str:
        if not isinstance(value, str) or not value.isprintable():
            raise OptionError(f"must be text, got {value!r:.80}")
        name, known = _registry.split(value)[0], _registry.names(folder)
        if name not in known:
            meant = whole_effect(value) if folder == "effects" else None
            hint = f"did you mean {meant[:80]}?" if meant else nearest(name, tuple(known))
            raise OptionError(f"no {folder.rstrip('s')} is called {name[:80]!r}; {hint}")
        return value

    return check


def _fraction(value: Any) -> float:
    check_fraction("it", value)
    return float(value)


def _switch(value: Any) -> bool:
    if not isinstance(value, bool):
        raise OptionError(f"must be true or false, got {value!r:.80}")
    return value


def _path(value: Any) -> str:
    if not isinstance(value, str) or not value.isprintable():
        raise OptionError(f"must be the path of a file, got {value!r:.80}")
    return value


def _who(value: Any) -> str:
    if value not in ("everyone", "nearest"):
        raise OptionError(f"must be 'everyone' or 'nearest', got {value!r:.80}")
    return str(value)


CHECKS: dict[str, Callable[[Any], Any]] = {
    "effect": _named("effects"),
    "model": _named("models"),
    "light_wrap": _fraction,
    "softness": _fraction,
    "despill": _switch,
    "match": _fraction,
    "who": _who,
    "zones": check_zones,
    "framing": _switch,
    "bokeh": _switch,
    "mirror": _switch,
    "room": _path,
}
