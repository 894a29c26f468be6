"""Every measure on cases whose value is known in closed form."""

from __future__ import annotations

import math
import sys

import numpy as np
import pytest

from livematte._errors import FrameError, MissingExtra
from livematte.evaluation import metrics

HEIGHT, WIDTH = 300, 400
"""Diagonal 500: the tolerance of contours is 3.75, so 4 pixels."""


def square(left: int = 100, side: int = 80, height: int = HEIGHT, width: int = WIDTH) -> np.ndarray:
    alpha = np.zeros((height, width), np.float32)
    alpha[60 : 60 + side, left : left + side] = 1
    return alpha


def disc(x: float, radius: float = 70) -> np.ndarray:
    rows, columns = np.mgrid[0:HEIGHT, 0:WIDTH]
    return (np.hypot(columns - x, rows - 150) <= radius).astype(np.float32)


def wall(x: int) -> np.ndarray:
    """Person left of column x."""
    return np.broadcast_to(np.arange(WIDTH) < x, (HEIGHT, WIDTH)).astype(np.float32)


@pytest.mark.parametrize("shift", [0, 1, 7, 79, 80, 200])
def test_iou_of_a_shifted_square(shift: int) -> None:
    common = max(0, 80 - shift)
    assert metrics.iou(square(100 + shift), square()) == pytest.approx(common / (160 - common))


def test_iou_of_shifted_discs_is_that_of_their_lens() -> None:
    shift, radius = 40, 70
    lens = 2 * radius**2 * math.acos(shift / (2 * radius)) - shift / 2 * math.sqrt(4 * radius**2 - shift**2)
    expected = lens / (2 * math.pi * radius**2 - lens)
    assert metrics.iou(disc(180 + shift), disc(180)) == pytest.approx(expected, abs=0.005)


def test_iou_takes_alpha_from_one_half_on() -> None:
    truth = square()
    assert metrics.iou(truth * np.float32(0.5), truth) == 1
    assert metrics.iou(truth * np.float32(0.499), truth) == 0


def test_nobody_found_where_nobody_is_is_right() -> None:
    nobody = np.zeros((HEIGHT, WIDTH), np.float32)
    assert (metrics.iou(nobody, nobody), metrics.boundary_f(nobody, nobody)) == (1, 1)
    assert (metrics.iou(square(), nobody), metrics.boundary_f(square(), nobody)) == (0, 0)
    assert (metrics.iou(nobody, square()), metrics.boundary_f(nobody, square())) == (0, 0)


@pytest.mark.parametrize(("shift", "expected"), [(0, 1), (4, 1), (-4, 1), (5, 0), (-5, 0)])
def test_contours_match_up_to_the_tolerance_rounded_up(shift: int, expected: float) -> None:
    assert metrics.boundary_f(wall(200 + shift), wall(200)) == expected


def test_boundary_f_is_the_harmonic_mean_of_precision_and_recall() -> None:
    truth = wall(200)
    found = truth.copy()
    found[:, 250:350] = 1  # two more walls: a third of the contour found is right, all of the true one is found
    assert metrics.boundary_f(found, truth) == pytest.approx(2 * (1 / 3) / (1 / 3 + 1))
    assert metrics.boundary_f(truth, found) == metrics.boundary_f(found, truth)


def test_boundary_f_of_shifted_discs_falls_with_the_shift() -> None:
    scores = [metrics.boundary_f(disc(180 + shift), disc(180)) for shift in (0, 4, 8, 16, 32)]
    assert scores[:2] == [1, 1]
    assert scores == sorted(scores, reverse=True)
    assert scores[4] < scores[3] < scores[2] < 1


def test_the_border_of_the_picture_is_no_contour() -> None:
    assert not metrics.contour(np.ones((5, 7), np.bool_)).any()


def test_mad_and_mse() -> None:
    truth = square(side=50)
    assert metrics.mad(np.zeros_like(truth), truth) == pytest.approx(2500 / (HEIGHT * WIDTH))
    off = np.full_like(truth, 0.3)
    assert metrics.mad(off, off - np.float32(0.2)) == pytest.approx(0.2)
    assert metrics.mse(off, off - np.float32(0.2)) == pytest.approx(0.04)


def slope_by_definition(alpha: np.ndarray) -> np.ndarray:
    """Length of the gradient by two-dimensional filters, pixel by pixel."""
    sigma, reach = 1.4, 4
    x = np.arange(-reach, reach + 1)
    gauss = np.exp(-(x**2) / (2 * sigma**2)) / (sigma * math.sqrt(2 * math.pi))
    across = np.outer(gauss, -x * gauss / sigma**2)
    across /= math.sqrt((across**2).sum())
    padded = np.pad(alpha.astype(np.float64), reach, mode="edge")
    windows = np.lib.stride_tricks.sliding_window_view(padded, across.shape)
    return np.hypot((windows * across).sum((2, 3)), (windows * across.T).sum((2, 3)))


def test_grad_is_what_its_definition_says() -> None:
    rng = np.random.default_rng(5)
    alpha, truth = rng.random((2, 24, 31), np.float32)
    expected = ((slope_by_definition(alpha) - slope_by_definition(truth)) ** 2).sum()
    assert metrics.grad(alpha, truth) == pytest.approx(expected, rel=1e-4)


def test_grad_does_not_see_a_constant_and_counts_a_lost_edge() -> None:
    truth = wall(200)
    assert metrics.grad(truth * np.float32(0.5) + np.float32(0.25), truth) > 0
    assert metrics.grad(np.full_like(truth, 0.7), np.zeros_like(truth)) == pytest.approx(0, abs=1e-6)
    # every row loses the same edge
    assert metrics.grad(0 * truth, truth) == pytest.approx(2 * metrics.grad(0 * truth[:150], truth[:150]), rel=1e-5)


@pytest.mark.parametrize(("alpha", "expected"), [(0.5, 0.5), (1.0, 1.0), (0.16, 0.16), (0.14, 0.0)])
def test_conn_of_an_island_that_is_not_there(alpha: float, expected: float) -> None:
    truth = square()
    found = truth.copy()
    found[10:14, 10:14] = alpha
    assert metrics.conn(found, truth) == pytest.approx(16 * expected, rel=1e-5)


def test_conn_of_a_bridge_that_is_too_thin() -> None:
    truth = square(100, 40) + square(200, 40)
    truth[80:85, 140:200] = 0.5
    found = truth.copy()
    found[80:85, 140:200] = 0.3
    # both are connected up to 0.3; the true bridge stands out by 0.2
    assert metrics.conn(found, truth) == pytest.approx(5 * 60 * 0.2, rel=1e-5)
    found[80:85, 140:200] = 0.4  # by 0.1, which is less than theta
    assert metrics.conn(found, truth) == pytest.approx(0, abs=1e-4)


def test_conn_needs_more_than_a_touching_corner() -> None:
    truth = np.zeros((40, 40), np.float32)
    truth[5:20, 5:20] = 1
    truth[20:25, 20:25] = 1
    found = truth.copy()
    found[20:25, 20:25] = 0.9
    # the small square stands alone: the degrees there are 0.1 and 0; connected, both would be 1
    assert metrics.conn(found, truth) == pytest.approx(25 * 0.1, rel=1e-5)


def test_dtssd_is_the_difference_of_the_changes() -> None:
    before, truth_before = np.full((2, 6, 8), 0.2, np.float32)
    assert metrics.dtssd(before + np.float32(0.3), before, truth_before + np.float32(0.1), truth_before) == (
        pytest.approx(0.2, rel=1e-5)
    )
    moved = square(103), square(100)
    assert metrics.dtssd(*moved, *moved) == 0
    # the truth moves and alpha stays: 2 columns of 80 pixels change, by 1, on each side
    expected = math.sqrt(2 * 3 * 80 / (HEIGHT * WIDTH))
    assert metrics.dtssd(square(100), square(100), *moved) == pytest.approx(expected, rel=1e-6)


def test_still_bears_noise_up_and_down() -> None:
    before = np.full((1, 7), 100, np.uint8)
    now = np.array([[100, 98, 97, 102, 103, 0, 255]], np.uint8)
    assert metrics.still(now, before)[0].tolist() == [True, True, False, True, False, False, False]


def test_flicker_counts_where_the_picture_stands_still() -> None:
    before = np.zeros((10, 10), np.float32)
    now = np.full((10, 10), 0.1, np.float32)
    now[5:] = 1
    where = np.zeros((10, 10), np.bool_)
    where[:5] = True
    total, count = metrics.flicker(now, before, where)
    assert (total, count) == (pytest.approx(5.0), 50)


def trail(alphas: list[np.ndarray], truths: list[np.ndarray]) -> float | None:
    """Trailing of a clip; None where no edge moved."""
    total, length, seen = 0.0, 0, None
    for alpha, truth in zip(alphas, truths, strict=True):
        seen = metrics.uncovered(truth, seen)
        behind, edge_px = metrics.trailing(alpha, truth, seen)
        total, length = total + behind, length + edge_px
    return total / length if length else None


def walls(speed: int, frames: int = 8) -> list[np.ndarray]:
    """The person's edge goes left, and rests at last for as long as pixels are watched."""
    moving = [wall(300 - speed * index) for index in range(frames)]
    return moving + moving[-1:] * metrics.TRAIL_FRAMES


def late(truths: list[np.ndarray], frames: int) -> list[np.ndarray]:
    return truths[:1] * frames + truths[: len(truths) - frames]


@pytest.mark.parametrize("speed", [1, 2, 7, 20])
@pytest.mark.parametrize("frames", [0, 1, 3, 6])
def test_trailing_of_a_late_matte_is_its_speed_times_its_delay(speed: int, frames: int) -> None:
    truths = walls(speed)
    assert trail(late(truths, frames), truths) == pytest.approx(speed * frames)


def test_trailing_of_one_step_is_its_length_times_the_delay() -> None:
    truths = [wall(200)] * 3 + [wall(188)] * 12
    assert trail(late(truths, 2), truths) == pytest.approx(24)


def test_trailing_of_a_moving_average_is_its_geometric_series() -> None:
    truths, keep = walls(5), np.float32(0.6)
    alphas = truths[:1]
    for truth in truths[1:]:
        alphas.append(keep * alphas[-1] + (1 - keep) * truth)
    expected = 5 * sum(0.6**index for index in range(1, metrics.TRAIL_FRAMES + 1))
    assert trail(alphas, truths) == pytest.approx(expected, rel=1e-5)


def test_trailing_sees_only_what_is_left_behind() -> None:
    truths = walls(4)
    nothing = np.zeros_like(truths[0])
    assert trail([nothing] * len(truths), truths) == 0
    # too wide on the person's other side, where nobody was, and too low where the person is
    strip = [truth - wall(150) * np.float32(0.5) for truth in (square(250 - 4 * i) for i in range(8))]
    moved = [square(250 - 4 * index) for index in range(8)]
    ahead = [np.maximum(now, square(246 - 4 * index)) for index, now in enumerate(moved)]
    assert trail(ahead, moved) == 0
    assert trail(strip, moved) == 0
    behind = [np.maximum(now, square(254 - 4 * index)) for index, now in enumerate(moved)]
    # the ends of the edge, which lie in the strip that was left, are part of its length
    assert trail(behind, moved) == pytest.approx(4 * 80 / (80 + 2 * 4 + 1))


def test_trailing_forgets_what_stays_too_long() -> None:
    truths = [wall(200)] * 3 + [wall(190)] * 30
    assert trail([wall(200)] * 33, truths) == pytest.approx(10 * metrics.TRAIL_FRAMES)


def test_trailing_ends_where_the_person_comes_back() -> None:
    truths = [wall(200)] * 3 + [wall(190)] * 2 + [wall(200)] * 8
    assert trail([wall(200)] * 13, truths) == pytest.approx(20)


def test_trailing_of_soft_edges_is_that_of_hard_ones() -> None:
    ramp = [np.clip((wall(0) + 300 - 6 * index - np.arange(WIDTH)) / 3 + 0.5, 0, 1) for index in range(8)]
    truths = [edge.astype(np.float32) for edge in ramp + ramp[-1:] * metrics.TRAIL_FRAMES]
    assert trail(late(truths, 2), truths) == pytest.approx(12, rel=0.15)
    assert trail(truths, truths) == 0


def test_trailing_needs_an_edge_that_moves() -> None:
    assert trail([wall(210)] * 9, [wall(200)] * 9) is None
    # what was never surely person leaves nothing behind
    assert trail([wall(210)] * 9, [wall(200 - 5 * index) * np.float32(0.9) for index in range(9)]) is None


def test_trailing_refuses_another_size() -> None:
    seen = metrics.uncovered(square())
    with pytest.raises(FrameError, match="of one size"):
        metrics.trailing(square()[:-1], square(), seen)


def test_rim_is_the_halo_along_the_edge_alone() -> None:
    truth = wall(200)
    truth[:, 199] = 0.5
    true = np.full((HEIGHT, WIDTH, 3), 100, np.uint8)
    shown = true.copy()
    shown[:, 203:205] = 87  # two of the 13 columns that lie around the edge
    assert metrics.rim(true, true, truth) == 0
    assert metrics.rim(shown, true, truth) == pytest.approx(13 * 2 / 13)
    shown[:, 250:] = 0
    assert metrics.rim(shown, true, truth) == pytest.approx(13 * 2 / 13)
    assert metrics.rim(shown, true, wall(400)) == 0


@pytest.mark.parametrize("metric", [metrics.iou, metrics.boundary_f, metrics.mad, metrics.grad, metrics.conn])
def test_sizes_must_agree(metric: object) -> None:
    with pytest.raises(FrameError, match=r"\(4, 5\) and \(5, 4\)"):
        metric(np.zeros((4, 5), np.float32), np.zeros((5, 4), np.float32))


def test_without_opencv_the_error_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "cv2", None)
    with pytest.raises(MissingExtra, match=r'pip install "livematte\[bench\]"'):
        metrics.boundary_f(square(), square())
