"""Law 1, live: camera pulled and put back, network killed and loaded again, and never a look at the room."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from livematte import Blur, Color, Image, LoadError, OpenError
from livematte._capture import LAST_RETRY_S
from livematte._clock import ManualClock
from livematte._governor import LADDER
from livematte._live import Live
from livematte._shape import Shape
from livematte.sources.synthetic import Synthetic


def module(name: str, path: str) -> Any:
    spec = importlib.util.spec_from_file_location(name, Path(__file__).parent / path)
    loaded = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(loaded)
    return loaded


parts = module("live_parts", "parts.py")
law = module("fail_closed", "../contract/test_fail_closed.py")

TIMES = 20
RECOVERY_S = 2.0

EFFECTS = {"blur": Blur, "weakest blur": lambda: Blur(0.1), "color": lambda: Color("green"), "image": law.beach}


MIDDLE = (slice(60, 170), slice(158, 162))
"""From head to shoulders, down the middle of the figure."""

FIGURE = Shape(parts.SIZE)(Synthetic(parts.SIZE).frame(0)).planes[0][MIDDLE].astype(int)


def someone(frame: Any) -> bool:
    """Whether the figure is in the picture, sharp."""
    return bool(np.abs(frame.planes[0][MIDDLE] - FIGURE).mean() < 1)


def assert_no_room(frames: list[Any], effect: str) -> None:
    for frame in frames:
        limit = law.BLUR_SHOWS if "blur" in effect else law.PLATE_SHOWS
        if "weakest" not in effect or not someone(frame):  # a weak blur behind somebody is what was asked for
            assert abs(law.contrast_shown(frame.planes[0])) < limit


@pytest.mark.parametrize("effect", EFFECTS)
def test_the_camera_is_pulled_and_put_back(effect: str) -> None:
    """Each time it is found again after two tries that fail, with covered frames all the while."""
    out, openings, waits, covered = parts.Output(), [], [], []

    def plug() -> Any:
        if not out.over:
            openings.append(len(out.frames))
        if out.over or len(openings) % 3:
            raise OpenError("no such device")
        return parts.Room(out, frames=3, fps=240)

    def pause(seconds: float) -> None:
        if out.over:
            return
        waits.append(seconds)
        before = len(out.frames)
        out.wait_for(1)
        covered.append(len(out.frames) - before)
        if len(openings) >= 3 * TIMES:
            parts.end(live)

    options = {"model": parts.Figure(), "effect": EFFECTS[effect](), "size": parts.SIZE, "fps": 240}
    live = Live(plug, out, **options, wait=True, governor=False)
    live._capture._pause = pause
    live.run()
    assert live.status()["openings"] == TIMES
    assert min(covered) >= 1
    assert_no_room(out.frames, effect)
    assert sum(map(someone, out.frames)) >= TIMES  # and the person came back each time
    recoveries = [sum(waits[i : i + 3]) for i in range(0, len(waits), 3)]
    assert max(recoveries) < RECOVERY_S
    assert max(waits) <= LAST_RETRY_S


def timed(load: Any, effect: Any) -> Live:
    """A stream whose time is turned by hand, with its first network at work."""
    clock = ManualClock()
    live = Live(lambda: None, parts.Output(), load=load, effect=effect, clock=clock, size=parts.SIZE)
    live._capture = parts.TimedCamera(clock, live._shape)
    live._parts.start()
    step(live)
    return live


def step(live: Live) -> None:
    """One turn of the loop, with the network loaded that is on its way."""
    if (thread := live._parts._loader._thread) is not None:
        thread.join(30)
    live.step(live._sink)


@pytest.mark.parametrize("effect", EFFECTS)
def test_the_network_is_killed_and_loaded_again(effect: str) -> None:
    """Twenty times; from the last good frame to the next, less than two seconds of the stream pass."""
    made: list[Any] = []

    def load(spec: str) -> Any:
        made.append(parts.Figure(spec))
        return made[-1]

    live = timed(load, EFFECTS[effect]())
    frames = live._sink.frames
    for kill in range(1, TIMES + 1):
        for _ in range(4):
            step(live)
        assert someone(frames[-1])
        made[-1].dead = True
        killed_ns = live._clock()
        step(live)
        assert not someone(frames[-1])
        while not someone(frames[-1]):
            step(live)
        assert live._clock() - killed_ns < RECOVERY_S * 1e9
        assert len(made) == kill + 1
        assert made[-2].closed == 1
        assert live.status()["error"] is None
    assert live.stats.covered >= 3 * TIMES
    assert_no_room(frames, effect)
    live._parts.close()
    assert made[-1].closed == 1


def test_a_dead_network_is_tried_again_at_most_once_a_second() -> None:
    made: list[Any] = []

    def load(spec: str) -> Any:
        made.append(parts.Figure(spec))
        made[-1].dead = len(made) > 1  # the first one works, all others are dead
        return made[-1]

    live = timed(load, Color("green"))
    assert live.stats.covered == 0
    made[0].dead = True
    for _ in range(150):  # five seconds
        step(live)
    assert 5 <= len(made) <= 7
    assert "killed by the test" in live.status()["error"] or "no matte" in live.status()["error"]
    assert live.stats.covered == 150
    assert_no_room(live._sink.frames, "color")


@pytest.mark.parametrize("effect", EFFECTS)
def test_it_starts_covered_until_the_network_is_there(effect: str) -> None:
    out = parts.Output()

    def load(spec: str) -> Any:
        out.wait_for(10)
        return parts.Figure()

    out._written = lambda count: parts.end(live) if sum(map(someone, out.frames[-3:])) == 3 else None
    live = Live(lambda: parts.Room(out), out, model="livematte:fast", load=load, effect=EFFECTS[effect]())
    live.run()
    assert not any(map(someone, out.frames[:10]))
    assert live.stats.covered >= 10
    for frame in out.frames[:10]:
        assert abs(law.contrast_shown(frame.planes[0])) < law.BLUR_SHOWS
    assert_no_room(out.frames, effect)


@pytest.mark.parametrize("rung", ["every-3rd", "half-size"])
def test_who_may_no_longer_stay_goes_with_the_next_frame(rung: str) -> None:
    """Though the network runs on every third frame alone: the matte at hand knows nothing of the new zone."""
    live = timed(parts.Figure, Color("green"))
    governor = live._parts.governor
    governor._move([one.name for one in LADDER].index(rung) - governor._index, 0, "by the test")
    live._parts._rebuild()
    step(live)
    assert np.ptp(live._sink.frames[-1].planes[0]) > 20
    live.set_effect(Color("green", zones=[[(0, 0), (0.05, 0), (0.05, 0.05)]]))
    step(live)
    assert np.ptp(live._sink.frames[-1].planes[0]) <= 2
    live._parts.close()


def test_an_effect_whose_film_is_gone_becomes_a_plain_plate() -> None:
    from livematte import SourceError

    class Gone(Color):
        def plate(self, frame: Any, matte: Any, state: Any) -> Any:
            if frame.pts > 100_000:
                raise SourceError("the film is gone")
            return super().plate(frame, matte, state)

    live = timed(parts.Figure, Gone("green"))
    for _ in range(8):
        step(live)
    status = live.status()
    assert (status["effect"], status["error"], status["covered"]) == ("color:#808080", "the film is gone", 1)
    assert [someone(frame) for frame in live._sink.frames].count(False) == 1
    assert_no_room(live._sink.frames, "color")
    live.set_effect("color:green")
    step(live)
    assert live.status()["error"] is None


def test_a_camera_of_another_size_after_it_came_back() -> None:
    from livematte import Size

    out, sizes = parts.Output(), [Size(640, 360), Size(320, 240), Size(176, 144), parts.SIZE]

    def plug() -> Any:
        if out.over:
            raise OpenError("it is over")
        return parts.Room(out, frames=4, size=sizes[live._capture.openings % len(sizes)])

    def pause(seconds: float) -> None:
        out.wait_for(1)
        if live._capture.openings >= 8:
            parts.end(live)

    live = Live(plug, out, model=parts.Figure(), effect=Color("green"), size=parts.SIZE)
    live._capture._pause = pause
    live.run()
    assert {frame.size for frame in out.frames} == {parts.SIZE}
    for frame in out.frames:  # cut to the output's shape, the marker is elsewhere: no room means one colour there
        assert np.ptp(frame.planes[0][:40, :60]) <= 2


def test_image_effect_shows_its_picture_without_a_camera() -> None:
    picture = np.full((90, 160, 3), (230, 200, 120), np.uint8)
    out = parts.Output(lambda count: parts.end(live) if count == 3 else None)
    live = Live(lambda: None, out, model=parts.Figure(), effect=Image(picture), size=parts.SIZE)
    live.pause()
    live.run()
    for frame in out.frames:
        np.testing.assert_allclose(frame.to_rgb().reshape(-1, 3).mean(0), (230, 200, 120), atol=3)


def do_something(live: Live, made: list[Any], random: Any) -> None:
    """One of the things that happen to a stream."""
    governor = live._parts.governor
    what = random.integers(0, 9)
    if what == 0:
        painter = (
            Blur(),
            Blur(1.0, despill=True),
            Color("blue", who="nearest"),
            Color("green", zones=[HALF]),
            law.beach(),
        )
        live.set_effect(painter[random.integers(0, len(painter))])
    elif what == 1:
        live.set_model(("livematte:fast", "mediapipe")[random.integers(0, 2)])
    elif what == 2:
        live.toggle_pause()
    elif what == 3:
        made[-1].dead = not made[-1].dead
    elif what == 4:
        governor._move(int(random.integers(1, len(LADDER))) - governor._index, live._clock() / 1e6, "by the test")
        live._parts._rebuild()
    elif what == 5:
        live._capture.openings += 1
    elif what == 6:
        live._clock.advance_ms((50, 150, 250, 1000)[random.integers(0, 4)])


HALF = ((0, 0), (0.5, 0), (0.5, 1), (0, 1))


@pytest.mark.parametrize("seed", range(6))
def test_whatever_comes_in_whatever_order(seed: int) -> None:
    """Effects, networks that load, fail and die, pauses, rungs, cameras, time: every frame is looked at."""
    random, made = np.random.default_rng(seed), []

    def load(spec: str) -> Any:
        if made and random.random() < 0.2:
            raise LoadError("its file is broken")
        made.append(parts.Figure(spec))
        return made[-1]

    live = timed(load, Blur())
    for _ in range(100):
        do_something(live, made, random)
        before = len(live._sink.frames)
        step(live)
        assert_no_room(live._sink.frames[before:], "blur" if isinstance(live._effect, Blur) else "color")
    live._parts.close()
    assert [figure.closed for figure in made] == [1] * len(made)
