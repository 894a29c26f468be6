"""`livematte models` as a user types it: output, exit code, one line on failure."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from livematte import _registry, cli
from livematte.cli import models
from livematte.models import bodypix, mediapipe, modnet

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


def test_list_shows_what_is_here_first(run: Run) -> None:
    code, out, err = run("models", "list")
    assert (code, err) == (0, "")
    lines = [" ".join(line.split()) for line in out.splitlines()]
    here, pulled, own = (lines.index(title) for title in models.GROUPS)
    assert "livematte:fast 256x144+2 35 M - yes Apache-2.0" in lines[here:pulled]
    assert "mediapipe:general 256x256 59 M - yes Apache-2.0" in lines[pulled:own]
    assert "bodypix:mobilenet-075-s8 257x257 1.5 G - yes Apache-2.0" in lines[pulled:own]
    assert lines[lines.index("bodypix:resnet50-s32 513x289 11 G - yes Apache-2.0") + 1] == (
        "each of these 8 also with -q2, -q1"
    )
    assert "rvm:mobilenetv3 1280x720+2 - - unclear GPL-3.0" in lines[pulled:own]
    assert "modnet:webcam 896x512+2 - - yes Apache-2.0" in lines[own:]
    assert max(map(len, out.splitlines())) <= 80


def test_a_slow_device_fits_a_terminal_too() -> None:
    slow = [{**models.facts(spec), "ms": 123.4} for spec in models.every()]
    assert max(map(len, models.table(slow))) <= 80


def test_a_pulled_model_moves_up(run: Run, tmp_path: Path) -> None:
    path = tmp_path / "cache" / "weights" / "bodypix" / "MobileNetV1-x050-stride16.onnx"
    path.parent.mkdir(parents=True)
    path.touch()
    lines = [" ".join(line.split()) for line in run("models", "list")[1].splitlines()]
    pulled = lines.index(models.GROUPS[1])
    assert any(line.startswith("bodypix:mobilenet-050-s16 ") for line in lines[:pulled])
    assert any(line.startswith("bodypix:mobilenet-050-s16-q2 ") for line in lines[pulled:])


def test_only_rows_that_are_alike_are_folded() -> None:
    rows = [("a:x", "1"), ("a:x-q2", "1"), ("a:x-q1", "2"), ("a:xy", "2"), ("a:xy-z", "2"), ("a:xy-z-w", "2")]
    assert models.folded(rows) == [("a:x, -q2", "1"), ("a:x-q1", "2"), ("a:xy, -z, -z-w", "2")]


def test_list_as_json(run: Run) -> None:
    code, out, _ = run("models", "list", "--json")
    assert code == 0
    known = {m["name"]: m for m in json.loads(out)}
    assert len(known) == len(models.every())
    assert known["mediapipe:landscape"]["licence"] == "Apache-2.0"
    assert known["mediapipe:landscape"]["files"][0]["sha256"] == LANDSCAPE.files[0].sha256


def test_info_shows_address_and_checksum(run: Run) -> None:
    code, out, _ = run("models", "info", "mediapipe")
    assert code == 0
    assert LANDSCAPE.files[0].url in out
    assert LANDSCAPE.files[0].sha256 in out


def test_info_says_what_is_not_published(run: Run) -> None:
    _, out, _ = run("models", "info", "u2net:small")
    assert "MD5 8e83ca70e441ab06c318d82300c84806" in out
    _, out, _ = run("models", "info", "deeplabv3:ade20k")
    assert "no checksum is published: the first download is recorded" in out
    assert "traffic-light" in out
    assert "size not published" in out
    assert run("models", "info", "custom")[2].count("custom:net.onnx") == 1


def test_pull_names_its_model(run: Run) -> None:
    code, out, err = run("models", "pull")
    assert (code, out) == (1, "")
    assert "--all" in err


def test_pull_wants_consent_to_a_licence(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LIVEMATTE_MIRROR", "http://127.0.0.1:1")
    monkeypatch.setenv("no_proxy", "*")
    assert "--accept-licence GPL-3.0" in run("models", "pull", "rvm")[2]
    assert "cannot download" in run("models", "pull", "rvm", "--accept-licence", "GPL-3.0")[2]


def test_convert_writes_what_the_network_computes(run: Run, tmp_path: Path, shared: Callable[[str], Path]) -> None:
    pytest.importorskip("onnx")
    pytest.importorskip("tflite")
    pytest.importorskip("ai_edge_litert")
    tflite, made = shared("weights/mediapipe/selfie_segmentation.tflite"), tmp_path / "made.onnx"
    code, out, err = run("models", "convert", str(tflite), "-o", str(made))
    assert (code, err) == (0, "")
    assert str(made) in out
    before = _registry.create("engines", "litert", graph=tflite, threads=1)
    after = _registry.create("engines", "onnxruntime", graph=made, threads=1)
    rgb = np.random.default_rng(0).random((1, 256, 256, 3), np.float32)
    planar = np.ascontiguousarray(rgb.transpose(0, 3, 1, 2))
    assert np.abs(before.run([rgb])[0].ravel() - after.run([planar])[0].ravel()).max() < 1e-3
    assert "pass -y" in run("models", "convert", str(tflite), "-o", str(made))[2]
    assert run("models", "convert", str(tflite), "-o", str(made), "-y")[0] == 0


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (("net.pt", "-o", "x.onnx"), "none of .tflite"),
        (("net.tflite", "-o", "x.tflite"), "name it .onnx"),
        (("net.tflite", "-o", "x.onnx", "--size", "64x64"), "has its own size"),
        (("net.h5", "-o", "x.onnx", "--size", "64"), "WIDTHxHEIGHT"),
        (("net.h5", "-o", "x.onnx"), "cannot read"),
    ],
)
def test_convert_refuses_in_one_line(run: Run, tmp_path: Path, arguments: tuple[str, ...], reason: str) -> None:
    source, flag, target, *rest = arguments
    code, out, err = run("models", "convert", str(tmp_path / source), flag, str(tmp_path / target), *rest)
    assert (code, out, err.count("\n")) == (1, "", 1)
    assert reason in err
    assert list(tmp_path.glob("*.onnx")) == []


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


def test_pull_asks_a_mirror_for_what_is_published(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """BodyPix's network is there in a format of nobody's address, too, which no mirror has."""
    monkeypatch.setenv("LIVEMATTE_MIRROR", "http://127.0.0.1:1/mirror")
    pulled = models.wanted(bodypix.SPECS["mobilenet-050-s16"])
    assert [file.path for file in pulled] == ["bodypix/mobilenet/float/050/model-stride16.json"]
    assert models.wanted(modnet.SPECS["webcam"]) == modnet.SPECS["webcam"].all_files
    monkeypatch.setenv("no_proxy", "*")
    err = run("models", "pull", "bodypix:mobilenet-050-s16")[2]
    assert "/mirror/bodypix/mobilenet/float/050/model-stride16.json" in err


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
