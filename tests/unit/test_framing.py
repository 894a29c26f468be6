"""Auto-framing: where the window goes, how it moves, and that it shows nothing but the output."""

from __future__ import annotations

import math
from dataclasses import replace
from fractions import Fraction
from typing import Any

import numpy as np
import pytest

from livematte import Color, Frame, InferenceError, Matte, PixelFormat, Session, Size, kernels
from livematte._pipeline import Stages, StreamState, render
from livematte._session import build_refiners
from livematte._stats import Stats
from livematte.refine.framing import (
    DEAD_ZONE,
    FASTEST_PER_S,
    NARROWEST,
    WHOLE,
    Motion,
    Window,
    follow,
    reframe,
    wanted_window,
)

SIZE = Size(320, 180)
FPS = 30


def matte_of(left: float, top: float, right: float, bottom: float, pts: int = 0, size: Size = SIZE) -> Matte:
    """A person who fills a box, in parts of the picture."""
    alpha = np.zeros((size.height, size.width), np.uint8)
    rows, columns = (slice(round(a * side), round(b * side)) for a, b, side in (
        (top, bottom, size.height), (left, right, size.width)
    ))  # fmt: skip
    alpha[rows, columns] = 255
    return Matte(alpha, pts)


SITTING = (0.4, 0.35, 0.65, 1.0)


def moved(wanted: list[Window], state: Motion | None = None) -> list[Window]:
    """The windows of a stream in which these are wanted."""
    seen = []
    for index, each in enumerate(wanted):
        state = follow(each, index / FPS, SIZE, state)
        seen.append(state.shown)
    return seen


# --- where it goes ---------------------------------------------------------------------------------


def test_people_are_in_the_window_with_room_around_them() -> None:
    left, top, right, _ = SITTING
    window = wanted_window(matte_of(*SITTING))
    assert window.side < 0.6
    assert window.x - window.side / 2 < left - 0.05
    assert window.x + window.side / 2 > right + 0.05
    assert window.y - window.side / 2 < top - 0.03


def test_feet_that_are_seen_stay_seen() -> None:
    window = wanted_window(matte_of(0.45, 0.2, 0.55, 0.9))
    assert window.y - window.side / 2 < 0.2
    assert window.y + window.side / 2 > 0.9


@pytest.mark.parametrize(
    "people", [(0.0, 0.5, 0.1, 1.0), (0.9, 0.0, 1.0, 0.2), (0.0, 0.0, 1.0, 1.0), (0.5, 0.9, 0.6, 1.0)]
)
def test_the_window_stays_in_the_picture_and_zooms_at_most_twice(people: tuple[float, ...]) -> None:
    window = wanted_window(matte_of(*people))
    assert NARROWEST <= window.side <= 1
    left, top, side = window.placed()
    assert 0 <= left <= WHOLE - side
    assert 0 <= top <= WHOLE - side


def test_everybody_counts() -> None:
    two = matte_of(0.1, 0.4, 0.25, 1.0)
    two.alpha[100:, 240:290] = 255
    window = wanted_window(two)
    assert window.x - window.side / 2 <= 0.1
    assert window.x + window.side / 2 >= 290 / 320


def test_nobody_and_ghosts_mean_the_whole_picture() -> None:
    assert wanted_window(matte_of(0, 0, 0, 0)) == Window()
    assert wanted_window(matte_of(0.5, 0.5, 0.53, 0.53)) == Window()
    faint = matte_of(*SITTING)
    faint.alpha[faint.alpha > 0] = 100
    assert wanted_window(faint) == Window()


# --- how it moves ----------------------------------------------------------------------------------

START, AWAY = Window(0.4, 0.5, 0.6), Window(0.65, 0.4, 0.5)


def test_the_first_picture_is_framed_at_once() -> None:
    assert moved([START]) == [START]


def test_nothing_moves_within_the_dead_zone() -> None:
    random = np.random.default_rng(5)
    sway = [
        replace(START, x=START.x + a, y=START.y + b, side=START.side + c)
        for a, b, c in random.uniform(-0.95, 0.95, (90, 3)) * DEAD_ZONE * START.side
    ]
    assert set(moved([START, *sway])) == {START}


def test_a_matte_that_is_wrong_for_a_moment_moves_nothing() -> None:
    wrong = [Window()] * 3 + [AWAY] * 2
    assert set(moved([START, *wrong, START, *wrong, START])) == {START}


def test_it_arrives_without_haste_jerk_or_overshoot() -> None:
    seen = np.array([(w.x, w.y, w.side) for w in moved([START] + [AWAY] * (6 * FPS))])
    speed = np.diff(seen, axis=0) * FPS
    assert np.abs(speed).max() <= FASTEST_PER_S * 1.001
    assert np.abs(np.diff(speed, axis=0)).max() * FPS < 1.7, "parts of the picture a second, each second"
    assert seen[-1] == pytest.approx((AWAY.x, AWAY.y, AWAY.side), abs=1e-3)
    for column, way in zip(seen.T, np.sign(seen[-1] - seen[0]), strict=True):
        assert (way * np.diff(column) >= -1e-9).all(), "there and not back"
    half_way = np.argmax(np.abs(seen[:, 0] - AWAY.x) < abs(START.x - AWAY.x) / 2)
    assert FPS / 2 < half_way < 2 * FPS


def test_it_goes_back_to_the_whole_picture_when_all_have_left() -> None:
    seen = moved([START] * 10 + [Window()] * (8 * FPS))
    assert seen[9] == START
    assert START.side < seen[20].side < START.side + 0.1, "calmly"
    assert seen[-1].placed() == (0, 0, WHOLE)


def test_motion_does_not_depend_on_the_frame_rate() -> None:
    def at(fps: int) -> Window:
        state = follow(START, 0.0, SIZE, None)
        for index in range(1, 2 * fps + 1):
            state = follow(AWAY, index / fps, SIZE, state)
        return state.shown

    slow, fast = at(15), at(60)
    assert (slow.x, slow.y, slow.side) == pytest.approx((fast.x, fast.y, fast.side), abs=0.02)


@pytest.mark.parametrize("time_s", [-5.0, 0.0, 1e6])
def test_gaps_and_steps_back_do_not_make_it_jump(time_s: float) -> None:
    state = follow(AWAY, time_s, SIZE, follow(START, 0.0, SIZE, None))
    assert abs(state.shown.x - START.x) <= 0.1 * FASTEST_PER_S + 1e-9


# --- what is shown ---------------------------------------------------------------------------------


def gradient(format: PixelFormat = PixelFormat.RGB) -> Frame:
    y, x = np.mgrid[: SIZE.height, : SIZE.width]
    rgb = np.dstack((255 * x / SIZE.width, 255 * y / SIZE.height, 0 * x)).astype(np.uint8)
    return Frame.from_rgb(rgb, format, time_base=Fraction(1, FPS))


@pytest.mark.parametrize("format", list(PixelFormat))
def test_the_crop_is_that_part_of_the_picture_at_its_size(format: PixelFormat) -> None:
    picture = gradient(format)
    out, motion = reframe(picture, matte_of(*SITTING), None)
    assert (out.size, out.format, out.pts) == (picture.size, format, picture.pts)
    window = motion.shown
    y, x = np.mgrid[: SIZE.height, : SIZE.width]
    red = 255 * (window.x + window.side * ((x + 0.5) / SIZE.width - 0.5))
    green = 255 * (window.y + window.side * ((y + 0.5) / SIZE.height - 0.5))
    shown = out.to_rgb().astype(float)
    assert np.abs(shown[..., 0] - red).max() < 5
    assert np.abs(shown[..., 1] - green).max() < 5


def test_the_whole_window_is_the_picture_itself() -> None:
    picture = gradient()
    assert reframe(picture, Matte.empty(picture), None)[0] is picture
    for plane in picture.planes:
        assert np.array_equal(kernels.crop(plane, 0, 0, WHOLE), plane)


def test_alpha_goes_along() -> None:
    matte = matte_of(*SITTING)
    picture = gradient().with_planes(gradient().planes, matte.alpha)
    out, _ = reframe(picture, matte, None)
    assert out.alpha is not None
    assert out.alpha.mean() > 1.5 * matte.alpha.mean()


def test_another_size_starts_anew() -> None:
    _, motion = reframe(gradient(), matte_of(*SITTING), None)
    small = Frame.from_rgb(np.zeros((90, 160, 3), np.uint8), pts=1)
    _, again = reframe(small, matte_of(0.0, 0.4, 0.2, 1.0, 1, small.size), motion)
    assert again.shown == wanted_window(matte_of(0.0, 0.4, 0.2, 1.0, 1, small.size))


class Figure:
    """A segmenter that knows where somebody sits, and fails where it is told to."""

    name, size = "figure", SIZE

    def __init__(self, fail_at: tuple[int, ...] = ()) -> None:
        self._fail_at = fail_at

    def segment(self, frame: Frame, state: Any) -> tuple[Matte, Any]:
        if frame.pts in self._fail_at:
            raise InferenceError("killed by the test")
        return Matte(matte_of(*SITTING).alpha / np.float32(255), frame.pts), None

    def close(self) -> None:
        pass


def noise(pts: int) -> Frame:
    rgb = np.random.default_rng(pts).integers(0, 256, (SIZE.height, SIZE.width, 3), np.uint8)
    return Frame.from_rgb(rgb, pts=pts, time_base=Fraction(1, FPS))


@pytest.mark.parametrize("fail_at", [(), (0,), (3,), (0, 1, 2, 3, 4, 5)])
def test_a_covered_frame_shows_the_plate_alone_however_it_is_framed(fail_at: tuple[int, ...]) -> None:
    effect = Color((30, 60, 90))
    refiners = build_refiners(effect, temporal=False, refine=False)
    stages, state = Stages(Figure(fail_at), refiners, effect, framing=True), StreamState()
    for pts in range(6):
        shown = render(stages, noise(pts), state, Stats()).to_rgb()
        assert shown.shape == (SIZE.height, SIZE.width, 3)
        if pts in fail_at:
            assert (shown == (30, 60, 90)).all()
        else:
            assert (shown[:5] == (30, 60, 90)).all(), "the room beside the person"
            assert shown[150:, 140:180].std() > 20, "the person"


def test_pictures_that_stand_alone_are_framed_alone() -> None:
    session = Session(Figure(), Color("white"), temporal=False, refine=False, framing=True)
    first, second = (session.process(noise(pts).to_rgb()) for pts in (0, 0))
    assert np.array_equal(first, second)
    plain = Session(Figure(), Color("white"), temporal=False, refine=False).process(noise(0).to_rgb())
    assert (first == 255).all(2).mean() < 0.8 * (plain == 255).all(2).mean(), "the person is larger"


def test_speed_of_a_step_is_that_of_critical_damping() -> None:
    """Without the bound, a step equals the closed form of the motion."""
    from livematte.refine.framing import RATE_PER_S, _step

    at, speed = _step(0.01, 0.0, 0.0, 0.1)
    assert at == pytest.approx(0.01 * (1 + RATE_PER_S * 0.1) * math.exp(-RATE_PER_S * 0.1))
    assert speed == pytest.approx(-0.01 * RATE_PER_S**2 * 0.1 * math.exp(-RATE_PER_S * 0.1))
