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


def test_composed_colours_are_mixed_by_the_alpha_that_is_asked_for() -> None:
    cut = torch.zeros(2, 5, 40, 60)
    cut[:, 0], cut[:, 3, 10:, 20:40] = 1.0, 0.7
    behind = torch.zeros(1, 5, 40, 60)
    behind[:, 1:3], behind[:, 4], behind[:, 4, :, :5] = 0.5, 1.0, 0.0
    made = aug.compose(cut.clone(), torch.tensor([1]), behind, aug.Random(generator()))
    assert torch.equal(made[0], cut[0])
    rgb, alpha = made[1, :3], made[1, 3]
    person = rgb[:, 25, 30] - behind[0, :3, 25, 30] * (1 - alpha[25, 30])  # inside, where the blur changes nothing
    expected = behind[0, :3] * (1 - alpha) + person[:, None, None] / 0.7 * alpha
    assert torch.allclose(rgb, expected, atol=1e-5)
    assert alpha[25, 30].item() == pytest.approx(0.7, abs=1e-5)
    assert alpha[:, :10].max() == 0
    assert torch.equal(made[1, 4], behind[0, 4])


def test_composed_people_are_lit_as_pasted_ones(batch: torch.Tensor) -> None:
    everywhere = torch.ones_like(batch)
    everywhere[:, :3] = batch[:, :3] * 0.2
    scene = torch.full_like(batch, 0.9)
    made = aug.compose(everywhere.clone(), torch.arange(6), scene, aug.Random(generator()))
    lit = aug.in_light(everywhere[:, :3], everywhere[:, 3:4], scene[:, :3], aug.Random(generator()))
    assert torch.allclose(made[:, :3].mean((2, 3)), lit.mean((2, 3)), atol=0.01)
    assert (lit.mean((1, 2, 3)) > everywhere[:, :3].mean((1, 2, 3))).all()


def test_nothing_cut_out_is_nothing_composed(batch: torch.Tensor) -> None:
    none = torch.empty(0, dtype=torch.int64)
    assert torch.equal(aug.compose(batch.clone(), none, batch[:0], aug.Random(generator())), batch)


def test_denoising_keeps_edges_and_takes_grain() -> None:
    clean = torch.zeros(4, 3, 32, 48)
    clean[..., 24:] = 0.8
    noisy = (clean + 0.02 * torch.randn(clean.shape, generator=generator())).clamp(0, 1)
    made = aug.denoise(noisy, aug.Random(generator()))
    before, after = ((x - clean)[..., 30:].std().item() for x in (noisy, made))
    assert after < 0.6 * before
    assert (made[..., 24] - made[..., 23]).min() > 0.7


def test_recipes_without_denoising_see_what_they_saw(batch: torch.Tensor) -> None:
    """What is drawn for JPEG does not depend on a step that is off."""
    what = replace(NOTHING, jpeg=0.5)
    random = aug.Random(generator(3))
    for _ in range(9):  # flip, affine, paste, fourier, occlude, colour, dark, blur, noise
        random.rows(6, 0.0)
    rows = random.rows(6, 0.5)
    seen = aug.augment(batch.clone(), what, generator(3))
    assert (seen != batch).flatten(1).any(1).nonzero()[:, 0].tolist() == rows.tolist()
    assert 0 < len(rows) < 6


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
