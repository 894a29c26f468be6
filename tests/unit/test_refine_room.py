"""The empty room: what it decides, what it leaves alone, and when it is not to be trusted."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from livematte import Color, Frame, FrameError, Matte, OpenError, OptionError, Session, Size, kernels
from livematte.refine.room import TRUSTED_S, Room

F32 = npt.NDArray[np.float32]
U8 = npt.NDArray[np.uint8]

SMALL = Size(64, 36)
BODY = (slice(10, 36), slice(20, 44))


def wall(seed: int = 3) -> U8:
    """RGB (360, 640, 3): a room of patches, without people."""
    patches = np.random.default_rng(seed).integers(30, 200, (9, 16, 3), np.uint8)
    return np.ascontiguousarray(patches.repeat(40, 0).repeat(40, 1))


def somebody(room: U8, gain: float = 1.0, offset: float = 0.0) -> U8:
    """The room in another light, and somebody in a pink shirt where the matte below says so."""
    rgb = np.clip(room * gain + offset, 0, 255)
    rgb[100:360, 200:440] = (250, 90, 220)
    return np.rint(rgb).astype(np.uint8)


def unsure(person: float = 0.5, room: float = 0.3) -> F32:
    """What a network says that sees the person, a part of them badly, and takes a chair for one."""
    alpha = np.full((36, 64), 0.01, np.float32)
    alpha[BODY] = 1
    alpha[20:30, 24:40] = person
    alpha[4:30, 50:60] = room
    return alpha


def refine(frame: U8, alpha: F32, room: U8, state: object = None, pts: int = 0) -> tuple[F32, object]:
    matte, state = Room(room).refine(Frame.from_rgb(frame, pts=pts), Matte(alpha, pts), state)
    return matte.alpha, state


@pytest.mark.parametrize(("gain", "offset"), [(1.0, 0.0), (0.7, 0.0), (1.2, 5.0), (0.9, 20.0)])
def test_the_difference_decides_what_the_network_is_unsure_of(gain: float, offset: float) -> None:
    alpha, state = refine(somebody(wall(), gain, offset), unsure(), wall())
    assert alpha[20:30, 24:40].min() > 0.95
    assert alpha[4:30, 51:59].max() < 0.05
    assert state == (0, 1.0)


def test_what_is_sure_stays() -> None:
    """A shirt like the wall is no hole in a person, and something new in the room is nobody."""
    frame = somebody(wall())
    frame[200:300, 240:400] = wall()[200:300, 240:400]
    frame[40:100, 500:600] = 255
    before = unsure(person=1.0, room=0.01)
    alpha, (_, trust) = refine(frame, before, wall())
    assert trust > 0.9
    assert (alpha[BODY] == 1).all()
    assert not (alpha > before)[before <= 0.05].any()


def test_nobody_is_added_where_the_network_says_room_and_none_taken_where_it_is_sure() -> None:
    rng = np.random.default_rng(8)
    for _ in range(30):
        rgb, room = (rng.random((9, 16, 3), np.float32) for _ in range(2))
        alpha = rng.choice(np.array([0, 0.02, 0.05, 0.3, 0.9, 0.99, 1], np.float32), (9, 16))
        near = np.float32(rng.choice([0, 0.02, 0.2, 1.0]))
        out, trust = kernels.room(room + near * (rgb - room), room, alpha, None, 1.0)
        assert (out[alpha <= 0.05] <= alpha[alpha <= 0.05]).all()
        assert (out[alpha >= 0.99] >= alpha[alpha >= 0.99]).all()
        assert 0 <= trust <= 1
        assert ((out >= 0) & (out <= 1)).all()


def test_a_camera_that_moved_leaves_the_networks_own_matte() -> None:
    before = unsure()
    alpha, state = refine(np.roll(somebody(wall()), 20, 1), before, wall())
    assert state == (0, 0.0)
    assert (alpha == before).all()


def test_a_camera_that_trembles_does_not() -> None:
    alpha, (_, trust) = refine(np.roll(somebody(wall()), 3, 1), unsure(), wall())
    assert trust > 0.8
    assert alpha[22:28, 26:38].min() > 0.9


def test_trust_goes_at_once_and_comes_back_in_time() -> None:
    still, moved = somebody(wall()), np.roll(somebody(wall()), 20, 1)
    room, base = Room(wall()), Fraction(1, 1000)
    state, trusts = None, []
    for index, rgb in enumerate([still] * 2 + [moved] * 2 + [still] * 20):
        frame = Frame.from_rgb(rgb, pts=50 * index, time_base=base)
        _, state = room.refine(frame, Matte(unsure(), frame.pts), state)
        trusts.append(state[1])
    assert trusts[:4] == [1, 1, 0, 0]
    assert np.diff(trusts[3:14]) == pytest.approx([0.05 / TRUSTED_S] * 10, abs=1e-6)
    assert trusts[-1] == 1


def test_who_was_distrusted_needs_more_to_be_trusted_again() -> None:
    """A part of the room that is another one now, between the two limits."""
    frame = somebody(wall())
    frame[:, 560:] = wall(9)[:, 560:]
    frame = replace(Frame.from_rgb(frame), pts=0)
    alpha = unsure(room=0.01)
    assert 0 < Room(wall()).refine(frame, Matte(alpha, 0), None)[1][1] < 1
    assert 0 < Room(wall()).refine(frame, Matte(alpha, 0), (Fraction(0), 0.9))[1][1] < 1
    assert Room(wall()).refine(frame, Matte(alpha, 0), (Fraction(0), 0.0))[1][1] == 0


def test_a_picture_without_room_says_nothing() -> None:
    alpha = np.full((36, 64), 0.5, np.float32)
    out, state = refine(somebody(wall()), alpha, wall())
    assert (out == alpha).all()
    assert state == (0, 0.0)


def test_any_size_of_the_same_shape_and_a_file(tmp_path: Path) -> None:
    from livematte.sinks import open_sink

    half = wall()[::2, ::2].copy()
    with open_sink(str(tmp_path / "room.png")) as sink:
        sink.write(Frame.from_rgb(half))
    frame = Frame.from_rgb(somebody(wall()))
    one, _ = Room(half).refine(frame, Matte(unsure(), 0), None)
    other, _ = Room(tmp_path / "room.png").refine(frame, Matte(unsure(), 0), None)
    assert (one.alpha == other.alpha).all()
    assert one.alpha[22:28, 26:38].min() > 0.9


def test_a_session_with_a_room_finds_more_than_one_without(astronaut: U8) -> None:
    """The portrait's lower half, darkened until the network loses it, before a known wall."""
    room = np.full((512, 512, 3), 120, np.uint8)
    with Session(effect=Color("green"), temporal=False) as plain:
        person = plain.matte(astronaut)[..., None]
        frame = np.rint(person * (0.6 * astronaut) + (1 - person) * room).astype(np.uint8)
        known = Session(plain.stages.segmenter, Color("green"), temporal=False, room=room)
        truth = person[..., 0] > 0.5
        errors = [float(np.abs(session.matte(frame) - truth).mean()) for session in (plain, known)]
    assert errors[1] <= errors[0]


@pytest.mark.parametrize(
    ("picture", "error", "says"),
    [
        ("nowhere.png", OpenError, "cannot read the image nowhere.png"),
        (__file__, OpenError, "is not an image"),
        (np.zeros((4, 4), np.uint8), FrameError, "(h, w, 3)"),
    ],
)
def test_what_is_no_picture_is_refused_before_anything_is_loaded(
    picture: object, error: type[Exception], says: str
) -> None:
    with pytest.raises(error) as refused:
        Session(model="no such model", room=picture)  # type: ignore[arg-type]
    assert says in str(refused.value)


def test_a_room_of_another_shape_is_refused_with_both_sizes() -> None:
    with pytest.raises(OptionError, match=r"the picture of the room is 640x360, frames are 480x480: take it with"):
        refine(np.zeros((480, 480, 3), np.uint8), unsure(), wall())
