"""Teachers: which networks are asked for labels, what their word counts, and which files they are."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from livematte import _registry, _weights
from livematte._errors import OptionError
from livematte.models._spec import ModelSpec, pick
from livematte.training.ensemble import Teacher

TEACHERS = ("mediapipe:general=2", "mediapipe:landscape=2", "deeplabv3:voc=1", "bodypix:mobilenet-050-s8=1")
"""All Apache-2.0. The selfie networks count double: on fashion photographs, whose masks are
free, their edges and their confidence are better; the others find people far away, and several."""


NEAR = ("mediapipe",)
"""Families made for people near the camera (their card: out of scope beyond 4 m)."""


def parse_teacher(text: str) -> tuple[str, float]:
    """`NAME=WEIGHT` or `NAME`.

    Raises:
        OptionError: a weight that is no positive number.
    """
    name, equals, weight = text.partition("=")
    try:
        value = float(weight) if equals else 1.0
    except ValueError:
        value = 0.0
    if not 0 < value < float("inf"):
        raise OptionError(f"the weight of a teacher is a positive number, as in mediapipe:general=2; got {text!r}")
    return name, value


def load_teachers(texts: Sequence[str], weights: Path | None = None) -> list[Teacher]:
    """The teachers, loaded, with one thread each.

    Args:
        texts: `NAME=WEIGHT` or `NAME`.
        weights: folder with their files, laid out as in the cache; None is the cache.

    Raises:
        UnknownName, MissingExtra, WeightsError, LoadError.
        OptionError: the folder lacks a file.
    """
    teachers = []
    for text in texts:
        name, weight = parse_teacher(text)
        path = None if weights is None else _find(_spec(name), weights)
        teachers.append(Teacher(_registry.create("models", name, threads=1, weights=path), weight, _is_near(name)))
    return teachers


def describe(texts: Sequence[str], weights: Path | None = None) -> list[dict[str, Any]]:
    """The same teachers as plain values, with the checksums of their files; loads no network.

    Raises:
        UnknownName: no such teacher.
        WeightsError: its weights are not there, or not the published ones.
        OptionError: the folder lacks a file.
    """
    described = []
    for text in texts:
        name, weight = parse_teacher(text)
        spec = _spec(name)
        path = _pulled(spec) if weights is None else _find(spec, weights)
        described.append(
            {
                "name": spec.name,
                "weight": weight,
                "file": path.name,
                "sha256": hashlib.sha256(path.read_bytes()).hexdigest(),
                "licence": spec.licence,
                "commercial": spec.commercial,
                "source": spec.source,
            }
        )
    return described


def _spec(name: str) -> ModelSpec:
    family, tag = _registry.split(name)
    return pick(_registry.load("models", family).SPECS, family, tag)


def _is_near(name: str) -> bool:
    return _registry.split(name)[0] in NEAR


def _pulled(spec: ModelSpec) -> Path:
    """The first file of a model that is on this machine."""
    here = [file for file in spec.files if _weights.place(file).is_file()]
    return _weights.locate((here or list(spec.files))[0], spec.name, "--weights DIR")


def _find(spec: ModelSpec, folder: Path) -> Path:
    """A published file of the model in a folder like the cache; the package's own if it ships."""
    for file in spec.files:
        path = _weights.place(file) if file.packaged else folder / file.path
        if path.is_file():
            _weights.verify(path, file)
            return path
    raise OptionError(
        f"--weights: {folder} lacks {' or '.join(f.path for f in spec.files)}, the weights of {spec.name}"
    )
