"""Who stays: people beside one another, coming, going, touching, in frames of known time."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import replace
from fractions import Fraction

import numpy as np
import numpy.typing as npt
import pytest

from livematte import Frame, Matte, Size, kernels
from livematte._pipeline import Stages, StreamState, estimate
from livematte._stats import Stats
from livematte.refine.nearest import ENTER, FADE_S, LEAVE, Nearest
from livematte.sources.synthetic import Synthetic

F32 = npt.NDArray[np.float32]

FRAME = Synthetic(Size(64, 36)).frame(0)
NEAR, BESIDE = (slice(6, 36), slice(4, 24)), (slice(10, 30), slice(36, 56))
"""Where the nearest person stands, 600 pixels; and where the other one's place of 400 is."""

BETWEEN = (LEAVE + ENTER) / 2


def people(share: float, left: int = 36) -> F32:
    """The nearest person, and beside them one of `share` of their size."""
    alpha = np.zeros((36, 64), np.float32)
    alpha[NEAR] = 1
    pixels = round(600 * share)
    alpha[10:30, left : left + 20] = (np.arange(400) < pixels).reshape(20, 20)
    return alpha


def refined(alphas: Iterable[F32], fps: Fraction | int = 30, time_base: Fraction = Fraction(1, 90000)) -> Iterator[F32]:
    """What `Nearest` makes of alphas that follow one another."""
    state = None
    for index, alpha in enumerate(alphas):
        frame = replace(FRAME, pts=round(index / fps / time_base), time_base=time_base)
        matte, state = Nearest().refine(frame, Matte(alpha, frame.pts), state)
        yield matte.alpha


def seen(alpha: F32) -> float:
    """How much of the other person is seen, 0-1."""
    return float(alpha[10, 36:56].max())


def test_the_near_stay_and_the_far_go_in_a_picture_alone() -> None:
    for share, stays in ((0.1, False), (BETWEEN, False), (ENTER + 0.01, True), (0.66, True)):
        alpha = people(share)
        (out,) = refined([alpha])
        assert (out[NEAR] == 1).all()
        assert seen(out) == stays


@pytest.mark.parametrize("fps", [Fraction(15), Fraction(30), Fraction(30000, 1001), Fraction(120)])
@pytest.mark.parametrize("time_base", [Fraction(1, 1000), Fraction(1, 90000)])
def test_somebody_who_comes_nearer_fades_in_and_out_in_a_time_not_in_frames(fps: Fraction, time_base: Fraction) -> None:
    whole = math.ceil(FADE_S * fps)
    shares = [0.2] * 3 + [0.6] * 2 * whole + [0.2] * 2 * whole
    shown = np.array([seen(out) for out in refined(map(people, shares), fps, time_base)])
    assert not shown[:3].any()
    assert np.flatnonzero(shown == 1)[0] == pytest.approx(3 + whole, abs=1)
    assert np.flatnonzero(shown > 0)[-1] == pytest.approx(1 + 3 * whole, abs=1)
    assert np.abs(np.diff(shown)).max() <= 1.1 / (FADE_S * fps)


def test_somebody_at_the_limit_does_not_come_and_go() -> None:
    """Between the limits who is seen stays seen, and who is not does not come; a frame in which
    somebody is too small is forgiven."""
    rng = np.random.default_rng(2)
    about = list(rng.uniform(LEAVE + 0.01, ENTER - 0.01, 120))
    assert not any(seen(out) for out in refined(map(people, [0.2, *about])))
    shown = [seen(out) for out in refined(map(people, [0.6, *about]))]
    assert min(shown) == 1
    glitch = [seen(out) for out in refined(map(people, [0.6, 0.6, 0.2, *[BETWEEN] * 30]))]
    assert min(glitch) > 0.8
    assert glitch[-1] == 1


def test_who_comes_into_the_picture_is_hidden_until_they_are_large() -> None:
    growing = [people(share, left=44) for share in np.linspace(0, ENTER - 0.01, 60)]
    assert not any(out[:, 30:].any() for out in refined(growing))


def test_who_is_hidden_stays_so_where_somebody_else_was_seen() -> None:
    """Far away in the corner, they walk through the place of the second person, who has gone."""
    both = people(0.6)
    both[34:, 60:] = 1
    walk = [both]
    for step in range(1, 25):
        walk.append(people(0.0))
        walk[-1][34 - step : 36 - step, 60 - step : 64 - step] = 1
    for alpha, out in zip(walk[1:], list(refined(walk))[1:], strict=True):
        assert not out[alpha > people(0.0)].any()


def test_who_touches_the_nearest_fades_in_and_the_nearest_does_not_flicker() -> None:
    apart, touching = people(0.2), people(0.2)
    touching[12:14, 24:36] = 1
    outs = list(refined([apart] * 3 + [touching] * 20 + [apart] * 20))
    assert min(float(out[NEAR].min()) for out in outs) == 1
    shown = np.array([seen(out) for out in outs])
    assert not shown[:3].any()
    assert shown[22] == 1
    assert shown[-1] == 0
    assert np.abs(np.diff(shown)).max() <= 1.1 / (30 * FADE_S)


def test_a_frame_without_anybody_is_a_new_beginning() -> None:
    outs = list(refined([people(0.6), np.zeros((36, 64), np.float32), people(0.6), people(0.2)]))
    assert not outs[1].any()
    assert (outs[2] == people(0.6)).all()


def test_the_nearest_is_there_at_once_wherever_they_jump() -> None:
    alone = people(0.0)
    alone[:4, :4] = 1  # somebody far away
    jumped = np.roll(alone, 30, 1)
    *_, last = refined([alone, jumped])
    assert (last[6:36, 34:54] == 1).all()
    assert not last[:4].any()


def test_faint_alpha_goes_with_the_part_it_lies_nearest_to() -> None:
    alpha = people(0.2)
    alpha[alpha == 0] = 0.05
    (out,) = refined([alpha])
    assert not out[8:18, 36:58].any(), "no ghost of who is hidden"
    assert (out[:, :25] == alpha[:, :25]).all(), "the soft edge of who stays"


def test_an_outstretched_arm_belongs_to_its_person() -> None:
    joined = people(0.2)
    joined[11, 24:36] = 0.2
    (out,) = refined([joined])
    assert (out == joined).all()


def test_frames_that_do_not_tell_the_time_still_fade() -> None:
    state, shown = None, []
    for share in [0.2] + [0.6] * 40:
        matte, state = Nearest().refine(FRAME, Matte(people(share), FRAME.pts), state)
        shown.append(seen(matte.alpha))
    assert shown[0] == 0
    assert 0 < shown[1] < 0.2
    assert shown[-1] == 1


def test_a_matte_of_another_size_is_a_new_beginning() -> None:
    _, state = Nearest().refine(FRAME, Matte(people(0.2), 0), None)
    other = np.ones((10, 12), np.float32)
    assert (Nearest().refine(FRAME, Matte(other, 0), state)[0].alpha == other).all()


class _Told:
    """A network that says what it is told to."""

    name, size = "told", Size(64, 36)

    def __init__(self, alphas: Iterable[F32]) -> None:
        self._alphas = iter(alphas)

    def segment(self, frame: Frame, state: object) -> tuple[Matte, object]:
        return Matte(next(self._alphas), frame.pts), None

    def close(self) -> None: ...


@pytest.mark.parametrize("memory", [True, False])
def test_frames_that_stand_alone_have_no_part_in_it(memory: bool) -> None:
    from livematte import Off

    stages = Stages(_Told([people(0.2), people(0.6)]), (Nearest(),), Off(), memory)
    state = StreamState()
    estimate(stages, FRAME, state, Stats())
    shown = seen(estimate(stages, FRAME, state, Stats()).alpha)
    assert (shown < 1) == memory


def test_alpha_is_never_more_than_the_network_gave() -> None:
    rng = np.random.default_rng(11)
    before = None
    for _ in range(40):
        alpha = (rng.random((18, 32), np.float32) ** 3).astype(np.float32)
        out, before = kernels.who_stays(alpha, before, 0.1, LEAVE, ENTER)
        assert ((out >= 0) & (out <= alpha)).all()
        assert ((before[1] >= 0) & (before[1] <= 1)).all()
