"""Data folders: what is read, how it is cut and kept, what is drawn."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

torch = pytest.importorskip("torch")
torch.set_num_threads(1)  # two threads wait for each other by the second where other programs want the cores

from livematte._errors import OptionError, SourceError, UnknownName  # noqa: E402
from livematte._frame import Size  # noqa: E402
from livematte.training import data  # noqa: E402
from livematte.training.recipe import Views  # noqa: E402

SIZE = Size(32, 16)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Three pictures: left half person, soft alpha, nobody; the second with weights."""
    made = tmp_path / "people"
    for name in ("images", "masks", "weights"):
        (made / name).mkdir(parents=True)
    rgb = np.zeros((48, 96, 3), np.uint8)
    rgb[:, :48] = (10, 20, 200)  # blue, green, red: as cv2 writes
    half = np.zeros((48, 96), np.uint8)
    half[:, :48] = 255
    for name, mask in (("a", half), ("b", np.full_like(half, 128)), ("c", np.zeros_like(half))):
        cv2.imwrite(str(made / "images" / f"{name}.png"), rgb)
        cv2.imwrite(str(made / "masks" / f"{name}.png"), mask)
    cv2.imwrite(str(made / "weights" / "b.png"), np.full_like(half, 51))
    return made


def test_the_first_view_is_the_whole_picture_stretched(folder: Path, tmp_path: Path) -> None:
    views = data.views(data.Folder(folder), SIZE, Views(per_picture=3), 1, tmp_path / "cache")
    assert views.shape == (3, 3, 5, 16, 32)
    assert views[0, 0, :, 8, 8].tolist() == [200, 20, 10, 255, 255]
    assert views[0, 0, :, 8, 24].tolist() == [0, 0, 0, 0, 255]
    assert views[1, 0, 3:, 8, 8].tolist() == [128, 51]


def test_windows_show_somebody_where_there_is_somebody(folder: Path, tmp_path: Path) -> None:
    views = data.views(data.Folder(folder), SIZE, Views(per_picture=9, area=(0.1, 0.2)), 1, tmp_path / "cache")
    shown = views[0, 1:, 3].mean((1, 2)) / 255
    assert (shown > data.ENOUGH).mean() > 0.9


def test_a_picture_of_one_bit_masks_is_read(tmp_path: Path, folder: Path) -> None:
    import PIL.Image

    mask = np.zeros((48, 96), bool)
    mask[:, 48:] = True
    PIL.Image.fromarray(mask).save(folder / "masks" / "a.png", bits=1)
    pixels = data.pictures(data.Folder(folder))[0].read()
    assert np.array_equal(pixels[3] == 255, mask)
    assert set(np.unique(pixels[3])) == {0, 255}


def test_the_cache_is_used_until_a_file_changes(folder: Path, tmp_path: Path) -> None:
    cache, read = tmp_path / "cache", []
    for _ in range(2):
        data.views(data.Folder(folder), SIZE, Views(), 1, cache, lambda name, done, total: read.append(done))
    assert read == [3]
    cv2.imwrite(str(folder / "masks" / "c.png"), np.full((48, 96), 255, np.uint8))
    views = data.views(data.Folder(folder), SIZE, Views(), 1, cache)
    assert views[2, 0, 3].min() == 255
    assert sorted(path.suffix for path in cache.iterdir()) == [".npy", ".npy"]


def test_pictures_are_read_once_for_all_sizes_and_cut_the_same(folder: Path, tmp_path: Path) -> None:
    together, apart, read = tmp_path / "together", tmp_path / "apart", []
    upright = Size(SIZE.height, SIZE.width)
    data.views(data.Folder(folder), SIZE, Views(), 1, together, also=[upright])
    for size in (SIZE, upright):
        views = data.views(data.Folder(folder), size, Views(), 1, together, lambda name, done, total: read.append(done))
        assert np.array_equal(views, data.views(data.Folder(folder), size, Views(), 1, apart))
    assert read == []
    assert sorted(path.name for path in together.iterdir()) == sorted(path.name for path in apart.iterdir())


def test_backgrounds_need_no_masks(folder: Path, tmp_path: Path) -> None:
    views = data.views(data.parse_folder(str(folder / "images"), empty=True), SIZE, Views(), 1, tmp_path)
    assert views[:, :, 3].max() == 0
    assert views[:, :, 4].min() == 255


def test_a_missing_mask_and_one_of_another_size_are_named(folder: Path, tmp_path: Path) -> None:
    cv2.imwrite(str(folder / "masks" / "a.png"), np.zeros((10, 10), np.uint8))
    with pytest.raises(SourceError, match=r"a\.png is 10x10, its picture 96x48"):
        data.views(data.Folder(folder), SIZE, Views(), 1, tmp_path / "cache")
    assert list((tmp_path / "cache").iterdir()) == []  # no half cache stays
    (folder / "masks" / "a.png").unlink()
    with pytest.raises(SourceError, match=r"a\.png has no mask"):
        data.pictures(data.Folder(folder))
    (folder / "images" / "empty").mkdir()
    with pytest.raises(SourceError, match="holds no pictures"):
        data.pictures(data.Folder(folder / "images" / "empty"))


def test_folders_are_parsed_with_their_share(folder: Path) -> None:
    assert data.parse_folder(str(folder)) == data.Folder(folder)
    assert data.parse_folder(f"{folder}:2.5") == data.Folder(folder, 2.5)
    for text in (f"{folder}:0", f"{folder}:-1", f"{folder}:inf"):
        with pytest.raises(OptionError, match="positive number"):
            data.parse_folder(text)
    with pytest.raises(OptionError, match="no data folder"):
        data.parse_folder(str(folder / "none"))


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working folder, in which `people`, `coco` and `a:b` are folders."""
    monkeypatch.chdir(tmp_path)
    for name in ("people", "coco", "a:b", "c:3"):
        (tmp_path / name).mkdir()
    return tmp_path


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("people", ("pairs", "people", 1.0)),
        ("people:4", ("pairs", "people", 4.0)),
        ("pairs:people:0.5", ("pairs", "people", 0.5)),
        ("a:b", ("pairs", "a:b", 1.0)),
        ("a:b:2", ("pairs", "a:b", 2.0)),
        ("hsd:people", ("hsd", "people", 1.0)),
        ("hsd:people:2", ("hsd", "people", 2.0)),
        ("hsd:c:3", ("hsd", "c:3", 1.0)),
        ("coco", ("pairs", "coco", 1.0)),
        ("coco:3", ("pairs", "coco", 3.0)),  # a folder called so, and its share
        ("coco:coco:3", ("coco", "coco", 3.0)),
        ("hsd:3", ("hsd", "3", 1.0)),
        (r"D:\people", ("pairs", r"D:\people", 1.0)),
        (r"D:\people:2", ("pairs", r"D:\people", 2.0)),
        ("D:/people", ("pairs", "D:/people", 1.0)),
        (r"coco:D:\people", ("coco", r"D:\people", 1.0)),
        (r"coco:D:\people:0.5", ("coco", r"D:\people", 0.5)),
    ],
)
def test_kind_folder_and_share(here: Path, text: str, expected: tuple[str, str, float]) -> None:
    assert data.split(text) == expected


def test_an_unknown_kind_and_a_missing_folder_are_said(here: Path) -> None:
    with pytest.raises(UnknownName, match="did you mean coco"):
        data.parse_folder("cocoo:people")
    for text in ("none", "none:3", "hsd:none", "hsd:3", "people:none"):
        with pytest.raises(OptionError, match="no data folder"):
            data.parse_folder(text)
    assert data.parse_folder("hsd:people:2") == data.Folder(Path("people"), 2.0, kind="hsd")


def test_a_cache_is_that_of_a_kind(folder: Path, tmp_path: Path) -> None:
    (folder / "Training_Images").symlink_to(folder / "images")
    (folder / "Ground_Truth").symlink_to(folder / "masks")
    for kind in ("pairs", "hsd"):
        data.views(data.Folder(folder, kind=kind), SIZE, Views(), 1, tmp_path / "cache")
    assert len(list((tmp_path / "cache").iterdir())) == 2


def test_a_draw_depends_on_its_generator_alone() -> None:
    arrays = [np.full((4, 2, 5, 2, 2), value, np.uint8) for value in (1, 2)]
    pool = data.Pool(arrays, [data.Folder(Path("a"), 3.0), data.Folder(Path("b"), 1.0)])
    first = pool.draw(4000, torch.Generator().manual_seed(7))
    assert torch.equal(first.pictures, pool.draw(4000, torch.Generator().manual_seed(7)).pictures)
    assert 0.7 < (first.pictures[:, 0, 0, 0] == 1).float().mean().item() < 0.8
    assert len(first.cut_outs) == len(first.behind) == 0
    assert len(pool) == 8


def test_no_view_is_stretched_more_than_allowed(tmp_path: Path) -> None:
    """In an upright picture whose colours are its coordinates, a view tells what part it shows."""
    made = tmp_path / "tall"
    (made / "images").mkdir(parents=True)
    y, x = np.mgrid[:200, :100]
    cv2.imwrite(str(made / "images" / "a.png"), np.stack([y * 0, y, x], 2).astype(np.uint8))
    cut = Views(per_picture=40, stretch=1.4)
    views = data.views(data.parse_folder(str(made), empty=True), Size(64, 32), cut, 1, tmp_path / "cache")
    shown = [
        np.ptp(views[0, :, channel].astype(float), axis=(1, 2)) / (1 - 1 / side) + 1
        for channel, side in ((0, 64), (1, 32))
    ]
    aspects = shown[0] / shown[1] / 2
    assert aspects.min() > 1 / 1.5
    assert aspects.max() < 1.5
    assert aspects[0] == pytest.approx(1 / 1.4, rel=0.03)  # as much of the upright picture as is allowed
    top = views[0, 1:, 1, 0].mean(1)
    assert np.median(top) < (200 - np.median(shown[1])) / 2  # heads are more often seen than feet


def test_a_draw_with_cut_outs_has_a_background_for_each() -> None:
    arrays = [np.full((4, 2, 5, 2, 2), value, np.uint8) for value in (1, 2, 3, 4)]
    folders = [
        data.Folder(Path("cut"), 2.0, kind="cutouts"),
        data.Folder(Path("people")),
        data.Folder(Path("rooms"), 3.0, empty=True),
        data.Folder(Path("streets"), 1.0, empty=True),
    ]
    pool = data.Pool(arrays, folders)
    first, again = (pool.draw(4000, torch.Generator().manual_seed(7)) for _ in range(2))
    assert all(torch.equal(a, b) for a, b in zip(first, again, strict=True))
    assert torch.equal(first.cut_outs, (first.pictures[:, 0, 0, 0] == 1).nonzero()[:, 0])
    behind = first.behind[:, 0, 0, 0]
    assert len(behind) == len(first.cut_outs)
    assert set(behind.tolist()) == {3, 4}
    assert 0.7 < (behind == 3).float().mean().item() < 0.8


def test_cut_outs_need_backgrounds(tmp_path: Path) -> None:
    cut, rooms = data.Folder(tmp_path, kind="cutouts"), data.Folder(tmp_path, empty=True)
    data.check_folders([cut, rooms])
    with pytest.raises(OptionError, match="pass --backgrounds DIR"):
        data.check_folders([cut, data.Folder(tmp_path)])
