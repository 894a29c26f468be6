"""Every kind of data set against one contract, on layouts written here; and what each may get wrong."""

from __future__ import annotations

import base64
import json
import sys
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
import pytest

from livematte import _registry
from livematte._errors import MissingExtra, OpenError, OptionError, SourceError, UnknownName
from livematte.training.datasets import DIR, PLUGINS, Record, cutouts
from livematte.training.datasets._annotation import closed_polygon, polygon
from livematte.training.datasets.coco import run_lengths, unpacked

U8 = npt.NDArray[np.uint8]
Box = tuple[int, int, int, int]

HEIGHT, WIDTH = 30, 48

PEOPLE: dict[str, list[Box]] = {"00001": [(8, 4, 24, 20)], "00002": [(2, 3, 10, 30), (30, 10, 45, 28)], "00010": []}
"""Left, top, right, bottom of the people of each picture."""


def rgb() -> U8:
    """Two colours, that JPEG keeps."""
    picture = np.full((HEIGHT, WIDTH, 3), (200, 120, 40), np.uint8)
    picture[:, WIDTH // 2 :] = (60, 90, 150)
    return picture


def matte(boxes: list[Box], soft: bool) -> U8:
    """255 in the boxes; if it is soft, 64 on the pixels around them."""
    alpha = np.zeros((HEIGHT, WIDTH), np.uint8)
    for left, top, right, bottom in boxes if soft else ():
        alpha[max(0, top - 1) : bottom + 1, max(0, left - 1) : right + 1] = 64
    for left, top, right, bottom in boxes:
        alpha[top:bottom, left:right] = 255
    return alpha


def write(path: Path, image: U8) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    order = [2, 1, 0, 3][: image.shape[2]] if image.ndim == 3 else None
    quality = [cv2.IMWRITE_JPEG_QUALITY, 100] if path.suffix == ".jpg" else []
    assert cv2.imwrite(str(path), image if order is None else image[..., order], quality)


def rgba(boxes: list[Box]) -> U8:
    """As cut-outs are: black where nobody is."""
    alpha = matte(boxes, soft=True)
    return np.dstack([np.where(alpha[..., None] > 0, rgb(), 0).astype(np.uint8), alpha])


def pairs(root: Path) -> None:
    for name, boxes in PEOPLE.items():
        write(root / "images" / f"{name}.jpg", rgb())
        write(root / "masks" / f"{name}.png", matte(boxes, soft=True))


def hsd(root: Path) -> None:
    for name, boxes in PEOPLE.items():
        write(root / "Training_Images" / f"{name}.jpg", rgb())
        write(root / "Ground_Truth" / f"{name}.png", matte(boxes, soft=False))


def aisegment(root: Path) -> None:
    for name, boxes in PEOPLE.items():
        write(root / "clip_img" / "1803" / "clip_00000000" / f"1803-{name}.jpg", rgb())
        write(root / "matting" / "1803" / "matting_00000000" / f"1803-{name}.png", rgba(boxes))


def aps(root: Path) -> None:
    for name, boxes in PEOPLE.items():
        write(root / "images_data_crop" / f"{name}.jpg", rgb())
        write(root / "images_mask" / f"{name}_mask.png", matte(boxes, soft=False))


def cut_outs(root: Path) -> None:
    for name, boxes in PEOPLE.items():
        write(root / f"{name}.png", rgba(boxes))


def runs(mask: npt.NDArray[np.bool_]) -> list[int]:
    """Run lengths down the columns, of zeros first."""
    flat = np.concatenate([[False], mask.T.ravel()])
    ends = np.flatnonzero(flat[1:] != flat[:-1])
    return np.diff(np.concatenate([[0], ends, [mask.size]])).tolist()


def corners(box: Box) -> list[tuple[int, int]]:
    left, top, right, bottom = box
    return [(left, top), (right, top), (right, bottom), (left, bottom)]


def instances() -> dict[str, Any]:
    """The first person as a polygon, the second as run lengths; and a dog over all."""
    images, annotations = [], []
    for number, (name, boxes) in enumerate(PEOPLE.items()):
        images.append({"id": number, "file_name": f"{name}.jpg", "width": WIDTH, "height": HEIGHT})
        for index, box in enumerate(boxes):
            region: Any = [[float(value) for corner in corners(box) for value in corner]]
            if index:
                region = {"size": [HEIGHT, WIDTH], "counts": runs(matte([box], soft=False) > 0)}
            annotations.append({"image_id": number, "category_id": 1, "iscrowd": 0, "segmentation": region})
        dog = [[0.0, 0.0, WIDTH, 0.0, WIDTH, HEIGHT]]
        annotations.append({"image_id": number, "category_id": 18, "iscrowd": 0, "segmentation": dog})
    categories = [{"id": 1, "name": "person"}, {"id": 18, "name": "dog"}]
    return {"images": images, "annotations": annotations, "categories": categories}


def coco(root: Path) -> None:
    for name in PEOPLE:
        write(root / "val2017" / f"{name}.jpg", rgb())
    (root / "annotations").mkdir()
    (root / "annotations" / "instances_val2017.json").write_text(json.dumps(instances()))


def bitmap(box: Box, how: str) -> dict[str, Any]:
    left, top, right, bottom = box
    part = np.full((bottom - top, right - left), 255, np.uint8)
    image = part if how == "grey" else np.dstack([part] * 4)
    packed = base64.b64encode(zlib.compress(cv2.imencode(".png", image)[1].tobytes())).decode()
    return {"data": packed, "origin": [left, top]}


def supervisely(root: Path) -> None:
    """The first person as a bitmap, the second as a polygon; and a bike over all."""
    for number, (name, boxes) in enumerate(PEOPLE.items()):
        folder = root / ("ds2" if number == 2 else "ds1")
        write(folder / "img" / f"{name}.jpg", rgb())
        objects = [{"classTitle": "bike", "points": {"exterior": [[0, 0], [40, 0], [40, 29]], "interior": []}}]
        for index, box in enumerate(boxes):
            left, top, right, bottom = box
            outline = corners((left, top, right - 1, bottom - 1))
            item: dict[str, Any] = {"classTitle": "person_poly", "points": {"exterior": outline, "interior": []}}
            if index == 0:
                item = {"classTitle": "Person_bmp", "bitmap": bitmap(box, "grey" if number else "rgba")}
            objects.append(item)
        (folder / "ann").mkdir(exist_ok=True)
        held = {"size": {"width": WIDTH, "height": HEIGHT}, "objects": objects}
        (folder / "ann" / f"{name}.jpg.json").write_text(json.dumps(held))


LAYOUTS: dict[str, Callable[[Path], None]] = {
    "aisegment": aisegment,
    "aps": aps,
    "coco": coco,
    "cutouts": cut_outs,
    "hsd": hsd,
    "pairs": pairs,
    "supervisely": supervisely,
}
SOFT = {"aisegment", "cutouts", "pairs"}
KINDS = [name for name in _registry.names(PLUGINS) if _registry.load(PLUGINS, name).ARGUMENT == DIR]
EMPTY = {"coco", "pairs"}
"""Kinds that may serve as backgrounds."""


def create(kind: str, folder: Path, **options: Any) -> list[Record]:
    found: list[Record] = _registry.load(PLUGINS, kind).create(str(folder), **options)
    return found


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_reads_its_layout(kind: str, tmp_path: Path) -> None:
    LAYOUTS[kind](tmp_path)
    records = create(kind, tmp_path)
    assert [record.files[0].stem[-5:] for record in records] == sorted(PEOPLE)
    for record, boxes in zip(records, PEOPLE.values(), strict=True):
        pixels = record.read()
        assert (pixels.dtype, pixels.shape) == (np.dtype(np.uint8), (5, HEIGHT, WIDTH))
        expected = matte(boxes, soft=kind in SOFT)
        assert np.array_equal(pixels[3], expected)
        seen = expected > 0 if kind == "cutouts" else np.ones((HEIGHT, WIDTH), bool)
        assert np.array_equal(pixels[4] == 255, seen)
        off = np.abs(pixels[:3].astype(int) - rgb().transpose(2, 0, 1))[:, seen] > 2
        assert off.sum() <= 0.2 * off.size  # where the colours meet, JPEG mixes them


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_is_the_same_each_time_and_knows_its_files(kind: str, tmp_path: Path) -> None:
    LAYOUTS[kind](tmp_path)
    first, again = create(kind, tmp_path), create(kind, tmp_path)
    assert first == again
    assert all(path.is_file() for record in first for path in record.files)
    assert all(np.array_equal(a.read(), b.read()) for a, b in zip(first, again, strict=True))


@pytest.mark.parametrize("kind", KINDS)
def test_an_empty_folder_is_said(kind: str, tmp_path: Path) -> None:
    with pytest.raises(SourceError, match=tmp_path.name):
        create(kind, tmp_path)


@pytest.mark.parametrize("kind", KINDS)
def test_a_mask_of_another_size_is_said(kind: str, tmp_path: Path) -> None:
    if kind == "cutouts":
        pytest.skip("picture and matte are one file")
    LAYOUTS[kind](tmp_path)
    write(create(kind, tmp_path)[0].files[0], rgb()[:20])
    with pytest.raises(SourceError, match=f"{WIDTH}x{HEIGHT}, its picture {WIDTH}x20"):
        create(kind, tmp_path)[0].read()


@pytest.mark.parametrize("kind", KINDS)
def test_a_picture_that_is_none_is_said(kind: str, tmp_path: Path) -> None:
    LAYOUTS[kind](tmp_path)
    create(kind, tmp_path)[0].files[0].write_bytes(b"no picture")
    with pytest.raises(OpenError, match="00001"):
        create(kind, tmp_path)[0].read()


@pytest.mark.parametrize("kind", KINDS)
def test_what_shows_people_is_no_background(kind: str, tmp_path: Path) -> None:
    LAYOUTS[kind](tmp_path)
    if kind in EMPTY:
        assert all(record.read()[3].max() == 0 for record in create(kind, tmp_path, empty=True))
        return
    with pytest.raises(OptionError, match="pass it with --data"):
        create(kind, tmp_path, empty=True)


@pytest.mark.parametrize("kind", ["hsd", "aps", "pairs", "supervisely"])
def test_a_missing_mask_is_said(kind: str, tmp_path: Path) -> None:
    LAYOUTS[kind](tmp_path)
    create(kind, tmp_path)[1].files[1].unlink()
    with pytest.raises(SourceError, match=r"00002\.jpg has no"):
        create(kind, tmp_path)


@pytest.mark.parametrize("kind", ["coco", "supervisely"])
@pytest.mark.parametrize("text", ["{", "[]", '{"images": 3}', "\xff"])
def test_broken_annotations_are_said(kind: str, text: str, tmp_path: Path) -> None:
    LAYOUTS[kind](tmp_path)
    create(kind, tmp_path)[0].files[1].write_text(text, encoding="latin-1")
    with pytest.raises(SourceError, match=r"\.json"):
        create(kind, tmp_path)[0].read()


def test_coco_without_a_picture_of_its_list_or_without_people(tmp_path: Path) -> None:
    coco(tmp_path)
    (tmp_path / "val2017" / "00002.jpg").unlink()
    with pytest.raises(SourceError, match=r"lacks, the first is 00002\.jpg"):
        create("coco", tmp_path)
    held = instances()
    held["categories"] = held["categories"][1:]
    (tmp_path / "annotations" / "instances_val2017.json").write_text(json.dumps(held))
    with pytest.raises(SourceError, match="no category person: there are dog"):
        create("coco", tmp_path)


def test_coco_takes_only_the_empty_as_backgrounds(tmp_path: Path) -> None:
    coco(tmp_path)
    assert [record.files[0].stem for record in create("coco", tmp_path, empty=True)] == ["00010"]


def test_a_crowd_is_not_asked_about_but_for_people_in_it(tmp_path: Path) -> None:
    coco(tmp_path)
    held = instances()
    crowd = np.zeros((HEIGHT, WIDTH), bool)
    crowd[2:12, 5:40] = True
    region = {"size": [HEIGHT, WIDTH], "counts": runs(crowd)}
    held["annotations"].append({"image_id": 0, "category_id": 1, "iscrowd": 1, "segmentation": region})
    (tmp_path / "annotations" / "instances_val2017.json").write_text(json.dumps(held))
    alpha, weight = create("coco", tmp_path)[0].read()[3:]
    assert np.array_equal(alpha, matte(PEOPLE["00001"], soft=False))
    assert np.array_equal(weight == 0, crowd & (alpha == 0))


def test_coco_pictures_beside_their_list(tmp_path: Path) -> None:
    (tmp_path / "_annotations.coco.json").write_text(json.dumps(instances()))
    with pytest.raises(SourceError, match="holds none of the pictures"):
        create("coco", tmp_path)
    for name in PEOPLE:
        write(tmp_path / f"{name}.jpg", rgb())
    assert len(create("coco", tmp_path)) == 3


def test_run_lengths_as_a_string() -> None:
    """Packed by hand, after `rleToString`: 6, 1, 40 as they are, then 5 - 1 and 2 - 40."""
    assert unpacked("61X14jN") == [6, 1, 40, 5, 2]


def test_run_lengths_that_do_not_fill_the_picture() -> None:
    assert run_lengths([1, 2, 1], (2, 2), (2, 2)).tolist() == [[False, True], [True, False]]
    for counts, size in (([1, 2], (2, 2)), ([1, 2, 1], (4, 1)), ([5, -1], (2, 2))):
        with pytest.raises(ValueError, match="do not fill"):
            run_lengths(counts, size, (2, 2))


def test_polygons_take_the_pixels_whose_centres_they_hold() -> None:
    assert polygon([(1, 1), (4, 1), (4, 3), (1, 3)], (5, 6)).sum() == 6
    assert closed_polygon([(1, 1), (4, 1), (4, 3), (1, 3)], (5, 6)).sum() == 12
    triangle = polygon([(0, 0), (10, 0), (0, 10)], (10, 10))
    assert np.array_equal(triangle, np.add.outer(np.arange(10), np.arange(10)) < 9)
    beyond = polygon([(-5, -5), (50, -5), (50, 50), (-5, 50)], (4, 7))
    assert beyond.all()
    with pytest.raises(ValueError, match="3 or more corners"):
        polygon([(0, 0), (1, 1)], (4, 4))


def test_supervisely_holes_boxes_and_what_is_unsure(tmp_path: Path) -> None:
    write(tmp_path / "img" / "a.png", rgb())
    outline = corners((5, 5, 24, 24))
    objects = [
        {"classTitle": "person", "points": {"exterior": outline, "interior": [corners((10, 10, 14, 14))]}},
        {"classTitle": "person", "geometryType": "rectangle", "points": {"exterior": [[30, 2], [39, 11]]}},
        {"classTitle": "neutral", "points": {"exterior": corners((40, 20, 45, 25)), "interior": []}},
    ]
    (tmp_path / "ann").mkdir()
    held = {"size": {"width": WIDTH, "height": HEIGHT}, "objects": objects}
    (tmp_path / "ann" / "a.json").write_text(json.dumps(held))
    alpha, weight = create("supervisely", tmp_path)[0].read()[3:]
    expected = np.zeros((HEIGHT, WIDTH), bool)
    expected[5:25, 5:25] = True
    expected[10:15, 10:15] = False
    assert np.array_equal(alpha == 255, expected)
    assert np.array_equal(np.argwhere(weight == 0).min(0), [2, 30])
    assert (weight == 0).sum() == 10 * 10 + 6 * 6


def test_a_bitmap_beyond_the_picture_is_said(tmp_path: Path) -> None:
    supervisely(tmp_path)
    path = tmp_path / "ds1" / "ann" / "00001.jpg.json"
    held = json.loads(path.read_text())
    held["objects"][1]["bitmap"]["origin"] = [40, 4]
    path.write_text(json.dumps(held))
    with pytest.raises(SourceError, match="reaches beyond the picture"):
        create("supervisely", tmp_path)[0].read()


def test_a_matte_without_alpha_is_said(tmp_path: Path) -> None:
    aisegment(tmp_path / "half")
    write(tmp_path / "half" / "matting" / "1803" / "matting_00000000" / "1803-00001.png", rgb())
    with pytest.raises(SourceError, match="no alpha channel"):
        create("aisegment", tmp_path / "half")[0].read()
    write(tmp_path / "cut" / "a.png", rgb())
    with pytest.raises(SourceError, match="needs an alpha channel"):
        create("cutouts", tmp_path / "cut")[0].read()


def test_a_portrait_without_matte_is_passed_over(tmp_path: Path) -> None:
    aisegment(tmp_path)
    (tmp_path / "matting" / "1803" / "matting_00000000" / "1803-00002.png").unlink()
    assert [record.files[0].stem for record in create("aisegment", tmp_path)] == ["1803-00001", "1803-00010"]


def test_matlab_masks(tmp_path: Path) -> None:
    io = pytest.importorskip("scipy.io", reason="SciPy reads MATLAB's files")
    write(tmp_path / "00001.jpg", rgb())
    alpha = matte(PEOPLE["00001"], soft=False)
    io.savemat(tmp_path / "00001_mask.mat", {"mask": (alpha > 0).astype(np.float64)})
    assert np.array_equal(create("aps", tmp_path)[0].read()[3], alpha)
    io.savemat(tmp_path / "00001_mask.mat", {"tracker": np.zeros((2, 2))})
    with pytest.raises(SourceError, match="holds tracker: a matrix called mask"):
        create("aps", tmp_path)[0].read()
    (tmp_path / "00001_mask.mat").write_bytes(b"torn")
    with pytest.raises(OpenError, match="no MATLAB file"):
        create("aps", tmp_path)[0].read()


def test_without_scipy_the_line_to_install_it_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path / "00001.jpg", rgb())
    (tmp_path / "00001_mask.mat").write_bytes(b"")
    monkeypatch.setitem(sys.modules, "scipy.io", None)
    with pytest.raises(MissingExtra, match="pip install scipy"):
        create("aps", tmp_path)[0].read()


def test_colours_spread_to_where_nobody_is() -> None:
    """So that a cut-out that is scaled down keeps its own colours at its rim."""
    colours = np.zeros((21, 33, 3), np.uint8)
    alpha = np.zeros((21, 33), np.uint8)
    colours[8:12, 5:9], alpha[8:12, 5:9] = (200, 100, 50), 255
    assert np.unique(cutouts.spread(colours, alpha).reshape(-1, 3), axis=0).tolist() == [[200, 100, 50]]
    colours[8:12, 25:29], alpha[8:12, 25:29] = (10, 20, 30), 255
    filled = cutouts.spread(colours, alpha)
    assert filled[10, 3].tolist() == [200, 100, 50]
    assert filled[10, 30].tolist() == [10, 20, 30]
    assert not cutouts.spread(colours, np.zeros_like(alpha)).any()


def test_an_unknown_kind_gets_the_nearest_and_the_list() -> None:
    with pytest.raises(UnknownName, match="no dataset is called 'cocos'; did you mean coco"):
        _registry.load(PLUGINS, "cocos")
