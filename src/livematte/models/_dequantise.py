"""Quantised ONNX graphs as float graphs: the same weights, and nothing rounded between the operators.

For files whose ranges were measured on pictures of another scale than the network was trained on: their
weights are fine and their arithmetic is not. Covers the "QOperator" form that ONNX Runtime's own
quantiser writes. A range that begins at 0 is a ReLU that the quantiser took out: it comes back.

Source: ONNX operators QLinearConv and QuantizeLinear, opset 13; ONNX Runtime's contrib operators
QLinearAdd, QLinearConcat and QLinearSoftmax; q = x / scale + zero point.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from livematte._errors import LoadError
from livematte.models._derived import read_onnx

OPSET = 13
"""ONNX operator set of the result: the first whose Softmax means one axis."""

IR_VERSION = 7
"""ONNX file version that goes with opset 13."""

Array = npt.NDArray[Any]


def is_quantised(model: Any) -> bool:
    """Whether any operator of an ONNX model computes with quantised values."""
    return any(node.op_type.startswith("QLinear") for node in model.graph.node)


def dequantised(data: bytes, source: str) -> bytes:
    """The float graph of a quantised one.

    Raises:
        MissingExtra: `onnx` is not installed.
        LoadError: no such graph, or an operator that is not covered.
    """
    model = read_onnx(data, source)
    try:
        return _Conversion(model.graph, source).onnx()
    except LoadError:
        raise
    except Exception as exc:  # a damaged graph fails anywhere, with any error
        raise LoadError(f"{source} is damaged, or quantised in another form: {exc!r}") from exc


class _Conversion:
    """One graph on its way."""

    def __init__(self, graph: Any, source: str) -> None:
        from onnx import numpy_helper

        self._graph, self._source = graph, source
        self._known: dict[str, Array] = {item.name: numpy_helper.to_array(item) for item in graph.initializer}
        self._made: dict[str, Array] = {}
        self._nodes: list[Any] = []

    def onnx(self) -> bytes:
        import onnx
        from onnx import helper, numpy_helper

        for node in self._graph.node:
            self._convert(node)
        used = {name for node in self._nodes for name in node.input}
        weights = {name: value for name, value in {**self._known, **self._made}.items() if name in used}
        initializers = [numpy_helper.from_array(value, name) for name, value in weights.items()]
        inputs = [value for value in self._graph.input if value.name not in self._known]
        graph = helper.make_graph(self._nodes, "livematte", inputs, self._graph.output, initializers)
        opset = [helper.make_opsetid("", OPSET)]
        made = helper.make_model(graph, opset_imports=opset, ir_version=IR_VERSION, producer_name="livematte")
        onnx.checker.check_model(made)
        return bytes(made.SerializeToString())

    def _convert(self, node: Any) -> None:
        from onnx import helper

        given, (out, *_) = list(node.input), list(node.output)
        attributes = {a.name: helper.get_attribute_value(a) for a in node.attribute}
        match node.op_type:
            case "QuantizeLinear" | "DequantizeLinear":
                self._add("Identity", [given[0]], out)
            case "QLinearConv":
                x, x_scale, _, weights, w_scale, w_zero, _, y_zero, *bias = given
                operands = [x, self._weights(weights, w_scale, w_zero)]
                if bias:
                    step = self._known[x_scale].reshape(-1) * self._known[w_scale].reshape(-1)
                    operands.append(self._keep(f"{bias[0]}_float", self._known[bias[0]] * step))
                self._add("Conv", operands, out, relu=self._from_zero(y_zero), **attributes)
            case "QLinearAdd":
                self._add("Add", [given[0], given[3]], out, relu=self._from_zero(given[7]))
            case "QLinearConcat":
                self._add("Concat", given[2::3], out, axis=attributes["axis"])
            case "QLinearSoftmax":
                self._add("Softmax", [given[0]], out, axis=attributes["axis"])
            case "Resize" | "Transpose" | "MaxPool":
                self._nodes.append(node)
            case kind:
                raise LoadError(f"{self._source} uses the quantised operator {kind}, which has no rule here")

    def _add(self, kind: str, operands: list[str], out: str, *, relu: bool = False, **attributes: Any) -> None:
        from onnx import helper

        linear = f"{out}_linear" if relu else out
        self._nodes.append(helper.make_node(kind, operands, [linear], **attributes))
        if relu:
            self._nodes.append(helper.make_node("Relu", [linear], [out]))

    def _weights(self, name: str, scale: str, zero: str) -> str:
        """Float weights (o, i, kh, kw), of one scale or of one for each output channel."""
        values = self._known[name].astype(np.float32)
        steps, zeros = (self._known[n].astype(np.float32).reshape(-1, 1, 1, 1) for n in (scale, zero))
        return self._keep(f"{name}_float", (values - zeros) * steps)

    def _from_zero(self, zero: str) -> bool:
        """Whether a range begins at 0: its zero point is the least value of its type."""
        value = self._known[zero]
        return int(value.reshape(-1)[0]) == int(np.iinfo(value.dtype).min)

    def _keep(self, name: str, values: Array) -> str:
        self._made[name] = values.astype(np.float32)
        return name
