"""Tuning: a fair race, a right result before speed, and a memory that ages."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from livematte import _registry, _tune, _weights
from livematte._errors import InferenceError, LoadError, OptionError
from livematte._frame import Size
from livematte._matte import Matte
from livematte.models import _load

SPEC = _tune.spec_of("livematte")


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("LIVEMATTE_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


class Clock:
    """Time that passes only where a runner spends it."""

    def __init__(self) -> None:
        self.now_ns = 0

    def __call__(self) -> int:
        return self.now_ns

    def runner(self, ms: float | Iterator[float]) -> Callable[[], None]:
        def run() -> None:
            self.now_ns += int((ms if isinstance(ms, (int, float)) else next(ms)) * 1e6)

        return run


def raced(times: dict[tuple[str, int], Any], seconds: float = 5.0) -> list[_tune.Candidate]:
    """Candidates with these milliseconds after the race."""
    clock = Clock()
    racing = [_tune.Candidate(engine, threads) for engine, threads in times]
    runners = {c.name: clock.runner(ms) for c, ms in zip(racing, times.values(), strict=True)}
    for candidate in racing:
        candidate.blocks.append(_tune._block(runners[candidate.name], clock))
    _tune.race(racing, runners, clock.now_ns + int(seconds * 1e9), clock)
    return racing


def test_the_fastest_wins() -> None:
    racing = raced({("onnxruntime", 1): 3.0, ("litert", 1): 3.5, ("openvino", 1): 2.0})
    assert _tune.choose(racing).engine == "openvino"
    assert [c.ms for c in racing] == [3.0, 3.5, 2.0]


def test_the_hopeless_are_not_raced() -> None:
    racing = raced({("onnxruntime", 1): 3.0, ("torch", 1): 9.0})
    assert racing[1].why == "takes 3.0 times as long"
    assert racing[1].blocks == []


def test_the_slower_half_is_dropped_and_the_rest_measured_longer() -> None:
    racing = raced({(f"e{n}", 1): 2.0 + n / 10 for n in range(6)})
    assert [c.why for c in racing] == ["", "", *["slower than half of the others"] * 4]
    assert len(racing[0].blocks) > len(racing[2].blocks) > len(racing[5].blocks) - 1


def test_the_race_ends_in_time() -> None:
    clock = Clock()
    racing = [_tune.Candidate("a", 1), _tune.Candidate("b", 1)]
    runners = {c.name: clock.runner(100.0) for c in racing}
    for candidate in racing:
        candidate.blocks.append(1e8)
    _tune.race(racing, runners, int(2e9), clock)
    assert clock.now_ns <= 2e9 + 2 * _tune.BLOCK * 1e8


def test_one_alone_is_measured_and_that_is_all() -> None:
    (only,) = raced({("onnxruntime", 1): 3.0})
    assert len(only.blocks) == _tune.MIN_ROUNDS


def test_a_slow_moment_does_not_decide() -> None:
    def disturbed() -> Iterator[float]:
        number = 0
        while True:
            number += 1
            yield 50.0 if number % 40 == 9 else 2.0

    racing = raced({("onnxruntime", 1): 3.0, ("openvino", 1): disturbed()})
    assert _tune.choose(racing).engine == "openvino"


@pytest.mark.parametrize(("two_ms", "threads"), [(2.9, 1), (2.0, 2)])
def test_more_threads_must_be_worth_the_cores(two_ms: float, threads: int) -> None:
    racing = raced({("onnxruntime", 1): 3.0, ("onnxruntime", 2): two_ms})
    assert _tune.choose(racing).threads == threads


@pytest.mark.parametrize(("two_ms", "chosen"), [(2.9, "openvino x1"), (2.2, "litert x2")])
def test_they_must_be_worth_it_whatever_the_engine(two_ms: float, chosen: str) -> None:
    """A slow engine that gains much from a second thread is no reason to take two cores for the time of one."""
    times = {("onnxruntime", 1): 5.0, ("openvino", 1): 3.0, ("litert", 1): 5.5, ("litert", 2): two_ms}
    assert _tune.choose(raced(times)).name == chosen


def test_each_doubling_has_to_be_worth_it() -> None:
    assert _tune.choose(raced({("litert", 1): 4.0, ("litert", 2): 3.5, ("litert", 4): 2.4})).threads == 1
    assert _tune.choose(raced({("litert", 1): 4.0, ("litert", 2): 3.5, ("litert", 4): 2.2})).threads == 4
    assert _tune.choose(raced({("litert", 1): 4.0, ("litert", 2): 2.9, ("litert", 4): 2.2})).threads == 2


def test_on_two_threads_too_another_engine_must_be_clearly_faster() -> None:
    times = {("onnxruntime", 1): 3.0, ("openvino", 1): 3.1, ("onnxruntime", 2): 2.02, ("openvino", 2): 2.0}
    assert _tune.choose(raced(times)).name == "onnxruntime x2"


def test_what_is_hardly_faster_does_not_replace_the_usual_engine() -> None:
    assert _tune.choose(raced({("onnxruntime", 1): 3.0, ("litert", 1): 2.9})).engine == "onnxruntime"


class Segmenter:
    """A segmenter with a matte and a speed of its own."""

    name, size = "livematte:base", Size(4, 4)

    def __init__(self, value: float, fails: bool = False) -> None:
        self.value, self.fails, self.closed = value, fails, False

    def segment(self, frame: Any, state: Any) -> tuple[Matte, None]:
        if self.fails:
            raise InferenceError("a driver is missing")
        alpha = np.full((4, 4), self.value, np.float32)
        return Matte(alpha, frame.pts), None

    def close(self) -> None:
        self.closed = True


def test_another_matte_does_not_count(monkeypatch: pytest.MonkeyPatch) -> None:
    made = {"onnxruntime": Segmenter(0.5), "litert": Segmenter(0.6), "openvino": Segmenter(0.5, fails=True),
            "torch": Segmenter(0.501)}  # fmt: skip
    real = _registry.create

    def create(folder: str, name: str, **options: Any) -> Any:
        return made[options["engine"]] if folder == "models" else real(folder, name, **options)

    monkeypatch.setattr(_tune._registry, "create", create)
    monkeypatch.setattr(_tune, "_entries", lambda *a: [(name, 1) for name in made])
    choice, candidates = _tune.tune("livematte", 1)
    found = {c.engine: c for c in candidates}
    assert choice.engine in ("onnxruntime", "torch")
    assert found["litert"].why == "its matte is another, by up to 26 of 255"
    assert found["openvino"].why == "a driver is missing"
    assert found["torch"].difference == pytest.approx(0.001, abs=1e-4)
    assert all(segmenter.closed for segmenter in made.values())


def test_no_engine_at_all_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_tune, "_entries", lambda *a: [])
    with pytest.raises(LoadError, match="no engine here runs livematte:base"):
        _tune.tune("livematte", 1)


def test_a_time_without_sense_is_refused() -> None:
    with pytest.raises(OptionError, match="seconds must be from 1 to 600, got 0"):
        _tune.tune("livematte", 0)


class TestMemory:
    def remember(self, engine: str = "litert", threads: int = 2) -> _tune.Choice:
        choice = _tune.Choice(engine, threads, 1.5)
        _tune._remember(SPEC, choice)
        return choice

    def change(self, cache: Path, **values: Any) -> None:
        kept = json.loads((cache / "tune.json").read_text())
        kept["models"][SPEC.name].update(values)
        (cache / "tune.json").write_text(json.dumps(kept))

    def test_it_is_kept_for_every_shape(self) -> None:
        choice = self.remember()
        assert [_tune.remembered(shape) for shape in SPEC.shapes] == [choice] * 3
        assert _tune.known_ms("livematte") == _tune.known_ms("livematte:base") == 1.5
        assert _tune.known_ms("livematte:fast") is None
        assert _tune.known_ms("nonsense") is None
        assert _tune.all_remembered() == {"livematte:base": choice}

    @pytest.mark.parametrize(
        "stale",
        [
            {"weights": ["0" * 64]},
            {"packages": {"onnxruntime": "0.1"}},
            {"machine": {"cpu": "another", "cores": 64}},
            {"threads": "many"},
            {"engine": None, "ms": None},
        ],
        ids=lambda stale: next(iter(stale)),
    )
    def test_what_has_changed_is_not_used(self, stale: dict[str, Any], cache: Path) -> None:
        self.remember()
        self.change(cache, **stale)
        assert _tune.remembered(SPEC) is None

    @pytest.mark.parametrize("text", ["", "[]", '{"format": 99, "models": {}}', '{"format": 1}', "{"])
    def test_a_harmed_file_is_nothing(self, text: str, cache: Path) -> None:
        cache.mkdir()
        (cache / "tune.json").write_text(text)
        assert _tune.remembered(SPEC) is None
        self.remember()
        assert _tune.remembered(SPEC) is not None

    def test_forgetting(self) -> None:
        self.remember()
        assert _tune.forget("livematte:fast") == []
        assert _tune.forget("livematte") == ["livematte:base"]
        assert _tune.remembered(SPEC) is None
        self.remember()
        assert _tune.forget() == ["livematte:base"]

    def test_a_cache_that_cannot_be_written_is_told(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        (tmp_path / "a file").write_bytes(b"")
        monkeypatch.setenv("LIVEMATTE_CACHE", str(tmp_path / "a file"))
        with pytest.raises(OptionError, match="LIVEMATTE_CACHE names another folder"):
            self.remember()

    def test_auto_uses_it(self) -> None:
        assert _load.load_engine(SPEC).name == "onnxruntime"
        self.remember("litert", 2)
        loaded: Any = _load.load_engine(SPEC)
        assert (loaded.name, loaded._threads) == ("litert", 2)

    def test_the_users_word_wins(self) -> None:
        self.remember("litert", 2)
        assert _load.load_engine(SPEC, "onnxruntime").name == "onnxruntime"
        loaded: Any = _load.load_engine(SPEC, threads=3)
        assert (loaded.name, loaded._threads) == ("litert", 3)
        golden = Path(__file__).parents[1] / "golden" / "network-256x144.onnx"
        assert _load.load_engine(SPEC, weights=golden).name == "onnxruntime"

    def test_a_device_that_is_gone_does_not_stop_anybody(self) -> None:
        self.remember("onnxruntime:qnn", 1)
        assert _load.load_engine(SPEC).name == "onnxruntime"

    def test_nothing_half_written_stays(self, cache: Path) -> None:
        self.remember()
        assert [path.name for path in cache.iterdir()] == ["tune.json"]


class TestCommand:
    def test_tunes_and_says_so(self, livematte: Callable[..., tuple[int, str, str]], cache: Path) -> None:
        code, out, _ = livematte("tune", "--model", "livematte:fast", "--seconds", "1", "--json")
        figures = json.loads(out)
        assert (code, figures["model"]) == (0, "livematte:fast")
        assert figures["candidates"][0]["ms"] > 0
        assert "onnxruntime" in {c["engine"] for c in figures["candidates"]}
        choice = _tune.remembered(_tune.spec_of("livematte:fast"))
        assert choice is not None
        assert figures["choice"] == {"engine": choice.engine, "threads": choice.threads, "ms": choice.ms}
        assert livematte("tune", "--model", "livematte:fast", "--forget")[1] == "livematte:fast: forgotten\n"
        assert (
            livematte("tune", "--model", "livematte:fast", "--forget")[1] == "livematte:fast: nothing was remembered\n"
        )

    def test_a_table_for_readers(self) -> None:
        from livematte.cli import tune

        figures = {
            "model": "m", "cpu": {"name": "CPU", "cores": 2}, "choice": {"engine": "a", "threads": 1, "ms": 2.0},
            "candidates": [
                {"engine": "a", "threads": 1, "ms": 2.0, "difference": 0.0, "largest": 0.0, "why": ""},
                {"engine": "b", "threads": 2, "ms": None, "difference": None, "largest": None, "why": "broken"},
            ],
        }  # fmt: skip
        lines = tune.lines(figures)
        assert lines[3].endswith("chosen")
        assert lines[4].endswith("-  broken")
        assert max(map(len, lines)) <= 100

    def test_weights_that_are_not_here(self, livematte: Callable[..., tuple[int, str, str]]) -> None:
        code, _, err = livematte("tune", "--model", "mediapipe:landscape", "--seconds", "1")
        assert code == 1
        assert "mediapipe:landscape" in err
        assert _weights.cache_dir().name == "cache"
