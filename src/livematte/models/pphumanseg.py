"""PP-HumanSeg: people at middle distance, small and quick.

Source: Chu et al. 2022, "PP-HumanSeg: Connectivity-Aware Portrait Segmentation with a Large-Scale
Teleconferencing Video Dataset"; OpenCV Zoo, models/human_segmentation_pphumanseg/pphumanseg.py (RGB
from -1 to 1; the second channel of the softmax is the person). The second version is published for
PaddlePaddle; what paddle2onnx makes of "inference model with softmax" is read from a local file.

The zoo's int8 file was calibrated on code values 0-255, while the network takes -1 to 1: its first
operator rounds that to whole numbers, and what comes out is no person any more (IoU .02 on people-dev;
the zoo's own table has a mean IoU of .28). Its weights are unharmed: here they run in float32 (IoU .86).
"""

from __future__ import annotations

from pathlib import Path

from livematte import _weights
from livematte._frame import Size
from livematte._weights import WeightsFile
from livematte.models._dequantise import dequantised, is_quantised
from livematte.models._derived import derived, read_onnx
from livematte.models._load import load_engine
from livematte.models._network import SIGNED, NetworkSegmenter, Scores
from livematte.models._spec import ModelSpec, pick

ZOO = "https://github.com/opencv/opencv_zoo/raw"
FOLDER = "models/human_segmentation_pphumanseg"
NAME = "human_segmentation_pphumanseg_2023mar"
"""The zoo keeps its files in Git LFS: the checksums are those of its pointers."""

CARD = "https://github.com/opencv/opencv_zoo/tree/main/models/human_segmentation_pphumanseg"

MULTIPLY_ADDS = 577_548_288
"""Of the first version."""

SCORES = Scores(classes=("background", "person"))


def _spec(tag: str, size: Size, file: WeightsFile, summary: str) -> ModelSpec:
    return ModelSpec(
        name=f"pphumanseg:{tag}",
        size=size,
        files=(file,),
        licence="Apache-2.0",
        commercial=True,
        source=CARD if file.url else "https://github.com/PaddlePaddle/PaddleSeg/tree/release/2.9/contrib/PP-HumanSeg",
        summary=summary,
        classes=SCORES.classes,
        multiply_adds=MULTIPLY_ADDS if file.url else None,
    )


def _export(name: str) -> WeightsFile:
    return WeightsFile(f"pphumanseg/{name}.onnx", None, None, published=False)


SPECS = {
    "v1": _spec(
        "v1",
        Size(192, 192),
        WeightsFile(
            f"pphumanseg/{NAME}.onnx",
            "552d8a984054e59b5d773d24b9b12022b22046ceb2bbc4c9aaeaceb36a9ddf24",
            6_163_938,
            f"{ZOO}/f167fd665be69e37ef4a2d64b3512eba8799dbf1/{FOLDER}/{NAME}.onnx",
        ),
        "small and quick; people at middle distance",
    ),
    "int8": _spec(
        "int8",
        Size(192, 192),
        WeightsFile(
            f"pphumanseg/{NAME}_int8.onnx",
            "510775a9e23c1a53c34013a2fa3ac1906bfd7b789d55c07e6b49f30bb669007d",
            1_607_872,
            f"{ZOO}/1792006f5b1f8362b9f8ca3daf3a140848b24953/{FOLDER}/{NAME}-act_int8-wt_int8-quantized.onnx",
        ),
        "the same from a file of a quarter of the size",
    ),
    "v2": _spec(
        "v2",
        Size(192, 192),
        _export("human_pp_humansegv2_lite_192x192"),
        "second version, everyone; a local export",
    ),
    "v2-portrait": _spec(
        "v2-portrait",
        Size(256, 144),
        _export("portrait_pp_humansegv2_lite_256x144"),
        "second version, video calls; a local export",
    ),
}


def create(
    argument: str | None, *, engine: str = "auto", threads: int | None = None, weights: str | Path | None = None
) -> NetworkSegmenter:
    """`pphumanseg` or `pphumanseg:TAG`.

    Args:
        argument: a tag of `SPECS`.
        engine: `auto`, or an engine's name.
        threads: None leaves the number to the engine.
        weights: a local copy of the tag's file.

    Raises:
        UnknownName, MissingExtra, WeightsError, LoadError.
    """
    spec = pick(SPECS, "pphumanseg", argument)
    if weights is None and spec is SPECS["int8"]:
        weights = _weights.locate(spec.files[0], spec.name)
    if weights is not None:
        weights = _floating(Path(weights))
    return NetworkSegmenter(
        spec.name, load_engine(spec, engine, threads, weights), spec.size, picture=SIGNED, scores=SCORES
    )


def _floating(path: Path) -> Path:
    """A graph as it is, or the float graph of a quantised one."""
    if path.suffix != ".onnx" or not path.is_file() or not is_quantised(read_onnx(path.read_bytes(), path.name)):
        return path
    return derived(path, "float-v1", lambda data: dequantised(data, path.name))
