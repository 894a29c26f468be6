"""OpenVINO on the CPU: oneDNN's kernels, at their best on Intel's processors with AMX or AVX-512.

Left alone OpenVINO computes in bfloat16 wherever the processor has it, which moves alpha by 0.3 to 3 of
255 on average and by 18 to 120 at a contour (people-dev, every model here). Float32 is the default
instead, within 0.0003 of 255 of ONNX Runtime's result; `openvino:bf16` is a choice.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from livematte._errors import InferenceError, LoadError, MissingExtra, OptionError
from livematte._frame import F32, Size
from livematte.engines import DEFAULT_THREADS, Tensor, _quiet, _signal_stack, check_finite, check_inputs, fixed_shape
from livematte.engines._converted import CONVERTS, onnx_of
from livematte.engines._file import read

PACKAGE = "openvino"
READS = (".onnx",)
__all__ = ["CONVERTS", "PACKAGE", "READS", "OpenVino", "create", "installed", "variants"]

PRECISIONS = {"f32": "FP32", "bf16": "BF16", "int8": "INT8"}
"""What may stand after the colon, and the capability of the processor that it needs."""

QUANTISED = {"FakeQuantize", "QuantizeLinear", "DequantizeLinear"}
"""Operators of a graph whose weights and values have scales for int8."""


def installed() -> bool:
    """Whether OpenVINO is there."""
    return find_spec("openvino") is not None


def variants() -> tuple[str, ...]:
    """Spellings beside the plain name that this processor computes by itself."""
    return ("openvino:bf16",) if "BF16" in _core().get_property("CPU", "OPTIMIZATION_CAPABILITIES") else ()


class OpenVino:
    """A compiled graph with as many infer requests as threads run it at the same time.

    A request is not thread safe: each run borrows an idle one, and a new one is made only when none is idle.

    Args:
        graph: the file.
        threads: of one run.
        picture: size of the only input where the graph leaves it open.
        precision: of `PRECISIONS`.

    Raises:
        LoadError: no such graph, one with open shapes, or one that is not quantised for int8.
        OptionError: the processor does not compute in this precision.
        MissingExtra: what the conversion needs is not installed, and OpenVINO does not read the file itself.
    """

    name = "openvino"

    def __init__(self, graph: Path, threads: int, picture: Size | None = None, precision: str = "f32") -> None:
        core = _core()
        there = core.get_property("CPU", "OPTIMIZATION_CAPABILITIES")
        if PRECISIONS[precision] not in there:
            raise OptionError(
                f"openvino:{precision}: this processor computes in {', '.join(sorted(there))} only: "
                "use --engine openvino"
            )
        model = _model(core, graph)
        try:
            if precision == "int8" and not QUANTISED & {node.get_type_name() for node in model.get_ops()}:
                raise LoadError(
                    f"{graph} is a float network, openvino:int8 needs a quantised one, such as "
                    "`livematte export --format onnx-int8` writes: use --engine openvino"
                )
            _fix_picture(model, picture)
            self._compiled: Any = core.compile_model(model, "CPU", _settings(threads, precision))
        except LoadError:
            raise
        except Exception as exc:  # its exceptions are RuntimeError, ValueError and others
            raise LoadError(f"OpenVINO cannot load {graph}: {_one_line(exc)}") from exc
        self.inputs = _tensors(self._compiled.inputs, graph)
        self.outputs = _tensors(self._compiled.outputs, graph)
        self.runs_on = f"CPU, {self._compiled.get_property('INFERENCE_PRECISION_HINT').get_type_name()}"
        self._lock = threading.Lock()
        self._idle: list[Any] = []

    def run(self, inputs: Sequence[F32]) -> list[F32]:
        check_inputs(inputs, self.inputs)
        with self._lock:
            compiled = self._compiled
            request = self._idle.pop() if self._idle else None
        if compiled is None:
            raise InferenceError("this engine was closed: make a new session")
        try:
            if request is None:
                request = compiled.create_infer_request()
            # shared memory: the inputs are read where they lie, which run() promises to allow;
            # outputs are copied, since the next run of this request writes over them
            found = request.infer(list(inputs), share_inputs=True, share_outputs=False)
            outputs = [np.array(found[index], np.float32) for index in range(len(self.outputs))]
        except Exception as exc:  # not given back: its state is unknown
            raise InferenceError(f"OpenVINO failed: {_one_line(exc)}") from exc
        with self._lock:
            if self._compiled is not None:
                self._idle.append(request)
        check_finite(outputs, self.outputs)
        return outputs

    def close(self) -> None:
        with self._lock:
            self._compiled = None
            self._idle.clear()


def _core() -> Any:
    """OpenVINO with its CPU plugin loaded."""
    openvino = _quiet.openvino()
    with _signal_stack.kept():
        core = openvino.Core()
        core.get_property("CPU", "FULL_DEVICE_NAME")
    return core


def _settings(threads: int, precision: str) -> dict[str, Any]:
    """What OpenVINO decides by the machine's load and size otherwise."""
    return {
        "PERFORMANCE_HINT": "LATENCY",
        "NUM_STREAMS": 1,
        "INFERENCE_NUM_THREADS": threads,
        # int8 is a property of the graph: what it leaves in float is computed in float32
        "INFERENCE_PRECISION_HINT": "bf16" if precision == "bf16" else "f32",
        "ENABLE_CPU_PINNING": False,  # our own threads, and those of the other stages, move as the system likes
    }


def _model(core: Any, graph: Path) -> Any:
    """The graph as OpenVINO has it: from ONNX, or by its own reader where we have no rule for an operator."""
    try:
        data = onnx_of(graph)
    except (LoadError, MissingExtra) as exc:
        if graph.suffix != ".tflite":
            raise
        from livematte.engines import _tflite_file

        _tflite_file.check(read(graph), graph)  # a damaged file is damaged for everyone
        try:
            return core.read_model(str(graph))
        except Exception as other:
            raise type(exc)(f"{exc}; and OpenVINO's own reader: {_one_line(other)}") from other
    try:
        return core.read_model(data)
    except Exception as exc:  # its exceptions are RuntimeError, ValueError and others
        raise LoadError(f"OpenVINO cannot load {graph}: {_one_line(exc)}") from exc


def _fix_picture(model: Any, picture: Size | None) -> None:
    """Set the open sides of the only input, (1, h, w, 3) or (1, 3, h, w)."""
    if picture is None or len(model.inputs) != 1:
        return
    shape = model.input(0).partial_shape
    if len(shape) != 4 or not shape.is_dynamic:
        return
    at = 2 if shape[1].is_static and shape[1].get_length() == 3 else 1
    shape[at], shape[at + 1] = picture.height, picture.width
    model.reshape(shape)


def _tensors(ports: Sequence[Any], source: Path) -> tuple[Tensor, ...]:
    found = []
    for port in ports:
        name, kind = port.any_name if port.names else "unnamed", port.element_type.get_type_name()
        if kind != "f32":
            raise LoadError(f"{source}: {name} is {kind}, expected f32: export it as float32")
        sides = [side.get_length() if side.is_static else str(side) for side in port.partial_shape]
        found.append(Tensor(name, fixed_shape(name, sides, source)))
    return tuple(found)


def _one_line(exc: BaseException) -> str:
    """The last sentence of an error that OpenVINO gives with the places in its own source."""
    lines = [line.strip() for line in str(exc).splitlines() if line.strip()]
    kept = [line for line in lines if not line.startswith(("Exception from src", "Check '"))]
    return " ".join(kept or lines)[:400]


def create(argument: str | None, *, graph: Path, threads: int | None = None, picture: Size | None = None) -> OpenVino:
    """`openvino`, or `openvino:PRECISION`.

    Args:
        argument: `f32` (the default), `bf16`, or `int8` for a network that was quantised; the latter two
            only where the processor has them.
        graph: an .onnx file, or one that is converted (needs the extra `convert`).
        threads: None for one.
        picture: size of the picture where the graph leaves it open.

    Raises:
        OptionError: no such precision, or the processor does not have it.
        MissingExtra: OpenVINO, or what the conversion needs, is not installed.
        LoadError: the file cannot be read, is damaged, or is of another kind.
    """
    if argument is not None and argument not in PRECISIONS:
        raise OptionError(f"openvino:{argument}: there are {', '.join(PRECISIONS)}")
    if not installed():
        raise MissingExtra('OpenVINO is not installed: pip install "livematte[openvino]"')
    if graph.suffix not in (*READS, *CONVERTS):
        raise LoadError(f"OpenVINO runs .onnx and .tflite files here, got {graph.name}")
    return OpenVino(graph, threads or DEFAULT_THREADS, picture, argument or "f32")
