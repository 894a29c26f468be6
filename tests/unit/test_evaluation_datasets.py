"""Pictures and clips with their truth: what is found, and what is refused."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest

from livematte import cli
from livematte._errors import OpenError, SourceError
from livematte.evaluation import datasets, subsets
from livematte.evaluation.datasets import Clip, Picture

Put = Callable[..., Path]


@pytest.fixture
def put(tmp_path: Path) -> Put:
    """`put("masks/a.png", array)`: an image below the data folder; grey noise of 40x30 by default."""

    def write(name: str, pixels: np.ndarray | None = None) -> Path:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        default = np.random.default_rng(1).integers(0, 256, (30, 40), np.uint8)
        assert cv2.imwrite(str(path), default if pixels is None else pixels)
        return path

    return write


def test_pictures_and_masks_belong_together_by_their_stem(put: Put, tmp_path: Path) -> None:
    for name in ("images/10.jpg", "images/9.png", "masks/9.png", "masks/10.png", "masks/more.png"):
        put(name)
    found = datasets.find(tmp_path)
    assert [case.name for case in found] == ["9", "10"]
    assert found[1] == Picture("10", tmp_path / "images" / "10.jpg", tmp_path / "masks" / "10.png")


def test_a_picture_is_rgb_and_its_truth_0_to_1(put: Put, tmp_path: Path) -> None:
    blue = np.zeros((30, 40, 3), np.uint8)
    blue[..., 0] = 255
    put("images/a.png", blue)
    put("masks/a.png", np.full((30, 40), 51, np.uint8))
    rgb, truth = datasets.find(tmp_path)[0].read(640)
    assert rgb[0, 0].tolist() == [0, 0, 255]
    assert (truth.dtype, truth.shape) == (np.float32, (30, 40))
    assert truth.max() == pytest.approx(0.2)


def test_large_pictures_are_reduced_with_their_truth_and_small_ones_stay(put: Put, tmp_path: Path) -> None:
    put("images/a.png", np.zeros((301, 400), np.uint8))
    truth = np.zeros((301, 400), np.uint8)
    truth[:, :200] = 255
    put("masks/a.png", truth)
    picture = datasets.find(tmp_path)[0]
    rgb, alpha = picture.read(200)
    assert rgb.shape == (150, 200, 3)
    assert alpha.shape == (150, 200)
    assert alpha[:, :100].min() == 1
    assert alpha[:, 100:].max() == 0
    assert picture.read(640)[0].shape == (301, 400, 3)


@pytest.mark.parametrize(
    ("pixels", "expected"),
    [
        (np.array([[0, 255]], np.uint8), [0, 1]),
        (np.array([[0, 1]], np.uint8), [0, 1]),  # labels
        (np.array([[0, 2]], np.uint8), [0, 2 / 255]),
        (np.array([[0, 32768]], np.uint16), [0, 32768 / 65535]),
        (np.array([[[7, 7, 7], [255, 255, 255]]], np.uint8), [7 / 255, 1]),
        (np.array([[[1, 2, 3, 0], [9, 9, 9, 255]]], np.uint8), [0, 1]),  # alpha channel
    ],
)
def test_masks_of_every_kind(pixels: np.ndarray, expected: list[float], put: Put) -> None:
    assert datasets.read_alpha(put("mask.png", pixels))[0].tolist() == pytest.approx(expected)


def test_a_part_is_evenly_spread(put: Put, tmp_path: Path) -> None:
    for index in range(10):
        put(f"images/{index}.png")
        put(f"masks/{index}.png")
    assert [case.name for case in datasets.find(tmp_path, 3)] == ["0", "3", "6"]
    assert len(datasets.find(tmp_path, 99)) == 10


def bad_folders(put: Put, tmp_path: Path) -> dict[str, Callable[[], object]]:
    return {
        "no folder or video": lambda: None,
        "neither images/ nor clips/": lambda: put("other/a.png"),
        "no truth beside it": lambda: put("images/a.png"),
        "no image in": lambda: [(tmp_path / name).mkdir(parents=True) for name in ("images", "masks")],
        r"b.png has no truth: .*b\.\*$": lambda: [put(n) for n in ("images/a.png", "images/b.png", "masks/a.png")],
        "and 1 more have none": lambda: [put(n) for n in ("images/a.png", "images/b.png", "masks/c.png")],
        "the same stem": lambda: [put(n) for n in ("images/a.png", "images/a.jpg", "masks/a.png")],
    }


@pytest.mark.parametrize("message", bad_folders(None, None))
def test_a_folder_that_cannot_be_is_refused(message: str, put: Put, tmp_path: Path) -> None:
    data = tmp_path / "data"
    bad_folders(lambda name: put(f"data/{name}"), data)[message]()
    with pytest.raises(OpenError, match=message):
        datasets.find(data)


def test_a_truth_of_another_size_is_refused(put: Put, tmp_path: Path) -> None:
    put("images/a.png")
    put("masks/a.png", np.zeros((30, 41), np.uint8))
    with pytest.raises(OpenError, match=r"a\.png is 41x30, but .*a\.png is 40x30"):
        datasets.find(tmp_path)[0].read(640)


def test_a_mask_in_colour_is_refused(put: Put) -> None:
    with pytest.raises(OpenError, match="in colour"):
        datasets.read_alpha(put("mask.png", np.full((2, 2, 3), (1, 2, 3), np.uint8)))


@pytest.mark.parametrize("content", [b"", b"no picture"])
def test_a_broken_mask_is_refused(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "mask.png").write_bytes(content)
    with pytest.raises(OpenError, match=r"mask\.png"):
        datasets.read_alpha(tmp_path / "mask.png")


def test_a_clip_of_frames(put: Put, tmp_path: Path) -> None:
    for index in range(3):
        put(f"clips/talk/{index}.png", np.full((30, 40), 10 * index, np.uint8))
        put(f"alphas/talk/{index}.png", np.full((30, 40), 51 * index, np.uint8))
    (clip,) = datasets.find(tmp_path)
    assert (clip.name, clip.frames) == ("talk", 3)
    read = list(clip.read(20))
    assert [frame.to_rgb()[0, 0, 0] for frame, _ in read] == [0, 10, 20]
    assert [float(alpha[0, 0]) for _, alpha in read] == pytest.approx([0, 0.2, 0.4])
    assert read[0][0].size == (20, 15)
    assert read[0][1].shape == (15, 20)
    put("alphas/talk/3.png")
    with pytest.raises(SourceError, match="ends after 3 frames"):
        list(clip.read(640))


def test_a_clip_of_videos_as_livematte_writes_them(tmp_path: Path) -> None:
    source = "synthetic:96x64@25*5"
    for folder in ("clips", "alphas"):
        (tmp_path / folder).mkdir()
    assert cli.run(["blur", source, "-o", str(tmp_path / "clips" / "a.mp4")]) == 0
    assert cli.run(["matte", source, "-o", str(tmp_path / "alphas" / "a.mkv"), "--crf", "1"]) == 0
    (clip,) = datasets.find(tmp_path)
    alphas = [alpha for _, alpha in clip.read(640)]
    assert len(alphas) == datasets.frames([clip]) == 5
    assert alphas[0].shape == (64, 96)
    assert alphas[0].min() == 0
    assert alphas[0].max() == pytest.approx(1, abs=0.02)


def test_a_video_alone_is_a_clip_without_truth(carphone: Path) -> None:
    assert datasets.find(carphone) == [Clip("carphone_pristine", carphone, None)]
    assert next(iter(datasets.find(carphone)[0].read(88)))[1] is None


@pytest.mark.parametrize(
    ("part", "expected"), [(0, "nobody"), (0.049, "<5%"), (0.05, "5-25%"), (0.25, "5-25%"), (0.26, ">25%")]
)
def test_subset_by_size(part: float, expected: str) -> None:
    assert subsets.size(part) == expected


def test_subset_by_people() -> None:
    truth = np.zeros((100, 100), np.float32)
    counts = [subsets.people(truth)]
    for column in (0, 20, 40, 60):
        truth[:10, column : column + 10] = 1
        counts.append(subsets.people(truth))
    assert counts == ["0", "1", "2", "3 or more", "3 or more"]
    truth[:] = 0
    truth[0, 0] = truth[50, 50] = 1  # crumbs, but somebody is there
    assert subsets.people(truth) == "1"


def test_subset_by_light_and_format() -> None:
    rgb, truth = np.zeros((4, 3, 3), np.uint8), np.zeros((4, 3), np.float32)
    assert subsets.of(rgb, truth) == {"size": "nobody", "people": "0", "light": "dark", "format": "upright"}
    assert subsets.of(rgb + np.uint8(80), truth)["light"] == "middle"
    assert subsets.of(rgb + np.uint8(160), truth)["light"] == "bright"
    assert subsets.of(rgb.transpose(1, 0, 2), truth.T)["format"] == "wide"
