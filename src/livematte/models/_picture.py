"""Networks that take one RGB picture, and maybe the matte before it, and give one alpha of the same size."""

from __future__ import annotations

import numpy as np

from livematte._errors import LoadError
from livematte._frame import F32, Frame, Size
from livematte._matte import Matte
from livematte._stages import State
from livematte.engines import Engine, Tensor
from livematte.models._light import Light, lighten

COLOURS = 3


class PictureSegmenter:
    """A segmenter: RGB 0-1 in, alpha 0-1 out, in either layout.

    Of a graph that takes the previous alpha the state is the alpha it gave last, as it gave it;
    where there is none, or one of another size, it gets zeros. Other graphs have no memory. With
    `lighten` the state is a pair of that and the light.

    Args:
        name: registry name with its tag.
        engine: loaded graph with an input (1, 3, h, w) or (1, h, w, 3), in any order with one for
            the previous alpha if it takes that, and the alpha as its first output; alphas are
            (1, 1, h, w) or (1, h, w, 1).
        size: the only size that is right for this model; None takes the graph's.
        lighten: show dark pictures to the graph as bright as others.

    Raises:
        LoadError: a graph of another kind; the engine is closed.
    """

    def __init__(self, name: str, engine: Engine, size: Size | None = None, *, lighten: bool = False) -> None:
        self.name = name
        self._engine, self._lighten = engine, lighten
        try:
            self.size, self._planar, self._previous = _layout(name, engine)
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
        light: Light | None = None
        if self._lighten:
            state, light = state or (None, None)
            light = lighten(picture, self._planar, frame, light)
        inputs = [
            picture[None] if place.shape != self._previous else _known(state, place) for place in self._engine.inputs
        ]
        alpha = self._engine.run(inputs)[0].reshape(self.size.height, self.size.width)
        # engines approximate the last sigmoid, which may leave 0-1 by a rounding error
        matte = Matte(np.clip(alpha, 0.0, 1.0, out=alpha), frame.pts)
        kept = None if self._previous is None else matte.alpha.reshape(self._previous)
        return matte, (kept, light) if self._lighten else kept

    def close(self) -> None:
        self._engine.close()


def _known(state: State, place: Tensor) -> F32:
    """The previous alpha, or nobody."""
    return state if np.shape(state) == place.shape else np.zeros(place.shape, np.float32)


def _layout(name: str, engine: Engine) -> tuple[Size, bool, tuple[int, ...] | None]:
    """The picture's size, whether its colours are apart, and the shape of the previous alpha if that is taken."""
    shapes = [place.shape for place in engine.inputs]
    alpha = engine.outputs[0].shape if engine.outputs else ()
    for index, picture in enumerate(shapes):
        if len(picture) != 4 or picture[0] != 1:
            continue
        others = shapes[:index] + shapes[index + 1 :]
        for planar, (height, width) in ((True, picture[2:]), (False, picture[1:3])):
            alphas = ((1, 1, height, width), (1, height, width, 1))
            fits = picture[1 if planar else 3] == COLOURS and alpha in alphas
            if fits and len(others) <= 1 and all(other in alphas for other in others):
                return Size(width, height), planar, others[0] if others else None
    raise LoadError(
        f"{name} needs a graph with one input (1, 3, h, w) or (1, h, w, 3), beside it at most one for the previous "
        f"alpha, and first an alpha of one channel and the same size, got inputs {shapes} and outputs "
        f"{[place.shape for place in engine.outputs]}"
    )
