"""LiteRT (TensorFlow Lite with XNNPACK) on the CPU, for .tflite graphs."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from livematte._errors import InferenceError, LoadError, MissingExtra
from livematte._frame import F32
from livematte.engines import (
    DEFAULT_THREADS,
    Tensor,
    _tflite_file,
    check_finite,
    check_inputs,
    fixed_shape,
    refuse_argument,
)
from livematte.engines._file import read

PACKAGE = "ai-edge-litert"
READS = (".tflite",)
CONVERTS: tuple[str, ...] = ()


def installed() -> bool:
    """Whether LiteRT is there."""
    return find_spec("ai_edge_litert") is not None


class LiteRT:
    """A graph in as many interpreters as threads run it at the same time.

    An interpreter is not thread safe: each run borrows an idle one, and a new one is
    made only when none is idle. They share the bytes of the graph.

    Raises:
        LoadError: the graph is no such graph.
    """

    name = "litert"
    runs_on = "CPU, XNNPACK"

    def __init__(self, graph: bytes, source: Path, threads: int) -> None:
        self._graph: bytes | None = graph
        self._source, self._threads = source, threads
        self._lock = threading.Lock()
        first = self._interpreter(graph)
        self._input_ids, self.inputs = _tensors(first.get_input_details(), source)
        self._output_ids, self.outputs = _tensors(first.get_output_details(), source)
        self._idle: list[Any] = [first]

    def run(self, inputs: Sequence[F32]) -> list[F32]:
        check_inputs(inputs, self.inputs)
        interpreter = self._borrow()
        try:
            for index, array in zip(self._input_ids, inputs, strict=True):
                interpreter.set_tensor(index, array)
            interpreter.invoke()
            outputs: list[F32] = [interpreter.get_tensor(index) for index in self._output_ids]
        except (RuntimeError, ValueError) as exc:  # not given back: its state is unknown
            raise InferenceError(f"LiteRT failed: {exc}") from exc
        with self._lock:
            if self._graph is not None:
                self._idle.append(interpreter)
        check_finite(outputs, self.outputs)
        return outputs

    def close(self) -> None:
        with self._lock:
            self._graph = None
            self._idle.clear()

    def _borrow(self) -> Any:
        with self._lock:
            graph = self._graph
            if graph is None:
                raise InferenceError("this engine was closed: make a new session")
            if self._idle:
                return self._idle.pop()
        try:
            return self._interpreter(graph)
        except LoadError as exc:
            raise InferenceError(str(exc)) from exc

    def _interpreter(self, graph: bytes) -> Any:
        from ai_edge_litert.interpreter import Interpreter

        try:
            interpreter = Interpreter(model_content=graph, num_threads=self._threads)
            interpreter.allocate_tensors()
        except (RuntimeError, ValueError) as exc:
            raise LoadError(f"LiteRT cannot load {self._source}: {' '.join(str(exc).split())}") from exc
        return interpreter


def _tensors(details: Sequence[Any], source: Path) -> tuple[list[int], tuple[Tensor, ...]]:
    for detail in details:
        if detail["dtype"] is not np.float32:
            raise LoadError(
                f"{source}: {detail['name']} is {np.dtype(detail['dtype']).name}, expected float32: "
                "export it with float inputs and outputs"
            )
    tensors = (Tensor(d["name"], fixed_shape(d["name"], d["shape_signature"], source)) for d in details)
    return [int(d["index"]) for d in details], tuple(tensors)


def create(argument: str | None, *, graph: Path, threads: int | None = None) -> LiteRT:
    """`litert`.

    Args:
        argument: nothing to choose.
        graph: a .tflite file.
        threads: None for one.

    Raises:
        MissingExtra: LiteRT is not installed.
        LoadError: the file cannot be read, is damaged, or is of another kind.
    """
    refuse_argument("litert", argument)
    if graph.suffix != ".tflite":
        raise LoadError(
            f"LiteRT runs .tflite files, got {graph.name}: "
            "use --engine onnxruntime, or the .tflite file of this network"
        )
    if not installed():
        raise MissingExtra('LiteRT is not installed: pip install "livematte[litert]"')
    data = read(graph)
    _tflite_file.check(data, graph)
    return LiteRT(data, graph, threads or DEFAULT_THREADS)
