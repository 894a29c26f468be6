"""Refiners, one at a time, on mattes whose truth is known."""

from __future__ import annotations

from typing import Any

import numpy as np

from livematte import Frame, Matte, PixelFormat, Size
from livematte.kernels import BEGINS
from livematte.refine.foreground import Foreground
from livematte.refine.guided import Guided, Upsample
from livematte.refine.temporal import Temporal
from livematte.sources.synthetic import Synthetic

SOURCE = Synthetic(Size(320, 180))


NETWORK = Size(64, 36)


def small_matte(index: int) -> Matte:
    """The true matte as a network would give it: small and blurred by its pixels."""
    alpha = SOURCE.true_alpha(index)
    rows, columns = alpha.shape[0] // NETWORK.height, alpha.shape[1] // NETWORK.width
    means = alpha.reshape(NETWORK.height, rows, NETWORK.width, columns).mean((1, 3))
    return Matte(means.astype(np.float32), index)


def error(matte: Matte, index: int) -> float:
    return float(np.abs(matte.alpha / 255.0 - SOURCE.true_alpha(index)).mean())


def test_guided_is_nearer_to_the_truth_than_stretching() -> None:
    frame = SOURCE.frame(4)
    stretched, _ = Upsample().refine(frame, small_matte(4), None)
    guided, _ = Guided().refine(frame, small_matte(4), None)
    assert guided.alpha.shape == frame.planes[0].shape
    assert error(guided, 4) < 0.9 * error(stretched, 4)


def test_softness_widens_the_edge() -> None:
    frame = SOURCE.frame(4)
    widths = []
    for softness in (0.0, 0.5, 1.0):
        alpha = Guided(softness).refine(frame, small_matte(4), None)[0].alpha
        widths.append(int(((alpha > 10) & (alpha < 245)).sum()))
    assert widths[0] < widths[1] < widths[2]


def grey(level: float, seed: int = 0) -> Frame:
    """A picture of one grey with the noise of a camera."""
    noise = np.random.default_rng(seed).normal(0, 1, (90, 160))
    luma = np.rint(level + noise).astype(np.uint8)
    chroma = np.full((45, 80), 128, np.uint8)
    return Frame((luma, chroma, chroma), PixelFormat.I420)


def test_temporal_steadies_noise_where_the_picture_stands_still() -> None:
    rng = np.random.default_rng(3)
    still = np.full((9, 16), 0.5, np.float32)
    state, seen = None, []
    for pts in range(60):
        noisy = np.clip(still + rng.normal(0, 0.03, still.shape), 0, 1).astype(np.float32)
        matte, state = Temporal().refine(grey(120, pts), Matte(noisy, pts), state)
        seen.append(matte.alpha)
    assert np.diff(seen[30:], axis=0).std() < 0.2 * 0.03 * 2**0.5


def test_temporal_follows_a_moving_picture_at_once() -> None:
    """The left half changes, the right one stands still; alpha changes little everywhere."""
    before, now = np.full((9, 16), 0.5, np.float32), np.full((9, 16), 0.7, np.float32)
    state: Any = None
    for pts in range(40):
        _, state = Temporal().refine(grey(120, pts), Matte(before, pts), state)
    moved = grey(120, 99)
    moved.planes[0][:, :40] += 19  # two pixels of the network's eight: no other scene
    alpha = Temporal().refine(moved, Matte(now, 40), state)[0].alpha
    assert (alpha[:, :4] == now[:, :4]).all()
    assert np.abs(alpha[:, 6:] - before[:, 6:]).max() < 0.04


def test_temporal_remembers_motion_for_the_network_that_comes_late() -> None:
    rest, late = np.ones((9, 16), np.float32), np.full((9, 16), 0.5, np.float32)
    state: Any = None
    for pts in range(40):
        _, state = Temporal().refine(grey(120, pts), Matte(rest, pts), state)
    left = {}
    for wait in (1, 12):
        after = Temporal().refine(grey(138, 50), Matte(rest, 40), state)[1]
        for pts in range(wait - 1):
            after = Temporal().refine(grey(138, 51 + pts), Matte(rest, 41 + pts), after)[1]
        left[wait] = Temporal().refine(grey(138, 70), Matte(late, 60), after)[0].alpha.mean() - 0.5
    assert left[1] < 0.01
    assert left[12] > 0.2


def test_temporal_follows_a_network_that_needs_some_frames_to_find_who_is_there() -> None:
    state: Any = None
    for pts, seen in enumerate((0.1, 0.4, 0.8, 1.0, 1.0)):
        alpha = np.full((9, 16), seen, np.float32)
        matte, state = Temporal().refine(grey(120, pts), Matte(alpha, pts), state)
        assert (matte.alpha == alpha).all()


def test_temporal_forgets_another_scene_and_only_that() -> None:
    alpha, other = np.full((9, 16), 0.4, np.float32), np.full((9, 16), 0.6, np.float32)
    state: Any = None
    for pts in range(40):
        _, state = Temporal().refine(grey(120, pts), Matte(alpha, pts), state)
    cut, after = Temporal().refine(grey(40), Matte(other, 40), state)
    assert (cut.alpha == other).all()
    assert (after[2] == BEGINS).all(), "what the network gives for the new scene is followed for a while"
    walk = grey(120, 7)
    walk.planes[0][:, :30] = 20  # a fifth of the picture
    held = Temporal().refine(walk, Matte(other, 40), state)[0].alpha
    assert (held[:, :2] == other[:, :2]).all()
    assert (held[:, 5:] < 0.45).all()


def test_temporal_begins_anew_at_another_size() -> None:
    old = tuple(np.ones((3, 3), np.float32) for _ in range(3))
    matte, state = Temporal().refine(SOURCE.frame(0), small_matte(0), old)
    assert (matte.alpha == small_matte(0).alpha).all()
    assert all(part.shape == matte.alpha.shape for part in state)


def test_guided_follows_colour_where_luma_is_equal() -> None:
    """Person and room of one brightness: only chroma tells where the edge is."""
    luma = np.full((180, 320), 120, np.uint8)
    u, v = (np.full((90, 160), level, np.uint8) for level in (110, 150))
    u[:, 71:], v[:, 71:] = 140, 110  # the edge lies at 142 of 320 pixels
    x = (np.arange(64) + 0.5) * 5
    coarse = np.broadcast_to(np.clip(0.5 + (x - 147) / 20, 0, 1).astype(np.float32), (36, 64))
    frame = Frame((luma, u, v), PixelFormat.I420)
    rgb = Frame.from_rgb(frame.to_rgb())
    for picture in (frame, rgb):
        alpha = Guided().refine(picture, Matte(coarse, 0), None)[0].alpha[90]
        assert abs(int(np.argmax(alpha >= 128)) - 142) <= 1
    assert abs(int(np.argmax(Upsample().refine(frame, Matte(coarse, 0), None)[0].alpha[90] >= 128)) - 142) >= 4


def test_guided_takes_networks_of_odd_sizes() -> None:
    frame = SOURCE.frame(4)
    for height, width in ((33, 57), (1, 1), (32, 57)):
        alpha = Guided().refine(frame, Matte(np.ones((height, width), np.float32), 0), None)[0].alpha
        assert (alpha == 255).all()
        assert alpha.shape == frame.planes[0].shape


def test_foreground_takes_the_room_out_of_the_rim() -> None:
    """A red person before a blue room: F is known, the mixed rim is half blue."""
    alpha = SOURCE.true_alpha(0)
    person, room = np.array((200, 40, 30)), np.array((20, 40, 220))
    mixed = np.rint(alpha[..., None] * person + (1 - alpha[..., None]) * room).astype(np.uint8)
    frame = Frame.from_rgb(mixed)
    matte = Matte(np.rint(alpha * 255).astype(np.uint8), 0)
    refined = Foreground().refine(frame, matte, None)[0]
    assert refined.foreground is not None
    rim = (alpha > 0.1) & (alpha < 0.9)
    estimated = np.dstack(refined.foreground)
    before = np.abs(mixed[rim].astype(int) - person).mean()
    after = np.abs(estimated[rim].astype(int) - person).mean()
    assert after < 0.15 * before
    solid = alpha == 1
    assert (estimated[solid] == mixed[solid]).all()


def test_foreground_of_half_size_chroma() -> None:
    frame = SOURCE.frame(0)
    matte = Matte(np.rint(SOURCE.true_alpha(0) * 255).astype(np.uint8), 0)
    refined = Foreground().refine(frame, matte, None)[0]
    assert refined.foreground is not None
    assert frame.format is PixelFormat.I420
    for own, estimated in zip(frame.planes, refined.foreground, strict=True):
        assert own.shape == estimated.shape
    solid = matte.alpha == 255
    assert (refined.foreground[0][solid] == frame.planes[0][solid]).all()
