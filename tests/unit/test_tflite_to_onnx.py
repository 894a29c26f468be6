"""The conversion against LiteRT: each operator at odd sizes, and whole networks on pictures."""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
import onnxruntime as ort
import pytest
from ai_edge_litert import schema_py_generated as schema
from ai_edge_litert.interpreter import Interpreter

from livematte._errors import LoadError
from livematte.engines import _tflite_to_onnx

F32 = npt.NDArray[np.float32]
U8 = npt.NDArray[np.uint8]

TFLITE = Path(__file__).parents[1] / "golden" / "network-256x144.tflite"
SAME, VALID = 0, 1
RELU, RELU_N1_TO_1, RELU6 = 1, 2, 3


class Net:
    """A TFLite graph of our own, one operator after the other."""

    def __init__(self, *shape: int) -> None:
        self.random = np.random.default_rng(1)
        self.tensors: list[Any] = []
        self.buffers: list[Any] = [schema.BufferT()]
        self.operators: list[Any] = []
        self.codes: list[Any] = []
        self.input = self.tensor(shape)
        self.last = self.input

    def tensor(self, shape: Iterable[int], values: npt.NDArray[Any] | None = None) -> int:
        tensor = schema.TensorT()
        tensor.shape, tensor.name = list(shape), f"tensor {len(self.tensors)}".encode()
        tensor.type, tensor.buffer = schema.TensorType.FLOAT32, 0
        if values is not None:
            kinds = {np.dtype(np.float32): 0, np.dtype(np.float16): 1, np.dtype(np.int32): 2, np.dtype(np.uint8): 3}
            tensor.type, tensor.buffer = kinds[values.dtype], len(self.buffers)
            buffer = schema.BufferT()
            buffer.data = np.frombuffer(values.tobytes(), np.uint8)
            self.buffers.append(buffer)
        self.tensors.append(tensor)
        return len(self.tensors) - 1

    def weights(self, *shape: int) -> int:
        return self.tensor(shape, self.random.normal(0, 0.5, shape).astype(np.float32))

    def numbers(self, *values: Any) -> int:
        array = np.array(values, np.int32)
        return self.tensor(array.shape, array)

    def add(
        self, name: str, inputs: list[int], shape: tuple[int, ...], options: Any = None, custom: bytes = b""
    ) -> Net:
        """Append an operator whose output has `shape`."""
        code = schema.OperatorCodeT()
        builtin = getattr(schema.BuiltinOperator, name, schema.BuiltinOperator.CUSTOM)
        code.builtinCode, code.deprecatedBuiltinCode, code.version = builtin, min(builtin, 127), 1
        operator = schema.OperatorT()
        operator.opcodeIndex = len(self.codes)
        if builtin == schema.BuiltinOperator.CUSTOM:
            code.customCode = name.encode()
            operator.customOptions = np.frombuffer(custom, np.uint8)
        if options is not None:
            kind = type(options).__name__.removesuffix("T")
            operator.builtinOptionsType = getattr(schema.BuiltinOptions, kind)
            operator.builtinOptions = options
        self.last = self.tensor(shape)
        operator.inputs, operator.outputs = inputs, [self.last]
        self.codes.append(code)
        self.operators.append(operator)
        return self

    def bytes(self) -> bytes:
        import flatbuffers

        graph = schema.SubGraphT()
        graph.tensors, graph.operators = self.tensors, self.operators
        graph.inputs, graph.outputs = [self.input], [self.last]
        model = schema.ModelT()
        model.version, model.subgraphs = 3, [graph]
        model.buffers, model.operatorCodes = self.buffers, self.codes
        builder = flatbuffers.Builder(1024)
        builder.Finish(model.Pack(builder), b"TFL3")
        return bytes(builder.Output())


def options(kind: str, **values: Any) -> Any:
    result = getattr(schema, f"{kind}OptionsT")()
    for name, value in values.items():
        assert hasattr(result, name), name
        setattr(result, name, value)
    return result


def conv(kernel: int, stride: int, padding: int, dilation: int = 1, activation: int = 0) -> Net:
    size = [-(-n // stride) if padding == SAME else (n - (kernel - 1) * dilation - 1) // stride + 1 for n in (13, 18)]
    net = Net(1, 13, 18, 3)
    return net.add(
        "CONV_2D",
        [net.input, net.weights(5, kernel, kernel, 3), net.weights(5)],
        (1, *size, 5),
        options(
            "Conv2D", padding=padding, strideH=stride, strideW=stride, fusedActivationFunction=activation,
            dilationHFactor=dilation, dilationWFactor=dilation,
        ),
    )  # fmt: skip


def depthwise(kernel: int, stride: int, multiplier: int) -> Net:
    net, channels = Net(1, 13, 18, 4), 4 * multiplier
    return net.add(
        "DEPTHWISE_CONV_2D",
        [net.input, net.weights(1, kernel, kernel, channels), net.weights(channels)],
        (1, -(-13 // stride), -(-18 // stride), channels),
        options(
            "DepthwiseConv2D", padding=SAME, strideH=stride, strideW=stride, depthMultiplier=multiplier,
            fusedActivationFunction=RELU, dilationHFactor=1, dilationWFactor=1,
        ),
    )  # fmt: skip


def transposed(kernel: int, padding: int, *, mediapipe: bool) -> Net:
    net = Net(1, 5, 7, 3)
    size = (10, 14) if padding == SAME else (4 * 2 + kernel, 6 * 2 + kernel)
    weights, bias = net.weights(2, kernel, kernel, 3), net.weights(2)
    if mediapipe:
        custom = struct.pack("<3i", 1 if padding == SAME else 2, 2, 2)
        return net.add("Convolution2DTransposeBias", [net.input, weights, bias], (1, *size, 2), None, custom)
    inputs = [net.numbers(1, *size, 2), weights, net.input, bias]
    net.add("TRANSPOSE_CONV", inputs, (1, *size, 2), options("TransposeConv", padding=padding, strideH=2, strideW=2))
    net.codes[-1].version = 3  # the first with a bias
    return net


def resize(*, align: bool, half: bool, size: tuple[int, int]) -> Net:
    net = Net(1, 5, 7, 3)
    return net.add(
        "RESIZE_BILINEAR", [net.input, net.numbers(*size)], (1, *size, 3),
        options("ResizeBilinear", alignCorners=align, halfPixelCenters=half),
    )  # fmt: skip


def pool(kind: str, filter_size: tuple[int, int], stride: int, padding: int, size: tuple[int, int]) -> Net:
    net = Net(1, 9, 11, 3)
    return net.add(
        f"{kind}_POOL_2D", [net.input], (1, *size, 3),
        options(
            "Pool2D", padding=padding, strideH=stride, strideW=stride,
            filterHeight=filter_size[0], filterWidth=filter_size[1],
        ),
    )  # fmt: skip


def binary(name: str, kind: str, shape: tuple[int, ...], activation: int = 0) -> Net:
    net = Net(1, 4, 5, 3)
    return net.add(
        name, [net.input, net.weights(*shape)], (1, 4, 5, 3), options(kind, fusedActivationFunction=activation)
    )


def unary(name: str, kind: str | None = None, **values: Any) -> Net:
    net = Net(1, 4, 5, 3)
    return net.add(name, [net.input], (1, 4, 5, 3), options(kind, **values) if kind else None)


def pad() -> Net:
    net = Net(1, 4, 5, 3)
    return net.add("PAD", [net.input, net.numbers([0, 0], [1, 2], [3, 4], [0, 1])], (1, 7, 12, 4), options("Pad"))


def mean() -> Net:
    net = Net(1, 4, 5, 3)
    return net.add("MEAN", [net.input, net.numbers(1, 2)], (1, 1, 1, 3), options("Reducer", keepDims=True))


def concatenation(axis: int) -> Net:
    net = Net(1, 4, 5, 3)
    shape = [1, 4, 5, 3]
    shape[axis] *= 2
    return net.add("CONCATENATION", [net.input, net.input], tuple(shape), options("Concatenation", axis=axis))


def half_weights() -> Net:
    """Weights kept as float16, as MediaPipe keeps them."""
    net = Net(1, 6, 6, 3)
    half = net.tensor((4, 3, 3, 3), net.random.normal(0, 0.5, (4, 3, 3, 3)).astype(np.float16))
    net.add("DEQUANTIZE", [half], (4, 3, 3, 3), options("Dequantize"))
    full, bias = net.last, net.weights(4)
    conv_options = options("Conv2D", padding=SAME, strideH=1, strideW=1, dilationHFactor=1, dilationWFactor=1)
    return net.add("CONV_2D", [net.input, full, bias], (1, 6, 6, 4), conv_options)


NETS: dict[str, Callable[[], Net]] = {
    "conv 1x1": lambda: conv(1, 1, SAME),
    "conv 3x3 same stride 2": lambda: conv(3, 2, SAME, activation=RELU),
    "conv 4x4 same stride 3": lambda: conv(4, 3, SAME, activation=RELU6),
    "conv 3x3 valid": lambda: conv(3, 1, VALID, activation=RELU_N1_TO_1),
    "conv 3x3 dilated": lambda: conv(3, 1, SAME, dilation=2),
    "depthwise 5x5 stride 2": lambda: depthwise(5, 2, 1),
    "depthwise, two outputs a channel": lambda: depthwise(3, 1, 2),
    "transposed 2x2": lambda: transposed(2, SAME, mediapipe=False),
    "transposed 3x3 same": lambda: transposed(3, SAME, mediapipe=False),
    "transposed 3x3 valid": lambda: transposed(3, VALID, mediapipe=False),
    "mediapipe transposed 2x2": lambda: transposed(2, SAME, mediapipe=True),
    "resize half pixel": lambda: resize(align=False, half=True, size=(10, 14)),
    "resize aligned corners": lambda: resize(align=True, half=False, size=(13, 20)),
    "resize plain": lambda: resize(align=False, half=False, size=(9, 8)),
    "average of all": lambda: pool("AVERAGE", (9, 11), 9, VALID, (1, 1)),
    "average 3x3 same": lambda: pool("AVERAGE", (3, 3), 2, SAME, (5, 6)),
    "maximum 2x2 valid": lambda: pool("MAX", (2, 2), 2, VALID, (4, 5)),
    "add channels": lambda: binary("ADD", "Add", (3,), RELU6),
    "add a scalar": lambda: binary("ADD", "Add", ()),
    "multiply by a picture": lambda: binary("MUL", "Mul", (1, 4, 5, 3)),
    "multiply by a column": lambda: binary("MUL", "Mul", (1, 4, 1, 1)),
    "subtract": lambda: binary("SUB", "Sub", (1, 1, 1, 3), RELU),
    "relu": lambda: unary("RELU"),
    "relu6": lambda: unary("RELU6"),
    "hard swish": lambda: unary("HARD_SWISH"),
    "logistic": lambda: unary("LOGISTIC"),
    "softmax": lambda: unary("SOFTMAX", "Softmax", beta=1.0),
    "pad": pad,
    "mean": mean,
    "concatenate channels": lambda: concatenation(3),
    "concatenate rows": lambda: concatenation(1),
    "float16 weights": half_weights,
}


def run_litert(data: bytes, picture: F32) -> F32:
    interpreter = Interpreter(model_content=data, num_threads=1)
    interpreter.allocate_tensors()
    interpreter.set_tensor(interpreter.get_input_details()[0]["index"], picture)
    interpreter.invoke()
    result: F32 = interpreter.get_tensor(interpreter.get_output_details()[0]["index"])
    return result


def run_converted(data: bytes, picture: F32) -> F32:
    session = ort.InferenceSession(_tflite_to_onnx.convert(data), providers=["CPUExecutionProvider"])
    planar = np.ascontiguousarray(picture.transpose(0, 3, 1, 2))
    result: F32 = session.run(None, {session.get_inputs()[0].name: planar})[0].transpose(0, 2, 3, 1)
    return result


@pytest.mark.parametrize("name", NETS)
def test_operator(name: str) -> None:
    net = NETS[name]()
    data = net.bytes()
    shape = net.tensors[net.input].shape
    picture = np.random.default_rng(2).normal(0, 4, shape).astype(np.float32)  # reaches both ends of every clip
    expected = run_litert(data, picture)
    got = run_converted(data, picture)
    assert got.shape == expected.shape
    np.testing.assert_allclose(got, expected, atol=2e-5, rtol=1e-5)


def pictures(rgb: U8, height: int, width: int) -> Iterable[F32]:
    """The picture whole, mirrored and cropped, at the network's size.

    Not darkened: where a network is unsure, float32 itself is off by more than the tolerance
    (ONNX Runtime against an evaluation in float64: 1.3e-4 at one pixel).
    """
    for view in (rgb, rgb[:, ::-1], rgb[:256], rgb[100:400, 50:300]):
        small = cv2.resize(np.ascontiguousarray(view), (width, height), interpolation=cv2.INTER_AREA)
        yield small[None].astype(np.float32) / np.float32(255)


def check_network(data: bytes, rgb: U8, tolerance: float) -> None:
    interpreter = Interpreter(model_content=data)
    _, height, width, _ = interpreter.get_input_details()[0]["shape"]
    for picture in pictures(rgb, int(height), int(width)):
        expected = run_litert(data, picture)
        assert expected.std() > 0.01, "a flat output would compare equal to anything flat"
        assert np.abs(run_converted(data, picture) - expected).max() < tolerance


def test_a_whole_network(astronaut: U8) -> None:
    check_network(TFLITE.read_bytes(), astronaut, 1e-4)


@pytest.mark.parametrize(
    ("path", "tolerance"),
    [
        ("mediapipe/selfie_segmentation_landscape.tflite", 1e-4),
        ("mediapipe/selfie_segmentation.tflite", 1e-4),
        ("deeplabv3/deeplabv3_257_mv_gpu.tflite", 1e-3),  # logits up to 22, not probabilities
        ("bodypix/body-pix-float-050-8.tflite", 1e-3),
    ],
)
def test_published_network(path: str, tolerance: float, shared: Callable[[str], Path], astronaut: U8) -> None:
    check_network(shared(f"weights/{path}").read_bytes(), astronaut, tolerance)


def test_inputs_and_outputs_are_planar() -> None:
    session = ort.InferenceSession(_tflite_to_onnx.convert(TFLITE.read_bytes()), providers=["CPUExecutionProvider"])
    assert session.get_inputs()[0].shape == [1, 3, 144, 256]
    assert session.get_outputs()[0].shape == [1, 1, 144, 256]


def test_no_transpose_is_left() -> None:
    import onnx

    model = onnx.load_from_string(_tflite_to_onnx.convert(TFLITE.read_bytes()))
    assert "Transpose" not in {node.op_type for node in model.graph.node}


def test_conversion_is_deterministic() -> None:
    data = TFLITE.read_bytes()
    assert _tflite_to_onnx.convert(data) == _tflite_to_onnx.convert(data)


def test_unknown_operator_is_named_with_the_way_out() -> None:
    with pytest.raises(LoadError, match=r"net\.tflite uses the operator TANH.*--engine litert"):
        _tflite_to_onnx.convert(unary("TANH").bytes(), "net.tflite")


def test_other_files_are_refused() -> None:
    with pytest.raises(LoadError, match="not a TFLite file"):
        _tflite_to_onnx.convert(b"GIF89a and so on", "net.tflite")


@pytest.mark.parametrize("keep", [8, 100, 5000, 200_000])
def test_truncated_files_are_refused(keep: int) -> None:
    with pytest.raises(LoadError, match=r"net\.tflite"):
        _tflite_to_onnx.convert(TFLITE.read_bytes()[:keep], "net.tflite")


def test_integer_networks_are_refused() -> None:
    net = Net(1, 4, 4, 3)
    quantised = net.tensor((2,), np.zeros(2, np.uint8))
    net.add("DEQUANTIZE", [quantised], (2,), options("Dequantize"))
    with pytest.raises(LoadError, match="net"):
        _tflite_to_onnx.convert(net.bytes(), "net.tflite")
