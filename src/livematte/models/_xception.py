"""DeepLabV3+ on Xception-65, from a file of Keras weights to an ONNX graph.

The network is written down here, and the file gives its weights by the names of its layers. Every batch
normalisation becomes part of the convolution before it. The last step of the network, logits stretched to
the size of the picture, is left to whoever reads them: a sixteenth of the numbers.

Sources: Chollet 2017, "Xception: Deep Learning with Depthwise Separable Convolutions"; Chen et al. 2018,
"Encoder-Decoder with Atrous Separable Convolution for Semantic Image Segmentation", sections 3.2 and 4
(output stride 8: rates of 2 in the middle flow, 2 and 4 in the exit flow, 12, 24 and 36 in the pyramid);
names of layers, and the normalisations' epsilons, as in the Keras files that PixelLib publishes.
"""

from __future__ import annotations

import io
import itertools
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from livematte._errors import LivematteError, LoadError, MissingExtra
from livematte._frame import F32, Size

VERSION = 1
"""Part of the name of cached conversions: raise it when the result changes."""

OPSET = 17
IR_VERSION = 8
"""ONNX operator set and file version, those of other conversions."""

MIDDLE_UNITS = 16
STRIDE = 8
SKIP_STRIDE = 4
"""Of the encoder's output and of what skips it, against the picture."""

RATES = {"middle": 2, "exit 1": 2, "exit 2": 4}
PYRAMID = (12, 24, 36)
"""Dilations at output stride 8."""

ENCODER_EPSILON, HEAD_EPSILON = 1e-3, 1e-5
"""Added to a variance before its root is taken."""

LOGITS = ("logits_semantic", "custom_logits_semantic")
"""Names of the last layer: of the original files, and of those trained further."""


def converted(data: bytes, source: str, classes: int | None, size: Size) -> bytes:
    """The ONNX model of a file of Keras weights.

    Args:
        data: HDF5 file, of weights or of a whole model.
        source: its name, for messages.
        classes: channels of the logits; None takes those of the file.
        size: of the picture, multiples of 8.

    Returns:
        Input `rgb` (1, 3, h, w) from -1 to 1, output `logits` (1, classes, h / 4, w / 4).

    Raises:
        MissingExtra: `h5py` or `onnx` is not installed.
        LoadError: it is no such file, or has not these layers.
    """
    try:
        import h5py
        import onnx  # noqa: F401
    except ImportError as exc:
        raise MissingExtra(f'{source} is converted before it runs: pip install "livematte[keras]"') from exc
    if size.width % STRIDE or size.height % STRIDE:
        raise LoadError(f"DeepLabV3+ takes pictures whose sides are multiples of {STRIDE}, got {size}")
    try:
        with h5py.File(io.BytesIO(data), "r") as file, np.errstate(all="ignore"):  # the trial tells of overflows
            return _Network(_Layers(file, source), classes, size).onnx()
    except LivematteError:
        raise
    except Exception as exc:  # a damaged file fails anywhere in its reader, with any error
        raise LoadError(f"{source} is no HDF5 file of Keras weights: {' '.join(str(exc).split())}") from exc


MAX_CLASSES = 4096
"""Most channels that are taken from a file."""

MAX_DEPTH, MAX_MEMBERS = 4, 64
"""Of the groups of a layer, and of what is in one: Keras has one or two with five at most."""

MAX_CHUNK_BYTES = 64 << 20
"""The largest weights of this network have 13 MB."""


class _Layers:
    """Weights of layers by name, each of a shape that is known before it is read."""

    def __init__(self, file: Any, source: str) -> None:
        self._file, self._source = file.get("model_weights", file), source

    def __contains__(self, layer: str) -> bool:
        return layer in self._file

    def count(self, layer: str, most: int) -> int:
        """Numbers in the `bias` of `layer`, one for each of its channels.

        Raises:
            LoadError: it is not there, or has more than `most`.
        """
        shape = self._find(layer, "bias").shape
        if len(shape) != 1 or not 1 <= shape[0] <= most:
            raise LoadError(f"{self._source}: bias of {layer} has the shape {tuple(shape)}, expected up to {most}")
        return int(shape[0])

    def get(self, layer: str, weight: str, shape: Sequence[int]) -> F32:
        """`weight` of `layer`, such as `kernel`; a depthwise one has either name, by Keras's version.

        Raises:
            LoadError: it is not there, is damaged, or has another shape.
        """
        found = self._find(layer, weight)
        if tuple(found.shape) != tuple(shape):
            raise LoadError(
                f"{self._source}: {weight} of {layer} has the shape {tuple(found.shape)}, expected {tuple(shape)}"
            )
        values: F32 = np.asarray(found, np.float32)
        if not np.isfinite(values).all() or (weight == "moving_variance" and values.min() < 0):
            raise LoadError(f"{self._source}: {weight} of {layer} has numbers that no training gives: it is damaged")
        return values

    def _find(self, layer: str, weight: str) -> Any:
        """One set of numbers of the file, not read yet."""
        names = {weight, weight.removeprefix("depthwise_")}
        inside = _datasets(self._file[layer]) if layer in self._file else ()
        found = [item for name, item in inside if name.partition(":")[0] in names]
        if len(found) != 1:
            raise LoadError(f"{self._source} has no {weight} of the layer {layer}: it is of another network")
        if not _is_plain(found[0]):
            raise LoadError(
                f"{self._source}: {weight} of {layer} is compressed, in another file, or holds no numbers; "
                "Keras writes none of these"
            )
        return found[0]


def _datasets(group: Any, depth: int = MAX_DEPTH) -> Iterator[tuple[str, Any]]:
    """Name and object of what lies in a group and its groups, without following links that leave it."""
    import h5py

    for name in itertools.islice(group, MAX_MEMBERS):
        if isinstance(group.get(name, getlink=True), h5py.HardLink):
            item = group[name]
            if isinstance(item, h5py.Dataset):
                yield name, item
            elif isinstance(item, h5py.Group) and depth > 1:
                yield from _datasets(item, depth - 1)


def _is_plain(dataset: Any) -> bool:
    """Whether all of a dataset lies in this file as it is.

    Filters are refused, too: HDF5 believes what a chunk says of its size, and reads beyond what came out of it.
    """
    chunk = math.prod(dataset.chunks or ()) * dataset.dtype.itemsize
    filters = dataset.id.get_create_plist().get_nfilters()
    elsewhere = dataset.external or dataset.is_virtual
    return dataset.dtype.kind == "f" and not elsewhere and not filters and chunk <= MAX_CHUNK_BYTES


@dataclass(frozen=True, slots=True)
class _Map:
    """A tensor of the graph: its name, channels and grid."""

    name: str
    channels: int
    height: int
    width: int


class _Network:
    """The graph on its way."""

    def __init__(self, layers: _Layers, classes: int | None, size: Size) -> None:
        self._layers, self._size = layers, size
        self._logits = next((name for name in LOGITS if name in layers), LOGITS[0])
        self._classes = classes or layers.count(self._logits, MAX_CLASSES)
        self._nodes: list[Any] = []
        self._weights: dict[str, npt.NDArray[Any]] = {}

    def onnx(self) -> bytes:
        """Put the network together, from the picture to the logits."""
        import onnx
        from onnx import TensorProto, helper, numpy_helper

        out = self._decoder(*self._encoder(_Map("rgb", 3, self._size.height, self._size.width)))
        self._nodes[-1].output[0] = "logits"

        def info(name: str, *shape: int) -> Any:
            return helper.make_tensor_value_info(name, TensorProto.FLOAT, (1, *shape))

        weights = [numpy_helper.from_array(value, name) for name, value in self._weights.items()]
        graph = helper.make_graph(
            self._nodes,
            "livematte",
            [info("rgb", 3, *self._size[::-1])],
            [info("logits", out.channels, out.height, out.width)],
            weights,
        )
        opset = [helper.make_opsetid("", OPSET)]
        model = helper.make_model(graph, opset_imports=opset, ir_version=IR_VERSION, producer_name="livematte")
        onnx.checker.check_model(model)
        return bytes(model.SerializeToString())

    def _encoder(self, x: _Map) -> tuple[_Map, _Map]:
        """Features at 1/8, and those at 1/4 that skip the rest."""
        x = self._relu(self._convolution(x, "entry_flow_conv1_1", 32, kernel=3, stride=2))
        x = self._relu(self._convolution(x, "entry_flow_conv1_2", 64, kernel=3))
        x, _ = self._block(x, "entry_flow_block1", (128, 128, 128), stride=2)
        x, skip = self._block(x, "entry_flow_block2", (256, 256, 256), stride=2)
        x, _ = self._block(x, "entry_flow_block3", (728, 728, 728))
        for unit in range(1, MIDDLE_UNITS + 1):
            name = f"middle_flow_unit_{unit}"
            x, _ = self._block(x, name, (728, 728, 728), rate=RATES["middle"], shortcut="sum")
        x, _ = self._block(x, "exit_flow_block1", (728, 1024, 1024), rate=RATES["exit 1"])
        x, _ = self._block(
            x, "exit_flow_block2", (1536, 1536, 2048), rate=RATES["exit 2"], shortcut="none", relu_after=True
        )
        return x, skip

    def _decoder(self, x: _Map, skip: _Map) -> _Map:
        """Pyramid of dilations, and logits at 1/4."""
        mean = self._node("GlobalAveragePool", [x], _Map("mean", x.channels, 1, 1))
        mean = self._relu(self._convolution(mean, "image_pooling", 256, epsilon=HEAD_EPSILON))
        shape = self._keep("pyramid_shape", np.array([1, 256, x.height, x.width], np.int64))
        everywhere = self._node("Expand", [mean, shape], _Map("mean_everywhere", 256, x.height, x.width))
        branches = [everywhere, self._relu(self._convolution(x, "aspp0", 256, epsilon=HEAD_EPSILON))]
        for index, rate in enumerate(PYRAMID, 1):
            branches.append(self._separable(x, f"aspp{index}", 256, rate=rate, relu_after=True, epsilon=HEAD_EPSILON))
        x = self._joined(branches, "pyramid")
        x = self._relu(self._convolution(x, "concat_projection", 256, epsilon=HEAD_EPSILON))
        x = self._resized(x, skip.height, skip.width)
        skip = self._relu(self._convolution(skip, "feature_projection0", 48, epsilon=HEAD_EPSILON))
        x = self._joined([x, skip], "decoder")
        for index in (0, 1):
            x = self._separable(x, f"decoder_conv{index}", 256, relu_after=True, epsilon=HEAD_EPSILON)
        return self._last(x)

    def _block(
        self,
        x: _Map,
        name: str,
        filters: Sequence[int],
        *,
        stride: int = 1,
        rate: int = 1,
        shortcut: str = "conv",
        relu_after: bool = False,
    ) -> tuple[_Map, _Map]:
        """Three separable convolutions with a way past them, and what the second of them gave."""
        given, between = x, x
        for index, count in enumerate(filters, 1):
            step = stride if index == len(filters) else 1
            x = self._separable(
                x, f"{name}_separable_conv{index}", count, stride=step, rate=rate, relu_after=relu_after
            )
            between = x if index == len(filters) - 1 else between
        if shortcut == "none":
            return x, between
        past = self._convolution(given, f"{name}_shortcut", filters[-1], stride=stride) if shortcut == "conv" else given
        return self._node("Add", [x, past], _Map(f"{name}_sum", x.channels, x.height, x.width)), between

    def _separable(
        self,
        x: _Map,
        name: str,
        filters: int,
        *,
        stride: int = 1,
        rate: int = 1,
        relu_after: bool,
        epsilon: float = ENCODER_EPSILON,
    ) -> _Map:
        """A depthwise convolution and a pointwise one; ReLUs after each of them, or one before both."""
        x = x if relu_after else self._relu(x)
        x = self._convolution(
            x, f"{name}_depthwise", x.channels, kernel=3, stride=stride, rate=rate, epsilon=epsilon, depthwise=True
        )
        x = self._convolution(self._relu(x) if relu_after else x, f"{name}_pointwise", filters, epsilon=epsilon)
        return self._relu(x) if relu_after else x

    def _convolution(
        self,
        x: _Map,
        name: str,
        filters: int,
        *,
        kernel: int = 1,
        stride: int = 1,
        rate: int = 1,
        epsilon: float = ENCODER_EPSILON,
        depthwise: bool = False,
    ) -> _Map:
        """A convolution with the normalisation after it.

        The first layer of the network pads as TensorFlow's SAME does: of an even grid at the end alone.
        All others pad evenly on both sides.
        """
        if depthwise:
            weights = self._layers.get(name, "depthwise_kernel", (kernel, kernel, x.channels, 1)).transpose(2, 3, 0, 1)
        else:
            weights = self._layers.get(name, "kernel", (kernel, kernel, x.channels, filters)).transpose(3, 2, 0, 1)
        gamma, beta, mean, variance = (
            self._layers.get(f"{name}_BN", weight, (filters,))
            for weight in ("gamma", "beta", "moving_mean", "moving_variance")
        )
        gain = gamma / np.sqrt(variance + np.float32(epsilon))
        operands: list[_Map | str] = [
            x,
            self._keep(f"{name}_weights", weights * gain[:, None, None, None]),
            self._keep(f"{name}_bias", beta - mean * gain),
        ]
        pad = rate * (kernel - 1) // 2
        same = name == "entry_flow_conv1_1"
        out = _Map(name, filters, -(-x.height // stride), -(-x.width // stride))
        return self._node(
            "Conv", operands, out,
            kernel_shape=[kernel] * 2, strides=[stride] * 2, dilations=[rate] * 2,
            group=x.channels if depthwise else 1, pads=[0, 0, 1, 1] if same else [pad] * 4,
        )  # fmt: skip

    def _last(self, x: _Map) -> _Map:
        """The logits: a convolution with a bias, and without normalisation."""
        weights = self._layers.get(self._logits, "kernel", (1, 1, x.channels, self._classes)).transpose(3, 2, 0, 1)
        bias = self._layers.get(self._logits, "bias", (self._classes,))
        operands: list[_Map | str] = [x, self._keep("logits_weights", weights), self._keep("logits_bias", bias)]
        return self._node("Conv", operands, _Map("logits", self._classes, x.height, x.width), kernel_shape=[1, 1])

    def _joined(self, maps: Sequence[_Map], name: str) -> _Map:
        channels = sum(one.channels for one in maps)
        return self._node("Concat", list(maps), _Map(name, channels, maps[0].height, maps[0].width), axis=1)

    def _resized(self, x: _Map, height: int, width: int) -> _Map:
        """Stretched, the corners of both grids on one another."""
        sizes = self._keep("skip_size", np.array([1, x.channels, height, width], np.int64))
        out = _Map(f"{x.name}_stretched", x.channels, height, width)
        operands: list[_Map | str] = [x, "", "", sizes]
        return self._node("Resize", operands, out, mode="linear", coordinate_transformation_mode="align_corners")

    def _relu(self, x: _Map) -> _Map:
        return self._node("Relu", [x], _Map(f"{x.name}_relu", x.channels, x.height, x.width))

    def _keep(self, name: str, values: npt.NDArray[Any]) -> str:
        self._weights[name] = np.ascontiguousarray(values)
        return name

    def _node(self, kind: str, operands: Sequence[_Map | str], out: _Map, **attributes: Any) -> _Map:
        from onnx import helper

        names = [one.name if isinstance(one, _Map) else one for one in operands]
        self._nodes.append(helper.make_node(kind, names, [out.name], **attributes))
        return out
