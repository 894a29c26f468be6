"""DeepLabV3 on Pascal VOC: people at any distance, coarse edges; slower than the selfie networks.

Source: Chen et al. 2017, "Rethinking Atrous Convolution for Semantic Image Segmentation",
on MobileNetV2; input RGB -1 to 1 (mean and deviation 127.5, as in TensorFlow Lite's own
example "image segmentation") stretched to 257x257, output logits of 21 classes at full size.
The alpha is the softmax of the class `person`: the other classes count as room.
"""

from __future__ import annotations

from pathlib import Path

from livematte._frame import Size
from livematte._weights import WeightsFile
from livematte.models._load import load_engine
from livematte.models._logits import LogitSegmenter
from livematte.models._spec import ModelSpec, pick

CLASSES = 21
"""Background and the 20 classes of Pascal VOC 2012."""

PERSON = 15
"""Among them, in alphabetic order after the background."""

SPECS = {
    "voc": ModelSpec(
        name="deeplabv3:voc",
        size=Size(257, 257),
        files=(
            WeightsFile(
                "deeplabv3/deeplabv3_257_mv_gpu.tflite",
                "68a539782c2c6a72f8aac3724600124a85ed977162b44e84cbae5db717c933c6",
                2_779_264,
                "https://storage.googleapis.com/download.tensorflow.org/models/tflite/gpu/deeplabv3_257_mv_gpu.tflite",
            ),
        ),
        licence="Apache-2.0",
        commercial=True,
        source="https://arxiv.org/abs/1706.05587",
        summary="people far away and several at once; coarse edges, slow",
    ),
}


def create(
    argument: str | None, *, engine: str = "auto", threads: int | None = None, weights: str | Path | None = None
) -> LogitSegmenter:
    """`deeplabv3` or `deeplabv3:voc`.

    Args:
        argument: a tag of `SPECS`.
        engine: `auto`, or an engine's name.
        threads: None leaves the number to the engine.
        weights: a local copy of the tag's file in place of the one in the cache.

    Raises:
        UnknownName, MissingExtra, WeightsError, LoadError.
    """
    spec = pick(SPECS, "deeplabv3", argument)
    return LogitSegmenter(
        spec.name, load_engine(spec, engine, threads, weights), spec.size, classes=CLASSES, person=PERSON
    )
