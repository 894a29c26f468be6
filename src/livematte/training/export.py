"""From weights to graphs that the engines run, each compared with torch on pictures, and `model.json`.

`model.json` says what every reader of the graphs has to know, so that Python and JavaScript read the
same numbers: size, layout, scale and resizing of the picture, meaning of the output, licence, and
size, checksum and difference of each file.
"""

from __future__ import annotations

import copy
import hashlib
import json
import shutil
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

import livematte
from livematte import _registry
from livematte._errors import OptionError, WeightsError
from livematte._frame import F32, Size
from livematte.sinks._partial import write_whole
from livematte.sources._still import read_image
from livematte.sources.synthetic import Synthetic
from livematte.training import _onnx, _tfjs, _tflite
from livematte.training._tfjs_run import GraphModel
from livematte.training.folder import picture_files
from livematte.training.net import Matting, find_weights, load_weights, multiply_adds
from livematte.training.nets import Network
from livematte.training.nets.recurrent import Recurrent
from livematte.training.quantise import onnx_int8

FORMATS = {
    "onnx": ("onnxruntime", "float32", "{}.onnx", 0.0),
    "onnx-fp16": ("onnxruntime", "float16", "{}-fp16.onnx", 0.05),
    "tflite": ("litert", "float32", "{}.tflite", 0.0),
    "tflite-fp16": ("litert", "float16", "{}-fp16.tflite", 0.05),
    "onnx-int8": ("onnxruntime", "int8", "{}-int8.onnx", 1.0),
    "tflite-dynamic": ("litert", "int8 weights", "{}-dynamic.tflite", 1.0),
    "tflite-int8": ("litert", "int8", "{}-int8.tflite", 1.0),
    "tfjs": ("tfjs", "float32", "{}-tfjs", 0.0),
}
"""Engine, precision, name of file or folder, and the largest difference of an alpha that is accepted
beyond the network's rounding in float32: float16 weights cost some; what int8 costs is for the reader of
the figures to judge. `tfjs` is no engine of the product: `_tfjs_run` computes these graphs, in torch."""

DEFAULT_FORMATS = ("onnx", "tflite", "tflite-fp16")

PICTURES = 16
"""Pictures that graphs are compared on, and int8 ranges are taken from, at most."""

Sample = tuple[F32, ...]
"""What a graph is given: a picture (1, 3, h, w) in 0-1, and to a recurrent one the previous alpha (1, 1, h, w)."""

PREVIOUS = "alpha of the frame before, as this graph gave it; zeros for the first frame and after a change of size"


@dataclass(frozen=True, slots=True)
class Terms:
    """Under which terms the weights may be used.

    Args:
        licence: SPDX name, or the terms in a few words.
        commercial: whether commercial use is clear; None for unclear.
    """

    licence: str = "not stated"
    commercial: bool | None = None


UNSTATED = Terms()
"""Terms of weights that nobody has said anything about."""


@dataclass(frozen=True, slots=True)
class Graph:
    """One file that was written, and how far it is from torch.

    A graph of `tfjs` has two, with the same differences.

    Args:
        path: of the file, from the folder of `model.json`.
        format: a key of `FORMATS`.
        layout: NCHW or NHWC.
        precision: of the weights.
        width, height: of the picture it takes.
        size_bytes, sha256: of the file.
        largest_difference, mean_difference: of the alpha, over all pictures.
    """

    path: str
    format: str
    layout: str
    precision: str
    width: int
    height: int
    size_bytes: int
    sha256: str
    largest_difference: float
    mean_difference: float


def export(
    weights: Path,
    out: Path,
    *,
    sizes: Sequence[Size] = (),
    formats: Sequence[str] = DEFAULT_FORMATS,
    name: str = "livematte",
    terms: Terms = UNSTATED,
    pictures: Path | None = None,
    best: bool = False,
    done: Callable[[Graph], None] | None = None,
) -> list[Graph]:
    """Write the graphs and `model.json`.

    Args:
        weights: a run's folder or a weights file.
        out: folder to write to.
        sizes: of the pictures, as the network takes them, the usual one first; each has graphs of its own.
            None given: the one the network was made for.
        formats: keys of `FORMATS`.
        name: first part of the files' names; of several sizes, each is the next part.
        terms: what is known of the licence.
        pictures: folder of pictures to compare on; None takes generated ones.
        best: of a run, take the weights of the best validation.
        done: called with each file.

    Raises:
        OptionError: no such format, or a size the network does not take.
        MissingExtra: a converter is not installed.
        WeightsError: weights that cannot be read, or a graph that is not what torch computes.
    """
    if unknown := [f for f in formats if f not in FORMATS]:
        raise OptionError(f"no format {', '.join(unknown)}: there are {', '.join(FORMATS)}")
    path = find_weights(weights, best)
    net = load_weights(path)
    sizes = sizes or (Size(*net.size),)
    for size in sizes:
        net.check_size(*size)
    out.mkdir(parents=True, exist_ok=True)
    graphs = []
    for size in sizes:
        seen = _seen(net, pictures_at(size, pictures))
        job = _Job(net, size, seen, out, f"{name}-{size}" if len(sizes) > 1 else name)
        for format in formats:
            for graph in job.write(format):
                graphs.append(graph)
                if done is not None:
                    done(graph)
    facts = _facts(net, sizes[0], graphs, name, terms, path, pictures)
    write_whole(out / "model.json", f"{json.dumps(facts, indent=2)}\n".encode())
    return graphs


def fuse(net: Network) -> Matting:
    """A copy in evaluation mode whose batch normalisations are part of the convolutions before them."""
    fused = copy.deepcopy(net).cpu().eval()
    for module in list(fused.modules()):
        if isinstance(module, nn.Sequential) and len(module) > 1:
            for at in range(len(module) - 1):
                conv, norm = module[at], module[at + 1]
                if isinstance(conv, nn.Conv2d) and isinstance(norm, nn.BatchNorm2d):
                    if isinstance(fused, Recurrent) and conv is fused.stem:
                        fused.fold(norm)
                    module[at], module[at + 1] = fuse_conv_bn_eval(conv, norm), nn.Identity()
    if isinstance(fused, Recurrent):
        fused.merge()
    return Matting(fused).eval()


def pictures_at(size: Size, folder: Path | None = None) -> list[F32]:
    """Pictures as the network gets them: (1, 3, h, w) float32 in 0-1, at most `PICTURES`.

    Raises:
        SourceError: the folder holds none.
        OpenError: a file that is no picture.
    """
    if folder is None:
        figure = Synthetic(Size(640, 360), frames=PICTURES)
        return [frame.rgb(size, planar=True)[None] for frame in figure]
    paths = picture_files(folder)
    count = min(PICTURES, len(paths))
    spread = (paths[index * len(paths) // count] for index in range(count))
    return [read_image(path).rgb(size, planar=True)[None] for path in spread]


def _seen(net: Network, pictures: Sequence[F32]) -> list[Sample]:
    """What graphs are compared on: pictures; for a recurrent network each first without, then with its own matte."""
    matting = Matting(copy.deepcopy(net).cpu()).eval()
    if len(matting.planes) == 1:
        return [(picture,) for picture in pictures]
    seen: list[Sample] = []
    with torch.inference_mode():
        for picture in pictures:
            alpha = matting(torch.from_numpy(picture)).numpy()
            seen += [(picture, np.zeros_like(alpha)), (picture, alpha)]
    return seen


class _Job:
    """The graphs of one size.

    Args:
        net: the network.
        size: of the picture.
        seen: inputs to compare on, and to take int8 ranges from.
        out: folder to write to.
        name: first part of the files' names.
    """

    def __init__(self, net: Network, size: Size, seen: Sequence[Sample], out: Path, name: str) -> None:
        self._net, self._size, self._seen, self._out, self._name = fuse(net), size, seen, out, name
        with torch.inference_mode():
            self._wanted = [Matting(net).eval()(*map(torch.from_numpy, sample)).numpy() for sample in seen]
        self._made: dict[str, bytes] = {}

    def write(self, format: str) -> list[Graph]:
        """A graph, under its name once it has been compared."""
        engine, precision, pattern, accepted = FORMATS[format]
        accepted = max(accepted, self._net.net.rounding)
        path = self._out / pattern.format(self._name)
        files = self._files(format, path.name)
        part = self._out / f"part-{path.name}"
        try:
            for file, data in files.items():
                (part / file).parent.mkdir(parents=True, exist_ok=True)
                (part / file).write_bytes(data)
            largest, mean = compare(part / list(files)[-1], engine, self._seen, self._wanted)
            if not largest <= accepted:
                raise WeightsError(
                    f"{path.name} differs from torch by up to {largest:.2g}, accepted is {accepted:g}: "
                    "it was not written"
                )
            for file in files:
                (self._out / file).parent.mkdir(exist_ok=True)
                (part / file).replace(self._out / file)
        finally:
            shutil.rmtree(part, ignore_errors=True)
        layout = "NCHW" if engine == "onnxruntime" else "NHWC"
        known = (format, layout, precision, *self._size)
        return [
            Graph(file, *known, len(data), hashlib.sha256(data).hexdigest(), largest, mean)
            for file, data in files.items()
        ]

    def _files(self, format: str, name: str) -> dict[str, bytes]:
        """The bytes of a graph by path, last the file that engines are given."""
        graph = self._float32("tflite" if format.startswith("tflite") else "onnx")
        match format:
            case "tfjs":
                return {f"{name}/{file}": data for file, data in _tfjs.tfjs_graph(graph).items()}
            case "onnx-fp16":
                graph = _onnx.half(graph)
            case "onnx-int8":
                graph = onnx_int8(graph, [dict(zip(_onnx.INPUTS, sample, strict=False)) for sample in self._seen])
            case "tflite-fp16":
                graph = _tflite.half(graph)
            case "tflite-dynamic":
                graph = _tflite.dynamic(graph)
            case "tflite-int8":
                graph = _tflite.eighth(graph, [_channels_last(sample) for sample in self._seen])
        return {name: graph}

    def _float32(self, kind: str) -> bytes:
        """The graph that the others are made from, made once."""
        if kind not in self._made:
            self._made[kind] = (_onnx.onnx_graph if kind == "onnx" else _tflite.tflite_graph)(self._net, self._size)
        return self._made[kind]


def compare(path: Path, engine: str, seen: Sequence[Sample], wanted: Sequence[F32]) -> tuple[float, float]:
    """Largest and mean difference of the alphas an engine makes from those of torch.

    Args:
        path: the graph.
        engine: an engine's name, or `tfjs`.
        seen: inputs.
        wanted: alphas (1, 1, h, w).

    Raises:
        MissingExtra: the engine is not installed.
        LoadError: it cannot run the graph.
    """
    loaded: Any = GraphModel(path) if engine == "tfjs" else _registry.create("engines", engine, graph=path, threads=1)
    try:
        shapes = [place.shape for place in loaded.inputs]  # converters choose the order
        apart = any(shape[1] == 3 for shape in shapes)
        differences = []
        for sample, alpha in zip(seen, wanted, strict=True):
            by_shape = {array.shape: array for array in (sample if apart else _channels_last(sample))}
            made = loaded.run([by_shape[shape] for shape in shapes])[0]
            differences.append(np.abs(made.reshape(alpha.shape) - alpha))
    finally:
        loaded.close()
    return float(np.max(differences)), float(np.mean(differences))


def _channels_last(sample: Sample) -> Sample:
    return tuple(np.ascontiguousarray(array.transpose(0, 2, 3, 1)) for array in sample)


def _facts(
    net: Network, size: Size, graphs: Sequence[Graph], name: str, terms: Terms, path: Path, pictures: Path | None
) -> dict[str, Any]:
    run = path.parent / "run.json"
    again = isinstance(net, Recurrent)
    known = {"previous": {"name": _onnx.INPUTS[1], "range": [0, 1], "meaning": PREVIOUS}} if again else {}
    return {
        "format": 1,
        "name": name,
        "livematte": livematte.__version__,
        "input": {
            "name": _onnx.INPUTS[0],
            "width": size.width,
            "height": size.height,
            "colours": "RGB",
            "range": [0, 1],
            "scale": 1 / 255,
            "mean": [0, 0, 0],
            "resize": "stretch, mean over areas",
            "lighten": True,
        },
        "recurrent": again,
        **known,
        "output": {"name": _onnx.OUTPUT, "range": [0, 1], "meaning": "alpha, 1 = person"},
        "licence": terms.licence,
        "commercial": terms.commercial,
        "network": net.facts(),
        "parameters": sum(p.numel() for p in net.parameters()),
        "multiply_adds": multiply_adds(net, *size),
        "weights_sha256": hashlib.sha256(path.read_bytes()).hexdigest(),
        "compared_on": pictures.name if pictures else "generated pictures",
        "files": [asdict(graph) for graph in graphs],
        "training": json.loads(run.read_text(encoding="utf-8")) if run.is_file() else None,
    }
