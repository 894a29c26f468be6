"""`model.json`: what a network wants of its picture and what its output means, as `livematte export` writes it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from livematte._errors import OptionError, WeightsError
from livematte._frame import Size
from livematte.models._network import Picture, Scores

FACTS = "model.json"

MAX_FACTS_BYTES = 1 << 20
"""Longest `model.json`: those of our own exports have 5 kB."""

SUFFIXES = (".onnx", ".tflite")

MAX_CHANNELS = 4096
"""Most classes of an output that names none; ADE20K's have 150."""

LARGEST = 1e30
"""Most that a number may be: beyond, float32 knows infinity alone."""

LONGEST_NAME = 64
"""Characters of a model's name."""

RESIZES = {"stretch": False, "fit": True}
"""What `resize` may begin with, and whether the picture keeps its aspect."""


def read(path: Path) -> dict[str, Any]:
    """The contents of a `model.json`.

    Raises:
        WeightsError: it cannot be read.
        OptionError: it is no object of JSON.
    """
    try:
        if path.stat().st_size > MAX_FACTS_BYTES:
            raise OptionError(f"{path} has {path.stat().st_size} bytes, a {FACTS} has at most {MAX_FACTS_BYTES}")
        facts = json.loads(path.read_bytes())
    except OSError as exc:
        raise WeightsError(f"cannot read {path}, which says how the network wants its picture: {exc.strerror}") from exc
    except (ValueError, RecursionError) as exc:
        raise OptionError(f"{path} is no JSON: {exc}") from exc
    if not isinstance(facts, dict):
        raise OptionError(f"{path} must hold an object, got {type(facts).__name__}")
    return facts


def name_of(facts: dict[str, Any]) -> str | None:
    """What the model is called, if that is a name that can be shown on a line."""
    name = facts.get("name")
    return name if isinstance(name, str) and name.isprintable() and len(name) <= LONGEST_NAME else None


def network_of(facts: dict[str, Any], path: Path, size: Size | None) -> Path:
    """The file that `files` names for this size, or the only network beside `model.json`."""
    listed = _listed(facts)
    fitting = [f for f in listed if size is None or (f.get("width"), f.get("height")) == tuple(size)]
    names = [str(f["path"]) for f in fitting or listed] or sorted(
        p.name for p in path.parent.iterdir() if p.suffix in SUFFIXES
    )
    if not names:
        raise WeightsError(f"there is no .onnx or .tflite file beside {path}")
    return _beside(path, names[0])


def shapes_of(facts: dict[str, Any], path: Path) -> dict[Size, Path]:
    """The file of every picture size that `files` lists, the first of each size; empty if it lists none."""
    shapes: dict[Size, Path] = {}
    for file in _listed(facts):
        size = size_of(file, path)
        if size is not None:
            shapes.setdefault(size, _beside(path, str(file["path"])))
    return shapes


def _listed(facts: dict[str, Any]) -> list[dict[str, Any]]:
    """The networks among `files`."""
    files = facts.get("files")
    return [
        f
        for f in (files if isinstance(files, list) else ())
        if isinstance(f, dict) and Path(str(f.get("path"))).suffix in SUFFIXES
    ]


def _beside(path: Path, name: str) -> Path:
    if Path(name).name != name:
        raise OptionError(f"{path}: files must lie beside it, got {name!r}")
    return path.with_name(name)


def picture_of(table: dict[str, Any], path: Path) -> Picture:
    """How the network wants its picture: ((x * scale + lowest) - mean) / std of code values x."""
    low, high = _numbers(table, "range", 2, (0.0, 1.0), path)
    mean, std = (_numbers(table, key, 3, (default,) * 3, path) for key, default in (("mean", 0.0), ("std", 1.0)))
    scale = table.get("scale", (high - low) / 255)
    colours, resize = str(table.get("colours", "RGB")), str(table.get("resize", "stretch"))
    rule = resize.partition(",")[0]
    if not isinstance(scale, (int, float)) or not 0 < scale <= LARGEST or not all(std):
        raise OptionError(f"{path}: scale must be above 0 and std not 0, got {scale!r:.40} and {list(std)}")
    if colours not in {"RGB", "BGR"} or rule not in RESIZES:
        raise OptionError(f"{path}: colours are RGB or BGR, resize is stretch or fit; got {colours!r} and {resize!r}")
    factor = scale * 255
    shifted = tuple((m - low) / factor for m in mean), tuple(s / factor for s in std)
    if colours == "BGR":  # mean and std are in the network's order
        shifted = tuple(reversed(shifted[0])), tuple(reversed(shifted[1]))
    (r, g, b), (sr, sg, sb) = shifted
    return Picture((r, g, b), (sr, sg, sb), bgr=colours == "BGR", keep_aspect=RESIZES[rule])


def scores_of(table: dict[str, Any], path: Path) -> Scores:
    """What the output means: `classes` or a number of `channels`, and the `person` among them by name or index."""
    classes, channels = table.get("classes"), table.get("channels", 1)
    if classes is None and isinstance(channels, int) and 0 < channels <= MAX_CHANNELS:
        classes = ["person"] if channels == 1 else [str(index) for index in range(channels)]
    alone = isinstance(classes, list) and len(classes) == 1
    person = table.get("person", classes if alone else None)
    stay = person if isinstance(person, list) else [person]
    if not isinstance(classes, list) or not classes or not stay or None in stay:
        raise OptionError(f"{path}: an output of several channels needs classes, and person by name or index")
    names = [classes[one] if isinstance(one, int) and 0 <= one < len(classes) else one for one in stay]
    output = table.get("name")
    return Scores(
        classes=tuple(map(str, classes)),
        person=tuple(map(str, names)),
        activation=str(table.get("activation", "none")),
        output=None if output is None else str(output),
        corners=bool(table.get("corners", False)),
    )


def size_of(table: dict[str, Any], path: Path) -> Size | None:
    """Of the picture, if that is said."""
    width, height = table.get("width"), table.get("height")
    if width is None and height is None:
        return None
    if not all(isinstance(side, int) and side > 0 for side in (width, height)):
        raise OptionError(f"{path}: width and height of the input must be whole numbers, got {width!r} and {height!r}")
    return Size(int(width or 0), int(height or 0))


def _numbers(table: dict[str, Any], key: str, count: int, default: tuple[float, ...], path: Path) -> tuple[float, ...]:
    values = table.get(key, list(default))
    if (
        not isinstance(values, list)
        or len(values) != count
        or not all(isinstance(v, (int, float)) and abs(v) <= LARGEST for v in values)
    ):
        raise OptionError(f"{path}: {key} must be {count} numbers, got {values!r:.80}")
    return tuple(float(value) for value in values)


def section(facts: dict[str, Any], key: str, path: Path) -> dict[str, Any]:
    """One of the objects in `facts`, empty if it is left out."""
    found = facts.get(key, {})
    if not isinstance(found, dict):
        raise OptionError(f"{path}: {key} must be an object, got {type(found).__name__}")
    return found
