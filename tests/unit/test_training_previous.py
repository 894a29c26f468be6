"""The previous matte in training: what is made up for single pictures, and that it is what chance says."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

torch = pytest.importorskip("torch")
torch.set_num_threads(1)  # two threads wait for each other by the second where other programs want the cores

from livematte.training import net as own  # noqa: E402
from livematte.training import nets  # noqa: E402
from livematte.training import previous as before  # noqa: E402
from livematte.training.augment import Random  # noqa: E402
from livematte.training.nets.recurrent import recurrent  # noqa: E402
from livematte.training.validate import iou  # noqa: E402


def drawn(batch: tuple[torch.Tensor, torch.Tensor], net: nets.Network, doubt: float, seed: int = 1) -> torch.Tensor:
    return before.previous_matte(*batch, net, doubt, torch.Generator().manual_seed(seed))


def test_the_same_chance_gives_the_same_mattes(
    batch: tuple[torch.Tensor, torch.Tensor], settled: Callable[[nets.Network], nets.Network]
) -> None:
    net = settled(recurrent(own.Net(own.CONFIGS["fast"].scaled(width=0.5))))
    rgb, alpha = (part.clone() for part in batch)
    first, again, other = (drawn(batch, net, 0.5, seed) for seed in (1, 1, 2))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)
    assert torch.equal(rgb, batch[0])
    assert torch.equal(alpha, batch[1])
    assert first.shape == alpha.shape
    assert (float(first.min()), float(first.max())) >= (0, 0)
    assert first.max() <= 1 + 1e-5
    assert not first.requires_grad


def test_doubt_is_the_part_that_tells_nothing_or_something_wrong(
    batch: tuple[torch.Tensor, torch.Tensor], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(before, "OWN", 0.0)
    many = tuple(part.repeat(40, 1, 1, 1) for part in batch)
    net = recurrent(own.Net(own.CONFIGS["fast"].scaled(width=0.5))).eval()
    sure, unsure = drawn(many, net, 0.0), drawn(many, net, 0.5)
    assert iou(sure, many[1]).mean() > 0.75
    assert iou(sure, many[1]).min() > 0.3
    nothing = (unsure.amax((1, 2, 3)) == 0).float().mean()
    assert nothing.item() == pytest.approx(0.25, abs=0.05)
    wrong = ((unsure - sure).abs().amax((1, 2, 3)) > 0.02).float().mean()
    assert wrong.item() == pytest.approx(1 - 0.75 * 0.75, abs=0.06)


def test_some_are_what_the_network_makes_of_the_frame_before(
    batch: tuple[torch.Tensor, torch.Tensor],
    monkeypatch: pytest.MonkeyPatch,
    settled: Callable[[nets.Network], nets.Network],
) -> None:
    monkeypatch.setattr(before, "OWN", 1.0)
    net = settled(recurrent(own.Net(own.CONFIGS["fast"].scaled(width=0.5))))
    seen = []
    hook = net.register_forward_hook(lambda module, given, made: seen.append((given, torch.sigmoid(made[0]))))
    found = drawn(batch, net, 0.0)
    hook.remove()
    ((picture, known), made) = seen[0]
    assert torch.equal(found, made)
    assert 0 < (picture - batch[0]).abs().mean() < 0.2  # moved, with other noise
    first = known.amax((1, 2, 3)) == 0
    assert 0 < first.sum() < len(first)


def test_moves_are_those_between_two_frames(batch: tuple[torch.Tensor, torch.Tensor]) -> None:
    planes = torch.zeros(500, 1, 48, 64)
    planes[:, :, 20:28, 26:38] = 1
    moved = before.motion(planes, Random(torch.Generator().manual_seed(1)))
    x, y = torch.arange(64) + 0.5, (torch.arange(48) + 0.5)[:, None]
    mass = moved.sum((1, 2, 3))
    dx = ((moved[:, 0] * x).sum((1, 2)) / mass - 32).abs() / 64
    dy = ((moved[:, 0] * y).sum((1, 2)) / mass - 24).abs() / 48
    assert 0.9 * before.SHIFT < max(dx.max(), dy.max()) < 1.1 * before.SHIFT
    assert dx.median() < before.SHIFT / 4
    area = mass / planes.sum((1, 2, 3))
    assert 1 / before.SCALE**2 - 0.03 < area.min() < 0.95
    assert 1.05 < area.max() < before.SCALE**2 + 0.03


@pytest.mark.parametrize("fault", before.FAULTS, ids=lambda fault: fault.__name__[1:])
def test_mistakes_are_mistakes(fault: Callable[..., torch.Tensor], batch: tuple[torch.Tensor, torch.Tensor]) -> None:
    alpha = batch[1]
    spoilt = fault(alpha, alpha.roll(1, 0).flip(3), Random(torch.Generator().manual_seed(1)))
    assert spoilt.shape == alpha.shape
    assert spoilt.min() >= 0
    assert spoilt.max() <= 1 + 1e-5
    assert (spoilt - alpha).abs().amax((1, 2, 3)).median() > 0.1


def test_each_sample_gets_one_mistake(batch: tuple[torch.Tensor, torch.Tensor], monkeypatch: Any) -> None:
    marks = tuple(lambda alpha, *rest, mark=mark: torch.full_like(alpha, mark) for mark in range(len(before.FAULTS)))
    monkeypatch.setattr(before, "FAULTS", marks)
    spoilt = before.spoil(batch[1].repeat(20, 1, 1, 1), Random(torch.Generator().manual_seed(1)))
    assert torch.equal(spoilt.amin((1, 2, 3)), spoilt.amax((1, 2, 3)))
    assert sorted(set(spoilt.flatten().tolist())) == list(range(len(marks)))
