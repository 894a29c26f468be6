"""PyTorch, for graphics cards (CUDA) and research; on the CPU it is slower than the engines for that.

It runs ONNX graphs, so that every model that ONNX Runtime runs is there with the same weights; see
`_onnx_to_torch.py`. TorchScript and .pt2 files are not read: the one is deprecated, the other
holds pickled Python objects, which a file from elsewhere must not bring.
"""

from __future__ import annotations

from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from livematte._errors import InferenceError, LoadError, MissingExtra, OptionError
from livematte._frame import F32, Size
from livematte.engines import DEFAULT_THREADS, Tensor, check_finite, check_inputs, fixed_shape
from livematte.engines._converted import CONVERTS, onnx_of

PACKAGE = "torch"
READS = (".onnx",)
__all__ = ["CONVERTS", "PACKAGE", "READS", "Torch", "create", "installed", "variants"]


def installed() -> bool:
    """Whether PyTorch is there, and the reader of ONNX files."""
    return find_spec("torch") is not None and find_spec("onnx") is not None


def variants() -> tuple[str, ...]:
    """Spellings beside the plain name for which this machine has a device."""
    import torch

    return ("torch:cpu",) if torch.cuda.is_available() else ()


class Torch:
    """A graph on one device; `run` keeps no state of its own, so threads share it.

    PyTorch's number of threads belongs to the whole process: each run sets it to this engine's.

    Args:
        graph: the file.
        threads: of one run on the CPU.
        picture: size of the only input where the graph leaves it open.
        device: None takes CUDA where it is, else the CPU.

    Raises:
        LoadError: the graph is no such graph, has open shapes, or an operator without a rule.
        OptionError: no such device.
    """

    name = "torch"

    def __init__(self, graph: Path, threads: int, picture: Size | None = None, device: str | None = None) -> None:
        data = onnx_of(graph)
        import onnx
        import torch

        from livematte.engines._onnx_to_torch import Graph

        try:
            self._device = torch.device(device or ("cuda" if torch.cuda.is_available() else "cpu"))
            torch.zeros(1, device=self._device)
        except (RuntimeError, AssertionError) as exc:
            raise OptionError(f"torch:{device} does not work here ({_one_line(exc)}): use torch:cpu") from exc
        self._torch, self._threads = torch, threads
        try:
            model = onnx.load_model_from_string(data)
            self._graph: Graph | None = Graph(model, str(graph), self._device)
            taken = {value.name: value for value in model.graph.input}
            names = self._graph.inputs
            self.inputs = tuple(_input(taken[name], picture if len(names) == 1 else None, graph) for name in names)
            # fixed inputs give fixed outputs; a graph that cannot run says so here and not at the first frame
            arrays = self._arrays(self._graph, [np.zeros(tensor.shape, np.float32) for tensor in self.inputs])
        except LoadError:
            raise
        except Exception as exc:  # protobuf's, onnx's and PyTorch's errors share no class
            raise LoadError(f"PyTorch cannot load {graph}: {_one_line(exc)}") from exc
        self.outputs = tuple(
            Tensor(name, fixed_shape(name, array.shape, graph))
            for name, array in zip(self._graph.outputs, arrays, strict=True)
        )
        cuda = self._device.type == "cuda"
        self.runs_on = f"{self._device}, {torch.cuda.get_device_name(self._device)}" if cuda else str(self._device)

    def run(self, inputs: Sequence[F32]) -> list[F32]:
        graph = self._graph  # kept alive here if another thread closes
        if graph is None:
            raise InferenceError("this engine was closed: make a new session")
        check_inputs(inputs, self.inputs)
        try:
            outputs = self._arrays(graph, inputs)
        except Exception as exc:  # CUDA's errors and those of shapes are RuntimeError, memory's are others
            raise InferenceError(f"PyTorch failed: {_one_line(exc)}") from exc
        check_finite(outputs, self.outputs)
        return outputs

    def close(self) -> None:
        self._graph = None

    def _arrays(self, graph: Any, inputs: Sequence[F32]) -> list[F32]:
        torch = self._torch
        if torch.get_num_threads() != self._threads:
            torch.set_num_threads(self._threads)
        # copies: PyTorch warns of arrays that must not be written to, and may hand an input out again
        given = [torch.from_numpy(np.array(array)) for array in inputs]
        with torch.inference_mode():
            return [np.array(tensor.float().cpu().numpy()) for tensor in graph.run(given)]


def _input(value: Any, picture: Size | None, source: Path) -> Tensor:
    kind = value.type.tensor_type
    if kind.elem_type != 1:
        raise LoadError(
            f"{source}: {value.name} is of ONNX type {kind.elem_type}, expected float: export it as float32"
        )
    sides: list[Any] = [side.dim_value or side.dim_param or "?" for side in kind.shape.dim]
    if picture is not None and len(sides) == 4:
        at = 2 if sides[1] == 3 else 1
        pixels = (picture.height, picture.width)
        sides[at : at + 2] = [p if isinstance(side, str) else side for side, p in zip(sides[at:], pixels, strict=False)]
    return Tensor(value.name, fixed_shape(value.name, sides, source))


def _one_line(exc: BaseException) -> str:
    return (" ".join(str(exc).split()) or type(exc).__name__)[:400]


def create(argument: str | None, *, graph: Path, threads: int | None = None, picture: Size | None = None) -> Torch:
    """`torch`, or `torch:DEVICE`.

    Args:
        argument: `cpu`, `cuda`, `cuda:1` or another device of PyTorch; None takes CUDA where it is.
        graph: an .onnx file, or one that is converted (needs the extra `convert`).
        threads: None for one.
        picture: size of the picture where the graph leaves it open.

    Raises:
        OptionError: no such device.
        MissingExtra: PyTorch, or what the conversion needs, is not installed.
        LoadError: the file cannot be read, is damaged, or is of another kind.
    """
    if not installed():
        raise MissingExtra('PyTorch is not installed: pip install "livematte[torch]"')
    if graph.suffix not in (*READS, *CONVERTS):
        raise LoadError(f"the torch engine runs .onnx and .tflite files, got {graph.name}")
    return Torch(graph, threads or DEFAULT_THREADS, picture, argument)
