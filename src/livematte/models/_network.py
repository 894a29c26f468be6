"""Networks that take one RGB picture and give scores of one or more classes: how each wants it, and what it means."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from livematte._errors import LoadError, OptionError
from livematte._frame import F32, Frame, Size
from livematte._matte import Matte
from livematte._stages import State
from livematte.engines import Engine
from livematte.models._logits import by_area, by_corners, sigmoid, stretch

COLOURS = 3

ACTIVATIONS = ("none", "sigmoid", "softmax")
"""What is left to do to a network's output, before it is a probability."""

SMALLEST = 1e-6
"""In place of a logarithm of 0, and of the brightest pixel of a black picture."""

Labels = npt.NDArray[np.int64]
"""Index of the most probable class of each pixel, (h, w)."""


@dataclass(frozen=True, slots=True)
class Picture:
    """How a network wants its picture: (x - mean) / std of colours x in 0-1, in RGB order.

    Args:
        mean, std: of red, green and blue.
        bgr: the network takes blue first.
        keep_aspect: the picture is not stretched but fills the left or the top; the rest is 0.
        by_brightest: colours are divided by the largest value of the picture first.
    """

    mean: tuple[float, float, float] = (0.0, 0.0, 0.0)
    std: tuple[float, float, float] = (1.0, 1.0, 1.0)
    bgr: bool = False
    keep_aspect: bool = False
    by_brightest: bool = False


SIGNED = Picture((0.5, 0.5, 0.5), (0.5, 0.5, 0.5))
"""Colours from -1 to 1."""

IMAGENET = Picture((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
"""Mean and deviation over ImageNet, as torchvision's networks take them."""


@dataclass(frozen=True, slots=True)
class Scores:
    """What a network's output means.

    Args:
        classes: names of its channels; one name for an output of one channel.
        person: names of those that stay; their probabilities are added.
        activation: one of `ACTIVATIONS`.
        output: name of the output, where the graph has one of this name (conversions rename them); else
            the first with as many channels as classes counts.
        corners: a coarser grid has its corners on those of the picture, else its cells cover it.
    """

    classes: tuple[str, ...] = ("person",)
    person: tuple[str, ...] = ("person",)
    activation: str = "none"
    output: str | None = None
    corners: bool = False

    def __post_init__(self) -> None:
        if self.activation not in ACTIVATIONS:
            raise OptionError(f"activation must be one of {', '.join(ACTIVATIONS)}, got {self.activation!r}")
        if not self.person or not set(self.person) <= set(self.classes):
            raise OptionError(f"classes that stay must be among {', '.join(self.classes)}; got {self.person}")


class NetworkSegmenter:
    """A segmenter without memory.

    Args:
        name: registry name with its tag.
        engine: loaded graph with one input (1, 3, h, w) or (1, h, w, 3), and scores (1, c, h', w')
            or (1, h', w', c).
        size: the only size that is right for this model; None takes the graph's.
        picture: how the graph wants its picture.
        scores: what its output means.

    Raises:
        LoadError: a graph of another kind; the engine is closed.
    """

    def __init__(
        self, name: str, engine: Engine, size: Size | None, *, picture: Picture, scores: Scores = Scores()
    ) -> None:
        self.name, self.classes = name, scores.classes
        self._engine, self._wants, self._scores = engine, picture, scores
        try:
            self.size, self._planar = _picture_of(name, engine)
            self._output, self._channels_first, grid = _output_of(name, engine, scores, self._planar)
            if size is not None and self.size != size:
                raise LoadError(f"{name} takes pictures of {size}, this file of {self.size}: it is of another model")
        except LoadError:
            engine.close()
            raise
        self._grid = grid
        self._person = [scores.classes.index(one) for one in scores.person]
        axis = (COLOURS, 1, 1) if self._planar else (1, 1, COLOURS)
        self._mean, self._std = (np.array(v, np.float32).reshape(axis) for v in (picture.mean, picture.std))

    @property
    def engine(self) -> str:
        """Name of the engine that runs the graph."""
        return self._engine.name

    def segment(self, frame: Frame, state: State) -> tuple[Matte, State]:
        values, filled = self._run(frame)
        if self._scores.activation == "softmax":
            person = sigmoid(self._fit(_against_others(values, self._person), filled))
        else:
            person = self._fit(values[self._person].sum(axis=0), filled)
            person = sigmoid(person) if self._scores.activation == "sigmoid" else person
        return Matte(np.clip(person, 0.0, 1.0, dtype=np.float32), frame.pts), None

    def labels(self, frame: Frame) -> Labels:
        """Index among `classes` of the most probable class of each pixel, (h, w) at the network's size.

        Raises:
            InferenceError: the network gave no scores.
        """
        values, filled = self._run(frame)
        best = self._fit(values[0], filled)
        labels: Labels = np.zeros(best.shape, np.int64)
        for index in range(1, len(values)):  # one by one: 150 classes at full size are 0.2 GB
            scores = self._fit(values[index], filled)
            np.copyto(labels, index, where=scores > best)
            best = np.maximum(scores, best)
        return labels

    def close(self) -> None:
        self._engine.close()

    def _run(self, frame: Frame) -> tuple[F32, Size]:
        """Scores (c, h', w') of the whole grid, and the part of the picture that the frame fills."""
        filled = _inside(frame.size, self.size) if self._wants.keep_aspect else self.size
        rgb = frame.rgb(filled, planar=self._planar)
        if self._wants.by_brightest:
            rgb = rgb / max(float(rgb.max()), SMALLEST)
        picture = (rgb - self._mean) / self._std
        if self._wants.bgr:
            picture = picture[::-1] if self._planar else picture[..., ::-1]
        if filled != self.size:
            shape = (COLOURS, *self.size[::-1]) if self._planar else (*self.size[::-1], COLOURS)
            whole = np.zeros(shape, np.float32)
            part: Any = (
                np.s_[:, : filled.height, : filled.width] if self._planar else np.s_[: filled.height, : filled.width]
            )
            whole[part] = picture
            picture = whole
        values = self._engine.run([np.ascontiguousarray(picture[None])])[self._output]
        if self._channels_first:
            return values.reshape(-1, self._grid.height, self._grid.width), filled
        return values.reshape(self._grid.height, self._grid.width, -1).transpose(2, 0, 1), filled

    def _fit(self, values: F32, filled: Size) -> F32:
        """Scores (..., h', w') brought to the picture, and what the frame fills of it to the network's size."""
        if self._grid != self.size:
            places = by_corners if self._scores.corners else by_area
            rows, columns = places(self._grid.height, self.size.height), places(self._grid.width, self.size.width)
            values = stretch(values, rows.first(filled.height), columns.first(filled.width))
        if filled != self.size:
            rows, columns = by_area(filled.height, self.size.height), by_area(filled.width, self.size.width)
            values = stretch(values[..., : filled.height, : filled.width], rows, columns)
        return values


def _against_others(logits: F32, chosen: Sequence[int]) -> F32:
    """Logit (h, w) whose sigmoid is the sum of the softmax of some classes over the logits (c, h, w)."""
    others = [index for index in range(len(logits)) if index not in set(chosen)]
    if not others:
        return np.full(logits.shape[1:], np.float32(np.inf))
    difference: F32 = _log_sum(logits[list(chosen)]) - _log_sum(logits[others])
    return difference


def _log_sum(logits: F32) -> F32:
    """Log of the sum of exp over the first axis, without overflow."""
    highest = logits.max(axis=0)
    total: F32 = highest + np.log(np.exp(logits - highest).sum(axis=0))
    return total


def _inside(frame: Size, size: Size) -> Size:
    """The largest size of the frame's aspect within `size`."""
    scale = min(size.width / frame.width, size.height / frame.height)
    return Size(max(1, int(frame.width * scale)), max(1, int(frame.height * scale)))


def _picture_of(name: str, engine: Engine) -> tuple[Size, bool]:
    """The picture's size, and whether its colours are apart."""
    shapes = [t.shape for t in engine.inputs]
    if len(shapes) == 1 and len(shapes[0]) == 4 and shapes[0][0] == 1:
        _, a, b, c = shapes[0]
        if a == COLOURS:
            return Size(c, b), True
        if c == COLOURS:
            return Size(b, a), False
    raise LoadError(f"{name} needs a graph with one input (1, 3, h, w) or (1, h, w, 3), got inputs {shapes}")


def _output_of(name: str, engine: Engine, scores: Scores, planar: bool) -> tuple[int, bool, Size]:
    """Index of the scores among the outputs, whether their channels come first, and their grid.

    Of outputs of both layouts those that lie as the input does come first: a grid may have as many
    rows as there are classes. A single map may do without the axis of its channel.
    """
    count = len(scores.classes)
    named = scores.output in [output.name for output in engine.outputs]
    for first in (planar, not planar):
        for index, output in enumerate(engine.outputs):
            if named and output.name != scores.output:
                continue
            shape = output.shape
            if count == 1 and len(shape) in (2, 3) and shape[:-2] in ((), (1,)):
                return index, True, Size(shape[-1], shape[-2])
            if len(shape) == 4 and shape[0] == 1 and shape[1 if first else 3] == count:
                height, width = shape[2:] if first else shape[1:3]
                return index, first, Size(width, height)
    wanted = f"an output {scores.output}" if named else "an output"
    raise LoadError(
        f"{name} needs a graph with {wanted} of {count} channels, got {[(t.name, t.shape) for t in engine.outputs]}"
    )
