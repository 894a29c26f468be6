"""livematte: our own networks, in the package; weights/TAG/README.md is the model card of each.

Every tag has a graph for wide, for upright and for square pictures, of one set of weights.
`weights/TAG/model.json`, which `livematte export` wrote, says what each file is.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from livematte._frame import Size
from livematte._stages import Segmenter
from livematte._weights import PACKAGED, WeightsFile
from livematte.models._aspect import AspectSegmenter
from livematte.models._load import load_engine
from livematte.models._picture import PictureSegmenter
from livematte.models._spec import ModelSpec, pick

SUMMARIES = {
    "base": "our own network, the default: everyone in the picture, wide, upright or square",
    "fast": "the same kind of network on fewer pixels, a sixth of the work: the browser's default",
    "research": "the best we can do, for academic use only: trained on masks that are not free otherwise",
    "research-fast": "the same data for a network of the size of `fast`; academic use only",
}
"""Tags, the default first, and what each is good for."""


def _spec(tag: str, summary: str) -> ModelSpec:
    """What the export wrote down, as a spec: the usual shape, and the others within it."""
    facts = json.loads((PACKAGED / tag / "model.json").read_text(encoding="utf-8"))
    files: dict[Size, list[WeightsFile]] = {}
    for file in facts["files"]:
        weights = WeightsFile(f"{tag}/{file['path']}", file["sha256"], file["size_bytes"])
        files.setdefault(Size(file["width"], file["height"]), []).append(weights)
    known: dict[str, Any] = {
        "name": f"livematte:{tag}",
        "licence": facts["licence"],
        "commercial": facts["commercial"],
        "source": f"models/weights/{tag}/README.md",
        "summary": summary,
        "multiply_adds": facts["multiply_adds"],
    }
    usual, *others = (ModelSpec(size=size, files=tuple(found), **known) for size, found in files.items())
    return ModelSpec(size=usual.size, files=usual.files, others=tuple(others), **known)


SPECS = {tag: _spec(tag, summary) for tag, summary in SUMMARIES.items()}


def create(
    argument: str | None, *, engine: str = "auto", threads: int | None = None, weights: str | Path | None = None
) -> Segmenter:
    """`livematte` or `livematte:TAG`.

    Args:
        argument: a tag of `SPECS`.
        engine: `auto`, or an engine's name.
        threads: None leaves the number to the engine.
        weights: a local .onnx or .tflite file in place of the package's, of any picture
            size: what `livematte export` writes. It takes pictures of every aspect, stretched.

    Raises:
        UnknownName, MissingExtra, WeightsError, LoadError.
    """
    spec = pick(SPECS, "livematte", argument)
    if weights is not None:
        return PictureSegmenter(spec.name, load_engine(spec, engine, threads, weights), lighten=True)
    shapes = {shape.size: shape for shape in spec.shapes}

    def load(size: Size) -> PictureSegmenter:
        return PictureSegmenter(spec.name, load_engine(shapes[size], engine, threads), size, lighten=True)

    return AspectSegmenter(tuple(shapes), load)
