"""One table over every model whose weights are here."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from livematte import _bench_models
from livematte._errors import OptionError, UnknownName

Livematte = Callable[..., tuple[int, str, str]]


def test_all_are_those_of_the_registry() -> None:
    here, absent = _bench_models.chosen("all")
    names = [spec.name for spec in (*here, *absent)]
    assert len(names) == len(set(names)) == len(_bench_models.everything())
    assert {"livematte:base", "livematte:fast"} <= {spec.name for spec in here}
    assert "mediapipe:landscape" in {spec.name for spec in absent}


def test_some_by_name() -> None:
    here, absent = _bench_models.chosen("livematte, mediapipe:general")
    assert [spec.name for spec in here] == ["livematte:base"]
    assert [spec.name for spec in absent] == ["mediapipe:general"]


@pytest.mark.parametrize(("names", "error"), [("", OptionError), (",", OptionError), ("nonsense", UnknownName)])
def test_none_is_refused(names: str, error: type[Exception]) -> None:
    with pytest.raises(error):
        _bench_models.chosen(names)


def test_each_is_measured_in_a_process_of_its_own(livematte: Livematte, people: Path) -> None:
    code, out, _ = livematte(
        "bench", "--models", "livematte:fast,mediapipe:landscape", "--data", people, "--limit", "2", "--frames", "3",
        "--json",
    )  # fmt: skip
    figures = json.loads(out)
    (row,) = figures["rows"]
    assert code == 0
    assert figures["not_here"] == ["mediapipe:landscape"]
    assert (row["model"], row["engine"], row["commercial"]) == ("livematte:fast", "onnxruntime", True)
    assert 0 < row["network_ms"] < row["frame_ms"]
    assert row["cpu_ms"] > 0
    assert 20 < row["peak_mb"] < 2000
    assert 0 <= row["iou"] <= 1


def test_without_pictures_there_is_no_iou(livematte: Livematte) -> None:
    code, out, _ = livematte("bench", "--models", "livematte:fast", "--frames", "2")
    lines = out.splitlines()
    assert code == 0
    assert lines[2].split()[:2] == ["model", "engine"]
    assert lines[3].split()[-2:] == ["-", "yes"]


def test_a_failure_is_a_row_and_the_others_go_on(livematte: Livematte, tmp_path: Path) -> None:
    code, out, _ = livematte("bench", "--models", "livematte:fast,livematte:research", "--engine", "litert",
                             "--frames", "2")  # fmt: skip
    lines = out.splitlines()
    assert code == 0
    assert "litert" in lines[3]
    assert "FAILED: litert reads .tflite" in lines[4]


def test_pictures_go_with_models(livematte: Livematte, tmp_path: Path) -> None:
    code, _, err = livematte("bench", "--data", tmp_path)
    assert code == 1
    assert "--data and --limit go with --models" in err


def test_a_process_that_dies_is_told(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(_bench_models, "__name__", "livematte_dies")
    (tmp_path / "livematte_dies.py").write_text("import sys\nsys.exit('out of memory')\n")
    monkeypatch.syspath_prepend(tmp_path)
    (row,) = _bench_models.rows(_bench_models.chosen("livematte:fast")[0])
    assert row["error"] == "its process ended with 1 and said: out of memory"


def test_pictures_that_are_not_there_are_told_before_anything_is_measured(livematte: Livematte, tmp_path: Path) -> None:
    code, out, err = livematte("bench", "--models", "all", "--data", tmp_path / "people")
    assert (code, out) == (1, "")
    assert err == f"livematte: error: --data: there is no folder {tmp_path / 'people'}\n"


def test_all_rows_failed_is_no_success(livematte: Livematte) -> None:
    code, out, _ = livematte("bench", "--models", "livematte:research", "--engine", "litert", "--frames", "2")
    assert code == 1
    assert "FAILED: litert reads .tflite" in out
