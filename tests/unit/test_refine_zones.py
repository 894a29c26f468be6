"""Zones: what is inside stays, and nothing else does."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from livematte import Blur, Color, Frame, Matte, OptionError, Session, Size
from livematte.cli._options import zones_of
from livematte.effects._zones import MOST_POINTS, MOST_ZONES, check_zones, parse
from livematte.refine.guided import Guided
from livematte.refine.zones import INSET_PX, SOFT_PX, Inside, inside

LEFT = ((0.0, 0.0), (0.5, 0.0), (0.5, 1.0), (0.0, 1.0))
TRIANGLE = ((0.2, 0.9), (0.5, 0.1), (0.8, 0.9))
NETWORK = Size(256, 144)


def test_a_half_has_a_soft_edge_inside_and_none_along_the_border() -> None:
    mask = inside((LEFT,), Size(64, 36))
    assert (mask == mask[0]).all()
    edge = 32 - INSET_PX
    assert (mask[0, : edge - SOFT_PX] == 1).all()
    assert not mask[0, edge:].any()
    assert mask[0, edge - SOFT_PX : edge] == pytest.approx([(SOFT_PX - 0.5 - k) / SOFT_PX for k in range(SOFT_PX)])


def test_any_polygon_against_a_fine_raster() -> None:
    """Even-odd, at 8 times the size, by another method: half planes of the triangle."""
    y, x = (np.mgrid[:288, :512] + 0.5) / np.array([[[288]], [[512]]])
    (ax, ay), (bx, by), (cx, cy) = TRIANGLE
    sides = [
        (qx - px) * (y - py) - (qy - py) * (x - px) > 0
        for (px, py), (qx, qy) in (((ax, ay), (bx, by)), ((bx, by), (cx, cy)), ((cx, cy), (ax, ay)))
    ]
    fine = np.logical_and.reduce(sides).reshape(36, 8, 64, 8).mean((1, 3))
    mask = inside((TRIANGLE,), Size(64, 36))
    assert not mask[fine == 0].any()
    far = inside((TRIANGLE,), Size(2048, 1152)).reshape(36, 32, 64, 32).mean((1, 3))
    assert (far[fine == 1] > 0).all()
    assert np.abs(far - fine).mean() < 0.02
    assert inside((TRIANGLE[::-1],), Size(64, 36)) == pytest.approx(mask, abs=1e-5), "whichever way round it is drawn"


def test_zones_add_up() -> None:
    both = inside((LEFT, TRIANGLE), Size(64, 36))
    assert (both == np.maximum(inside((LEFT,), Size(64, 36)), inside((TRIANGLE,), Size(64, 36)))).all()


@pytest.mark.parametrize("softness", [0.0, 0.3, 1.0])
def test_nothing_outside_reaches_the_full_size(softness: float) -> None:
    """Somebody who fills the picture, textured so that the guided filter finds edges everywhere."""
    rng = np.random.default_rng(4)
    frame = Frame.from_rgb(rng.integers(0, 256, (720, 1280, 3), np.uint8))
    matte, _ = Inside((LEFT,)).refine(frame, Matte(np.ones((144, 256), np.float32), frame.pts), None)
    alpha = Guided(softness).refine(frame, matte, None)[0].alpha
    edge, px = 640, 1280 // 256
    assert alpha[:, : edge - 19 * px].min() == 255
    assert alpha[:, edge + 1 :].max() <= 2
    assert not alpha[:, edge + px :].any()


def test_a_session_shows_nothing_outside_and_somebody_inside(astronaut: np.ndarray) -> None:
    whole = Session(effect=Color("green"), temporal=False)
    part = Session(whole.stages.segmenter, Color("green", zones=[[(0, 0), (1, 0), (1, 0.3), (0, 0.3)]]), temporal=False)
    shown = part.process(astronaut)
    assert (shown[160:] == (0, 177, 64)).all()
    assert (shown[70:130, 200:255] == whole.process(astronaut)[70:130, 200:255]).mean() > 0.99


def test_who_stands_outside_is_no_part_of_who_stays() -> None:
    """The largest is outside: of those inside the largest stays."""
    from livematte._session import build_refiners

    alpha = np.zeros((144, 256), np.float32)
    alpha[10:140, 130:250], alpha[60:100, 20:60] = 1, 1
    frame = Frame.from_rgb(np.full((144, 256, 3), 90, np.uint8))
    matte = Matte(alpha, frame.pts)
    for refiner in build_refiners(Blur(who="nearest", zones=[LEFT]), temporal=False, refine=False):
        matte, _ = refiner.refine(frame, matte, None)
    assert matte.alpha[62:98, 22:58].min() == 255
    assert not matte.alpha[:, 128:].any()


@pytest.mark.parametrize(
    ("zones", "says"),
    [
        ([[(0, 0), (1, 1)]], "zone 1 must have 3 to 64 points, got 2"),
        ([LEFT, [(0, 0)] * (MOST_POINTS + 1)], "zone 2 must have 3 to 64 points, got 65"),
        ([[(0, 0), (1, 0), (1, 1.5)]], "x and y from 0 to 1, got the point 1,1.5"),
        ([[(0, 0), (1, 0), (float("nan"), 1)]], "got the point nan,1"),
        ([[(0, 0), (1, 0), (1, "low")]], "points (x, y) of two numbers"),
        ([[(0, 0), (1, 0), (1, 1, 1)]], "points (x, y) of two numbers"),
        ([7], "points (x, y) of two numbers, got 7"),
        (7, "zones must be polygons"),
        ("0,0 1,0 1,1", "zones must be polygons"),
        ([LEFT] * (MOST_ZONES + 1), "at most 16 zones, got 17"),
    ],
)
def test_what_is_no_zone_is_refused_in_one_sentence(zones: Any, says: str) -> None:
    with pytest.raises(OptionError) as refused:
        Blur(zones=zones)
    assert says in str(refused.value)
    assert "\n" not in str(refused.value)


def test_zones_from_the_command_line() -> None:
    assert parse("0,0 0.5,0  .5,1 0,1") == LEFT
    assert zones_of(["0,0 0.5,0 0.5,1 0,1"] * 2) == [LEFT, LEFT]
    assert zones_of(None) == []
    assert Color(zones=[parse("0,0 1,0 1,1")]).zones == check_zones([[[0, 0], [1, 0], [1, 1]]])


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", 'a zone is "x,y x,y x,y"'),
        ("0,0 1,0 1", 'a zone is "x,y x,y x,y"'),
        ("0,0 1,0 a,b", 'a zone is "x,y x,y x,y"'),
        ("0,0 1,0", "must have 3 to 64 points, got 2"),
        ("0,0 1,0 1,2", "got the point 1,2"),
        ("0,0 1,0 1,inf", "got the point 1,inf"),
    ],
)
def test_what_is_no_zone_on_the_command_line(text: str, says: str) -> None:
    with pytest.raises(OptionError) as refused:
        parse(text)
    assert says in str(refused.value)
