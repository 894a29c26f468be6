"""Models over pictures and clips: one picture in memory at a time, whatever their number."""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from livematte._frame import F32, U8, Frame
from livematte._pipeline import StreamState, estimate
from livematte._session import build_stages
from livematte._stats import Stats
from livematte.evaluation import metrics, subsets
from livematte.evaluation.datasets import Case, Moving, Picture

SIDE_PX = 640
"""Longest side at which pictures are scored; larger ones are reduced, truth and all."""

STILL = {
    "iou": metrics.iou,
    "boundary_f": metrics.boundary_f,
    "mad": metrics.mad,
    "mse": metrics.mse,
    "grad": metrics.grad,
    "conn": metrics.conn,
}
"""What one picture is scored by."""

Measures = Mapping[str, Callable[[F32, F32], float]]
"""Names and measures of an alpha and its truth."""

Scores = dict[str, float]

Panel = Callable[[Any], U8]
"""Makes an image of RGB or alpha small; see `sheet.panel`."""


class Model:
    """A network as users get it, or alone.

    Args:
        name: registry name.
        engine: `auto`, or an engine's name.
        threads: of the engine; None leaves the number to it.
        weights: a local file in place of the model's own.
        raw: the network alone, its alpha stretched bilinearly: neither refined nor,
            in clips, steadied, but by the memory that the network itself may have.

    Raises:
        UnknownName, MissingExtra, OptionError, WeightsError, LoadError.
    """

    def __init__(
        self,
        name: str,
        *,
        engine: str = "auto",
        threads: int | None = None,
        weights: str | Path | None = None,
        raw: bool = False,
    ) -> None:
        self.stills = build_stages(
            name, "off", engine=engine, threads=threads, weights=weights, temporal=False, refine=not raw
        )
        self.clips = replace(build_stages(self.stills.segmenter, "off", temporal=not raw, refine=not raw), memory=True)
        own = self.stills.segmenter.name
        self.name = name if name.startswith(f"{own}:") else own  # with its options: they may be what is compared
        self.weights = None if weights is None else str(weights)
        self.engine = str(getattr(self.stills.segmenter, "engine", engine))

    def matte(self, frame: Frame, stream: StreamState | None = None) -> F32:
        """The alpha of a frame, float32 (h, w) in 0-1.

        Args:
            frame: a picture, or the next frame of a clip.
            stream: the clip's memory, which moves on; None for a picture that stands alone.

        Raises:
            InferenceError: the network gave no matte.
        """
        stages = self.stills if stream is None else self.clips
        matte = estimate(stages, frame, stream or StreamState(), Stats())
        alpha: F32 = np.divide(matte.alpha, 255, dtype=np.float32)
        return alpha

    def close(self) -> None:
        """Free the engine; twice is fine."""
        self.stills.segmenter.close()


@dataclass
class Means:
    """Means of scores, added one by one."""

    sums: Scores = field(default_factory=dict)
    counts: dict[str, int] = field(default_factory=dict)
    cases: int = 0

    def add(self, scores: Scores) -> None:
        self.cases += 1
        for name, value in scores.items():
            self.put(name, value)

    def put(self, name: str, value: float, count: int = 1) -> None:
        """Add the sum of `count` values of one score."""
        self.sums[name] = self.sums.get(name, 0.0) + value
        self.counts[name] = self.counts.get(name, 0) + count

    def scores(self) -> Scores:
        """The mean of each score that has any value."""
        return {name: total / self.counts[name] for name, total in self.sums.items() if self.counts[name]}


@dataclass(order=True)
class Shown:
    """A picture that is among the worst; in a heap the best of them comes first."""

    rank: tuple[float, int]
    name: str = field(compare=False)
    scores: Scores = field(compare=False)
    panels: tuple[U8, ...] = field(compare=False, default=())
    """For a sheet: picture, truth and every model's alpha, small."""
    beside: tuple[Scores, ...] = field(compare=False, default=())
    """For a sheet: every model's scores."""


class Worst:
    """The pictures of lowest IoU.

    Args:
        count: how many are kept.
    """

    def __init__(self, count: int) -> None:
        self.count = count
        self._heap: list[Shown] = []
        self._seen = 0

    def offer(self, name: str, scores: Scores) -> Shown | None:
        """Keep a picture if it is among the worst so far; what is kept comes back."""
        self._seen += 1
        shown = Shown((-scores["iou"], -self._seen), name, scores)
        if len(self._heap) < self.count:
            heapq.heappush(self._heap, shown)
        elif not self.count or heapq.heappushpop(self._heap, shown) is shown:
            return None
        return shown

    def __iter__(self) -> Iterator[Shown]:
        """The worst first."""
        return iter(sorted(self._heap, reverse=True))


class Result:
    """What one model scored.

    Attributes:
        label: the model's name in tables, with that of a weights file of its own.
        pictures: means over all pictures.
        subsets: the same for each member of each kind.
        worst: the pictures of lowest IoU.
        clips: means over frames for each clip, in order.
    """

    def __init__(self, model: Model, worst: int = 0) -> None:
        self.model, self.engine, self.weights = model.name, model.engine, model.weights
        self.label = model.name if model.weights is None else f"{model.name}={Path(model.weights).name}"
        self.pictures = Means()
        self.subsets: dict[str, dict[str, Means]] = {kind: {} for kind in subsets.KINDS}
        self.worst = Worst(worst)
        self.clips: list[tuple[str, Means]] = []

    def add(self, name: str, scores: Scores, groups: dict[str, str]) -> Shown | None:
        """Count one picture; it comes back if it is among the worst so far."""
        self.pictures.add(scores)
        for kind, member in groups.items():
            self.subsets[kind].setdefault(member, Means()).add(scores)
        return self.worst.offer(name, scores)

    def clip_means(self) -> Means:
        """Means over clips, each counting the same."""
        means = Means()
        for _, clip in self.clips:
            means.add(clip.scores())
        return means


def evaluate(
    cases: Iterable[Case],
    models: Sequence[Model],
    *,
    side_px: int = SIDE_PX,
    worst: int = 0,
    panel: Panel | None = None,
    measures: Measures = STILL,
    progress: Callable[[Stats], None] = lambda stats: None,
) -> list[Result]:
    """Score models side by side.

    Args:
        cases: pictures and clips.
        models: loaded, with any number of threads.
        side_px: longest side at which they are scored.
        worst: how many pictures of lowest IoU are remembered.
        panel: makes an image small; with it those of the first model are remembered with
            their picture, their truth and every model's alpha.
        measures: what every frame of a clip is scored by, beside dtSSD, flicker and trailing.
        progress: called after each picture and each frame.

    Returns:
        One result for each model.

    Raises:
        SourceError: a picture or clip cannot be read, or does not fit its truth.
        InferenceError: a network gave no matte.
        MissingExtra: OpenCV is not installed.
    """
    results = [Result(model, worst) for model in models]
    stats = Stats()
    for case in cases:
        if isinstance(case, Picture):
            _score_picture(case, models, results, side_px, panel)
            stats.frames += 1
            progress(stats)
        else:
            _score_clip(case, models, results, side_px, measures, stats, progress)
    return results


def _score_picture(
    case: Picture,
    models: Sequence[Model],
    results: Sequence[Result],
    side_px: int,
    panel: Panel | None,
) -> None:
    rgb, truth = case.read(side_px)
    groups = subsets.of(rgb, truth)
    frame = Frame.from_rgb(rgb)
    alphas = [model.matte(frame) for model in models]
    scores = [{name: metric(alpha, truth) for name, metric in STILL.items()} for alpha in alphas]
    kept = [result.add(case.name, found, groups) for result, found in zip(results, scores, strict=True)]
    if panel is not None and kept[0] is not None:
        kept[0].panels = tuple(panel(image) for image in (rgb, truth, *alphas))
        kept[0].beside = tuple(scores)


def _score_clip(
    clip: Moving,
    models: Sequence[Model],
    results: Sequence[Result],
    side_px: int,
    measures: Measures,
    stats: Stats,
    progress: Callable[[Stats], None],
) -> None:
    streams = [StreamState() for _ in models]
    means = [Means() for _ in models]
    before: tuple[U8, F32 | None, list[F32]] | None = None
    seen: metrics.Uncovered | None = None
    for frame, truth in clip.read(side_px):
        luma = frame.luma()
        if before is not None and before[0].shape != luma.shape:  # another stream begins
            streams, before, seen = [StreamState() for _ in models], None, None
        alphas = [model.matte(frame, stream) for model, stream in zip(models, streams, strict=True)]
        still = metrics.still(luma, before[0]) if before else None
        seen = metrics.uncovered(truth, seen) if truth is not None else None
        for index, (alpha, mean) in enumerate(zip(alphas, means, strict=True)):
            mean.add({name: metric(alpha, truth) for name, metric in measures.items()} if truth is not None else {})
            if before is None or still is None:
                continue
            mean.put("flicker", *metrics.flicker(alpha, before[2][index], still))
            if truth is not None and before[1] is not None:
                mean.put("dtssd", metrics.dtssd(alpha, before[2][index], truth, before[1]))
            if truth is not None and seen is not None:
                mean.put("trailing", *metrics.trailing(alpha, truth, seen))
        before = luma, truth, alphas
        stats.frames += 1
        progress(stats)
    for result, mean in zip(results, means, strict=True):
        result.clips.append((clip.name, mean))
