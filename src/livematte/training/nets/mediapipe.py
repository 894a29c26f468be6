"""MediaPipe's selfie networks, to be trained on: 100 thousand parameters that know people near a camera.

`mediapipe:landscape` (256x144), `mediapipe:general` (256x256), or `mediapipe:FILE.tflite`. The last
sigmoid is left to the loss. There is no batch normalisation in them: it was folded into the
convolutions before they were published.

Source: Google, "MediaPipe Selfie Segmentation" model card, 2021; see `livematte.models.mediapipe`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from livematte._errors import LoadError
from livematte.models.mediapipe import SPECS
from livematte.training.nets import _graph


class Selfie(_graph.Graph):
    """A graph from RGB 0-1 to one logit."""

    architecture = "mediapipe"

    rounding = 5e-3
    """They carry rounding far: ONNX Runtime's quickest kernels differ from float64 by up to 2.5e-3 at a few pixels of
    a picture that the network is not sure of, and by 1e-5 on average over that picture."""


def create(argument: str | None) -> Selfie:
    """The network of a tag or a file, with its weights.

    Args:
        argument: a tag of the model `mediapipe`, or a path that ends in .tflite.

    Raises:
        UnknownName, WeightsError: no such tag, or no such file on this machine.
        LoadError: not such a network.
        MissingExtra: `tflite` or `onnx` is not installed.
    """
    path = _graph.find(SPECS, "mediapipe", argument)
    shape, state = _graph.read(path)
    if shape.channels != 1:
        raise LoadError(f"{path.name} makes {shape.channels} planes, a selfie network makes one")
    net = Selfie(shape)
    net.load_state_dict(state)
    return net


def restore(config: Mapping[str, Any]) -> Selfie:
    """The shape that `describe` gave."""
    return Selfie(_graph.shape_of(config))
