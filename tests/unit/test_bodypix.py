"""BodyPix in use: sizes, masks, parts, key points and people, on maps whose answer is known."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from livematte import _registry, _weights
from livematte._errors import InferenceError, LoadError, OptionError, UnknownName, WeightsError
from livematte._frame import F32, U8, Frame, Size
from livematte.engines import Tensor, _onnx_pads, onnxruntime
from livematte.models import _bodypix, bodypix
from livematte.models._bodypix import BodyPix, Kind
from livematte.models._bodypix_found import OUTPUTS, Found
from livematte.models._bodypix_people import assign
from livematte.models._bodypix_poses import EDGES, NAMES, Maps, Pose, decode
from livematte.models._bodypix_resize import (
    check_resolution,
    enlarge,
    fit,
    frame_columns,
    frame_rows,
    input_size,
    sample,
)
from livematte.models._logits import sigmoid
from livematte.models._parts import PALETTE, PARTS, part_picture, people_picture, tinted

spec = importlib.util.spec_from_file_location("bodypix_graphs", Path(__file__).parents[1] / "bodypix_graphs.py")
assert spec is not None
assert spec.loader is not None
graphs = importlib.util.module_from_spec(spec)
spec.loader.exec_module(graphs)

STRIDE = 16
FRAME, INNER, STAGE = Size(203, 117), Size(193, 113), Size(321, 241)
SURE, UNSURE = 8.0, -8.0
"""Logits."""


# the network's picture


@pytest.mark.parametrize(
    ("frame", "resolution", "stride", "expected"),
    [
        (Size(640, 480), "medium", 16, Size(321, 241)),
        (Size(640, 480), "low", 8, Size(161, 121)),
        (Size(1280, 720), "high", 32, Size(961, 513)),
        (Size(514, 514), "medium", 16, Size(257, 257)),  # 257 is on the grid already
        (Size(1280, 720), 0.3, 16, Size(385, 209)),
        (Size(1280, 720), "0.3", 16, Size(385, 209)),
        (Size(1280, 720), 513, 16, Size(513, 273 + 16)),
        (Size(720, 1280), 513, 16, Size(289, 513)),
        (Size(9, 7), 0.5, 16, Size(1, 1)),
    ],
)
def test_internal_resolution(frame: Size, resolution: Any, stride: int, expected: Size) -> None:
    found = input_size(frame, check_resolution(resolution), stride)
    assert found == expected
    assert all((side - 1) % stride == 0 for side in found)


@pytest.mark.parametrize("resolution", ["huge", "", "nan", 0.05, 2.5, 166, 802, -1, None])
def test_resolutions_that_there_are_not(resolution: Any) -> None:
    with pytest.raises(OptionError, match="resolution must be one of low, medium, high, full, a share"):
        check_resolution(resolution)


def test_a_picture_too_large_for_the_network() -> None:
    with pytest.raises(OptionError, match="at most 2049"):
        input_size(Size(4000, 3000), 1.0, 16)


@pytest.mark.parametrize("frame", [Size(640, 480), Size(333, 777), Size(1, 9), Size(9, 1), Size(1, 1)])
def test_a_frame_lies_in_the_middle_of_the_networks_picture(frame: Size) -> None:
    lies = fit(frame, Size(97, 65))
    assert lies.left == 0 or lies.top == 0
    assert abs(lies.padded.width / lies.padded.height - 97 / 65) < 2 / min(lies.padded)
    for places, inner in ((frame_rows(lies), 65), (frame_columns(lies), 97)):
        assert places.min() >= 0
        assert places.max() <= inner - 1
        np.testing.assert_allclose(places + places[::-1], inner - 1, atol=1e-9)


def test_bilinear_interpolation_is_exact_on_a_plane() -> None:
    rows, columns = np.mgrid[0:5, 0:7]
    plane = (2.0 * rows - 3.0 * columns)[..., None].astype(np.float32)
    y, x = np.array([0, 0.25, 3.5, 4]), np.array([0, 1.75, 6])
    np.testing.assert_allclose(sample(plane, y, x)[..., 0], 2 * y[:, None] - 3 * x, atol=1e-5)


# masks and parts


def scene(**more: F32) -> tuple[Found, dict[str, F32]]:
    """Noise for every map of a picture."""
    random = np.random.default_rng(5)
    grid = ((INNER.height - 1) // STRIDE + 1, (INNER.width - 1) // STRIDE + 1)
    maps = {name: random.normal(0, 2, (*grid, n)).astype(np.float32) for name, n in OUTPUTS.items()} | more
    return Found("bodypix:test", maps, fit(FRAME, INNER), STRIDE, 0.7), maps


def test_parts_by_bands_are_the_parts_of_the_whole_picture() -> None:
    found, maps = scene()
    lies = fit(FRAME, INNER)
    whole = sample(sigmoid(enlarge(maps["part_heatmaps"], lies)), frame_rows(lies), frame_columns(lies)).argmax(axis=2)
    mask, parts = found.mask(), found.parts()
    assert 0.05 < mask.mean() < 0.95
    assert parts.dtype == np.int8
    assert np.array_equal(parts, np.where(mask, whole, -1))


def test_nobody_is_in_no_part() -> None:
    grid = (8, 13, 1)
    found, _ = scene(segments=np.full(grid, UNSURE, np.float32))
    assert not found.mask().any()
    assert (found.parts() == -1).all()
    assert found.people() == [] or all(not person.mask.any() for person in found.people())


def test_there_are_24_parts_with_colours_of_their_own() -> None:
    assert len(PARTS) == len(set(PARTS)) == 24
    assert len({tuple(colour) for colour in PALETTE.tolist()}) == 24
    assert tuple(PALETTE[0]) == (110, 64, 170)
    assert tuple(PALETTE[23]) == (99, 81, 195)
    picture = part_picture(np.array([[-1, 0], [12, 23]], np.int8), (1, 2, 3))
    assert picture.tolist() == [[[1, 2, 3], PALETTE[0].tolist()], [PALETTE[12].tolist(), PALETTE[23].tolist()]]


# key points

FIGURE = np.array(
    [
        (0, 0), (4, -4), (-4, -4), (9, -2), (-9, -2), (20, 20), (-20, 20), (26, 45), (-26, 45), (28, 68), (-28, 68),
        (13, 70), (-13, 70), (14, 105), (-14, 105), (14, 140), (-14, 140),
    ],
    np.float64,
)  # fmt: skip
"""Key points of somebody who stands, x and y from the nose, in pixels."""


def maps_of(noses: list[tuple[float, float]], size: Size = STAGE) -> tuple[Maps, F32, list[npt.NDArray[Any]]]:
    """Maps of figures whose noses are given, the long offsets to them, and their key points."""
    grid = ((size.height - 1) // STRIDE + 1, (size.width - 1) // STRIDE + 1)
    people = [FIGURE + nose for nose in noses]
    scores = np.zeros((*grid, len(NAMES)), np.float32)
    cells = np.stack(np.mgrid[0 : grid[0], 0 : grid[1]][::-1], axis=-1) * float(STRIDE)  # (gh, gw, 2), x and y
    middles = np.stack([person.mean(axis=0) for person in people])
    nearest = np.square(cells[:, :, None] - middles).sum(axis=3).argmin(axis=2)
    whose = np.stack(people)[nearest]  # (gh, gw, 17, 2)

    def field(vectors: npt.NDArray[Any]) -> F32:
        return np.concatenate([vectors[..., 1], vectors[..., 0]], axis=2).astype(np.float32)

    to_points = field(whose - cells[:, :, None])
    heads, tails = (np.array(side) for side in zip(*EDGES, strict=True))
    edges = whose[:, :, tails] - whose[:, :, heads]
    for n, person in enumerate(people):
        for part, point in enumerate(person):
            column, row = np.clip(np.floor(point / STRIDE + 0.5), 0, (grid[1] - 1, grid[0] - 1)).astype(int)
            scores[row, column, part] = 0.9 - 0.1 * n
    return Maps(scores, to_points, field(edges), field(-edges), STRIDE), to_points, people


def test_people_are_found_with_all_their_key_points() -> None:
    maps, _, people = maps_of([(80, 60), (230, 50)])
    poses = decode(maps, most=10, least_score=0.4, radius_px=20)
    assert len(poses) == 2
    for pose, person, score in zip(poses, people, (0.9, 0.8), strict=True):
        np.testing.assert_allclose(pose.points, person, atol=1e-4)
        np.testing.assert_allclose(pose.scores, score, atol=1e-6)
        assert pose.score == pytest.approx(score)


def test_the_most_and_the_least_of_people() -> None:
    maps, _, _ = maps_of([(80, 60), (230, 50)])
    assert len(decode(maps, most=1, least_score=0.4, radius_px=20)) == 1
    assert len(decode(maps, most=10, least_score=0.85, radius_px=20)) == 1
    assert decode(maps, most=10, least_score=0.95, radius_px=20) == []
    assert len(decode(maps, most=10, least_score=0.4, radius_px=1000)) == 1  # everybody is the same person


def test_pixels_go_to_the_person_they_point_to() -> None:
    size = STAGE
    maps, offsets, people = maps_of([(80, 60), (230, 50)], size)
    poses = decode(maps, most=10, least_score=0.4, radius_px=20)
    mask = np.zeros((size.height, size.width), bool)
    mask[20:200, 40:120] = mask[20:200, 190:270] = True
    labels = assign(mask, offsets, poses, fit(size, size), STRIDE, 10)
    assert (labels[~mask] == -1).all()
    assert (labels[20:200, 40:120] == 0).mean() > 0.99
    assert (labels[20:200, 190:270] == 1).mean() > 0.99
    assert (assign(mask, offsets, [], fit(size, size), STRIDE, 10) == -1).all()
    unsure = [Pose(0.5, person, np.full(17, 0.2)) for person in people]
    assert (assign(mask, offsets, unsure, fit(size, size), STRIDE, 10) == -1).all()


def test_a_vote_that_leaves_the_picture_counts_for_nobody() -> None:
    size = Size(65, 65)
    offsets = np.full((5, 5, 34), -1000, np.float32)
    pose = Pose(1.0, np.zeros((17, 2)), np.ones(17))
    labels = assign(np.ones((65, 65), bool), offsets, [pose], fit(size, size), STRIDE, 10)
    assert (labels == -1).all()


def test_everybody_has_their_own_mask_and_parts() -> None:
    size = STAGE
    maps, offsets, people = maps_of([(80, 60), (230, 50)], size)
    logits = np.where(maps.scores > 0, np.log(np.maximum(maps.scores, 1e-6) / (1 - maps.scores)), UNSURE)
    segments = np.full((16, 21, 1), UNSURE, np.float32)
    segments[2:13, 3:8] = segments[2:13, 12:17] = SURE
    parts = np.zeros((16, 21, 24), np.float32)
    parts[:, :10, 12], parts[:, 10:, 13] = 1, 1
    found = Found(
        "bodypix:test",
        {
            "segments": segments, "part_heatmaps": parts, "heatmaps": logits.astype(np.float32),
            "short_offsets": maps.offsets, "long_offsets": offsets,
            "displacement_fwd": maps.forward, "displacement_bwd": maps.backward,
        },
        fit(Size(642, 482), size), STRIDE, 0.7,
    )  # fmt: skip
    first, second = found.people()
    np.testing.assert_allclose(first.pose.points, people[0] * 2, atol=0.5)
    assert not (first.mask & second.mask).any()
    assert ((first.mask | second.mask) == found.mask()).mean() > 0.99
    assert set(np.unique(first.parts)) == {-1, 12}
    assert set(np.unique(second.parts)) == {-1, 13}
    assert np.array_equal(first.parts >= 0, first.mask)
    assert found.people(least_person=0.85) == [] or len(found.people(least_person=0.85)) == 1
    picture = people_picture([first, second], Size(642, 482))
    assert len({tuple(c) for c in picture.reshape(-1, 3).tolist()}) == 4  # two people, their rims, nobody


# the room


@pytest.mark.parametrize("opacity", [0.0, 0.5, 1.0])
def test_nothing_of_the_room_passes(opacity: float, astronaut: U8) -> None:
    mask = np.zeros(astronaut.shape[:2], bool)
    mask[100:200, 150:250] = True
    colours = np.full_like(astronaut, 200)
    one = tinted(Frame.from_rgb(astronaut), mask, colours, opacity=opacity, background=(9, 8, 7)).to_rgb()
    other = tinted(
        Frame.from_rgb(np.where(mask[..., None], astronaut, 255 - astronaut)), mask, colours, opacity=opacity,
        background=(9, 8, 7),
    ).to_rgb()  # fmt: skip
    assert np.array_equal(one, other)
    assert (one[~mask] == (9, 8, 7)).all()
    expected = astronaut[mask] * (1 - opacity) + 200 * opacity
    assert np.abs(one[mask] - expected).max() <= 1


# the model


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
