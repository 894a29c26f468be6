"""BodyPix's network in use: a graph for each size of picture, and its outputs by name."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from livematte._errors import InferenceError, LoadError, OptionError
from livematte._frame import F32, U8, Frame, Size, check_rgb
from livematte._matte import Matte
from livematte._stages import State
from livematte.engines import Engine
from livematte.models._bodypix_found import OUTPUTS, Found
from livematte.models._bodypix_resize import Fit, Resolution, check_resolution, fit, input_size, shrink
from livematte.models._logits import by_corners, sigmoid, stretch

THRESHOLD = 0.7
"""Score above which a pixel of a mask is a person's."""

RESOLUTION = "medium"
"""Of the network's picture where masks are asked for and none was chosen."""

ENGINES_KEPT = 4
"""Loaded graphs, one for each size of picture: a folder of pictures of many sizes must not fill the memory."""

COLOURS = 3


@dataclass(frozen=True, slots=True)
class Kind:
    """What differs between BodyPix's networks.

    Args:
        stride: pixels from one cell of the grid to the next.
        scale: by which code values are multiplied for the network, after
        shift: which is added to them, RGB.
    """

    stride: int
    scale: float
    shift: tuple[float, float, float]


class BodyPix:
    """A segmenter that also tells parts of the body and people apart.

    As a segmenter its alpha is soft: the sigmoid of the segments, stretched with corners aligned. `find()` answers
    as body-pix does, with masks.

    Args:
        name: registry name with its tag.
        kind: of network.
        size: of the network's picture where no resolution is chosen.
        load: makes the engine for one size of picture.
        open_size: the file takes pictures of any size; else of `size` only.
        resolution: of the network's picture: `low`, `medium`, `high`, `full`, a share of the frame, or pixels.
            None: `size` for mattes, `medium` for masks.
        threshold: of masks, 0-1.

    Raises:
        LoadError: a graph of another kind.
        OptionError: a resolution or a threshold that cannot be.
    """

    def __init__(
        self,
        name: str,
        kind: Kind,
        size: Size,
        load: Callable[[Size], Engine],
        *,
        open_size: bool,
        resolution: Resolution | None = None,
        threshold: float = THRESHOLD,
    ) -> None:
        if not 0 <= threshold <= 1:
            raise OptionError(f"threshold must be from 0 to 1, got {threshold}")
        if resolution is not None and not open_size:
            raise OptionError(f"this file of {name} takes pictures of {size} only: no resolution can be chosen")
        self.name, self.size = name, size
        self._kind, self._load, self._open, self._threshold = kind, load, open_size, threshold
        self._resolution = None if resolution is None else check_resolution(resolution)
        self._lock, self._closed = threading.Lock(), False
        self._nets: dict[Size, _Net] = {}
        self.engine = self._net(size).engine.name

    def segment(self, frame: Frame, state: State) -> tuple[Matte, State]:
        size = self.size if self._resolution is None else self._input_size(frame.size, self._resolution)
        net = self._net(size)
        segments = net.run(frame.rgb(size) * np.float32(255))["segments"][..., 0]
        return Matte(sigmoid(stretch(segments, net.rows, net.columns)), frame.pts), None

    def find(self, rgb: U8) -> Found:
        """What the network says of a picture, RGB uint8 (h, w, 3).

        Raises:
            FrameError: not such a picture.
            OptionError: the resolution makes too large a picture of it.
            InferenceError: the network failed.
        """
        check_rgb(rgb)
        lies = self._fit(Size(rgb.shape[1], rgb.shape[0]))
        maps = self._net(lies.inner).run(shrink(rgb, lies))
        return Found(self.name, maps, lies, self._kind.stride, self._threshold)

    def close(self) -> None:
        with self._lock:
            self._closed = True
            for net in self._nets.values():
                net.engine.close()

    def _fit(self, frame: Size) -> Fit:
        if not self._open:
            return fit(frame, self.size)
        resolution = check_resolution(RESOLUTION) if self._resolution is None else self._resolution
        return fit(frame, self._input_size(frame, resolution))

    def _input_size(self, frame: Size, resolution: float) -> Size:
        return input_size(frame, resolution, self._kind.stride)

    def _net(self, size: Size) -> _Net:
        """The graph for a size, loaded when it is first needed; the one that was not used longest makes room."""
        with self._lock:
            if self._closed:
                raise InferenceError(f"{self.name} is closed")
            net = self._nets.pop(size, None) or _Net(self.name, self._kind, size, self._load(size))
            self._nets[size] = net
            if len(self._nets) > ENGINES_KEPT:
                del self._nets[next(iter(self._nets))]  # freed when nobody runs it any more
            return net


class _Net:
    """A loaded graph for pictures of one size.

    Raises:
        LoadError: it is of another size, or its grid or its outputs are not BodyPix's; the engine is closed.
    """

    def __init__(self, name: str, kind: Kind, size: Size, engine: Engine) -> None:
        self.engine = engine
        try:
            self._planar = _layout(name, engine, size)
            self._outputs = _outputs(engine, self._planar)
            grid = Size(*((side - 1) // kind.stride + 1 for side in size))
            self._check_grid(name, kind, size, grid)
        except LoadError:
            engine.close()
            raise
        axes = (COLOURS, 1, 1) if self._planar else (COLOURS,)
        self._scale = np.float32(kind.scale)
        self._shift = np.array(kind.shift, np.float32).reshape(axes)
        self.rows, self.columns = by_corners(grid.height, size.height), by_corners(grid.width, size.width)

    def run(self, picture: F32) -> dict[str, F32]:
        """Outputs (gh, gw, c) by name, for a picture (h, w, 3) in code values."""
        lying = picture.transpose(2, 0, 1) if self._planar else picture
        prepared = np.ascontiguousarray(lying * self._scale + self._shift, np.float32)
        found = self.engine.run([prepared[None]])
        return {
            name: np.ascontiguousarray(found[at][0].transpose(1, 2, 0) if planar else found[at][0])
            for name, (at, planar) in self._outputs.items()
        }

    def _check_grid(self, name: str, kind: Kind, size: Size, grid: Size) -> None:
        for output, (at, planar) in self._outputs.items():
            shape = self.engine.outputs[at].shape
            height, width = shape[2:] if planar else shape[1:3]
            if Size(width, height) != grid:
                raise LoadError(
                    f"{name} has a grid of {grid} for pictures of {size}, one cell every {kind.stride} pixels, and "
                    f"this file gives {output} of {width}x{height}: it is of another model"
                )


def _layout(name: str, engine: Engine, size: Size) -> bool:
    """Whether the colours of the picture are apart."""
    shapes = [place.shape for place in engine.inputs]
    for planar, wanted in (
        (True, (1, COLOURS, size.height, size.width)),
        (False, (1, size.height, size.width, COLOURS)),
    ):
        if shapes == [wanted]:
            return planar
    raise LoadError(
        f"{name} takes pictures of {size} and needs a graph with one input (1, 3, h, w) or (1, h, w, 3), "
        f"got inputs {shapes}: it is of another model"
    )


def _outputs(engine: Engine, planar: bool) -> dict[str, tuple[int, bool]]:
    """Place of each output by name, and whether its channels come first.

    A file that names nothing (a converted .tflite) has its segments by their one channel.
    """
    found: dict[str, tuple[int, bool]] = {}
    for output, channels in OUTPUTS.items():
        for at, place in enumerate(engine.outputs):
            named = _plain(place.name) == output or (output == "segments" and len(engine.outputs) == 1)
            for first in (planar, not planar):
                if (
                    named
                    and len(place.shape) == 4
                    and place.shape[1 if first else 3] == channels
                    and output not in found
                ):
                    found[output] = (at, first)
    if "segments" not in found:
        names = [f"{place.name} {place.shape}" for place in engine.outputs]
        raise LoadError(f"BodyPix needs a graph with an output `segments` of one channel, got {', '.join(names)}")
    return found


def _plain(name: str) -> str:
    """An output's name without TensorFlow's marks: `MobilenetV1/displacement_fwd_2/BiasAdd`, `float_heatmaps:0`."""
    parts = name.partition(":")[0].split("/")
    return (
        (parts[-2] if parts[-1] == "BiasAdd" and len(parts) > 1 else parts[-1])
        .removeprefix("float_")
        .removesuffix("_2")
    )
