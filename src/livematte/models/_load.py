"""From a spec to a running engine: which file, on which engine."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from livematte import _registry, _tune, _weights
from livematte._errors import EngineError, LoadError, MissingExtra, OptionError, WeightsError
from livematte.engines import Engine, _trial
from livematte.models._spec import ModelSpec

PREFERENCE = ("onnxruntime", "litert")
"""Order in which `auto` tries engines on a device that was not tuned. On one core of an AVX-512 server ONNX
Runtime takes 0.85 of LiteRT's time for these networks, and it is always installed. The others
are chosen where `livematte tune` has measured them."""


def load_engine(
    spec: ModelSpec,
    engine: str = "auto",
    threads: int | None = None,
    weights: str | Path | None = None,
    *,
    tried: bool = False,
) -> Engine:
    """Load a model's graph.

    Args:
        spec: the model, with its files.
        engine: an engine's name, or `auto`: what `livematte tune` has found for this model on this
            device, else the first of `PREFERENCE` that is installed and reads a format the weights have; a
            conversion comes last.
        threads: None leaves the number to the engine, or to what was tuned.
        weights: a local file in place of the model's own.
        tried: this file was loaded before, for pictures of another size, and needs no trial of its own.

    Raises:
        UnknownName: no such engine.
        MissingExtra: the engine is not installed.
        WeightsError: no weights on this machine.
        LoadError: the engine cannot run this file.
    """
    if weights is None and engine == "auto" and (choice := _tune.remembered(spec)) is not None:
        try:
            return load_engine(spec, choice.engine, threads or choice.threads)
        except (EngineError, MissingExtra, OptionError):
            pass  # a device that is gone, say: the usual order then
    if weights is not None:
        paths = {Path(weights).suffix: _local(Path(weights))}
    else:
        paths = {file.suffix: _weights.place(file) for file in spec.files}
    if engine == "auto":
        engine = _automatic(tuple(paths))
    name, _ = _registry.split(engine)
    suffix = _readable(_registry.load("engines", name), name, tuple(paths))
    picture = spec.size if spec.open_size else None
    vouched = False
    if weights is None:
        file = next(f for f in spec.files if f.suffix == suffix)
        paths[suffix] = _weights.locate(file, spec.name)
        vouched = bool(file.sha256)
    if not vouched and not tried:
        _trial.prove(engine, paths[suffix], threads, picture)
    options = {} if picture is None else {"picture": picture}
    loaded: Engine = _registry.create("engines", engine, graph=paths[suffix], threads=threads, **options)
    return loaded


def _local(path: Path) -> Path:
    if not path.is_file():
        raise WeightsError(f"--weights: there is no file {path}")
    return path


def _automatic(suffixes: tuple[str, ...]) -> str:
    """The engine for files of these formats."""
    modules: dict[str, Any] = {name: _registry.load("engines", name) for name in PREFERENCE}
    reads = [n for n, m in modules.items() if any(s in m.READS for s in suffixes)]
    converts = [n for n, m in modules.items() if any(s in m.CONVERTS for s in suffixes)]
    for name in reads:
        if modules[name].installed():
            return name
    # none that reads them is installed: one that converts them, whose own message
    # names both ways out if it cannot
    for name in (*converts, *reads):
        return name
    raise LoadError(
        f"no engine reads {' or '.join(suffixes) or 'a file without ending'}: pass an .onnx or .tflite file"
    )


def _readable(module: Any, name: str, suffixes: tuple[str, ...]) -> str:
    """The format to load: one the engine reads as it is, else one it converts."""
    for formats in (module.READS, module.CONVERTS):
        for suffix in suffixes:
            if suffix in formats:
                return suffix
    others = [n for n in _registry.names("engines") if any(s in _registry.load("engines", n).READS for s in suffixes)]
    instead = f"use --engine {' or '.join(others)}" if others else "pass an .onnx or .tflite file"
    given = ", ".join(suffixes) or "without ending"
    raise LoadError(f"{name} reads {', '.join(module.READS)}, and these weights are {given}: {instead}")
