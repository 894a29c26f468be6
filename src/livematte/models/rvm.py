"""RVM: video matting with a memory of four states; soft, calm, people at any distance. GPL-3.0.

Source: Lin et al. 2022, "Robust High-Resolution Video Matting with Temporal Guidance"; its
documentation/inference.md: RGB 0-1, the encoder sees the picture reduced by the downsample ratio, to
between 256 and 512 pixels, and a guided filter inside the network brings its alpha back to full size.
The release's graphs leave sizes open; here they get one for wide, for upright and for square pictures.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from livematte import _weights
from livematte._frame import Size
from livematte._weights import WeightsFile
from livematte.models._aspect import AspectSegmenter
from livematte.models._derived import derived, fixed
from livematte.models._load import load_engine
from livematte.models._recurrent import STATES, RecurrentSegmenter
from livematte.models._spec import ModelSpec, pick

RELEASE = "https://github.com/PeterL1n/RobustVideoMatting/releases/download/v1.0.0"
LICENCE = "GPL-3.0"

RATIOS = {Size(1280, 720): 0.375, Size(720, 1280): 0.375, Size(512, 512): 1.0}
"""Downsample ratio by size: the table of its documentation for portraits."""

CHANNELS = {"mobilenetv3": (16, 20, 40, 64), "resnet50": (16, 32, 64, 128)}
"""Of the four states, at 1/2, 1/4, 1/8 and 1/16 of the reduced picture; half of the decoder's (paper, 3.1)."""


def _spec(tag: str, sha256: str, size_bytes: int, summary: str) -> ModelSpec:
    name = f"rvm_{tag}_fp32.onnx"
    known: dict[str, Any] = {
        "name": f"rvm:{tag}",
        "files": (WeightsFile(f"rvm/{name}", sha256, size_bytes, f"{RELEASE}/{name}", consent=LICENCE),),
        "licence": LICENCE,
        "commercial": None,
        "source": "https://arxiv.org/abs/2108.11515",
        "summary": summary,
    }
    usual, *others = (ModelSpec(size=size, **known) for size in RATIOS)
    return ModelSpec(size=usual.size, others=tuple(others), **known)


SPECS = {
    "mobilenetv3": _spec(
        "mobilenetv3",
        "88d4531297118f595bf2fd60f6f566aec2e559393802d1f436c380f0cbbd2828",
        14_975_696,
        "video with a memory: soft and calm; slow",
    ),
    "resnet50": _spec(
        "resnet50",
        "25db300fcb6ee27f941a1b52c97856e8d1f13c7f35817f81a612f89af0e8a85c",
        107_479_165,
        "the same with a larger encoder; for a GPU",
    ),
}


def create(
    argument: str | None, *, engine: str = "auto", threads: int | None = None, weights: str | Path | None = None
) -> AspectSegmenter:
    """`rvm`, `rvm:mobilenetv3` or `rvm:resnet50`.

    Args:
        argument: a tag of `SPECS`.
        engine: `auto`, or an engine's name.
        threads: None leaves the number to the engine.
        weights: a local copy of the tag's file.

    Raises:
        UnknownName, MissingExtra, WeightsError, LoadError.
    """
    spec = pick(SPECS, "rvm", argument)
    path = Path(weights) if weights is not None else _weights.locate(spec.files[0], spec.name)
    channels = CHANNELS[spec.name.partition(":")[2]]

    def load(size: Size) -> RecurrentSegmenter:
        graph = derived(path, f"{size}-v1", lambda data: _fixed(data, path.name, size, channels))
        return RecurrentSegmenter(spec.name, load_engine(spec, engine, threads, graph), size)

    return AspectSegmenter(tuple(RATIOS), load)


def _fixed(data: bytes, source: str, size: Size, channels: tuple[int, ...]) -> bytes:
    """The release's graph for one size: whole states from the beginning, and the ratio as a constant."""
    ratio = RATIOS[size]
    height, width = int(size.height * ratio), int(size.width * ratio)
    shapes: dict[str, tuple[int, ...]] = {"src": (1, 3, *size[::-1])}
    for name, count in zip(STATES, channels, strict=True):
        height, width = -(-height // 2), -(-width // 2)  # each stride of 2 rounds up
        shapes[name] = (1, count, height, width)
    return fixed(data, source, shapes, {"downsample_ratio": np.array([ratio], np.float32)})
