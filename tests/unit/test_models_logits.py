"""DeepLabV3 and BodyPix: their specs, and that their mattes are the networks' own."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
import pytest

from livematte import _registry, _weights
from livematte._errors import DownloadError, LoadError, WeightsError
from livematte._frame import Frame, Size
from livematte._stages import Segmenter
from livematte.engines import Tensor, onnxruntime
from livematte.models import bodypix, deeplabv3
from livematte.models._logits import LogitSegmenter, against_others, sigmoid, stretch
from livematte.models._spec import ModelSpec

F32 = npt.NDArray[np.float32]
U8 = npt.NDArray[np.uint8]
Shared = Callable[[str], Path]

SPECS = [*deeplabv3.SPECS.values(), *(bodypix.SPECS[tag] for tag in bodypix.LOCAL)]


class FakeEngine:
    """A graph whose every output holds its channel's number times `step`."""

    name = "fake"

    def __init__(self, picture: tuple[int, ...], outputs: Sequence[tuple[int, ...]], channel_axis: int = 1) -> None:
        self.inputs = (Tensor("picture", picture),)
        self.outputs = tuple(Tensor(f"out{i}", shape) for i, shape in enumerate(outputs))
        self._axis, self.seen, self.closed = channel_axis, np.zeros(0, np.float32), False

    def run(self, inputs: Sequence[F32]) -> list[F32]:
        self.seen = inputs[0]
        made = []
        for tensor in self.outputs:
            shape = [1] * 4
            shape[self._axis] = tensor.shape[self._axis]
            ramp = np.arange(tensor.shape[self._axis], dtype=np.float32).reshape(shape)
            made.append(np.broadcast_to(ramp, tensor.shape).astype(np.float32))
        return made

    def close(self) -> None:
        self.closed = True


# arithmetic


def test_against_others_is_the_softmax() -> None:
    logits = np.random.default_rng(1).normal(0, 20, (21, 5, 7)).astype(np.float32)
    shifted = np.exp(logits.astype(np.float64) - logits.max(axis=0))
    expected = shifted[15] / shifted.sum(axis=0)
    assert np.abs(sigmoid(against_others(logits, 15)) - expected).max() < 1e-5


def test_a_class_alone_is_its_own_logit() -> None:
    logits = np.array([[[-3.0, 0.0, 200.0, -200.0]]], np.float32)
    assert np.array_equal(against_others(logits, 0), logits[0])
    assert np.allclose(sigmoid(logits[0]), [[0.04742587, 0.5, 1.0, 0.0]])


@pytest.mark.parametrize(("cells", "pixels"), [(33, 257), (17, 257), (5, 5), (1, 3), (2, 3)])
def test_stretch_keeps_corners_and_is_linear(cells: int, pixels: int) -> None:
    matrix = stretch(cells, pixels)
    ramp = matrix @ np.arange(cells, dtype=np.float32)
    assert matrix.dtype == np.float32
    assert np.allclose(matrix.sum(axis=1), 1)
    assert np.allclose(ramp, np.linspace(0, cells - 1, pixels), atol=1e-4)


# any graph of this kind


@pytest.mark.parametrize(
    ("picture", "outputs", "axis"),
    [
        ((1, 3, 9, 17), [(1, 34, 2, 3), (1, 2, 2, 3)], 1),
        ((1, 9, 17, 3), [(1, 2, 3, 34), (1, 2, 3, 2)], 3),
    ],
)
def test_either_layout_and_the_right_output(
    picture: tuple[int, ...], outputs: list[tuple[int, ...]], axis: int
) -> None:
    engine = FakeEngine(picture, outputs, axis)
    segmenter = LogitSegmenter("test", engine, Size(17, 9), classes=2, person=1)
    matte, state = segmenter.segment(Frame.from_rgb(np.full((4, 4, 3), 255, np.uint8), pts=7), None)
    assert state is None
    assert (matte.alpha.shape, matte.alpha.dtype, matte.pts) == ((9, 17), np.float32, 7)
    assert np.allclose(matte.alpha, 1 / (1 + np.exp(-1)))
    assert engine.seen.min() == engine.seen.max() == 1.0  # white, of -1 to 1


@pytest.mark.parametrize(
    ("picture", "outputs", "message"),
    [
        ((1, 1, 9, 17), [(1, 2, 9, 17)], r"one input \(1, 3, h, w\)"),
        ((1, 3, 9, 17), [(1, 4, 9, 17)], "an output of 2 channels"),
        ((1, 3, 8, 17), [(1, 2, 8, 17)], "takes pictures of 17x9, this file of 17x8"),
    ],
)
def test_other_graphs_are_refused_and_closed(
    picture: tuple[int, ...], outputs: list[tuple[int, ...]], message: str
) -> None:
    engine = FakeEngine(picture, outputs)
    with pytest.raises(LoadError, match=message):
        LogitSegmenter("test", engine, Size(17, 9), classes=2, person=1)
    assert engine.closed


# the published files


@pytest.mark.parametrize("spec", SPECS, ids=lambda s: s.name)
def test_spec_describes_its_file(spec: ModelSpec, shared: Shared) -> None:
    file = spec.files[0]
    data = shared(f"weights/{file.path}").read_bytes()
    assert (len(data), hashlib.sha256(data).hexdigest()) == (file.size_bytes, file.sha256)


def reference(spec: ModelSpec, path: Path, picture: F32) -> F32:
    """The network by its runtime alone: softmax or sigmoid by the textbook, enlarged by OpenCV."""
    if path.suffix == ".tflite":
        from ai_edge_litert.interpreter import Interpreter

        interpreter = Interpreter(str(path))
        interpreter.allocate_tensors()
        interpreter.set_tensor(interpreter.get_input_details()[0]["index"], picture[None])
        interpreter.invoke()
        logits = interpreter.get_tensor(interpreter.get_output_details()[0]["index"])[0]
    else:
        import onnxruntime as ort

        options = ort.SessionOptions()
        options.log_severity_level = 4
        session = ort.InferenceSession(str(path), options)
        logits = session.run(["segments"], {"input": picture[None]})[0][0]
    if logits.shape[2] > 1:
        power = np.exp(logits - logits.max(axis=2, keepdims=True))
        alpha: F32 = power[..., 15] / power.sum(axis=2)
        return alpha
    height, width, _ = picture.shape
    rows, columns = np.mgrid[0:height, 0:width].astype(np.float32)
    rows *= (logits.shape[0] - 1) / (height - 1)
    columns *= (logits.shape[1] - 1) / (width - 1)
    large = cv2.remap(logits[..., 0], columns, rows, cv2.INTER_LINEAR)
    return 1 / (1 + np.exp(-large))


@pytest.mark.parametrize("engine", ["onnxruntime", "litert"])
@pytest.mark.parametrize("spec", SPECS, ids=lambda s: s.name)
def test_matte_is_the_networks_own(spec: ModelSpec, engine: str, shared: Shared, astronaut: U8) -> None:
    path = shared(f"weights/{spec.files[0].path}")
    if engine == "litert" and path.suffix != ".tflite":
        pytest.skip(f"litert does not read {path.suffix}")
    segmenter: Segmenter = _registry.create("models", spec.name, engine=engine, weights=path)
    frame = Frame.from_rgb(astronaut)
    matte, _ = segmenter.segment(frame, None)
    expected = reference(spec, path, frame.rgb(spec.size) * 2 - 1)
    assert expected.max() > 0.9, "nobody was found: the comparison would say nothing"
    # OpenCV interpolates with 5 bits of position
    assert np.abs(matte.alpha - expected).mean() <= 1 / 255
    segmenter.close()


# weights without an address


def test_unpublished_weights_say_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LIVEMATTE_CACHE", str(tmp_path))
    file = bodypix.LOCAL["mobilenet-050-s8"]
    with pytest.raises(WeightsError, match=r"no official address: pass --weights FILE, or put body-pix.* at "):
        _weights.locate(file, "bodypix")
    with pytest.raises(DownloadError, match=r"has no official address: put it at .* or pass --weights FILE"):
        _weights.pull(file)


def test_unpublished_weights_in_the_cache_are_checked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LIVEMATTE_CACHE", str(tmp_path))
    place = _weights.place(bodypix.SPECS["mobilenet-050-s16"].files[0])
    place.parent.mkdir(parents=True)
    place.write_bytes(b"another file")
    with pytest.raises(WeightsError, match=r"expected f2e51d18eec8e3c9.*: get the file again"):
        _registry.create("models", "bodypix")


# graphs that leave the size open


def test_open_size_is_fixed(tmp_path: Path) -> None:
    from onnx import TensorProto, helper

    nodes = [helper.make_node("Relu", ["in"], ["out"])]
    value = [helper.make_tensor_value_info(n, TensorProto.FLOAT, [1, f"h_{n}", f"w_{n}", 3]) for n in ("in", "out")]
    model = helper.make_model(
        helper.make_graph(nodes, "test", value[:1], value[1:]),
        opset_imports=[helper.make_opsetid("", 17)],
        ir_version=8,
    )
    path = tmp_path / "open.onnx"
    path.write_bytes(model.SerializeToString())
    loaded = onnxruntime.create(None, graph=path, picture=Size(17, 9))
    assert loaded.inputs[0].shape == loaded.outputs[0].shape == (1, 9, 17, 3)
    with pytest.raises(LoadError, match="every size must be a fixed number"):
        onnxruntime.create(None, graph=path)
