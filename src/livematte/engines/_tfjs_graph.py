"""A graph of TensorFlow on its way to ONNX: its values so far, and what ONNX gets for them.

Every size that the graph names is bounded here before anybody allocates it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from graphlib import CycleError, TopologicalSorter
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from livematte._errors import LoadError
from livematte._frame import MAX_SIDE_PX
from livematte.engines._tfjs_file import Array, GraphFile, Node

OPSET = 17
"""ONNX operator set: the first with everything used here that ONNX Runtime 1.14 reads."""

IR_VERSION = 8
"""ONNX file version that goes with opset 17."""

MAX_SIDE = 1024
"""Largest kernel, stride, dilation and number of pixels added to a side, in pixels."""

MAX_CHANNELS = 65_536
"""Most channels of a picture within the graph; ResNet50 has 2048."""

NHWC_TO_NCHW = (0, 3, 1, 2)

ACTIVATIONS = {"Elu": "Elu", "Relu": "Relu", "Sigmoid": "Sigmoid", "Tanh": "Tanh"}
"""TensorFlow's that ONNX has, too; Relu6 is a Clip."""


class Picture(NamedTuple):
    """What flows through a node: pictures of so many channels, and into how many grids each side is cut."""

    channels: int
    grids: tuple[int, int] = (1, 1)


class Conversion:
    """One graph on its way: its values so far, ONNX nodes and constants.

    Args:
        graph: what is in the files.
        path: its model.json, for messages.
        rules: what converts a node, by TensorFlow's operator.
    """

    def __init__(self, graph: GraphFile, path: Path, rules: Rules) -> None:
        self._graph, self._path, self._rules = graph, path, rules
        self._constants: dict[str, Array] = {}
        self._pictures: dict[str, Picture] = {}
        self._nodes: list[Any] = []
        self._initializers: dict[str, Array] = {}
        self._grown_px = 0

    def onnx(self) -> bytes:
        """Convert every node that an output needs and put the ONNX model together."""
        import onnx
        from onnx import helper, numpy_helper

        for name in self._order():
            self._convert(self._graph.nodes[name])
        for name in self._graph.outputs:
            if self._pictures.get(name, Picture(0)).grids != (1, 1) or name in self._constants:
                raise LoadError(f"{self._path}: the output {name} is no picture")

        def info(name: str, shape: Sequence[int | str]) -> Any:
            return helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, shape)

        named = [name for name in self._graph.inputs if name in self._pictures]
        others = [n for n in self._pictures if n not in named and self._graph.nodes[n].op == "Placeholder"]
        inputs = [info(name, self._placeholder(name)) for name in (*named, *others)]
        outputs = [info(n, (1, self._pictures[n].channels, f"{n} rows", f"{n} columns")) for n in self._graph.outputs]
        used = {name for node in self._nodes for name in node.input}
        constants = [numpy_helper.from_array(a, name) for name, a in self._initializers.items() if name in used]
        graph = helper.make_graph(self._nodes, "livematte", inputs, outputs, constants)
        model = helper.make_model(
            graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=IR_VERSION, producer_name="livematte"
        )
        onnx.checker.check_model(model)
        return bytes(model.SerializeToString())

    def _order(self) -> list[str]:
        """Names of the nodes that outputs need, each behind those it reads."""
        needed: dict[str, tuple[str, ...]] = {}
        ahead = list(self._graph.outputs)
        while ahead:
            name = ahead.pop()
            if name not in self._graph.nodes:
                raise LoadError(f"{self._path}: {name} is read, and is not in the graph")
            if name not in needed:
                needed[name] = self._graph.nodes[name].inputs
                ahead += needed[name]
        try:
            return list(TopologicalSorter(needed).static_order())
        except CycleError as exc:
            raise LoadError(f"{self._path}: the graph runs in a circle") from exc

    def _placeholder(self, name: str) -> tuple[int | str, ...]:
        """Shape (1, c, h, w) of an input; open sides have names."""
        shape = self._graph.nodes[name].shape()
        if shape is None or len(shape) != 4 or shape[0] not in (-1, 1) or not 1 <= shape[3] <= MAX_CHANNELS:
            raise LoadError(f"{self._path}: the input {name} is {shape}, expected one picture (1, h, w, channels)")
        if any(n != -1 and not 1 <= n <= MAX_SIDE_PX for n in shape[1:3]):
            raise LoadError(f"{self._path}: the input {name} is {shape}, expected sides of 1 to {MAX_SIDE_PX} pixels")
        height, width = (
            f"{name} {side}" if n == -1 else n for side, n in zip(("height", "width"), shape[1:3], strict=True)
        )
        return 1, shape[3], height, width

    def _convert(self, node: Node) -> None:
        if node.op == "Placeholder":
            self.made(node, Picture(int(self._placeholder(node.name)[1])))
        elif node.op == "Const":
            if node.name not in self._graph.weights:
                raise LoadError(f"{self._path}: the constant {node.name} has no weights")
            self._constants[node.name] = self._graph.weights[node.name]
        elif node.op == "Identity" and node.inputs[0] in self._constants:
            self._constants[node.name] = self._constants[node.inputs[0]]
        elif node.op in self._rules:
            self._rules[node.op](self, node)
        else:
            raise LoadError(
                f"{self._path} uses the operator {node.op}, which has no rule here; covered are "
                f"{', '.join(sorted(self._rules))}"
            )

    # operands

    def is_constant(self, node: Node, at: int) -> bool:
        return node.inputs[at] in self._constants

    def floats(self, node: Node, at: int, axes: int) -> Array:
        """A constant of float32 with that many axes."""
        values = self._constants.get(node.inputs[at])
        if values is None or values.dtype != np.float32 or values.ndim != axes:
            raise self.unknown(node, f"without a constant of {axes} axes of numbers at {node.inputs[at]}")
        return values

    def numbers(self, node: Node, at: int, count: int, least: int, most: int) -> list[int]:
        """Whole numbers of a constant, within bounds."""
        values = self._constants.get(node.inputs[at])
        if values is None or values.dtype != np.int32 or values.size != count:
            raise self.unknown(node, f"without a constant of {count} whole numbers at {node.inputs[at]}")
        return [self.bounded(node, int(n), least, most) for n in values.reshape(-1)]

    def bounded(self, node: Node, n: int, least: int, most: int) -> int:
        """A number of the graph, if it is within bounds."""
        if not least <= n <= most:
            raise self.unknown(node, f"with the number {n}, expected {least} to {most}")
        return n

    def sides(self, node: Node, key: str) -> tuple[int, int]:
        """Height and width from an attribute of four numbers, (n, h, w, c)."""
        n, *inner, c = node.ints(key, (1, 1, 1, 1))
        if n != 1 or c != 1 or len(inner) != 2:
            raise self.unknown(node, f"with the {key} {node.ints(key)}, expected them for height and width")
        height, width = (self.bounded(node, side, 1, MAX_SIDE) for side in inner)
        return height, width

    def picture(self, node: Node, at: int = 0) -> Picture:
        """What flows through an operand, which is no constant."""
        if node.inputs[at] not in self._pictures:
            raise self.unknown(node, f"of the constant {node.inputs[at]}, expected a picture")
        if node.text("data_format", "NHWC") != "NHWC":
            raise self.unknown(node, "with channels apart, expected the data_format NHWC")
        return self._pictures[node.inputs[at]]

    def whole(self, node: Node, at: int = 0) -> Picture:
        """As `picture`, for operators that must not see one that is cut into grids."""
        if self.picture(node, at).grids != (1, 1):
            raise self.unknown(node, "between SpaceToBatchND and BatchToSpaceND")
        return self.picture(node, at)

    def operand(self, node: Node, at: int) -> str:
        """ONNX name of any operand; constants are brought to a shape that broadcasts in NCHW."""
        name = node.inputs[at]
        if name in self._pictures:
            return name
        values = self._constants[name].astype(np.float32)
        padded = values.reshape((1,) * (4 - values.ndim) + values.shape)  # NHWC broadcasting aligns at the end
        return self.store(f"{name} nchw", padded.transpose(NHWC_TO_NCHW))

    def operand_shape(self, node: Node, at: int) -> tuple[int, ...]:
        """Shape of a constant as it broadcasts in NCHW."""
        return self._initializers[self.operand(node, at)].shape

    # results

    def store(self, name: str, values: Array) -> str:
        """Add an initializer."""
        self._initializers[name] = np.ascontiguousarray(values)
        return name

    def emit(self, kind: str, inputs: Sequence[str], output: str, **attributes: Any) -> str:
        """Add a node of ONNX."""
        from onnx import helper

        self._nodes.append(helper.make_node(kind, inputs, [output], **attributes))
        return output

    def activated(self, node: Node, kind: str, inputs: Sequence[str], activation: str, **attributes: Any) -> None:
        """ONNX's node for `node`, and the activation that TensorFlow fused into it."""
        plain = self.emit(kind, inputs, f"{node.name} linear" if activation else node.name, **attributes)
        if activation == "Relu6":
            limits = [self.store(f"clip {limit}", np.array(limit, np.float32)) for limit in (0, 6)]
            self.emit("Clip", [plain, *limits], node.name)
        elif activation:
            self.emit(ACTIVATIONS[activation], [plain], node.name)

    def made(self, node: Node, picture: Picture) -> None:
        """Record what flows through a node's output."""
        self.bounded(node, picture.channels, 1, MAX_CHANNELS)
        self._pictures[node.name] = picture

    def grown(self, node: Node, *pixels: int) -> None:
        """Record pixels that are added to the sides of a picture: a chain of nodes must not make it huge."""
        self._grown_px = self.bounded(node, self._grown_px + sum(pixels), 0, MAX_SIDE_PX)

    def unknown(self, node: Node, what: str) -> LoadError:
        return LoadError(f"{self._path}: {node.op} {node.name} is {what}, which is not converted")


Rules = Mapping[str, Callable[[Conversion, Node], None]]
"""TensorFlow operator -> what writes it in ONNX."""
