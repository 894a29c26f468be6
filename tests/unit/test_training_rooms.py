"""Procedural rooms: the caster's geometry, light and shadow, surfaces, and rooms as backgrounds."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from livematte import _registry
from livematte._errors import OptionError
from livematte._frame import Size
from livematte.training import raycast, rooms, surfaces
from livematte.training.datasets import PLUGINS
from livematte.training.raycast import Ball, Box, Camera, Lamp, Place, Room, Surface

GREY, RED = (
    Surface(surfaces.plain(np.full(3, 0.5, np.float32))),
    Surface(surfaces.plain(np.array([1, 0, 0], np.float32)), 1.0),
)
AHEAD = Camera((2.0, 1.0, 0.0), 0.0, 0.0, 0.0, 1.0)
SIZE = Size(80, 60)


def scene(things: list[raycast.Thing], lamps: list[Lamp] | None = None, ambient: float = 1.0) -> Room:
    """4 m wide, 2 m high, 3 m deep, grey."""
    return Room((4.0, 2.0, 3.0), [GREY] * 6, things, lamps or [], (ambient,) * 3)


def red(picture: np.ndarray) -> np.ndarray:
    return picture[..., 0] > picture[..., 1] + 0.5


@pytest.mark.parametrize("turn", [0.0, math.pi / 2])
def test_a_box_is_seen_where_it_stands(turn: float) -> None:
    """Its front, 1 m wide and high, 2 m away, is a quarter of a picture that is 4 m wide there."""
    place = Place((1.5, 0.5, 2.0), 0.0) if turn == 0 else Place((1.5, 0.5, 2.1), turn)
    high = (1.0, 1.0, 0.1) if turn == 0 else (0.1, 1.0, 1.0)
    shown = red(raycast.render(scene([Box((0, 0, 0), high, RED, place)]), AHEAD, SIZE))
    rows, columns = np.flatnonzero(shown.any(1)), np.flatnonzero(shown.any(0))
    assert (columns[0], columns[-1]) == (30, 49)
    assert (rows[0], rows[-1]) == (20, 39)
    assert shown.sum() == 400


def test_a_ball_is_round_and_what_is_nearer_hides_it() -> None:
    ball = Ball((1.5, 0.5, 1.5), (2.5, 1.5, 2.5), RED)
    shown = red(raycast.render(scene([ball]), AHEAD, SIZE))
    seen_px = 20 / math.sqrt(2**2 - 0.5**2) * 0.5 * 2  # half an angle's tangent, 20 pixels a metre at 2 m
    assert shown.sum() == pytest.approx(math.pi * seen_px**2, rel=0.03)
    for order in (1, -1):
        things = [ball, Box((1.0, 0.0, 1.0), (3.0, 2.0, 1.1), GREY)][::order]
        assert not red(raycast.render(scene(things), AHEAD, SIZE)).any()


def test_things_behind_the_camera_are_not_seen() -> None:
    camera = Camera((2.0, 1.0, 2.0), 0.0, 0.0, 0.0, 1.0)
    assert not red(raycast.render(scene([Box((1.5, 0.5, 0.5), (2.5, 1.5, 1.0), RED)]), camera, SIZE)).any()


def test_light_falls_with_the_square_of_the_distance_and_things_throw_shadows() -> None:
    lamp = Lamp((2.0, 1.9, 1.5), (1.0, 1.0, 1.0))
    down = Camera((2.0, 1.8, 1.5), 0.0, -math.pi / 2, 0.0, 0.5)
    lit = raycast.render(scene([], [lamp], ambient=0.0), down, SIZE)[..., 0]
    assert lit[30, 40] == pytest.approx(0.5 / 1.9**2, rel=0.02)
    table = Box((1.9, 0.5, 1.4), (2.1, 0.55, 1.6), GREY)
    low = Camera((1.6, 0.3, 1.1), math.pi / 4, -0.5, 0.0, 1.0)
    without, with_it = (raycast.render(scene(things, [lamp], 0.0), low, SIZE)[..., 0] for things in ([], [table]))
    assert (with_it < 0.5 * without).mean() < 0.5
    wide = Box((1.0, 0.5, 0.5), (3.0, 0.55, 2.5), GREY)
    shade = raycast.render(scene([wide], [lamp], 0.0), low, SIZE)[..., 0]
    assert shade[50:, 30:50].mean() < 0.3 * without[50:, 30:50].mean()


def test_places_turn_there_and_back() -> None:
    place = Place((1.0, 2.0, 3.0), 0.7)
    points = np.random.default_rng(1).random((50, 3), dtype=np.float32)
    assert np.allclose(place.inward(place.outward(points)), points, atol=1e-5)
    assert np.allclose(Place(turn=math.pi / 2).outward(np.array([[0, 0, 1]], np.float32)), [[1, 0, 0]], atol=1e-6)


def test_blur_spreads_and_keeps_the_sum() -> None:
    dot = np.zeros((61, 61, 1), np.float32)
    dot[30, 30] = 1
    spread = raycast.blurred(dot, 4.0)[..., 0]
    at = np.arange(61) - 30
    assert spread.sum() == pytest.approx(1.0, abs=1e-4)
    assert math.sqrt((spread.sum(0) * at * at).sum()) == pytest.approx(4.0, rel=0.15)
    assert raycast.blurred(dot, 0.2) is dot


PAINTS: dict[str, Callable[[np.random.Generator, np.ndarray], raycast.Paint]] = {
    "plain": lambda random, colour: surfaces.plain(colour),
    "mottled": lambda random, colour: surfaces.mottled(random, colour, 0.3, 4),
    "wood": lambda random, colour: surfaces.wood(random, colour, 0.12),
    "bricks": lambda random, colour: surfaces.bricks(random, colour, 0.24, 0.07),
    "pattern": lambda random, colour: surfaces.pattern(random, colour, colour / 2, 0.2),
    "folds": surfaces.folds,
    "panels": lambda random, colour: surfaces.panels(random, colour, 1.0, 2.0, 3, 2),
    "books": lambda random, colour: surfaces.books(random, colour, 1.0, 2.0),
    "art": lambda random, colour: surfaces.art(random, 1.0, 2.0),
    "outside": lambda random, colour: surfaces.outside(random, 1.0, 2.0),
    "window": lambda random, colour: surfaces.window(random, surfaces.outside(random, 1.0, 2.0), 1.0, 2.0),
}


@pytest.mark.parametrize("name", PAINTS)
@pytest.mark.parametrize("seed", range(4))
def test_surfaces_paint_light_that_can_be(name: str, seed: int) -> None:
    u, v = (np.random.default_rng(9).uniform(-0.05, limit, 500).astype(np.float32) for limit in (1.05, 2.05))
    colour = np.array([0.5, 0.3, 0.2], np.float32)
    first, again = (PAINTS[name](np.random.default_rng(seed), colour)(u, v) for _ in range(2))
    assert np.array_equal(first, again)
    assert (first.shape, first.dtype) == ((500, 3), np.dtype(np.float32))
    assert np.isfinite(first).all()
    assert first.min() >= 0
    assert first.max() <= 1.5
    assert PAINTS[name](np.random.default_rng(seed), colour)(u[:0], v[:0]).shape == (0, 3)


def test_rooms_are_the_same_for_a_number_and_others_for_others() -> None:
    assert np.array_equal(rooms.room(3), rooms.room(3))
    shown = [rooms.room(seed) for seed in range(12)]
    assert all(picture.dtype == np.uint8 and picture.ndim == 3 for picture in shown)
    assert {(p.shape[1], p.shape[0]) for p in shown} <= set(rooms.SIZES)
    levels = np.array([picture.mean() for picture in shown])
    assert levels.min() > 25
    assert levels.max() < 230
    assert levels.std() > 10
    assert len({picture.tobytes() for picture in shown}) == 12


def create(argument: str) -> list[Any]:
    found: list[Any] = _registry.load(PLUGINS, "procedural").create(argument, empty=True)
    return found


def test_procedural_backgrounds(tmp_path: Path) -> None:
    first, more = create("2"), create("5")
    assert (len(first), len(more)) == (2, 5)
    assert first == more[:2]
    pixels = first[1].read()
    assert np.array_equal(pixels[:3], rooms.room(1).transpose(2, 0, 1))
    assert pixels[3].max() == 0
    assert pixels[4].min() == 255
    for wrong in ("0", "-1", "x", "", "1.5", "99999999"):
        with pytest.raises(OptionError, match="number of rooms"):
            create(wrong)


def test_procedural_rooms_are_kept_as_other_pictures_are(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    torch = pytest.importorskip("torch")
    torch.set_num_threads(1)
    from livematte.training import data
    from livematte.training.recipe import Views

    monkeypatch.chdir(tmp_path)
    (tmp_path / "procedural").mkdir()  # a folder called so changes nothing
    folder = data.parse_folder("procedural:2:0.5", empty=True)
    assert folder == data.Folder(Path("2"), 0.5, True, "procedural")
    views = data.views(folder, Size(32, 16), Views(per_picture=2), 1, tmp_path)
    assert views.shape == (2, 2, 5, 16, 32)
    data.views(data.parse_folder("procedural:3", empty=True), Size(32, 16), Views(per_picture=2), 1, tmp_path)
    assert len(list(tmp_path.glob("*.npy"))) == 2
