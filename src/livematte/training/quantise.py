"""Graphs in int8: ONNX by ONNX Runtime's own quantiser. The TFLite one is in `_tflite`."""

from __future__ import annotations

import logging
import tempfile
import warnings
from collections.abc import Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from livematte._errors import MissingExtra
from livematte._frame import F32
from livematte.engines import _quiet


def onnx_int8(graph: bytes, samples: Sequence[Mapping[str, F32]]) -> bytes:
    """An ONNX graph with weights and activations in int8, weights channel by channel; float32 in and out.

    Args:
        graph: serialised, in float32.
        samples: its inputs by name, float32 in 0-1, for the ranges of activations.

    Raises:
        MissingExtra: `onnx` is not installed.
    """
    if find_spec("onnx") is None:
        raise MissingExtra('int8 export needs onnx: pip install "livematte[train]"')
    _quiet.onnxruntime()
    from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_static

    class Samples(CalibrationDataReader):  # type: ignore[misc]
        def __init__(self) -> None:
            self._next = iter(samples)

        def get_next(self) -> dict[str, Any] | None:
            sample = next(self._next, None)
            return None if sample is None else dict(sample)

    logger = logging.getLogger()
    level = logger.level
    logger.setLevel(logging.ERROR)  # it advises to run a preprocessing that changes nothing here
    try:
        with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
            warnings.simplefilter("ignore")
            before, after = Path(folder) / "float.onnx", Path(folder) / "int8.onnx"
            before.write_bytes(graph)
            quantize_static(
                str(before),
                str(after),
                Samples(),
                quant_format=QuantFormat.QDQ,
                per_channel=True,
                activation_type=QuantType.QUInt8,
                weight_type=QuantType.QInt8,
            )
            return after.read_bytes()
    finally:
        logger.setLevel(level)
