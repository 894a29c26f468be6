"""DeepLabV3 and V3+: the 20 classes of Pascal VOC or the 150 of ADE20K, any of which may be what stays.

Sources: Chen et al. 2017, "Rethinking Atrous Convolution for Semantic Image Segmentation", on
MobileNetV2; input RGB -1 to 1 (mean and deviation 127.5, as in TensorFlow Lite's own example "image
segmentation") stretched to 257x257, output logits of 21 classes at full size. Chen et al. 2018,
"Encoder-Decoder with Atrous Separable Convolution", on Xception-65, as PixelLib publishes it for
Keras: 512x512, the picture keeps its aspect and fills the left or the top; logits on a grid of a
quarter of the side. The alpha is the softmax of the classes that stay: the others count as room.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from livematte import _weights
from livematte._frame import Size
from livematte._weights import WeightsFile
from livematte.models._class_names import ADE20K, VOC
from livematte.models._derived import derived
from livematte.models._load import load_engine
from livematte.models._network import SIGNED, NetworkSegmenter, Scores
from livematte.models._spec import ModelSpec, choose
from livematte.models._xception import VERSION, converted

CLASSES = len(VOC)
"""Background and the 20 classes of Pascal VOC 2012."""

PERSON = VOC.index("person")

PIXELLIB = "https://github.com/ayoolaolafenwa/PixelLib/releases/download"

PIXELLIB_TERMS = "MIT (PixelLib)"

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
        multiply_adds=725_849_344,
        classes=VOC,
    ),
    "voc-xception": ModelSpec(
        name="deeplabv3:voc-xception",
        size=Size(512, 512),
        files=(
            WeightsFile(
                "deeplabv3/deeplabv3_xception_tf_dim_ordering_tf_kernels.h5",
                None,
                None,
                f"{PIXELLIB}/1.1/deeplabv3_xception_tf_dim_ordering_tf_kernels.h5",
            ),
        ),
        licence=PIXELLIB_TERMS,
        commercial=None,
        source="https://arxiv.org/abs/1802.02611",
        summary="the same classes, far surer and far slower; for pictures",
        classes=VOC,
    ),
    "ade20k": ModelSpec(
        name="deeplabv3:ade20k",
        size=Size(512, 512),
        files=(
            WeightsFile(
                "deeplabv3/deeplabv3_xception65_ade20k.h5",
                None,
                None,
                f"{PIXELLIB}/1.3/deeplabv3_xception65_ade20k.h5",
            ),
        ),
        licence=PIXELLIB_TERMS,
        commercial=None,
        source="https://arxiv.org/abs/1802.02611",
        summary="150 classes of rooms, streets and nature; for pictures",
        classes=ADE20K,
    ),
}


def create(
    argument: str | None, *, engine: str = "auto", threads: int | None = None, weights: str | Path | None = None
) -> NetworkSegmenter:
    """`deeplabv3`, `deeplabv3:TAG` or `deeplabv3:TAG:CLASS,CLASS`, such as `deeplabv3:voc:person,dog`.

    Args:
        argument: a tag of `SPECS`, and which classes stay; by default people.
        engine: `auto`, or an engine's name.
        threads: None leaves the number to the engine.
        weights: a local copy of the tag's file in place of the one in the cache.

    Raises:
        UnknownName, MissingExtra, WeightsError, LoadError.
    """
    spec, name, stay = choose(SPECS, "deeplabv3", argument)
    keras = spec.files[0].suffix == ".h5"
    path = Path(weights) if weights is not None else None
    if keras and path is None:
        path = _weights.locate(spec.files[0], spec.name)
    if keras and path is not None and path.suffix == ".h5":
        source = path
        path = derived(source, f"v{VERSION}", lambda data: converted(data, source.name, len(spec.classes), spec.size))
    scores = Scores(spec.classes, stay, "softmax", corners=True)
    picture = replace(SIGNED, keep_aspect=keras)
    return NetworkSegmenter(name, load_engine(spec, engine, threads, path), spec.size, picture=picture, scores=scores)
