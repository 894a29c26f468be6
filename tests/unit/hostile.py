"""Files that are no networks, or bad ones, for `test_hostile_files.py`; the same bytes every time."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

GOLDEN = Path(__file__).parents[1] / "golden"
ONNX, TFLITE = (GOLDEN / f"network-256x144.{suffix}" for suffix in ("onnx", "tflite"))

SEED = 20


@dataclasses.dataclass(frozen=True)
class Case:
    """One file.

    Args:
        harmless: the change may have hit nothing that matters; then the file may run, too.
        deep: well formed, so that only a runtime can find what is wrong.
    """

    name: str
    suffix: str
    data: bytes
    harmless: bool = False
    deep: bool = False


def cases(suffix: str) -> list[Case]:
    """Every bad file with this ending."""
    makers: dict[str, tuple[Path, Callable[[], Iterator[Case]]]] = {
        ".onnx": (ONNX, _onnx),
        ".tflite": (TFLITE, _tflite),
    }
    good, own = makers[suffix]
    return [*_any(suffix, good.read_bytes()), *own()]


def _any(suffix: str, good: bytes) -> Iterator[Case]:
    """What can happen to any file."""
    random = np.random.default_rng(SEED)
    yield Case("empty", suffix, b"")
    yield Case("text", suffix, b"<html>404 not found</html>\n" * 100)
    yield Case("noise", suffix, random.bytes(50_000))
    yield Case("zeros", suffix, bytes(50_000))
    for keep in (3, 9, 100, 5_000, len(good) // 2, len(good) - 1):
        yield Case(f"first {keep} bytes", suffix, good[:keep])
    yield Case("beginning twice", suffix, good[:2_000] + good)
    for number in range(4):
        yield Case(f"bits flipped {number}", suffix, _flipped(good, random, 24), harmless=True)
    for number in range(8):  # where the structure is, not the weights
        part = slice(0, 3_000) if number % 2 else slice(len(good) - 12_000, len(good))
        harmed = bytearray(good)
        harmed[part] = _flipped(good[part], random, 3)
        yield Case(f"structure flipped {number}", suffix, bytes(harmed), harmless=True)


def _flipped(data: bytes, random: np.random.Generator, count: int) -> bytes:
    harmed = bytearray(data)
    for at in random.integers(0, len(data), count):
        harmed[at] ^= 1 << int(random.integers(0, 8))
    return bytes(harmed)


def _graph(nodes: list[Any], side: int | str = 64, constants: list[Any] | None = None, outputs: int = 1) -> Any:
    value = helper.make_tensor_value_info
    made = [value("out", TensorProto.FLOAT, None)][:outputs]
    graph = helper.make_graph(nodes, "bad", [value("in", TensorProto.FLOAT, [1, 3, side, side])], made, constants)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


def _ints(name: str, *values: int) -> Any:
    return numpy_helper.from_array(np.array(values, np.int64), name)


def _claims(dims: list[int], data: bytes = bytes(4), kind: int = TensorProto.FLOAT) -> Any:
    return TensorProto(name="w", dims=dims, data_type=kind, raw_data=data)


def _onnx() -> Iterator[Case]:
    node = helper.make_node
    add = node("Add", ["in", "w"], ["out"])
    yield _saved("picture of 10^12 pixels", _graph([node("Relu", ["in"], ["out"])], 1_000_000))
    yield _saved("negative size", _graph([node("Relu", ["in"], ["out"])], -5))
    for name, dims in (("huge", [1 << 20, 1 << 20]), ("overflowing", [1 << 32, 1 << 32]), ("negative", [-3, 5]),
                       ("of 40 axes", [1] * 40), ("too short", [100])):  # fmt: skip
        yield _saved(f"constant {name}", _graph([add], constants=[_claims(dims)]))
    yield _saved("constant of no type", _graph([add], constants=[_claims([1], kind=99)]))
    for name in ("/etc/passwd", "../../../../etc/passwd", "weights.bin"):
        outside = TensorProto(name="w", dims=[1], data_type=1, data_location=TensorProto.EXTERNAL)
        outside.external_data.add(key="location", value=name)
        yield _saved(f"weights in {name}", _graph([add], constants=[outside]))
        inside = node("Constant", [], ["w"])
        inside.attribute.append(onnx.AttributeProto(name="value", type=onnx.AttributeProto.TENSOR, t=outside))
        yield _saved(f"constant in {name}", _graph([inside, add]))
    circle = [node("Add", ["in", "b"], ["a"]), node("Relu", ["a"], ["b"]), node("Relu", ["b"], ["out"])]
    yield _saved("a circle", _graph(circle))
    yield _saved("nothing makes the output", _graph([node("Relu", ["in"], ["other"])]))
    yield _saved("no output", _graph([node("Relu", ["in"], ["out"])], outputs=0))
    inner = _graph([node("Relu", ["in"], ["out"])]).graph
    for _ in range(8):
        inner = _graph([node("If", ["in"], ["out"], then_branch=inner, else_branch=inner)]).graph
    yield _saved("graphs in graphs", helper.make_model(inner, ir_version=8))
    loop = node("Loop", ["count", "", "in"], ["out"], body=inner)
    yield _saved("a loop without end", _graph([loop], constants=[_ints("count", 1 << 60)]))
    yield Case("a vast length", ".onnx", b"\x3a\xff\xff\xff\xff\xff\xff\xff\xff\x7f" + bytes(64))

    def deep(name: str, *nodes: Any, **options: Any) -> Case:
        return dataclasses.replace(_saved(name, _graph(list(nodes), **options)), deep=True)

    yield deep("unknown operator", node("Teleport", ["in"], ["out"]))
    yield deep("stretched to 40 GB", node("Expand", ["in", "s"], ["b"]), node("ReduceMax", ["b"], ["out"]),
               constants=[_ints("s", 50_000, 3, 64, 1024)], side=1)  # fmt: skip
    weights = numpy_helper.from_array(np.ones((1, 3, 3, 3), np.float32), "w")
    yield deep("stride of 0", node("Conv", ["in", "w"], ["out"], strides=[0, 0]), constants=[weights])
    yield deep("three groups of one", node("Conv", ["in", "w"], ["out"], group=0), constants=[weights])
    yield deep("another network", node("ReduceMean", ["in"], ["out"]))
    yield deep("open sizes", node("Relu", ["in"], ["out"]), side="any")


def _saved(name: str, model: Any) -> Case:
    return Case(name, ".onnx", model.SerializeToString())


def _tflite() -> Iterator[Case]:
    import tflite

    def changed(name: str, change: Callable[[Any, bytearray], None], **kind: bool) -> Case:
        data = bytearray(TFLITE.read_bytes())
        change(tflite.Model.GetRootAs(data, 0), data)
        return Case(name, ".tflite", bytes(data), **kind)

    def put(data: bytearray, table: Any, field: int, value: int, size: int = 4) -> None:
        """Write a scalar of a table, whose field has this number."""
        at = table._tab.Pos + table._tab.Offset(4 + 2 * field)
        data[at : at + size] = (value % (1 << 8 * size)).to_bytes(size, "little")

    def numbers(array: Any, value: int) -> None:
        array[0] = value  # a view of the file

    def convolution(model: Any) -> Any:
        graph = model.Subgraphs(0)
        found = (graph.Operators(i) for i in range(graph.OperatorsLength()))
        operator = next(o for o in found if o.BuiltinOptionsType() == tflite.BuiltinOptions.Conv2DOptions)
        options = tflite.Conv2DOptions()
        options.Init(operator.BuiltinOptions().Bytes, operator.BuiltinOptions().Pos)
        return options

    def root(model: Any, data: bytearray) -> None:
        data[0:4] = (1 << 31).to_bytes(4, "little")

    yield changed("root outside", root)
    yield changed("input beyond the tensors", lambda m, d: numbers(m.Subgraphs(0).InputsAsNumpy(), 9_999))
    yield changed("output below 0", lambda m, d: numbers(m.Subgraphs(0).OutputsAsNumpy(), -7))
    yield changed("operator reads the end", lambda m, d: numbers(
        m.Subgraphs(0).Operators(0).InputsAsNumpy(), int(m.Subgraphs(0).OutputsAsNumpy()[0])))  # fmt: skip
    yield changed("unlisted operator", lambda m, d: put(d, m.Subgraphs(0).Operators(3), 0, 77_777))
    yield changed("constants beyond the file", lambda m, d: put(d, m.Subgraphs(0).Tensors(5), 2, 88_888))
    for size in (1 << 30, -9):
        yield changed(f"input of {size} rows", lambda m, d, n=size: numbers(
            m.Subgraphs(0).Tensors(int(m.Subgraphs(0).InputsAsNumpy()[0])).ShapeAsNumpy()[1:], n))  # fmt: skip
    yield changed("stride of 0", lambda m, d: put(d, convolution(m), 1, 0), deep=True)
