"""U2-Net and IS-Net: whatever stands out of a picture, not only people; for pictures, too slow for video.

Sources: Qin et al. 2020, "U2-Net: Going Deeper with Nested U-Structure for Salient Object Detection"
(colours over the brightest value of the picture, then ImageNet's mean and deviation, as its
data_loader.py has it; 320x320); Qin et al. 2022, "Highly Accurate Dichotomous Image Segmentation"
(IS-Net: colours less 0.5, 1024x1024). The first output is the alpha, a sigmoid already. Both papers'
demos stretch it from its least to its largest value; that would show a room where nobody is, and is
left out here. The ONNX files and their MD5 are those of rembg, release v0.0.0.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from livematte._frame import Size
from livematte._weights import WeightsFile
from livematte.models._load import load_engine
from livematte.models._network import IMAGENET, NetworkSegmenter, Picture, Scores
from livematte.models._spec import ModelSpec, pick

RELEASE = "https://github.com/danielgatis/rembg/releases/download/v0.0.0"

U2NET = replace(IMAGENET, by_brightest=True)
ISNET = Picture(mean=(0.5, 0.5, 0.5))

SCORES = Scores(classes=("object",), person=("object",))


def _spec(
    tag: str,
    file: str,
    md5: str,
    size_bytes: int | None,
    commercial: bool | None,
    summary: str,
    *,
    isnet: bool = False,
    licence: str = "Apache-2.0",
) -> ModelSpec:
    return ModelSpec(
        name=f"u2net:{tag}",
        size=Size(1024, 1024) if isnet else Size(320, 320),
        files=(WeightsFile(f"u2net/{file}", None, size_bytes, f"{RELEASE}/{file}", md5=md5),),
        licence=licence,
        commercial=commercial,
        source="https://arxiv.org/abs/2203.03041" if isnet else "https://arxiv.org/abs/2005.09007",
        summary=summary,
    )


SPECS = {
    "small": _spec(
        "small",
        "u2netp.onnx",
        "8e83ca70e441ab06c318d82300c84806",
        4_574_861,
        True,
        "U2-Netp: whatever stands out, in pictures",
    ),
    "full": _spec(
        "full", "u2net.onnx", "60024c5c889badc19c04ad937298a77b", 175_997_641, True, "U2-Net: the same, surer"
    ),
    "human": _spec(
        "human",
        "u2net_human_seg.onnx",
        "c09ddc2e0104f800e3e1bb4652583d1f",
        None,
        None,
        "U2-Net for people, from masks that are free for academic use",
    ),
    "isnet": _spec(
        "isnet",
        "isnet-general-use.onnx",
        "fc16ebd8b0c10d971d3513d564d01e29",
        178_648_008,
        None,
        "IS-Net: fine detail of whatever stands out; its data are for research",
        isnet=True,
    ),
}


def create(
    argument: str | None, *, engine: str = "auto", threads: int | None = None, weights: str | Path | None = None
) -> NetworkSegmenter:
    """`u2net` or `u2net:TAG`.

    Args:
        argument: a tag of `SPECS`.
        engine: `auto`, or an engine's name.
        threads: None leaves the number to the engine.
        weights: a local copy of the tag's file.

    Raises:
        UnknownName, MissingExtra, WeightsError, LoadError.
    """
    spec = pick(SPECS, "u2net", argument)
    picture = ISNET if spec is SPECS["isnet"] else U2NET
    return NetworkSegmenter(
        spec.name, load_engine(spec, engine, threads, weights), spec.size, picture=picture, scores=SCORES
    )
