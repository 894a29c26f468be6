#!/usr/bin/env python3
"""BodyPix for the browser tests: its files as TensorFlow.js has them, and what Python makes of single frames.

    python tests/web/bodypix_files.py FOLDER

mobilenet/float/050/       model-stride16.json and its shard, from the shared ONNX file
mobilenet/quant1/050/      the same with weights of one byte, bias and ReLU6 as nodes of their own, and in two shards
body-pix-float-050-8.tflite
palette.json               names and colours of the parts in Python
parts.json, parts.bin      frames, effects, and the planes that Session.process_frame gives for them; part maps
absent.txt                 instead of all that, where the shared files are not there: why
"""

from __future__ import annotations

import base64
import json
import os
import shutil
import sys
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
from material import U8, i420, person, stored

from livematte import Color, Session
from livematte._frame import ColorMatrix, ColorRange, Size
from livematte._matte import Matte
from livematte._stages import State
from livematte.engines import Engine
from livematte.engines.onnxruntime import create as open_onnx
from livematte.models import bodypix
from livematte.models._logits import by_corners, sigmoid, stretch
from livematte.models._parts import PALETTE, PARTS

SHARED = Path(os.environ.get("LIVEMATTE_SHARED") or Path(__file__).parents[3] / "shared") / "weights" / "bodypix"
STRIDE16 = SHARED / "MobileNetV1-x050-stride16.onnx"
STRIDE8 = SHARED / "body-pix-float-050-8.tflite"

SIZES = {"wide": (Size(321, 177), 0.25), "square": (Size(241, 241), 0.5)}
"""The networks' sizes in the SDK for the pictures below, and BodyPix's internal resolution that gives them."""
CHOSEN = (0, 1, 10, 11)
"""Numbers of the parts that are `face` and `hand`."""
MAP = 0.5
"""Part of the network's sides that the SDK's map of parts has."""


def main(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "palette.json").write_text(json.dumps(palette()), encoding="utf-8")
    missing = [path for path in (STRIDE16, STRIDE8) if not path.exists()]
    if missing:
        (folder / "absent.txt").write_text(f"there is no {missing[0].name} in shared weights", encoding="utf-8")
        return
    import onnx

    network = onnx.load(str(STRIDE16))
    write_tfjs(folder / "mobilenet" / "float" / "050", network, quantised=False)
    shutil.copy(STRIDE8, folder)
    coarse = folder / "quantised.onnx"
    quantise(network)
    write_tfjs(folder / "mobilenet" / "quant1" / "050", network, quantised=True)
    onnx.save(network, str(coarse))
    write_known(folder, next(iter(person())), coarse)


def affine(value: npt.NDArray[np.float32]) -> tuple[npt.NDArray[np.uint8], float, float]:
    """A weight in one byte, its scale and its least value: value = code * scale + least."""
    least = float(value.min())
    scale = (float(value.max()) - least) / 255 or 1.0
    return np.rint((value - least) / scale).astype(np.uint8), scale, least


def quantise(network: Any) -> None:
    """Round every weight of the convolutions to one of 256 values, in place."""
    from onnx import numpy_helper

    names = {name for node in network.graph.node if node.op_type == "Conv" for name in node.input[1:]}
    for each in network.graph.initializer:
        if each.name in names:
            codes, scale, least = affine(numpy_helper.to_array(each))
            each.CopyFrom(numpy_helper.from_array((codes * scale + least).astype(np.float32), each.name))


def write_tfjs(folder: Path, network: Any, *, quantised: bool) -> None:
    """A graph model of TensorFlow.js: `model.json`, and one shard, or two where it is quantised.

    A convolution with its bias and ReLU6 is one node, as TensorFlow's converter writes it for a browser;
    where it is quantised each is a node of its own.
    """
    import onnx
    from onnx import numpy_helper

    graph = network.graph
    constants = {each.name: numpy_helper.to_array(each) for each in graph.initializer}
    after = {node.input[0]: node for node in graph.node if node.op_type == "Clip"}
    names = {node.output[0]: "sub_2" for node in graph.node if node.input[0] == "input"}
    nodes: list[dict[str, Any]] = [{"name": "sub_2", "op": "Placeholder", "attr": {"dtype": {"type": "DT_FLOAT"}}}]
    weights: list[dict[str, Any]] = []
    blob = bytearray()

    def weight(name: str, value: npt.NDArray[np.float32]) -> str:
        weights.append({"name": name, "shape": list(value.shape), "dtype": "float32"})
        if quantised:
            codes, scale, least = affine(value)
            weights[-1]["quantization"] = {"dtype": "uint8", "scale": scale, "min": least}
            blob.extend(codes.tobytes())
        else:
            blob.extend(np.ascontiguousarray(value, "<f4").tobytes())
        nodes.append({"name": name, "op": "Const", "attr": {"dtype": {"type": "DT_FLOAT"}}})
        return name

    for node in graph.node:
        if node.op_type != "Conv":
            continue
        given = {a.name: onnx.helper.get_attribute_value(a) for a in node.attribute}
        kernel, bias = constants[node.input[1]], constants[node.input[2]]
        deep = given.get("group", 1) > 1
        bend = after.get(node.output[0])
        name = bend.name if bend is not None else node.name
        names[(bend or node).output[0]] = name
        inner = [
            weight(f"{name}/weights", kernel.transpose((2, 3, 0, 1) if deep else (2, 3, 1, 0))),
            weight(f"{name}/biases", bias),
        ]
        fused = [text("BiasAdd"), *([text("Relu6")] if bend is not None else [])]
        attributes = {
            "strides": {"list": {"i": ["1", *map(str, given["strides"]), "1"]}},
            "dilations": {"list": {"i": ["1", *map(str, given["dilations"]), "1"]}},
            "padding": {"s": text("SAME")},
        }
        x = names[node.input[0]]
        if quantised:
            plain = "DepthwiseConv2dNative" if deep else "Conv2D"
            nodes.append({"name": f"{name}/conv", "op": plain, "input": [x, inner[0]], "attr": attributes})
            sum_ = name if bend is None else f"{name}/sum"
            nodes.append({"name": sum_, "op": "BiasAdd", "input": [f"{name}/conv", inner[1]]})
            if bend is not None:
                nodes.append({"name": name, "op": "Relu6", "input": [sum_]})
            continue
        attributes["fused_ops"] = {"list": {"s": fused}}
        op = "FusedDepthwiseConv2dNative" if deep else "_FusedConv2D"
        nodes.append({"name": name, "op": op, "input": [x, *inner], "attr": attributes})
    folder.mkdir(parents=True, exist_ok=True)
    cuts = [0, len(blob) // 3, len(blob)] if quantised else [0, len(blob)]  # a shard may end within a weight
    paths = [f"group1-shard{n}of{len(cuts) - 1}.bin" for n in range(1, len(cuts))]
    for path, start, end in zip(paths, cuts, cuts[1:], strict=False):
        (folder / path).write_bytes(blob[start:end])
    manifest = [{"paths": paths, "weights": weights}]
    model = {"format": "graph-model", "modelTopology": {"node": nodes}, "weightsManifest": manifest}
    (folder / "model-stride16.json").write_text(json.dumps(model), encoding="utf-8")


def text(value: str) -> str:
    return base64.b64encode(value.encode()).decode()


class Parts:
    """The same network where some parts count as the person: docs/browser.md says how."""

    name = "bodypix"

    def __init__(self, engine: Engine, chosen: tuple[int, ...] | None) -> None:
        shape = engine.inputs[0].shape
        self._engine, self._planar = engine, shape[1] == 3
        self.size = Size(*(reversed(shape[2:]) if self._planar else (shape[2], shape[1])))
        self.chosen = chosen
        self.map: npt.NDArray[np.int8] | None = None

    def segment(self, frame: Any, state: State) -> tuple[Matte, State]:
        picture = frame.rgb(self.size, planar=self._planar) * np.float32(2) - np.float32(1)
        made = {
            tensor.shape[3]: array[0]
            for tensor, array in zip(self._engine.outputs, self._engine.run([picture[None]]), strict=True)
        }
        heat, person = made[24], made[1][..., 0]
        self.map = part_map(person, heat, self.size)
        alpha = sigmoid(resized(person, self.size))
        if self.chosen is not None:
            others = [part for part in range(24) if part not in self.chosen]
            lead = heat[..., self.chosen].max(axis=2) - heat[..., others].max(axis=2)
            alpha = alpha * sigmoid(resized(lead, self.size))
        return Matte(alpha.astype(np.float32), frame.pts), None

    def close(self) -> None:
        self._engine.close()


def resized(values: npt.NDArray[np.float32], size: Size) -> npt.NDArray[np.float32]:
    high, wide = values.shape
    return stretch(values, by_corners(high, size.height), by_corners(wide, size.width))


def part_map(person: npt.NDArray[np.float32], heat: npt.NDArray[np.float32], size: Size) -> npt.NDArray[np.int8]:
    small = Size(int(np.ceil(size.width * MAP)), int(np.ceil(size.height * MAP)))
    heats = np.stack([resized(heat[..., part], small) for part in range(24)], axis=2)
    return np.where(resized(person, small) > 0, heats.argmax(axis=2), -1).astype(np.int8)


def palette() -> list[tuple[str, list[int]]]:
    """Names and colours of the parts in Python."""
    return [(name, colour.tolist()) for name, colour in zip(PARTS, PALETTE, strict=True)]


def write_known(folder: Path, picture: U8, coarse: Path) -> None:
    """The first picture of the clip, wide and square, by every network."""
    blob = bytearray()
    pictures = {
        "wide": cv2.resize(picture[60:420], (1280, 720), interpolation=cv2.INTER_LINEAR),
        "square": np.ascontiguousarray(picture[:, 80:560]),
    }
    frames, cases = {}, []
    for name, rgb in pictures.items():
        frame = i420(rgb, ColorMatrix.BT709, ColorRange.LIMITED)
        frames[name] = {"matrix": "bt709", "fullRange": False, "planes": stored(blob, frame.planes)}
        size, resolution = SIZES[name]
        for graph, ending, chosen in ((STRIDE16, "", None), (STRIDE16, "", CHOSEN), (coarse, "-q1", None)):
            segmenter = Parts(open_onnx(None, graph=graph, picture=size), chosen)
            with Session(segmenter, Color((0, 177, 64)), temporal=False) as session:
                out = session.process_frame(frame)
            if chosen is None:  # the person is what Python's own BodyPix gives
                own = bodypix.create("mobilenet-050-s16", resolution=resolution, weights=graph)
                with Session(own, Color((0, 177, 64)), temporal=False) as session:
                    out = session.process_frame(frame)
            assert segmenter.map is not None
            cases.append(
                {
                    "frame": name,
                    "model": f"bodypix:mobilenet-050-s16{ending}",
                    "parts": ["face", "hand"] if chosen else None,
                    "planes": stored(blob, out.planes),
                    "map": stored(blob, [segmenter.map.view(np.uint8)])[0],
                }
            )
        with Session("bodypix:mobilenet-050-s8", Color((0, 177, 64)), temporal=False, weights=STRIDE8) as session:
            planes = session.process_frame(frame).planes
        cases.append(
            {"frame": name, "model": "bodypix:mobilenet-050-s8", "parts": None, "planes": stored(blob, planes)}
        )
    (folder / "parts.json").write_text(json.dumps({"frames": frames, "cases": cases}), encoding="utf-8")
    (folder / "parts.bin").write_bytes(bytes(blob))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
