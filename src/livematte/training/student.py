"""The student: a network that was trained on the teachers' labels settles the pixels of which they were not sure.

It has seen what they agree on in thousands of pictures, and knows by that more than any of them of what they do not:
a jacket that fills the picture, a chair's back, legs far from the head. Where they are sure, they keep their word.

Source: Xie et al., "Self-Training with Noisy Student Improves ImageNet Classification", 2020, section 2.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from livematte import _registry
from livematte._errors import OptionError
from livematte._frame import F32, U8, Frame
from livematte._stages import Segmenter
from livematte.models import _facts
from livematte.training import teachers, views
from livematte.training.edges import resized, to_bytes
from livematte.training.ensemble import logit, probability_of
from livematte.training.views import Box

SURE = 0.6
"""Confidence in a pixel of which the student alone is quite sure; it was taught by those who doubt."""

OTHERS = 0.5
"""Part of what label and student together call person that only one of them does, as far as the teachers are sure of
it, above which they show different people."""

LEAST = 0.002
"""Alpha nearer to 0 or 1 counts as this, half a code value."""


def load(names: Sequence[str]) -> list[Segmenter]:
    """The students, loaded, with one thread each.

    Args:
        names: of the registry; `custom:EXPORT/model.json` is what was trained here.

    Raises:
        UnknownName, MissingExtra, WeightsError, LoadError, OptionError.
    """
    return [_registry.create("models", name, threads=1) for name in names]


def describe(names: Sequence[str]) -> list[dict[str, Any]]:
    """The same students as plain values, with checksums; loads no network.

    Raises:
        UnknownName, WeightsError, OptionError: see `teachers.describe` and `_facts.read`.
    """
    return [_described(name) for name in names]


def ask(frame: Frame, students: Sequence[Segmenter]) -> F32:
    """What they say of a whole picture: their mean logit over it and its mirror image, as a probability.

    Args:
        frame: an RGB picture.
        students: at least one.

    Returns:
        (h, w) in 0-1.

    Raises:
        InferenceError: a student failed.
    """
    width, height = frame.size
    whole = Box(0, 0, width, height)
    total = np.zeros((height, width), np.float32)
    for mirrored in (False, True):
        view = views.crop(frame, whole, mirrored)
        for student in students:
            matte, _ = student.segment(view, None)
            total += logit(views.back(matte.alpha, whole, mirrored))
    return probability_of(total / np.float32(2 * len(students)))


def settle(alpha: U8, confidence: U8, said: F32) -> tuple[U8, U8] | None:
    """A label whose doubtful pixels the student has settled.

    Args:
        alpha: of the teachers, (h, w).
        confidence: in it, (h, w).
        said: by the student, (h, w) 0-1 or smaller.

    Returns:
        Alpha and confidence like those given, or None if the two show different people.
    """
    height, width = alpha.shape
    said = resized(said, (width, height))
    taught, sure = (plane / np.float32(255) for plane in (alpha, confidence))
    label, student = taught > 0.5, said > 0.5
    if (sure * (label ^ student)).sum() > OTHERS * (label | student).sum():
        return None
    logits = sure * logit(taught, LEAST) + (1 - sure) * logit(said, LEAST)
    return to_bytes(probability_of(logits)), to_bytes(np.maximum(sure, SURE * np.abs(2 * said - 1)))


def _described(name: str) -> dict[str, Any]:
    family, argument = _registry.split(name)
    if family != "custom":
        return teachers.describe([name])[0]
    if not argument or Path(argument).name != _facts.FACTS:
        raise OptionError(f"a student is a model's name, or custom:EXPORT/{_facts.FACTS}, got {name!r}")
    path = Path(argument)
    facts = _facts.read(path)
    files = sorted(set(_facts.shapes_of(facts, path).values())) or [_facts.network_of(facts, path, None)]
    return {
        "name": f"custom:{_facts.name_of(facts) or path.parent.name}",
        "files": [file.name for file in files],
        "sha256": [hashlib.sha256(file.read_bytes()).hexdigest() for file in files],
        "licence": facts.get("licence"),
        "commercial": facts.get("commercial") is True,
    }
