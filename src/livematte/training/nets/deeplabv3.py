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
    """The network of a tag of the model `deeplabv3`, or of a path that ends in .tflite, with its weights.

    Raises:
        UnknownName, WeightsError, LoadError, MissingExtra: as `_graph.create`.
    """
    return _graph.create(DeepLabV3, SPECS, argument, CLASSES, f"DeepLabV3 makes {CLASSES}, one for each class")


def restore(config: Mapping[str, Any]) -> DeepLabV3:
    """The shape that `describe` gave."""
    return DeepLabV3(_graph.shape_of(config))
