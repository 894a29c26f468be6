"""Copy this file to `models/<name>.py`: `<name>` is then a model.

The contract tests find it by themselves. This one is a network that takes one picture,
and maybe the alpha before it, and gives one alpha; a network with another memory brings a segmenter
of its own in place of `PictureSegmenter` and returns its memory as the state.

Source: the paper or model card.
"""

from __future__ import annotations

from pathlib import Path

from livematte._frame import Size
from livematte._weights import WeightsFile
from livematte.models._load import load_engine
from livematte.models._picture import PictureSegmenter
from livematte.models._spec import ModelSpec, pick

SPECS = {
    "small": ModelSpec(
        name="template:small",
        size=Size(256, 144),
        files=(
            WeightsFile(
                path="template/small.onnx",  # below the cache
                sha256="0" * 64,
                size_bytes=0,
                url="https://example.org/small.onnx",
            ),
        ),
        licence="Apache-2.0",
        commercial=True,
        source="https://example.org/paper",
        summary="one line on what it is good for",
    ),
}
"""By tag; the first is what the name alone means."""


def create(
    argument: str | None, *, engine: str = "auto", threads: int | None = None, weights: str | Path | None = None
) -> PictureSegmenter:
    """`template` or `template:TAG`."""
    spec = pick(SPECS, "template", argument)
    return PictureSegmenter(spec.name, load_engine(spec, engine, threads, weights), spec.size)
