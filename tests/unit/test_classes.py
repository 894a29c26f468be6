"""Classes as colours, the room in grey, and classes that stay: painted, named, and covered where they fail."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from livematte import Color, Grey, InferenceError, Matte, PixelFormat, Session, UnknownName
from livematte._frame import Frame, Size
from livematte._pipeline import Stages, StreamState, render
from livematte._stats import Stats
from livematte.models._class_names import ADE20K, VOC
from livematte.models._overlay import LETTERS, Overlay, palette, write_legend

U8 = npt.NDArray[np.uint8]
Run = Callable[..., tuple[int, str, str]]


class Halves:
    """Tells the left half as background and the right as `thing`; fails where it is told to."""

    name, size, classes = "halves", Size(8, 4), ("background", "thing", "other")

    def __init__(self) -> None:
        self.fails = self.closed = False

    def labels(self, frame: Frame) -> Any:
        if self.fails:
            raise InferenceError("killed by the test")
        return np.repeat([[0, 0, 0, 0, 1, 1, 1, 1]], 4, axis=0)

    def close(self) -> None:
        self.closed = True


def shown(overlay: Overlay, frame: Frame) -> U8:
    stages = Stages(overlay, (), Color("black"), memory=False)
    return render(stages, frame, StreamState(), Stats()).to_rgb()


def test_colours_are_those_of_pascal_voc() -> None:
    colours = palette(21)
    assert colours[VOC.index("aeroplane")].tolist() == [128, 0, 0]
    assert colours[VOC.index("person")].tolist() == [192, 128, 128]
    assert colours[VOC.index("tv")].tolist() == [0, 64, 128]
    assert len({tuple(c) for c in palette(len(ADE20K)).tolist()}) == len(ADE20K)


@pytest.mark.parametrize("kind", [PixelFormat.RGB, PixelFormat.I444])
def test_classes_are_painted_over_the_picture(kind: PixelFormat) -> None:
    frame = Frame.from_rgb(np.full((40, 80, 3), 100, np.uint8), kind)
    rgb = shown(Overlay(Halves(), opacity=0.5, legend=False), frame).astype(int)
    assert np.abs(rgb[:, :40] - 50).max() <= 2
    assert np.abs(rgb[:, 40:] - np.array([114, 50, 50])).max() <= 3


def test_only_some_classes_are_painted() -> None:
    overlay = Overlay(Halves(), opacity=1, legend=False, only=["other"])
    assert not shown(overlay, Frame.from_rgb(np.full((8, 8, 3), 200, np.uint8))).any()
    with pytest.raises(UnknownName, match="did you mean thing"):
        Overlay(Halves(), only=["things"])


def test_the_legend_names_what_is_there_and_fits() -> None:
    overlay = Overlay(Halves(), opacity=0)
    plain = np.full((320, 200, 3), 40, np.uint8)
    rgb = shown(overlay, Frame.from_rgb(plain))
    assert (rgb == 255).all(axis=-1).any()  # letters
    assert (rgb == palette(2)[1]).all(axis=-1).any()  # its colour
    assert np.array_equal(rgb[:270], plain[:270])
    assert overlay.shares.tolist() == [0.5, 0.5, 0]
    for height, width in ((1, 1), (5, 300), (300, 5), (16, 16)):
        tiny = np.zeros((height, width, 3), np.uint8)
        write_legend(tiny, [("thing", palette(2)[1])] * 20)


def test_every_name_can_be_written() -> None:
    assert set("".join((*VOC, *ADE20K))) <= set(LETTERS)
    assert all(len(rows) == 5 and set(rows) <= set("01234567") for rows in LETTERS.values())


def test_a_frame_without_classes_is_covered() -> None:
    halves = Halves()
    overlay = Overlay(halves)
    halves.fails = True
    assert not shown(overlay, Frame.from_rgb(np.full((8, 8, 3), 200, np.uint8))).any()
    overlay.close()
    assert halves.closed


# grey


class Left:
    """Finds a person in the left half, or nobody."""

    name, size = "left", Size(8, 4)

    def __init__(self, alpha: float) -> None:
        self.alpha = alpha

    def segment(self, frame: Frame, state: Any) -> tuple[Matte, Any]:
        alpha = np.zeros((4, 8), np.float32)
        alpha[:, :4] = self.alpha
        return Matte(alpha, frame.pts), None

    def close(self) -> None:
        pass


@pytest.mark.parametrize("kind", PixelFormat)
def test_the_room_is_grey_and_the_person_is_not(kind: PixelFormat) -> None:
    rgb = np.zeros((40, 80, 3), np.uint8)
    rgb[...] = (200, 40, 90)
    frame = Frame.from_rgb(rgb, kind)
    out = Session(Left(1), Grey(), temporal=False, refine=False).process_frame(frame).to_rgb().astype(int)
    assert np.abs(out[:, :30] - frame.to_rgb()[:, :30].astype(int)).max() <= 1
    assert np.ptp(out[:, 50:], axis=-1).max() <= 3


def test_a_room_without_people_is_not_shown_in_grey() -> None:
    rgb = np.random.default_rng(0).integers(0, 256, (40, 80, 3), np.uint8)
    out = Session(Left(0), "grey", temporal=False, refine=False).process(rgb)
    assert len(np.unique(out)) == 1


# commands


def test_classes_of_a_picture(
    livematte: Run, shared: Callable[[str], Path], astronaut_path: Path, tmp_path: Path
) -> None:
    weights = shared("weights/deeplabv3/deeplabv3_257_mv_gpu.tflite")
    out = tmp_path / "out.png"
    code, said, err = livematte("classes", astronaut_path, "-o", out, "--weights", weights)
    assert (code, err) == (0, "")
    parts = {line.split()[0]: float(line.split()[2]) for line in said.splitlines()}
    assert set(parts) >= {"background", "person"}
    assert 30 < parts["person"] < 60
    assert out.is_file()


def test_classes_that_stay(livematte: Run, shared: Callable[[str], Path], astronaut_path: Path, tmp_path: Path) -> None:
    import cv2

    weights = shared("weights/deeplabv3/deeplabv3_257_mv_gpu.tflite")
    alphas = {}
    for names in ("person", "cat,dog"):
        out = tmp_path / f"{names}.png"
        arguments = ["--model", "deeplabv3", "--weights", weights, "--classes", names]
        assert livematte("matte", astronaut_path, "-o", out, *arguments)[0] == 0
        alphas[names] = cv2.imread(str(out), cv2.IMREAD_GRAYSCALE).mean()
    assert alphas["person"] > 60
    assert alphas["cat,dog"] < 10


def test_models_without_classes_say_so(livematte: Run, astronaut_path: Path, tmp_path: Path) -> None:
    for command in ("blur", "grey"):
        code, _, err = livematte(command, astronaut_path, "-o", tmp_path / "x.png", "--classes", "cat")
        assert code == 1
        assert "--model deeplabv3" in err
    code, _, err = livematte("classes", astronaut_path, "-o", tmp_path / "x.png", "--model", "livematte:fast")
    assert code == 1
    assert "tells no classes apart" in err
    assert not list(tmp_path.iterdir())
