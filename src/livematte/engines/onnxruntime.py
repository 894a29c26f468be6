"""ONNX Runtime on the CPU; TFLite and TensorFlow.js graphs are converted once and kept in the cache."""

from __future__ import annotations

import hashlib
import os
import tempfile
from collections.abc import Callable, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from livematte import _weights
from livematte._errors import InferenceError, LoadError, MissingExtra
from livematte._frame import F32, Size
from livematte.engines import (
    DEFAULT_THREADS,
    Tensor,
    _onnx_pads,
    check_finite,
    check_inputs,
    fixed_shape,
    refuse_argument,
)

READS = (".onnx",)
CONVERTS = (".tflite", ".json")
"""A .json is the model.json of a TensorFlow.js graph model, whatever its name; its weights lie beside it."""

LOG_FATAL = 4
"""ONNX Runtime's highest log level: its errors arrive as exceptions, once."""


def installed() -> bool:
    """Whether ONNX Runtime is there."""
    return find_spec("onnxruntime") is not None


def can_convert() -> bool:
    """Whether the packages for .tflite graphs are there."""
    return find_spec("onnx") is not None and find_spec("tflite") is not None


class OnnxRuntime:
    """A graph in an ONNX Runtime session, whose `run` is thread safe by itself.

    Args:
        graph: an ONNX model.
        source: its file, for messages.
        threads: of one run.
        picture: size of the only input where the graph leaves it open.

    Raises:
        LoadError: the graph is no such graph, or has open shapes.
    """

    name = "onnxruntime"

    def __init__(self, graph: bytes, source: Path, threads: int, picture: Size | None = None) -> None:
        import onnxruntime as ort

        options = ort.SessionOptions()
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
        # waiting threads sleep: spinning between 50 pictures a second costs two threads 26 ms
        # of CPU a picture in place of 5 (packaged network), which the other stages need
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        options.log_severity_level = LOG_FATAL
        try:
            session = ort.InferenceSession(graph, options, providers=["CPUExecutionProvider"])
            if picture is not None and (sides := _open_sides(session, picture)):
                for symbol, pixels in sides.items():
                    options.add_free_dimension_override_by_name(symbol, pixels)
                session = ort.InferenceSession(graph, options, providers=["CPUExecutionProvider"])
        except Exception as exc:  # its exceptions share no class of their own
            raise LoadError(f"ONNX Runtime cannot load {source}: {_one_line(exc)}") from exc
        self._session: Any = session
        self.inputs = _tensors(session.get_inputs(), source)
        self.outputs = _outputs(session, self.inputs, source)

    def run(self, inputs: Sequence[F32]) -> list[F32]:
        session = self._session  # kept alive here if another thread closes
        if session is None:
            raise InferenceError("this engine was closed: make a new session")
        check_inputs(inputs, self.inputs)
        feed = {tensor.name: array for tensor, array in zip(self.inputs, inputs, strict=True)}
        try:
            outputs: list[F32] = session.run(None, feed)
        except Exception as exc:  # its exceptions share no class of their own
            raise InferenceError(f"ONNX Runtime failed: {_one_line(exc)}") from exc
        check_finite(outputs, self.outputs)
        return outputs

    def close(self) -> None:
        self._session = None


def _open_sides(session: Any, picture: Size) -> dict[str, int]:
    """Names of the open sizes of the only input (1, h, w, 3) or (1, 3, h, w), and what they become."""
    shapes = [value.shape for value in session.get_inputs()]
    if len(shapes) != 1 or len(shapes[0]) != 4:
        return {}
    at = 2 if shapes[0][1] == 3 else 1
    sides = zip(shapes[0][at : at + 2], (picture.height, picture.width), strict=True)
    return {side: pixels for side, pixels in sides if isinstance(side, str)}


def _outputs(session: Any, inputs: tuple[Tensor, ...], source: Path) -> tuple[Tensor, ...]:
    values = session.get_outputs()
    if all(isinstance(n, int) for value in values for n in value.shape):
        return _tensors(values, source)
    # fixed inputs give fixed outputs, even where shape inference does not get through
    try:
        arrays = session.run(None, {t.name: np.zeros(t.shape, np.float32) for t in inputs})
    except Exception as exc:  # its exceptions share no class of their own
        raise LoadError(f"ONNX Runtime cannot run {source}: {_one_line(exc)}") from exc
    return tuple(Tensor(v.name, fixed_shape(v.name, a.shape, source)) for v, a in zip(values, arrays, strict=True))


def _tensors(values: Sequence[Any], source: Path) -> tuple[Tensor, ...]:
    for value in values:
        if value.type != "tensor(float)":
            raise LoadError(f"{source}: {value.name} is {value.type}, expected tensor(float): export it as float32")
    return tuple(Tensor(v.name, fixed_shape(v.name, v.shape, source)) for v in values)


def _one_line(exc: BaseException) -> str:
    return " ".join(str(exc).split())


def _load_converted(graph: Path, data: bytes, threads: int, picture: Size | None) -> OnnxRuntime:
    """A graph of another format, converted once for each content and kept in the cache."""
    version, digest, convert = _conversion(graph, data)
    cached = _weights.cache_dir() / "converted" / f"{graph.stem}-{digest[:16]}-v{version}.onnx"
    try:
        return OnnxRuntime(cached.read_bytes(), graph, threads, picture)
    except (OSError, LoadError):
        pass  # not there yet, or harmed: make it (again)
    model = convert()
    try:
        _write_atomically(cached, model)
    except OSError:
        pass  # a cache that cannot be written only costs the conversion next time
    return OnnxRuntime(model, graph, threads, picture)


def _conversion(graph: Path, data: bytes) -> tuple[int, str, Callable[[], bytes]]:
    """Version of the conversion, SHA-256 of all that goes into it, and what does it."""
    if graph.suffix == ".json":
        from livematte.engines import _tfjs_file, _tfjs_to_onnx

        return _tfjs_to_onnx.VERSION, _tfjs_file.digest(graph), lambda: _tfjs_to_onnx.convert(graph)
    from livematte.engines import _tflite_to_onnx

    return (
        _tflite_to_onnx.VERSION,
        hashlib.sha256(data).hexdigest(),
        lambda: _tflite_to_onnx.convert(data, str(graph)),
    )


def _write_atomically(path: Path, data: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, part = tempfile.mkstemp(dir=path.parent, prefix=path.name, suffix=".part")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
        Path(part).replace(path)
    except OSError:
        Path(part).unlink()
        raise


def create(
    argument: str | None, *, graph: Path, threads: int | None = None, picture: Size | None = None
) -> OnnxRuntime:
    """`onnxruntime`.

    Args:
        argument: nothing to choose.
        graph: an .onnx file, or a .tflite file or a model.json of TensorFlow.js (which need the extra `convert`).
        threads: None for one.
        picture: size of the picture where the graph leaves it open.

    Raises:
        MissingExtra: ONNX Runtime, or what the conversion needs, is not installed.
        LoadError: the file cannot be read, is damaged, or is of another kind.
    """
    refuse_argument("onnxruntime", argument)
    if not installed():
        raise MissingExtra('ONNX Runtime is not installed: pip install "onnxruntime>=1.20"')
    try:
        data = graph.read_bytes()
    except OSError as exc:
        raise LoadError(f"cannot read {graph}: {exc.strerror or exc}") from exc
    if graph.suffix in CONVERTS:
        return _load_converted(graph, data, threads or DEFAULT_THREADS, picture)
    try:
        return OnnxRuntime(data, graph, threads or DEFAULT_THREADS, picture)
    except LoadError as exc:
        if _onnx_pads.REFUSED not in str(exc):
            raise
        return OnnxRuntime(_onnx_pads.explicit(data, str(graph)), graph, threads or DEFAULT_THREADS, picture)
