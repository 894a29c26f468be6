"""bench/parts.py: the chain is the session's, every part is scored and timed, and the page shows the results."""

from __future__ import annotations

import importlib
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from livematte import Blur, Color, Frame, Matte, Size
from livematte._pipeline import StreamState
from livematte._session import build_refiners
from livematte.evaluation import datasets
from livematte.sources.synthetic import Synthetic

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "evaluate.md"
NET = Size(96, 54)


@pytest.fixture(scope="module")
def parts() -> Iterator[ModuleType]:
    """bench/parts.py, whose folder is no package."""
    before = set(sys.modules)
    sys.path.insert(0, str(ROOT / "bench"))
    yield importlib.import_module("parts")
    sys.path.remove(str(ROOT / "bench"))
    for name in set(sys.modules) - before:
        if str(getattr(sys.modules[name], "__file__", "")).startswith(str(ROOT / "bench")):
            del sys.modules[name]


class Rough:
    """A network that finds the person, and trembles; it remembers how often it was asked."""

    name, size = "rough", NET

    def __init__(self) -> None:
        self.asked = 0

    def segment(self, frame: Frame, state: object) -> tuple[Matte, object]:
        self.asked += 1
        count = (state or 0) + 1
        random = np.random.default_rng(count)
        found = datasets.limited(Synthetic(frame.size).true_alpha(frame.pts), NET.width)
        trembling = np.clip(found + random.normal(0, 0.03, found.shape), 0, 1)
        return Matte(trembling.astype(np.float32), frame.pts), count

    def close(self) -> None:
        pass


def test_the_chain_is_that_of_a_session_with_everything_on(parts: ModuleType) -> None:
    names = [parts.part_name(part) for part in parts.parts()]
    assert len(set(names)) == len(names)
    for effect in (Blur(), Blur(who="nearest"), Color("green")):
        used = [parts.part_name(part) for part in build_refiners(effect, temporal=True, refine=True)]
        assert [name for name in names if name in used] == used
    steps = parts.chains(Rough())
    assert [len(step.stages.refiners) - 1 for step in steps] == list(range(len(names) + 1))
    frame = Synthetic(Size(320, 180)).frame(0)
    assert all(step.matte(frame).shape == (180, 320) for step in steps)


def test_every_step_sees_the_same_run_of_the_network(parts: ModuleType) -> None:
    network = Rough()
    steps = parts.chains(network)
    streams = [StreamState() for _ in steps]
    for frame in Synthetic(Size(96, 54), frames=5):
        for step, stream in zip(steps, streams, strict=True):
            step.matte(frame, stream)
    assert network.asked == 5
    assert {stream.segmenter for stream in streams} == {5}
    # frames whose stream begins anew are not taken for the last one
    steps[0].matte(Synthetic(Size(96, 54)).frame(4))
    assert network.asked == 6


def test_scores_of_the_steps_differ_as_the_parts_do(parts: ModuleType) -> None:
    cases = datasets.find("synthetic:192x108*12")
    scores = parts.scored(Rough(), cases)
    names = ["network", *(parts.part_name(part) for part in parts.parts())]
    found = dict(zip(names, scores, strict=True))
    assert all(set(score) == {*parts.SHOWN} - {"rim"} for score in scores)
    assert found["temporal"]["flicker"] < 0.9 * found["nearest"]["flicker"]
    assert found["foreground"] == found["guided"]  # it changes colours alone
    assert found["guided"] != found["temporal"]


def test_the_tight_boundary_sees_what_the_usual_one_forgives(parts: ModuleType) -> None:
    from livematte.evaluation import metrics

    truth = np.zeros((720, 1280), np.float32)
    truth[:, :600] = 1
    for shift, expected in ((3, 1), (4, 0)):
        found = np.roll(truth, shift, axis=1)
        found[:, :10] = 1
        found[:, -10:] = 0
        assert parts.tight_f(found, truth) == expected
        assert metrics.boundary_f(found, truth) == 1


def test_rims_are_cleaner_with_the_foreground(parts: ModuleType, people: Path) -> None:
    clips = datasets.find(f"motion:{people},192x108*16", 2)
    names = ["network", *(parts.part_name(part) for part in parts.parts())]

    class Told(Rough):
        def segment(self, frame: Frame, state: object) -> tuple[Matte, object]:
            alpha = next(self.truths)
            return Matte(datasets.limited(alpha, NET.width), frame.pts), None

    network = Told()
    network.truths = (scene.alpha for clip in clips for scene in clip.scenes())
    found = dict(zip(names, parts.rims(network, clips), strict=True))
    assert 0 < found["foreground"] < found["guided"]


def test_every_part_is_timed_beside_the_network(parts: ModuleType) -> None:
    frames = list(Synthetic(Size(192, 108), frames=4))
    times = parts.timed(Rough(), frames, rounds=2)
    names = [parts.part_name(part) for part in parts.parts()]
    assert list(times) == ["network", "stretch", *names, "together"]
    assert times["network"]["of_network"] == 1
    assert all(time["us"] > 0 and time["p95_us"] >= time["us"] for time in times.values())


def test_the_page_shows_the_committed_results(parts: ModuleType) -> None:
    figures = json.loads((ROOT / "bench" / "results" / "parts.json").read_text(encoding="utf-8"))
    text = PAGE.read_text(encoding="utf-8")
    assert parts.filled(text, parts.page(figures)) == text, "run python bench/parts.py"
    names = ["network", *(parts.part_name(part) for part in parts.parts())]
    for model in figures["models"]:
        assert [step["part"] for step in model["steps"]] == names, "a part is new: run python bench/parts.py"


def test_a_page_without_marks_is_refused(parts: ModuleType) -> None:
    with pytest.raises(SystemExit, match="parts:begin"):
        parts.filled("# A page", "text")
