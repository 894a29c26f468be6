"""A constant rate out of arrival times."""

from __future__ import annotations

import random
from fractions import Fraction
from typing import Any

import numpy as np
import pytest

from livematte import Frame, SinkError
from livematte.sinks._constant import MOST_REPEATS_S, ConstantRate

FPS = Fraction(30)
MICROSECOND = Fraction(1, 1_000_000)


class Kept:
    """A sink that keeps what it got."""

    def __init__(self) -> None:
        self.frames: list[Frame] = []
        self.left_by: Any = "never"
        self.notes = ["a note"]

    def __enter__(self) -> Kept:
        return self

    def __exit__(self, kind: Any, exc: Any, trace: Any) -> None:
        self.left_by = kind

    def write(self, frame: Frame) -> None:
        self.frames.append(frame)


def through(times_s: list[float], fps: Fraction = FPS) -> list[int]:
    """Which frame, by number, is written at each tick."""
    kept = Kept()
    with ConstantRate(kept, fps) as sink:
        for number, time_s in enumerate(times_s):
            planes = (np.full((2, 2), number % 256, np.uint8), np.zeros((1, 1), np.uint8), np.zeros((1, 1), np.uint8))
            sink.write(Frame(planes, pts=round(time_s * 1e6), time_base=MICROSECOND))
    assert kept.left_by is None
    assert [(frame.pts, frame.time_base) for frame in kept.frames] == [(n, 1 / fps) for n in range(len(kept.frames))]
    return [int(frame.planes[0][0, 0]) for frame in kept.frames]


def test_a_camera_that_comes_early_and_late_loses_nothing_and_repeats_nothing() -> None:
    chance = random.Random(0)
    times = [n / 30 + chance.uniform(-0.012, 0.012) for n in range(200)]
    assert through(times) == list(range(200))


def test_what_comes_at_another_rate_is_repeated_or_left_out() -> None:
    assert through([n / 15 for n in range(10)]) == [n for n in range(9) for _ in range(2)] + [9]
    kept = through([n / 60 for n in range(121)])
    assert len(kept) == 61
    assert kept == sorted(set(kept))


def test_it_lasts_as_long_as_what_came() -> None:
    chance, times = random.Random(1), [0.0]
    while times[-1] < 60:
        times.append(times[-1] + chance.choice([1 / 30, 1 / 30, 1 / 29.97, 0.2, 1.0, 0.001]))
    shown = through(times)
    assert abs(len(shown) - times[-1] * 30) <= 2


def test_a_computer_that_slept_does_not_fill_the_disk() -> None:
    shown = through([0.0, 1 / 30, 8 * 3600.0, 8 * 3600 + 1 / 30])
    assert shown == [0, 1, 2, 3]
    assert len(through([0.0, float(MOST_REPEATS_S)])) == MOST_REPEATS_S * 30 + 1


def test_no_frame_is_no_frame_and_notes_are_passed_on() -> None:
    assert through([]) == []
    assert ConstantRate(Kept(), FPS).notes == ["a note"]


def test_errors_reach_the_sink_behind() -> None:
    kept = Kept()
    with pytest.raises(KeyError), ConstantRate(kept, FPS):
        raise KeyError
    assert kept.left_by is KeyError

    class Full(Kept):
        def write(self, frame: Frame) -> None:
            raise SinkError("the disk is full")

    full = Full()
    frame = Frame((np.zeros((2, 2), np.uint8), np.zeros((1, 1), np.uint8), np.zeros((1, 1), np.uint8)))
    with pytest.raises(SinkError), ConstantRate(full, FPS) as sink:
        sink.write(frame)
    assert full.left_by is SinkError
