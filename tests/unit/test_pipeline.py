"""The loop: order, threads, errors, counts. No clock but one that tests turn."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from livematte import Color, Frame, InferenceError, Matte, Size, SourceError, Transparent, every, latest, run
from livematte._clock import ManualClock
from livematte._pipeline import DEPTH, Stages, StreamState, behind, render
from livematte._stats import WINDOW, Stats
from livematte.refine.guided import Upsample
from livematte.sources.synthetic import Synthetic

SIZE = Size(64, 36)


class Nobody:
    """A segmenter that finds nobody, and counts how often it began anew."""

    name = "nobody"
    size = Size(16, 9)

    def __init__(self, fail_at: tuple[int, ...] = ()) -> None:
        self.states: list[Any] = []
        self._fail_at = fail_at

    def segment(self, frame: Frame, state: Any) -> tuple[Matte, Any]:
        self.states.append(state)
        if frame.pts in self._fail_at:
            raise InferenceError("told to")
        return Matte(np.zeros((9, 16), np.float32), frame.pts), (state or 0) + 1

    def close(self) -> None:
        pass


class Sink:
    """Keeps frames; fails at one if told to."""

    def __init__(self, fail_at: int | None = None) -> None:
        self.frames: list[Frame] = []
        self.opened = self.left = 0
        self.error: BaseException | None = None
        self._fail_at = fail_at

    def __enter__(self) -> Sink:
        self.opened += 1
        return self

    def __exit__(self, kind: Any, exc: BaseException | None, trace: Any) -> None:
        self.left += 1
        self.error = exc

    def write(self, frame: Frame) -> None:
        if len(self.frames) == self._fail_at:
            raise OSError("the disk is full")
        self.frames.append(frame)


def stages(segmenter: Any = None) -> Stages:
    return Stages(segmenter or Nobody(), (Upsample(),), Color("green"))


def threads() -> list[str]:
    return [thread.name for thread in threading.enumerate() if thread.name.startswith("livematte")]


def test_every_frame_in_order() -> None:
    sink, seen = Sink(), []
    stats = run(Synthetic(SIZE, frames=25), stages(), sink, progress=lambda s: seen.append(s.frames))
    assert [frame.pts for frame in sink.frames] == list(range(25))
    assert (sink.opened, sink.left, sink.error) == (1, 1, None)
    assert seen == list(range(1, 26))
    assert stats.as_dict()["frames"] == 25
    assert set(stats.as_dict()["stages"]) == {"segment", "refine", "effect", "composite", "write"}
    assert threads() == []


def test_a_failing_sink_is_heard_and_abandoned() -> None:
    sink = Sink(fail_at=3)
    with pytest.raises(OSError, match="disk is full"):
        run(Synthetic(SIZE, frames=50), stages(), sink)
    assert len(sink.frames) == 3
    assert isinstance(sink.error, OSError)
    assert sink.left == 1
    assert threads() == []


def test_a_sink_that_fails_at_its_last_frame_is_heard() -> None:
    sink = Sink(fail_at=4)
    with pytest.raises(OSError, match="disk is full"):
        run(Synthetic(SIZE, frames=5), stages(), sink)
    assert isinstance(sink.error, OSError)


def test_a_failing_source_reaches_the_caller_with_its_own_error() -> None:
    class Broken(Synthetic):
        def __iter__(self) -> Iterator[Frame]:
            yield self.frame(0)
            raise SourceError("ended early")

    sink = Sink()
    with pytest.raises(SourceError, match="ended early"):
        run(Broken(SIZE), stages(), sink)
    assert isinstance(sink.error, SourceError)
    assert threads() == []


def test_a_source_is_not_read_far_ahead() -> None:
    produced = 0

    class Counting(Synthetic):
        def __iter__(self) -> Iterator[Frame]:
            nonlocal produced
            for frame in super().__iter__():
                produced += 1
                yield frame

    source = Counting(SIZE, frames=100)
    feed = every(source, Stats())
    next(feed)
    for _ in range(200):  # the reader fills its queue and stops
        if produced == DEPTH + 2:
            break
        threading.Event().wait(0.01)
    assert produced <= DEPTH + 2
    feed.close()
    assert threads() == []


def test_latest_drops_what_is_old_and_counts_it() -> None:
    gate, ready = threading.Event(), threading.Event()

    class Camera(Synthetic):
        def __iter__(self) -> Iterator[Frame]:
            yield self.frame(0)
            gate.wait(10)
            for index in range(1, 10):
                yield self.frame(index)
            ready.set()

    stats = Stats()
    feed = latest(Camera(SIZE), stats)
    assert next(feed).pts == 0
    gate.set()
    assert ready.wait(10)
    assert [frame.pts for frame in feed] == [9]
    assert stats.dropped == 8
    assert threads() == []


def test_latest_passes_errors_on() -> None:
    class Camera(Synthetic):
        def __iter__(self) -> Iterator[Frame]:
            raise SourceError("unplugged")
            yield

    with pytest.raises(SourceError, match="unplugged"):
        list(latest(Camera(SIZE), Stats()))


def test_a_covered_frame_resets_the_model_and_counts() -> None:
    segmenter = Nobody(fail_at=(2, 3))
    stats = run(Synthetic(SIZE, frames=6), stages(segmenter), Sink())
    assert segmenter.states == [None, 1, 2, None, None, 1]
    assert (stats.frames, stats.covered) == (6, 2)


def test_too_many_failures_in_a_row_end_the_stream_but_not_failures_apart() -> None:
    apart = Nobody(fail_at=(0, 1, 3, 4))
    run(Synthetic(SIZE, frames=6), stages(apart), Sink(), max_failures=3)
    together = Nobody(fail_at=(1, 2, 3))
    sink = Sink()
    with pytest.raises(InferenceError):
        run(Synthetic(SIZE, frames=6), stages(together), sink, max_failures=3)
    assert len(sink.frames) == 3


class Scripted(Nobody):
    """A segmenter that gives one alpha for the whole of each frame."""

    def __init__(self, alphas: tuple[float, ...], fail_at: tuple[int, ...] = ()) -> None:
        super().__init__(fail_at)
        self._alphas = alphas

    def segment(self, frame: Frame, state: Any) -> tuple[Matte, Any]:
        _, state = super().segment(frame, state)
        return Matte(np.full((9, 16), self._alphas[frame.pts], np.float32), frame.pts), state


@pytest.mark.parametrize(
    ("alphas", "shown"),
    [
        pytest.param((0, 0, 1, 0, 0), (0, 0, 0, 0, 0), id="seen once"),
        pytest.param((1, 1, 0.2, 1, 1), (1, 1, 1, 1, 1), id="unsure once"),
        pytest.param((1, 1, 0, 1, 1), (1, 1, 0, 1, 1), id="surely nobody once, as in a frame of another scene"),
        pytest.param((0, 0, 1, 1, 1), (0, 0, 1, 1, 1), id="comes"),
        pytest.param((1, 1, 0, 0, 0), (1, 1, 0, 0, 0), id="goes"),
        pytest.param((1, 0, 0, 0, 1), (1, 0, 0, 0, 1), id="the first and the last stand alone"),
        pytest.param((0.2, 0.4, 1, 0.8, 0), (0.2, 0.4, 0.8, 0.8, 0), id="the median"),
    ],
)
def test_three_frames_vote_where_there_is_a_look_ahead(alphas: tuple[float, ...], shown: tuple[float, ...]) -> None:
    sink = Sink()
    transparent = Stages(Scripted(alphas), (Upsample(),), Transparent(), lookahead=True)
    stats = run(Synthetic(SIZE, frames=5), transparent, sink)
    assert (stats.frames, stats.covered) == (5, 0)
    assert [frame.pts for frame in sink.frames] == list(range(5))
    found = [frame.alpha for frame in sink.frames]
    assert [(np.ptp(alpha), alpha[0, 0]) for alpha in found] == [(0, round(255 * value)) for value in shown]


def test_a_frame_without_a_matte_has_none_from_its_neighbours_and_gives_none() -> None:
    sink, segmenter = Sink(), Scripted((1, 1, 1, 0, 1, 1), fail_at=(2,))
    stats = run(Synthetic(SIZE, frames=6), Stages(segmenter, (Upsample(),), Transparent(), lookahead=True), sink)
    assert (stats.frames, stats.covered) == (6, 1)
    assert [int(frame.alpha[0, 0]) for frame in sink.frames] == [255, 255, 0, 0, 255, 255]
    assert segmenter.states[3] is None  # the model begins anew after a failure


def test_failures_end_a_stream_with_a_look_ahead_as_well() -> None:
    sink = Sink()
    ahead = Stages(Nobody(fail_at=(1, 2, 3)), (Upsample(),), Color("green"), lookahead=True)
    with pytest.raises(InferenceError):
        run(Synthetic(SIZE, frames=6), ahead, sink, max_failures=3)
    assert len(sink.frames) == 3


def test_one_model_serves_many_streams() -> None:
    segmenter, source = Nobody(), Synthetic(SIZE, frames=3)
    first, second = StreamState(), StreamState()
    for frame in source:
        render(stages(segmenter), frame, first, Stats())
        render(stages(segmenter), frame, second, Stats())
    assert (first.segmenter, second.segmenter) == (3, 3)


def test_behind_hands_over_everything_before_it_closes() -> None:
    sink, source = Sink(), Synthetic(SIZE, frames=20)
    with behind(sink) as out:
        for frame in source:
            out.write(frame)
    assert len(sink.frames) == 20


def test_behind_stops_where_the_caller_fails() -> None:
    sink, frame = Sink(), Synthetic(SIZE).frame(0)

    def fail_after_one() -> None:
        with behind(sink) as out:
            out.write(frame)
            raise KeyError("the caller")

    with pytest.raises(KeyError):
        fail_after_one()
    assert isinstance(sink.error, KeyError)
    assert threads() == []


def test_stage_times_come_from_the_clock() -> None:
    clock = ManualClock()
    stats = Stats(clock)
    for ms in (*[1] * 18, 5, 9):
        with stats.stage("segment"):
            clock.advance_ms(ms)
    stats.frames = 16
    assert stats.as_dict()["stages"]["segment"] == {"p50_ms": 1.0, "p95_ms": 9.0, "p99_ms": 9.0}
    assert stats.fps == pytest.approx(500)


def test_stage_times_do_not_grow_with_the_stream() -> None:
    stats = Stats(ManualClock())
    for _ in range(3 * WINDOW):
        with stats.stage("segment"):
            pass
    assert len(stats._stages["segment"]) == WINDOW
