"""MediaPipe selfie segmentation: small, sharp on people close to the camera; and their hair, skin and clothes.

Sources: Google, "MediaPipe Selfie Segmentation" model card, 2021, see `CARD`; input RGB 0-1 stretched to
the network's size, output the probability of a person. Google, "Multiclass Segmentation" model card, 2023,
see `MULTICLASS_CARD`; the same input, output logits of six classes, of which all but the background stay.
"""

from __future__ import annotations

from pathlib import Path

from livematte._frame import Size
from livematte._weights import WeightsFile
from livematte.models._class_names import MULTICLASS
from livematte.models._load import load_engine
from livematte.models._network import NetworkSegmenter, Picture, Scores
from livematte.models._picture import PictureSegmenter
from livematte.models._spec import ModelSpec, choose

ASSETS = "https://storage.googleapis.com/mediapipe-assets"
"""Address that MediaPipe's own build takes its networks from; its file
third_party/external_files.bzl lists them with the checksums below."""

CARD = f"{ASSETS}/Model%20Card%20MediaPipe%20Selfie%20Segmentation.pdf"

MODELS = "https://storage.googleapis.com/mediapipe-models/image_segmenter"
"""Address of the networks of its newer tasks; the checksum below is what many projects note for version 1."""

MULTICLASS_CARD = f"{ASSETS}/Model%20Card%20Multiclass%20Segmentation.pdf"

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
        multiply_adds=33_324_928,
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
        multiply_adds=59_215_744,
    ),
    "multiclass": ModelSpec(
        name="mediapipe:multiclass",
        size=Size(256, 256),
        files=(
            WeightsFile(
                "mediapipe/selfie_multiclass_256x256.tflite",
                "c6748b1253a99067ef71f7e26ca71096cd449baefa8f101900ea23016507e0e0",
                16_371_837,
                f"{MODELS}/selfie_multiclass_256x256/float32/1/selfie_multiclass_256x256.tflite",
            ),
        ),
        licence="Apache-2.0",
        commercial=True,
        source=MULTICLASS_CARD,
        summary="hair, body skin, face skin, clothes and others; much larger",
        classes=MULTICLASS,
    ),
}


def create(
    argument: str | None, *, engine: str = "auto", threads: int | None = None, weights: str | Path | None = None
) -> PictureSegmenter | NetworkSegmenter:
    """`mediapipe`, `mediapipe:TAG` or `mediapipe:multiclass:CLASS,CLASS`.

    Args:
        argument: a tag of `SPECS`, and for `multiclass` which classes stay; by default all but the background.
        engine: `auto`, or an engine's name.
        threads: None leaves the number to the engine.
        weights: a local copy of the tag's file in place of the one in the cache.

    Raises:
        UnknownName, MissingExtra, WeightsError, LoadError.
    """
    spec, name, stay = choose(SPECS, "mediapipe", argument, MULTICLASS[1:])
    loaded = load_engine(spec, engine, threads, weights)
    if not spec.classes:
        return PictureSegmenter(name, loaded, spec.size)
    scores = Scores(MULTICLASS, stay, "softmax")
    return NetworkSegmenter(name, loaded, spec.size, picture=Picture(), scores=scores)
