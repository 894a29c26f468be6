#!/usr/bin/env python3
"""What TensorFlow.js's own BodyPix has to find again: graph models, pictures, and what Python makes of them.

    python tests/web/bodypix.py FOLDER

cases.json, cases.bin   for each network its place, its pictures (h, w, 3), what it says and what we find
*/model.json            the networks: with weights of noise, and with those of the shared folder where it is

The networks of noise are BodyPix's topologies: every width, stride and number of bytes of a weight.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from material import SHARED, U8, portrait

sys.path.insert(0, str(Path(__file__).parents[1]))

from bodypix_graphs import Graph, mobilenet, noise, of_onnx, resnet50
from livematte.models import bodypix
from livematte.models._bodypix_found import LEAST_SCORE

Array = npt.NDArray[Any]
Case = dict[str, Any]

MAPS = {
    "heatmaps": "heatmapScores",
    "short_offsets": "offsets",
    "long_offsets": "longOffsets",
    "displacement_fwd": "displacementFwd",
    "displacement_bwd": "displacementBwd",
    "segments": "segmentation",
    "part_heatmaps": "partHeatmaps",
}
"""Outputs of the network, and body-pix's names of them."""

NOISE: dict[str, tuple[float | None, int, int]] = {
    "mobilenet-050-s8": (0.5, 8, 4),
    "mobilenet-050-s16-q1": (0.5, 16, 1),
    "mobilenet-075-s8-q1": (0.75, 8, 1),
    "mobilenet-075-s16": (0.75, 16, 4),
    "mobilenet-100-s8-q2": (1.0, 8, 2),
    "mobilenet-100-s16-q2": (1.0, 16, 2),
    "resnet50-s16-q2": (None, 16, 2),
    "resnet50-s32": (None, 32, 4),
    "resnet50-s32-q1": (None, 32, 1),
}
"""Tags: width, stride, bytes of a weight."""

RESNET_DEPTH = 8
"""Channels at its beginning, for 64 in the published one: an eighth of everything, to be quickly computed."""

PEOPLE = ("dev-00018", "dev-00148", "dev-00229", "dev-00236", "dev-00004")
"""Of people-dev: two people apart, two hand in hand, two arm in arm, three, and one."""

CLIPS = {"sign-again.mkv": 20, "office-720p.h264": 10}
"""Videos of people before a camera, and the frame that is looked at."""


WEIGHTS = SHARED / "weights" / "bodypix" / "MobileNetV1-x050-stride16.onnx"


def main(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    blob = bytearray()

    def stored(array: Array) -> Case:
        blob.extend(bytes(-len(blob) % 8))
        blob.extend(np.ascontiguousarray(array).tobytes())
        return {"at": len(blob) - array.nbytes, "shape": array.shape, "dtype": array.dtype.name}

    cases = [*of_noise(folder, stored), *(of_people(folder, stored) if WEIGHTS.is_file() else ())]
    (folder / "cases.bin").write_bytes(bytes(blob))
    (folder / "cases.json").write_text(json.dumps(cases), encoding="utf-8")


def of_noise(folder: Path, stored: Any) -> Iterator[Case]:
    """Small pictures for every kind of network.

    Their grids are even at stride 16: TensorFlow.js cuts nothing else into two. Other sizes are those of real people.
    """
    rgb = portrait()
    pictures = [(rgb[40:459, 90:575], 0.5), (rgb[0:179, 100:215], "full")]
    for seed, (tag, (width, stride, size_bytes)) in enumerate(NOISE.items()):
        fused, weights = bool(seed % 2), noise(seed)
        made = (
            resnet50(weights, stride=stride, depth=RESNET_DEPTH, fused=fused, grids=True)
            if width is None
            else mobilenet(weights, multiplier=width, stride=stride, fused=fused)
        )
        yield case(folder / f"noise-{tag}", tag, made, stride, size_bytes, pictures, stored)


def of_people(folder: Path, stored: Any) -> Iterator[Case]:
    """Real people for the network whose weights are known."""
    import av
    import cv2

    pictures: list[tuple[U8, float | str]] = [(portrait(), "medium")]
    for name in PEOPLE:
        bgr = cv2.imread(str(SHARED / "data" / "people-dev" / "images" / f"{name}.jpg"))
        pictures.append((np.ascontiguousarray(bgr[..., ::-1]), "full"))
    for clip, number in CLIPS.items():
        with av.open(str(SHARED / "media" / clip)) as container:
            frames = (frame for index, frame in enumerate(container.decode(video=0)) if index == number)
            pictures.append((next(frames).to_ndarray(format="rgb24"), "medium"))
    for stride, some in ((16, pictures), (8, pictures[1:3])):  # the weights of both strides are the same
        made = mobilenet(of_onnx(WEIGHTS), multiplier=0.5, stride=stride)
        tag = f"mobilenet-050-s{stride}"
        yield case(folder / f"people-{tag}", tag, made, stride, 4, some, stored) | {"people": True}


def case(
    folder: Path, tag: str, made: tuple[Graph, list[str]], stride: int, size_bytes: int,
    pictures: Sequence[tuple[U8, float | str]], stored: Any,
) -> Case:  # fmt: skip
    """Write a network and what we find in pictures with it."""
    graph, outputs = made
    path = graph.write(folder / "model.json", outputs, size_bytes)
    looked = []
    for rgb, resolution in pictures:
        net = bodypix.create(tag, weights=path, resolution=resolution)
        found = net.find(rgb)
        people = found.people(least_person=LEAST_SCORE)  # as body-pix has it
        looked.append(
            {
                "rgb": stored(rgb),
                "resolution": resolution,
                "maps": {MAPS[name]: stored(values) for name, values in found._maps.items()},
                "mask": stored(found.mask().astype(np.uint8)),
                "parts": stored(found.parts()),
                "poses": [stored(pose.points) for pose in found.poses()],
                "people": [
                    {"mask": stored(p.mask.astype(np.uint8)), "parts": stored(p.parts), "score": p.pose.score}
                    for p in people
                ],
            }
        )
        net.close()
    architecture = "ResNet50" if tag.startswith("resnet50") else "MobileNetV1"
    return {"tag": tag, "place": folder.name, "architecture": architecture, "stride": stride, "pictures": looked}


if __name__ == "__main__":
    main(Path(sys.argv[1]))
