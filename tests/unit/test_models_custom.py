"""Any network by its model.json, and networks that are rewritten before they run."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from livematte import _registry, _weights
from livematte._errors import LoadError, OptionError, WeightsError
from livematte._frame import Frame, Size
from livematte.models import custom, deeplabv3, livematte, mediapipe, pphumanseg, sinet
from livematte.models._cost import multiply_adds
from livematte.models._derived import derived, fixed
from livematte.models._network import Picture

pytest.importorskip("onnx")

_spec = importlib.util.spec_from_file_location("model_graphs", Path(__file__).parents[1] / "model_graphs.py")
assert _spec is not None
assert _spec.loader is not None
model_graphs = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(model_graphs)

U8 = npt.NDArray[np.uint8]


def described(folder: Path, picture: Picture, facts: dict[str, Any], *, count: int = 2) -> Path:
    """A network of `count` classes in a folder, with `model.json` beside it."""
    path: Path = model_graphs.classes(folder / "net.onnx", (64, 48), picture, count, count - 1, softmax=False)
    (folder / "model.json").write_text(json.dumps(facts))
    return path


def warm_half() -> Frame:
    rgb = np.zeros((48, 64, 3), np.uint8)
    rgb[:, 32:, 0] = 200
    return Frame.from_rgb(rgb)


SOFTMAX = {"classes": ["background", "person"], "person": "person", "activation": "softmax"}


@pytest.mark.parametrize(
    ("picture", "given"),
    [
        (Picture(), {}),
        (Picture((0.5,) * 3, (0.5,) * 3), {"range": [-1, 1]}),
        (Picture((0.5,) * 3, (0.5,) * 3), {"mean": [0.5, 0.5, 0.5], "std": [0.5, 0.5, 0.5]}),
        (Picture((0.4, 0.3, 0.2), (1 / 255,) * 3), {"scale": 1, "mean": [102, 76.5, 51]}),
        (Picture((0.4, 0.3, 0.2), (0.1, 0.2, 0.3), bgr=True),
         {"colours": "BGR", "mean": [0.2, 0.3, 0.4], "std": [0.3, 0.2, 0.1]}),
    ],
)  # fmt: skip
@pytest.mark.parametrize("spelling", ["net.onnx", "model.json"])
def test_pictures_are_what_model_json_says(tmp_path: Path, picture: Picture, given: Any, spelling: str) -> None:
    described(tmp_path, picture, {"name": "mine", "input": given, "output": SOFTMAX})
    segmenter = _registry.create("models", f"custom:{tmp_path / spelling}")
    assert (segmenter.name, segmenter.size) == ("custom:mine", Size(64, 48))
    alpha = segmenter.segment(warm_half(), None)[0].alpha
    assert alpha[:, :30].max() < 0.01
    assert alpha[:, 34:].min() > 0.99


def test_classes_by_index_and_several_of_them(tmp_path: Path) -> None:
    output = {"channels": 3, "person": [0, 2], "activation": "softmax"}
    described(tmp_path, Picture(), {"output": output}, count=3)
    alpha = custom.create(str(tmp_path / "net.onnx")).segment(warm_half(), None)[0].alpha
    assert alpha.min() > 0.99


def test_our_own_exports_are_custom_models_too(astronaut: U8) -> None:
    folder = _weights.PACKAGED / "fast"
    mine = custom.create(str(folder / "model.json"))
    assert mine.size == Size(256, 144)
    ours = livematte.create("fast", weights=_weights.place(livematte.SPECS["fast"].files[0]))
    dark = Frame.from_rgb(astronaut[:270, :480] // 4)
    state, other = None, None
    for _ in range(2):
        matte, state = mine.segment(dark, state)
        expected, other = ours.segment(dark, other)
        assert np.abs(matte.alpha - expected.alpha).max() < 1e-5


def test_a_model_json_of_several_sizes_is_a_network_for_every_aspect(astronaut: U8) -> None:
    mine = custom.create(str(_weights.PACKAGED / "fast" / "model.json"))
    ours = livematte.create("fast")
    for wide, high in ((480, 270), (270, 480), (400, 400)):
        part = Frame.from_rgb(astronaut[:high, :wide])
        alpha, expected = (one.segment(part, None)[0].alpha for one in (mine, ours))
        assert alpha.shape == expected.shape
        assert np.abs(alpha - expected).max() < 1e-5


@pytest.mark.parametrize(
    ("facts", "reason"),
    [
        ("[]", "must hold an object"),
        ("{", "no JSON"),
        ('{"input": 3}', "input must be an object"),
        ('{"input": {"mean": [1, 2]}}', "mean must be 3 numbers"),
        ('{"input": {"mean": [1, 2, NaN]}}', "mean must be 3 numbers"),
        ('{"input": {"std": [1, 1, 0]}}', "std not 0"),
        ('{"input": {"scale": -1}}', "scale must be above 0"),
        (f'{{"input": {{"scale": 1{"0" * 400}}}}}', "scale must be above 0"),
        (f'{{"input": {{"mean": [1{"0" * 400}, 0, 0]}}}}', "mean must be 3 numbers"),
        ('{"output": {"channels": 1000000000, "person": 0}}', "needs classes"),
        ('{"input": {"resize": "crop"}}', "resize is stretch or fit"),
        ('{"input": {"colours": "YUV"}}', "RGB or BGR"),
        ('{"input": {"lighten": "yes"}}', "lighten is true or false"),
        ('{"input": {"lighten": true, "mean": [0.5, 0.5, 0.5]}}', "go with a stretched picture in RGB from 0 to 1"),
        ('{"recurrent": true, "input": {"colours": "BGR"}}', "go with a stretched picture in RGB from 0 to 1"),
        ('{"input": {"width": "a", "height": 3}}', "whole numbers"),
        ('{"output": {"channels": 2}}', "needs classes, and person"),
        ('{"output": {"classes": ["a", "b"], "person": "c"}}', "must be among a, b"),
        ('{"output": {"activation": "tanh"}}', "activation must be one of"),
        ('{"files": [{"path": "../up.onnx"}]}', "must lie beside it"),
    ],
)
def test_a_model_json_that_cannot_be_is_refused(tmp_path: Path, facts: str, reason: str) -> None:
    described(tmp_path, Picture(), {})
    (tmp_path / "model.json").write_text(facts)
    with pytest.raises(OptionError, match=reason):
        custom.create(str(tmp_path / "model.json"))


@pytest.mark.parametrize("wrong", [{"files": 5}, {"name": "a\x1b[2Jb"}, {"name": [1]}])
def test_what_says_nothing_in_a_model_json_is_left_aside(tmp_path: Path, wrong: dict[str, Any]) -> None:
    described(tmp_path, Picture(), wrong | {"output": SOFTMAX})
    model = custom.create(str(tmp_path / "model.json"))
    assert model.name == "custom:net"
    model.close()


def test_a_missing_model_json_or_path_is_named(tmp_path: Path) -> None:
    (tmp_path / "net.onnx").write_bytes(b"")
    with pytest.raises(WeightsError, match=r"model\.json, which says how"):
        custom.create(str(tmp_path / "net.onnx"))
    with pytest.raises(OptionError, match=r"custom:net\.onnx"):
        custom.create(None)
    (tmp_path / "net.onnx").unlink()
    (tmp_path / "model.json").write_text("{}")
    with pytest.raises(WeightsError, match=r"no \.onnx or \.tflite file beside"):
        custom.create(str(tmp_path / "model.json"))


def test_a_graph_that_is_not_as_described_is_refused(tmp_path: Path) -> None:
    described(tmp_path, Picture(), {"input": {"width": 32, "height": 48}, "output": SOFTMAX})
    with pytest.raises(LoadError, match="of another model"):
        custom.create(str(tmp_path / "net.onnx"))


# rewritten graphs


def test_fixed_graphs_are_made_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LIVEMATTE_CACHE", str(tmp_path / "cache"))
    source = model_graphs.STAND_INS["modnet:photographic"](tmp_path / "modnet.onnx")
    made: list[int] = []

    def make(data: bytes) -> bytes:
        made.append(1)
        return fixed(data, "modnet.onnx", {"input": (1, 3, 64, 96)})

    path = derived(source, "96x64", make)
    assert derived(source, "96x64", make) == path
    assert len(made) == 1
    engine = _registry.create("engines", "onnxruntime", graph=path)
    assert engine.inputs[0].shape == (1, 3, 64, 96)
    path.write_bytes(path.read_bytes()[:-50])  # harmed: made again
    derived(source, "96x64", make)
    assert len(made) == 2
    assert _registry.create("engines", "onnxruntime", graph=path).outputs[0].shape == (1, 1, 64, 96)


def test_fixing_what_is_not_there_is_refused(tmp_path: Path) -> None:
    source = model_graphs.STAND_INS["modnet:photographic"](tmp_path / "modnet.onnx")
    with pytest.raises(LoadError, match="has the inputs input, expected src"):
        fixed(source.read_bytes(), "modnet.onnx", {"src": (1, 3, 64, 64)})
    with pytest.raises(LoadError, match="has 4 axes, expected 2"):
        fixed(source.read_bytes(), "modnet.onnx", {"input": (64, 64)})
    with pytest.raises(LoadError):
        fixed(b"no graph", "modnet.onnx", {"input": (64, 64)})


def quantised(path: Path) -> Path:
    """x -> QLinearConv (a ReLU in its range) -> QLinearAdd with x: scale 1/16, symmetric weights."""
    from onnx import TensorProto, helper, numpy_helper

    graph = model_graphs.Graph()
    graph.given("x", (1, 1, 4, 4))
    for name, value in {"s": 1 / 16, "w_s": 1 / 8}.items():
        graph.constant(name, value)
    for name, value in {"z": 0, "low": -128}.items():
        graph.constants.append(numpy_helper.from_array(np.array(value, np.int8), name))
    graph.constants.append(numpy_helper.from_array(np.full((1, 1, 1, 1), -16, np.int8), "w"))
    graph.constants.append(numpy_helper.from_array(np.array([64], np.int32), "b"))
    graph.node("QuantizeLinear", ["x", "s", "z"], "q")
    graph.node("QLinearConv", ["q", "s", "z", "w", "w_s", "z", "s", "low", "b"], "c", kernel_shape=[1, 1])
    graph.nodes.append(helper.make_node("QLinearAdd", ["c", "s", "low", "q", "s", "z", "s", "z"], ["a"],
                                        domain="com.microsoft"))  # fmt: skip
    graph.node("DequantizeLinear", ["a", "s", "z"], "y")
    graph.outputs.append(helper.make_tensor_value_info("y", TensorProto.FLOAT, (1, 1, 4, 4)))
    made = helper.make_model(
        helper.make_graph(graph.nodes, "q", graph.inputs, graph.outputs, graph.constants),
        opset_imports=[helper.make_opsetid("", 13), helper.make_opsetid("com.microsoft", 1)],
        ir_version=8,
    )
    path.write_bytes(made.SerializeToString())
    return path


def test_a_quantised_graph_computes_the_same_without_its_rounding(tmp_path: Path) -> None:
    from livematte.models._dequantise import dequantised

    whole = tmp_path / "float.onnx"
    whole.write_bytes(dequantised(quantised(tmp_path / "int8.onnx").read_bytes(), "int8.onnx"))
    engine = _registry.create("engines", "onnxruntime", graph=whole)
    x = np.linspace(-3, 3, 16, dtype=np.float32).reshape(1, 1, 4, 4)
    # weights -16/8, bias 64/16/8, and the ReLU that the range from 0 stands for
    assert np.abs(engine.run([x])[0] - (np.maximum(-2 * x + 0.5, 0) + x)).max() < 1e-6


def test_operators_without_a_rule_are_named(tmp_path: Path) -> None:
    import onnx

    from livematte.models._dequantise import dequantised

    model = onnx.load(quantised(tmp_path / "int8.onnx"))
    model.graph.node[2].op_type = "QLinearMul"
    with pytest.raises(LoadError, match="QLinearMul"):
        dequantised(model.SerializeToString(), "int8.onnx")


def test_the_zoos_int8_file_finds_people_again(shared: Any, astronaut: U8) -> None:
    path = shared(f"weights/{pphumanseg.SPECS['int8'].files[0].path}")
    alpha = pphumanseg.create("int8", weights=path).segment(Frame.from_rgb(astronaut), None)[0].alpha
    assert 0.3 < float(alpha.mean()) < 0.6  # she fills somewhat less than half of the picture


def test_a_path_that_leads_nowhere_is_named(tmp_path: Path) -> None:
    described(tmp_path, Picture(), {})
    with pytest.raises(WeightsError, match=r"there is no file .*nett\.onnx"):
        custom.create(str(tmp_path / "nett.onnx"))


# costs


def test_multiply_adds_are_counted_in_the_graph(tmp_path: Path) -> None:
    path = model_graphs.classes(tmp_path / "net.onnx", (64, 48), Picture(), 5, 1, softmax=False, stride=4)
    assert multiply_adds(path) == 16 * 12 * 5 * 3
    open_size = model_graphs.STAND_INS["modnet:photographic"](tmp_path / "open.onnx")
    assert multiply_adds(open_size) is None
    assert multiply_adds(open_size, Size(10, 20)) == 200 * 3


@pytest.mark.parametrize(
    "spec",
    [deeplabv3.SPECS["voc"], mediapipe.SPECS["landscape"], mediapipe.SPECS["general"], sinet.SPECS["portrait"]],
    ids=lambda spec: spec.name,
)
def test_known_costs_are_those_of_the_files(spec: Any, shared: Any) -> None:
    assert multiply_adds(shared(f"weights/{spec.files[0].path}")) == spec.multiply_adds
