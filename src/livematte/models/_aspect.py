"""One network in several shapes, so that wide, square and upright pictures are hardly stretched."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence

from livematte._errors import InferenceError
from livematte._frame import Frame, Size
from livematte._matte import Matte
from livematte._stages import Segmenter, State


class AspectSegmenter:
    """A segmenter: each frame goes to the graph it is stretched to least, with that graph's own state.

    The first graph is loaded at once, another when the first frame of its aspect comes. Graphs of
    about the same number of pixels cost the same, so that a phone held upright is as quick as a
    camera on a screen.

    Args:
        sizes: of the graphs' pictures; the first is the usual one.
        load: makes the segmenter of one size.

    Raises:
        Whatever `load` raises.
    """

    def __init__(self, sizes: Sequence[Size], load: Callable[[Size], Segmenter]) -> None:
        self._sizes, self._load = tuple(sizes), load
        self._lock, self._closed = threading.Lock(), False
        self._usual = load(self._sizes[0])
        self._loaded = {self._sizes[0]: self._usual}
        self.name, self.size = self._usual.name, self._usual.size
        self.engine: str = getattr(self._usual, "engine", "auto")

    def segment(self, frame: Frame, state: State) -> tuple[Matte, State]:
        return self._for(frame.size.nearest(self._sizes)).segment(frame, state)

    def close(self) -> None:
        with self._lock:
            self._closed = True
            for segmenter in self._loaded.values():
                segmenter.close()

    def _for(self, size: Size) -> Segmenter:
        with self._lock:  # streams on several threads share one segmenter
            if self._closed:
                raise InferenceError(f"{self.name} is closed")
            if size not in self._loaded:
                self._loaded[size] = self._load(size)
            return self._loaded[size]
