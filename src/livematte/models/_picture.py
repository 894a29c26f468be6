"""Networks that take one RGB picture and give one alpha of the same size."""

from __future__ import annotations

import numpy as np

from livematte._errors import LoadError
from livematte._frame import Frame, Size
from livematte._matte import Matte
from livematte._stages import State
from livematte.engines import Engine

COLOURS = 3


class PictureSegmenter:
    """A segmenter without memory: RGB 0-1 in, alpha 0-1 out, in either layout.

    Args:
        name: registry name with its tag.
        engine: loaded graph with one input (1, 3, h, w) or (1, h, w, 3), and the alpha
            as its first output, (1, 1, h, w) or (1, h, w, 1).
        size: the only size that is right for this model; None takes the graph's.

    Raises:
        LoadError: a graph of another kind; the engine is closed.
    """

    def __init__(self, name: str, engine: Engine, size: Size | None = None) -> None:
        self.name = name
        self._engine = engine
        try:
            self.size, self._planar = _layout(name, engine)
            if size is not None and self.size != size:
                raise LoadError(f"{name} takes pictures of {size}, this file of {self.size}: it is of another model")
        except LoadError:
            engine.close()
            raise

    @property
    def engine(self) -> str:
        """Name of the engine that runs the graph."""
        return self._engine.name

    def segment(self, frame: Frame, state: State) -> tuple[Matte, State]:
        picture = frame.rgb(self.size, planar=self._planar)
        alpha = self._engine.run([picture[None]])[0].reshape(self.size.height, self.size.width)
        # engines approximate the last sigmoid, which may leave 0-1 by a rounding error
        return Matte(np.clip(alpha, 0.0, 1.0, out=alpha), frame.pts), None

    def close(self) -> None:
        self._engine.close()


def _layout(name: str, engine: Engine) -> tuple[Size, bool]:
    """The picture's size, and whether its colours are apart."""
    picture = engine.inputs[0].shape if len(engine.inputs) == 1 else ()
    alpha = engine.outputs[0].shape if engine.outputs else ()
    if len(picture) == 4 and picture[0] == 1:
        if picture[1] == COLOURS and alpha in ((1, 1, *picture[2:]), (1, *picture[2:], 1)):
            return Size(picture[3], picture[2]), True
        if picture[3] == COLOURS and alpha in ((1, 1, *picture[1:3]), (1, *picture[1:3], 1)):
            return Size(picture[2], picture[1]), False
    inputs, outputs = [t.shape for t in engine.inputs], [t.shape for t in engine.outputs]
    raise LoadError(
        f"{name} needs a graph with one input (1, 3, h, w) or (1, h, w, 3) and first an alpha of one channel "
        f"and the same size, got inputs {inputs} and outputs {outputs}"
    )
