"""Session: the NumPy user's door. The packaged network on the astronaut portrait."""

from __future__ import annotations

import numpy as np
import pytest

from livematte import (
    Blur,
    Color,
    Frame,
    FrameError,
    Off,
    OptionError,
    PixelFormat,
    Session,
    Size,
    Transparent,
    UnknownName,
)

FACE = (slice(70, 130), slice(200, 255))
"""The face in the portrait, 512x512."""

WALL = (slice(5, 40), slice(300, 360))
"""The white wall above, right of the head."""


@pytest.fixture(scope="module")
def model() -> object:
    return Session("livematte").stages.segmenter


def test_matte(model: object, astronaut: np.ndarray) -> None:
    alpha = Session(model, temporal=False).matte(astronaut)
    assert (alpha.shape, alpha.dtype) == ((512, 512), np.float32)
    assert alpha.min() >= 0
    assert alpha.max() <= 1
    assert alpha[FACE].mean() > 0.98
    assert alpha[WALL].mean() < 0.02


def test_process_keeps_the_face_and_changes_the_wall(model: object, astronaut: np.ndarray) -> None:
    before = astronaut.copy()
    shown = Session(model, Color("green"), temporal=False).process(astronaut)
    assert (shown.shape, shown.dtype) == (astronaut.shape, np.uint8)
    assert np.abs(shown[FACE].astype(int) - astronaut[FACE]).mean() < 1
    assert np.abs(shown[WALL].astype(int) - (0, 177, 64)).mean() < 3
    assert (astronaut == before).all()


def test_transparent_has_straight_alpha(model: object, astronaut: np.ndarray) -> None:
    shown = Session(model, Transparent(), temporal=False).process(astronaut)
    assert shown.shape == (512, 512, 4)
    assert shown[FACE][..., 3].mean() > 250
    assert shown[WALL][..., 3].mean() < 5
    assert not shown[shown[..., 3] == 0][:, :3].any()


def test_off_is_the_picture_itself(model: object, astronaut: np.ndarray) -> None:
    assert (Session(model, Off(), temporal=False).process(astronaut) == astronaut).all()


@pytest.mark.parametrize("size", [(1, 1), (1, 7), (9, 1), (33, 47), (101, 64)])
@pytest.mark.parametrize("effect", [Blur(), Color("green", light_wrap=0.5), Transparent()])
def test_any_size(model: object, astronaut: np.ndarray, size: tuple[int, int], effect: object) -> None:
    picture = np.ascontiguousarray(astronaut[: size[0], : size[1]])
    shown = Session(model, effect).process(picture)
    assert shown.shape[:2] == size


def test_planar_and_rgb_agree(model: object, astronaut: np.ndarray) -> None:
    by_rgb = Session(model, Color("green", despill=False)).process(astronaut)
    frame = Frame.from_rgb(astronaut, PixelFormat.I444)
    by_planes = Session(model, Color("green", despill=False)).process_frame(frame).to_rgb()
    assert np.abs(by_rgb.astype(int) - by_planes).mean() < 1.5


def test_pictures_follow_one_another_unless_told_otherwise(model: object, astronaut: np.ndarray) -> None:
    other = np.ascontiguousarray(astronaut[:, ::-1])
    alone = Session(model, temporal=False)
    first = alone.matte(astronaut)
    alone.matte(other)
    assert (alone.matte(astronaut) == first).all()
    film = Session(model)
    assert (film.matte(astronaut) == first).all()
    film.matte(other)
    assert (film.matte(astronaut) != first).any()
    film.reset()
    assert (film.matte(astronaut) == first).all()


def test_another_size_starts_a_new_stream(model: object, astronaut: np.ndarray) -> None:
    film = Session(model)
    first = film.matte(astronaut)
    film.matte(np.ascontiguousarray(astronaut[:400, ::-1]))
    assert (film.matte(astronaut) == first).all()


def test_refinement_follows_edges_that_the_network_does_not_see(model: object, astronaut: np.ndarray) -> None:
    fine = Session(model, temporal=False).matte(astronaut)
    coarse = Session(model, temporal=False, refine=False).matte(astronaut)

    def unsure(alpha: np.ndarray) -> float:
        head = alpha[:160, 130:330]
        return float(((head > 0.1) & (head < 0.9)).mean())

    assert unsure(fine) < 0.7 * unsure(coarse)


@pytest.mark.parametrize(
    ("picture", "says"),
    [
        (np.zeros((4, 4, 4), np.uint8), r"\(h, w, 3\), got \(4, 4, 4\)"),
        (np.zeros((4, 4), np.uint8), r"got \(4, 4\)"),
        (np.zeros((4, 4, 3), np.float32), "must be uint8"),
        (np.zeros((0, 4, 3), np.uint8), "got 4x0"),
        ("portrait.png", "got str"),
    ],
)
def test_what_is_no_picture_is_refused(model: object, picture: object, says: str) -> None:
    with pytest.raises(FrameError, match=says):
        Session(model).process(picture)  # type: ignore[arg-type]


def test_names_and_options_are_checked() -> None:
    with pytest.raises(UnknownName, match="did you mean livematte"):
        Session("livemate")
    with pytest.raises(UnknownName, match="there are: "):
        Session(effect="smear")
    with pytest.raises(UnknownName, match="onnxruntime"):
        Session(engine="onxruntime")
    with pytest.raises(OptionError, match="threads must be from 1 to 256, got 0"):
        Session(threads=0)


def test_effects_by_spelling() -> None:
    assert Session(effect="blur:0.3").stages.effect == Blur(0.3)
    assert Session(effect="color:#102030").stages.effect == Color((16, 32, 48))


def test_a_session_closes_its_own_model_and_no_other(model: object, astronaut: np.ndarray) -> None:
    with Session(model) as shared_one:
        shared_one.matte(astronaut)
    Session(model).matte(astronaut)
    own = Session("livematte")
    own.close()
    own.close()


def test_any_frame_size_through_the_planar_door(model: object) -> None:
    for width, height in ((2, 2), (63, 35), (640, 360)):
        rgb = np.full((height, width, 3), 128, np.uint8)
        shown = Session(model, Blur()).process_frame(Frame.from_rgb(rgb, PixelFormat.I420, pts=7))
        assert (shown.size, shown.pts) == (Size(width, height), 7)
