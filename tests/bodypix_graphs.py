"""BodyPix's graphs as TensorFlow.js graph models: the published topologies, with weights of noise or of a file.

MobileNetV1 ends at stride 16: where the published network has output stride 8, the step of layer 6 becomes a dilation
of the layers behind it. ResNet50 (version 1, as in TF-Slim) pads its strided convolutions itself. Names of nodes and
the order of outputs are those that body-pix reads by.

Source: Howard et al. 2017, "MobileNets"; He et al. 2015, "Deep Residual Learning"; TF-Slim, nets/resnet_v1.py.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

F32 = npt.NDArray[np.float32]
Json = dict[str, Any]
Weights = Callable[[str, tuple[int, ...]], F32]
"""Values of the next weights, of a name and a shape, (h, w, in, out) or (out,)."""

HEADS = {
    "float_short_offsets": 34,
    "float_segments": 1,
    "float_part_heatmaps": 24,
    "float_long_offsets": 34,
    "float_heatmaps": 17,
    "displacement_fwd": 32,
    "displacement_bwd": 32,
    "float_part_offsets": 48,
}
"""Channels of the outputs."""

MOBILENET_ORDER = tuple(HEADS)
RESNET_ORDER = (
    "displacement_bwd",
    "displacement_fwd",
    "float_heatmaps",
    "float_long_offsets",
    "float_short_offsets",
    "float_part_heatmaps",
    "float_segments",
    "float_part_offsets",
)

GAINS = {
    "float_segments": 2.0,
    "float_short_offsets": 4.0,
    "float_long_offsets": 12.0,
    "displacement_fwd": 20.0,
    "displacement_bwd": 20.0,
    "resnet_v1_50/conv1/": 1 / 60,
    "/conv3/": 0.3,
}
"""Spread of outputs of noise, where it is not 1: offsets are in pixels, pictures for ResNet50 in code values, and what
is added to a sum must not make it grow."""


class Graph:
    """A graph model that grows node by node.

    Args:
        weights: where the values come from.
        fused: write a convolution, its bias and what follows as one node, as Grappler leaves it.
    """

    def __init__(self, weights: Weights, fused: bool) -> None:
        self.nodes: list[Json] = []
        self.constants: dict[str, npt.NDArray[Any]] = {}
        self._weights, self._fused = weights, fused

    def node(self, op: str, name: str, inputs: list[str], **attr: Json) -> str:
        self.nodes.append({"name": name, "op": op, "input": inputs, "attr": {"T": {"type": "DT_FLOAT"}, **attr}})
        return name

    def constant(self, name: str, values: Any) -> str:
        array = np.asarray(values)
        self.constants[name] = array.astype(np.float32 if array.dtype.kind == "f" else np.int32)
        self.nodes.append({"name": name, "op": "Const", "input": [], "attr": {}})
        return name

    def conv(
        self, name: str, x: str, shape: tuple[int, ...], *, stride: int = 1, rate: int = 1, activation: str = "Relu6",
        padding: str = "SAME", depthwise: bool = False, grids: bool = False,
    ) -> str:  # fmt: skip
        """A convolution with its bias; `grids` writes its rate by SpaceToBatchND, for pictures of any size."""
        outputs = shape[2] * shape[3] if depthwise else shape[3]
        inner = [
            self.constant(f"{name}/{kind}", self._weights(f"{name}/{kind}", size))
            for kind, size in (("weights", shape), ("bias", (outputs,)))
        ]
        if grids:
            pad = rate * (shape[0] - 1) // 2
            block = self.constant(f"{name}/block", [rate, rate])
            paddings = self.constant(f"{name}/paddings", [[pad, pad], [pad, pad]])
            x = self.node("SpaceToBatchND", f"{name}/SpaceToBatchND", [x, block, paddings])
            padding = "VALID"
        attr = {
            "strides": ints([1, stride, stride, 1]),
            "dilations": ints([1, 1, 1, 1] if grids else [1, rate, rate, 1]),
            "padding": text(padding),
            "data_format": text("NHWC"),
        }
        plain = "DepthwiseConv2dNative" if depthwise else "Conv2D"
        last = f"{name}/BatchToSpaceND/before" if grids else name
        if self._fused:
            ops = ["BiasAdd", activation] if activation else ["BiasAdd"]
            kind = "FusedDepthwiseConv2dNative" if depthwise else "_FusedConv2D"
            self.node(
                kind,
                last,
                [x, *inner],
                **attr,
                num_args={"i": "1"},
                fused_ops={"list": {"s": [text(o)["s"] for o in ops]}},
            )
        else:
            self.node(plain, f"{name}/{plain}", [x, inner[0]], **attr)
            self.node(
                "BiasAdd",
                f"{name}/BiasAdd" if activation else last,
                [f"{name}/{plain}", inner[1]],
                data_format=text("NHWC"),
            )
            if activation:
                self.node(activation, last, [f"{name}/BiasAdd"])
        if grids:
            self.node("BatchToSpaceND", name, [last, f"{name}/block", self.constant(f"{name}/crops", [[0, 0], [0, 0]])])
        return name

    def write(self, path: Path, outputs: list[str], quantised_bytes: int = 4, shard_bytes: int = 1 << 22) -> Path:
        """The files: `path` is the model.json."""
        entries, data = [], b""
        for name, values in self.constants.items():
            entry: Json = {"name": name, "shape": list(values.shape), "dtype": values.dtype.name}
            if values.dtype == np.float32 and quantised_bytes < 4:
                kept, entry["quantization"] = quantised(values, quantised_bytes)
            else:
                kept = values
            entries.append(entry)
            data += kept.tobytes()
        parts = [data[at : at + shard_bytes] for at in range(0, len(data), shard_bytes)]
        names = [f"{path.stem}-shard{n + 1}of{len(parts)}.bin" for n in range(len(parts))]
        path.parent.mkdir(parents=True, exist_ok=True)
        for name, part in zip(names, parts, strict=True):
            (path.parent / name).write_bytes(part)
        model = {
            "format": "graph-model",
            "signature": {
                "inputs": {"sub_2": {"name": "sub_2:0", "dtype": "DT_FLOAT", "tensorShape": dims(-1, -1, -1, 3)}},
                "outputs": {
                    n: {"name": f"{n}:0", "dtype": "DT_FLOAT", "tensorShape": dims(-1, -1, -1, -1)} for n in outputs
                },
            },
            "modelTopology": {"node": self.nodes, "versions": {}},
            "weightsManifest": [{"paths": names, "weights": entries}],
        }
        path.write_text(json.dumps(model), encoding="utf-8")
        return path


def mobilenet(weights: Weights, *, multiplier: float, stride: int, fused: bool = False) -> tuple[Graph, list[str]]:
    """MobileNetV1 with BodyPix's heads, and the names of its outputs in order."""
    graph = Graph(weights, fused)
    x = graph.node("Placeholder", "sub_2", [], dtype={"type": "DT_FLOAT"}, shape={"shape": dims(-1, -1, -1, 3)})
    width = [round(n * multiplier) for n in (32, 64, 128, 128, 256, 256, *[512] * 8)]
    x = graph.conv("MobilenetV1/Conv2d_0", x, (3, 3, 3, width[0]), stride=2)
    reached, rate = 2, 1
    for n, step in enumerate((1, 2, 1, 2, 1, 2, *[1] * 7), 1):
        wide = reached * step > stride
        name = f"MobilenetV1/Conv2d_{n}"
        x = graph.conv(
            f"{name}_depthwise", x, (3, 3, width[n - 1], 1), stride=1 if wide else step, rate=rate, depthwise=True
        )
        x = graph.conv(f"{name}_pointwise", x, (1, 1, width[n - 1], width[n]))
        rate, reached = (rate * step, reached) if wide else (rate, reached * step)
    return graph, _heads(graph, x, width[-1], MOBILENET_ORDER, "MobilenetV1")


def resnet50(
    weights: Weights, *, stride: int, depth: int = 64, fused: bool = True, grids: bool = False
) -> tuple[Graph, list[str]]:
    """ResNet50 with BodyPix's heads; `depth` is 64 in the published one."""
    graph = Graph(weights, fused)
    x = graph.node("Placeholder", "sub_2", [], dtype={"type": "DT_FLOAT"}, shape={"shape": dims(-1, -1, -1, 3)})
    edges = graph.constant("resnet_v1_50/Pad/paddings", [[0, 0], [3, 3], [3, 3], [0, 0]])
    x = graph.node("Pad", "resnet_v1_50/Pad", [x, edges], Tpaddings={"type": "DT_INT32"})
    x = graph.conv("resnet_v1_50/conv1", x, (7, 7, 3, depth), stride=2, padding="VALID", activation="Relu")
    x = _subsampled(graph, "resnet_v1_50/pool1", x, 3, 2, "SAME")
    reached, rate, inputs = 4, 1, depth
    for block, units in enumerate((3, 4, 6, 3), 1):
        inner = depth << (block - 1)
        for unit in range(1, units + 1):
            step = 2 if unit == units and block < 4 else 1
            wide = reached * step > stride
            x = _unit(
                graph, f"resnet_v1_50/block{block}/unit_{unit}", x, inputs, inner, 1 if wide else step, rate, grids
            )
            rate, reached, inputs = (rate * step, reached, 4 * inner) if wide else (rate, reached * step, 4 * inner)
    return graph, _heads(graph, x, inputs, RESNET_ORDER, "resnet_v1_50")


def _unit(graph: Graph, name: str, x: str, inputs: int, inner: int, stride: int, rate: int, grids: bool) -> str:
    """A bottleneck of three convolutions, and what goes past it."""
    if inputs == 4 * inner:
        past = x if stride == 1 else _subsampled(graph, f"{name}/shortcut", x, 1, stride, "VALID")
    else:
        past = graph.conv(f"{name}/shortcut", x, (1, 1, inputs, 4 * inner), stride=stride, activation="")
    x = graph.conv(f"{name}/conv1", x, (1, 1, inputs, inner), activation="Relu")
    shape = (3, 3, inner, inner)
    if stride == 1:
        x = graph.conv(f"{name}/conv2", x, shape, rate=rate, activation="Relu", grids=grids and rate > 1)
    else:
        edges = graph.constant(f"{name}/paddings", [[0, 0], [1, 1], [1, 1], [0, 0]])
        x = graph.node("Pad", f"{name}/Pad", [x, edges], Tpaddings={"type": "DT_INT32"})
        x = graph.conv(f"{name}/conv2", x, shape, stride=stride, padding="VALID", activation="Relu")
    x = graph.conv(f"{name}/conv3", x, (1, 1, inner, 4 * inner), activation="")
    return graph.node("Relu", name, [graph.node("AddV2", f"{name}/add", [past, x])])


def _subsampled(graph: Graph, name: str, x: str, side: int, stride: int, padding: str) -> str:
    sides = {"ksize": ints([1, side, side, 1]), "strides": ints([1, stride, stride, 1])}
    return graph.node("MaxPool", name, [x], **sides, padding=text(padding), data_format=text("NHWC"))


def _heads(graph: Graph, x: str, inputs: int, order: tuple[str, ...], family: str) -> list[str]:
    """BodyPix's outputs, each a 1x1 convolution; part offsets are limited to 0-1."""
    names = {}
    for name, channels in HEADS.items():
        full = f"{family}/{name}_2/BiasAdd" if name.startswith("displacement") else name
        clipped = name == "float_part_offsets"
        made = graph.conv(f"{name}/raw" if clipped else full, x, (1, 1, inputs, channels), activation="")
        if clipped:
            ends = [graph.constant(f"{name}/{end}", np.float32(end)) for end in (0, 1)]
            made = graph.node("Minimum", f"{name}/less", [made, ends[1]])
            graph.node("Maximum", name, [made, ends[0]])
        names[name] = full
    return [names[name] for name in order]


def noise(seed: int) -> Weights:
    """Weights that keep the spread of what flows through a network."""
    random = np.random.default_rng(seed)

    def values(name: str, shape: tuple[int, ...]) -> F32:
        if len(shape) == 1:
            return random.normal(0, 0.1, shape).astype(np.float32)
        inputs = shape[0] * shape[1] * (1 if shape[3] == 1 and shape[2] > 3 else shape[2])
        gain = next((gain for head, gain in GAINS.items() if head in name), 1.0)
        return random.normal(0, gain * (1.8 / inputs) ** 0.5, shape).astype(np.float32)

    return values


def of_onnx(path: Path) -> Weights:
    """Those of the convolutions of an ONNX file of BodyPix's MobileNetV1, by shape, in its order."""
    import onnx
    from onnx import numpy_helper

    graph = onnx.load(str(path)).graph
    held = {i.name: numpy_helper.to_array(i) for i in graph.initializer}
    by_output = {n.output[0]: n for n in graph.node}
    heads = [_source(by_output, name.removeprefix("float_")) for name in HEADS]
    body = [n for n in graph.node if n.op_type == "Conv" and n not in heads]

    def every() -> Iterator[F32]:
        for conv in (*body, *heads):
            weights = held[conv.input[1]]  # (out, in / groups, h, w)
            depthwise = weights.shape[1] == 1 and weights.shape[0] > 1
            yield weights.transpose((2, 3, 0, 1) if depthwise else (2, 3, 1, 0))
            yield held[conv.input[2]]

    values = every()

    def take(name: str, shape: tuple[int, ...]) -> F32:
        found = next(values)
        assert found.shape == shape, (name, found.shape, shape)
        return np.array(found, np.float32)

    return take


def _source(by_output: Json, name: str) -> Any:
    """The convolution behind an output."""
    node = by_output[name]
    while node.op_type != "Conv":
        node = by_output[node.input[0]]
    return node


def quantised(values: F32, size_bytes: int) -> tuple[npt.NDArray[Any], Json]:
    """Weights in one or two bytes, from the least to the greatest."""
    low, high = float(values.min()), float(values.max())
    kind = {1: np.uint8, 2: np.uint16}[size_bytes]
    scale = (high - low) / np.iinfo(kind).max or 1.0
    kept = np.rint((values.astype(np.float64) - low) / scale).astype(kind)
    return kept, {"dtype": np.dtype(kind).name, "min": low, "scale": scale, "original_dtype": "float32"}


def dims(*sizes: int) -> Json:
    return {"dim": [{"size": str(n)} for n in sizes]}


def ints(values: list[int]) -> Json:
    return {"list": {"i": [str(n) for n in values]}}


def text(value: str) -> Json:
    return {"s": base64.b64encode(value.encode()).decode()}
