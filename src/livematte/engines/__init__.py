"""Engines: run a graph, know nothing of people. One file each; `_template.py` shows how.

An engine module offers

    PACKAGE: str                    distribution that carries the runtime
    READS: tuple[str, ...]          file endings it runs as they are, such as (".onnx",)
    CONVERTS: tuple[str, ...]       endings it runs after a conversion of its own
    installed() -> bool             whether its runtime can be imported, without importing it
    create(argument, *, graph, threads) -> Engine

(an engine that can fix the picture's size of a graph that leaves it open also takes
`picture`, a size) and imports its runtime inside `create`. One loaded engine serves any number of threads.
It may offer

    variants() -> tuple[str, ...]   other spellings that this machine has the device for, such as openvino:bf16

What a graph's file must be before a runtime sees it stands in `_onnx_file.py` and `_tflite_file.py`;
files that nobody vouches for also pass `_trial.py`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import numpy as np

from livematte import _registry
from livematte._errors import InferenceError, LoadError, OptionError
from livematte._frame import F32

DEFAULT_THREADS = 1
"""Threads of an engine that nobody chose a number for. The networks here take 1-4 ms: a
second thread saves at best a quarter of that and costs half as much CPU again (LiteRT,
MediaPipe landscape, two cores), which decoding and encoding can use better."""


@dataclass(frozen=True, slots=True)
class Tensor:
    """A float32 input or output of a graph: its name and its fixed shape."""

    name: str
    shape: tuple[int, ...]


@runtime_checkable
class Engine(Protocol):
    """A loaded graph. `run` may be called from several threads at once."""

    name: str
    """Registry name of the engine."""
    runs_on: str
    """What really computes, as far as the runtime tells: a device, a precision, a provider."""
    inputs: tuple[Tensor, ...]
    outputs: tuple[Tensor, ...]

    def run(self, inputs: Sequence[F32]) -> list[F32]:
        """Outputs for these inputs, both in the graph's order.

        Args:
            inputs: contiguous float32 arrays of the shapes in `inputs`; not modified.

        Returns:
            New float32 arrays of the shapes in `outputs`, all of them finite.

        Raises:
            InferenceError: wrong shapes, a failing runtime, values that are not
                finite, or an engine that was closed.
        """
        ...

    def close(self) -> None:
        """Free the graph; twice is fine. A run under way on another thread ends well."""
        ...


def fixed_shape(name: str, shape: Sequence[Any], source: Path) -> tuple[int, ...]:
    """A tensor's shape as numbers.

    Raises:
        LoadError: an axis without a fixed size.
    """
    if not all(isinstance(n, (int, np.integer)) and n > 0 for n in shape):
        raise LoadError(
            f"{source}: {name} has the shape {list(shape)}, every size must be a fixed number: "
            "export the network with one fixed picture size"
        )
    return tuple(int(n) for n in shape)


def check_inputs(inputs: Sequence[F32], expected: Sequence[Tensor]) -> None:
    """Refuse inputs that the graph was not made for.

    Raises:
        InferenceError: what was got and what the graph takes.
    """
    got = [(a.dtype.name, a.shape) for a in inputs]
    want = [("float32", t.shape) for t in expected]
    if got != want:
        raise InferenceError(f"the graph takes {want}, got {got}")


def check_finite(outputs: Sequence[F32], tensors: Sequence[Tensor]) -> None:
    """Refuse outputs with NaN or infinity: they are no picture of anything.

    Raises:
        InferenceError: names the output.
    """
    for array, tensor in zip(outputs, tensors, strict=True):
        if not np.isfinite(array).all():
            raise InferenceError(f"the network's output {tensor.name} holds values that are not finite")


def refuse_argument(engine: str, argument: str | None) -> None:
    """For engines with nothing to choose after the colon.

    Raises:
        OptionError: there was an argument.
    """
    if argument is not None:
        raise OptionError(f"the engine {engine} takes no argument, got {engine}:{argument}")


def version_of(engine: str) -> str | None:
    """Version of an engine's runtime, without importing it; None if it is not installed."""
    module = _registry.load("engines", _registry.split(engine)[0])
    try:
        return version(getattr(module, "PACKAGE", module.__name__))
    except PackageNotFoundError:
        return None
