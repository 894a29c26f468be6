"""DeepLabV3 and BodyPix: their specs, and that their mattes are the networks' own."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
import pytest

from livematte import _registry, _weights
from livematte._errors import DownloadError, LoadError, WeightsError
from livematte._frame import Frame, Size
from livematte._stages import Segmenter
from livematte.engines import onnxruntime
from livematte.models import bodypix, deeplabv3
from livematte.models._logits import by_area, by_corners, sigmoid, stretch
from livematte.models._spec import ModelSpec

F32 = npt.NDArray[np.float32]
U8 = npt.NDArray[np.uint8]
Shared = Callable[[str], Path]

SPECS = [*deeplabv3.SPECS.values(), *(bodypix.SPECS[tag] for tag in bodypix.LOCAL)]


# arithmetic


def test_sigmoid_does_not_overflow() -> None:
    assert np.allclose(sigmoid(np.array([-3.0, 0.0, 200.0, -200.0], np.float32)), [0.04742587, 0.5, 1.0, 0.0])


def by_matrix(cells: int, at: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Linear interpolation as a matrix (pixels, cells)."""
    weights: npt.NDArray[np.float64] = np.maximum(0, 1 - np.abs(at[:, None] - np.arange(cells)))
    return weights


@pytest.mark.parametrize(
    ("grid", "size"),
    [((19, 33), (289, 513)), ((17, 17), (257, 257)), ((5, 4), (5, 4)), ((1, 2), (3, 3)), ((6, 5), (3, 1))],
)
@pytest.mark.parametrize("corners", [True, False])
def test_stretch_is_linear_interpolation(grid: tuple[int, int], size: tuple[int, int], corners: bool) -> None:
    logits = np.random.default_rng(5).normal(0, 4, (2, *grid)).astype(np.float32)
    places = by_corners if corners else by_area
    rows, columns = (places(cells, pixels) for cells, pixels in zip(grid, size, strict=True))
    made = stretch(logits, rows, columns)
    down, across = (
        by_matrix(
            cells,
            np.linspace(0, cells - 1, pixels)
            if corners
            else np.clip((np.arange(pixels) + 0.5) * cells / pixels - 0.5, 0, cells - 1),
        )
        for cells, pixels in zip(grid, size, strict=True)
    )
    expected = down @ logits.astype(np.float64) @ across.T
    assert (made.shape, made.dtype) == (expected.shape, np.float32)
    assert np.abs(sigmoid(made) - 1 / (1 + np.exp(-expected))).max() < 1e-6
    part = stretch(logits, rows.first(2), columns)
    assert np.array_equal(part, made[:, :2])


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
