"""A network as TFLite, by litert-torch; smaller by ai-edge-quantizer. Adapter of both."""

from __future__ import annotations

import contextlib
import os
import tempfile
import warnings
from collections.abc import Iterable, Iterator, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import torch

from livematte._errors import MissingExtra
from livematte._frame import F32, Size
from livematte.training.net import Matting

OLD_OPERATORS = 127
"""Largest operator number of TFLite's old field. Source: TFLite schema 3a, OperatorCode."""

SIGNATURE = "serving_default"
"""Name that litert-torch gives to a graph's only entry."""


def tflite_graph(net: Matting, size: Size) -> bytes:
    """A TFLite model in float32: (1, h, w, 3) in, (1, h, w, 1) out.

    A recurrent network takes the previous alpha (1, h, w, 1) as well.

    Args:
        net: in evaluation mode.
        size: of the picture; the graph takes no other.

    Raises:
        MissingExtra: litert-torch is not installed.
    """
    _require()
    import litert_torch

    with _quiet(), tempfile.TemporaryDirectory() as folder:
        last = litert_torch.to_channel_last_io(net, args=list(range(len(net.planes))), outputs=[0]).eval()
        given = tuple(torch.zeros(1, size.height, size.width, count) for count in net.planes)
        converted = litert_torch.convert(last, given)
        path = Path(folder) / "graph.tflite"
        converted.export(str(path))
        return path.read_bytes()


def half(graph: bytes) -> bytes:
    """The same with weights in float16, computed in float32: half the bytes.

    Raises:
        MissingExtra: ai-edge-quantizer is not installed.
    """
    _require()
    from ai_edge_quantizer import qtyping, quantizer
    from ai_edge_quantizer.algorithm_manager import AlgorithmName

    weights = qtyping.TensorQuantizationConfig(num_bits=16, dtype=qtyping.TensorDataType.FLOAT)
    with _quiet():
        job = quantizer.Quantizer(graph)
        job.update_quantization_recipe(
            regex=".*",
            operation_name=qtyping.TFLOperationName.ALL_SUPPORTED,
            op_config=qtyping.OpQuantizationConfig(weight_tensor_config=weights, explicit_dequantize=True),
            algorithm_key=AlgorithmName.FLOAT_CASTING,
        )
        return _readable(job.quantize(enable_progress_report=False).quantized_model)


def dynamic(graph: bytes) -> bytes:
    """The same with weights in int8 and activations in float32, which each layer turns to int8 as it runs.

    Raises:
        MissingExtra: ai-edge-quantizer is not installed.
    """
    _require()
    from ai_edge_quantizer import quantizer, recipe

    with _quiet():
        job = quantizer.Quantizer(graph, recipe.dynamic_wi8_afp32())
        return _readable(job.quantize(enable_progress_report=False).quantized_model)


def eighth(graph: bytes, samples: Iterable[Sequence[F32]]) -> bytes:
    """The same with weights and activations in int8, calibrated on samples; float32 in and out.

    Args:
        graph: of `tflite_graph`.
        samples: its inputs, float32 in 0-1, like those it will see: a picture (1, h, w, 3), and the previous
            alpha (1, h, w, 1) if it takes one.

    Raises:
        MissingExtra: ai-edge-quantizer is not installed.
    """
    _require()
    from ai_edge_litert.interpreter import Interpreter
    from ai_edge_quantizer import qtyping, quantizer, recipe
    from ai_edge_quantizer.algorithm_manager import AlgorithmName

    details = Interpreter(model_content=graph).get_signature_runner().get_input_details()
    names = {tuple(detail["shape"]): name for name, detail in details.items()}
    given = [{names[array.shape]: array for array in sample} for sample in samples]
    with _quiet():
        job = quantizer.Quantizer(graph, recipe.static_wi8_ai8())
        for end in (qtyping.TFLOperationName.INPUT, qtyping.TFLOperationName.OUTPUT):
            job.update_quantization_recipe(regex=".*", operation_name=end, algorithm_key=AlgorithmName.NO_QUANTIZE)
        ranges = job.calibrate({SIGNATURE: given})
        return _readable(job.quantize(ranges, enable_progress_report=False).quantized_model)


def _readable(graph: Any) -> bytes:
    """The graph with the operators' numbers also in the field that older readers know.

    The quantiser fills the new one only, and such readers take its operators for ADD, number 0.
    """
    from ai_edge_litert.tools import flatbuffer_utils

    model = flatbuffer_utils.read_model_from_bytearray(bytearray(graph))
    for code in model.operatorCodes:
        code.deprecatedBuiltinCode = min(code.builtinCode, OLD_OPERATORS)
    return bytes(flatbuffer_utils.convert_object_to_bytearray(model))


def _require() -> None:
    if find_spec("litert_torch") is None or find_spec("ai_edge_quantizer") is None:
        raise MissingExtra(
            'TFLite export needs litert-torch: pip install "livematte[train,tflite]", or pass --format onnx'
        )


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Without the converters' progress, which they write on stdout, and their own deprecations."""
    with (
        warnings.catch_warnings(),
        Path(os.devnull).open("w", encoding="utf-8") as nowhere,
        contextlib.redirect_stdout(nowhere),
        contextlib.redirect_stderr(nowhere),
    ):
        warnings.simplefilter("ignore")
        yield
