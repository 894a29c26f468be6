"""SINet: a very small portrait network; people near the camera, hard edges.

Source: Park et al. 2020, "SINet: Extreme Lightweight Portrait Segmentation Networks with Spatial
Squeeze Modules and Information Blocking Decoder". Colours blue first, with the mean and deviation of
its training pictures in code values, and then divided by 255, as the export's own example does; output
the softmax of background and person.
"""

from __future__ import annotations

from pathlib import Path

from livematte._frame import Size
from livematte._weights import WeightsFile
from livematte.models._load import load_engine
from livematte.models._network import NetworkSegmenter, Picture, Scores
from livematte.models._spec import ModelSpec, pick

REPOSITORY = "anilsathyan7/Portrait-Segmentation"
REVISION = "dbf69b043cf70d3362bc500ee620f20807e622d2"

MEAN = (126.91212, 111.25247, 102.890434)
STD = (66.355705, 62.82138, 62.93292)
"""Of red, green and blue over the training pictures, in code values."""

PICTURE = Picture(
    mean=(MEAN[0] / 255, MEAN[1] / 255, MEAN[2] / 255),
    std=STD,  # over 255 once for the code values, and once more as the network was trained
    bgr=True,
)

SCORES = Scores(classes=("background", "person"))

SPECS = {
    "portrait": ModelSpec(
        name="sinet:portrait",
        size=Size(320, 320),
        files=(
            WeightsFile(
                "sinet/SINet_Softmax.onnx",
                "932c83e0013e07bbe597fe0007ba5ae6add3fbb6413ca5b81f18b2d410ac7259",
                438_815,
                f"https://raw.githubusercontent.com/{REPOSITORY}/{REVISION}/SINet/SINet_Softmax.onnx",
            ),
        ),
        licence="MIT",
        commercial=True,
        source="https://arxiv.org/abs/1911.09099",
        summary="tiny; portraits, hard edges",
        multiply_adds=130_343_440,
        classes=SCORES.classes,
    ),
}


def create(
    argument: str | None, *, engine: str = "auto", threads: int | None = None, weights: str | Path | None = None
) -> NetworkSegmenter:
    """`sinet` or `sinet:portrait`.

    Args:
        argument: a tag of `SPECS`.
        engine: `auto`, or an engine's name.
        threads: None leaves the number to the engine.
        weights: a local copy of the tag's file in place of the one in the cache.

    Raises:
        UnknownName, MissingExtra, WeightsError, LoadError.
    """
    spec = pick(SPECS, "sinet", argument)
    return NetworkSegmenter(
        spec.name, load_engine(spec, engine, threads, weights), spec.size, picture=PICTURE, scores=SCORES
    )
