"""Refiners, one at a time, on mattes whose truth is known."""

from __future__ import annotations

import numpy as np

from livematte import Frame, Matte, PixelFormat, Size
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


def test_temporal_steadies_noise_and_follows_motion() -> None:
    rng = np.random.default_rng(3)
    still = np.full((9, 16), 0.5, np.float32)
    state, seen = None, []
    for pts in range(40):
        noisy = np.clip(still + rng.normal(0, 0.03, still.shape), 0, 1).astype(np.float32)
        matte, state = Temporal().refine(SOURCE.frame(0), Matte(noisy, pts), state)
        seen.append(matte.alpha)
    assert np.diff(seen[10:], axis=0).std() < 0.6 * 0.03 * 2**0.5
    gone = Matte(np.zeros((9, 16), np.float32), 41)
    assert Temporal().refine(SOURCE.frame(0), gone, np.ones((9, 16), np.float32))[0].alpha.max() == 0


def test_temporal_begins_anew_at_another_size() -> None:
    matte, state = Temporal().refine(SOURCE.frame(0), small_matte(0), np.ones((3, 3), np.float32))
    assert (matte.alpha == small_matte(0).alpha).all()
    assert state.shape == matte.alpha.shape


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
