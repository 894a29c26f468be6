"""Copy this file to `engines/<name>.py`: `<name>` is then an engine.

The contract tests find it by themselves. Delete the file, and everything else still works.
"""

from __future__ import annotations

from collections.abc import Sequence
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from livematte._errors import InferenceError, LoadError, MissingExtra
from livematte._frame import F32
from livematte.engines import (
    DEFAULT_THREADS,
    Tensor,
    check_finite,
    check_inputs,
    fixed_shape,
    refuse_argument,
)
from livematte.engines._file import read

PACKAGE = "some-runtime"
"""Distribution that carries the runtime: its version stands in reports, and ages what was measured."""

READS = (".graph",)
"""File endings that the runtime reads as they are."""

CONVERTS: tuple[str, ...] = ()
"""File endings that `create` converts first; mostly none."""


def installed() -> bool:
    """Whether the runtime can be imported; asked without importing it."""
    return find_spec("some_runtime") is not None


class Template:
    """One loaded graph.

    `run` is called from several threads at once: say here why that is safe.

    Raises:
        LoadError: the runtime cannot load the graph; translate its errors here and nowhere else.
    """

    name = "template"
    runs_on = "CPU"

    def __init__(self, source: Path, threads: int) -> None:
        runtime: Any = import_module("some_runtime")  # write `import some_runtime`
        try:
            # check the file first, see _onnx_file.py: runtimes trust what they are given
            self._graph = runtime.load(read(source), threads=threads)
        except runtime.Error as exc:
            raise LoadError(f"some runtime cannot load {source}: {exc}") from exc
        self.inputs = tuple(Tensor(t.name, fixed_shape(t.name, t.shape, source)) for t in self._graph.inputs)
        self.outputs = tuple(Tensor(t.name, fixed_shape(t.name, t.shape, source)) for t in self._graph.outputs)

    def run(self, inputs: Sequence[F32]) -> list[F32]:
        if self._graph is None:
            raise InferenceError("this engine was closed: make a new session")
        check_inputs(inputs, self.inputs)
        outputs: list[F32] = self._graph.run(inputs)
        check_finite(outputs, self.outputs)
        return outputs

    def close(self) -> None:
        self._graph = None


def create(argument: str | None, *, graph: Path, threads: int | None = None) -> Template:
    """`template`: `argument` is what follows a colon, such as a device."""
    refuse_argument("template", argument)
    if not installed():
        raise MissingExtra('some runtime is not installed: pip install "livematte[template]"')
    return Template(graph, threads or DEFAULT_THREADS)
