"""Files that are no networks, or bad ones, for `test_hostile_files.py`; the same bytes every time."""

from __future__ import annotations

import dataclasses
import importlib.util
import io
import json
import tempfile
import zlib
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

GOLDEN = Path(__file__).parents[1] / "golden"
ONNX, TFLITE = (GOLDEN / f"network-256x144.{suffix}" for suffix in ("onnx", "tflite"))

SEED = 20

spec = importlib.util.spec_from_file_location("bodypix_graphs", Path(__file__).parents[1] / "bodypix_graphs.py")
assert spec is not None
assert spec.loader is not None
graphs = importlib.util.module_from_spec(spec)
spec.loader.exec_module(graphs)


@dataclasses.dataclass(frozen=True)
class Case:
    """One file.

    Args:
        beside: other files of its folder by name.
        harmless: the change may have hit nothing that matters; then the file may run, too.
        deep: well formed, so that only a runtime can find what is wrong.
    """

    name: str
    suffix: str
    data: bytes
    harmless: bool = False
    deep: bool = False
    beside: Mapping[str, bytes] = dataclasses.field(default_factory=dict)


def cases(suffix: str) -> list[Case]:
    """Every bad file with this ending."""
    makers: dict[str, tuple[Callable[[], bytes], Callable[[], Iterator[Case]]]] = {
        ".onnx": (ONNX.read_bytes, _onnx),
        ".tflite": (TFLITE.read_bytes, _tflite),
        ".json": (lambda: TFJS["model.json"], _tfjs),
        ".h5": (lambda: _hdf5(KERAS), _keras),
    }
    good, own = makers[suffix]
    found = [*_any(suffix, good()), *own()]
    return [dataclasses.replace(case, beside=TFJS) for case in found] if suffix == ".json" else found


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
    for number in range(3):
        yield Case(f"bits flipped {number}", suffix, _flipped(good, random, 24), harmless=True)
    for number in range(5):  # where the structure is, not the weights
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


def _tfjs_files() -> dict[str, bytes]:
    """A sound TensorFlow.js network: `model.json` and its weights."""
    graph = graphs.Graph(lambda name, shape: np.ones(shape, np.float32), fused=False)
    graph.node("Placeholder", "sub_2", [], shape={"shape": graphs.dims(1, 36, 64, 3)})
    graph.conv("small", "sub_2", (3, 3, 3, 8), stride=2)
    graph.conv("alpha", "small", (1, 1, 8, 1), activation="Sigmoid")
    with tempfile.TemporaryDirectory() as folder:
        graph.write(Path(folder) / "model.json", ["alpha"])
        return {path.name: path.read_bytes() for path in sorted(Path(folder).iterdir())}


TFJS = _tfjs_files()


def _tfjs() -> Iterator[Case]:
    def changed(name: str, change: Callable[[Any, list[Any], Any], Any], **kind: bool) -> Case:
        model = json.loads(TFJS["model.json"])
        change(model, model["modelTopology"]["node"], model["weightsManifest"][0])
        return Case(name, ".json", json.dumps(model).encode(), **kind)

    def first(nodes: list[Any], op: str) -> Any:
        return next(node for node in nodes if node["op"] == op)

    for name in ("/etc/passwd", "../../../../etc/passwd", "gone.bin", "model.json", ".hidden"):
        yield changed(f"weights in {name}", lambda m, n, w, name=name: w.update(paths=[name]))
    for shape in ([1 << 20] * 3, [1 << 40, 1 << 40], [-3, 9], [1] * 60, [3, 3, 3, 9]):
        yield changed(f"weights of {shape[:3]}", lambda m, n, w, shape=shape: w["weights"][0].update(shape=shape))
    yield changed("weights of strings", lambda m, n, w: w["weights"][0].update(dtype="string"))
    yield changed("weights twice", lambda m, n, w: m["weightsManifest"].append(w))
    yield changed("picture of 10^12 pixels", lambda m, n, w: first(n, "Placeholder")["attr"].update(
        shape={"shape": graphs.dims(1, 1_000_000, 1_000_000, 3)}))  # fmt: skip
    yield changed("a circle", lambda m, n, w: first(n, "Conv2D")["input"].__setitem__(0, "alpha"))
    yield changed("stride of 0", lambda m, n, w: first(n, "Conv2D")["attr"].update(strides=graphs.ints([1, 0, 0, 1])))
    yield changed("unknown operator", lambda m, n, w: first(n, "Relu6").update(op="PyFunc"))
    yield changed("too many nodes", lambda m, n, w: n.extend([{"name": "x", "op": "Placeholder"}] * 100_000))
    yield changed("no graph", lambda m, n, w: m.pop("modelTopology"))
    yield Case("lists in lists", ".json", b"[" * 100_000)


Layers = dict[str, tuple[int, ...]]
KERAS: Layers = {
    **{f"entry_flow_conv1_{n}/kernel:0": (3, 3, given, made) for n, given, made in ((1, 3, 32), (2, 32, 64))},
    **{
        f"entry_flow_conv1_{n}_BN/{weight}:0": (made,)
        for n, made in ((1, 32), (2, 64))
        for weight in ("gamma", "beta", "moving_mean", "moving_variance")
    },
}
"""The first layers of DeepLabV3+ as Keras names them: what follows is missing, so that none of these files is sound."""


def _hdf5(content: Layers | Callable[[Any], Any]) -> bytes:
    import h5py

    made = io.BytesIO()
    with h5py.File(made, "w") as file:
        if callable(content):
            content(file)
        else:
            for name, shape in content.items():
                file[name] = np.ones(shape, np.float32)
    return made.getvalue()


def _keras() -> Iterator[Case]:
    import h5py

    kernel, shape = "entry_flow_conv1_1/kernel:0", KERAS["entry_flow_conv1_1/kernel:0"]

    def case(name: str, content: Any) -> Case:
        return Case(name, ".h5", _hdf5(content))

    def dataset(name: str, shape: tuple[int, ...], dtype: Any = "f4", **options: Any) -> Case:
        return case(name, lambda file: file.create_dataset(kernel, shape, dtype, **options))

    yield dataset("kernel of 10^12 numbers", (3, 3, 3, 1 << 40), chunks=True)
    yield dataset("weights in /etc/passwd", shape, external=[("/etc/passwd", 0, 4 * 864)])
    yield dataset("strings", shape, h5py.string_dtype())
    yield dataset("lists", shape, h5py.vlen_dtype(np.float32))
    yield dataset("records", shape, np.dtype([("a", "f4", (10_000,))]))
    yield dataset("no number", shape, fillvalue=np.nan)

    def vast(file: Any) -> None:
        """HDF5 reads 3.6 GB from the 1 MB that comes out of this chunk."""
        made = file.create_dataset(
            kernel, shape, "f4", chunks=(1, 1, 1, 900_000_000), maxshape=(3, 3, 3, None), compression="gzip"
        )
        made.id.write_direct_chunk((0, 0, 0, 0), zlib.compress(bytes(1 << 20)))

    def circle(file: Any) -> None:
        file["entry_flow_conv1_1/a"] = file.create_group("entry_flow_conv1_1/b")
        file["entry_flow_conv1_1/a/c"] = file

    def deep(file: Any) -> None:
        group = file.create_group("entry_flow_conv1_1")
        for _ in range(500):
            group = group.create_group("a")

    def elsewhere(file: Any) -> None:
        layout = h5py.VirtualLayout(shape, "f4")
        layout[...] = h5py.VirtualSource("/etc/passwd", "x", shape)
        file.create_virtual_dataset(kernel, layout)

    yield case("a vast chunk", vast)
    yield case("a circle", circle)
    yield case("groups in groups", deep)
    yield case("a part of another file", elsewhere)
    yield case("a link to another file", lambda f: f.__setitem__(kernel, h5py.ExternalLink("/etc/passwd", "x")))
    yield case("a link to itself", lambda f: f.__setitem__(kernel, h5py.SoftLink(f"/{kernel}")))
    yield case("a group for numbers", lambda f: f.create_group(kernel))
    yield case("another network", {"dense/kernel:0": (3, 4)})

    def negative(file: Any) -> None:
        for name, shape in KERAS.items():
            file[name] = np.full(shape, -1 if "variance" in name else 1, np.float32)

    yield case("variance below 0", negative)
