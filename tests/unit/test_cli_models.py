"""`livematte models` as a user types it: output, exit code, one line on failure."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from livematte import cli
from livematte.models import mediapipe

LANDSCAPE = mediapipe.SPECS["landscape"]

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """`run("models", "list")` -> exit code, stdout, stderr; with an empty cache."""
    monkeypatch.setenv("LIVEMATTE_CACHE", str(tmp_path / "cache"))

    def call(*arguments: str) -> tuple[int, str, str]:
        code = cli.run(arguments)
        return code, *capsys.readouterr()

    return call


def test_list_shows_names_state_and_terms(run: Run) -> None:
    code, out, err = run("models", "list")
    assert (code, err) == (0, "")
    rows = {line.split()[0]: line for line in out.splitlines()}
    assert set(rows) >= {"livematte:fast", "mediapipe:landscape", "mediapipe:general"}
    assert "in package" in rows["livematte:fast"]
    assert "commercial use: yes" in rows["livematte:fast"]
    assert "not here" in rows["mediapipe:general"]
    assert "commercial use: yes" in rows["mediapipe:general"]


def test_list_as_json(run: Run) -> None:
    code, out, _ = run("models", "list", "--json")
    assert code == 0
    models = {m["name"]: m for m in json.loads(out)}
    assert models["mediapipe:landscape"]["licence"] == "Apache-2.0"
    assert models["mediapipe:landscape"]["files"][0]["sha256"] == LANDSCAPE.files[0].sha256


def test_info_shows_address_and_checksum(run: Run) -> None:
    code, out, _ = run("models", "info", "mediapipe")
    assert code == 0
    assert LANDSCAPE.files[0].url in out
    assert LANDSCAPE.files[0].sha256 in out


@pytest.mark.parametrize("command", ["info", "pull", "verify"])
@pytest.mark.parametrize(("name", "listed"), [("mediapip", "mediapipe"), ("mediapipe:x", "mediapipe:general")])
def test_unknown_names_are_answered_with_the_list(run: Run, command: str, name: str, listed: str) -> None:
    code, out, err = run("models", command, name)
    assert (code, out) == (1, "")
    assert listed in err
    assert err.count("\n") == 1


def test_pull_without_a_network_names_the_way_out(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LIVEMATTE_MIRROR", "http://127.0.0.1:1")
    monkeypatch.setenv("no_proxy", "*")
    code, out, err = run("models", "pull", "mediapipe:landscape")
    assert (code, out) == (1, "")
    assert "--weights FILE" in err
    assert err.count("\n") == 1


def test_pull_of_packaged_weights_only_checks_them(run: Run) -> None:
    code, out, _ = run("models", "pull", "livematte")
    assert code == 0
    assert out.count("livematte:base") == 6  # two formats of three aspects


def test_verify_passes_over_what_is_not_here(run: Run) -> None:
    code, out, _ = run("models", "verify")
    assert code == 0
    assert out.count("  ok\n") == 18  # every file of the package
    assert "selfie_segmentation.tflite  not here" in out


def test_verify_of_a_named_model_wants_it_here(run: Run) -> None:
    code, _, err = run("models", "verify", "mediapipe:landscape")
    assert code == 1
    assert "mediapipe:landscape" in err


def test_verify_finds_harm(run: Run, tmp_path: Path, shared: Callable[[str], Path]) -> None:
    path = tmp_path / "cache" / "weights" / LANDSCAPE.files[0].path
    path.parent.mkdir(parents=True)
    shutil.copyfile(shared("weights/mediapipe/selfie_segmentation_landscape.tflite"), path)
    assert run("models", "verify", "mediapipe:landscape")[0] == 0
    path.write_bytes(path.read_bytes()[:-1] + b"!")
    code, out, err = run("models", "verify")
    assert code == 1
    assert "has SHA-256" in out
    assert "mediapipe:landscape" in err
