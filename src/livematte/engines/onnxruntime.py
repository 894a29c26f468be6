"""ONNX Runtime, on the CPU or, where one is proved to run, on another of its providers.

Graphs of other formats are converted once and kept in the cache.
"""

from __future__ import annotations

import json
import tempfile
from collections import Counter
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from livematte._errors import InferenceError, LoadError, MissingExtra, OptionError
from livematte._frame import F32, Size
from livematte.engines import (
    DEFAULT_THREADS,
    Tensor,
    _onnx_pads,
    _quiet,
    check_finite,
    check_inputs,
    fixed_shape,
)
from livematte.engines._converted import CONVERTS, onnx_of

PACKAGE = "onnxruntime"
READS = (".onnx",)
__all__ = ["CONVERTS", "PACKAGE", "READS", "OnnxRuntime", "create", "installed", "variants"]

CPU = "CPUExecutionProvider"

PROVIDERS = {
    "cuda": "CUDAExecutionProvider",
    "tensorrt": "TensorrtExecutionProvider",
    "migraphx": "MIGraphXExecutionProvider",
    "directml": "DmlExecutionProvider",
    "coreml": "CoreMLExecutionProvider",
    "openvino": "OpenVINOExecutionProvider",
    "qnn": "QNNExecutionProvider",
    "cpu": CPU,
}
"""What may stand after the colon, and the provider of ONNX Runtime that it asks for. All but the last
come with builds of ONNX Runtime of their own, such as onnxruntime-gpu and onnxruntime-directml."""

AGREE = 1 / 255
"""Mean difference to the CPU's outputs, in parts of their largest value, up to which a provider counts as right."""

LOG_FATAL = 4
"""ONNX Runtime's highest log level: its errors arrive as exceptions, once."""


def installed() -> bool:
    """Whether ONNX Runtime is there."""
    return find_spec("onnxruntime") is not None


def variants() -> tuple[str, ...]:
    """Spellings beside the plain name for which this machine has a provider; each proves itself when it is loaded."""
    ort = _quiet.onnxruntime()

    there = ort.get_available_providers()
    return tuple(f"onnxruntime:{name}" for name, provider in PROVIDERS.items() if provider in there and name != "cpu")


class OnnxRuntime:
    """A graph in an ONNX Runtime session, whose `run` is thread safe by itself.

    Args:
        graph: an ONNX model.
        source: its file, for messages.
        threads: of one run.
        picture: size of the only input where the graph leaves it open.
        provider: what runs it; the CPU has what the provider leaves.

    Raises:
        LoadError: the graph is no such graph, or has open shapes; or the provider did not run it, or
            ran it to another result than the CPU's.
    """

    name = "onnxruntime"

    def __init__(
        self, graph: bytes, source: Path, threads: int, picture: Size | None = None, provider: str = CPU
    ) -> None:
        self._session: Any = _session(graph, source, threads, picture, provider)
        self.inputs = _tensors(self._session.get_inputs(), source)
        self.outputs = _outputs(self._session, self.inputs, source)
        self.runs_on = CPU
        if provider != CPU:
            self.runs_on = self._prove(graph, source, picture, provider)

    def _prove(self, graph: bytes, source: Path, picture: Size | None, provider: str) -> str:
        """One inference beside the CPU's: what ran it, by ONNX Runtime's own profile.

        ONNX Runtime falls back to the CPU without a word where a driver is missing or an operator is not
        known, and some providers list themselves as active without running anything.
        """
        random = np.random.default_rng(0)
        inputs = [random.random(tensor.shape, np.float32) for tensor in self.inputs]
        feed = {tensor.name: array for tensor, array in zip(self.inputs, inputs, strict=True)}
        with tempfile.TemporaryDirectory(prefix="livematte-profile-") as folder:
            profiled = _session(graph, source, DEFAULT_THREADS, picture, provider, Path(folder) / "run")
            outputs = profiled.run(None, feed)
            ran = _providers_of(Path(profiled.end_profiling()))
        if not ran.get(provider):
            others = ", ".join(ran) or "nothing"
            raise LoadError(
                f"ONNX Runtime was asked for {provider} and ran {source} on {others}: its driver or libraries are "
                "missing; use --engine onnxruntime"
            )
        expected = _session(graph, source, DEFAULT_THREADS, picture, CPU).run(None, feed)
        for right, got, tensor in zip(expected, outputs, self.outputs, strict=True):
            difference = float(np.abs(right - got).mean())
            if not difference <= AGREE * max(1.0, float(np.abs(right).max())):
                raise LoadError(
                    f"{provider} computes another {tensor.name} of {source} than the CPU (mean difference "
                    f"{difference:.4f}): use --engine onnxruntime"
                )
        return f"{provider} ({ran[provider]} of {sum(ran.values())} operators)"

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


def _session(
    graph: bytes, source: Path, threads: int, picture: Size | None, provider: str, profile: Path | None = None
) -> Any:
    """A session of ONNX Runtime, with open sizes fixed."""
    ort = _quiet.onnxruntime()

    def made(sides: dict[str, int]) -> Any:
        options = ort.SessionOptions()
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
        # waiting threads sleep: spinning between 50 pictures a second costs two threads 26 ms
        # of CPU a picture in place of 5 (packaged network), which the other stages need
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        options.log_severity_level = LOG_FATAL
        if profile is not None:
            options.enable_profiling = True
            options.profile_file_prefix = str(profile)
        for symbol, pixels in sides.items():
            options.add_free_dimension_override_by_name(symbol, pixels)
        return ort.InferenceSession(graph, options, providers=list(dict.fromkeys((provider, CPU))))

    try:
        session = made({})
        if picture is not None and (sides := _open_sides(session, picture)):
            session = made(sides)
    except Exception as exc:  # its exceptions share no class of their own
        raise LoadError(f"ONNX Runtime cannot load {source}: {_one_line(exc)}") from exc
    return session


def _providers_of(profile: Path) -> Counter[str]:
    """How many operators each provider ran, in a profile that ONNX Runtime wrote."""
    events = json.loads(profile.read_text(encoding="utf-8"))
    return Counter(
        event["args"]["provider"] for event in events if event.get("cat") == "Node" and "provider" in event["args"]
    )


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


def create(
    argument: str | None, *, graph: Path, threads: int | None = None, picture: Size | None = None
) -> OnnxRuntime:
    """`onnxruntime`, or `onnxruntime:PROVIDER`.

    Args:
        argument: one of `PROVIDERS`; None is the CPU. Another one is proved by an inference when it is
            loaded, and refused if ONNX Runtime ran the graph elsewhere.
        graph: an .onnx file, or one that is converted (needs the extra `convert`).
        threads: None for one.
        picture: size of the picture where the graph leaves it open.

    Raises:
        OptionError: no such provider, or none in this build of ONNX Runtime.
        MissingExtra: ONNX Runtime, or what the conversion needs, is not installed.
        LoadError: the file cannot be read, is damaged, or is of another kind; the provider does not run it.
    """
    if argument is not None and argument not in PROVIDERS:
        raise OptionError(f"onnxruntime:{argument}: there are {', '.join(PROVIDERS)}")
    if not installed():
        raise MissingExtra('ONNX Runtime is not installed: pip install "onnxruntime>=1.20"')
    provider = PROVIDERS[argument or "cpu"]
    ort = _quiet.onnxruntime()

    if provider not in (there := ort.get_available_providers()):
        raise OptionError(
            f"this build of ONNX Runtime has no {provider}, but {', '.join(there)}: "
            "install the build for your device in place of onnxruntime, such as onnxruntime-gpu"
        )
    model = _onnx_pads.explicit(onnx_of(graph), str(graph))
    return OnnxRuntime(model, graph, threads or DEFAULT_THREADS, picture, provider)
