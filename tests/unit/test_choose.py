"""Choosing a model: the rule, with made-up figures, and the figures that ship."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest

from livematte import _bench_models, _choose, _quality, _survey
from livematte._choose import Candidate, Need
from livematte._frame import Size
from livematte._quality import Quality

ROOT = Path(__file__).parents[2]

LIVE = Need("live", Size(1280, 720), fps=30, share=0.5)
FILE = Need("file", Size(1280, 720), fps=None, share=None)


def candidate(name: str, worth: float = 0.7, ms: float | None = 4.0, **known: object) -> Candidate:
    """A model whose quality is `worth`, that takes `ms` of one core, three quarters of them the network's."""
    quality = Quality(worth, worth, 50.0, flicker=0.3)
    times = {"network_ms": None if ms is None else 0.75 * ms, "frame_ms": ms, "cpu_ms": ms}
    facts: dict[str, object] = {"gives": ("person",), "licence": "MIT", "commercial": True, "quality": quality}
    return Candidate(name, **{**facts, **times, **known})  # type: ignore[arg-type]


def flattered(name: str, worth: float, ms: float = 4.0) -> Candidate:
    return candidate(name, worth, ms, quality=Quality(worth, worth, 50.0, 0.3, familiar="it knows these pictures"))


def names(candidates: tuple[Candidate, ...]) -> list[str]:
    return [it.model for it in candidates]


def test_the_best_of_those_that_fit_is_chosen() -> None:
    slow = candidate("slow", 0.9, ms=31)
    decision = _choose.decide(LIVE, [candidate("plain", 0.7), candidate("good", 0.8, ms=12), slow])
    assert decision.choice is not None
    assert decision.choice.model == "good"
    assert names(decision.ranked) == ["good", "plain"]
    assert decision.misfits == ((slow, "too slow"),)
    assert decision.instead == ()


def test_of_alike_quality_the_quicker_then_our_own() -> None:
    alike = [candidate("a", 0.703, 5), candidate("b", 0.7, 4), candidate("livematte:x", 0.7, 4)]
    assert names(_choose.decide(LIVE, alike).ranked) == ["livematte:x", "b", "a"]


def test_the_core_is_counted_beside_the_clock() -> None:
    many_threads = replace(candidate("wide", 0.9, ms=8), cpu_ms=20.0)
    decision = _choose.decide(LIVE, [many_threads])
    assert decision.choice is None
    assert decision.misfits == ((many_threads, "too much of a core"),)
    assert _choose.decide(replace(LIVE, share=1.0), [many_threads]).choice is many_threads
    assert _choose.decide(replace(LIVE, share=None), [many_threads]).choice is many_threads


def test_a_file_may_take_its_time() -> None:
    decision = _choose.decide(FILE, [candidate("quick", 0.7), candidate("good", 0.9, ms=900)])
    assert decision.choice is not None
    assert decision.choice.model == "good"


@pytest.mark.parametrize(
    ("need", "suited"),
    [
        (LIVE, ["free", "unclear", "paid", "parts"]),
        (replace(LIVE, commercial=True), ["free", "parts"]),
        (replace(LIVE, gives="parts"), ["parts"]),
        (replace(LIVE, gives="classes"), []),
        (replace(LIVE, browser=True), ["parts"]),
    ],
)
def test_outputs_terms_and_place_are_conditions(need: Need, suited: list[str]) -> None:
    known = [
        candidate("free"),
        candidate("unclear", commercial=None),
        candidate("paid", commercial=False),
        candidate("parts", gives=("person", "parts"), in_browser="parts"),
    ]
    assert [it.model for it in known if _choose.suits(need, it)] == suited
    assert sorted(names(_choose.decide(need, known).ranked)) == sorted(suited)


def test_figures_that_may_flatter_lead_no_choice() -> None:
    known = [flattered("familiar", 0.9), candidate("honest", 0.7)]
    decision = _choose.decide(LIVE, known)
    assert names(decision.ranked) == ["familiar", "honest"]
    assert decision.choice is known[1]
    assert _choose.decide(LIVE, known[:1]).choice is known[0]  # there is nothing else


def test_flicker_counts_in_video_alone() -> None:
    restless = candidate("restless", 0.9, quality=Quality(0.9, 0.9, 30.0, flicker=_choose.CALM + 0.1))
    calm = candidate("calm", 0.7, quality=Quality(0.7, 0.7, 30.0, flicker=_choose.CALM))
    for need, best in ((LIVE, calm), (FILE, calm), (replace(FILE, use="picture"), restless)):
        assert _choose.decide(need, [restless, calm]).choice is best


def test_a_model_of_unknown_quality_comes_last() -> None:
    unknown, poor = candidate("unknown", quality=None), candidate("poor", 0.1)
    assert names(_choose.decide(LIVE, [unknown, poor]).ranked) == ["poor", "unknown"]
    assert _choose.decide(LIVE, [unknown]).choice is unknown


def test_those_that_are_not_here_are_never_chosen() -> None:
    known = [candidate("absent", 0.9, None, here=False), candidate("waiting", 0.8, None), candidate("here", 0.5)]
    decision = _choose.decide(LIVE, known)
    assert decision.choice is known[2]
    assert (decision.absent, decision.passed_over) == ((known[0],), (known[1],))


def test_where_nothing_fits_the_nearest_and_what_to_give_up() -> None:
    near, far = candidate("near", 0.7, ms=40), candidate("far", 0.9, ms=80)
    broken = candidate("broken", ms=None, error="no such file")
    decision = _choose.decide(replace(LIVE, share=None), [broken, far, near])
    assert decision.choice is None
    assert [(it.model, why) for it, why in decision.misfits] == [
        ("near", "too slow"), ("far", "too slow"), ("broken", "no such file")]  # fmt: skip
    # the network of 30 ms every second frame: 25 of 30 ms; smaller pictures take 10 ms off, at a quarter of the sides
    assert [it.partition(":")[0] for it in decision.instead] == ["quality", "frames"]
    assert "every-2nd" in decision.instead[0]
    assert decision.instead[1] == "frames: --fps 22"
    assert replace(LIVE, fps=22).clock_ms >= 40


def test_size_and_share_are_offered_where_they_help() -> None:
    rest = replace(candidate("rest", ms=20), network_ms=2.0)
    assert list(_choose.instead(LIVE, rest)) == [
        "quality: at the rung no-refinement it fits; `livematte live` takes it by itself",
        "size: --size 960x540, if all but the network shrinks with the picture",
        "frames: --fps 25",
        "the rest of the machine: --share 0.6",
    ]
    assert _choose.too_slow(replace(LIVE, share=0.6), rest) == ""
    assert _choose.too_slow(replace(LIVE, fps=25), rest) == ""


def test_the_search_ends_with_enough_that_can_be_trusted() -> None:
    fits = [candidate(str(index)) for index in range(_choose.ENOUGH)]
    assert _choose.enough(LIVE, fits)
    assert not _choose.enough(LIVE, [flattered("x", 0.9), *fits[1:]])
    assert not _choose.enough(LIVE, [candidate("slow", ms=99), *fits[1:]])


def test_the_best_are_measured_first_and_the_rest_left(monkeypatch: pytest.MonkeyPatch) -> None:
    known = [candidate(f"m{index}", index / 10, None) for index in range(6)]
    known.append(candidate("m6", 0.9, None, here=False))
    asked = []

    def measure(need: Need, one: Candidate, **options: object) -> Candidate:
        asked.append(one.model)
        return replace(one, network_ms=3.0, frame_ms=4.0, cpu_ms=4.0)

    monkeypatch.setattr(_survey, "measure", measure)
    decision = _choose.decide(LIVE, _survey.measured(LIVE, known))
    assert asked == names(decision.ranked) == ["m5", "m4", "m3"]
    assert names(decision.passed_over) == ["m2", "m1", "m0"]
    asked.clear()
    list(_survey.measured(LIVE, known, all_=True))
    assert asked == ["m5", "m4", "m3", "m2", "m1", "m0"]


def test_networks_that_ship_have_figures_of_the_weights_that_ship() -> None:
    for spec in _bench_models.chosen("all")[0]:
        assert _quality.published(spec) is not None, f"{spec.name} has other weights: run python bench/quality.py"


def test_figures_of_other_weights_are_not_given() -> None:
    spec = _bench_models.chosen("livematte")[0][0]
    other = replace(spec.files[0], sha256="0" * 64)
    assert _quality.published(replace(spec, files=(other,))) is None


def test_figures_are_possible() -> None:
    facts = _quality.facts()
    assert facts["format"] == _quality.FORMAT
    for name, row in facts["models"].items():
        assert 0 < row["boundary_f"] < row["iou"] < 1, name
        assert row["mad"] > 0, name
        assert row["flicker"] > 0, name


def test_models_say_what_they_give() -> None:
    given = {spec.name: spec.gives for spec in _bench_models.everything()}
    assert given["livematte:base"] == given["pphumanseg:int8"] == given["sinet:portrait"] == ("person",)
    assert given["bodypix:resnet50-s16"] == ("person", "parts", "people")
    assert given["deeplabv3:voc"] == given["mediapipe:multiclass"] == ("person", "classes")


def test_the_browser_has_the_models_it_is_said_to_have() -> None:
    types = (ROOT / "web" / "src" / "types.ts").read_text(encoding="utf-8")
    models = (ROOT / "web" / "src" / "segmenter" / "models.ts").read_text(encoding="utf-8")
    line = re.search(r"^export type ModelName = (.*);$", types, re.MULTILINE)
    assert line is not None
    quoted = set(re.findall(r'"([a-z]+(?::[a-z0-9-]+)?)" ', line[1]))
    template = '`bodypix:mobilenet-${"050" | "075" | "100"}-s16${"" | "-q2" | "-q1"}`'
    assert template in line[1]
    made = {name for name in _survey.BROWSER.values() if re.fullmatch(r"bodypix:mobilenet-\d+-s16(-q[12])?", name)}
    assert len(made) == 9
    assert set(_survey.BROWSER.values()) == quoted | made
    for tag, place in (("fast", "graphs"), ("base", "large")):
        listed = re.search(rf"{place}: \[(.*?)\]", models[models.index("livematte: {") :], re.DOTALL)
        assert listed is not None
        assert f"models/livematte-{tag}-" in listed[1]
    assert _survey.BROWSER["livematte:fast"] == _survey.BROWSER_LARGER["livematte:base"] == "livematte"


def test_times_in_browsers_are_those_of_the_bench() -> None:
    known = _survey.browser_facts()
    assert set(known["chromium_ms"]) == set(known["native_ms"]) <= set(_survey.BROWSER)
    ratio = _survey.browser_ratio("livematte:fast")
    assert ratio is not None
    assert ratio > 1
    assert _survey.browser_ratio("livematte:base") is None
