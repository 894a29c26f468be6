"""Losses: what is right costs nothing, what has no weight does not count."""

from __future__ import annotations

import pytest

torch = pytest.importorskip("torch")
torch.set_num_threads(1)  # two threads wait for each other by the second where other programs want the cores

from livematte.training import losses as ls  # noqa: E402
from livematte.training.recipe import Loss  # noqa: E402
from livematte.training.validate import iou  # noqa: E402


@pytest.fixture
def alpha() -> torch.Tensor:
    half = torch.zeros(2, 1, 32, 48)
    half[..., 20:] = 1
    return half


def test_the_truth_costs_little_and_its_opposite_much(alpha: torch.Tensor) -> None:
    ask, weight = Loss(l1=1.0), torch.ones_like(alpha)
    small = torch.nn.functional.adaptive_avg_pool2d(alpha, (2, 3))
    right = ls.losses((alpha - 0.5) * 40, (small - 0.5) * 40, alpha, weight, ask)
    wrong = ls.losses((0.5 - alpha) * 40, (0.5 - small) * 40, alpha, weight, ask)
    assert right.keys() == wrong.keys() == {"bce", "iou", "edge", "l1", "aux"}
    for name in ("bce", "iou", "edge", "l1"):
        assert right[name] < 1e-3
        assert wrong[name] > 0.4


def test_what_is_not_asked_is_left_out(alpha: torch.Tensor) -> None:
    found = ls.losses(alpha, alpha[..., :2, :3], alpha, alpha, Loss(iou=0, edge=0, aux=0))
    assert found.keys() == {"bce"}


def test_side_outputs_of_any_size_are_added_and_none_is_no_loss(alpha: torch.Tensor) -> None:
    weight, ask = torch.ones_like(alpha), Loss(aux=0.5)
    sides = [torch.randn(2, 1, 2, 3), torch.randn(2, 1, 16, 24)]
    alone = [ls.losses(alpha, side, alpha, weight, ask)["aux"] for side in sides]
    assert torch.isclose(ls.losses(alpha, sides, alpha, weight, ask)["aux"], alone[0] + alone[1])
    assert "aux" not in ls.losses(alpha, [], alpha, weight, ask)


def test_undecided_pixels_do_not_count(alpha: torch.Tensor) -> None:
    weight = torch.ones_like(alpha)
    weight[..., 10:30] = 0
    good = (alpha - 0.5) * 10
    spoilt = torch.where(weight > 0, good, -good)
    aux = torch.zeros(2, 1, 2, 3)
    ask = Loss(l1=1.0, edge_px=2)
    for name, value in ls.losses(good, aux, alpha, weight, ask).items():
        assert torch.isclose(value, ls.losses(spoilt, aux, alpha, weight, ask)[name]), name


def test_no_weight_at_all_is_no_loss(alpha: torch.Tensor) -> None:
    found = ls.losses(alpha, alpha[..., :2, :3], alpha, torch.zeros_like(alpha), Loss())
    assert all(value == 0 for value in found.values())


def test_soft_targets_are_best_met_softly() -> None:
    target, weight = torch.full((1, 1, 32, 32), 0.3), torch.ones(1, 1, 32, 32)
    aux, ask = torch.zeros(1, 1, 2, 2), Loss(iou=0, aux=0)
    guesses = [torch.full_like(target, alpha) for alpha in (0.1, 0.3, 0.5)]
    costs = [ls.losses(guess.logit(), aux, target, weight, ask)["bce"] for guess in guesses]
    assert costs[1] == min(costs)


def test_the_band_lies_along_the_outline(alpha: torch.Tensor) -> None:
    found = ls.band(alpha, 2)[0, 0, 16]
    assert found.nonzero()[:, 0].tolist() == [18, 19, 20, 21]
    assert ls.band(torch.ones_like(alpha), 2).sum() == 0
    pooled = torch.nn.functional.max_pool2d(alpha, 5, 1, 2)
    assert torch.equal(ls._reach(alpha, 2, torch.maximum), pooled)


@pytest.mark.parametrize(("dx", "dy"), [(0, 0), (2, 1), (-1, 2), (2, -2), (-2, -1)])
def test_a_moved_picture_with_a_moved_alpha_is_consistent(dx: int, dy: int) -> None:
    guess = torch.rand(2, 1, 20, 30, requires_grad=True)
    moved = torch.roll(guess, (dy, dx), (2, 3)).detach().requires_grad_()
    assert ls.consistency(guess, moved, dx, dy) == 0
    ls.consistency(guess, torch.zeros_like(moved) + moved * 0.5, dx, dy).backward()
    assert guess.grad is None
    assert moved.grad is not None


def test_iou_of_pictures() -> None:
    ours, theirs = torch.zeros(3, 1, 2, 2), torch.zeros(3, 1, 2, 2)
    ours[0], theirs[0, :, 0] = 1, 1
    ours[1] = 1
    assert iou(ours, theirs).tolist() == [0.5, 0.0, 1.0]
