"""Networks that give logits on a coarser grid, with the corners of both grids on one another."""

from __future__ import annotations

import numpy as np

from livematte._errors import LoadError
from livematte._frame import F32, Frame, Size
from livematte._matte import Matte
from livematte._stages import State
from livematte.engines import Engine

COLOURS = 3

STEEPEST = 80.0
"""Logit beyond which a probability is 0 or 1; exp() of more than 88 is no float32 any more."""


class LogitSegmenter:
    """A segmenter without memory: RGB -1 to 1 in, logits of one or more classes out, in either layout.

    The person's probability is the sigmoid of a single class, or the softmax over several,
    stretched to the size of the picture before the sigmoid.

    Args:
        name: registry name with its tag.
        engine: loaded graph with one input (1, 3, h, w) or (1, h, w, 3), and among its
            outputs one of `classes` channels, (1, c, h', w') or (1, h', w', c).
        size: the only size that is right for this model; None takes the graph's.
        classes: channels of the output to read; the first such output counts.
        person: index of the person among them.

    Raises:
        LoadError: a graph of another kind; the engine is closed.
    """

    def __init__(self, name: str, engine: Engine, size: Size | None, *, classes: int, person: int) -> None:
        self.name = name
        self._engine, self._classes, self._person = engine, classes, person
        try:
            self.size, self._planar = _picture(name, engine)
            self._output, self._channels_first, grid = _find_output(name, engine, classes, self._planar)
            if size is not None and self.size != size:
                raise LoadError(f"{name} takes pictures of {size}, this file of {self.size}: it is of another model")
        except LoadError:
            engine.close()
            raise
        self._rows, self._columns = stretch(grid.height, self.size.height), stretch(grid.width, self.size.width)

    @property
    def engine(self) -> str:
        """Name of the engine that runs the graph."""
        return self._engine.name

    def segment(self, frame: Frame, state: State) -> tuple[Matte, State]:
        picture = frame.rgb(self.size, planar=self._planar) * np.float32(2) - np.float32(1)
        logits = self._engine.run([picture[None]])[self._output][0]
        if not self._channels_first:
            logits = logits.transpose(2, 0, 1)  # (c, h', w')
        person = against_others(logits, self._person)
        if person.shape != (self.size.height, self.size.width):
            person = self._rows @ person @ self._columns.T
        return Matte(sigmoid(person), frame.pts), None

    def close(self) -> None:
        self._engine.close()


def against_others(logits: F32, index: int) -> F32:
    """Logit (h, w) whose sigmoid is the softmax of class `index` over the logits (c, h, w)."""
    others = np.delete(logits, index, axis=0)
    own: F32 = logits[index]
    if not len(others):
        return own
    highest = others.max(axis=0)
    total: F32 = np.exp(others - highest).sum(axis=0)
    difference: F32 = own - highest - np.log(total)
    return difference


def sigmoid(logits: F32) -> F32:
    """1 / (1 + exp(-x)), without overflow."""
    result: F32 = 1 / (1 + np.exp(-np.clip(logits, -STEEPEST, STEEPEST, dtype=np.float32)))
    return result


def stretch(cells: int, pixels: int) -> F32:
    """Matrix (pixels, cells) that interpolates linearly, first cell on first pixel, last on last."""
    at = np.linspace(0, cells - 1, pixels)
    weights = np.maximum(0, 1 - np.abs(at[:, None] - np.arange(cells)[None]))
    result: F32 = weights.astype(np.float32)
    return result


def _picture(name: str, engine: Engine) -> tuple[Size, bool]:
    """The picture's size, and whether its colours are apart."""
    shapes = [t.shape for t in engine.inputs]
    if len(shapes) == 1 and len(shapes[0]) == 4 and shapes[0][0] == 1:
        _, a, b, c = shapes[0]
        if a == COLOURS:
            return Size(c, b), True
        if c == COLOURS:
            return Size(b, a), False
    raise LoadError(f"{name} needs a graph with one input (1, 3, h, w) or (1, h, w, 3), got inputs {shapes}")


def _find_output(name: str, engine: Engine, classes: int, planar: bool) -> tuple[int, bool, Size]:
    """Index of the logits among the outputs, whether their channels come first, and their grid.

    Outputs that lie as the input does come first: a grid may have as many rows as there are classes.
    """
    for channels_first in (planar, not planar):
        for index, output in enumerate(engine.outputs):
            if len(output.shape) == 4 and output.shape[0] == 1 and output.shape[1 if channels_first else 3] == classes:
                height, width = output.shape[2:] if channels_first else output.shape[1:3]
                return index, channels_first, Size(width, height)
    raise LoadError(
        f"{name} needs a graph with an output of {classes} channels, got {[t.shape for t in engine.outputs]}"
    )
