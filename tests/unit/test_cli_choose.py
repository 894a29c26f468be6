"""`livematte choose`: what it says, and when it fails."""

from __future__ import annotations

import json
import shlex
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from livematte import _choose, _device, _survey, _tune
from livematte._choose import Candidate, Need
from livematte._quality import Quality
from livematte.cli import _app, _choose_text

Livematte = Callable[..., tuple[int, str, str]]

SMALL = ("--size", "64x48")


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every model takes 4 ms, and nothing is measured."""

    def measure(need: Need, one: Candidate, **options: object) -> Candidate:
        return replace(one, engine="onnxruntime", network_ms=3.0, frame_ms=4.0, cpu_ms=4.0)

    monkeypatch.setattr(_survey, "measure", measure)


def test_a_model_is_measured_and_chosen(livematte: Livematte) -> None:
    code, out, err = livematte("choose", *SMALL, "--fps", 1, "--models", "livematte:fast,mediapipe:general", "--json")
    found = json.loads(out)
    (row,) = found["ranked"]
    assert (code, err) == (0, "")
    assert found["choice"] == row["model"] == "livematte:fast"
    assert 0 < row["network_ms"] < row["frame_ms"] < 900
    assert row["cpu_ms"] > 0
    assert row["engine"] == found["engine"] == "onnxruntime"
    assert [it["pull"] for it in found["absent"]] == ["livematte models pull mediapipe:general"]
    assert found["need"] | {"fps": 1.0, "share": 0.5, "size": "64x48"} == found["need"]
    assert found["quality"]["made_by"] == "python bench/quality.py"


def test_nothing_fits(livematte: Livematte) -> None:
    code, out, _ = livematte("choose", "--models", "livematte:fast", *SMALL, "--fps", 1000, "--share", 0.01)
    assert code == 1
    assert out.startswith("Nothing here fits. The nearest is livematte:fast: too ")
    assert "What to give up, one of:\n" in out


@pytest.mark.parametrize(
    ("options", "line"),
    [
        ((), "livematte live --model livematte:base --size 1280x720 --fps 30"),
        (("--for", "file"), "livematte blur talk.mp4 -o out.mp4 --model livematte:base"),
        (("--for", "picture"), "livematte blur me.jpg -o out.png --model livematte:base"),
        (("--size", "360p", "--fps", "15"), "livematte live --model livematte:base --size 640x360 --fps 15"),
        (
            ("--platform", "browser"),
            'const background = await createBackground({ model: "livematte", assetBase: "/livematte/" });',
        ),
    ],
)
def test_the_next_line_to_type(quick: None, livematte: Livematte, options: tuple[str, ...], line: str) -> None:
    code, out, _ = livematte("choose", *options)
    assert code == 0
    assert f"\n  {line}\n" in out
    assert out.startswith(("livematte:base: ", "livematte:fast: "))
    assert all(len(shown) <= _choose_text.WIDTH for shown in out.splitlines())


@pytest.mark.parametrize("use", ["live", "file", "picture"])
@pytest.mark.parametrize("gives", ["person", "parts", "people", "classes"])
def test_every_line_to_type_is_a_command(use: str, gives: str) -> None:
    need = Need(use, _choose.Size(1280, 720), fps=30, share=0.5, gives=gives)
    commands = _app.build().commands  # type: ignore[attr-defined]
    for line in _choose_text.commands(need, known("some:model")):
        _, command, *words = shlex.split(line)
        options = {name for parameter in commands[command].params for name in parameter.opts}
        assert {word for word in words if word.startswith("-")} <= options


def known(name: str, **facts: object) -> Candidate:
    figures = Quality(0.8, 0.7, 50.0, 0.3)
    made = Candidate(name, ("person",), "MIT", True, figures, network_ms=3.0, frame_ms=4.0, cpu_ms=4.0)
    return replace(made, **facts)  # type: ignore[arg-type]


def test_better_figures_that_may_flatter_are_told(quick: None, livematte: Livematte) -> None:
    _, out, _ = livematte("choose", "--models", "livematte:base,livematte:research", "--for", "picture")
    assert out.startswith("livematte:base: the best of those that fit and whose figures can be trusted.")
    assert "livematte:research has better figures, but they may flatter it" in " ".join(out.split())
    assert "\n  livematte choose --data DIR --models livematte:base,livematte:research\n" in out


def test_academic_models_are_no_choice_for_commerce(quick: None, livematte: Livematte) -> None:
    code, out, _ = livematte("choose", "--models", "livematte:research", "--commercial")
    assert code == 1
    assert out.startswith("No model gives what is needed: person, for commercial use.")


def test_what_is_not_here_is_named_and_not_fetched(quick: None, livematte: Livematte) -> None:
    code, out, _ = livematte("choose", "--needs", "parts", "--for", "file")
    assert code == 1
    assert out.startswith("No model that gives what is needed (parts) is on this machine.")
    assert "\n  livematte models pull bodypix:mobilenet-050-s16 bodypix:mobilenet-050-s8\n" in out


def test_the_browser_takes_more_than_native(livematte: Livematte) -> None:
    options = ("choose", *SMALL, "--models", "livematte:fast", "--fps", "1", "--json")
    rows = [json.loads(livematte(*options, *more)[1])["ranked"][0] for more in ((), ("--platform", "browser"))]
    assert rows[0]["frame_ms"] < rows[1]["frame_ms"]


def test_a_model_without_a_time_in_browsers_does_not_fit() -> None:
    need = Need("live", _choose.Size(1280, 720), 30, 0.5, browser=True)
    one = known("mediapipe:general", in_browser="mediapipe:general", frame_ms=None, cpu_ms=None)
    found = _survey.measure(need, one)
    decision = _choose.decide(need, [found])
    about = {"cpu": {"name": "x", "cores": 2}, "data": None, "tuned": False}
    assert decision.choice is None
    assert "To see what it takes (background.stats() tells):" in _choose_text.lines(need, decision, about)


def test_your_own_pictures_decide(livematte: Livematte, people: Path) -> None:
    code, out, _ = livematte(
        "choose", "--data", people, "--limit", 2, "--models", "livematte:research,livematte:fast", *SMALL,
        "--for", "picture", "--json",
    )  # fmt: skip
    found = json.loads(out)
    assert code == 0
    assert found["data"] == people.name
    assert all(row["quality"]["familiar"] == "" for row in found["ranked"])
    assert found["choice"] == found["ranked"][0]["model"]  # nobody is flattered by them


def test_the_choice_is_tuned_if_asked(quick: None, livematte: Livematte, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []
    monkeypatch.setattr(_tune, "tune", asked.append)
    code, _, _ = livematte("choose", "--models", "livematte:fast", "--tune")
    assert (code, asked) == (0, ["livematte:fast"])


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--for", "film"), "--for is live, file or picture; got 'film'"),
        (("--needs", "cats"), "--needs is person, parts, people or classes; got 'cats'"),
        (("--platform", "phone"), "--platform is native or browser; got 'phone'"),
        (("--platform", "browser", "--for", "file"), "the browser SDK is for live tracks"),
        (("--share", "0"), "--share is a part of one core, above 0"),
        (("--share", "nan"), "--share is a part of one core, above 0"),
        (("--for", "file", "--share", "0.5"), "give --fps, too"),
        (("--fps", "0"), "fps must be a number above 0"),
        (("--size", "big"), "as in 1280x720; got 'big'"),
        (("--needs", "people"), "is for files: pass --for file"),
        (("--limit", "3"), "--limit goes with --data"),
        (("--data", "nowhere"), "--data: there is no folder nowhere"),
        (("--models", "nonsense"), "no model is called 'nonsense'"),
    ],
)
def test_options_without_sense_are_one_line(livematte: Livematte, options: tuple[str, ...], said: str) -> None:
    code, out, err = livematte("choose", *options)
    assert (code, out) == (1, "")
    assert said in err
    assert err.count("\n") == 1


def test_pictures_without_masks_are_told_before_anything_is_measured(livematte: Livematte, tmp_path: Path) -> None:
    code, out, err = livematte("choose", "--data", tmp_path)
    assert (code, out) == (1, "")
    assert err.startswith("livematte: error: ")


def test_a_weak_computer_is_told_where_live_begins(
    quick: None, livematte: Livematte, monkeypatch: pytest.MonkeyPatch
) -> None:
    for ghz, told in ((3.0, False), (1.0, True)):
        monkeypatch.setattr(_device, "this_device", lambda ghz=ghz: _device.Device(8.0, ghz, 4))
        out = livematte("choose", "--models", "livematte:fast")[1]
        assert ("begins at the rung every-2nd" in out) is told
