"""The empty room of a live stream: given, taken while it runs, refused, dropped; and the output as before meanwhile."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from livematte import Color, Frame, OptionError, Size
from livematte._capture import Taken
from livematte._empty_room import COUNTDOWN_NS, FRAMES, PATIENCE_NS, WATCH_NS, moving
from livematte._live import Live
from livematte.refine.room import Room
from livematte.sinks import open_sink
from livematte.sources.synthetic import Synthetic

sys.path.insert(0, str(Path(__file__).parent))

from timed import GREEN, parts, plain, steps, timed

FIGURE = Synthetic(parts.SIZE).frame(0)


class Nobody(parts.Figure):
    """A network that sees nobody, but is not sure of a part of the room: a chair, perhaps."""

    def __init__(self, alpha: float = 0.0, **options: Any) -> None:
        super().__init__("nobody", **options)
        self._alpha[:] = 0
        self._alpha[10:20, 20:30] = alpha


def after(live: Live, out: Any, ns: int) -> list[Frame]:
    """The frames of so much time."""
    before, end = len(out.frames), live._clock() + ns
    while live._clock() < end:
        live.step(out)
    return out.frames[before:]


def taken(live: Live, out: Any) -> dict[str, Any]:
    """What became of a picture, after the countdown and a look."""
    live.take_room()
    after(live, out, COUNTDOWN_NS + WATCH_NS + 200_000_000)
    room: dict[str, Any] = live.status()["room"]
    return room


def room_of(live: Live) -> Room | None:
    return next((one for one in live._parts.stages.refiners if isinstance(one, Room)), None)


def changing(live: Live, change: Callable[[Frame], Any]) -> None:
    """Let each frame of the camera have other planes."""
    take = live._capture.take

    def changed(timeout_s: float) -> Taken | None:
        found = take(timeout_s)
        return found and replace(found, frame=found.frame.with_planes(tuple(change(found.frame))))

    live._capture.take = changed


def noisy(live: Live, spread: int) -> None:
    """Let each frame of the camera have its own noise."""
    random = np.random.default_rng(1)

    def noise(frame: Frame) -> Any:
        for plane in frame.planes:
            wide = plane.astype(int) + random.integers(-spread, spread + 1, plane.shape)
            yield np.clip(wide, 0, 255).astype(np.uint8)

    changing(live, noise)


def swaying(live: Live) -> None:
    """Let the figure go a pixel to the left and to the right, once in two seconds."""

    def sway(frame: Frame) -> Any:
        shift = round(np.sin(np.pi * live._clock() / 1e9))
        return (np.roll(plane, shift, 1) for plane in frame.planes)

    changing(live, sway)


class TestTaking:
    def test_it_counts_down_and_takes_the_mean(self) -> None:
        live, out, _, _ = timed(model=Nobody())
        noisy(live, 12)
        live.take_room()
        assert live.status()["room"] == {"source": None, "taking": 3.0, "refused": None}
        after(live, out, COUNTDOWN_NS // 2)
        assert 1.4 <= live.status()["room"]["taking"] <= 1.6
        assert room_of(live) is None
        after(live, out, COUNTDOWN_NS // 2)
        steps(live, out, FRAMES)
        assert live.status()["room"]["taking"] == 0
        after(live, out, WATCH_NS)
        assert live.status()["room"] == {"source": "taken", "taking": None, "refused": None}
        room = room_of(live)
        assert room is not None
        error = room._picture.planes[0].astype(int) - live._capture._picture.planes[0]
        assert np.abs(error).mean() < 2.5  # of one frame it is 6.2

    def test_what_goes_out_does_not_change_meanwhile(self) -> None:
        """Frame for frame what a stream without it shows."""
        live, out, _, _ = timed()
        other, usual, _, _ = timed()
        swaying(live)
        swaying(other)
        live.take_room()
        shown, expected = (
            after(one, to, COUNTDOWN_NS + WATCH_NS + 200_000_000) for one, to in ((live, out), (other, usual))
        )
        assert len(shown) == len(expected) > 90
        for one, same in zip(shown, expected, strict=True):
            assert all(np.array_equal(a, b) for a, b in zip(one.planes, same.planes, strict=True))

    def test_from_then_on_it_decides_what_the_network_is_unsure_of(self) -> None:
        live, out, _, _ = timed(model=Nobody(0.45))
        before = steps(live, out, 3)[-1]
        assert np.abs(before.planes[0].astype(int) - plain(GREEN)[0]).max() > 10  # some of the room is seen
        assert taken(live, out)["source"] == "taken"
        frame = steps(live, out, 30)[-1]
        assert np.abs(frame.planes[0].astype(int) - plain(GREEN)[0]).max() <= 1

    def test_somebody_in_it_is_refused(self) -> None:
        live, out, _, _ = timed()
        swaying(live)
        found = taken(live, out)
        assert (found["source"], found["taking"]) == (None, None)
        assert "somebody is in the picture: step out" in found["refused"]
        assert room_of(live) is None

    def test_furniture_that_the_network_takes_for_somebody_is_not(self) -> None:
        """It stands still, whatever the camera's noise and the light do."""
        live, out, _, clock = timed()
        noisy(live, 12)
        changing(live, lambda frame: (plane + np.uint8(clock() // 1_000_000_000) for plane in frame.planes))
        assert taken(live, out)["source"] == "taken"

    def test_somebody_who_comes_in_at_the_end_is_refused(self) -> None:
        network = Nobody()
        live, out, _, _ = timed(model=network)
        swaying(live)
        live.take_room()
        after(live, out, COUNTDOWN_NS + WATCH_NS - 100_000_000)
        assert live.status()["room"]["taking"] == 0
        network._alpha[:] = parts.Figure()._alpha
        after(live, out, 300_000_000)
        assert "somebody" in live.status()["room"]["refused"]
        network._alpha[:] = 0
        assert taken(live, out)["source"] == "taken"  # another try has no memory of it

    def test_who_is_hidden_by_a_zone_is_somebody(self) -> None:
        """The matte that goes out knows nothing of them, and the picture of the room would."""
        live, out, _, _ = timed(Color("green", zones=[[(0, 0), (0.1, 0), (0, 0.1)]]))
        frame = steps(live, out, 3)[-1]
        assert np.abs(frame.planes[0][60:].astype(int) - plain(GREEN)[0]).max() <= 1  # nobody stays
        swaying(live)
        assert "somebody" in taken(live, out)["refused"]

    def test_only_frames_that_the_network_saw_are_taken(self) -> None:
        network = Nobody()
        live, out, _, _ = timed(model=network)
        live._parts.governor.begin("every-3rd", 0, "told to")
        live._parts._rebuild()
        live._parts.governor.observe = lambda *figures: False
        steps(live, out, 3)
        live.take_room()
        after(live, out, COUNTDOWN_NS)
        after(live, out, WATCH_NS - 100_000_000)
        assert live._room._take.frames in range(18, 22)  # of 57
        after(live, out, 300_000_000)
        assert live.status()["room"]["source"] == "taken"

    def test_a_camera_that_is_opened_again_begins_anew(self) -> None:
        live, out, _, _ = timed(model=Nobody())
        live.take_room()
        after(live, out, COUNTDOWN_NS + WATCH_NS - 100_000_000)
        live._capture.openings += 1
        after(live, out, WATCH_NS - 100_000_000)
        assert live.status()["room"]["taking"] == 0
        after(live, out, 300_000_000)
        assert live.status()["room"]["source"] == "taken"

    def test_without_a_matte_nothing_is_taken_and_nothing_is_seen(self) -> None:
        network = Nobody()
        live, out, _, _ = timed(model=network)
        network.dead = True
        live.take_room()
        shown = after(live, out, COUNTDOWN_NS + PATIENCE_NS + 100_000_000)
        assert "see that camera and network work" in live.status()["room"]["refused"]
        assert room_of(live) is None
        assert all(np.ptp(plane) == 0 for frame in shown for plane in frame.planes)

    def test_a_paused_stream_refuses(self) -> None:
        live, out, _, _ = timed(model=Nobody())
        live.pause()
        steps(live, out, 1)
        live.take_room()
        steps(live, out, 1)
        assert "the stream was paused" in live.status()["room"]["refused"]

    def test_the_camera_is_opened_for_it(self) -> None:
        live, out, _, _ = timed(model=Nobody())
        live._watch._ask = lambda: 0
        steps(live, out, 3)
        assert not live._capture.wanted
        assert taken(live, out)["source"] == "taken"

    def test_one_that_was_taken_is_kept_by_effect_network_and_pause_and_can_be_dropped(self) -> None:
        live, out, _, _ = timed(model=Nobody(), load=lambda spec: Nobody())
        assert taken(live, out)["source"] == "taken"
        live.set_effect("blur:0.4")
        live.set_model("bodypix")
        live.pause()
        steps(live, out, 2)
        live.resume()
        steps(live, out, 3)
        assert live.status()["room"]["source"] == "taken"
        assert room_of(live) is not None
        live.set_room(None)
        steps(live, out, 2)
        assert live.status()["room"]["source"] is None
        assert room_of(live) is None
        live._parts.close()


class TestGiven:
    @pytest.fixture
    def picture(self, tmp_path: Path) -> Path:
        path = tmp_path / "room.png"
        with open_sink(path) as sink:
            sink.write(FIGURE)
        return path

    def test_a_file_is_the_room_from_the_first_frame_on(self, picture: Path) -> None:
        live, out, _, _ = timed(model=Nobody(0.45), room=picture)
        assert live.status()["room"]["source"] == str(picture)
        frame = steps(live, out, 40)[-1]
        assert np.abs(frame.planes[0].astype(int) - plain(GREEN)[0]).max() <= 2

    def test_a_picture_of_another_shape(self, picture: Path) -> None:
        narrow = np.zeros((240, 240, 3), np.uint8)
        live, out, _, _ = timed(model=Nobody(), room=narrow)
        steps(live, out, 2)
        assert "the picture of the room is 240x240, the camera's are 320x180" in live.status()["error"]
        assert room_of(live) is None
        with pytest.raises(OptionError, match="240x240"):
            live.set_room(narrow)
        live.set_room(picture)
        steps(live, out, 2)
        assert live.status()["error"] is None
        assert room_of(live) is not None

    def test_it_may_have_the_shape_of_a_camera_that_is_cut_to_fit(self) -> None:
        live, out, _, clock = timed(model=Nobody(), room=np.zeros((200, 200, 3), np.uint8))
        live._capture = parts.TimedCamera(clock, live._shape, size=Size(240, 240))
        live._opening = 0
        steps(live, out, 2)
        assert live.status()["error"] is None
        room = room_of(live)
        assert room is not None
        assert room._picture.size == parts.SIZE

    def test_half_pictures_of_odd_sizes(self) -> None:
        """Halving rounds; the room is of the stream's shape all the same."""
        small = Size(33, 19)
        room = Room(Synthetic(small).frame(0))
        half = Frame.from_rgb(np.zeros((10, 17, 3), np.uint8))
        assert room._at(half, Size(8, 8)).shape == (8, 8, 3)


def test_only_what_moves_where_somebody_was_seen_counts() -> None:
    seen = np.zeros((60, 100), np.uint8)
    seen[20:50, 30:60] = 255
    still = np.random.default_rng(2).random((60, 100)).astype(np.float32) * np.float32(0.8)
    for rows, columns, counts in ((slice(25, 35), slice(40, 50), True), (slice(2, 10), slice(80, 95), False)):
        moved = still.copy()
        moved[rows, columns] += np.float32(0.1)
        assert moving(seen, [still, still, moved]) is counts
    assert not moving(seen, [still, still + np.float32(0.1), still])  # a lamp
    assert not moving(seen, [still])
