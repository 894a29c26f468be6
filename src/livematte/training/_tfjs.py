"""A network as a graph model of TensorFlow.js, from its ONNX graph. Adapter of onnx.

`model.json` is a TensorFlow GraphDef as JSON and a list of the weights, `weights.bin` the weights one after
the other. TensorFlow's own converter, the package tensorflowjs, needs tensorflow, tf_keras, tensorflow_hub,
jax and a library of decision forests to be imported at all; a dozen operators need none of them.

Tensors are (n, h, w, c). A convolution, its bias and the ReLU or ReLU6 behind it are one node, which TensorFlow.js
computes in one go. Padding is written out wherever "SAME" would put it elsewhere: TensorFlow gives a stride
of 2 nothing above and left of an even picture, torch a pixel.

Source: TensorFlow.js, tfjs-core, io/types.ts (ModelJSON), and tfjs-converter, operations/op_list; TensorFlow,
core/ops/nn_ops.cc and image_ops.cc.
"""

from __future__ import annotations

import base64
import json
from collections import Counter
from collections.abc import Callable, Sequence
from functools import partial
from importlib.util import find_spec
from typing import Any

import numpy as np
import numpy.typing as npt

import livematte
from livematte._errors import MissingExtra, WeightsError

TOPOLOGY = "model.json"
WEIGHTS = "weights.bin"

Array = npt.NDArray[Any]
Json = dict[str, Any]

FLOAT: Json = {"type": "DT_FLOAT"}
DTYPES = {"float32": "DT_FLOAT", "int32": "DT_INT32"}
"""TensorFlow's names of NumPy's."""

RELU6 = (0.0, 6.0)


def tfjs_graph(graph: bytes) -> dict[str, bytes]:
    """The files of a graph model in float32: `rgb` (1, h, w, 3) in, `alpha` (1, h, w, 1) out.

    Args:
        graph: of `onnx_graph`.

    Returns:
        Bytes by file name. Weights first, so that whoever writes them in this order has them when the
        file is there that names them.

    Raises:
        MissingExtra: `onnx` is not installed.
        WeightsError: an operator, or a kind of one, that is not known here.
    """
    if find_spec("onnx") is None:
        raise MissingExtra('TensorFlow.js export needs onnx: pip install "livematte[train]"')
    import onnx

    model: Any = onnx.shape_inference.infer_shapes(onnx.load_from_string(graph))
    made = _Graph(model.graph)
    for node in model.graph.node:
        made.add(node)
    facts = {
        "format": "graph-model",
        "generatedBy": "torch",
        "convertedBy": f"livematte {livematte.__version__}",
        "signature": {
            "inputs": {value.name: made.signature(value.name) for value in model.graph.input},
            "outputs": {value.name: made.signature(value.name) for value in model.graph.output},
        },
        # of the TensorFlow that writes a graph; none did
        "modelTopology": {"node": made.nodes, "versions": {"producer": 0, "minConsumer": 0}},
        "weightsManifest": [
            {
                "paths": [WEIGHTS],
                "weights": [
                    {"name": name, "shape": list(value.shape), "dtype": value.dtype.name}
                    for name, value in made.weights.items()
                ],
            }
        ],
    }
    weights = b"".join(value.astype(value.dtype.newbyteorder("<")).tobytes() for value in made.weights.values())
    return {WEIGHTS: weights, TOPOLOGY: json.dumps(facts, separators=(",", ":")).encode()}


class _Graph:
    """TensorFlow's nodes and weights, as ONNX's nodes come by.

    Args:
        graph: ONNX's, with shapes.
    """

    def __init__(self, graph: Any) -> None:
        from onnx import numpy_helper

        self.constants: dict[str, Array] = {i.name: numpy_helper.to_array(i) for i in graph.initializer}
        self.shapes: dict[str, tuple[int, ...]] = {
            value.name: tuple(d.dim_value for d in value.type.tensor_type.shape.dim)
            for value in (*graph.input, *graph.value_info, *graph.output)
        }
        self.readers = Counter(name for node in graph.node for name in node.input)
        self.readers.update(value.name for value in graph.output)
        self.bends = {
            node.input[0]: node
            for node in graph.node
            if node.op_type == "Relu" or (node.op_type == "Clip" and self.is_relu6(node))
        }
        self.taken: set[str] = set()
        self.nodes: list[Json] = []
        self.weights: dict[str, Array] = {}
        for value in graph.input:
            self.node("Placeholder", value.name, [], dtype=FLOAT, shape={"shape": _dims(self.nhwc(value.name))})

    def add(self, node: Any) -> None:
        """Write what does the same as a node of ONNX; nothing if an earlier one does it already."""
        if node.output[0] in self.taken:
            return
        if node.op_type not in OPERATORS:
            raise WeightsError(
                f"the graph has the operator {node.op_type}, which the export to TensorFlow.js does not know: "
                f"it knows {', '.join(OPERATORS)}"
            )
        OPERATORS[node.op_type](self, node)

    def node(self, op: str, name: str, inputs: Sequence[str], **attributes: Json) -> str:
        """Write a node of TensorFlow; its name is that of its output."""
        self.nodes.append({"name": name, "op": op, "input": list(inputs), "attr": attributes})
        return name

    def weight(self, name: str, value: Array) -> str:
        """Write a constant, once."""
        if name not in self.weights:
            self.weights[name] = np.asarray(value, order="C")
            dtype = {"type": DTYPES[value.dtype.name]}
            self.node("Const", name, [], dtype=dtype)
        return name

    def ints(self, name: str, values: Sequence[int]) -> str:
        """Write a vector of int32."""
        return self.weight(name, np.array(values, np.int32))

    def operand(self, name: str, node: Any) -> str:
        """A tensor, or a number."""
        if name not in self.constants:
            self.nhwc(name)
            return name
        value = self.constants[name]
        if value.size != 1 or value.dtype != np.float32:
            raise _unknown(node, f"a constant of {value.dtype} {value.shape}, expected one number of float32")
        return self.weight(name, value.reshape(()))

    def nhwc(self, name: str) -> tuple[int, ...]:
        """Shape of a tensor as TensorFlow has it."""
        shape = self.shapes.get(name, ())
        if len(shape) != 4 or not all(shape):
            raise WeightsError(f"{name} has the shape {shape}, the export to TensorFlow.js expects (n, c, h, w)")
        n, c, h, w = shape
        return n, h, w, c

    def signature(self, name: str) -> Json:
        """What the model says of its input or output."""
        return {"name": f"{name}:0", "dtype": "DT_FLOAT", "tensorShape": _dims(self.nhwc(name))}

    def bend(self, name: str) -> tuple[str, str] | None:
        """TensorFlow's kind of the ReLU or ReLU6 of a value, and its name, if nothing else reads the value.

        It is then written with it.
        """
        node = self.bends.get(name)
        if node is None or self.readers[name] > 1:
            return None
        self.taken.add(node.output[0])
        return "Relu" if node.op_type == "Relu" else "Relu6", str(node.output[0])

    def is_relu6(self, node: Any) -> bool:
        """Whether a Clip is one."""
        limits = [self.constants.get(name) for name in node.input[1:]]
        return tuple(None if limit is None else float(limit.reshape(-1)[0]) for limit in limits) == RELU6


def _conv(made: _Graph, node: Any) -> None:
    given = _attributes(node)
    x, kernel, *bias = node.input
    weight = made.constants[kernel]  # (out, in / groups, h, w)
    outputs, inputs, *side = weight.shape
    groups, channels = given["group"], made.nhwc(x)[3]
    if groups == 1:
        op, order = "_FusedConv2D", (2, 3, 1, 0)
    elif groups == outputs == channels and inputs == 1:
        op, order = "FusedDepthwiseConv2dNative", (2, 3, 0, 1)
    else:
        raise _unknown(node, f"{groups} groups of {channels} channels, expected 1, or one for each channel")
    if any(n != 1 for n in given["dilations"]) or given.get("auto_pad", b"NOTSET") != b"NOTSET":
        raise _unknown(node, "dilated or with automatic padding")
    inner = [
        made.weight(kernel, weight.transpose(order)),
        made.weight(bias[0], made.constants[bias[0]])
        if bias
        else made.weight(f"{kernel}/bias", np.zeros(outputs, np.float32)),
    ]
    bent = made.bend(node.output[0])
    made.node(
        op,
        bent[1] if bent else node.output[0],
        [x, *inner],
        T=FLOAT,
        num_args={"i": "1"},
        fused_ops=_texts(["BiasAdd", bent[0]] if bent else ["BiasAdd"]),
        strides=_ints([1, *given["strides"], 1]),
        dilations=_ints([1, 1, 1, 1]),
        data_format=_text("NHWC"),
        **_padding(given["pads"], given["strides"], side),
    )


def _conv_transpose(made: _Graph, node: Any) -> None:
    """TensorFlow has it as the gradient of a convolution by its input."""
    given = _attributes(node)
    x, kernel, *bias = node.input
    name = node.output[0]
    if any(given["pads"]) or any(given.get("output_padding", ())) or given["group"] != 1:
        raise _unknown(node, "padded or in groups")
    if any(n != 1 for n in given["dilations"]) or given.get("auto_pad", b"NOTSET") != b"NOTSET":
        raise _unknown(node, "dilated or with automatic padding")
    inner = [
        made.ints(f"{name}/size", made.nhwc(name)),
        made.weight(kernel, made.constants[kernel].transpose(2, 3, 1, 0)),  # (in, out, h, w) before
    ]
    made.node(
        "Conv2DBackpropInput",
        f"{name}/unbiased" if bias else name,
        [*inner, x],
        T=FLOAT,
        strides=_ints([1, *given["strides"], 1]),
        dilations=_ints([1, 1, 1, 1]),
        data_format=_text("NHWC"),
        padding=_text("VALID"),
    )
    if bias:
        inner = [f"{name}/unbiased", made.weight(bias[0], made.constants[bias[0]])]
        made.node("BiasAdd", name, inner, T=FLOAT, data_format=_text("NHWC"))


def _resize(made: _Graph, node: Any) -> None:
    given = _attributes(node)
    kind = [given.get(key) for key in ("mode", "coordinate_transformation_mode", "antialias")]
    if kind != [b"linear", b"half_pixel", 0]:
        raise _unknown(node, f"of the kind {kind}, expected linear, half_pixel, not antialiased")
    name = node.output[0]
    size = made.ints(f"{name}/size", made.nhwc(name)[1:3])
    made.node(
        "ResizeBilinear",
        name,
        [made.operand(node.input[0], node), size],
        T=FLOAT,
        align_corners={"b": False},
        half_pixel_centers={"b": True},
    )


def _mean(made: _Graph, node: Any) -> None:
    given = _attributes(node)
    axes = sorted(int(n) % 4 for n in made.constants[node.input[1]])
    if axes != [2, 3] or not given["keepdims"]:
        raise _unknown(node, f"over the axes {axes}, expected height and width, which stay as 1")
    name = node.output[0]
    inner = [made.operand(node.input[0], node), made.ints(f"{name}/axes", [1, 2])]
    made.node("Mean", name, inner, T=FLOAT, Tidx={"type": "DT_INT32"}, keep_dims={"b": True})


def _concat(made: _Graph, node: Any) -> None:
    if (axis := _attributes(node)["axis"]) not in (1, -3):
        raise _unknown(node, f"along the axis {axis}, expected the channels")
    name = node.output[0]
    inner = [*(made.operand(given, node) for given in node.input), made.weight(f"{name}/axis", np.array(3, np.int32))]
    made.node("ConcatV2", name, inner, T=FLOAT, Tidx={"type": "DT_INT32"}, N={"i": str(len(node.input))})


def _clip(made: _Graph, node: Any) -> None:
    if not made.is_relu6(node):
        raise _unknown(node, "with other limits than 0 and 6")
    made.node("Relu6", node.output[0], [made.operand(node.input[0], node)], T=FLOAT)


def _hard_swish(made: _Graph, node: Any) -> None:
    """The product of x and relu6(x + 3) / 6, for which TensorFlow.js has no operator of its own."""
    x, name = made.operand(node.input[0], node), node.output[0]
    three = made.weight("hard_swish/3", np.array(3, np.float32))
    sixth = made.weight("hard_swish/6", np.array(1 / 6, np.float32))
    made.node("AddV2", f"{name}/moved", [x, three], T=FLOAT)
    made.node("Relu6", f"{name}/gate", [f"{name}/moved"], T=FLOAT)
    made.node("Mul", f"{name}/gated", [x, f"{name}/gate"], T=FLOAT)
    made.node("Mul", name, [f"{name}/gated", sixth], T=FLOAT)


def _plain(op: str, made: _Graph, node: Any) -> None:
    """Numbers or pictures in, one value a place out."""
    made.node(op, node.output[0], [made.operand(name, node) for name in node.input], T=FLOAT)


OPERATORS: dict[str, Callable[[_Graph, Any], None]] = {
    "Add": partial(_plain, "AddV2"),
    "Clip": _clip,
    "Concat": _concat,
    "Conv": _conv,
    "ConvTranspose": _conv_transpose,
    "HardSwish": _hard_swish,
    "Mul": partial(_plain, "Mul"),
    "ReduceMean": _mean,
    "Relu": partial(_plain, "Relu"),
    "Resize": _resize,
    "Sigmoid": partial(_plain, "Sigmoid"),
    "Sub": partial(_plain, "Sub"),
}
"""ONNX's operators, and what writes them."""


def _padding(pads: Sequence[int], strides: Sequence[int], side: Sequence[int]) -> dict[str, Json]:
    """Padding of a convolution from ONNX's: above, left, below, right."""
    top, left, bottom, right = pads
    if not any(pads):
        return {"padding": _text("VALID")}
    around = [(n - 1) // 2 for n in side]
    if all(n == 1 for n in strides) and all(n % 2 for n in side) and list(pads) == around * 2:
        return {"padding": _text("SAME")}
    return {"padding": _text("EXPLICIT"), "explicit_paddings": _ints([0, 0, top, bottom, left, right, 0, 0])}


def _attributes(node: Any) -> dict[str, Any]:
    from onnx import helper

    return {attribute.name: helper.get_attribute_value(attribute) for attribute in node.attribute}


def _unknown(node: Any, what: str) -> WeightsError:
    return WeightsError(f"{node.op_type} {node.output[0]} is {what}: the export to TensorFlow.js does not know that")


def _dims(shape: Sequence[int]) -> Json:
    return {"dim": [{"size": str(n)} for n in shape]}


def _ints(values: Sequence[int]) -> Json:
    return {"list": {"i": [str(n) for n in values]}}


def _text(value: str) -> Json:
    return {"s": base64.b64encode(value.encode()).decode()}


def _texts(values: Sequence[str]) -> Json:
    return {"list": {"s": [_text(value)["s"] for value in values]}}
