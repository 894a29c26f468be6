"""The ensemble's arithmetic, and the views it asks its teachers about, on pictures known in closed form."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from livematte._frame import F32, Frame, Size
from livematte._matte import Matte
from livematte.training import ensemble, views
from livematte.training.ensemble import Teacher
from livematte.training.views import Box

U8 = npt.NDArray[np.uint8]


SQUARE, WIDE = Size(64, 64), Size(400, 266)


class Bright:
    """A teacher: bright is person; what is smaller than `least` of its view it does not see."""

    name = "bright"

    def __init__(self, size: Size = SQUARE, least: float = 0.0) -> None:
        self.size, self._least = size, least
        self.views: list[Size] = []

    def segment(self, frame: Frame, state: Any) -> tuple[Matte, Any]:
        self.views.append(frame.size)
        alpha = (frame.rgb(self.size)[..., 1] > 0.5).astype(np.float32)
        return Matte(alpha if alpha.mean() >= self._least else np.zeros_like(alpha), frame.pts), None

    def close(self) -> None:
        pass


def frame_with(*boxes: Box, size: Size = WIDE) -> tuple[Frame, npt.NDArray[np.bool_]]:
    truth = np.zeros((size.height, size.width), bool)
    for box in boxes:
        truth[box.top : box.bottom, box.left : box.right] = True
    return Frame.from_rgb(np.repeat((truth * 255).astype(np.uint8)[..., None], 3, axis=2)), truth


# views


@pytest.mark.parametrize(("source", "target"), [(257, 400), (400, 257), (7, 7), (5, 1)])
def test_resampling_keeps_constants_and_slopes(source: int, target: int) -> None:
    matrix = views.resampling(source, target)
    assert np.allclose(matrix.sum(axis=1), 1, atol=1e-5)
    ramp = matrix @ ((np.arange(source, dtype=np.float32) + 0.5) / source)
    inner = slice(target // 8 + 1, -(target // 8 + 1))
    assert np.allclose(ramp[inner], ((np.arange(target) + 0.5) / target)[inner], atol=1e-3)


def test_one_pixel_is_repeated() -> None:
    assert np.array_equal(views.resampling(1, 5), np.ones((5, 1)))


def test_components_touch_by_corners() -> None:
    mask = np.array([[1, 0, 0, 1], [0, 1, 0, 0], [0, 0, 0, 1], [0, 0, 0, 1]], bool)
    labels = views.components(mask)
    assert labels.max() == 3
    assert labels[0, 0] == labels[1, 1] != labels[0, 3]
    assert labels[2, 3] == labels[3, 3]
    assert (labels[~mask] == 0).all()
    assert views.components(np.zeros((3, 3), bool)).max() == 0


def test_people_are_boxed_largest_first() -> None:
    _, truth = frame_with(Box(20, 40, 60, 200), Box(200, 20, 320, 260), Box(390, 0, 394, 4))
    found = views.people(truth.astype(np.float32), 0.25, 0.003, 4)
    assert len(found) == 2, "a speck is nobody"
    for box, (left, top, right, bottom) in zip(found, [(200, 20, 320, 260), (20, 40, 60, 200)], strict=True):
        assert np.abs(np.subtract(box, (left, top, right, bottom))).max() <= 9  # a cell
    assert len(views.people(truth.astype(np.float32), 0.25, 0.003, 1)) == 1


def test_room_around_a_box_ends_at_the_picture() -> None:
    assert views.around(Box(100, 50, 140, 150), 400, 266, 0.25) == Box(75, 25, 165, 175)
    assert views.around(Box(0, 0, 400, 266), 400, 266) == Box(0, 0, 400, 266)
    thin = views.around(Box(200, 50, 202, 250), 400, 266, 0.0)
    assert thin.width >= thin.height / 2


@pytest.mark.parametrize("box", [Box(10, 0, 90, 260), Box(0, 5, 400, 105)])
def test_squares_cover_a_long_box(box: Box) -> None:
    found = views.squares(box)
    covered = np.zeros((300, 400), bool)
    for square in found:
        assert square.width == square.height == min(box.width, box.height)
        covered[square.top : square.bottom, square.left : square.right] = True
    assert covered[box.top : box.bottom, box.left : box.right].all()
    assert covered.sum() == box.width * box.height
    assert views.squares(Box(0, 0, 100, 115)) == []


def test_quarters_cover_the_picture() -> None:
    covered = np.zeros((7, 11), int)
    for box in views.quarters(11, 7):
        covered[box.top : box.bottom, box.left : box.right] += 1
    assert covered.min() >= 1
    assert len(views.quarters(1, 1)) == 4


@pytest.mark.parametrize("mirrored", [False, True])
@pytest.mark.parametrize("box", [Box(0, 0, 400, 266), Box(150, 60, 251, 190), Box(380, 250, 400, 266)])
def test_what_is_cropped_comes_back_to_its_place(box: Box, mirrored: bool) -> None:
    frame, truth = frame_with(Box(160, 70, 220, 180), Box(385, 255, 395, 266))
    view = views.crop(frame, box, mirrored)
    assert min(view.size) >= min(views.LEAST_PX, box.width, box.height)
    alpha = view.rgb(Size(257, 257))[..., 1].copy()
    back = views.back(alpha, box, mirrored)
    assert back.shape == (box.height, box.width)
    assert ((back > 0.5) == truth[box.top : box.bottom, box.left : box.right]).mean() > 0.98


def test_inner_edges_count_less() -> None:
    importance = views.importance(Box(0, 10, 50, 60), 100, 100)
    assert importance.shape == (50, 50)
    assert importance[25, 0] == 1  # the picture's own edge
    assert importance[25, 25] == 1
    assert importance[25, -1] < 0.1
    assert importance[0, 25] < 0.1
    assert importance.min() > 0


# the mean


def logits_of(*values: float) -> list[F32]:
    return [np.full((40, 60), math.log(v / (1 - v)), np.float32) for v in values]


def test_combine_is_the_weighted_mean_of_logits() -> None:
    found = ensemble.combine(logits_of(0.9, 0.4), [3, 1])
    expected = ensemble.SHARPNESS * (3 * math.log(9) + math.log(0.4 / 0.6)) / 4
    assert found.probability == pytest.approx(1 / (1 + math.exp(-expected)), abs=1e-5)
    assert found.probability.dtype == found.confidence.dtype == np.float32
    assert found.agreement == 0.5


def test_agreement_of_nobody_is_whole() -> None:
    found = ensemble.combine(logits_of(0.1, 0.2), [1, 1])
    assert (found.agreement, found.area) == (1.0, 0.0)
    assert found.confidence.min() == 1


def test_confidence_falls_in_areas_and_not_on_lines() -> None:
    first, second = np.full((100, 100), -4, np.float32), np.full((100, 100), -4, np.float32)
    first[:, 50:], second[:, 51:] = 4, 4  # the edge, a pixel off
    second[10:40, 10:40] = 4  # somebody only one sees
    found = ensemble.combine([first, second], [1, 1])
    assert found.confidence[15:35, 15:35].max() < 0.1
    assert found.confidence[60:, :].min() > 0.99


def test_opening_is_the_textbooks() -> None:
    values = np.random.default_rng(5).random((17, 23)).astype(np.float32)
    padded = np.pad(values, 2, "edge")
    expected = [[padded[y : y + 5, x : x + 5].max() for x in range(23)] for y in range(17)]
    assert np.array_equal(ensemble.dilate(values, 2), np.array(expected, np.float32))


# teachers and pictures


def test_everybody_is_found_close_and_whole() -> None:
    frame, truth = frame_with(Box(20, 40, 60, 200), Box(200, 20, 320, 260))
    found = ensemble.estimate(frame, [Teacher(Bright(), 2.0), Teacher(Bright(Size(64, 36)))])
    assert len(found.boxes) == 2
    assert ((found.probability > 0.5) == truth).mean() > 0.985
    assert found.agreement > 0.9
    assert found.confidence.mean() > 0.99


def test_who_is_too_small_is_found_in_a_quarter() -> None:
    frame, truth = frame_with(Box(40, 30, 70, 100))
    eye = Bright(least=0.03)
    found = ensemble.estimate(frame, [Teacher(eye)])
    assert found.area == pytest.approx(truth.mean(), rel=0.2)
    assert len(eye.views) > 6


def test_only_teachers_for_near_people_look_at_quarters() -> None:
    frame, _ = frame_with(Box(100, 20, 300, 260))
    near, far = Bright(), Bright()
    ensemble.estimate(frame, [Teacher(near, near=True), Teacher(far)])
    assert len(near.views) == len(far.views) + 4


def test_an_empty_picture_costs_six_looks() -> None:
    frame, _ = frame_with()
    eye = Bright()
    found = ensemble.estimate(frame, [Teacher(eye)])
    assert (found.area, found.boxes, len(eye.views)) == (0.0, (), 6)


@pytest.mark.parametrize("size", [Size(1, 1), Size(1, 9), Size(640, 3)])
def test_odd_sizes(size: Size) -> None:
    frame, _ = frame_with(Box(0, 0, *size), size=size)
    found = ensemble.estimate(frame, [Teacher(Bright())])
    assert found.probability.shape == (size.height, size.width)
    assert found.probability.min() > 0.9
