"""From the network's alpha to one of the frame's size: what each kernel is for."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest

from livematte import kernels
from livematte._frame import Size
from livematte.kernels import compiled, reference
from livematte.refine.guided import EPSILON, RADIUS_PX

U8 = npt.NDArray[np.uint8]
F32 = npt.NDArray[np.float32]


@pytest.fixture
def random() -> np.random.Generator:
    return np.random.default_rng(7)


def crossing(alpha: U8) -> float:
    """Where the middle row passes one half, in pixels."""
    row = alpha[alpha.shape[0] // 2].astype(float) / 255
    x = int(np.flatnonzero((row[:-1] >= 0.5) != (row[1:] >= 0.5))[0])
    return float(x + (0.5 - row[x]) / (row[x + 1] - row[x]))


@pytest.mark.parametrize("off_px", [-8, -5, 5, 8])
@pytest.mark.parametrize("softness", [0.0, 0.3, 1.0])
def test_the_guided_filter_pulls_a_coarse_matte_to_the_edge(off_px: int, softness: float) -> None:
    size, net, edge = Size(1280, 720), Size(256, 144), 643
    luma = np.full(size[::-1], 60, np.uint8)
    luma[:, edge:] = 180
    x = (np.arange(net.width) + 0.5) * size.width / net.width
    coarse = np.clip(0.5 + (x - edge - off_px) / 25, 0, 1).astype(np.float32)
    alpha = np.broadcast_to(coarse, net[::-1]).copy()
    slope, offset = kernels.guided(kernels.downscale(luma, net), alpha, RADIUS_PX, EPSILON, softness)
    refined = kernels.apply_guided(slope, offset, luma)
    before = abs(crossing(kernels.upsample(alpha, size)) - (edge - 0.5))
    assert abs(crossing(refined) - (edge - 0.5)) <= 0.5 * before
    assert (refined[:, :500] == 0).all()
    assert (refined[:, 800:] == 255).all()


def test_softness_sets_how_steep_edges_are() -> None:
    luma = np.tile(np.linspace(0, 255, 256).astype(np.uint8), (4, 1))
    guide = kernels.downscale(luma, Size(64, 4))
    alpha = np.clip(2 * guide / 255 - 0.5, 0, 1).astype(np.float32)
    refined = [kernels.apply_guided(*kernels.guided(guide, alpha, 2, 1e-6, s), luma)[0] for s in (0.0, 1.0)]
    crisp, soft = (row.astype(int) for row in refined)
    assert np.diff(crisp).max() > 2 * np.diff(soft).max()
    assert (np.abs(crisp - 127.5) >= np.abs(soft - 127.5) - 1).all()
    assert np.argmax(crisp >= 128) == pytest.approx(np.argmax(soft >= 128), abs=1)


def test_upsample_keeps_the_ends_and_the_order() -> None:
    alpha = np.tile(np.linspace(0, 1, 16, dtype=np.float32), (9, 1))
    wide = kernels.upsample(alpha, Size(333, 77))
    assert (wide[:, 0] == 0).all()
    assert (wide[:, -1] == 255).all()
    assert (np.diff(wide.astype(int), axis=1) >= 0).all()
    assert (wide == wide[0]).all()


def test_what_is_not_a_number_is_nobody() -> None:
    nan = np.full((9, 16), np.nan, np.float32)
    assert not kernels.upsample(nan, Size(160, 90)).any()
    luma = np.full((90, 160), 200, np.uint8)
    left = np.zeros((9, 16), np.float32)
    left[:, :8] = np.nan
    for alpha in (nan, left):
        for softness in (0.0, 1.0):
            guide = kernels.downscale(luma, Size(16, 9))
            slope, offset = kernels.guided(guide, alpha, RADIUS_PX, EPSILON, softness)
            assert not kernels.apply_guided(slope, offset, luma).any()
        kept, _ = kernels.who_stays(alpha, None, 1.0, 0.3, 0.4)
        assert not kernels.upsample(kernels.temporal(kept, kept), Size(160, 90)).any()


def test_temporal_settles_what_is_still_and_follows_what_moves(random: np.random.Generator) -> None:
    before, now = random.random((2, 20, 30), np.float32)
    out = kernels.temporal(now, before)
    assert ((out >= np.minimum(before, now)) & (out <= np.maximum(before, now) + 1e-6)).all()
    moving = np.abs(now - before) >= 0.3 + 1e-6
    assert np.abs(out - now)[moving].max() < 1e-6
    assert np.array_equal(kernels.temporal(before, before), before)
    still = np.full((4, 4), 0.5, np.float32)
    noise = random.normal(0, 0.02, (200, 4, 4)).astype(np.float32)
    state, states = still, []
    for step in noise:
        state = kernels.temporal(still + step, state)
        states.append(state)
    assert np.std(states) < 0.7 * np.std(noise)
    for _ in range(30):
        state = kernels.temporal(still, state)
    assert np.abs(state - still).max() < 1e-4


def test_rows_and_ends_without_anybody_are_left_out_rightly() -> None:
    """Coefficients that say nobody, but for a rectangle or two, against the reference."""
    random = np.random.default_rng(5)
    for _ in range(300):
        width, height = (int(random.integers(1, n)) for n in (40, 30))
        slope, offset = np.zeros((height, width), np.int16), np.full((height, width), -448, np.int16)
        for _ in range(random.integers(0, 3)):
            top, left = int(random.integers(0, height)), int(random.integers(0, width))
            part = (
                slice(top, int(random.integers(top, height)) + 1),
                slice(left, int(random.integers(left, width)) + 1),
            )
            slope[part] = random.integers(-8191, 8191, slope[part].shape)
            offset[part] = random.integers(-8191, 8191, slope[part].shape)
        luma = random.integers(0, 256, (int(random.integers(1, 90)), int(random.integers(1, 300))), dtype=np.uint8)
        expected = reference.apply_guided(slope, offset, luma)
        assert (compiled.apply_guided(slope, offset, luma) == expected).all()
