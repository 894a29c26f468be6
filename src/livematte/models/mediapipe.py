"""MediaPipe selfie segmentation: small, sharp on people close to the camera.

Source: Google, "MediaPipe Selfie Segmentation" model card, 2021,
see `CARD`; input RGB 0-1 stretched to the network's size, output the probability of a person.
"""

from __future__ import annotations

from pathlib import Path

from livematte._frame import Size
from livematte._weights import WeightsFile
from livematte.models._load import load_engine
from livematte.models._picture import PictureSegmenter
from livematte.models._spec import ModelSpec, pick

ASSETS = "https://storage.googleapis.com/mediapipe-assets"
"""Address that MediaPipe's own build takes its networks from; its file
third_party/external_files.bzl lists them with the checksums below."""

CARD = f"{ASSETS}/Model%20Card%20MediaPipe%20Selfie%20Segmentation.pdf"

SPECS = {
    "landscape": ModelSpec(
        name="mediapipe:landscape",
        size=Size(256, 144),
        files=(
            WeightsFile(
                "mediapipe/selfie_segmentation_landscape.tflite",
                "4aafe6223bb8dac6fac8ca8ed56852870a33051ef3f6238822d282a109962894",
                249_792,
                f"{ASSETS}/selfie_segmentation_landscape.tflite",
            ),
        ),
        licence="Apache-2.0",
        commercial=True,
        source=CARD,
        summary="fastest; wide pictures, people near the camera",
    ),
    "general": ModelSpec(
        name="mediapipe:general",
        size=Size(256, 256),
        files=(
            WeightsFile(
                "mediapipe/selfie_segmentation.tflite",
                "8d13b7fae74af625c641226813616a2117bd6bca19eb3b75574621fc08557f27",
                249_024,
                f"{ASSETS}/selfie_segmentation.tflite",
            ),
        ),
        licence="Apache-2.0",
        commercial=True,
        source=CARD,
        summary="square and upright pictures",
    ),
}


def create(
    argument: str | None, *, engine: str = "auto", threads: int | None = None, weights: str | Path | None = None
) -> PictureSegmenter:
    """`mediapipe`, `mediapipe:landscape` or `mediapipe:general`.

    Args:
        argument: a tag of `SPECS`.
        engine: `auto`, or an engine's name.
        threads: None leaves the number to the engine.
        weights: a local copy of the tag's file in place of the one in the cache.

    Raises:
        UnknownName, MissingExtra, WeightsError, LoadError.
    """
    spec = pick(SPECS, "mediapipe", argument)
    return PictureSegmenter(spec.name, load_engine(spec, engine, threads, weights), spec.size)
