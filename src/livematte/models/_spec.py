"""What is known about a model before it is loaded: shape, weights, terms, origin."""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from livematte._errors import UnknownName
from livematte._weights import WeightsFile

if TYPE_CHECKING:
    from livematte._frame import Size


@dataclass(frozen=True, slots=True)
class ModelSpec:
    """One set of weights of a model family.

    Args:
        name: registry name with its tag, such as `mediapipe:landscape`.
        size: the network's input picture and its alpha.
        files: the weights; the same network in one or more formats.
        licence: SPDX name, or the terms in a few words.
        commercial: whether commercial use is clear: True, False, or None for unclear.
        source: paper or model card.
        summary: one line on what it is good for.
        open_size: the graph takes pictures of any size; the engine fixes it to `size`.
        others: the same network for pictures of other aspects, each with its own size and files.
        classes: names of what it tells apart, background first; empty for one that gives a matte alone.
        multiply_adds: of one picture, where that is known without the file.
        more: what it gives beside a matte: `parts` of bodies, `people` apart.
    """

    name: str
    size: Size
    files: tuple[WeightsFile, ...]
    licence: str
    commercial: bool | None
    source: str
    summary: str
    open_size: bool = False
    others: tuple[ModelSpec, ...] = ()
    classes: tuple[str, ...] = ()
    multiply_adds: int | None = None
    more: tuple[str, ...] = ()

    @property
    def shapes(self) -> tuple[ModelSpec, ...]:
        """This and the others, by the size of their picture."""
        return (self, *self.others)

    @property
    def gives(self) -> tuple[str, ...]:
        """What can be had of it: `person`, and `parts`, `people` or `classes`."""
        things = len(self.classes) > 2  # more than the room and the person
        return ("person", *self.more, *(("classes",) if things else ()))

    @property
    def all_files(self) -> tuple[WeightsFile, ...]:
        """The files of all shapes, each once."""
        return tuple(dict.fromkeys(file for shape in self.shapes for file in shape.files))


def pick(specs: Mapping[str, ModelSpec], family: str, tag: str | None) -> ModelSpec:
    """The spec of a tag; the first one without a tag.

    Raises:
        UnknownName: no such tag; the message lists those there are.
    """
    if not specs:
        raise UnknownName(f"{family} has no models with names: give it a path, as in {family}:net.onnx")
    if tag is None:
        return next(iter(specs.values()))
    if tag not in specs:
        raise UnknownName(f"{family} has no {tag!r}; there are: {', '.join(s.name for s in specs.values())}")
    return specs[tag]


def choose(
    specs: Mapping[str, ModelSpec], family: str, argument: str | None, default: Sequence[str] = ("person",)
) -> tuple[ModelSpec, str, tuple[str, ...]]:
    """What `family[:TAG[:CLASS,CLASS]]` means.

    Args:
        default: classes that stay where none are named.

    Returns:
        The spec, the model's full name, and the classes that stay.

    Raises:
        UnknownName: no such tag or class; the message lists those there are.
    """
    tag, colon, names = (argument or "").partition(":")
    spec = pick(specs, family, tag or None)
    if not colon:
        return spec, spec.name, tuple(default)
    if not spec.classes:
        raise UnknownName(f"{spec.name} tells no classes apart, got {names!r} after it")
    wanted = known_classes(spec.classes, spec.name, names.split(","))
    return spec, f"{spec.name}:{','.join(wanted)}", wanted


def known_classes(classes: Sequence[str], model: str, names: Sequence[str]) -> tuple[str, ...]:
    """Classes as they are spelt here, each once.

    Raises:
        UnknownName: no such class; the message lists those there are.
    """
    wanted = tuple(dict.fromkeys(_plain(name) for name in names))
    for name in wanted:
        if name not in classes:
            near = difflib.get_close_matches(name, classes, n=3)
            hint = f"did you mean {' or '.join(near)}? " if near else ""
            raise UnknownName(f"{model} has no class {name!r}; {hint}there are: {', '.join(classes)}")
    return wanted


def _plain(name: str) -> str:
    """A class as it is spelt here: `Dining table` is `dining-table`."""
    return "-".join(name.strip().lower().replace("_", " ").split())
