"""The same weights give the same matte on every engine: at most one step of 8 bits apart, on real pictures."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from livematte import Frame, _bench_models, _registry
from livematte._frame import F32
from livematte._stages import Segmenter

ENGINES = _registry.names("engines")

STEP = 1 / 255

FLOAT32 = 1e-3
"""Largest difference of a pixel that float32 computed in another order may make."""

MODELS = [spec.name for spec in _bench_models.everything()]


@pytest.fixture(scope="module", autouse=True)
def cache(pulled: Path) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LIVEMATTE_CACHE", str(pulled))
        yield


@pytest.fixture(scope="module")
def frames(_astronaut: np.ndarray, carphone: Path) -> list[Frame]:
    """Two people: a portrait, upright when cut, and the first picture of a clip."""
    import av

    with av.open(str(carphone)) as clip:
        picture = next(clip.decode(video=0)).to_ndarray(format="rgb24")
    return [Frame.from_rgb(image) for image in (_astronaut, np.ascontiguousarray(_astronaut[:, 80:350]), picture)]


def alphas(model: str, engine: str, frames: list[Frame]) -> list[F32]:
    """Mattes of a model whose weights are here."""
    loaded: Segmenter = _registry.create("models", model, engine=engine, threads=1)
    try:
        return [loaded.segment(frame, None)[0].alpha for frame in frames]
    finally:
        loaded.close()


def apart(ones: list[F32], others: list[F32]) -> tuple[float, float]:
    """The larger mean difference of a picture, and the largest of a pixel."""
    differences = [np.abs(one - other) for one, other in zip(ones, others, strict=True)]
    return max(float(d.mean()) for d in differences), max(float(d.max()) for d in differences)


@pytest.mark.parametrize("model", MODELS)
def test_the_same_matte_on_every_engine(model: str, frames: list[Frame]) -> None:
    specs, _ = _bench_models.chosen(model)
    if not specs:
        pytest.skip(f"the weights of {model} are not in the shared folder")
    suffixes = {file.suffix for file in specs[0].files}
    modules = {name: _registry.load("engines", name) for name in ENGINES}
    here = [n for n, m in modules.items() if m.installed() and suffixes & {*m.READS, *m.CONVERTS}]
    if "onnxruntime" not in here or len(here) < 2:
        pytest.skip(f"ONNX Runtime or another engine that reads {model} is missing")
    expected = alphas(model, "onnxruntime", frames)
    assert all(alpha.max() - alpha.min() > 0.5 for alpha in expected), "a picture with a person has both"
    for engine in here:
        if engine != "onnxruntime":
            mean, largest = apart(expected, alphas(model, engine, frames))
            assert mean <= STEP, engine
            assert largest <= FLOAT32, engine


def test_bfloat16_is_another_precision(frames: list[Frame]) -> None:
    """Were it the same, the choice would choose nothing; it stays within a step for our fast network."""
    from livematte.engines import openvino

    if not openvino.installed() or "openvino:bf16" not in openvino.variants():
        pytest.skip("OpenVINO or a processor with bfloat16 is missing")
    fast = "livematte:fast"
    mean, largest = apart(alphas(fast, "onnxruntime", frames), alphas(fast, "openvino:bf16", frames))
    assert largest > FLOAT32
    assert mean <= STEP
