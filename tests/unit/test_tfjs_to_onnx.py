"""TensorFlow.js graph models: each operator by the textbook, our own exports, and files that are hostile.

That BodyPix's graphs are what TensorFlow.js computes is shown by tests/web/bodypix.test.mjs.
"""

from __future__ import annotations

import importlib.util
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from livematte._errors import LoadError, MissingExtra
from livematte._frame import Size
from livematte.engines import _converted, _tfjs_file, _tfjs_to_onnx, onnxruntime

spec = importlib.util.spec_from_file_location("bodypix_graphs", Path(__file__).parents[1] / "bodypix_graphs.py")
assert spec is not None
assert spec.loader is not None
graphs = importlib.util.module_from_spec(spec)
spec.loader.exec_module(graphs)

F32 = npt.NDArray[np.float32]
Json = dict[str, Any]

SIZE = Size(9, 6)
NHWC = {"data_format": {"s": "TkhXQw=="}}


class Net:
    """A graph model of our own, one operator after the other, for pictures of `SIZE` with 2 channels."""

    def __init__(self) -> None:
        self.graph = graphs.Graph(lambda name, shape: np.ones(shape, np.float32), fused=False)
        self.last = self.graph.node(
            "Placeholder", "x", [], shape={"shape": graphs.dims(-1, SIZE.height, SIZE.width, 2)}
        )

    def then(self, op: str, *constants: Any, first: bool = True, **attr: Json) -> Net:
        """Apply an operator to the last result and constants."""
        name = f"{op} {len(self.graph.nodes)}"
        made = [self.graph.constant(f"{name} {n}", value) for n, value in enumerate(constants)]
        self.last = self.graph.node(op, name, [self.last, *made] if first else [*made, self.last], **attr)
        return self

    def write(self, folder: Path, size_bytes: int = 4, shard_bytes: int = 1 << 22) -> Path:
        path: Path = self.graph.write(folder / "model.json", [self.last], size_bytes, shard_bytes)
        return path

    def run(self, folder: Path, x: F32, size_bytes: int = 4) -> F32:
        return run(self.write(folder, size_bytes), x)


def run(path: Path, x: F32) -> F32:
    """A graph model on a picture (h, w, c) by ONNX Runtime, (h', w', c')."""
    engine = onnxruntime.create(None, graph=path)
    (y,) = engine.run([np.ascontiguousarray(x.transpose(2, 0, 1))[None]])
    engine.close()
    return y[0].transpose(1, 2, 0)


def picture(size: Size = SIZE, channels: int = 2) -> F32:
    return np.random.default_rng(1).normal(0, 2, (size.height, size.width, channels)).astype(np.float32)


def sides(**values: tuple[int, int]) -> Json:
    return {key: graphs.ints([1, *value, 1]) for key, value in values.items()}


def convolved(x: F32, weights: F32, stride: int, rate: int, pads: tuple[int, int, int, int]) -> F32:
    """A convolution by its definition; pads above, below, left and right."""
    top, bottom, left, right = pads
    x = np.pad(x, ((top, bottom), (left, right), (0, 0)))
    kh, kw, _, outputs = weights.shape
    height, width = ((n - (k - 1) * rate - 1) // stride + 1 for n, k in zip(x.shape, (kh, kw), strict=False))
    y = np.zeros((height, width, outputs), np.float64)
    for i in range(kh):
        for j in range(kw):
            part = x[i * rate :: stride, j * rate :: stride][:height, :width]
            y += part @ weights[i, j]
    return y.astype(np.float32)


# operators


@pytest.mark.parametrize(
    ("op", "constants", "attr", "expected"),
    [
        ("Relu", [], {}, lambda x: np.maximum(x, 0)),
        ("Relu6", [], {}, lambda x: np.clip(x, 0, 6)),
        ("Elu", [], {}, lambda x: np.where(x > 0, x, np.expm1(x))),
        ("Sigmoid", [], {}, lambda x: 1 / (1 + np.exp(-x))),
        ("Tanh", [], {}, np.tanh),
        ("Softmax", [], {}, lambda x: np.exp(x) / np.exp(x).sum(axis=2, keepdims=True)),
        ("Identity", [], {}, lambda x: x),
        ("AddV2", [np.float32(3)], {}, lambda x: x + 3),
        ("Sub", [np.array([1.0, 2.0])], {}, lambda x: x - (1, 2)),
        ("Mul", [np.array([[[2.0, -1.0]]])], {}, lambda x: x * (2, -1)),
        ("RealDiv", [np.float32(4)], {}, lambda x: x / 4),
        ("Maximum", [np.float32(0.5)], {}, lambda x: np.maximum(x, 0.5)),
        ("Minimum", [np.float32(0.5)], {}, lambda x: np.minimum(x, 0.5)),
        ("ClipByValue", [np.float32(-1), np.float32(2)], {}, lambda x: np.clip(x, -1, 2)),
        ("BiasAdd", [np.array([1.0, -1.0])], NHWC, lambda x: x + (1, -1)),
        ("Pad", [[[0, 0], [1, 2], [0, 3], [0, 0]]], {}, lambda x: np.pad(x, ((1, 2), (0, 3), (0, 0)))),
        ("Mean", [[1, 2]], {"keep_dims": {"b": True}}, lambda x: x.mean(axis=(0, 1), keepdims=True)),
        (
            "MaxPool", [], sides(ksize=(2, 2), strides=(2, 2)) | {"padding": graphs.text("VALID")},
            lambda x: x[:6, :8].reshape(3, 2, 4, 2, 2).max(axis=(1, 3)),
        ),
        (
            "AvgPool", [], sides(ksize=(3, 3), strides=(3, 3)) | {"padding": graphs.text("SAME")},
            lambda x: x.reshape(2, 3, 3, 3, 2).mean(axis=(1, 3)),
        ),
        ("MaxPool", [], sides(ksize=(1, 1), strides=(2, 2)) | {"padding": graphs.text("SAME")}, lambda x: x[::2, ::2]),
        (
            "FusedBatchNormV3", [np.array(two) for two in ([2.0, 1.0], [0.5, 0.0], [1.0, 0.0], [4.0, 1.0])],
            {"is_training": {"b": False}, "epsilon": {"f": 0.0}}, lambda x: (x - (1, 0)) / (2, 1) * (2, 1) + (0.5, 0),
        ),
    ],
)  # fmt: skip
def test_operator(op: str, constants: list[Any], attr: Json, expected: Callable[[F32], F32], tmp_path: Path) -> None:
    x = picture()
    y = Net().then(op, *constants, **attr).run(tmp_path, x)
    np.testing.assert_allclose(y, expected(x), atol=1e-5)


@pytest.mark.parametrize(
    ("stride", "rate", "padding", "pads"),
    [
        (1, 1, "SAME", (1, 1, 1, 1)),
        (1, 2, "SAME", (2, 2, 2, 2)),
        (2, 1, "SAME", (0, 1, 1, 1)),  # of 6 rows and 9 columns
        (2, 1, "VALID", (0, 0, 0, 0)),
        (1, 2, "VALID", (0, 0, 0, 0)),
        (1, 1, "EXPLICIT", (0, 2, 1, 0)),
    ],
)
def test_convolution_with_every_padding(stride: int, rate: int, padding: str, pads: Any, tmp_path: Path) -> None:
    weights = np.random.default_rng(2).normal(0, 1, (3, 3, 2, 4)).astype(np.float32)
    attr = sides(strides=(stride, stride), dilations=(rate, rate)) | {"padding": graphs.text(padding)}
    if padding == "EXPLICIT":
        attr["explicit_paddings"] = graphs.ints([0, 0, *pads, 0, 0])
    y = Net().then("Conv2D", weights, **attr, **NHWC).run(tmp_path, picture())
    np.testing.assert_allclose(y, convolved(picture(), weights, stride, rate, pads), atol=1e-4)


def test_depthwise_with_several_outputs_a_channel(tmp_path: Path) -> None:
    weights = np.random.default_rng(3).normal(0, 1, (3, 3, 2, 3)).astype(np.float32)
    attr = sides(strides=(1, 1)) | {"padding": graphs.text("SAME")}
    y = Net().then("DepthwiseConv2dNative", weights, **attr).run(tmp_path, picture())
    whole = np.zeros((3, 3, 2, 6), np.float32)
    for channel in range(2):
        whole[:, :, channel, 3 * channel : 3 * channel + 3] = weights[:, :, channel]
    np.testing.assert_allclose(y, convolved(picture(), whole, 1, 1, (1, 1, 1, 1)), atol=1e-4)


def test_an_atrous_convolution_written_by_grids_is_the_dilated_one(tmp_path: Path) -> None:
    weights = np.random.default_rng(4).normal(0, 1, (3, 3, 2, 4)).astype(np.float32)
    attr = sides(strides=(1, 1)) | {"padding": graphs.text("VALID")}
    net = Net().then("SpaceToBatchND", [2, 2], [[2, 2], [2, 3]]).then("Conv2D", weights, **attr).then("Relu")
    y = net.then("BatchToSpaceND", [2, 2], [[0, 0], [0, 1]]).run(tmp_path, picture())
    np.testing.assert_allclose(y, np.maximum(convolved(picture(), weights, 1, 2, (2, 2, 2, 2)), 0), atol=1e-4)


def test_channels_are_put_together(tmp_path: Path) -> None:
    net = Net()
    first = net.last
    net.then("Relu")
    name = net.graph.node("ConcatV2", "both", [first, net.last, net.graph.constant("axis", 3)])
    net.last = name
    x = picture()
    np.testing.assert_array_equal(net.run(tmp_path, x), np.concatenate([x, np.maximum(x, 0)], axis=2))


@pytest.mark.parametrize("size_bytes", [1, 2])
def test_weights_of_few_bytes_are_what_their_scale_says(size_bytes: int, tmp_path: Path) -> None:
    weights = np.random.default_rng(5).normal(0, 1, (1, 1, 2, 8)).astype(np.float32)
    attr = sides(strides=(1, 1)) | {"padding": graphs.text("SAME")}
    path = Net().then("Conv2D", weights, **attr).write(tmp_path, size_bytes)
    kept = next(iter(_tfjs_file.read(path).weights.values()))
    step = (weights.max() - weights.min()) / (256**size_bytes - 1)
    assert 0 < np.abs(kept - weights).max() <= 0.51 * step
    np.testing.assert_allclose(run(path, picture()), picture() @ kept[0, 0], atol=1e-4)


def test_float16_and_whole_numbers_of_few_bytes(tmp_path: Path) -> None:
    values = {"half": np.array([0.5, -2.25], np.float16), "whole": np.array([0, 2, 255], np.uint8)}
    entries = [
        {"name": "half", "shape": [2], "dtype": "float32", "quantization": {"dtype": "float16"}},
        {"name": "whole", "shape": [3], "dtype": "int32", "quantization": {"dtype": "uint8", "scale": 1, "min": -2}},
    ]
    (tmp_path / "w.bin").write_bytes(b"".join(v.tobytes() for v in values.values()))
    model = {"modelTopology": {"node": []}, "weightsManifest": [{"paths": ["w.bin"], "weights": entries}]}
    (tmp_path / "model.json").write_text(json.dumps(model))
    read = _tfjs_file.read(tmp_path / "model.json").weights
    assert read["half"].tolist() == [0.5, -2.25]
    assert read["whole"].tolist() == [-2, 0, 253]
    assert (read["half"].dtype, read["whole"].dtype) == (np.float32, np.int32)


def test_weights_cut_into_many_files(tmp_path: Path) -> None:
    weights = np.random.default_rng(6).normal(0, 1, (3, 3, 2, 4)).astype(np.float32)
    attr = sides(strides=(1, 1)) | {"padding": graphs.text("SAME")}
    net = Net().then("Conv2D", weights, **attr)
    whole = net.run(tmp_path / "whole", picture())
    path = net.write(tmp_path / "cut", shard_bytes=50)
    assert len(list(path.parent.glob("*.bin"))) == 6
    np.testing.assert_array_equal(run(path, picture()), whole)


def test_a_graph_without_a_signature_gives_what_nobody_reads(tmp_path: Path) -> None:
    path = Net().then("Relu").write(tmp_path)
    model = json.loads(path.read_text())
    del model["signature"]
    path.write_text(json.dumps(model))
    graph = _tfjs_file.read(path)
    assert (graph.inputs, graph.outputs) == (("x",), ("Relu 1",))


def test_our_own_exports_come_back(tmp_path: Path) -> None:
    """What `livematte export --format tfjs` writes of an ONNX graph is converted to the same numbers."""
    pytest.importorskip("torch")
    import onnx
    import onnxruntime as ort

    from livematte._weights import PACKAGED
    from livematte.training._tfjs import tfjs_graph

    source = (PACKAGED / "fast" / "livematte-fast-144x256.onnx").read_bytes()
    shapes = {
        i.name: tuple(d.dim_value for d in i.type.tensor_type.shape.dim)
        for i in onnx.load_from_string(source).graph.input
    }
    for name, data in tfjs_graph(source).items():
        (tmp_path / name).write_bytes(data)
    random = np.random.default_rng(7)
    feed = {name: random.random(shape, np.float32) for name, shape in shapes.items()}
    expected = ort.InferenceSession(source).run(None, feed)[0]
    engine = onnxruntime.create(None, graph=tmp_path / "model.json")
    got = engine.run([feed[tensor.name] for tensor in engine.inputs])[0]
    assert np.abs(got - expected).max() < 1e-4


# the cache of conversions


def test_a_conversion_is_kept_by_all_its_content(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LIVEMATTE_CACHE", str(tmp_path / "cache"))
    weights = np.full((1, 1, 2, 2), 1.0, np.float32)
    attr = sides(strides=(1, 1)) | {"padding": graphs.text("SAME")}
    path = Net().then("Conv2D", weights, **attr).write(tmp_path)
    first = _converted.onnx_of(path)
    assert _converted.onnx_of(path) == first
    assert len(list((tmp_path / "cache" / "converted").iterdir())) == 1
    (shard,) = tmp_path.glob("*.bin")
    shard.write_bytes(np.full((1, 1, 2, 2), 2.0, np.float32).tobytes())  # the same model.json
    assert _converted.onnx_of(path) != first


def test_without_onnx_the_pip_line_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_tfjs_to_onnx, "find_spec", lambda name: None)
    with pytest.raises(MissingExtra, match=r'pip install "livematte\[convert\]"'):
        _tfjs_to_onnx.convert(Net().then("Relu").write(tmp_path))


# files that are damaged or hostile


def changed(folder: Path, change: Callable[[Json], Any]) -> Path:
    """A good model.json after a change."""
    attr = sides(strides=(1, 1)) | {"padding": graphs.text("SAME")}
    path = Net().then("Conv2D", np.ones((1, 1, 2, 2), np.float32), **attr).write(folder)
    model = json.loads(path.read_text())
    change(model)
    path.write_text(json.dumps(model))
    return path


def node(model: Json, op: str) -> Json:
    return next(n for n in model["modelTopology"]["node"] if n["op"] == op)


def weight(model: Json) -> Json:
    found: Json = model["weightsManifest"][0]["weights"][0]
    return found


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda m: m["weightsManifest"][0].update(paths=["../model-shard1of1.bin"]), "expected a plain file name"),
        (lambda m: m["weightsManifest"][0].update(paths=["/etc/passwd"]), "expected a plain file name"),
        (lambda m: m["weightsManifest"][0].update(paths=["gone.bin"]), "cannot read .*gone.bin"),
        (lambda m: weight(m).update(shape=[1 << 20, 1 << 20, 1 << 20]), "at most"),
        (lambda m: weight(m).update(shape=[1, 1, 2, 3]), "have 16 bytes, expected 24"),
        (lambda m: weight(m).update(shape=[-1, 1, 2, -2]), "expected whole numbers"),
        (lambda m: weight(m).update(shape=[1] * 60 + [4]), "has 61 axes"),
        (lambda m: weight(m).update(dtype="string"), "weights of type 'string'"),
        (lambda m: weight(m).update(quantization={"dtype": "uint8"}), "have 16 bytes, expected 4"),
        (lambda m: m.pop("modelTopology"), "no graph model"),
        (lambda m: m.update(weightsManifest=7), "no TensorFlow.js model.json"),
        (lambda m: m["modelTopology"].update(node=[{"name": "x", "op": "Placeholder"}] * 20_001), "at most 20000"),
        (lambda m: m["modelTopology"]["node"].append(node(m, "Conv2D")), "the same name"),
        (lambda m: node(m, "Conv2D").update(op="PyFunc"), "operator PyFunc, which has no rule here"),
        (lambda m: node(m, "Conv2D").update(input=["nowhere"]), "nowhere is read, and is not in the graph"),
        (lambda m: node(m, "Conv2D")["input"].__setitem__(0, node(m, "Conv2D")["name"]), "runs in a circle"),
        (lambda m: node(m, "Conv2D")["input"].__setitem__(0, "x:3"), "only first outputs"),
        (lambda m: node(m, "Conv2D")["attr"].update(sides(strides=(1 << 40, 1))), "expected 1 to 1024"),
        (lambda m: node(m, "Conv2D")["attr"].update(sides(strides=(0, 1))), "expected 1 to 1024"),
        (lambda m: node(m, "Conv2D")["attr"].update(padding=graphs.text("SOME")), "padding SOME"),
        (lambda m: node(m, "Placeholder")["attr"].update(shape={"shape": graphs.dims(1, 1 << 30, 9, 2)}), "sides of 1"),
        (lambda m: node(m, "Placeholder")["attr"].update(shape={"shape": graphs.dims(64, 9, 9, 2)}), "one picture"),
        (lambda m: node(m, "Placeholder")["attr"].clear(), "one picture"),
    ],
)
def test_a_bad_file_ends_in_one_clear_error(change: Callable[[Json], Any], message: str, tmp_path: Path) -> None:
    with pytest.raises(LoadError, match=message) as caught:
        _converted.onnx_of(changed(tmp_path, change))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("data", [b"", b"{", b"[" * 100_000, b"null", b"\xff\xfe", b'{"weightsManifest": [[]]}'])
def test_text_that_is_no_model(data: bytes, tmp_path: Path) -> None:
    (tmp_path / "model.json").write_bytes(data)
    with pytest.raises(LoadError, match=r"model\.json"):
        _converted.onnx_of(tmp_path / "model.json")


def test_every_mutation_ends_in_a_graph_or_a_load_error(tmp_path: Path) -> None:
    """Bytes of a good model.json, one after the other replaced; nothing but LoadError comes out."""
    path = changed(tmp_path, lambda model: None)
    good, random, refused = path.read_bytes(), np.random.default_rng(8), 0
    for _ in range(300):
        bad = bytearray(good)
        for at in random.integers(0, len(bad), 3):
            bad[at] = random.integers(32, 127)
        path.write_bytes(bytes(bad))
        try:
            _tfjs_to_onnx.convert(path)
        except LoadError:
            refused += 1
    assert refused > 200


def test_a_chain_of_small_steps_does_not_become_a_huge_picture(tmp_path: Path) -> None:
    net = Net()
    for _ in range(20):
        net.then("Pad", [[0, 0], [1000, 1000], [0, 0], [0, 0]])
    with pytest.raises(LoadError, match="expected 0 to 16384"):
        _tfjs_to_onnx.convert(net.write(tmp_path / "pads"))
    net = Net()
    axis = net.graph.constant("axis", 3)
    for n in range(30):
        net.last = net.graph.node("ConcatV2", f"double {n}", [net.last, net.last, axis])
    with pytest.raises(LoadError, match="expected 1 to 65536"):
        _tfjs_to_onnx.convert(net.write(tmp_path / "doubles"))
