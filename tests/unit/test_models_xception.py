"""DeepLabV3+ from Keras weights: the graph against Keras's own where that is installed, and files that are none."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from livematte import _registry
from livematte._errors import LoadError
from livematte._frame import Frame, Size
from livematte.models import _xception
from livematte.models._logits import by_corners, stretch
from livematte.models._xception import converted

h5py = pytest.importorskip("h5py")
pytest.importorskip("onnx")

Layers = dict[str, dict[str, tuple[int, ...]]]


def layers(classes: int, logits: str = "logits_semantic") -> Layers:
    """Every layer of DeepLabV3+ on Xception-65, with the shapes of its weights."""
    found: Layers = {}

    def convolution(name: str, kernel: int, given: int, made: int) -> None:
        found[name] = {"kernel:0": (kernel, kernel, given, made)}
        found[f"{name}_BN"] = {f"{w}:0": (made,) for w in ("gamma", "beta", "moving_mean", "moving_variance")}

    def separable(name: str, given: int, made: int) -> None:
        convolution(f"{name}_depthwise", 3, given, given)
        found[f"{name}_depthwise"] = {"depthwise_kernel:0": (3, 3, given, 1)}
        convolution(f"{name}_pointwise", 1, given, made)

    def block(name: str, given: int, filters: tuple[int, ...], *, shortcut: bool = True) -> int:
        if shortcut:
            convolution(f"{name}_shortcut", 1, given, filters[-1])
        for index, made in enumerate(filters, 1):
            separable(f"{name}_separable_conv{index}", given, made)
            given = made
        return given

    convolution("entry_flow_conv1_1", 3, 3, 32)
    convolution("entry_flow_conv1_2", 3, 32, 64)
    given = 64
    for index, made in enumerate((128, 256, 728), 1):
        given = block(f"entry_flow_block{index}", given, (made,) * 3)
    for index in range(1, 17):
        block(f"middle_flow_unit_{index}", 728, (728,) * 3, shortcut=False)
    block("exit_flow_block1", 728, (728, 1024, 1024))
    block("exit_flow_block2", 1024, (1536, 1536, 2048), shortcut=False)
    for name in ("image_pooling", "aspp0"):
        convolution(name, 1, 2048, 256)
    for index in (1, 2, 3):
        separable(f"aspp{index}", 2048, 256)
    convolution("concat_projection", 1, 5 * 256, 256)
    convolution("feature_projection0", 1, 256, 48)
    separable("decoder_conv0", 304, 256)
    separable("decoder_conv1", 256, 256)
    found[logits] = {"kernel:0": (1, 1, 256, classes), "bias:0": (classes,)}
    return found


def written(path: Path, found: Layers) -> Path:
    """A file of weights that are all 1 (variances, gains) or 0: HDF5 keeps no numbers for those."""
    with h5py.File(path, "w") as file:
        for layer, weights in found.items():
            for name, shape in weights.items():
                one = "variance" in name or "gamma" in name or "bias" in name
                file.create_dataset(f"{layer}/{layer}/{name}", shape, "f4", fillvalue=float(one), chunks=True)
    return path


@pytest.mark.parametrize(("logits", "units"), [("logits_semantic", 16), ("custom_logits_semantic", 1)])
def test_a_file_of_weights_becomes_a_graph(
    tmp_path: Path, logits: str, units: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_xception, "MIDDLE_UNITS", units)  # all alike: one is quicker
    path = written(tmp_path / "net.h5", layers(21, logits))
    assert path.stat().st_size < 4 << 20
    graph = tmp_path / "net.onnx"
    graph.write_bytes(converted(path.read_bytes(), path.name, None, Size(64, 48)))
    engine = _registry.create("engines", "onnxruntime", graph=graph)
    assert [t.shape for t in (*engine.inputs, *engine.outputs)] == [(1, 3, 48, 64), (1, 21, 12, 16)]
    assert (engine.run([np.zeros((1, 3, 48, 64), np.float32)])[0] == 1).all()  # the bias of the last layer


def broken(found: Layers, harm: str) -> Layers:
    if harm == "missing":
        del found["aspp2_pointwise"]
    elif harm == "shape":
        found["middle_flow_unit_7_separable_conv2_depthwise"]["depthwise_kernel:0"] = (5, 5, 728, 1)
    elif harm == "huge":
        found["logits_semantic"]["kernel:0"] = (1, 1, 256, 1 << 30)
    else:
        found["logits_semantic"]["bias:0"] = (100_000,)
    return found


@pytest.mark.parametrize(
    ("harm", "reason"),
    [
        ("missing", "no kernel of the layer aspp2_pointwise"),
        ("shape", r"\(5, 5, 728, 1\), expected \(3, 3, 728, 1\)"),
        ("huge", r"expected \(1, 1, 256, 21\)"),
        ("classes", r"bias of logits_semantic has the shape \(100000,\)"),
    ],
)
def test_files_of_other_networks_are_refused(tmp_path: Path, harm: str, reason: str) -> None:
    path = written(tmp_path / "net.h5", broken(layers(21), harm))
    with pytest.raises(LoadError, match=reason):
        converted(path.read_bytes(), path.name, None, Size(64, 64))


def test_files_that_are_none_are_refused(tmp_path: Path) -> None:
    with pytest.raises(LoadError, match=r"net\.h5 is no HDF5 file"):
        converted(b"no file" * 100, "net.h5", 21, Size(64, 64))
    whole = written(tmp_path / "net.h5", layers(21)).read_bytes()
    with pytest.raises(LoadError, match=r"net\.h5"):
        converted(whole[: len(whole) // 2], "net.h5", 21, Size(64, 64))
    with pytest.raises(LoadError, match="multiples of 8, got 60x64"):
        converted(whole, "net.h5", 21, Size(60, 64))


def test_the_model_runs_from_a_file_of_weights(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from dataclasses import replace

    from livematte.models import deeplabv3

    small = replace(deeplabv3.SPECS["voc-xception"], size=Size(64, 64))
    monkeypatch.setitem(deeplabv3.SPECS, "voc-xception", small)
    path = written(tmp_path / "net.h5", layers(21))
    segmenter = deeplabv3.create("voc-xception:person,dog", weights=path)
    frame = Frame.from_rgb(np.zeros((30, 50, 3), np.uint8))
    alpha = segmenter.segment(frame, None)[0].alpha
    assert segmenter.name == "deeplabv3:voc-xception:person,dog"
    assert alpha.shape == (64, 64)
    assert np.allclose(alpha, 2 / 21, atol=1e-4)  # all logits are the same


def test_it_computes_what_keras_does(tmp_path: Path) -> None:
    os.environ.setdefault("KERAS_BACKEND", "torch")
    keras = pytest.importorskip("keras")
    height, width, classes = 96, 160, 151
    model = _in_keras(keras, height, width, classes)
    random = np.random.default_rng(1)
    for layer in model.layers:
        if weights := layer.get_weights():
            layer.set_weights([_noise(random, layer.name, index, w.shape) for index, w in enumerate(weights)])
    path = tmp_path / "net.h5"
    model.save(path)
    rgb = random.uniform(-1, 1, (1, height, width, 3)).astype(np.float32)
    expected = model.predict(rgb, verbose=0)[0].transpose(2, 0, 1)
    graph = tmp_path / "net.onnx"
    graph.write_bytes(converted(path.read_bytes(), path.name, classes, Size(width, height)))
    engine = _registry.create("engines", "onnxruntime", graph=graph)
    made = engine.run([np.ascontiguousarray(rgb.transpose(0, 3, 1, 2))])[0][0]
    whole = stretch(made, by_corners(height // 4, height), by_corners(width // 4, width))
    assert np.abs(whole - expected).max() < 1e-4 * expected.std()
    assert (whole.argmax(axis=0) == expected.argmax(axis=0)).mean() > 0.9999


def _noise(random: np.random.Generator, layer: str, index: int, shape: tuple[int, ...]) -> Any:
    """Weights under which values neither grow nor vanish; gains and variances around 1."""
    if layer.endswith("_BN"):
        return random.uniform(0.7, 1.3, shape) if index in {0, 3} else random.normal(0, 0.1, shape)
    if len(shape) == 1:
        return random.normal(0, 0.1, shape)
    inputs = np.prod(shape[:2]) if "depthwise" in layer else np.prod(shape[:3])
    return random.normal(0, (2 / inputs) ** 0.5, shape)


def _in_keras(keras: Any, height: int, width: int, classes: int) -> Any:
    """The network in Keras's own layers."""
    torch = pytest.importorskip("torch")
    part = keras.layers

    class Corners(part.Layer):  # type: ignore[misc, name-defined]
        def __init__(self, height: int, width: int) -> None:
            super().__init__()
            self.target = height, width

        def call(self, x: Any) -> Any:
            planes = torch.nn.functional.interpolate(
                x.permute(0, 3, 1, 2), size=self.target, mode="bilinear", align_corners=True
            )
            return planes.permute(0, 2, 3, 1)

        def compute_output_shape(self, shape: Any) -> Any:
            return (shape[0], *self.target, shape[3])

    def relu(x: Any) -> Any:
        return part.ReLU()(x)

    def normal(x: Any, name: str, epsilon: float) -> Any:
        return part.BatchNormalization(epsilon=epsilon, name=f"{name}_BN")(x)

    def convolution(x: Any, count: int, name: str, kernel: int = 1, stride: int = 1, epsilon: float = 1e-5) -> Any:
        made = part.Conv2D(count, kernel, strides=stride, padding="same", use_bias=False, name=name)(x)
        return relu(normal(made, name, epsilon))

    def separable(x: Any, count: int, name: str, stride: int, rate: int, after: bool, epsilon: float) -> Any:
        x = part.ZeroPadding2D(1)(x) if stride > 1 else x
        x = x if after else relu(x)
        padding = "valid" if stride > 1 else "same"
        x = part.DepthwiseConv2D(
            3, strides=stride, dilation_rate=rate, padding=padding, use_bias=False, name=f"{name}_depthwise"
        )(x)
        x = normal(x, f"{name}_depthwise", epsilon)
        x = part.Conv2D(count, 1, use_bias=False, name=f"{name}_pointwise")(relu(x) if after else x)
        x = normal(x, f"{name}_pointwise", epsilon)
        return relu(x) if after else x

    def block(
        x: Any,
        name: str,
        counts: tuple[int, ...],
        stride: int = 1,
        rate: int = 1,
        past: str = "conv",
        after: bool = False,
    ) -> Any:
        given, second = x, None
        for index, count in enumerate(counts, 1):
            step = stride if index == len(counts) else 1
            x = separable(x, count, f"{name}_separable_conv{index}", step, rate, after, 1e-3)
            second = x if index == 2 else second
        if past == "conv":
            way = part.Conv2D(counts[-1], 1, strides=stride, use_bias=False, name=f"{name}_shortcut")(given)
            given = normal(way, f"{name}_shortcut", 1e-3)
        return (x if past == "none" else part.Add()([x, given])), second

    given = part.Input((height, width, 3))
    x = convolution(given, 32, "entry_flow_conv1_1", 3, 2, 1e-3)
    x = convolution(x, 64, "entry_flow_conv1_2", 3, 1, 1e-3)
    x, _ = block(x, "entry_flow_block1", (128,) * 3, 2)
    x, skip = block(x, "entry_flow_block2", (256,) * 3, 2)
    x, _ = block(x, "entry_flow_block3", (728,) * 3)
    for unit in range(1, 17):
        x, _ = block(x, f"middle_flow_unit_{unit}", (728,) * 3, rate=2, past="sum")
    x, _ = block(x, "exit_flow_block1", (728, 1024, 1024), rate=2)
    x, _ = block(x, "exit_flow_block2", (1536, 1536, 2048), rate=4, past="none", after=True)
    mean = convolution(part.GlobalAveragePooling2D(keepdims=True)(x), 256, "image_pooling")
    branches = [Corners(height // 8, width // 8)(mean), convolution(x, 256, "aspp0")]
    branches += [separable(x, 256, f"aspp{n}", 1, rate, True, 1e-5) for n, rate in enumerate((12, 24, 36), 1)]
    x = convolution(part.Concatenate()(branches), 256, "concat_projection")
    skip = convolution(skip, 48, "feature_projection0")
    x = part.Concatenate()([Corners(height // 4, width // 4)(x), skip])
    for index in (0, 1):
        x = separable(x, 256, f"decoder_conv{index}", 1, 1, True, 1e-5)
    x = part.Conv2D(classes, 1, name="custom_logits_semantic")(x)
    return keras.Model(given, Corners(height, width)(x))
