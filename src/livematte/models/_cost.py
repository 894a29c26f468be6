"""Multiply-adds of a graph: what one picture costs, whatever the device."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from livematte._errors import LoadError
from livematte._frame import Size
from livematte.engines._converted import onnx_of
from livematte.models._derived import fixed, open_picture, read_onnx

Shape = Sequence[int]


def multiply_adds(path: Path, size: Size | None = None) -> int | None:
    """Multiply-adds of convolutions and matrix products for one picture.

    Args:
        path: a graph in a format that becomes ONNX.
        size: of the picture, where the graph leaves it open.

    Returns:
        None if sizes stay open.

    Raises:
        LoadError, MissingExtra: it cannot be read.
    """
    from onnx import shape_inference

    data = onnx_of(path)
    model = read_onnx(data, path.name)
    if size is not None and (name := open_picture(model)) is not None:
        model = read_onnx(fixed(data, path.name, {name[0]: name[1](size)}), path.name)
    try:
        graph = shape_inference.infer_shapes(model).graph
    except Exception as exc:  # its errors share no class over versions
        raise LoadError(f"{path}: its shapes cannot be inferred: {' '.join(str(exc).split())}") from exc
    shapes: dict[str, Shape] = {item.name: tuple(item.dims) for item in graph.initializer}
    for value in (*graph.input, *graph.value_info, *graph.output):
        dims = [dim.dim_value for dim in value.type.tensor_type.shape.dim]
        if all(n > 0 for n in dims):
            shapes.setdefault(value.name, tuple(dims))
    total = 0
    for node in graph.node:
        if node.op_type in _RULES:
            try:
                total += _RULES[node.op_type](node, shapes)
            except KeyError:  # a shape that depends on the size of the picture
                return None
    return total


def _convolution(weights: int) -> Callable[[Any, Mapping[str, Shape]], int]:
    """Every output needs one weight of each of its own filter."""

    def rule(node: Any, shapes: Mapping[str, Shape]) -> int:
        return math.prod(shapes[node.output[0]]) * math.prod(shapes[node.input[weights]][1:])

    return rule


def _transposed(node: Any, shapes: Mapping[str, Shape]) -> int:
    """Every input is spread by all weights of its own channel."""
    return math.prod(shapes[node.input[0]]) * math.prod(shapes[node.input[1]][1:])


def _product(node: Any, shapes: Mapping[str, Shape]) -> int:
    return math.prod(shapes[node.output[0]]) * shapes[node.input[0]][-1]


def _gemm(node: Any, shapes: Mapping[str, Shape]) -> int:
    transposed = any(a.name == "transA" and a.i for a in node.attribute)
    return math.prod(shapes[node.output[0]]) * shapes[node.input[0]][0 if transposed else -1]


_RULES: dict[str, Callable[[Any, Mapping[str, Shape]], int]] = {
    "Conv": _convolution(1),
    "QLinearConv": _convolution(3),
    "ConvTranspose": _transposed,
    "MatMul": _product,
    "Gemm": _gemm,
}
