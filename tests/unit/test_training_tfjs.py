"""Graph models of TensorFlow.js: what torch and ONNX Runtime compute, or an error that says why not."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper, numpy_helper

torch = pytest.importorskip("torch")
torch.set_num_threads(1)  # two threads wait for each other by the second where other programs want the cores

from livematte._errors import InferenceError, LoadError, WeightsError  # noqa: E402
from livematte._frame import Size  # noqa: E402
from livematte.training import _tfjs  # noqa: E402
from livematte.training import export as ex  # noqa: E402
from livematte.training import net as nets  # noqa: E402
from livematte.training._tfjs_run import GraphModel  # noqa: E402

RNG = np.random.default_rng(5)


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small network whose alphas go from near 0 to near 1."""
    torch.manual_seed(3)
    net = nets.Net(nets.CONFIGS["base"].scaled(width=0.25, depth=0.5))
    with torch.inference_mode():
        for _ in range(20):  # statistics of batch normalisation as training leaves them
            logits, _ = net(torch.rand(4, 3, 32, 64))
        net.out.weight *= 2 / logits.std()
    path = tmp_path_factory.mktemp("weights") / "weights.pt"
    torch.save(nets.weights(net), path)
    return path


def test_a_graph_model_is_what_torch_computes(weights: Path, tmp_path: Path) -> None:
    graphs = ex.export(weights, tmp_path, sizes=[Size(64, 48)], formats=["tfjs"], name="tiny")
    assert [g.path for g in graphs] == ["tiny-tfjs/weights.bin", "tiny-tfjs/model.json"]
    for graph in graphs:
        data = (tmp_path / graph.path).read_bytes()
        assert (graph.size_bytes, graph.sha256) == (len(data), hashlib.sha256(data).hexdigest())
        assert (graph.layout, graph.precision) == ("NHWC", "float32")
        assert graph.largest_difference < 1e-5
    listed = json.loads((tmp_path / "model.json").read_text())["files"]
    assert [(f["path"], f["format"]) for f in listed] == [(g.path, "tfjs") for g in graphs]
    text = (tmp_path / "tiny-tfjs" / "model.json").read_text()
    assert str(Path(ex.__file__).parents[2]) not in text
    assert "site-packages" not in text
    assert {path.name for path in tmp_path.iterdir()} == {"model.json", "tiny-tfjs"}


def test_alphas_of_the_compared_network_are_not_flat(weights: Path) -> None:
    net = nets.Matting(nets.load_weights(weights)).eval()
    with torch.inference_mode():
        alpha = net(torch.from_numpy(ex.pictures_at(Size(64, 48))[0]))
    assert alpha.std() > 0.1


def test_a_padding_that_is_off_by_one_is_seen(weights: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_tfjs, "_padding", lambda *given: {"padding": _tfjs._text("SAME")})
    with pytest.raises(WeightsError, match="differs from torch"):
        ex.export(weights, tmp_path, sizes=[Size(64, 48)], formats=["tfjs"])
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("height", [12, 13])
@pytest.mark.parametrize("stride", [1, 2])
@pytest.mark.parametrize(
    ("kernel", "pads"), [(1, [0] * 4), (3, [0] * 4), (3, [1] * 4), (5, [2] * 4), (2, [0, 0, 1, 1]), (3, [0, 1, 2, 1])]
)
@pytest.mark.parametrize("groups", [1, 6])
def test_convolutions_with_every_padding(
    height: int, stride: int, kernel: int, pads: list[int], groups: int, tmp_path: Path
) -> None:
    weight = _random(6, 6 // groups, kernel, kernel)
    conv = _node("Conv", "x", "w", "b", group=groups, strides=[stride] * 2, pads=pads, **_conv(kernel))
    clip = _node("Clip", "a", "low", "high")
    _same(_graph(conv, clip, height=height, w=weight, b=_random(6), low=_number(0), high=_number(6)), tmp_path)


@pytest.mark.parametrize("kind", ["Relu", "HardSwish"])
def test_other_bends(kind: str, tmp_path: Path) -> None:
    conv = _node("Conv", "x", "w", group=1, strides=[1, 1], pads=[0] * 4, output="c", **_conv(1))
    bend = _node(kind, "c", output="d")
    alone = _node(kind, "x", output="e")
    last = _node("Add", "d", "e")
    _same(_graph(conv, bend, alone, last, w=4 * _random(6, 6, 1, 1)), tmp_path)


def test_a_value_that_is_read_twice_is_bent_for_one_of_them_only(tmp_path: Path) -> None:
    conv = _node("Conv", "x", "w", group=1, strides=[1, 1], pads=[0] * 4, output="c", **_conv(1))
    clip = _node("Clip", "c", "low", "high", output="d")
    add = _node("Add", "c", "d")
    _same(_graph(conv, clip, add, w=_random(6, 6, 1, 1), low=_number(0), high=_number(6)), tmp_path)


def test_transposed_convolution_resize_and_mean(tmp_path: Path) -> None:
    up = _node("ConvTranspose", "x", "w", "b", group=1, strides=[2, 2], pads=[0] * 4, output="u", **_conv(2))
    mean = _node("ReduceMean", "u", "axes", keepdims=1, output="m")
    large = _node("Resize", "x", "", "", "size", mode="linear", output="l")
    sub = _node("Sub", "u", "l", output="s")
    last = _node("Mul", "s", "m")
    sizes = np.array([1, 6, 24, 32], np.int64)
    graph = _graph(
        up, mean, large, sub, last, w=_random(6, 6, 2, 2), b=_random(6), axes=np.array([-1, -2], np.int64), size=sizes
    )
    _same(graph, tmp_path)


@pytest.mark.parametrize(
    ("node", "constants", "told"),
    [
        (("Tanh", "x"), {}, "has the operator Tanh, which the export to TensorFlow.js does not know: it knows Add"),
        (("Clip", "x", "low", "high"), {"low": 0, "high": 1}, "other limits than 0 and 6"),
        (("Clip", "x"), {}, "other limits than 0 and 6"),
        (("Add", "x", "c"), {"c": [1, 2, 3, 4, 5, 6, 7, 8, 9, 1, 2, 3, 4, 5, 6, 7]}, "expected one number of float32"),
    ],
)
def test_what_is_not_known_is_said(node: Any, constants: dict[str, Any], told: str) -> None:
    held = {name: np.array(value, np.float32) for name, value in constants.items()}
    with pytest.raises(WeightsError, match=told):
        _tfjs.tfjs_graph(_graph(_node(*node), **held))


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        ({"group": 2}, "2 groups of 6 channels"),
        ({"dilations": [2, 2]}, "dilated"),
    ],
)
def test_other_convolutions_are_refused(changed: dict[str, Any], told: str) -> None:
    given = {"group": 1, "strides": [1, 1], "pads": [1] * 4, **_conv(3), **changed}
    graph = _graph(_node("Conv", "x", "w", **given), w=_random(6, 6 // given["group"], 3, 3))
    with pytest.raises(WeightsError, match=told):
        _tfjs.tfjs_graph(graph)


def test_other_resizes_and_means_are_refused() -> None:
    sizes = np.array([1, 6, 24, 32], np.int64)
    for mode, frame in (("nearest", "half_pixel"), ("linear", "align_corners")):
        resize = _node("Resize", "x", "", "", "size", mode=mode, coordinate_transformation_mode=frame)
        with pytest.raises(WeightsError, match="expected linear, half_pixel"):
            _tfjs.tfjs_graph(_graph(resize, size=sizes))
    with pytest.raises(WeightsError, match="over the axes"):
        _tfjs.tfjs_graph(_graph(_node("ReduceMean", "x", "axes", keepdims=1), axes=np.array([1], np.int64)))


def test_damaged_files_and_unknown_nodes_are_said(tmp_path: Path) -> None:
    for name, data in _tfjs.tfjs_graph(_graph(_node("Add", "x", "c"), c=_number(2))).items():
        (tmp_path / name).write_bytes(data)
    path = tmp_path / "model.json"
    assert GraphModel(path).run([np.ones((1, 12, 16, 6), np.float32)])[0].max() == 3
    path.write_text(path.read_text().replace("AddV2", "Atan2"))
    with pytest.raises(InferenceError, match="is a Atan2"):
        GraphModel(path).run([np.ones((1, 12, 16, 6), np.float32)])
    (tmp_path / "weights.bin").write_bytes(b"12345678")
    with pytest.raises(LoadError, match="have 8 bytes, expected 4"):
        GraphModel(path)
    path.write_text("{}")
    with pytest.raises(LoadError, match="is no graph model"):
        GraphModel(path)


def _same(graph: bytes, folder: Path) -> None:
    """The graph model computes what ONNX Runtime computes."""
    for name, data in _tfjs.tfjs_graph(graph).items():
        (folder / name).write_bytes(data)
    session = onnxruntime.InferenceSession(graph, providers=["CPUExecutionProvider"])
    x = 3 * _random(*session.get_inputs()[0].shape)
    wanted = session.run(None, {"x": x})[0]
    got = GraphModel(folder / "model.json").run([np.ascontiguousarray(x.transpose(0, 2, 3, 1))])[0]
    np.testing.assert_allclose(got.transpose(0, 3, 1, 2), wanted, atol=1e-4)


def _graph(*nodes: Any, height: int = 12, **constants: Any) -> bytes:
    """ONNX from `x` (1, 6, height, 16) to what the last node makes."""
    *earlier, last = nodes
    for node in earlier:
        assert node.output[0] in {name for other in nodes for name in other.input}
    last.output[0] = "y"
    graph = helper.make_graph(
        nodes,
        "graph",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 6, height, 16])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [1, 6, None, None])],
        [numpy_helper.from_array(value, name) for name, value in constants.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)
    model = onnx.shape_inference.infer_shapes(model)
    return bytes(model.SerializeToString())


def _node(kind: str, *inputs: str, output: str = "a", **attributes: Any) -> Any:
    if kind == "Resize":
        attributes = {"coordinate_transformation_mode": "half_pixel", "antialias": 0, **attributes}
    return helper.make_node(kind, inputs, [output], **attributes)


def _conv(kernel: int) -> dict[str, Any]:
    return {"kernel_shape": [kernel] * 2, "dilations": [1, 1]}


def _random(*shape: int) -> Any:
    return RNG.standard_normal(shape).astype(np.float32)


def _number(value: float) -> Any:
    return np.array(value, np.float32)
