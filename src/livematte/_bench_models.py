"""Every model whose weights are here, side by side: the figures behind `livematte bench --models`.

Each one runs in a process of its own, so that its peak memory is its own and none finds caches or
threads of another.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from livematte import _registry, _weights
from livematte._errors import LivematteError, OptionError
from livematte._frame import Frame, Size
from livematte.models._spec import ModelSpec, pick

Row = dict[str, Any]

SIZE = Size(1280, 720)
"""Of the frames: what cameras give to calls."""

FRAMES = 60
"""Frames that are timed."""

PICTURES = ("iou", "boundary_f", "mad")
"""Measures of pictures with masks."""

SECONDS = 900.0
"""For one model with its pictures: 256 pictures through a network of half a second take a third of it."""


def everything() -> list[ModelSpec]:
    """The specs of all registered models, in the order of their names; packages may describe none."""
    return [spec for name in _registry.names("models") for spec in _specs(name).values()]


def chosen(names: str) -> tuple[list[ModelSpec], list[ModelSpec]]:
    """Models by their spelling: those whose weights are here, and those that are not.

    Args:
        names: `all`, or registry names with commas.

    Raises:
        UnknownName: no such model.
        OptionError: none at all.
    """
    if names == "all":
        wanted = everything()
    else:
        split = [_registry.split(name.strip()) for name in names.split(",") if name.strip()]
        wanted = [pick(_specs(family), family, tag) for family, tag in split]
    if not wanted:
        raise OptionError(f"--models takes all, or names with commas, got {names!r}")
    here = [spec for spec in wanted if is_here(spec)]
    return here, [spec for spec in wanted if spec not in here]


def is_here(spec: ModelSpec) -> bool:
    """Whether a model can be loaded without fetching anything."""
    return any(_weights.place(file).is_file() for file in spec.files)


def by_family(names: Iterable[str]) -> str:
    """Names of models counted by their families, in words: `22 of bodypix, 2 of deeplabv3`."""
    counts = Counter(name.partition(":")[0] for name in names)
    return ", ".join(f"{count} of {family}" for family, count in counts.items())


def rows(
    specs: list[ModelSpec],
    *,
    engine: str = "auto",
    threads: int | None = None,
    effect: str = "blur:0.6",
    size: Size = SIZE,
    frames: int = FRAMES,
    seconds: float | None = None,
    data: Path | None = None,
    limit: int | None = None,
    progress: Callable[[str], None] = lambda text: None,
) -> Iterator[Row]:
    """Measure models, one process after the other.

    Args:
        specs: models whose weights are here.
        engine, threads, effect: as everywhere.
        size: of the frames.
        frames: timed for each.
        seconds: a slow model is timed on as many frames as it manages in this time; None waits for all.
        data: pictures with masks, for the quality; None measures none.
        limit: pictures of it, evenly spread.
        progress: called with the name of each.

    Yields:
        `model`, `engine`, `size`, `commercial`, `licence`, and either `network_ms`, `frame_ms`, `cpu_ms`, `peak_mb`
        and those of `PICTURES` (None without pictures), or `error`.
    """
    for spec in specs:
        progress(spec.name)
        task = {
            "model": spec.name,
            "engine": engine,
            "threads": threads,
            "effect": effect,
            "frame": tuple(size),
            "frames": frames,
            "seconds": seconds,
            "data": None if data is None else str(data),
            "limit": limit,
        }
        known: Row = {
            "model": spec.name,
            "size": str(spec.size),
            "licence": spec.licence,
            "commercial": spec.commercial,
        }
        yield known | _elsewhere(task)


def _elsewhere(task: Row) -> Row:
    """`measure` in another process."""
    root = Path(_registry.__file__).parents[1]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join((str(root), *sys.path))}
    command = [sys.executable, "-m", __name__, json.dumps(task)]
    try:
        done = subprocess.run(
            command, env=environment, capture_output=True, text=True, timeout=SECONDS, check=False, errors="replace"
        )
    except subprocess.TimeoutExpired:
        return {"error": f"not done after {SECONDS:.0f} s"}
    try:
        return dict(json.loads(done.stdout.splitlines()[-1]))
    except (IndexError, ValueError):
        said = done.stderr.strip().splitlines() or ["nothing"]
        return {"error": f"its process ended with {done.returncode} and said: {said[-1][:200]}"}


def measure(task: Row) -> Row:
    """One model in this process; `task` is what `rows` puts together."""
    from livematte._bench import synthetic_frames
    from livematte._pipeline import StreamState, render
    from livematte._session import build_stages
    from livematte._stats import Stats

    stages = build_stages(task["model"], task["effect"], engine=task["engine"], threads=task["threads"])
    try:
        frames, state, count = synthetic_frames(Size(*task["frame"]), 8), StreamState(), task["frames"]
        memory: Any = None

        def whole(index: int) -> None:
            frame = frames[index % len(frames)]  # a copy: frames remember their small picture
            render(stages, frame.with_planes(frame.planes), state, Stats(), max_failures=1)

        def network(index: int) -> None:
            nonlocal memory
            _, memory = stages.segmenter.segment(frames[index % len(frames)], memory)

        seconds = task["seconds"] or SECONDS
        frame_ms, cpu_ms = _timed(whole, count, seconds)
        network_ms, _ = _timed(network, count, seconds)
        peak_mb = _peak_mb()
        scores = dict.fromkeys(PICTURES) if task["data"] is None else _scores(stages, Path(task["data"]), task["limit"])
        loaded = getattr(stages.segmenter, "engine", task["engine"])
    finally:
        stages.segmenter.close()
    return {
        "engine": loaded,
        "network_ms": network_ms,
        "frame_ms": frame_ms,
        "cpu_ms": cpu_ms,
        "peak_mb": peak_mb,
        **scores,
    }


def _timed(run: Callable[[int], None], count: int, seconds: float) -> tuple[float, float]:
    """Median milliseconds of a call, and milliseconds of the processor, all threads, for each."""
    end_ns = time.perf_counter_ns() + int(seconds * 1e9)
    for index in range(min(5, count)):
        run(index)
        if time.perf_counter_ns() > end_ns:
            break
    end_ns = time.perf_counter_ns() + int(seconds * 1e9)
    times_ns, cpu_ns = [], time.process_time_ns()
    for index in range(count):
        start_ns = time.perf_counter_ns()
        run(index)
        times_ns.append(time.perf_counter_ns() - start_ns)
        if index > 1 and time.perf_counter_ns() > end_ns:
            break
    cpu_ms = (time.process_time_ns() - cpu_ns) / len(times_ns) / 1e6
    return round(float(np.median(times_ns)) / 1e6, 3), round(cpu_ms, 3)


def _scores(stages: Any, data: Path, limit: int | None) -> Row:
    """Means of `PICTURES` over pictures that stand alone, with the refinement that users get."""
    from livematte._pipeline import StreamState, estimate
    from livematte._session import build_stages
    from livematte._stats import Stats
    from livematte.evaluation import datasets, metrics
    from livematte.evaluation.score import SIDE_PX

    alone = build_stages(stages.segmenter, "off", temporal=False)
    scores = []
    for case in datasets.find(data, limit):
        if isinstance(case, datasets.Picture):
            rgb, truth = case.read(SIDE_PX)
            matte = estimate(alone, Frame.from_rgb(rgb), StreamState(), Stats())
            alpha = np.divide(matte.alpha, 255, dtype=np.float32)
            scores.append([getattr(metrics, name)(alpha, truth) for name in PICTURES])
    if not scores:
        raise OptionError(f"{data} holds no pictures with masks")
    return {name: round(float(mean), 4) for name, mean in zip(PICTURES, np.mean(scores, axis=0), strict=True)}


def _peak_mb() -> float | None:
    """Largest resident memory of this process so far, in megabytes."""
    try:
        import resource
    except ImportError:  # Windows
        return None
    unit = 1 if sys.platform == "darwin" else 1024
    return round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 1e6, 1)


def _specs(family: str) -> dict[str, ModelSpec]:
    specs: dict[str, ModelSpec] = getattr(_registry.load("models", family), "SPECS", {})
    return specs


def main(words: list[str]) -> int:
    """The other process: one JSON object on the last line of stdout."""
    try:
        row = measure(json.loads(words[0]))
    except (LivematteError, ImportError) as exc:
        row = {"error": " ".join(str(exc).split())}
    sys.stdout.write(f"{json.dumps(row)}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
