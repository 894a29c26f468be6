"""`livematte parts` as a user types it."""

from __future__ import annotations

import importlib.util
import json
from collections.abc import Callable
from pathlib import Path

import av
import cv2
import numpy as np
import pytest

from livematte import _registry, cli
from livematte.models._bodypix_poses import NAMES
from livematte.models._parts import PALETTE

spec = importlib.util.spec_from_file_location("bodypix_graphs", Path(__file__).parents[1] / "bodypix_graphs.py")
assert spec is not None
assert spec.loader is not None
graphs = importlib.util.module_from_spec(spec)
spec.loader.exec_module(graphs)

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture(scope="module")
def noise(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A network that finds something everywhere."""
    graph, outputs = graphs.mobilenet(graphs.noise(5), multiplier=0.5, stride=16)
    path: Path = graph.write(tmp_path_factory.mktemp("noise") / "model.json", outputs)
    return path


def colours_of(path: Path) -> set[tuple[int, ...]]:
    return {tuple(c) for c in cv2.imread(str(path))[..., ::-1].reshape(-1, 3).tolist()}


def test_a_picture_of_parts(livematte: Run, noise: Path, astronaut_path: Path, tmp_path: Path) -> None:
    out = tmp_path / "parts.png"
    assert livematte("parts", astronaut_path, "-o", out, "--weights", noise) == (0, "", "")
    assert cv2.imread(str(out)).shape == (512, 512, 3)
    colours = colours_of(out)
    assert (0, 0, 0) in colours
    assert len(colours) > 3
    assert colours <= {(0, 0, 0), *(tuple(c) for c in PALETTE.tolist())}


def test_people_apart_and_their_key_points(livematte: Run, noise: Path, astronaut_path: Path, tmp_path: Path) -> None:
    out = tmp_path / "people.png"
    code, text, _ = livematte(
        "parts", astronaut_path, "-o", out, "--weights", noise, "--people", "--json", "--background", "white"
    )
    assert code == 0
    (frame,) = map(json.loads, text.splitlines())
    assert (frame["frame"], frame["time_s"]) == (0, 0)
    assert frame["people"]
    for person in frame["people"]:
        assert [point["name"] for point in person["keypoints"]] == list(NAMES)
        assert 0.2 <= person["score"] <= 1
    assert (255, 255, 255) in colours_of(out)


def test_a_video_of_parts(livematte: Run, noise: Path, carphone: Path, tmp_path: Path) -> None:
    out = tmp_path / "parts.mp4"
    code, text, _ = livematte("parts", carphone, "-o", out, "--weights", noise, "--json", "--opacity", "0.5")
    assert code == 0
    assert [json.loads(line)["frame"] for line in text.splitlines()] == list(range(120))
    with av.open(str(out)) as clip:
        assert sum(1 for _ in clip.decode(video=0)) == 120


def test_many_inputs(
    livematte: Run,
    noise: Path,
    astronaut_path: Path,
    carphone: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("photos").mkdir()
    for place in ("me.png", "photos/one.png", "photos/two.png"):
        Path(place).write_bytes(astronaut_path.read_bytes())
    Path("bad.png").write_bytes(b"no picture")
    loaded = []
    create = _registry.create
    monkeypatch.setattr(_registry, "create", lambda kind, *a, **k: loaded.append(kind) or create(kind, *a, **k))
    code, text, error = livematte(
        "parts", "bad.png", "me.png", "photos", carphone, "-o", "out/", "--weights", noise, "--json"
    )
    assert code == cli.FAILED
    assert error.splitlines()[0].startswith("livematte: error: bad.png: ")
    assert error.splitlines()[-1] == "livematte: error: 1 of 4 inputs failed: bad.png"
    assert sorted(str(path.relative_to("out")) for path in Path("out").rglob("*") if path.is_file()) == [
        Path(carphone).name, "me.png", "photos/one.png", "photos/two.png"
    ]  # fmt: skip
    assert loaded.count("models") == 1
    lines = [json.loads(line) for line in text.splitlines()]
    assert "error" in lines[0]
    assert [(line["input"], line["frame"]) for line in lines[1:4]] == [("me.png", 0), ("photos", 0), ("photos", 1)]
    assert [line["frame"] for line in lines[4:]] == list(range(120))
    code, _, error = livematte("parts", "me.png", "bad.png", "-o", "one.png", "--weights", noise)
    assert (code, error.count("\n")) == (cli.FAILED, 1)
    assert "2 inputs want a folder" in error
    assert livematte("parts", "photos/", "-o", "alone/", "--weights", noise) == (0, "", "")
    assert sorted(path.name for path in Path("alone").iterdir()) == ["one.png", "two.png"]


def test_real_parts_of_a_portrait(
    livematte: Run, astronaut_path: Path, tmp_path: Path, shared: Callable[[str], Path]
) -> None:
    weights = shared("weights/bodypix/MobileNetV1-x050-stride16.onnx")
    out = tmp_path / "parts.png"
    assert livematte("parts", astronaut_path, "-o", out, "--weights", weights, "--resolution", 257)[0] == 0
    picture = cv2.imread(str(out))[..., ::-1]
    face, torso, room = picture[120, 215], picture[380, 250], picture[20, 480]
    assert tuple(face) in {tuple(PALETTE[0]), tuple(PALETTE[1])}
    assert tuple(torso) == tuple(PALETTE[12])
    assert tuple(room) == (0, 0, 0)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--model", "mediapipe"], "only bodypix knows parts of the body"),
        (["--opacity", "2"], "--opacity must be from 0 to 1"),
        (["--resolution", "9"], "resolution must be one of low"),
        (["--threshold", "7"], "threshold must be from 0 to 1"),
        (["--background", "plaid"], "plaid"),
        (["--weights", "nowhere.json"], "there is no file nowhere.json"),
    ],
)
def test_what_cannot_be_is_said_in_one_line(
    options: list[str], message: str, livematte: Run, noise: Path, astronaut_path: Path, tmp_path: Path
) -> None:
    out = tmp_path / "parts.png"
    code, text, error = livematte("parts", astronaut_path, "-o", out, "--weights", noise, *options)
    assert (code, text) == (1, "")
    assert message in error
    assert error.count("\n") == 1
    assert not out.exists()


def test_an_output_that_exists_is_left_alone(livematte: Run, noise: Path, astronaut_path: Path, tmp_path: Path) -> None:
    out = tmp_path / "parts.png"
    out.write_bytes(b"mine")
    code, _, error = livematte("parts", astronaut_path, "-o", out, "--weights", noise)
    assert (code, out.read_bytes()) == (1, b"mine")
    assert "pass -y to replace it" in error
    assert livematte("parts", astronaut_path, "-o", out, "--weights", noise, "-y")[0] == 0
    assert np.any(cv2.imread(str(out)))
