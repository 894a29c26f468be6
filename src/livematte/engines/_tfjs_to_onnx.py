"""TensorFlow.js graph models as ONNX graphs, so that ONNX Runtime runs what is published for browsers.

Covers networks from pictures to pictures made of the operators in `_RULES`: BodyPix on MobileNetV1 and ResNet50,
and our own exports. TensorFlow keeps pixels together (NHWC), ONNX keeps channels apart (NCHW): the whole graph is
rewritten to NCHW, its inputs and outputs too, and weights are transposed here once, so that no transpose is left
to run. Pictures whose size the graph leaves open stay open.

"Atrous" convolutions are written in two ways, both become a dilated one: with their `dilations`, or between
SpaceToBatchND, which cuts a picture into the grids of every n-th pixel, and BatchToSpaceND, which puts them back.

Source: TensorFlow, core/ops/nn_ops.cc, array_ops.cc and image_ops.cc; padding "SAME": tf.nn, "Notes on padding";
ONNX operators, opset 17.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from livematte._errors import LoadError, MissingExtra
from livematte._frame import MAX_SIDE_PX
from livematte.engines._tfjs_file import Node, read
from livematte.engines._tfjs_graph import ACTIVATIONS, MAX_SIDE, Conversion, Picture, Rules

VERSION = 1
"""Part of the name of cached conversions: raise it when the result changes."""


def convert(path: Path) -> bytes:
    """A serialised ONNX model that computes what the graph model at `path` computes.

    Args:
        path: its model.json; the weights lie beside it.

    Returns:
        ONNX model with float32 inputs and outputs, (1, h, w, c) turned into (1, c, h, w), named as in the graph.

    Raises:
        LoadError: no such model, or one with an operator that is not covered.
        MissingExtra: `onnx` is not installed.
    """
    if find_spec("onnx") is None:
        raise MissingExtra(
            f'ONNX Runtime runs {path} after a conversion that needs a package: pip install "livematte[convert]"'
        )
    graph = read(path)
    try:
        return Conversion(graph, path, _RULES).onnx()
    except LoadError:
        raise
    except Exception as exc:  # a damaged graph fails in any rule, with any error
        raise LoadError(f"{path} is damaged, or no graph of pictures: {exc!r}") from exc


def _padding(
    c: Conversion, node: Node, kernel: Sequence[int], strides: Sequence[int], dilations: Sequence[int]
) -> dict[str, Any]:
    """ONNX's attributes of a padding: above, left, below, right."""
    kind = node.text("padding", "VALID")
    if kind not in ("EXPLICIT", "SAME", "VALID"):
        raise c.unknown(node, f"with the padding {kind}")
    if kind == "EXPLICIT":
        _, _, top, bottom, left, right, _, _ = node.ints("explicit_paddings")
        pads = [c.bounded(node, n, 0, MAX_SIDE) for n in (top, left, bottom, right)]
    elif kind == "VALID" or all(n == 1 for n in kernel):
        pads = [0, 0, 0, 0]
    elif all(n == 1 for n in strides):  # depends on the picture's size in all other cases
        total = [(k - 1) * d for k, d in zip(kernel, dilations, strict=True)]
        pads = [*(n // 2 for n in total), *(n - n // 2 for n in total)]
    elif all(n == 1 for n in dilations):
        return {"auto_pad": "SAME_UPPER"}
    else:
        raise c.unknown(node, f"with strides {strides} and dilations {dilations}")
    c.grown(node, max(0, sum(pads) - sum((k - 1) * d for k, d in zip(kernel, dilations, strict=True))))
    return {"pads": pads}


def _convolution(c: Conversion, node: Node, *, depthwise: bool = False) -> None:
    channels, grids = c.picture(node)
    weights = c.floats(node, 1, 4)  # (h, w, in, out), or (h, w, in, outputs of each) if depthwise
    strides, dilations, kernel = c.sides(node, "strides"), c.sides(node, "dilations"), weights.shape[:2]
    if grids != (1, 1):
        if (strides, dilations, node.text("padding")) != ((1, 1), (1, 1), "VALID"):
            raise c.unknown(node, "strided, dilated or padded between SpaceToBatchND and BatchToSpaceND")
        dilations = grids
    if weights.shape[2] != channels:
        raise c.unknown(node, f"with weights {weights.shape} for {channels} channels")
    if depthwise:
        weights = weights.transpose(2, 3, 0, 1).reshape(-1, 1, *kernel)  # (out, 1, h, w)
    else:
        weights = weights.transpose(3, 2, 0, 1)  # (out, in, h, w)
    operands = [node.inputs[0], c.store(f"{node.name} weights", weights)]
    bias, activation, *more = [*node.texts("fused_ops"), "", ""]
    if bias not in ("", "BiasAdd") or activation not in ("", "Relu6", *ACTIVATIONS) or any(more):
        raise c.unknown(node, f"fused with {node.texts('fused_ops')}")
    if bias:
        operands.append(c.store(f"{node.name} bias", c.floats(node, 2, 1)))
    c.activated(
        node, "Conv", operands, activation, kernel_shape=kernel, strides=strides, dilations=dilations,
        group=channels if depthwise else 1, **_padding(c, node, kernel, strides, dilations),
    )  # fmt: skip
    c.made(node, Picture(weights.shape[0], grids))


def _transposed(c: Conversion, node: Node) -> None:
    """A transposed convolution, which TensorFlow has as the gradient of a convolution by its input."""
    channels = c.whole(node, 2).channels
    weights = c.floats(node, 1, 4)  # (h, w, out, in)
    strides, kernel = c.sides(node, "strides"), weights.shape[:2]
    if node.text("padding") != "VALID" or c.sides(node, "dilations") != (1, 1) or weights.shape[3] != channels:
        raise c.unknown(node, "padded, dilated, or for other channels")
    target = c.numbers(node, 0, 4, 1, MAX_SIDE_PX)[1:3]
    size = [(n - k) // s + 1 for n, k, s in zip(target, kernel, strides, strict=True)]
    missing = [n - ((m - 1) * s + k) for n, m, k, s in zip(target, size, kernel, strides, strict=True)]
    operands = [node.inputs[2], c.store(f"{node.name} weights", weights.transpose(3, 2, 0, 1))]
    c.emit("ConvTranspose", operands, node.name, kernel_shape=kernel, strides=strides, output_padding=missing)
    c.grown(node, *target)
    c.made(node, Picture(weights.shape[2]))


def _normalisation(c: Conversion, node: Node) -> None:
    channels, grids = c.picture(node)
    if node.attr.get("is_training", {}).get("b", True):
        raise c.unknown(node, "for training")
    values = [c.store(f"{node.name} {at}", c.floats(node, at, 1)) for at in range(1, 5)]
    c.emit("BatchNormalization", [node.inputs[0], *values], node.name, epsilon=node.number("epsilon", 1e-4))
    c.made(node, Picture(channels, grids))


def _binary(kind: str, c: Conversion, node: Node) -> None:
    found = [c.picture(node, at) for at in range(2) if not c.is_constant(node, at)]
    operands = [c.operand(node, 0), c.operand(node, 1)]
    sizes = [c.operand_shape(node, at) for at in range(2) if c.is_constant(node, at)]
    if not found or len({picture.grids for picture in found}) != 1 or any(max(s[2:]) > 1 for s in sizes):
        raise c.unknown(node, "of values that do not lie alike")
    c.emit(kind, operands, node.name)
    c.made(node, Picture(max(*(p.channels for p in found), *(s[1] for s in sizes)), found[0].grids))


def _unary(kind: str, c: Conversion, node: Node, **attributes: Any) -> None:
    picture = c.picture(node)
    c.emit(kind, [node.inputs[0]], node.name, **attributes)
    c.made(node, picture)


def _relu6(c: Conversion, node: Node) -> None:
    picture = c.picture(node)
    c.activated(node, "Identity", [node.inputs[0]], "Relu6")
    c.made(node, picture)


def _pool(kind: str, c: Conversion, node: Node) -> None:
    picture = c.whole(node)
    kernel, strides = c.sides(node, "ksize"), c.sides(node, "strides")
    # neither counts padded pixels into an average: TensorFlow never, ONNX by default
    c.emit(
        kind,
        [node.inputs[0]],
        node.name,
        kernel_shape=kernel,
        strides=strides,
        **_padding(c, node, kernel, strides, (1, 1)),
    )
    c.made(node, picture)


def _mean(c: Conversion, node: Node) -> None:
    picture = c.whole(node)
    if sorted(n % 4 for n in c.numbers(node, 1, 2, -4, 3)) != [1, 2] or not node.flag("keep_dims"):
        raise c.unknown(node, "over other axes than height and width, which stay as 1")
    c.emit("GlobalAveragePool", [node.inputs[0]], node.name)
    c.made(node, picture)


def _resize(c: Conversion, node: Node) -> None:
    picture = c.whole(node)
    size = c.numbers(node, 1, 2, 1, MAX_SIDE_PX)
    mode = (
        "align_corners"
        if node.flag("align_corners")
        else "half_pixel"
        if node.flag("half_pixel_centers")
        else "asymmetric"
    )
    # ONNX wants all four sizes: those of the picture there is, and the new ones
    kept = c.emit("Shape", [node.inputs[0]], f"{node.name} kept", start=0, end=2)
    sizes = c.emit(
        "Concat", [kept, c.store(f"{node.name} size", np.array(size, np.int64))], f"{node.name} sizes", axis=0
    )
    c.emit("Resize", [node.inputs[0], "", "", sizes], node.name, mode="linear", coordinate_transformation_mode=mode)
    c.made(node, picture)


def _pad(c: Conversion, node: Node) -> None:
    picture = c.whole(node)
    if len(node.inputs) > 2 and c.floats(node, 2, 0) != 0:
        raise c.unknown(node, "with other values than 0")
    _edges(c, node, c.numbers(node, 1, 8, 0, MAX_SIDE))
    c.made(node, picture)


def _edges(c: Conversion, node: Node, pairs: Sequence[int]) -> None:
    """Zeros before and after each axis (n, h, w, c)."""
    (n, top, left, channels), (_, bottom, right, more) = pairs[::2], pairs[1::2]
    if n or channels or more or pairs[1]:
        raise c.unknown(node, "of other axes than height and width")
    c.grown(node, top, bottom, left, right)
    pads = c.store(f"{node.name} pads", np.array([0, 0, top, left, 0, 0, bottom, right], np.int64))
    c.emit("Pad", [node.inputs[0], pads], node.name, mode="constant")


def _to_grids(c: Conversion, node: Node) -> None:
    picture = c.whole(node)
    height, width = c.numbers(node, 1, 2, 1, MAX_SIDE)
    _edges(c, node, [0, 0, *c.numbers(node, 2, 4, 0, MAX_SIDE), 0, 0])
    c.made(node, Picture(picture.channels, (height, width)))


def _from_grids(c: Conversion, node: Node) -> None:
    picture = c.picture(node)
    if tuple(c.numbers(node, 1, 2, 1, MAX_SIDE)) != picture.grids:
        raise c.unknown(node, f"of other grids than {picture.grids}")
    top, bottom, left, right = c.numbers(node, 2, 4, 0, MAX_SIDE)
    far = np.iinfo(np.int64).max
    values = {"from": [top, left], "to": [-bottom or far, -right or far], "axes": [2, 3]}
    c.emit(
        "Slice",
        [node.inputs[0], *(c.store(f"{node.name} {k}", np.array(v, np.int64)) for k, v in values.items())],
        node.name,
    )
    c.made(node, Picture(picture.channels))


def _concatenation(c: Conversion, node: Node) -> None:
    parts = [c.picture(node, at) for at in range(len(node.inputs) - 1)]
    if c.numbers(node, len(parts), 1, -4, 3)[0] not in (-1, 3) or len({part.grids for part in parts}) != 1:
        raise c.unknown(node, "along another axis than the channels")
    c.emit("Concat", node.inputs[:-1], node.name, axis=1)
    c.made(node, Picture(sum(part.channels for part in parts), parts[0].grids))


def _clip(c: Conversion, node: Node) -> None:
    picture = c.picture(node)
    limits = [c.store(f"{node.name} {at}", c.floats(node, at, 0)) for at in (1, 2)]
    c.emit("Clip", [node.inputs[0], *limits], node.name)
    c.made(node, picture)


_RULES: Rules = {
    "Add": partial(_binary, "Add"),
    "AddV2": partial(_binary, "Add"),
    "AvgPool": partial(_pool, "AveragePool"),
    "BatchToSpaceND": _from_grids,
    "BiasAdd": partial(_binary, "Add"),
    "ClipByValue": _clip,
    "ConcatV2": _concatenation,
    "Conv2D": _convolution,
    "Conv2DBackpropInput": _transposed,
    "DepthwiseConv2dNative": partial(_convolution, depthwise=True),
    "Elu": partial(_unary, "Elu"),
    "FusedBatchNorm": _normalisation,
    "FusedBatchNormV2": _normalisation,
    "FusedBatchNormV3": _normalisation,
    "FusedDepthwiseConv2dNative": partial(_convolution, depthwise=True),
    "Identity": partial(_unary, "Identity"),
    "MaxPool": partial(_pool, "MaxPool"),
    "Maximum": partial(_binary, "Max"),
    "Mean": _mean,
    "Minimum": partial(_binary, "Min"),
    "Mul": partial(_binary, "Mul"),
    "Pad": _pad,
    "PadV2": _pad,
    "RealDiv": partial(_binary, "Div"),
    "Relu": partial(_unary, "Relu"),
    "Relu6": _relu6,
    "ResizeBilinear": _resize,
    "Sigmoid": partial(_unary, "Sigmoid"),
    "Softmax": partial(_unary, "Softmax", axis=1),
    "SpaceToBatchND": _to_grids,
    "Sub": partial(_binary, "Sub"),
    "Tanh": partial(_unary, "Tanh"),
    "_FusedConv2D": _convolution,
    "_FusedDepthwiseConv2dNative": partial(_convolution, depthwise=True),
}
"""TensorFlow operator -> how it is written in ONNX."""
