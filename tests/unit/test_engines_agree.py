"""The same weights give the same matte on every engine: at most one step of 8 bits apart, on real pictures."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from livematte import Frame, _registry
from livematte._stages import Segmenter

OTHERS = [name for name in _registry.names("engines") if name != "onnxruntime"]

STEP = 1 / 255

FLOAT32 = 1e-3
"""Largest difference of a pixel that float32 computed in another order may make."""

PACKAGED = ["livematte:base", "livematte:fast"]

SHARED = {
    "mediapipe:landscape": "mediapipe/selfie_segmentation_landscape.tflite",
    "mediapipe:general": "mediapipe/selfie_segmentation.tflite",
    "deeplabv3:voc": "deeplabv3/deeplabv3_257_mv_gpu.tflite",
    "bodypix:mobilenet-050-s8": "bodypix/body-pix-float-050-8.tflite",
    "bodypix:mobilenet-050-s16": "bodypix/MobileNetV1-x050-stride16.onnx",
}


@pytest.fixture(scope="module")
def frames(_astronaut: np.ndarray, carphone: Path) -> list[Frame]:
    """Two people: a portrait, upright when cut, and the first picture of a clip."""
    import av

    with av.open(str(carphone)) as clip:
        picture = next(clip.decode(video=0)).to_ndarray(format="rgb24")
    return [Frame.from_rgb(image) for image in (_astronaut, np.ascontiguousarray(_astronaut[:, 80:350]), picture)]


def segmenter(model: str, engine: str, weights: Path | None) -> Segmenter:
    name = _registry.split(engine)[0]
    module = _registry.load("engines", name)
    if not module.installed():
        pytest.skip(f"the runtime of {name} is not installed")
    if weights is not None and weights.suffix not in (*module.READS, *module.CONVERTS):
        pytest.skip(f"{name} does not read {weights.suffix}")
    loaded: Segmenter = _registry.create("models", model, engine=engine, weights=weights)
    return loaded


def apart(model: str, engine: str, weights: Path | None, frames: list[Frame]) -> tuple[float, float]:
    """Mean difference to ONNX Runtime's mattes, and the largest of a pixel."""
    one, two = segmenter(model, "onnxruntime", weights), segmenter(model, engine, weights)
    mean = largest = 0.0
    for frame in frames:
        expected, got = (s.segment(frame, None)[0].alpha for s in (one, two))
        assert expected.max() - expected.min() > 0.5, "a picture with a person has both"
        difference = np.abs(expected - got)
        mean, largest = max(mean, float(difference.mean())), max(largest, float(difference.max()))
    one.close()
    two.close()
    return mean, largest


@pytest.mark.parametrize("engine", OTHERS)
@pytest.mark.parametrize("model", PACKAGED)
def test_our_networks(model: str, engine: str, frames: list[Frame]) -> None:
    mean, largest = apart(model, engine, None, frames)
    assert mean <= STEP
    assert largest <= FLOAT32


@pytest.mark.parametrize("engine", OTHERS)
@pytest.mark.parametrize("model", SHARED)
def test_networks_of_others(model: str, engine: str, shared: Callable[[str], Path], frames: list[Frame]) -> None:
    mean, largest = apart(model, engine, shared(f"weights/{SHARED[model]}"), frames)
    assert mean <= STEP
    assert largest <= FLOAT32


def test_bfloat16_is_another_precision(frames: list[Frame]) -> None:
    """Were it the same, the choice would choose nothing; it stays within a step for our fast network."""
    from livematte.engines import openvino

    if not openvino.installed() or "openvino:bf16" not in openvino.variants():
        pytest.skip("OpenVINO or a processor with bfloat16 is missing")
    mean, largest = apart("livematte:fast", "openvino:bf16", None, frames)
    assert largest > FLOAT32
    assert mean <= STEP
