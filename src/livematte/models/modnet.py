"""MODNet: portraits with soft hair, in one pass and without a trimap; slow.

Source: Ke et al. 2022, "MODNet: Real-Time Trimap-Free Portrait Matting via Objective Decomposition";
its onnx/inference_onnx.py (RGB from -1 to 1, the shorter side 512, both sides multiples of 32). The
export leaves the size open; here it gets one for wide, for upright and for square pictures. Its
authors' own copy lies on a drive without an address for programs; the file at the address below has
the checksum that several projects note for it.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from livematte import _weights
from livematte._frame import Size
from livematte._weights import WeightsFile
from livematte.models._aspect import AspectSegmenter
from livematte.models._derived import derived, fixed
from livematte.models._load import load_engine
from livematte.models._network import SIGNED, NetworkSegmenter, Scores
from livematte.models._spec import ModelSpec, pick

REVISION = "fa2fa546052fba4c08921230a26cc69a333fca12"

PHOTOGRAPHIC = WeightsFile(
    "modnet/modnet_photographic_portrait_matting.onnx",
    "07c308cf0fc7e6e8b2065a12ed7fc07e1de8febb7dc7839d7b7f15dd66584df9",
    25_888_640,
    f"https://huggingface.co/Xenova/modnet/resolve/{REVISION}/onnx/model.onnx",
)
WEBCAM = WeightsFile("modnet/modnet_webcam_portrait_matting.onnx", None, None, published=False)

SIZES = (Size(896, 512), Size(512, 896), Size(512, 512))

INPUT = "input"
"""Name of the export's only input."""


def _spec(tag: str, file: WeightsFile, summary: str) -> ModelSpec:
    known: dict[str, Any] = {
        "name": f"modnet:{tag}",
        "files": (file,),
        "licence": "Apache-2.0",
        "commercial": True,
        "source": "https://arxiv.org/abs/2011.11961",
        "summary": summary,
    }
    usual, *others = (ModelSpec(size=size, **known) for size in SIZES)
    return ModelSpec(size=usual.size, others=tuple(others), **known)


SPECS = {
    "photographic": _spec("photographic", PHOTOGRAPHIC, "portraits with soft hair; slow"),
    "webcam": _spec("webcam", WEBCAM, "the same for video calls; a local export"),
}


def create(
    argument: str | None, *, engine: str = "auto", threads: int | None = None, weights: str | Path | None = None
) -> AspectSegmenter:
    """`modnet`, `modnet:photographic` or `modnet:webcam`.

    Args:
        argument: a tag of `SPECS`.
        engine: `auto`, or an engine's name.
        threads: None leaves the number to the engine.
        weights: a local copy of the tag's file, or another export of the same network.

    Raises:
        UnknownName, MissingExtra, WeightsError, LoadError.
    """
    spec = pick(SPECS, "modnet", argument)
    path = Path(weights) if weights is not None else _weights.locate(spec.files[0], spec.name)

    def load(size: Size) -> NetworkSegmenter:
        shapes = {INPUT: (1, 3, size.height, size.width)}
        graph = derived(path, f"{size}-v1", lambda data: fixed(data, path.name, shapes))
        return NetworkSegmenter(
            spec.name, load_engine(spec, engine, threads, graph), size, picture=SIGNED, scores=Scores()
        )

    return AspectSegmenter(SIZES, load)
