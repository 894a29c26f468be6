"""MediaPipe's selfie networks, to be trained on: 100 thousand parameters that know people near a camera.

`mediapipe:landscape` (256x144), `mediapipe:general` (256x256), or `mediapipe:FILE.tflite`. The last
sigmoid is left to the loss. There is no batch normalisation in them: it was folded into the
convolutions before they were published.

Source: Google, "MediaPipe Selfie Segmentation" model card, 2021; see `livematte.models.mediapipe`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from livematte.models.mediapipe import SPECS
from livematte.training.nets import _graph


class Selfie(_graph.Graph):
    """A graph from RGB 0-1 to one logit."""

    architecture = "mediapipe"

    rounding = 5e-3
    """They carry rounding far: ONNX Runtime's quickest kernels differ from float64 by up to 2.5e-3 at a few pixels of
    a picture that the network is not sure of, and by 1e-5 on average over that picture."""


def create(argument: str | None) -> Selfie:
    """The network of a tag of the model `mediapipe`, or of a path that ends in .tflite, with its weights.

    Raises:
        UnknownName, WeightsError, LoadError, MissingExtra: as `_graph.create`.
    """
    return _graph.create(Selfie, SPECS, argument, 1, "a selfie network makes one")


def restore(config: Mapping[str, Any]) -> Selfie:
    """The shape that `describe` gave."""
    return Selfie(_graph.shape_of(config))
