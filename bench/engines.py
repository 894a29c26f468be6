"""Every engine on the same weights: how far their mattes are apart, and milliseconds on one core, in turns.

    python bench/engines.py [--data people-dev] [--pictures 32] [--rounds 20] [--models a,b]

Models are those of the registry whose weights are here; weights in ../shared (or LIVEMATTE_SHARED) count, found by
their checksum. Writes results/engines.json, of which `python bench/table.py` makes a table in docs/engines.md.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from livematte import _bench_models, _registry, _weights
from livematte._errors import LivematteError
from livematte._frame import Frame
from livematte.evaluation import datasets
from measure import ROOT, machine, pin, save, say, take_turns

ENGINES = ("onnxruntime", "litert", "openvino", "openvino:bf16", "torch:cpu")
REFERENCE = "onnxruntime"

SHARED = Path(os.environ.get("LIVEMATTE_SHARED") or ROOT.parent / "shared")


def main(arguments: list[str]) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=SHARED / "data" / "people-dev", help="folder with images/, masks/")
    parser.add_argument("--pictures", type=int, default=32, help="pictures to compare on, evenly spread")
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--models", default="all")
    options = parser.parse_args(arguments)
    pinned = pin(1)
    with shared_weights():
        frames = [Frame.from_rgb(case.read(640)[0]) for case in datasets.find(options.data, options.pictures)]
        here, _ = _bench_models.chosen(options.models)
        rows = [row for spec in here for row in compared(spec.name, frames, options.rounds)]
    figures = {
        "machine": machine(),
        "pinned_to": pinned,
        "data": options.data.name,
        "pictures": options.pictures,
        "rows": rows,
    }
    say(f"wrote {save('engines', figures)}")


@contextmanager
def shared_weights() -> Iterator[None]:
    """A cache of its own, with what lies in the shared folder: neither pulled nor tuned by anybody."""
    known = {file.sha256: file for spec in _bench_models.everything() for file in spec.all_files if file.sha256}
    with tempfile.TemporaryDirectory(prefix="livematte-bench-") as folder:
        before, os.environ["LIVEMATTE_CACHE"] = os.environ.get("LIVEMATTE_CACHE"), folder
        for path in sorted((SHARED / "weights").rglob("*.*")):
            with path.open("rb") as stream:
                file = known.get(_weights._digest(stream)[0])
            if file is not None and not file.packaged:
                place = _weights.place(file)
                place.parent.mkdir(parents=True, exist_ok=True)
                place.symlink_to(path.resolve())
        try:
            yield
        finally:
            del os.environ["LIVEMATTE_CACHE"]
            if before is not None:
                os.environ["LIVEMATTE_CACHE"] = before


def compared(model: str, frames: list[Frame], rounds: int) -> Iterator[dict[str, Any]]:
    """A row for each engine that runs the model; the reference first."""
    loaded: dict[str, Any] = {}
    failed: dict[str, str] = {}
    for engine in ENGINES:
        try:
            loaded[engine] = _registry.create("models", model, engine=engine, threads=1)
        except LivematteError as exc:
            failed[engine] = str(exc)
    mattes = {engine: [it.segment(frame, None)[0].alpha for frame in frames] for engine, it in loaded.items()}
    # frames keep their small picture: the network alone is timed
    runs = {engine: lambda frame, it=it: it.segment(frame, None) for engine, it in loaded.items()}
    times = take_turns(runs, frames[:1], rounds) if runs else {}
    for engine in ENGINES:
        if engine in failed:
            yield {"model": model, "engine": engine, "why_not": failed[engine].replace(str(ROOT), "")}
            continue
        apart = [np.abs(a - b) for a, b in zip(mattes[engine], mattes[REFERENCE], strict=True)]
        row = {
            "model": model,
            "engine": engine,
            "mean_of_255": round(255 * max(float(a.mean()) for a in apart), 5),
            "largest_of_255": round(255 * max(float(a.max()) for a in apart), 3),
            **{key: times[engine][key] for key in ("wall", "ratio")},
        }
        say(f"{model:28} {engine:14} {row['wall']['p50_ms']:8.2f} ms, {row['mean_of_255']:.5f} of 255")
        yield row
    for it in loaded.values():
        it.close()


if __name__ == "__main__":
    main(sys.argv[1:])
