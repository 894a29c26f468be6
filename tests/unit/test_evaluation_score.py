"""Models over data: means, subsets, the worst pictures, clips, and the command that shows them."""

from __future__ import annotations

import json
import weakref
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import cv2
import numpy as np
import pytest

from livematte import cli
from livematte._errors import OptionError
from livematte._frame import Frame
from livematte._pipeline import StreamState
from livematte.evaluation import score, tables
from livematte.evaluation.datasets import Clip, Picture
from livematte.evaluation.score import Means, Model, Worst
from livematte.sources.synthetic import Synthetic

SOURCE = Synthetic()
FRAMES = 4

GOLDEN = Path(__file__).parents[1] / "golden"


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """Four pictures of the figure, with its true mattes."""
    for index in range(FRAMES):
        write(tmp_path / f"data/images/{index}.png", SOURCE.frame(10 * index).to_rgb()[..., ::-1])
        write(tmp_path / f"data/masks/{index}.png", np.rint(255 * SOURCE.true_alpha(10 * index)).astype(np.uint8))
    return tmp_path / "data"


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    """The figure for four frames, in a folder of clips."""
    for index in range(FRAMES):
        write(tmp_path / f"film/clips/figure/{index}.png", SOURCE.frame(index).to_rgb()[..., ::-1])
        write(tmp_path / f"film/alphas/figure/{index}.png", np.rint(255 * SOURCE.true_alpha(index)).astype(np.uint8))
    return tmp_path / "film"


def write(path: Path, pixels: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    assert cv2.imwrite(str(path), pixels)


def oracle(alpha_of: Callable[[Frame], np.ndarray]) -> SimpleNamespace:
    """A model that knows what it should say."""
    return SimpleNamespace(name="oracle", engine="none", weights=None, matte=lambda frame, stream=None: alpha_of(frame))


class Told(Picture):
    """A picture that is not on disk: bright as its name says, with a person on the left half."""

    def read(self, side_px: int) -> tuple[np.ndarray, np.ndarray]:
        truth = np.zeros((40, 60), np.float32)
        truth[:, :30] = 1
        return np.full((40, 60, 3), int(self.name), np.uint8), truth


def told(*names: int) -> list[Told]:
    return [Told(str(name), Path(), Path()) for name in names]


def covering(frame: Frame) -> np.ndarray:
    """As many columns as the picture is bright: IoU is that by 30."""
    alpha = np.zeros((40, 60), np.float32)
    alpha[:, : int(frame.planes[0][0, 0])] = 1
    return alpha


def test_means_over_pictures_and_subsets() -> None:
    (result,) = score.evaluate(told(6, 12, 30, 15), [oracle(covering)])
    scores = result.pictures.scores()
    assert result.pictures.cases == 4
    assert scores["iou"] == pytest.approx((6 + 12 + 30 + 15) / 30 / 4)
    assert scores["mad"] == pytest.approx((24 + 18 + 0 + 15) / 60 / 4)
    assert {kind: list(found) for kind, found in result.subsets.items()} == {
        "size": [">25%"], "people": ["1"], "light": ["dark"], "format": ["wide"]
    }  # fmt: skip
    assert result.subsets["light"]["dark"].scores() == scores


def test_the_worst_pictures_are_kept_worst_first() -> None:
    first, second = score.evaluate(
        told(6, 30, 3, 15, 9), [oracle(covering), oracle(lambda frame: 1 - covering(frame))], worst=3,
        panel=lambda image: np.zeros((1, 1, 3), np.uint8),
    )  # fmt: skip
    assert [shown.name for shown in first.worst] == ["3", "6", "9"]
    assert next(shown.name for shown in second.worst) == "30"
    assert all(len(shown.panels) == 4 and len(shown.beside) == 2 for shown in first.worst)
    assert all(shown.panels == () for shown in second.worst)


def test_worst_of_equals_keeps_the_first() -> None:
    worst = Worst(2)
    kept = [worst.offer(name, {"iou": 0.5}) is not None for name in "abcd"]
    assert kept == [True, True, False, False]
    assert [shown.name for shown in worst] == ["a", "b"]
    assert list(Worst(0)) == []


def test_no_picture_outlives_its_turn() -> None:
    pixels: list[weakref.ref] = []

    class Watched(Told):
        def read(self, side_px: int) -> tuple[np.ndarray, np.ndarray]:
            assert all(ref() is None for ref in pixels)
            rgb, truth = super().read(side_px)
            pixels.extend((weakref.ref(rgb), weakref.ref(truth)))
            return rgb, truth

    cases = (Watched(str(index), Path(), Path()) for index in range(20))
    (result,) = score.evaluate(cases, [oracle(covering)], worst=5)
    assert result.pictures.cases == 20
    assert len(pixels) == 40


def test_a_clip_is_scored_frame_by_frame_and_by_its_changes(clip: Path) -> None:
    figure = Clip("figure", clip / "clips" / "figure", clip / "alphas" / "figure")
    truths = iter([alpha for _, alpha in figure.read(640)] * 2)
    late = iter([alpha for _, alpha in figure.read(640)][:1] * FRAMES)
    exact, frozen = score.evaluate([figure], [oracle(lambda _: next(truths)), oracle(lambda _: next(late))])
    (name, means), (_, stopped) = exact.clips[0], frozen.clips[0]
    assert (name, means.cases) == ("figure", FRAMES)
    assert means.scores()["iou"] == 1
    assert means.scores()["dtssd"] == 0
    assert stopped.scores()["dtssd"] > 0
    assert stopped.scores()["flicker"] == 0
    assert stopped.scores()["iou"] < 1
    assert exact.clip_means().scores() == means.scores()


def test_flicker_of_a_clip_without_truth(clip: Path) -> None:
    for file in (clip / "clips" / "figure").iterdir():
        write(file, np.full((60, 80, 3), 90, np.uint8))
    levels = iter([0.5, 0.7, 0.5, 0.5])
    model = oracle(lambda _: np.full((60, 80), next(levels), np.float32))
    (result,) = score.evaluate([Clip("still", clip / "clips" / "figure", None)], [model])
    assert result.clips[0][1].scores() == {"flicker": pytest.approx(0.4 / 3, rel=1e-5)}


def test_a_mean_without_values_is_left_out() -> None:
    means = Means()
    means.put("flicker", 0.0, 0)
    assert means.scores() == {}


def test_raw_is_the_network_alone(astronaut: np.ndarray) -> None:
    frame = Frame.from_rgb(cv2.resize(astronaut, (320, 180)))
    refined, raw = Model("livematte"), Model("livematte", raw=True)
    alphas = refined.matte(frame), raw.matte(frame)
    assert all(alpha.shape == (180, 320) and alpha.dtype == np.float32 for alpha in alphas)
    assert not np.array_equal(*alphas)
    assert np.abs(np.diff(alphas[1], axis=1)).max() < np.abs(np.diff(alphas[0], axis=1)).max()
    refined.close()
    raw.close()


@pytest.mark.parametrize("raw", [False, True])
def test_clips_are_steadied_unless_raw(raw: bool) -> None:
    # a network without a memory of its own
    model, stream = Model("livematte", weights=GOLDEN / "network-256x144.onnx", raw=raw), StreamState()
    for index in range(6):  # the first ones are followed at once
        model.matte(SOURCE.frame(index), stream)
    last = SOURCE.frame(6)
    assert np.array_equal(model.matte(last, stream), model.matte(last)) == raw
    model.close()


def test_session_gives_the_alpha_that_is_scored(astronaut: np.ndarray) -> None:
    from livematte import Session

    model = Model("livematte")
    with Session(temporal=False) as session:
        assert np.array_equal(model.matte(Frame.from_rgb(astronaut)), session.matte(astronaut))
    model.close()


def test_json_holds_every_figure(livematte: Callable, data: Path) -> None:
    code, out, err = livematte("evaluate", "--data", data, "--model", "livematte", "--worst", "2", "--json")
    figures = json.loads(out)
    assert (code, err) == (0, "")
    assert (figures["side_px"], figures["raw"], figures["scale"]["mad"]) == (640, False, 1000)
    (model,) = figures["models"]
    assert model["model"] == "livematte:base"
    assert model["pictures"]["count"] == FRAMES
    assert set(model["pictures"]) == {"count", "iou", "boundary_f", "mad", "mse", "grad", "conn"}
    assert sum(found["count"] for found in model["subsets"]["light"].values()) == FRAMES
    assert len(model["worst"]) == 2
    assert model["worst"][0]["iou"] <= model["worst"][1]["iou"] <= max(1, model["pictures"]["iou"])


def test_models_stand_side_by_side(livematte: Callable, data: Path, clip: Path) -> None:
    own = Path(score.__file__).parents[1] / "models" / "weights" / "base" / "livematte-base-448x256.onnx"
    arguments = ("--data", data, "--data", clip, "--model", "livematte", "--model", f"livematte={own}", "--limit", 2)
    code, out, _ = livematte("evaluate", *arguments)
    assert code == 0
    rows = [line.split() for line in out.splitlines()]
    (first,) = [row for row in rows if row[:1] == ["livematte:base"] and len(row) == 8]
    (second,) = [row for row in rows if row[:1] == ["livematte:base=livematte-base-448x256.onnx"] and len(row) == 8]
    assert first[1:] == second[1:]
    assert first[1] == "2"
    assert [heading in out for heading in tables.HEADINGS.values()] == [True] * 9
    assert sum(row[:1] == ["figure"] for row in rows) == 2


def test_names_of_models_are_told_from_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from livematte.cli.evaluate import models_of

    monkeypatch.chdir(tmp_path)
    (tmp_path / "a=b.onnx").touch()
    options = "bodypix:mobilenet-050-s16:resolution=0.5"
    found = {
        "mediapipe": ("mediapipe", None),
        "mediapipe:general=a=b.onnx": ("mediapipe:general", "a=b.onnx"),
        "mediapipe=missing=it.tflite": ("mediapipe", "missing=it.tflite"),
        options: (options, None),
        f"{options},threshold=0.6": (f"{options},threshold=0.6", None),
        f"{options}=a=b.onnx": (options, "a=b.onnx"),
        f"bodypix:mobilenet-050-s16={tmp_path}/a=b.onnx": ("bodypix:mobilenet-050-s16", f"{tmp_path}/a=b.onnx"),
        "deeplabv3:voc:person,dog=a=b.onnx": ("deeplabv3:voc:person,dog", "a=b.onnx"),
        "custom:runs/side=320/model.json": ("custom:runs/side=320/model.json", None),
    }
    assert models_of(list(found), None) == list(found.values())
    assert models_of([options], "a=b.onnx") == [(options, "a=b.onnx")]
    with pytest.raises(OptionError, match="--weights is for one model"):
        models_of(["mediapipe=a=b.onnx"], "a=b.onnx")


def test_options_stay_in_a_models_name(shared: Callable[[str], Path]) -> None:
    weights = shared("weights/bodypix/MobileNetV1-x050-stride16.onnx")
    names = [f"bodypix:mobilenet-050-s16{options}" for options in ("", ":resolution=0.25", ":resolution=0.5")]
    models = [Model(name, weights=weights) for name in names]
    assert [model.name for model in models] == names
    for model in models:
        model.close()


def test_the_sheet_shows_picture_truth_and_alphas(livematte: Callable, data: Path, tmp_path: Path) -> None:
    from livematte.evaluation import sheet

    out = tmp_path / "worst.png"
    assert livematte("evaluate", "--data", data, "--worst", "3", "--sheet", out)[0] == 0
    shown = cv2.imread(str(out))
    row = sheet.PANEL_PX + sheet.LINE_PX
    assert shown.shape == (sheet.LINE_PX + 3 * row, 3 * (sheet.PANEL_PX + sheet.GAP_PX), 3)
    truth = shown[sheet.LINE_PX : row, sheet.PANEL_PX + sheet.GAP_PX : 2 * sheet.PANEL_PX]
    assert truth.min() == 0  # black and white, on grey paper
    assert truth.max() == 255


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--model", "livemate"), "did you mean livematte?"),
        (("--sheet", "worst.jpg"), "name it .png"),
        (("--model", "livematte", "--model", "mediapipe", "--weights", "x.onnx"), "--weights is for one model"),
        (("--weights", "missing.onnx"), "there is no file missing.onnx"),
    ],
)
def test_one_clear_line_on_a_mistake(arguments: tuple, message: str, livematte: Callable, data: Path) -> None:
    code, out, err = livematte("evaluate", "--data", data, *arguments)
    assert (code, out) == (cli.FAILED, "")
    assert message in err
    assert err.count("\n") == 1


def test_a_sheet_needs_pictures(livematte: Callable, clip: Path, tmp_path: Path) -> None:
    code, _, err = livematte("evaluate", "--data", clip, "--sheet", tmp_path / "worst.png")
    assert code == cli.FAILED
    assert "--sheet shows pictures" in err


def test_published_figures_come_out(shared: Callable[[str], Path]) -> None:
    """The figures of the seed network's card, which were measured by another program."""
    from livematte.evaluation import datasets, metrics

    model = Model("livematte", weights=shared("weights/seed/seed.onnx"), raw=True)
    found = []
    for picture in datasets.find(shared("data/people-dev")):
        rgb, truth = picture.read(640)
        alpha = model.matte(Frame.from_rgb(rgb))
        found.append([metric(alpha, truth) for metric in (metrics.iou, metrics.boundary_f, metrics.mad)])
    model.close()
    iou, boundary_f, mad = np.mean(found, axis=0)
    assert iou == pytest.approx(0.805, abs=0.002)
    assert boundary_f == pytest.approx(0.681, abs=0.004)
    assert mad == pytest.approx(0.075, abs=0.001)
