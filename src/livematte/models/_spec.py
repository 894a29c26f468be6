"""What is known about a model before it is loaded: shape, weights, terms, origin."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from livematte._errors import UnknownName
from livematte._frame import Size
from livematte._weights import WeightsFile


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

    @property
    def shapes(self) -> tuple[ModelSpec, ...]:
        """This and the others, by the size of their picture."""
        return (self, *self.others)

    @property
    def all_files(self) -> tuple[WeightsFile, ...]:
        """The files of all shapes."""
        return tuple(file for shape in self.shapes for file in shape.files)


def pick(specs: Mapping[str, ModelSpec], family: str, tag: str | None) -> ModelSpec:
    """The spec of a tag; the first one without a tag.

    Raises:
        UnknownName: no such tag; the message lists those there are.
    """
    if tag is None:
        return next(iter(specs.values()))
    if tag not in specs:
        raise UnknownName(f"{family} has no {tag!r}; there are: {', '.join(s.name for s in specs.values())}")
    return specs[tag]
