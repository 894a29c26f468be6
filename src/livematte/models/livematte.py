"""livematte: the network in the package; weights/README.md is its model card."""

from __future__ import annotations

from pathlib import Path

from livematte._frame import Size
from livematte._weights import WeightsFile
from livematte.models._load import load_engine
from livematte.models._picture import PictureSegmenter
from livematte.models._spec import ModelSpec, pick

SPECS = {
    "seed": ModelSpec(
        name="livematte:seed",
        size=Size(256, 144),
        files=(
            WeightsFile(
                "livematte.onnx", "4499e8f0d7a19de10b85676b1ad43d3750a44a9d9b29b0d2a55f2de0d3155154", 2_148_551
            ),
            WeightsFile(
                "livematte.tflite", "ae3363abba1a1de342b816256085f0abf814fa966e1253e58b6afc0c25340239", 2_225_560
            ),
        ),
        licence="own weights, trained on masks that are free for academic use only",
        commercial=False,
        source="models/weights/README.md",
        summary="our own network, in the package; finds everyone, softer than mediapipe on close-ups",
    )
}
"""One tag so far, named after the training run, so that a better one can stand beside it."""


def create(
    argument: str | None, *, engine: str = "auto", threads: int | None = None, weights: str | Path | None = None
) -> PictureSegmenter:
    """`livematte` or `livematte:TAG`.

    Args:
        argument: a tag of `SPECS`.
        engine: `auto`, or an engine's name.
        threads: None leaves the number to the engine.
        weights: a local .onnx or .tflite file in place of the package's, of any picture
            size: what `livematte export` writes.

    Raises:
        UnknownName, MissingExtra, WeightsError, LoadError.
    """
    spec = pick(SPECS, "livematte", argument)
    loaded = load_engine(spec, engine, threads, weights)
    return PictureSegmenter(spec.name, loaded, spec.size if weights is None else None)
