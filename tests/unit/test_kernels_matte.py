"""From the network's alpha to one of the frame's size: what each kernel is for."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest

from livematte import kernels
from livematte._frame import Frame, PixelFormat, Planes, Size, plane_sizes
from livematte.kernels import compiled, reference
from livematte.refine.guided import follow

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


def grey(luma: U8) -> Planes:
    """Planes of I420 without colour."""
    height, width = luma.shape
    chroma = np.full(((height + 1) // 2, (width + 1) // 2), 128, np.uint8)
    return luma, chroma, chroma


@pytest.mark.parametrize("off_px", [-8, -5, 5, 8])
@pytest.mark.parametrize("softness", [0.0, 0.3, 1.0])
def test_the_guided_filter_pulls_a_coarse_matte_to_the_edge(off_px: int, softness: float) -> None:
    size, net, edge = Size(1280, 720), Size(256, 144), 643
    luma = np.full(size[::-1], 60, np.uint8)
    luma[:, edge:] = 180
    x = (np.arange(net.width) + 0.5) * size.width / net.width
    coarse = np.clip(0.5 + (x - edge - off_px) / 25, 0, 1).astype(np.float32)
    alpha = np.broadcast_to(coarse, net[::-1]).copy()
    refined = follow(Frame(grey(luma), PixelFormat.I420), alpha, softness)
    before = abs(crossing(kernels.upsample(alpha, size)) - (edge - 0.5))
    assert abs(crossing(refined) - (edge - 0.5)) <= 0.5 * before
    assert (refined[:, :500] == 0).all()
    assert (refined[:, 800:] == 255).all()


def test_softness_sets_how_steep_edges_are() -> None:
    luma = np.tile(np.linspace(0, 255, 256).astype(np.uint8), (4, 1))
    planes = grey(luma)
    small = np.stack([kernels.downscale(plane, Size(64, 4)) for plane in planes])
    alpha = np.clip(2 * small[0] / 255 - 0.5, 0, 1).astype(np.float32)
    refined = [
        kernels.apply_guided(kernels.guided(small, PixelFormat.I420, alpha, 1, 2, 1e-6, s), planes, PixelFormat.I420)[0]
        for s in (0.0, 1.0)
    ]
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
            assert not follow(Frame(grey(luma), PixelFormat.I420), alpha, softness).any()
        kept, _ = kernels.who_stays(alpha, None, 1.0, 0.3, 0.4)
        none = np.zeros_like(alpha)
        for luma_before in (none, none + 99):  # the same scene, and another
            steady, _ = kernels.temporal(kept, none, none, luma_before, none)
            assert not kernels.upsample(steady, Size(160, 90)).any()


def test_temporal_settles_what_is_still_and_follows_what_moves(random: np.random.Generator) -> None:
    before, now, luma = random.random((3, 20, 30), np.float32)
    none = np.zeros_like(before)
    out, motion = kernels.temporal(now, luma, before, luma, none)
    assert ((out >= np.minimum(before, now)) & (out <= np.maximum(before, now) + 1e-6)).all()
    still = np.float32(0.1)
    assert (motion == still).all()
    assert np.abs(out - before - np.where(now < before, 2, 1) * still * (now - before)).max() < 1e-6, "held back"
    moving = luma.copy()
    moving[8, 9] += 15  # code values
    out, motion = kernels.temporal(now, moving, before, luma, none)
    assert np.abs(out - now)[7:10, 8:11].max() < 1e-6, "the pixel and those around it follow at once"
    assert (motion[7:10, 8:11] == 1).all()
    assert np.count_nonzero(motion > still) == 9
    _, later = kernels.temporal(now, moving, out, moving, motion)
    assert later[8, 9] == 0.5, "motion is remembered, and fades"
    assert np.array_equal(kernels.temporal(before, luma, before, luma, none)[0], before)


def test_temporal_averages_noise_of_the_network(random: np.random.Generator) -> None:
    still, luma = np.full((4, 4), 0.5, np.float32), np.zeros((4, 4), np.float32)
    noise = random.normal(0, 0.02, (200, 4, 4)).astype(np.float32)
    state, motion, states = still, luma, []
    for step in noise:
        state, motion = kernels.temporal(still + step, luma, state, luma, motion)
        states.append(state)
    assert np.std(states) < 0.3 * np.std(noise)
    for _ in range(120):
        state, motion = kernels.temporal(still, luma, state, luma, motion)
    assert np.abs(state - still).max() < 1e-4


def test_temporal_is_the_mean_of_what_rises_since_it_moved(random: np.random.Generator) -> None:
    luma, rising = np.zeros((3, 5), np.float32), np.sort(random.random((8, 3, 5), np.float32), axis=0)
    state, motion = rising[0], np.ones_like(luma)
    for count, alpha in enumerate(rising[1:], 2):
        state, motion = kernels.temporal(alpha, luma, state, luma, motion)
        assert np.abs(state - rising[:count].mean(axis=0)).max() < 1e-5


def test_temporal_lets_go_of_what_the_network_lets_go_of_a_frame_late() -> None:
    luma, person = np.zeros((3, 5), np.float32), np.ones((3, 5), np.float32)
    out, _ = kernels.temporal(luma, luma, person, luma, np.ones_like(luma))
    assert not out.any()


def test_rows_and_ends_without_anybody_are_left_out_rightly() -> None:
    """Lines that say nobody, but for a rectangle or two, against the reference."""
    random = np.random.default_rng(5)
    for index in range(300):
        format = list(PixelFormat)[index % 3]
        width, height = (int(random.integers(1, n)) for n in (40, 30))
        lines = np.zeros((4, height, width), np.int16)
        lines[3] = -448
        for _ in range(random.integers(0, 3)):
            top, left = int(random.integers(0, height)), int(random.integers(0, width))
            part = (
                slice(None),
                slice(top, int(random.integers(top, height)) + 1),
                slice(left, int(random.integers(left, width)) + 1),
            )
            lines[part] = random.integers(-8191, 8191, lines[part].shape)
        size = Size(int(random.integers(1, 300)), int(random.integers(1, 90)))
        planes: Planes = tuple(  # type: ignore[assignment]
            random.integers(0, 256, (s.height, s.width), dtype=np.uint8) for s in plane_sizes(size, format)
        )
        expected = reference.apply_guided(lines, planes, format)
        assert (compiled.apply_guided(lines, planes, format) == expected).all()
