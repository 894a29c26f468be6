"""Graphs of other formats as ONNX: converted once for each content, and kept in the cache."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

from livematte import _weights
from livematte._errors import LoadError
from livematte.engines import _onnx_file
from livematte.engines._file import read, write_atomically

CONVERTS = (".tflite", ".json")
"""File endings that become ONNX here. A .json is the model.json of a TensorFlow.js graph model, whatever its
name; its weights lie beside it."""


def can_convert() -> bool:
    """Whether the packages for .tflite graphs are there."""
    return find_spec("onnx") is not None and find_spec("tflite") is not None


def onnx_of(graph: Path) -> bytes:
    """A graph as a checked ONNX model, whatever format its file has.

    Args:
        graph: an .onnx file, which is read, or one of `CONVERTS`, which is converted unless the cache
            holds the result already.

    Raises:
        LoadError: the file cannot be read, is damaged, hostile or has an operator without a rule.
        MissingExtra: the packages of a conversion are not installed.
    """
    data = read(graph)
    if graph.suffix not in CONVERTS:
        _onnx_file.check(data, graph)
        return data
    version, digest, convert = _conversion(graph, data)
    cached = _weights.cache_dir() / "converted" / f"{graph.stem}-{digest[:16]}-v{version}.onnx"
    try:
        kept = cached.read_bytes()
        _onnx_file.check(kept, cached)
        return kept
    except (OSError, LoadError):
        pass  # not there yet, or harmed: make it (again)
    model = convert()
    try:
        write_atomically(cached, model)
    except OSError:
        pass  # a cache that cannot be written only costs the conversion next time
    return model


def _conversion(graph: Path, data: bytes) -> tuple[int, str, Callable[[], bytes]]:
    """Version of the conversion, SHA-256 of all that goes into it, and what does it."""
    if graph.suffix == ".json":
        from livematte.engines import _tfjs_file, _tfjs_to_onnx

        return _tfjs_to_onnx.VERSION, _tfjs_file.digest(graph), lambda: _tfjs_to_onnx.convert(graph)
    from livematte.engines import _tflite_file, _tflite_to_onnx

    _tflite_file.check(data, graph)
    digest = hashlib.sha256(data).hexdigest()
    return _tflite_to_onnx.VERSION, digest, lambda: _tflite_to_onnx.convert(data, str(graph))
