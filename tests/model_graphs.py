"""Graphs with the inputs and outputs of published networks whose weights are not at hand.

Each takes the pixels of a picture that are redder than they are blue for the person, whatever its network wants
of colours: enough to see that a picture arrives as it should, and that what comes out is read as it is meant.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from livematte.models import modnet, rvm, u2net
from livematte.models._class_names import ADE20K, MULTICLASS
from livematte.models._network import SIGNED, Picture

GAIN, MIDDLE = 60.0, 0.12
"""Logit of a pixel: GAIN times what its red, 0-1, has more than its blue and MIDDLE."""

Array = npt.NDArray[Any]


class Graph:
    """An ONNX graph on its way."""

    def __init__(self) -> None:
        self.nodes: list[Any] = []
        self.inputs: list[Any] = []
        self.outputs: list[Any] = []
        self.constants: list[Any] = []

    def constant(self, name: str, values: Any, dtype: Any = np.float32) -> str:
        from onnx import numpy_helper

        self.constants.append(numpy_helper.from_array(np.asarray(values, dtype), name))
        return name

    def node(self, kind: str, inputs: Sequence[str], output: str, **attributes: Any) -> str:
        from onnx import helper

        self.nodes.append(helper.make_node(kind, list(inputs), [output], **attributes))
        return output

    def given(self, name: str, shape: Sequence[int | str]) -> str:
        from onnx import TensorProto, helper

        self.inputs.append(helper.make_tensor_value_info(name, TensorProto.FLOAT, list(shape)))
        return name

    def result(self, name: str, shape: Sequence[int | str]) -> None:
        from onnx import TensorProto, helper

        self.outputs.append(helper.make_tensor_value_info(name, TensorProto.FLOAT, list(shape)))

    def write(self, path: Path) -> Path:
        import onnx
        from onnx import helper

        graph = helper.make_graph(self.nodes, "test", self.inputs, self.outputs, self.constants)
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
        onnx.checker.check_model(model)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(model.SerializeToString())
        return path

    def warmth(self, source: str, output: str, picture: Picture, channels: int, person: int, stride: int = 1) -> str:
        """Logits of `channels` classes: the first of them 0, the person's by its warmth, the others far below."""
        weights, bias = np.zeros((channels, 3, 1, 1)), np.full(channels, -GAIN)
        bias[0] = 0
        red, blue = (2, 0) if picture.bgr else (0, 2)
        weights[person, red], weights[person, blue] = GAIN * picture.std[0], -GAIN * picture.std[2]
        bias[person] = GAIN * (picture.mean[0] - picture.mean[2] - MIDDLE)
        operands = [source, self.constant(f"{output}_w", weights), self.constant(f"{output}_b", bias)]
        return self.node("Conv", operands, output, kernel_shape=[1, 1], strides=[stride, stride])


def classes(
    path: Path, size: tuple[int, int], picture: Picture, count: int, person: int, *, softmax: bool, stride: int = 1
) -> Path:
    """(1, 3, h, w) to (1, count, h / stride, w / stride)."""
    graph, (width, height) = Graph(), size
    logits = graph.warmth(graph.given("x", (1, 3, height, width)), "logits", picture, count, person, stride)
    out = graph.node("Softmax", [logits], "y", axis=1) if softmax else logits
    graph.result(out, (1, count, height // stride, width // stride))
    return graph.write(path)


def channels_last(path: Path, side: int, count: int, person: int) -> Path:
    """(1, h, w, 3) to logits (1, h, w, count)."""
    graph = Graph()
    planar = graph.node("Transpose", [graph.given("x", (1, side, side, 3))], "planar", perm=[0, 3, 1, 2])
    logits = graph.warmth(planar, "logits", Picture(), count, person)
    graph.result(graph.node("Transpose", [logits], "y", perm=[0, 2, 3, 1]), (1, side, side, count))
    return graph.write(path)


def alphas(path: Path, shape: Sequence[int | str], picture: Picture, count: int, name: str = "x") -> Path:
    """(1, 3, h, w), or open, to `count` outputs of one sigmoid, all but the first of another sign."""
    graph = Graph()
    logits = graph.warmth(graph.given(name, shape), "logits", picture, 1, 0)
    flat = [shape[0], 1, *shape[2:]]
    for index in range(count):
        sign = graph.node("Neg", [logits], f"negative{index}") if index else logits
        graph.result(graph.node("Sigmoid", [sign], "output" if not index else f"d{index}"), flat)
    return graph.write(path)


def recurrent(path: Path, channels: Sequence[int]) -> Path:
    """RVM's names and open axes: each state is the mean of itself and of the
    reduced picture; the alpha is the first."""
    graph = Graph()
    src = graph.given("src", ("batch_size", 3, "height", "width"))
    for index in range(1, 5):
        graph.given(f"r{index}i", ("batch_size", "channels", "height", "width"))
    ratio = graph.given("downsample_ratio", (1,))
    scales = graph.node("Concat", [graph.constant("ones", [1, 1]), ratio, ratio], "scales", axis=0)
    x = graph.node("Resize", [src, "", scales], "small", mode="linear", coordinate_transformation_mode="half_pixel")
    x = graph.warmth(x, "bright", Picture(), 1, 0)
    half = graph.constant("half", 0.5)
    for index, count in enumerate(channels, 1):
        x = graph.node("AveragePool", [x], f"x{index}", kernel_shape=[2, 2], strides=[2, 2], ceil_mode=1)
        wide = graph.constant(f"w{index}", np.ones((count, 1, 1, 1)))
        wide = graph.node("Conv", [x, wide], f"wide{index}", kernel_shape=[1, 1])
        held = graph.node("Expand", [f"r{index}i", graph.node("Shape", [wide], f"shape{index}")], f"held{index}")
        both = graph.node("Add", [wide, held], f"both{index}")
        graph.node("Mul", [both, half], f"r{index}o")
    first = graph.node("ReduceMean", ["r1o"], "mean", axes=[1], keepdims=1)
    sizes = graph.node("Shape", [src], "whole")
    one = graph.constant("one", [0, 2, 3], np.int64)
    rest = graph.node("Gather", [sizes, one], "rest", axis=0)
    batch = graph.node("Gather", [rest, graph.constant("i0", [0], np.int64)], "n", axis=0)
    sides = graph.node("Gather", [rest, graph.constant("i12", [1, 2], np.int64)], "hw", axis=0)
    target = graph.node("Concat", [batch, graph.constant("single", [1], np.int64), sides], "target", axis=0)
    logits = graph.node("Resize", [first, "", "", target], "logits", mode="linear")
    graph.node("Sigmoid", [logits], "pha")
    graph.node("Identity", [src], "fgr")
    for name in ("fgr", "pha", "r1o", "r2o", "r3o", "r4o"):
        graph.result(name, ("batch_size", "channels", "height", "width"))
    return graph.write(path)


STAND_INS: dict[str, Callable[[Path], Path]] = {
    "pphumanseg:v1": lambda path: classes(path, (192, 192), SIGNED, 2, 1, softmax=True),
    "pphumanseg:v2-portrait": lambda path: classes(path, (256, 144), SIGNED, 2, 1, softmax=True),
    "mediapipe:multiclass": lambda path: channels_last(path, 256, len(MULTICLASS), MULTICLASS.index("clothes")),
    "modnet:photographic": lambda path: alphas(path, ("batch_size", 3, "height", "width"), SIGNED, 1, modnet.INPUT),
    "u2net:small": lambda path: alphas(path, (1, 3, 320, 320), u2net.U2NET, 7),
    "rvm:mobilenetv3": lambda path: recurrent(path, rvm.CHANNELS["mobilenetv3"]),
    "deeplabv3:ade20k": lambda path: classes(
        path, (512, 512), SIGNED, len(ADE20K), ADE20K.index("person"), softmax=False, stride=4
    ),
}
"""Model -> what writes a graph in the place of its weights: one for each kind of inputs and outputs."""
