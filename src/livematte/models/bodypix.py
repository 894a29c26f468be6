"""BodyPix: people at any distance, 24 parts of the body, several people, by a small or a larger general network.

Source: Google, "BodyPix: Real-time Person Segmentation in the Browser with TensorFlow.js", 2019, on MobileNetV1 (width
0.5, 0.75, 1) and ResNet50; Papandreou et al. 2018, "PersonLab". Input RGB -1 to 1 (MobileNet), or code values less
ImageNet's mean (ResNet); one cell of the output grid for each `stride` pixels.

The addresses are those of TensorFlow.js models, body-pix 2.2, saved_models.ts: model.json and its shards. Two of the
networks are also known as an ONNX and a TFLite file, which have no official address.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from livematte import _registry, _weights
from livematte._errors import OptionError
from livematte._frame import Size
from livematte._weights import WeightsFile
from livematte.models._bodypix import THRESHOLD, BodyPix, Kind
from livematte.models._bodypix_poses import NAMES
from livematte.models._bodypix_resize import Resolution
from livematte.models._load import load_engine
from livematte.models._parts import PALETTE, PARTS, part_picture, people_picture
from livematte.models._spec import ModelSpec, pick

__all__ = ["KEYPOINTS", "PALETTE", "PARTS", "SPECS", "create", "part_picture", "people_picture"]

KEYPOINTS = NAMES

CARD = "https://github.com/tensorflow/tfjs-models/tree/master/body-pix"
ADDRESS = "https://storage.googleapis.com/tfjs-models/savedmodel"

MOBILENET = (1 / 127.5, (-1.0, -1.0, -1.0))
RESNET = (1.0, (-123.15, -115.90, -103.06))
"""Scale and shift of code values; the second is the mean of ImageNet's."""

BYTES = {4: ("", "float", ""), 2: ("-q2", "quant2", ", weights of two bytes"), 1: ("-q1", "quant1", ", of one byte")}
"""Bytes of a weight: ending of the tag, folder, words."""

LOCAL = {
    "mobilenet-050-s16": WeightsFile(
        "bodypix/MobileNetV1-x050-stride16.onnx",
        "f2e51d18eec8e3c9ef3f196ea0245db1d86529161d19e14466ad4ebc5e6ee242",
        2_438_662,
        published=False,
    ),
    "mobilenet-050-s8": WeightsFile(
        "bodypix/body-pix-float-050-8.tflite",
        "d2de5fcc47ec4279c3fea0a5e38ab5cdacb3e1a27409b83557faabb81d07402e",
        2_208_328,
        published=False,
    ),
}
"""The same networks in other formats."""

SIZES = {8: Size(257, 257), 16: Size(513, 289), 32: Size(513, 289)}
"""Usual picture by stride. 1 + n strides puts the corners of the grid onto those of the picture."""

MULTIPLY_ADDS = {
    "mobilenet-050-s16": 524_451_040,
    "mobilenet-050-s8": 692_332_512,
    "mobilenet-075-s16": 1_119_846_096,
    "mobilenet-075-s8": 1_485_879_120,
    "mobilenet-100-s16": 1_937_354_176,
    "mobilenet-100-s8": 2_577_679_296,
    "resnet50-s16": 18_611_790_016,
    "resnet50-s32": 11_186_073_792,
}
"""Of the usual picture, whatever the bytes of a weight."""

USES = {8: "square and upright pictures; finer grid of a smaller picture", 16: "wide pictures, people far away"}


def _specs() -> Iterator[tuple[str, ModelSpec]]:
    networks = [(f"mobilenet-{m}", f"mobilenet/%s/{m}", s) for m in ("050", "075", "100") for s in (16, 8)]
    for network, folder, stride in [*networks, ("resnet50", "resnet50/%s", 16), ("resnet50", "resnet50/%s", 32)]:
        for ending, kept, words in BYTES.values():
            tag = f"{network}-s{stride}{ending}"
            path = f"bodypix/{folder % kept}/model-stride{stride}.json"
            official = WeightsFile(path, None, None, f"{ADDRESS}/{path}", shards=True)
            use = "the surest and by far the slowest" if network == "resnet50" else USES[stride]
            yield (
                tag,
                ModelSpec(
                    name=f"bodypix:{tag}",
                    size=SIZES[stride],
                    files=(LOCAL[tag], official) if tag in LOCAL else (official,),
                    licence="Apache-2.0",
                    commercial=True,
                    source=CARD,
                    summary=f"{use}; parts and several people{words}",
                    open_size=True,
                    more=("parts", "people"),
                    multiply_adds=MULTIPLY_ADDS[f"{network}-s{stride}"],
                ),
            )


SPECS = dict(_specs())


def create(
    argument: str | None,
    *,
    engine: str = "auto",
    threads: int | None = None,
    weights: str | Path | None = None,
    resolution: Resolution | None = None,
    threshold: float | None = None,
) -> BodyPix:
    """`bodypix`, `bodypix:TAG` or `bodypix:TAG:resolution=0.5,threshold=0.7`.

    Args:
        argument: a tag of `SPECS`, and behind it options in the words used here, which count where they are not given.
        engine: `auto`, or an engine's name.
        threads: None leaves the number to the engine.
        weights: a local model.json, .onnx or .tflite file of the tag's network.
        resolution: see `BodyPix`.
        threshold: of masks, 0.7 if nothing is said; mattes stay soft.

    Raises:
        UnknownName, MissingExtra, OptionError, WeightsError, LoadError.
    """
    tag, given = _options(argument)
    spec = pick(SPECS, "bodypix", tag)
    files = spec.files if weights is not None else (_file(spec, engine),)
    open_size = Path(weights or files[0].path).suffix != ".tflite"
    chosen = replace(spec, files=files, open_size=open_size)
    stride = int(spec.name.rpartition("-s")[2].partition("-")[0])
    return BodyPix(
        spec.name,
        Kind(stride, *(RESNET if "resnet50" in spec.name else MOBILENET)),
        spec.size,
        # the first is of the usual size, and tries the file for all
        lambda size: load_engine(replace(chosen, size=size), engine, threads, weights, tried=size != spec.size),
        open_size=open_size,
        resolution=given.get("resolution") if resolution is None else resolution,
        threshold=_number(given.get("threshold", THRESHOLD)) if threshold is None else threshold,
    )


def _options(argument: str | None) -> tuple[str | None, dict[str, str]]:
    """The tag, and the options behind it."""
    tag, _, rest = (argument or "").partition(":")
    given = {key: value for key, _, value in (part.partition("=") for part in rest.split(",") if part)}
    if unknown := given.keys() - {"resolution", "threshold"}:
        raise OptionError(
            f"bodypix has no option {', '.join(sorted(unknown))}; it has resolution=... and threshold=..."
        )
    return tag or None, given


def _number(value: str | float) -> float:
    try:
        return float(value)
    except ValueError as exc:
        raise OptionError(f"threshold must be a number from 0 to 1, got {value!r}") from exc


def _file(spec: ModelSpec, engine: str) -> WeightsFile:
    """The file to use: the first that is here and that the engine reads, else the one to be pulled."""
    here = [file for file in spec.files if _weights.place(file).is_file()]
    if engine != "auto" and here:
        module = _registry.load("engines", _registry.split(engine)[0])
        here = [file for file in here if file.suffix in (*module.READS, *module.CONVERTS)] or here
    return here[0] if here else spec.files[-1]
