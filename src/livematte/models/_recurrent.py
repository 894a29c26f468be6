"""Networks that hand four arrays of their own from frame to frame, as RVM does."""

from __future__ import annotations

import numpy as np

from livematte._errors import LoadError
from livematte._frame import F32, Frame, Size
from livematte._matte import Matte
from livematte._stages import State
from livematte.engines import Engine, Tensor

STATES = ("r1i", "r2i", "r3i", "r4i")
"""Inputs that are the outputs r1o to r4o of the frame before."""


class RecurrentSegmenter:
    """A segmenter whose state is the network's own four arrays; zeros at the start of a stream.

    Args:
        name: registry name with its tag.
        engine: loaded graph with the inputs src and r1i to r4i, and the outputs pha and r1o to r4o.
        size: of the picture and its alpha.

    Raises:
        LoadError: a graph of another kind; the engine is closed.
    """

    def __init__(self, name: str, engine: Engine, size: Size) -> None:
        self.name, self.size, self._engine = name, size, engine
        self._inputs, self._outputs = ([t.name for t in tensors] for tensors in (engine.inputs, engine.outputs))
        made = {tensor.name: tensor.shape for tensor in engine.outputs}
        held = all(made.get(f"{t.name[:-1]}o") == t.shape for t in engine.inputs if t.name in STATES)
        alpha = made.get("pha") == (1, 1, size.height, size.width)
        if set(self._inputs) != {"src", *STATES} or not held or not alpha:
            engine.close()
            raise LoadError(f"{name} needs a graph of RVM, got inputs {self._inputs} and outputs {self._outputs}")

    @property
    def engine(self) -> str:
        """Name of the engine that runs the graph."""
        return self._engine.name

    def segment(self, frame: Frame, state: State) -> tuple[Matte, State]:
        known: dict[str, F32] = state or {}
        given = [
            frame.rgb(self.size, planar=True)[None] if place.name == "src" else _known(known, place)
            for place in self._engine.inputs
        ]
        made = dict(zip(self._outputs, self._engine.run(given), strict=True))
        alpha = np.clip(made["pha"].reshape(self.size.height, self.size.width), 0.0, 1.0)
        return Matte(alpha, frame.pts), {name: made[f"{name[:-1]}o"] for name in STATES}

    def close(self) -> None:
        self._engine.close()


def _known(state: dict[str, F32], place: Tensor) -> F32:
    """What the frame before left for an input; zeros if nothing, or something of another size."""
    held = state.get(place.name)
    return held if held is not None and held.shape == place.shape else np.zeros(place.shape, np.float32)
