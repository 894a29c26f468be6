"""Graphs that are made from published ones, once for each content, and kept in the cache."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from livematte import _weights
from livematte._errors import LoadError, MissingExtra, WeightsError
from livematte._frame import Size
from livematte.engines import _onnx_file
from livematte.engines._file import read, write_atomically

PICTURE_AXES, COLOURS = 4, 3

SHORT_DIGITS = 16
"""Of a checksum in a file's name."""


def derived(source: Path, kind: str, make: Callable[[bytes], bytes]) -> Path:
    """The file that `make` makes of `source`, in the cache's folder `converted`.

    Args:
        source: a file of weights, already checked.
        kind: says what is made and how, part of the name: another kind or content is another file.
        make: from the bytes of the one to those of the other.

    Raises:
        WeightsError: the cache cannot be written.
        LoadError: the source cannot be read; and whatever `make` raises.
    """
    data = read(source)
    name = f"{source.stem}-{hashlib.sha256(data).hexdigest()[:SHORT_DIGITS]}-{kind}.onnx"
    target = _weights.cache_dir() / "converted" / name
    if not _whole(target):
        try:
            write_atomically(target, make(data))
        except OSError as exc:
            raise WeightsError(
                f"cannot write {target}: {exc.strerror or exc}. LIVEMATTE_CACHE names another folder"
            ) from exc
    return target


def _whole(path: Path) -> bool:
    """Whether a graph is there, and not harmed."""
    try:
        _onnx_file.check(read(path), path)
    except LoadError:
        return False
    return True


def read_onnx(data: bytes, source: str) -> Any:
    """An ONNX model as `onnx` has it.

    Raises:
        MissingExtra: `onnx` is not installed.
        LoadError: it is no such model.
    """
    try:
        import onnx
    except ImportError as exc:
        raise MissingExtra(f'{source} is rewritten before it runs: pip install "livematte[convert]"') from exc
    _onnx_file.check(data, Path(source))
    try:
        return onnx.load_from_string(data)
    except Exception as exc:  # protobuf's errors share no class over its versions
        raise LoadError(f"{source} is no ONNX file: {' '.join(str(exc).split())}") from exc


def fixed(
    data: bytes,
    source: str,
    shapes: Mapping[str, Sequence[int]],
    constants: Mapping[str, npt.NDArray[Any]] | None = None,
) -> bytes:
    """A graph whose inputs have fixed shapes, and some of them fixed values.

    Args:
        data: ONNX model whose inputs leave axes open.
        source: its name, for messages.
        shapes: of inputs by name, batch first; inputs that are not named stay as they are.
        constants: values of inputs that are none any more.

    Raises:
        MissingExtra: `onnx` is not installed.
        LoadError: no such model, or none with these inputs.
    """
    model = read_onnx(data, source)
    from onnx import numpy_helper

    constants = constants or {}
    graph, inputs = model.graph, {value.name: value for value in model.graph.input}
    if missing := [name for name in (*shapes, *constants) if name not in inputs]:
        raise LoadError(f"{source} has the inputs {', '.join(inputs)}, expected {', '.join(missing)} among them")
    for name, shape in shapes.items():
        dims = inputs[name].type.tensor_type.shape.dim
        if len(dims) != len(shape):
            raise LoadError(f"{source}: {name} has {len(dims)} axes, expected {len(shape)}: {tuple(shape)}")
        for dim, size in zip(dims, shape, strict=True):
            dim.Clear()
            dim.dim_value = size
    for name, value in constants.items():
        graph.input.remove(inputs[name])
        graph.initializer.append(numpy_helper.from_array(np.asarray(value), name))
    # what was inferred for open axes says the same name for different sizes
    del graph.value_info[:]
    for value in graph.output:
        value.type.tensor_type.ClearField("shape")
    return bytes(model.SerializeToString())


def open_picture(model: Any) -> tuple[str, Callable[[Size], tuple[int, ...]]] | None:
    """Name of the only input of an ONNX model, a picture whose size it leaves open, and its shape at a size.

    None if it has another number of inputs or axes, or leaves nothing open.
    """
    known = {value.name for value in model.graph.initializer}
    inputs = [value for value in model.graph.input if value.name not in known]
    dims = [dim.dim_value for dim in inputs[0].type.tensor_type.shape.dim] if len(inputs) == 1 else []
    if len(dims) != PICTURE_AXES or all(dims):
        return None
    if dims[-1] == COLOURS:
        return inputs[0].name, lambda size: (1, size.height, size.width, COLOURS)
    return inputs[0].name, lambda size: (1, COLOURS, size.height, size.width)
