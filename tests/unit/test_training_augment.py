"""What is done to batches: ranges, labels, chance."""

from __future__ import annotations

from dataclasses import fields, replace

import pytest

torch = pytest.importorskip("torch")
torch.set_num_threads(1)  # two threads wait for each other by the second where other programs want the cores

from livematte.training import augment as aug  # noqa: E402
from livematte.training.recipe import Augment  # noqa: E402

PARTS = [item.name for item in fields(Augment) if isinstance(item.default, float) and item.default <= 1]
NOTHING = replace(Augment(), **dict.fromkeys(PARTS, 0.0))
LABELS_MOVE = {"flip", "affine", "paste", "occlude"}


def generator(seed: int = 1) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@pytest.fixture
def batch() -> torch.Tensor:
    """Six pictures with a disc of a person each."""
    y, x = torch.meshgrid(torch.linspace(-1, 1, 48), torch.linspace(-1, 1, 80), indexing="ij")
    alpha = torch.stack([((x - 0.1 * i).square() + y.square() < 0.3).float() for i in range(6)])[:, None]
    rgb = torch.rand(6, 3, 48, 80, generator=generator())
    return torch.cat([rgb, alpha, torch.ones_like(alpha)], 1)


def test_nothing_asked_is_nothing_done(batch: torch.Tensor) -> None:
    assert torch.equal(aug.augment(batch.clone(), NOTHING, generator()), batch)


@pytest.mark.parametrize("part", PARTS)
def test_each_part_by_itself(part: str, batch: torch.Tensor) -> None:
    what = replace(NOTHING, **{part: 1.0})
    first, again = (aug.augment(batch.clone(), what, generator(3)) for _ in range(2))
    assert torch.equal(first, again)
    assert first.shape == batch.shape
    assert first.isfinite().all()
    assert first.min() >= 0
    assert first.max() <= 1
    assert not torch.equal(first[:, :3], batch[:, :3])
    if part not in LABELS_MOVE:
        assert torch.equal(first[:, 3:], batch[:, 3:])


def test_all_at_once_on_an_odd_size() -> None:
    what = replace(Augment(), **dict.fromkeys(PARTS, 1.0))
    seen = aug.augment(torch.rand(3, 5, 45, 83), what, generator())
    assert seen.shape == (3, 5, 45, 83)
    assert seen.isfinite().all()


def test_a_batch_of_one_has_no_others() -> None:
    assert aug.augment(torch.rand(1, 5, 32, 32), replace(Augment(), paste=1.0, fourier=1.0), generator()).shape[0] == 1


def test_a_turn_keeps_circles_round() -> None:
    disc = torch.zeros(1, 5, 100, 200)
    y, x = torch.meshgrid(torch.arange(100.0), torch.arange(200.0), indexing="ij")
    disc[:, 3] = ((x - 100).square() + (y - 50).square() < 400).float()
    what = replace(NOTHING, affine=1.0, scale=(1.0, 1.0), aspect=1.0, rotate_deg=25.0)
    for seed in range(5):
        turned = aug.affine(disc, what, aug.Random(generator(seed)))[0, 3] > 0.5
        rows, columns = turned.any(1).sum().item(), turned.any(0).sum().item()
        assert abs(rows - columns) <= 2


def test_paste_keeps_both_people(batch: torch.Tensor) -> None:
    behind = batch.roll(3, 0)
    pasted = aug.paste(batch, behind, aug.Random(generator()))
    assert torch.equal(pasted[:, 3:4], torch.maximum(batch[:, 3:4], behind[:, 3:4]))
    far = torch.nn.functional.max_pool2d(batch[:, 3:4], 5, 1, 2) == 0
    assert torch.equal(pasted[:, :3][far.expand(-1, 3, -1, -1)], behind[:, :3][far.expand(-1, 3, -1, -1)])


def test_what_covers_a_person_is_no_person() -> None:
    everybody = torch.ones(8, 5, 48, 80)
    covered = aug.occlude(everybody, aug.Random(generator()))
    assert (covered[:, 3].amin((1, 2)) == 0).any()
    assert torch.equal(covered[:, 4], everybody[:, 4])


def test_cosines_are_orthonormal() -> None:
    basis = aug._cosines(torch.device("cpu"))
    assert torch.allclose(basis @ basis.T, torch.eye(8), atol=1e-6)


def test_jpeg_of_a_plain_picture_is_plain() -> None:
    plain = torch.full((2, 3, 17, 23), 0.5)
    assert (aug.jpeg(plain, aug.Random(generator())) - plain).abs().max() < 0.02
