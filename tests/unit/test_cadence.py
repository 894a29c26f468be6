"""The network on every n-th frame: what is kept, for how long, and that an old matte never shows anybody."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import numpy as np
import pytest

from livematte import Color, Frame, FrameError, InferenceError, Matte, Size
from livematte._cadence import MAX_MATTE_AGE_S, Cadence, Held, NoNetwork
from livematte._exchange import _at_network_size
from livematte._pipeline import Stages, StreamState, render
from livematte._session import build_refiners
from livematte._stats import Stats

SIZE, NETWORK = Size(64, 36), Size(16, 9)
MS = Fraction(1, 1000)


class Network:
    name, size = "counted", NETWORK

    def __init__(self) -> None:
        self.runs: list[int] = []
        self.dead = False

    def segment(self, frame: Frame, state: Any) -> tuple[Matte, Any]:
        if self.dead:
            raise InferenceError("killed by the test")
        self.runs.append(frame.pts)
        return Matte(np.ones((9, 16), np.float32), frame.pts), None

    def close(self) -> None:
        pass


def picture(pts: int) -> Frame:
    planes = np.full((36, 64), 200, np.uint8), np.full((18, 32), 90, np.uint8), np.full((18, 32), 160, np.uint8)
    return Frame(planes, pts=pts, time_base=MS)


class Stream:
    def __init__(self, every: int, effect: Any = None) -> None:
        self.network, self.state, self.stats = Network(), StreamState(), Stats()
        effect = effect or Color("green", despill=False)
        refiners = build_refiners(effect, temporal=True, refine=True)
        self.stages = Stages(self.network, refiners, effect)
        self.find = Cadence(every, _at_network_size(refiners), Held()).find

    def show(self, pts: int, age_s: Fraction = MAX_MATTE_AGE_S) -> Frame:
        return render(self.stages, picture(pts), self.state, self.stats, 99, self.find, age_s)


@pytest.mark.parametrize("every", [1, 2, 3])
def test_the_network_runs_on_every_nth_frame_and_everybody_is_shown(every: int) -> None:
    stream = Stream(every)
    shown = [stream.show(33 * index) for index in range(9)]
    assert stream.network.runs == [33 * index for index in range(0, 9, every)]
    assert stream.stats.covered == 0
    assert all((frame.planes[0] == 200).all() for frame in shown)
    assert [frame.pts for frame in shown] == [33 * index for index in range(9)]


def test_a_matte_that_is_too_old_is_not_used() -> None:
    stream = Stream(3)
    stream.show(0)
    stream.show(200)
    assert stream.network.runs == [0]
    stream.show(401)
    assert stream.network.runs == [0, 401]


def test_a_matte_of_a_later_frame_is_not_used() -> None:
    stream = Stream(3)
    stream.show(100)
    stream.show(50)
    assert stream.network.runs == [100, 50]


def test_a_frame_without_a_matte_is_covered_and_the_next_one_asks_again() -> None:
    stream = Stream(2)
    stream.show(0)
    stream.show(33)
    stream.network.dead = True
    covered = stream.show(66)
    assert stream.stats.covered == 1
    assert not (covered.planes[0] == 200).any()
    stream.network.dead = False
    assert (stream.show(99).planes[0] == 200).all()
    assert stream.network.runs == [0, 99]


def test_composite_has_the_last_word_on_age() -> None:
    stream = Stream(3)
    stream.show(0)
    with pytest.raises(FrameError, match=r"at most 0\.1 s old"):
        stream.show(150, Fraction(1, 10))


def test_refiners_after_the_network_see_the_present_frame() -> None:
    stream, seen = Stream(3, Color("green", despill=True)), []
    guided = stream.stages.refiners[-1]
    refine = guided.refine
    guided.refine = lambda frame, matte, state: (seen.append((frame.pts, matte.pts)), refine(frame, matte, state))[1]
    for pts in (0, 33, 66):
        stream.show(pts)
    assert seen == [(0, 0), (33, 0), (66, 0)]


def test_no_network_covers() -> None:
    effect = Color("green")
    stages = Stages(NoNetwork(), build_refiners(effect, temporal=True, refine=True), effect)
    stats = Stats()
    shown = render(stages, picture(0), StreamState(), stats, 99)
    assert stats.covered == 1
    assert np.ptp(shown.planes[0]) == 0
