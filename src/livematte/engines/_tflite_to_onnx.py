"""TFLite graphs as ONNX graphs, so that ONNX Runtime runs what is published as .tflite.

Covers float networks made of the operators in `_RULES`, with one static shape per
tensor: MediaPipe selfie, DeepLabV3, BodyPix and our own exports. TFLite keeps pixels
together (NHWC), ONNX keeps channels apart (NCHW): the whole graph is rewritten to NCHW,
its inputs and outputs too, and weights are transposed here once, so that no transpose
is left to run. Weights kept as float16 become float32.

The schema is read with the `tflite` package (generated from TFLite's own schema, pure
Python, no interpreter in it), the graph is written with `onnx`.

Source: TFLite schema 3a (tensorflow/lite/schema/schema.fbs), ONNX operators, opset 17.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from livematte._errors import LoadError, MissingExtra

VERSION = 1
"""Part of the name of cached conversions: raise it when the result changes."""

OPSET = 17
"""ONNX operator set: the first with everything used here that ONNX Runtime 1.14 reads."""

IR_VERSION = 8
"""ONNX file version that goes with opset 17."""

Array = npt.NDArray[Any]
NHWC_TO_NCHW = (0, 3, 1, 2)
DTYPES = {0: np.float32, 1: np.float16, 2: np.int32, 4: np.int64}
"""TFLite TensorType -> NumPy, for what a float graph holds."""


def convert(data: bytes, source: str = "graph") -> bytes:
    """A serialised ONNX model that computes what the TFLite model in `data` computes.

    Args:
        data: contents of a .tflite file.
        source: its name, for messages.

    Returns:
        ONNX model with float32 inputs and outputs, (1, h, w, c) turned into (1, c, h, w).

    Raises:
        LoadError: not a TFLite file, or one with an operator that is not covered.
        MissingExtra: `tflite` or `onnx` is not installed.
    """
    try:
        import onnx  # noqa: F401
        import tflite  # noqa: F401
    except ImportError as exc:
        raise MissingExtra(
            f"ONNX Runtime runs {source} after a conversion that needs two packages: "
            'pip install "livematte[convert]", or run it on LiteRT: pip install "livematte[litert]"'
        ) from exc
    if data[4:8] != b"TFL3":
        raise LoadError(f"{source} is not a TFLite file: it does not carry the mark TFL3")
    try:
        return _Conversion(data, source).onnx()
    except LoadError:
        raise
    except Exception as exc:  # a damaged flatbuffer fails anywhere in its reader, with any error
        raise LoadError(f"{source} is damaged, or no float graph: {exc}") from exc


class _Conversion:
    """One graph on its way: tensors by TFLite index, ONNX nodes and constants so far."""

    def __init__(self, data: bytes, source: str) -> None:
        import tflite

        self._source = source
        self._model = tflite.Model.GetRootAs(data, 0)
        if self._model.SubgraphsLength() != 1:
            raise LoadError(f"{source} has {self._model.SubgraphsLength()} subgraphs; only one can be converted")
        self._graph = self._model.Subgraphs(0)
        self._operators = {v: k for k, v in vars(tflite.BuiltinOperator).items() if isinstance(v, int)}
        self._constants: dict[int, Array] = {}
        self._made: set[int] = set()
        self.nodes: list[Any] = []
        self.initializers: dict[str, Array] = {}

    def onnx(self) -> bytes:
        """Convert every operator and put the ONNX model together."""
        import onnx
        from onnx import helper, numpy_helper

        inputs = [int(i) for i in self._graph.InputsAsNumpy()]
        outputs = [int(i) for i in self._graph.OutputsAsNumpy()]
        self._made.update(inputs)
        for index in range(self._graph.OperatorsLength()):
            self._operator(self._graph.Operators(index))

        def infos(tensors: list[int]) -> list[Any]:
            return [
                helper.make_tensor_value_info(self.name(t), onnx.TensorProto.FLOAT, nchw(self.shape(t)))
                for t in tensors
            ]

        used = {name for node in self.nodes for name in node.input}
        constants = [numpy_helper.from_array(a, name) for name, a in self.initializers.items() if name in used]
        graph = helper.make_graph(self.nodes, "livematte", infos(inputs), infos(outputs), constants)
        model = helper.make_model(
            graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=IR_VERSION, producer_name="livematte"
        )
        onnx.checker.check_model(model)
        return bytes(model.SerializeToString())

    def _operator(self, op: Any) -> None:
        code = self._model.OperatorCodes(op.OpcodeIndex())
        # the old field ends at 127; newer writers put the whole code into the new one
        name = self._operators.get(max(code.BuiltinCode(), code.DeprecatedBuiltinCode()), "unknown")
        if name == "CUSTOM":
            name = (code.CustomCode() or b"").decode("ascii", "replace")
        if name not in _RULES:
            raise LoadError(
                f"{self._source} uses the operator {name}, which has no rule here; covered are "
                f"{', '.join(sorted(_RULES))}. Run it with --engine litert"
            )
        _RULES[name](self, op)
        self._made.update(outputs_of(op))

    # tensors

    def shape(self, tensor: int) -> tuple[int, ...]:
        """Shape as TFLite has it, NHWC."""
        shape = self._graph.Tensors(tensor).ShapeAsNumpy()
        return () if isinstance(shape, int) else tuple(int(n) for n in shape)

    def name(self, tensor: int) -> str:
        """A name that is unique even where the file repeats one."""
        return f"t{tensor}"

    def is_constant(self, tensor: int) -> bool:
        return tensor in self._constants or self._buffer(tensor) is not None

    def _buffer(self, tensor: int) -> Array | None:
        data = self._model.Buffers(self._graph.Tensors(tensor).Buffer()).DataAsNumpy()
        return None if isinstance(data, int) or len(data) == 0 else data

    def constant(self, tensor: int) -> Array:
        """A constant's values, NHWC; float16 as it stands in the file."""
        if tensor in self._constants:
            return self._constants[tensor]
        data, kind = self._buffer(tensor), self._graph.Tensors(tensor).Type()
        if data is None or kind not in DTYPES:
            raise LoadError(
                f"{self._source}: tensor {tensor} should be a constant of a float graph, its type is {kind}"
            )
        return np.frombuffer(data.tobytes(), DTYPES[kind]).reshape(self.shape(tensor))

    def keep(self, tensor: int, values: Array) -> None:
        """Record a tensor whose values are known now."""
        self._constants[tensor] = values

    def value(self, tensor: int) -> str:
        """ONNX name of an operand; constants are brought to a shape that broadcasts in NCHW."""
        if not self.is_constant(tensor):
            if tensor not in self._made:
                raise LoadError(f"{self._source}: tensor {tensor} is used before it is made")
            return self.name(tensor)
        values = self.constant(tensor).astype(np.float32)
        padded = values.reshape((1,) * (4 - values.ndim) + values.shape)  # NHWC broadcasting aligns at the end
        return self.store(f"{self.name(tensor)}_nchw", padded.transpose(NHWC_TO_NCHW))

    def store(self, name: str, values: Array) -> str:
        """Add an initializer."""
        self.initializers[name] = np.ascontiguousarray(values)
        return name

    # nodes

    def node(self, kind: str, inputs: Sequence[str], output: str, **attributes: Any) -> None:
        from onnx import helper

        self.nodes.append(helper.make_node(kind, inputs, [output], **attributes))

    def activated(self, kind: str, inputs: Sequence[str], tensor: int, activation: int, **attributes: Any) -> None:
        """A node that makes `tensor`, and the activation that TFLite fused into it."""
        if activation == 0:  # NONE
            self.node(kind, inputs, self.name(tensor), **attributes)
            return
        plain = f"{self.name(tensor)}_linear"
        self.node(kind, inputs, plain, **attributes)
        self.activation(plain, tensor, activation)

    def activation(self, source: str, tensor: int, activation: int) -> None:
        """ActivationFunctionType 1 RELU, 2 RELU_N1_TO_1, 3 RELU6."""
        if activation == 1:
            self.node("Relu", [source], self.name(tensor))
        elif activation in (2, 3):
            low, high = (-1.0, 1.0) if activation == 2 else (0.0, 6.0)
            bounds = [self.store(f"clip_{v:g}", np.array(v, np.float32)) for v in (low, high)]
            self.node("Clip", [source, *bounds], self.name(tensor))
        else:
            raise LoadError(f"{self._source}: fused activation {activation} has no rule here")


def nchw(shape: tuple[int, ...]) -> tuple[int, ...]:
    """(n, h, w, c) as (n, c, h, w); other ranks cannot stand in a converted graph."""
    if len(shape) != 4:
        raise LoadError(f"pictures have 4 axes (1, h, w, c), got {shape}")
    return tuple(shape[i] for i in NHWC_TO_NCHW)


def inputs_of(op: Any) -> list[int]:
    """Tensor indices of an operator's operands; -1 is an optional one left out."""
    return [int(i) for i in op.InputsAsNumpy()]


def outputs_of(op: Any) -> list[int]:
    return [int(i) for i in op.OutputsAsNumpy()]


def options(op: Any, table: str) -> Any:
    """The operator's options, as the schema's `table`."""
    import tflite

    result, raw = getattr(tflite, table)(), op.BuiltinOptions()
    if raw is None:
        raise LoadError(f"an operator lacks its {table}")
    result.Init(raw.Bytes, raw.Pos)
    return result


def same_pads(size: Sequence[int], kernel: Sequence[int], stride: Sequence[int], dilation: Sequence[int]) -> list[int]:
    """Padding of TensorFlow's SAME: output = ceil(size / stride), the odd pixel at the end.

    Returns:
        [top, left, bottom, right], as ONNX has it.
    """
    total = [
        max((-(-n // s) - 1) * s + (k - 1) * d + 1 - n, 0)
        for n, k, s, d in zip(size, kernel, stride, dilation, strict=True)
    ]
    begin = [t // 2 for t in total]
    return [*begin, *(t - b for t, b in zip(total, begin, strict=True))]


def _convolution(c: _Conversion, op: Any, *, depthwise: bool) -> None:
    opt = options(op, "DepthwiseConv2DOptions" if depthwise else "Conv2DOptions")
    x, w, *rest = inputs_of(op)
    weights = c.constant(w).astype(np.float32)  # (o, kh, kw, i), or (1, kh, kw, o) if depthwise
    kernel = weights.shape[1:3]
    stride, dilation = (opt.StrideH(), opt.StrideW()), (opt.DilationHFactor(), opt.DilationWFactor())
    channels = c.shape(x)[3]
    if depthwise:
        weights, group = weights.transpose(3, 0, 1, 2), channels  # (o, 1, kh, kw)
    else:
        weights, group = weights.transpose(0, 3, 1, 2), channels // weights.shape[3]  # (o, i, kh, kw)
    operands = [c.value(x), c.store(f"{c.name(w)}_oihw", weights)]
    if rest and rest[0] >= 0:
        operands.append(c.store(f"{c.name(rest[0])}_bias", c.constant(rest[0]).astype(np.float32)))
    pads = same_pads(c.shape(x)[1:3], kernel, stride, dilation) if opt.Padding() == 0 else [0, 0, 0, 0]
    c.activated(
        "Conv", operands, outputs_of(op)[0], opt.FusedActivationFunction(),
        kernel_shape=kernel, strides=stride, dilations=dilation, group=group, pads=pads,
    )  # fmt: skip


def _transposed(c: _Conversion, op: Any, x: int, w: int, bias: int, same: bool, stride: tuple[int, int]) -> None:
    """Shared by TFLite's own transposed convolution and MediaPipe's, which has a bias."""
    (out,) = outputs_of(op)
    weights = c.constant(w).astype(np.float32)  # (o, kh, kw, i)
    kernel, size, target = weights.shape[1:3], c.shape(x)[1:3], c.shape(out)[1:3]
    # a transposed convolution undoes a convolution of its output: same padding, cut off here
    pads = same_pads(target, kernel, stride, (1, 1)) if same else [0, 0, 0, 0]
    full = [(n - 1) * s + k for n, s, k in zip(size, stride, kernel, strict=True)]
    missing = [t - (f - pads[i] - pads[i + 2]) for i, (t, f) in enumerate(zip(target, full, strict=True))]
    operands = [c.value(x), c.store(f"{c.name(w)}_iohw", weights.transpose(3, 0, 1, 2))]
    if bias >= 0:
        operands.append(c.store(f"{c.name(bias)}_bias", c.constant(bias).astype(np.float32)))
    c.node(
        "ConvTranspose", operands, c.name(out),
        kernel_shape=kernel, strides=stride, pads=pads, output_padding=missing,
    )  # fmt: skip


def _transpose_conv(c: _Conversion, op: Any) -> None:
    opt = options(op, "TransposeConvOptions")
    _, w, x, *rest = inputs_of(op)
    _transposed(c, op, x, w, rest[0] if rest else -1, opt.Padding() == 0, (opt.StrideH(), opt.StrideW()))


def _transpose_conv_bias(c: _Conversion, op: Any) -> None:
    """MediaPipe's custom operator.

    Its options are a TfLiteTransposeConvParams as it lies in memory: padding (1 same,
    2 valid), stride width, stride height, int32 each.
    """
    padding, stride_w, stride_h = struct.unpack("<3i", bytes(op.CustomOptionsAsNumpy())[:12])
    x, w, bias = inputs_of(op)
    _transposed(c, op, x, w, bias, padding == 1, (stride_h, stride_w))


def _binary(kind: str, table: str) -> Callable[[_Conversion, Any], None]:
    def rule(c: _Conversion, op: Any) -> None:
        a, b = inputs_of(op)
        c.activated(kind, [c.value(a), c.value(b)], outputs_of(op)[0], options(op, table).FusedActivationFunction())

    return rule


def _unary(kind: str, **attributes: Any) -> Callable[[_Conversion, Any], None]:
    def rule(c: _Conversion, op: Any) -> None:
        c.node(kind, [c.value(inputs_of(op)[0])], c.name(outputs_of(op)[0]), **attributes)

    return rule


def _relu6(c: _Conversion, op: Any) -> None:
    c.activation(c.value(inputs_of(op)[0]), outputs_of(op)[0], 3)


def _pool(kind: str) -> Callable[[_Conversion, Any], None]:
    def rule(c: _Conversion, op: Any) -> None:
        opt = options(op, "Pool2DOptions")
        (x, *_), (out,) = inputs_of(op), outputs_of(op)
        size, kernel, stride = c.shape(x)[1:3], (opt.FilterHeight(), opt.FilterWidth()), (opt.StrideH(), opt.StrideW())
        activation = opt.FusedActivationFunction()
        if kernel == size and c.shape(out)[1:3] == (1, 1):
            c.activated(f"Global{kind}", [c.value(x)], out, activation)
            return
        pads = same_pads(size, kernel, stride, (1, 1)) if opt.Padding() == 0 else [0, 0, 0, 0]
        # neither counts padded pixels into an average: TFLite never, ONNX by default
        c.activated(kind, [c.value(x)], out, activation, kernel_shape=kernel, strides=stride, pads=pads)

    return rule


def _mean(c: _Conversion, op: Any) -> None:
    x, axes = inputs_of(op)
    over = sorted(int(a) % 4 for a in c.constant(axes).reshape(-1))
    if over != [1, 2] or not options(op, "ReducerOptions").KeepDims():
        raise LoadError("MEAN is converted over height and width with kept axes only")
    c.node("GlobalAveragePool", [c.value(x)], c.name(outputs_of(op)[0]))


def _resize(c: _Conversion, op: Any) -> None:
    opt = options(op, "ResizeBilinearOptions")
    (x, _), (out,) = inputs_of(op), outputs_of(op)
    mode = "align_corners" if opt.AlignCorners() else "half_pixel" if opt.HalfPixelCenters() else "asymmetric"
    sizes = c.store(f"{c.name(out)}_size", np.array(nchw(c.shape(out)), np.int64))
    c.node("Resize", [c.value(x), "", "", sizes], c.name(out), mode="linear", coordinate_transformation_mode=mode)


def _pad(c: _Conversion, op: Any) -> None:
    x, amounts, *_ = inputs_of(op)
    before_after = c.constant(amounts)[list(NHWC_TO_NCHW)]  # (4, 2)
    pads = c.store(f"{c.name(outputs_of(op)[0])}_pads", before_after.T.reshape(-1).astype(np.int64))
    c.node("Pad", [c.value(x), pads], c.name(outputs_of(op)[0]), mode="constant")


def _concatenation(c: _Conversion, op: Any) -> None:
    opt = options(op, "ConcatenationOptions")
    axis = NHWC_TO_NCHW.index(opt.Axis() % 4)
    operands = [c.value(x) for x in inputs_of(op)]
    c.activated("Concat", operands, outputs_of(op)[0], opt.FusedActivationFunction(), axis=axis)


def _dequantize(c: _Conversion, op: Any) -> None:
    """Weights stored as float16; nothing else is dequantised in a float graph."""
    values = c.constant(inputs_of(op)[0])
    if values.dtype != np.float16:
        raise LoadError(f"DEQUANTIZE of {values.dtype} is not converted: run this graph with --engine litert")
    c.keep(outputs_of(op)[0], values.astype(np.float32))


_RULES: dict[str, Callable[[_Conversion, Any], None]] = {
    "ADD": _binary("Add", "AddOptions"),
    "AVERAGE_POOL_2D": _pool("AveragePool"),
    "CONCATENATION": _concatenation,
    "CONV_2D": lambda c, op: _convolution(c, op, depthwise=False),
    "Convolution2DTransposeBias": _transpose_conv_bias,
    "DEPTHWISE_CONV_2D": lambda c, op: _convolution(c, op, depthwise=True),
    "DEQUANTIZE": _dequantize,
    "HARD_SWISH": _unary("HardSwish"),
    "LOGISTIC": _unary("Sigmoid"),
    "MAX_POOL_2D": _pool("MaxPool"),
    "MEAN": _mean,
    "MUL": _binary("Mul", "MulOptions"),
    "PAD": _pad,
    "RELU": _unary("Relu"),
    "RELU6": _relu6,
    "RESIZE_BILINEAR": _resize,
    "SOFTMAX": _unary("Softmax", axis=1),
    "SUB": _binary("Sub", "SubOptions"),
    "TRANSPOSE_CONV": _transpose_conv,
}
"""TFLite operator -> how it is written in ONNX."""
