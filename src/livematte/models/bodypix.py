"""BodyPix: people at any distance by a small general network; the person mask alone, so far.

Source: Google, "BodyPix: Real-time Person Segmentation in the Browser with TensorFlow.js",
2019; MobileNetV1 with width 0.5. Input RGB -1 to 1, output `segments`: one logit for each
`stride` pixels, of which the sigmoid, stretched with corners aligned, is the alpha.

TensorFlow publishes these weights as TensorFlow.js graphs. The files here are the same
networks in other formats, which have no official address: pass a local one by --weights.
"""

from __future__ import annotations

from pathlib import Path

from livematte._frame import Size
from livematte._weights import WeightsFile
from livematte.models._load import load_engine
from livematte.models._logits import LogitSegmenter
from livematte.models._spec import ModelSpec, pick

CARD = "https://github.com/tensorflow/tfjs-models/tree/master/body-pix"

SPECS = {
    "mobilenet-050-s16": ModelSpec(
        name="bodypix:mobilenet-050-s16",
        size=Size(513, 289),
        files=(
            WeightsFile(
                "bodypix/MobileNetV1-x050-stride16.onnx",
                "f2e51d18eec8e3c9ef3f196ea0245db1d86529161d19e14466ad4ebc5e6ee242",
                2_438_662,
                published=False,
            ),
        ),
        licence="Apache-2.0",
        commercial=True,
        source=CARD,
        summary="wide pictures, people far away; soft edges, slow",
        open_size=True,
    ),
    "mobilenet-050-s8": ModelSpec(
        name="bodypix:mobilenet-050-s8",
        size=Size(257, 257),
        files=(
            WeightsFile(
                "bodypix/body-pix-float-050-8.tflite",
                "d2de5fcc47ec4279c3fea0a5e38ab5cdacb3e1a27409b83557faabb81d07402e",
                2_208_328,
                published=False,
            ),
        ),
        licence="Apache-2.0",
        commercial=True,
        source=CARD,
        summary="square and upright pictures; finer grid of a smaller picture",
    ),
}
"""A size of 16 n + 1 pixels puts the corners of the grid onto those of the picture."""


def create(
    argument: str | None, *, engine: str = "auto", threads: int | None = None, weights: str | Path | None = None
) -> LogitSegmenter:
    """`bodypix`, `bodypix:mobilenet-050-s16` or `bodypix:mobilenet-050-s8`.

    Args:
        argument: a tag of `SPECS`.
        engine: `auto`, or an engine's name.
        threads: None leaves the number to the engine.
        weights: a local copy of the tag's file.

    Raises:
        UnknownName, MissingExtra, WeightsError, LoadError.
    """
    spec = pick(SPECS, "bodypix", argument)
    return LogitSegmenter(spec.name, load_engine(spec, engine, threads, weights), spec.size, classes=1, person=0)
