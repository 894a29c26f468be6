"""Published TFLite networks as torch modules whose weights can be trained.

The file is read by the conversion to ONNX that the engines use; its nodes become a list of plain
values, which a file of weights can hold, and one module that runs the list. Weights kept as float16
become float32. Published graphs have their batch normalisations folded into the convolutions: there
are none to train, and nothing holds the size of activations: small learning rates are in place.

Layers are named by their kind and their place in the file (`layers.conv07.weight`), so that the names
of the state are the same in every conversion of it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn
from torch.nn.functional import adaptive_avg_pool2d, hardswish, interpolate, pad, relu

from livematte import _weights
from livematte._errors import LoadError, MissingExtra, WeightsError
from livematte.engines._tflite_to_onnx import convert
from livematte.models._spec import ModelSpec, pick
from livematte.training.net import Quick
from livematte.training.nets import Logits, Network, check_sides

Array = npt.NDArray[Any]

BINARY = ("Add", "Sub", "Mul")
"""Operators of two tensors, one of which the file may hold."""


@dataclass(frozen=True, slots=True)
class Node:
    """One operator.

    Args:
        kind: as ONNX calls it.
        inputs: names of the tensors it takes.
        output: name of the tensor it makes.
        options: what else it needs; `layer` names the module that holds its weights.
    """

    kind: str
    inputs: tuple[str, ...]
    output: str
    options: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Shape:
    """A graph without its weights.

    Args:
        source: name of the file.
        sha256: of the file.
        size: width and height of its picture.
        step: the largest stride; sides of other pictures differ from `size` by multiples of it, so
            that every padding is the one that TensorFlow would choose.
        input, output: names of tensors.
        channels: of the output.
        nodes: in the order they run.
    """

    source: str
    sha256: str
    size: tuple[int, int]
    step: int
    input: str
    output: str
    channels: int
    nodes: tuple[Node, ...]


class Graph(Network):
    """A network made of a list of operators; a subclass says what goes in and what comes out.

    Args:
        shape: the list.
    """

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.shape = shape
        self.size = shape.size
        self.layers = nn.ModuleDict({n.options["layer"]: _layer(n) for n in shape.nodes if "layer" in n.options})

    def describe(self) -> dict[str, Any]:
        return asdict(self.shape)

    def facts(self) -> dict[str, Any]:
        shape = self.shape
        return {"source": shape.source, "sha256": shape.sha256, "size": shape.size, "operators": len(shape.nodes)}

    def check_size(self, width: int, height: int) -> None:
        step, (own_width, own_height) = self.shape.step, self.size
        check_sides((width, height), step, (own_width % step, own_height % step))

    def given(self, rgb: Tensor) -> Tensor:
        """What the graph takes for a picture in 0-1."""
        return rgb

    def logit(self, made: Tensor) -> Tensor:
        """The logit of a person, of what the graph makes."""
        return made

    def forward(self, rgb: Tensor) -> Logits:
        """Logits (n, 1, h, w) of (n, 3, h, w) in 0-1; none that only help training."""
        held = {self.shape.input: self.given(rgb)}
        for node in self.shape.nodes:
            held[node.output] = self._run(node, held)
        return self.logit(held[self.shape.output]), ()

    def _run(self, node: Node, held: Mapping[str, Tensor]) -> Tensor:
        options = node.options
        if "layer" in options:
            made: Tensor = self.layers[options["layer"]](*(held[name] for name in node.inputs))
            return made
        x, *others = (held[name] for name in node.inputs)
        match node.kind:
            case "Add":
                return x + others[0]
            case "Sub":
                return x - others[0]
            case "Mul":
                return x * others[0]
            case "Relu":
                return relu(x)
            case "Clip":
                return x.clamp(options["low"], options["high"])
            case "HardSwish":
                return hardswish(x)
            case "Sigmoid":
                return torch.sigmoid(x)
            case "GlobalAveragePool":
                return adaptive_avg_pool2d(x, 1)
            case "Pad":
                return pad(x, options["edges"])
            case "Concat":
                return torch.cat([x, *others], 1)
            case "Resize":
                size = held[options["like"]].shape[2:]
                return interpolate(x, size=size, mode="bilinear", align_corners=options["align_corners"])
        raise LoadError(f"the operator {node.kind} cannot be trained here")


Trained = TypeVar("Trained", bound=Graph)


class Padded(nn.Module):
    """A convolution whose padding differs from side to side, as TensorFlow's SAME has it on even sides.

    Args:
        conv: without padding.
        edges: left, right, top, bottom, as torch has it.
    """

    def __init__(self, conv: nn.Conv2d, edges: tuple[int, int, int, int]) -> None:
        super().__init__()
        self.conv = conv
        self._edges = edges

    def forward(self, x: Tensor) -> Tensor:
        """The convolution of the padded picture."""
        made: Tensor = self.conv(pad(x, self._edges))
        return made


class Cropped(nn.Module):
    """A transposed convolution, of which the edge is cut off.

    Args:
        conv: without padding.
        edges: left, right, top, bottom.
    """

    def __init__(self, conv: nn.ConvTranspose2d, edges: tuple[int, int, int, int]) -> None:
        super().__init__()
        self.conv = conv
        self._edges = edges

    def forward(self, x: Tensor) -> Tensor:
        """The inner part."""
        left, right, top, bottom = self._edges
        made: Tensor = self.conv(x)
        return made[:, :, top : made.shape[2] - bottom, left : made.shape[3] - right]


class Constant(nn.Module):
    """Numbers that are no weights, such as those that scale the picture; they are not trained.

    Args:
        dims: their shape.
    """

    def __init__(self, dims: tuple[int, ...]) -> None:
        super().__init__()
        self.values: Tensor
        self.register_buffer("values", torch.zeros(dims))

    def forward(self) -> Tensor:
        """The numbers."""
        return self.values


def create(
    kind: type[Trained], specs: Mapping[str, ModelSpec], argument: str | None, channels: int, told: str
) -> Trained:
    """A network of a tag or a file, with its weights.

    Args:
        kind: what becomes of the file; its architecture is the name of the model that `specs` are of.
        channels: planes that such a network makes, and `told` says so in the error.

    Raises:
        UnknownName, WeightsError, MissingExtra: as `find` and `read`.
        LoadError: not such a network.
    """
    path = find(specs, kind.architecture, argument)
    shape, state = read(path)
    if shape.channels != channels:
        raise LoadError(f"{path.name} makes {shape.channels} planes, {told}")
    net = kind(shape)
    net.load_state_dict(state)
    return net


def shape_of(config: Mapping[str, Any]) -> Shape:
    """A `Shape` from what `Graph.describe` gave."""
    nodes = tuple(Node(**node) for node in config["nodes"])
    return Shape(**{**config, "size": tuple(config["size"]), "nodes": nodes})


def find(specs: Mapping[str, ModelSpec], family: str, argument: str | None) -> Path:
    """The TFLite file that `family:argument` means: a path that ends in .tflite, or a tag of the models.

    Raises:
        UnknownName: no such tag.
        WeightsError: no such file on this machine.
    """
    if argument is not None and argument.endswith(".tflite"):
        return Path(argument)
    spec = pick(specs, family, argument)
    file = next(file for file in spec.files if file.suffix == ".tflite")
    return _weights.locate(file, spec.name, option=None)


def read(path: Path) -> tuple[Shape, dict[str, Tensor]]:
    """A TFLite file's operators, and its weights as the state of a `Graph`.

    Raises:
        WeightsError: the file cannot be read.
        LoadError: no TFLite file, or one with operators that have no rule here.
        MissingExtra: `tflite` or `onnx` is not installed.
    """
    if find_spec("onnx") is None or find_spec("tflite") is None:
        raise MissingExtra(f'starting from {path.name} needs two packages: pip install "livematte[train,convert]"')
    try:
        data = path.read_bytes()
    except OSError as exc:
        raise WeightsError(f"cannot read weights from {path}: {exc.strerror or exc}") from exc
    return _Reading(convert(data, path.name), path.name).shape(hashlib.sha256(data).hexdigest())


class _Reading:
    """An ONNX graph on its way into nodes."""

    def __init__(self, graph: bytes, source: str) -> None:
        import onnx
        from onnx import numpy_helper

        self._source = source
        # the sizes of all tensors tell what a resize goes back to
        self._graph: Any = onnx.shape_inference.infer_shapes(onnx.load_from_string(graph)).graph
        self._constants: dict[str, Array] = {i.name: numpy_helper.to_array(i) for i in self._graph.initializer}
        infos = (*self._graph.input, *self._graph.value_info, *self._graph.output)
        self._dims = {i.name: tuple(d.dim_value for d in i.type.tensor_type.shape.dim) for i in infos}
        self._nodes: list[Node] = []
        self._state: dict[str, Tensor] = {}
        self._stride: dict[str, int] = {}
        self._same: dict[str, str] = {}

    def shape(self, sha256: str) -> tuple[Shape, dict[str, Tensor]]:
        """Read all of it; a last sigmoid is left away, since training asks for logits."""
        (given,), (made,) = self._graph.input, self._graph.output
        _, colours, height, width = self._dims[given.name]
        _, channels, *size = self._dims[made.name]
        if colours != 3 or size != [height, width]:
            raise LoadError(f"{self._source} is no network from a picture to a mask of its size")
        self._stride[given.name] = 1
        for node in self._graph.node:
            self._node(node)
        output = self._same.get(made.name, made.name)
        if self._nodes[-1].kind == "Sigmoid" and self._nodes[-1].output == output:
            output = self._nodes.pop().inputs[0]
        step = max(self._stride.values())
        nodes = tuple(self._nodes)
        return Shape(self._source, sha256, (width, height), step, given.name, output, channels, nodes), self._state

    def _node(self, node: Any) -> None:
        from onnx import helper

        kind, options = node.op_type, {a.name: helper.get_attribute_value(a) for a in node.attribute}
        (output,) = node.output
        if kind in BINARY:
            for name in node.input:
                self._constant(name)
        constants = [self._constants[name] for name in node.input if name in self._constants]
        inputs = [self._same.get(name, name) for name in node.input if name and name not in self._constants]
        stride = max(self._stride[name] for name in inputs)
        if kind in ("Conv", "ConvTranspose"):
            options, by = self._convolution(kind, options, constants)
            stride = stride * by if kind == "Conv" else max(1, stride // by)
        elif kind == "Clip":
            low, high = constants
            options = {"low": float(low.item()), "high": float(high.item())}
        elif kind == "Resize":
            if self._dims[inputs[0]] == self._dims[output]:
                self._same[output] = inputs[0]
                return
            options = self._resize(output, options)
            stride = self._stride[options["like"]]
        elif kind == "Pad" and len(constants) == 1 and not constants[0][[0, 1, 4, 5]].any():
            _, _, top, left, _, _, bottom, right = map(int, constants[0])
            options = {"edges": (left, right, top, bottom)}
        elif kind == "Concat" and options["axis"] == 1 and not constants:
            options = {}
        elif kind not in (*BINARY, "Relu", "HardSwish", "Sigmoid", "GlobalAveragePool"):
            raise LoadError(f"{self._source} uses the operator {kind}, which cannot be trained here")
        self._stride[output] = stride
        self._nodes.append(Node(kind, tuple(inputs), output, options))

    def _constant(self, name: str) -> None:
        """Make an operand that the file holds a node of its own; once, if several take it."""
        if name in self._constants:
            values = torch.from_numpy(np.array(self._constants.pop(name)))
            layer = f"constant{sum(node.kind == 'Constant' for node in self._nodes):02}"
            self._nodes.append(Node("Constant", (), name, {"layer": layer, "dims": tuple(values.shape)}))
            self._state[f"layers.{layer}.values"] = values
            self._stride[name] = 1

    def _convolution(self, kind: str, options: dict[str, Any], constants: list[Array]) -> tuple[dict[str, Any], int]:
        """Options of a convolution, and its stride; its weights go to the state."""
        weight, *bias = constants
        prefix = "conv" if kind == "Conv" else "up"
        layer = f"{prefix}{sum(node.kind == kind for node in self._nodes):02}"
        groups = options.get("group", 1)
        outputs, inputs = (weight.shape[0], weight.shape[1] * groups)
        if kind == "ConvTranspose":
            outputs, inputs = (weight.shape[1] * groups, weight.shape[0])
        top, left, bottom, right = options["pads"]
        held = {
            "layer": layer,
            "channels": (int(inputs), int(outputs)),
            "kernel": tuple(options["kernel_shape"]),
            "stride": tuple(options["strides"]),
            "dilation": tuple(options.get("dilations", (1, 1))),
            "groups": groups,
            "edges": (left, right, top, bottom),
            "extra": tuple(options.get("output_padding", (0, 0))),
            "bias": bool(bias),
        }
        inner = "conv." if kind == "ConvTranspose" or (left, top) != (right, bottom) else ""
        for name, values in (("weight", weight), *(("bias", b) for b in bias)):
            self._state[f"layers.{layer}.{inner}{name}"] = torch.from_numpy(np.array(values))
        return held, max(options["strides"])

    def _resize(self, output: str, options: dict[str, Any]) -> dict[str, Any]:
        """A resize goes to the size of an earlier tensor, so that it does so for every picture."""
        mode = options["coordinate_transformation_mode"].decode()
        if mode == "asymmetric":
            raise LoadError(f"{self._source} resizes with neither corners nor centres aligned, which torch cannot")
        like = [name for name in self._stride if self._dims.get(name, ())[2:] == self._dims[output][2:]]
        if not like:
            raise LoadError(f"{self._source} resizes to {self._dims[output]}, a size that nothing before it has")
        return {"like": like[-1], "align_corners": mode == "align_corners"}


def _layer(node: Node) -> nn.Module:
    """The module that holds a node's weights, which are not set yet."""
    options = node.options
    if node.kind == "Constant":
        return Constant(options["dims"])
    (inputs, outputs), groups = options["channels"], options["groups"]
    left, right, top, bottom = edges = tuple(options["edges"])
    given = {"stride": options["stride"], "dilation": options["dilation"], "groups": groups, "bias": options["bias"]}
    if node.kind == "ConvTranspose":
        up = nn.ConvTranspose2d(inputs, outputs, options["kernel"], output_padding=options["extra"], **given)
        return Cropped(up, edges)
    kind = Quick if groups > 1 else nn.Conv2d
    if (left, top) == (right, bottom):
        return kind(inputs, outputs, options["kernel"], padding=(top, left), **given)
    return Padded(kind(inputs, outputs, options["kernel"], **given), edges)
