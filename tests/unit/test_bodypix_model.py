"""BodyPix as a model: its graphs, files, names, and what it refuses."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from livematte import _registry, _weights
from livematte._errors import InferenceError, LoadError, OptionError, UnknownName, WeightsError
from livematte._frame import F32, U8, Frame, Size
from livematte.engines import Tensor, _onnx_pads, onnxruntime
from livematte.models import _bodypix, bodypix
from livematte.models._bodypix import BodyPix, Kind
from livematte.models._bodypix_found import OUTPUTS

sys.path.insert(0, str(Path(__file__).parent))

from bodypix_scene import STRIDE, graphs


class FakeEngine:
    """A graph that gives each output its name's length."""

    name = "fake"
    runs_on = "nothing"

    def __init__(
        self, size: Size, *, stride: int = STRIDE, planar: bool = True, names: list[str] | None = None
    ) -> None:
        grid = ((size.height - 1) // stride + 1, (size.width - 1) // stride + 1)
        picture = (1, 3, size.height, size.width) if planar else (1, size.height, size.width, 3)
        self.inputs = (Tensor("sub_2", picture),)
        self.outputs = tuple(
            Tensor(name, (1, n, *grid) if planar else (1, *grid, n))
            for name, n in zip(names or list(OUTPUTS), OUTPUTS.values(), strict=False)
        )
        self.seen, self.closed = np.zeros(0, np.float32), 0

    def run(self, inputs: Any) -> list[F32]:
        self.seen = inputs[0]
        return [np.full(t.shape, len(t.name), np.float32) for t in self.outputs]

    def close(self) -> None:
        self.closed += 1


def model(load: Callable[[Size], Any], **options: Any) -> BodyPix:
    kind = Kind(STRIDE, *options.pop("kind", bodypix.MOBILENET))
    return BodyPix("bodypix:test", kind, Size(33, 17), load, **{"open_size": True, **options})


@pytest.mark.parametrize("planar", [True, False])
@pytest.mark.parametrize(("kind", "expected"), [(bodypix.MOBILENET, 0.2), (bodypix.RESNET, 153 - 103.06)])
def test_the_picture_is_prepared_as_the_network_wants_it(planar: bool, kind: Any, expected: float) -> None:
    engines = []
    net = model(
        lambda size: engines.append(FakeEngine(size, planar=planar)) or engines[-1], kind=kind, resolution="full"
    )
    net.find(np.full((30, 60, 3), 153, np.uint8))
    blue = engines[-1].seen[0, 2] if planar else engines[-1].seen[0, ..., 2]
    assert blue[8, 24] == pytest.approx(expected, abs=1e-4)


def test_outputs_are_known_by_tensorflows_names() -> None:
    names = ["float_segments", "float_part_heatmaps:0", "heatmaps", "float_short_offsets", "long_offsets"]
    names += ["MobilenetV1/displacement_fwd_2/BiasAdd", "resnet_v1_50/displacement_bwd_2/BiasAdd"]
    net = model(lambda size: FakeEngine(size, names=names))
    maps = net.find(np.zeros((30, 60, 3), np.uint8))._maps
    assert {name: int(values[0, 0, 0]) for name, values in maps.items()} == dict(
        zip(OUTPUTS, map(len, names), strict=True)
    )


def test_graphs_are_loaded_for_each_size_and_few_are_kept() -> None:
    loaded: list[Size] = []
    net = model(lambda size: loaded.append(size) or FakeEngine(size), resolution="full")
    for width in (33, 49, 65, 81, 97, 33):
        net.find(np.zeros((17, width, 3), np.uint8))
    assert [size.width for size in loaded] == [33, 49, 65, 81, 97, 33]
    net.find(np.zeros((17, 33, 3), np.uint8))
    assert len(loaded) == 6
    assert len(net._nets) == _bodypix.ENGINES_KEPT
    net.close()
    with pytest.raises(InferenceError, match="is closed"):
        net.find(np.zeros((17, 33, 3), np.uint8))


def test_with_a_resolution_the_matte_has_the_size_of_the_networks_picture() -> None:
    net = model(FakeEngine, resolution=0.5)
    matte, _ = net.segment(Frame.from_rgb(np.zeros((60, 100, 3), np.uint8), pts=3), None)
    assert (matte.size, matte.pts) == (Size(49, 17), 3)
    assert model(FakeEngine).segment(Frame.from_rgb(np.zeros((60, 100, 3), np.uint8)), None)[0].size == Size(33, 17)


@pytest.mark.parametrize(
    ("engine", "message"),
    [
        (FakeEngine(Size(49, 17)), r"takes pictures of 33x17 and needs a graph with one input"),
        (FakeEngine(Size(33, 17), stride=8), "one cell every 16 pixels, and this file gives segments of 5x3"),
        (FakeEngine(Size(33, 17), names=["alpha", "beta"]), "needs a graph with an output `segments`"),
    ],
)
def test_other_graphs_are_refused_and_closed(engine: FakeEngine, message: str) -> None:
    with pytest.raises(LoadError, match=message):
        model(lambda size: engine)
    assert engine.closed == 1


def test_a_file_of_segments_alone_gives_masks_and_says_what_it_lacks() -> None:
    net = model(lambda size: FakeEngine(size, names=["t84"]), open_size=False)
    found = net.find(np.zeros((30, 60, 3), np.uint8))
    assert found.mask().all()
    for ask in (found.parts, found.poses, found.people):
        with pytest.raises(LoadError, match="gives segments and no"):
            ask()
    with pytest.raises(OptionError, match="takes pictures of 33x17 only"):
        model(FakeEngine, open_size=False, resolution=0.5)


# names and addresses


def test_every_published_variant_has_a_tag_and_its_address() -> None:
    expected = [f"mobilenet-{m}-s{s}{q}" for m in ("050", "075", "100") for s in (16, 8) for q in ("", "-q2", "-q1")]
    expected += [f"resnet50-s{s}{q}" for s in (16, 32) for q in ("", "-q2", "-q1")]
    assert list(bodypix.SPECS) == expected
    base = "https://storage.googleapis.com/tfjs-models/savedmodel/bodypix/"
    urls = {tag: spec.files[-1].url for tag, spec in bodypix.SPECS.items()}
    assert urls["mobilenet-050-s16"] == f"{base}mobilenet/float/050/model-stride16.json"
    assert urls["mobilenet-100-s8-q1"] == f"{base}mobilenet/quant1/100/model-stride8.json"
    assert urls["resnet50-s32-q2"] == f"{base}resnet50/quant2/model-stride32.json"
    assert all(spec.files[-1].shards for spec in bodypix.SPECS.values())


@pytest.mark.parametrize("stride", [8, 16])
def test_multiply_adds_are_those_of_the_graph(stride: int, tmp_path: Path) -> None:
    from livematte.models._cost import multiply_adds

    made, outputs = graphs.mobilenet(graphs.noise(1), multiplier=0.5, stride=stride)
    known = bodypix.SPECS[f"mobilenet-050-s{stride}-q1"]
    assert multiply_adds(made.write(tmp_path / "model.json", outputs, 1), known.size) == known.multiply_adds


def published(tag: str, **options: Any) -> BodyPix:
    """A model from the cache, where a network of noise was put as if it had been pulled."""
    place = _weights.place(bodypix.SPECS[tag].files[-1])
    made = (
        graphs.resnet50(graphs.noise(1), stride=32, depth=4)
        if tag.startswith("resnet50")
        else graphs.mobilenet(graphs.noise(1), multiplier=0.5, stride=16)
    )
    made[0].write(place, made[1], 2)
    net: BodyPix = _registry.create("models", f"bodypix:{tag}", **options)
    return net


@pytest.mark.parametrize("tag", ["mobilenet-050-s16-q2", "resnet50-s32-q2"])
def test_pulled_graph_models_run(tag: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, astronaut: U8) -> None:
    monkeypatch.setenv("LIVEMATTE_CACHE", str(tmp_path))
    net = published(tag, resolution="low")
    assert (net.name, net.engine) == (f"bodypix:{tag}", "onnxruntime")
    found = net.find(astronaut)
    assert found.parts().shape == found.mask().shape == (512, 512)
    assert all(person.parts.shape == (512, 512) for person in found.people())
    net.close()


def test_options_in_the_name_and_beside_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LIVEMATTE_CACHE", str(tmp_path))
    published("mobilenet-050-s16").close()
    net = _registry.create("models", "bodypix:mobilenet-050-s16:resolution=0.25,threshold=0.4")
    assert (net._resolution, net._threshold) == (0.25, 0.4)
    net = _registry.create("models", "bodypix:mobilenet-050-s16:resolution=0.25", resolution="high", threshold=0.9)
    assert (net._resolution, net._threshold) == (0.75, 0.9)
    for wrong, message in (
        ("size=2", "no option size"),
        ("threshold=much", "threshold must be a number"),
        ("threshold=2", "threshold must be from 0 to 1"),
        ("resolution=9", "resolution must be one of"),
    ):
        with pytest.raises(OptionError, match=message):
            _registry.create("models", f"bodypix:mobilenet-050-s16:{wrong}")
    with pytest.raises(UnknownName, match="bodypix has no 'mobilenet-060'; there are: bodypix:mobilenet-050-s16"):
        _registry.create("models", "bodypix:mobilenet-060")


def test_missing_weights_are_to_be_pulled(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LIVEMATTE_CACHE", str(tmp_path))
    with pytest.raises(WeightsError, match="run `livematte models pull bodypix:mobilenet-050-s8` or pass --weights"):
        _registry.create("models", "bodypix:mobilenet-050-s8")


# graphs whose padding ONNX Runtime leaves to others


def dilated(path: Path, strides: list[int], same: str) -> Path:
    import onnx
    from onnx import TensorProto, helper, numpy_helper

    weights = numpy_helper.from_array(np.random.default_rng(3).normal(0, 1, (1, 3, 3, 3)).astype(np.float32), "w")
    node = helper.make_node(
        "Conv", ["x", "w"], ["y"], name="wide", kernel_shape=[3, 3], dilations=[2, 2], strides=strides, auto_pad=same
    )
    values = [
        helper.make_tensor_value_info(n, TensorProto.FLOAT, s)
        for n, s in (("x", [1, 3, 8, 8]), ("y", [1, 1, "h", "w"]))
    ]
    graph = helper.make_graph([node], "g", values[:1], values[1:], [weights])
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), str(path))
    return path


@pytest.mark.parametrize("same", ["SAME_UPPER", "SAME_LOWER"])
def test_dilated_convolutions_keep_their_size(same: str, tmp_path: Path) -> None:
    engine = onnxruntime.create(None, graph=dilated(tmp_path / "wide.onnx", [1, 1], same))
    x = np.random.default_rng(4).normal(0, 1, (1, 3, 8, 8)).astype(np.float32)
    (y,) = engine.run([x])
    assert y.shape == (1, 1, 8, 8)
    weights = np.random.default_rng(3).normal(0, 1, (1, 3, 3, 3)).astype(np.float32)
    padded = np.pad(x[0], ((0, 0), (2, 2), (2, 2)))
    assert y[0, 0, 3, 5] == pytest.approx(float((padded[:, 3:8:2, 5:10:2] * weights[0]).sum()), abs=1e-4)


def test_a_padding_that_depends_on_the_picture_is_refused(tmp_path: Path) -> None:
    path = dilated(tmp_path / "wide.onnx", [2, 2], "SAME_UPPER")
    with pytest.raises(LoadError, match="the dilated convolution wide has strides"):
        _onnx_pads.explicit(path.read_bytes(), str(path))


def test_the_stride_8_file_that_onnxruntime_refuses_is_the_tflite_one(
    shared: Callable[[str], Path], astronaut: U8
) -> None:
    pytest.importorskip("ai_edge_litert")
    repaired = shared("weights/bodypix/MobileNetV1-x050-stride8.onnx")
    other = shared("weights/bodypix/body-pix-float-050-8.tflite")
    alphas = [
        _registry.create("models", "bodypix:mobilenet-050-s8", weights=path).segment(Frame.from_rgb(astronaut), None)[0]
        for path in (repaired, other)
    ]
    assert np.abs(alphas[0].alpha - alphas[1].alpha).max() < 1e-3
