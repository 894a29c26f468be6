"""Graph models of TensorFlow.js, computed by torch: the check of those that `_tfjs` writes.

What each node does is taken from the files alone and from TensorFlow's definition of its operator. That
TensorFlow.js reads them the same way is for TensorFlow.js to show: tests/web/tfjs.test.mjs.

Source: TensorFlow, core/ops/nn_ops.cc and image_ops.cc; padding "SAME": tf.nn, "Notes on padding".
"""

from __future__ import annotations

import base64
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from livematte._errors import InferenceError, LoadError
from livematte._frame import F32
from livematte.engines import Tensor as Place
from livematte.engines import check_finite, check_inputs
from livematte.engines._tfjs_file import read

Node = dict[str, Any]


class GraphModel:
    """A loaded graph model, an `Engine`.

    Args:
        path: of its model.json; the weights lie beside it.

    Raises:
        LoadError: a file that cannot be read or holds no such model.
    """

    name = "tfjs"

    def __init__(self, path: Path) -> None:
        try:
            facts = json.loads(path.read_text(encoding="utf-8"))
            self._nodes: list[Node] = facts["modelTopology"]["node"]
            self.inputs, self.outputs = (_places(facts["signature"][end]) for end in ("inputs", "outputs"))
            self._weights = {name: torch.from_numpy(values) for name, values in read(path).weights.items()}
        except (OSError, KeyError, TypeError, ValueError) as exc:
            raise LoadError(f"{path} is no graph model of TensorFlow.js: {exc!r}") from exc

    def run(self, inputs: Sequence[F32]) -> list[F32]:
        """As `Engine`: (n, h, w, c) in and out."""
        check_inputs(inputs, self.inputs)
        values = dict(self._weights)
        values.update((place.name, torch.from_numpy(array)) for place, array in zip(self.inputs, inputs, strict=True))
        with torch.inference_mode():
            for node in self._nodes:
                if node["op"] not in ("Placeholder", "Const"):
                    values[node["name"]] = _compute(node, [values[name] for name in node["input"]])
        outputs = [values[place.name].numpy() for place in self.outputs]
        check_finite(outputs, self.outputs)
        return outputs

    def close(self) -> None:
        """As `Engine`."""
        self._nodes, self._weights = [], {}


def _places(ends: dict[str, Any]) -> tuple[Place, ...]:
    return tuple(
        Place(end["name"].partition(":")[0], tuple(int(d["size"]) for d in end["tensorShape"]["dim"]))
        for end in ends.values()
    )


def _compute(node: Node, given: Sequence[Tensor]) -> Tensor:
    op, attributes = node["op"], node["attr"]
    match op:
        case "_FusedConv2D" | "FusedDepthwiseConv2dNative":
            return _convolved(node, *given)
        case "Conv2DBackpropInput":
            size, weight, y = given
            _expect(node, "padding", "VALID")
            x = _nhwc(functional.conv_transpose2d(_nchw(y), weight.permute(3, 2, 0, 1), stride=_strides(node)))
            if list(x.shape) != size.tolist():
                raise InferenceError(f"{node['name']} is said to be {size.tolist()}, got {list(x.shape)}")
            return x
        case "ResizeBilinear":
            if attributes["align_corners"]["b"] or not attributes["half_pixel_centers"]["b"]:
                raise InferenceError(f"{node['name']}: only centre on centre is known")
            x = functional.interpolate(_nchw(given[0]), given[1].tolist(), mode="bilinear", align_corners=False)
            return _nhwc(x)
        case "ConcatV2":
            return torch.cat(list(given[:-1]), int(given[-1]))
        case "Mean":
            return given[0].mean(given[1].tolist(), keepdim=attributes["keep_dims"]["b"])
        case "AddV2" | "BiasAdd":
            return given[0] + given[1]
        case "Sub":
            return given[0] - given[1]
        case "Mul":
            return given[0] * given[1]
        case "Relu":
            return given[0].clamp_min(0)
        case "Relu6":
            return given[0].clamp(0, 6)
        case "Sigmoid":
            return torch.sigmoid(given[0])
    raise InferenceError(f"{node['name']} is a {op}, which is not known here")


def _convolved(node: Node, x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    """A convolution, its bias, and ReLU6 where it is named."""
    _expect(node, "data_format", "NHWC")
    h, w, inputs, outputs = weight.shape
    strides = down, across = _strides(node)
    top, bottom = _pads(node, 1, x.shape[1], h, down)
    left, right = _pads(node, 2, x.shape[2], w, across)
    before = functional.pad(_nchw(x), (left, right, top, bottom))
    if node["op"] == "_FusedConv2D":
        y = functional.conv2d(before, weight.permute(3, 2, 0, 1), bias, strides)
    else:  # each channel by itself, into `outputs` of them
        each = weight.permute(2, 3, 0, 1).reshape(inputs * outputs, 1, h, w)
        y = functional.conv2d(before, each, bias, strides, groups=inputs)
    match [_text(value) for value in node["attr"]["fused_ops"]["list"]["s"]]:
        case ["BiasAdd"]:
            return _nhwc(y)
        case ["BiasAdd", "Relu"]:
            return _nhwc(y).clamp_min(0)
        case ["BiasAdd", "Relu6"]:
            return _nhwc(y).clamp(0, 6)
        case other:
            raise InferenceError(f"{node['name']} is fused with {other}, which is not known here")


def _pads(node: Node, axis: int, length: int, kernel: int, stride: int) -> tuple[int, int]:
    """Zeros before and after an axis of (n, h, w, c)."""
    match _text(node["attr"]["padding"]["s"]):
        case "VALID":
            return 0, 0
        case "SAME":
            missing = max(0, (-(-length // stride) - 1) * stride + kernel - length)
            return missing // 2, missing - missing // 2
        case "EXPLICIT":
            pads = [int(n) for n in node["attr"]["explicit_paddings"]["list"]["i"]]
            return pads[2 * axis], pads[2 * axis + 1]
        case other:
            raise InferenceError(f"{node['name']} has the padding {other}, which TensorFlow does not know")


def _expect(node: Node, key: str, wanted: str) -> None:
    got = _text(node["attr"][key]["s"])
    if got != wanted:
        raise InferenceError(f"{node['name']} has the {key} {got}, only {wanted} is known here")


def _strides(node: Node) -> tuple[int, int]:
    _, down, across, _ = (int(n) for n in node["attr"]["strides"]["list"]["i"])
    return down, across


def _text(value: str) -> str:
    return base64.b64decode(value).decode()


def _nchw(x: Tensor) -> Tensor:
    return x.permute(0, 3, 1, 2)


def _nhwc(x: Tensor) -> Tensor:
    return x.permute(0, 2, 3, 1)
