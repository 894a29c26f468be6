"""What pruning and quantisation gain and cost: quality against milliseconds and bytes, graph by graph.

    python bench/graphs.py --net fast=runs/fast/weights.pt --net pruned=half.pt --data people-dev \
        --calibrate people-train [--limit 256] [--formats onnx,onnx-int8] [--rounds 20]

Every network is exported in every format at 256x144, run on one core in turns with the others, and
scored on the wide pictures, without refinement. Writes results/graphs.json, of which
`python bench/table.py` makes a table in docs/bench.md. Ranges of int8 come from the pictures of
--calibrate, which must not be those it is scored on.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from livematte import _registry, _weights
from livematte._frame import Size
from livematte.evaluation import datasets, score
from livematte.models._spec import pick
from livematte.training.export import FORMATS, Graph, export, pictures_at
from livematte.training.net import load_weights, multiply_adds
from measure import machine, pin, save, say, take_turns

SIZE = Size(256, 144)
PEER = "mediapipe:landscape"
RUN = [format for format, (engine, *_) in FORMATS.items() if engine != "tfjs"]
"""Formats that an engine of the product runs."""


def main(arguments: list[str]) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--net", action="append", required=True, metavar="NAME=PT", help="weights; may be given again")
    parser.add_argument("--data", type=Path, required=True, help="folder with images/ and masks/")
    parser.add_argument("--calibrate", type=Path, help="folder of pictures for the ranges of int8")
    parser.add_argument("--limit", type=int, help="pictures to score, evenly spread")
    parser.add_argument("--formats", default=",".join(RUN), help="of the export, with commas")
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--out", default="graphs", help="name of the file in results/")
    options = parser.parse_args(arguments)
    nets = {name: Path(path) for name, _, path in (text.partition("=") for text in options.net)}
    pinned = pin(1)
    with tempfile.TemporaryDirectory(prefix="livematte-graphs-") as folder:
        graphs = {
            (name, graph.format): (Path(folder) / graph.path, graph)
            for name, path in nets.items()
            for graph in written(path, Path(folder), name, options)
        }
        times = timed({f"{name} {format}": path for (name, format), (path, _) in graphs.items()}, options.rounds)
        rows = []
        for (name, format), (path, graph) in graphs.items():
            net = load_weights(nets[name])
            rows.append(
                {
                    "network": name,
                    "format": format,
                    "multiply_adds": multiply_adds(net, *SIZE),
                    "size_bytes": graph.size_bytes,
                    "difference": {"largest": graph.largest_difference, "mean": graph.mean_difference},
                    **{key: times[f"{name} {format}"][key] for key in ("wall", "ratio")},
                    **scored(path, options),
                }
            )
            say(f"{name} {format}: {rows[-1]['iou']:.4f}, {rows[-1]['wall']['p50_ms']} ms, {graph.size_bytes} bytes")
    figures = {
        "machine": machine(),
        "pinned_to": pinned,
        "size": str(SIZE),
        "data": options.data.name,
        "calibrate": options.calibrate.name if options.calibrate else "generated pictures",
        "peer": {"name": PEER, **times[PEER]} if PEER in times else None,
        "rows": rows,
    }
    say(f"wrote {save(options.out, figures)}")


def written(path: Path, folder: Path, name: str, options: Any) -> list[Graph]:
    """One network in every format."""
    formats = options.formats.split(",")
    return export(path, folder, sizes=[SIZE], formats=formats, name=name, pictures=options.calibrate)


def timed(graphs: dict[str, Path], rounds: int) -> dict[str, dict[str, Any]]:
    """Milliseconds of each graph on one thread, in turns; the peer first, where its weights are here."""
    spec = pick(_registry.load("models", "mediapipe").SPECS, "mediapipe", PEER.partition(":")[2])
    peer = _weights.place(spec.files[0])
    named = {PEER: peer, **graphs} if peer.is_file() else graphs
    engines = {
        name: _registry.create("engines", engine_of(path), graph=path, threads=1) for name, path in named.items()
    }

    def runs(engine: Any) -> Any:
        def given(place: Any, picture: Any) -> Any:
            if 3 not in (place.shape[1], place.shape[3]):
                return np.zeros(place.shape, np.float32)  # the previous alpha
            return picture if place.shape[1] == 3 else np.ascontiguousarray(picture.transpose(0, 2, 3, 1))

        return lambda picture: engine.run([given(place, picture) for place in engine.inputs])

    found = take_turns({name: runs(engine) for name, engine in engines.items()}, pictures_at(SIZE), rounds)
    for engine in engines.values():
        engine.close()
    return found


def loaded(path: Path) -> Any:
    """The graph on one thread of its engine."""
    return _registry.create("engines", engine_of(path), graph=path, threads=1)


def engine_of(path: Path) -> str:
    return "litert" if path.suffix == ".tflite" else "onnxruntime"


def scored(path: Path, options: Any) -> dict[str, float]:
    """Means over the wide pictures, of the network alone, and their number."""
    model = score.Model("livematte", weights=path, engine=engine_of(path), threads=1, raw=True)
    (result,) = score.evaluate(datasets.find(options.data, options.limit), [model])
    model.close()
    means = result.subsets["format"]["wide"]
    return {name: means.scores()[name] for name in ("iou", "boundary_f", "mad")} | {"pictures": means.cases}


if __name__ == "__main__":
    main(sys.argv[1:])
