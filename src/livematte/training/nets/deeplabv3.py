"""DeepLabV3 on MobileNetV2, to be trained on: people at any distance, among 20 other classes.

`deeplabv3:voc` (257x257), or `deeplabv3:FILE.tflite`. All classes are kept and their logits become
one: that of the person minus the log-sum-exp of the others, whose sigmoid is exactly the softmax's
probability of a person. What it has learnt of dogs and sofas stays, until training changes it. There
is no batch normalisation: it was folded into the convolutions before the network was published.

Source: see `livematte.models.deeplabv3`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from livematte._errors import LoadError
from livematte.models.deeplabv3 import CLASSES, PERSON, SPECS
from livematte.training.nets import _graph


class DeepLabV3(_graph.Graph):
    """A graph from RGB -1 to 1 to logits of 21 classes."""

    architecture = "deeplabv3"

    def given(self, rgb: Tensor) -> Tensor:
        return rgb * 2 - 1

    def logit(self, made: Tensor) -> Tensor:
        classes = made.float()  # differences of near numbers: too much for bfloat16
        others = torch.cat([classes[:, :PERSON], classes[:, PERSON + 1 :]], 1)
        return classes[:, PERSON : PERSON + 1] - torch.logsumexp(others, 1, keepdim=True)


def create(argument: str | None) -> DeepLabV3:
    """The network of a tag or a file, with its weights.

    Args:
        argument: a tag of the model `deeplabv3`, or a path that ends in .tflite.

    Raises:
        UnknownName, WeightsError: no such tag, or no such file on this machine.
        LoadError: not such a network.
        MissingExtra: `tflite` or `onnx` is not installed.
    """
    path = _graph.find(SPECS, "deeplabv3", argument)
    shape, state = _graph.read(path)
    if shape.channels != CLASSES:
        raise LoadError(f"{path.name} makes {shape.channels} planes, DeepLabV3 makes {CLASSES}, one for each class")
    net = DeepLabV3(shape)
    net.load_state_dict(state)
    return net


def restore(config: Mapping[str, Any]) -> DeepLabV3:
    """The shape that `describe` gave."""
    return DeepLabV3(_graph.shape_of(config))
