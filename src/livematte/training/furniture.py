"""Furniture: each piece stands with its back to a wall, from its left end on, and is made from chance.

In a piece's own coordinates x runs along the wall, y up, and z into the wall: what stands before it has
a negative z.
"""

from __future__ import annotations

import numpy as np

from livematte.training import surfaces
from livematte.training.raycast import Ball, Box, Place, Point, Surface, Thing
from livematte.training.surfaces import BRIGHT, CLOTHS, WALLS, WOODS, Random, linear, mottled, pick, plain

WARM = (1.0, 0.72, 0.45)
"""Light of bulbs, linear."""

DAY = 0.75
"""Part of the rooms where it is light outside."""

WIDTHS = {
    "bookcase": (0.6, 2.4), "window": (0.7, 2.0), "door": (0.8, 0.95), "sofa": (1.3, 2.2), "desk": (1.0, 1.6),
    "cabinet": (0.6, 1.8), "lamp": (0.4, 0.6), "plant": (0.4, 0.8), "curtain": (0.5, 1.6), "coats": (0.5, 0.9),
    "bare": (0.6, 1.8),
}  # fmt: skip
"""Least and greatest width of each piece, metres."""


def spot(place: Place, point: Point) -> Point:
    """A point of a place in the room."""
    x, y, z = place.outward(np.asarray([point], np.float32))[0]
    return float(x), float(y), float(z)


def piece(name: str, wide: float, height: float, place: Place, day: float, random: Random) -> list[Thing]:
    """A piece by its name, with what hangs over it.

    Args:
        name: a key of `WIDTHS`.
        wide: its width.
        height: of the room.
        place: where it stands.
        day: below `DAY` it is light outside.
        random: details.
    """
    if name == "bookcase":
        return _bookcase(wide, min(height - 0.1, random.uniform(0.8, 2.3)), place, random)
    if name == "window":
        return _window(wide, height, place, day, random)
    if name == "door":
        body = pick(random, (*WOODS, (238, 236, 230)))
        front = Surface(
            surfaces.panels(random, body, wide, 2.0, int(random.integers(1, 4)), int(random.integers(1, 3)))
        )
        return [Box((0, 0, -0.04), (wide, 2.0, 0), Surface(plain(body)), place, front)]
    if name == "sofa":
        return [*_sofa(wide, place, random), *_hung(wide, 1.05, height, place, random)]
    if name == "desk":
        return [*_desk(wide, place, random), *_hung(wide, 1.3, height, place, random)]
    if name == "cabinet":
        return [*_cabinet(wide, place, random), *_hung(wide, 1.35, height, place, random)]
    if name == "lamp":
        return _floor_lamp(wide, place, random)
    if name == "plant":
        return plant(Place(spot(place, (0.0, 0.0, -wide)), place.turn), random)
    if name == "curtain":
        cloth = Surface(surfaces.folds(random, pick(random, CLOTHS)))
        return [Box((0, 0.02, -0.1), (wide, height - 0.08, -0.04), cloth, place)]
    if name == "coats":
        return _coats(wide, place, random)
    return _hung(wide, random.uniform(0.9, 1.2), height, place, random)


def _bookcase(wide: float, high: float, place: Place, random: Random) -> list[Thing]:
    body, deep = pick(random, WOODS), random.uniform(0.22, 0.36)
    front = Surface(surfaces.books(random, body, wide, high))
    case = Box((0, 0, -deep), (wide, high, 0), Surface(plain(body)), place, front)
    return [case, *_odds(wide, high, deep, place, random), *_hung(wide, high + 0.15, 2.5, place, random)]


def _odds(wide: float, high: float, deep: float, place: Place, random: Random, most: int = 5) -> list[Thing]:
    """Small things on top of something: boxes, books, bowls, vases, plants."""
    things: list[Thing] = []
    x = random.uniform(0.02, 0.3)
    for _ in range(int(random.integers(0, most))):
        w, h = random.uniform(0.05, 0.28), random.uniform(0.06, 0.4)
        if x + w > wide:
            break
        d = min(w, deep * 0.8)
        low, end = (x, high, -deep * 0.5 - d / 2), (x + w, high + h, -deep * 0.5 + d / 2)
        colour = pick(random, (*BRIGHT, *CLOTHS))
        kind = random.random()
        if kind < 0.4:
            things.append(Ball(low, end, Surface(mottled(random, colour, 0.3, 8)), place))
        elif kind < 0.8:
            things.append(Box(low, end, Surface(plain(colour)), place))
        else:
            things += _leaves(low, end, place, random, 9)
        x += w + random.uniform(0.02, 0.5)
    return things


def _window(wide: float, height: float, place: Place, day: float, random: Random) -> list[Thing]:
    low = random.uniform(0.5, 1.0) if random.random() < 0.75 else 0.1
    high = min(height - 0.15, low + random.uniform(1.0, 1.5)) if low > 0.2 else height - 0.3
    view = surfaces.outside(random, wide, high - low)
    bright = random.uniform(1.0, 2.2) if day < DAY else 0.15
    pane = Surface(surfaces.window(random, view, wide, high - low), bright)
    rim = Surface(plain(linear((236, 234, 228))))
    things: list[Thing] = [
        Box((0, low, -0.03), (wide, high, 0), rim, place, pane),
        Box((-0.05, low - 0.04, -0.16), (wide + 0.05, low, 0), rim, place),
    ]
    if random.random() < 0.5:
        cloth = Surface(surfaces.folds(random, pick(random, (*CLOTHS, *WALLS[:4]))))
        drop, w = random.choice([0.03, low - 0.15]), random.uniform(0.15, 0.4) * wide
        things.append(Box((-0.15, drop, -0.14), (w - 0.1, high + 0.12, -0.06), cloth, place))
        things.append(Box((wide - w + 0.1, drop, -0.14), (wide + 0.15, high + 0.12, -0.06), cloth, place))
    return things


def _hung(wide: float, low: float, height: float, place: Place, random: Random) -> list[Thing]:
    """On the wall: pictures, a shelf, a clock or mirror, or nothing."""
    kind, room_m = random.random(), height - 0.15 - low
    if kind < 0.15 or room_m < 0.35:
        return []
    if kind < 0.75:
        count = int(random.integers(1, 4))
        things: list[Thing] = []
        for index in range(count):
            w = wide / count * random.uniform(0.4, 0.8)
            h = min(room_m * 0.9, w * random.uniform(0.6, 1.5))
            x, y = wide / count * (index + 0.5) - w / 2, low + (room_m - h) * random.uniform(0.2, 0.6)
            front = Surface(surfaces.art(random, w, h))
            things.append(Box((x, y, -0.03), (x + w, y + h, 0), Surface(plain(pick(random, WOODS))), place, front))
        return things
    if kind < 0.9:
        y, deep = low + random.uniform(0.1, 0.6) * room_m, random.uniform(0.16, 0.26)
        board = Surface(surfaces.wood(random, pick(random, WOODS), 0.3))
        return [Box((0, y, -deep), (wide, y + 0.03, 0), board, place), *_odds(wide, y + 0.03, deep, place, random, 8)]
    r = min(0.3, wide / 2, room_m / 2) * random.uniform(0.5, 1.0)
    x, y = wide / 2, low + room_m / 2
    return [Ball((x - r, y - r, -0.05), (x + r, y + r, 0.03), Surface(plain(pick(random, (*WALLS, *BRIGHT)))), place)]


def _sofa(wide: float, place: Place, random: Random) -> list[Thing]:
    colour, deep = pick(random, CLOTHS), random.uniform(0.8, 0.95)
    cloth = Surface(mottled(random, colour, 0.25, 12))
    seat, back, arm = 0.42, random.uniform(0.75, 0.95), random.uniform(0.12, 0.22)
    things: list[Thing] = [
        Box((0, 0.08, -deep), (wide, seat - 0.1, 0), cloth, place),
        Box((0, 0.1, -0.22), (wide, back - 0.1, 0), cloth, place),
        Box((0, 0.08, -deep), (arm, 0.62, 0), cloth, place),
        Box((wide - arm, 0.08, -deep), (wide, 0.62, 0), cloth, place),
    ]
    count = 2 if wide < 1.7 else 3
    part = (wide - 2 * arm) / count
    for index in range(count):
        x = arm + index * part
        soft = Surface(mottled(random, colour * random.uniform(0.9, 1.1), 0.25, 12))
        things.append(Box((x + 0.01, seat - 0.1, -deep), (x + part - 0.01, seat + 0.04, -0.2), soft, place))
        things.append(Ball((x - 0.03, seat - 0.1, -0.38), (x + part + 0.03, back + 0.06, -0.08), soft, place))
    for _ in range(int(random.integers(0, 4))):
        x, w = random.uniform(arm, wide - arm - 0.4), random.uniform(0.3, 0.45)
        two = pick(random, (*CLOTHS, *BRIGHT)), pick(random, (*CLOTHS, *BRIGHT))
        cover = mottled(random, two[0], 0.2, 10) if random.random() < 0.6 else surfaces.pattern(random, *two, 0.08)
        things.append(Ball((x, seat, -0.5), (x + w, seat + w, -0.28), Surface(cover), place))
    return things


def _legs(wide: float, high: float, deep: float, surface: Surface, place: Place) -> list[Thing]:
    return [
        Box((x, 0, z), (x + 0.045, high, z + 0.045), surface, place)
        for x in (0.03, wide - 0.075)
        for z in (-deep + 0.03, -0.075)
    ]


def _desk(wide: float, place: Place, random: Random) -> list[Thing]:
    deep, top = random.uniform(0.55, 0.75), Surface(surfaces.wood(random, pick(random, WOODS), 0.4))
    dark = Surface(plain(linear((24, 24, 28))))
    things: list[Thing] = [Box((0, 0.7, -deep), (wide, 0.74, 0), top, place), *_legs(wide, 0.7, deep, top, place)]
    if random.random() < 0.6:
        w, x = random.uniform(0.45, 0.7), random.uniform(0, wide - 0.7)
        shown = Surface(surfaces.art(random, w, 0.34), 0.8) if random.random() < 0.4 else dark
        things.append(Box((x, 0.84, -0.3), (x + w, 1.2, -0.26), dark, place, shown))
        things.append(Box((x + w / 2 - 0.05, 0.74, -0.32), (x + w / 2 + 0.05, 0.86, -0.22), dark, place))
    things += _odds(wide, 0.74, deep * 0.5, place, random)
    if random.random() < 0.7:
        things += chair(
            Place(
                spot(place, (wide * random.uniform(0.2, 0.6), 0, -deep - 0.5)), place.turn + random.uniform(-0.7, 0.7)
            ),
            random,
        )
    return things


def table(place: Place, random: Random) -> list[Thing]:
    """A table with things on it."""
    wide, deep, high = random.uniform(0.6, 1.4), random.uniform(0.5, 0.8), random.choice([0.45, 0.74])
    top = Surface(surfaces.wood(random, pick(random, WOODS), 0.3))
    return [
        Box((0, high - 0.04, -deep), (wide, high, 0), top, place),
        *_legs(wide, high - 0.04, deep, top, place),
        *_odds(wide, high, deep, place, random, 4),
    ]


def chair(place: Place, random: Random) -> list[Thing]:
    """A chair, its back to the wall."""
    cloth, frame = (
        Surface(mottled(random, pick(random, CLOTHS), 0.2, 10)),
        Surface(plain(pick(random, (*WOODS, (30, 30, 32))))),
    )
    back = random.uniform(0.8, 1.15)
    things: list[Thing] = [Box((0, 0.42, -0.45), (0.45, 0.48, 0), cloth, place), *_legs(0.45, 0.42, 0.45, frame, place)]
    if random.random() < 0.5:
        return [*things, Ball((-0.02, 0.5, -0.08), (0.47, back + 0.1, 0.05), cloth, place)]
    return [*things, Box((0.02, 0.55, -0.05), (0.43, back, 0), cloth, place)]


def _cabinet(wide: float, place: Place, random: Random) -> list[Thing]:
    high, deep, body = random.uniform(0.5, 1.2), random.uniform(0.35, 0.5), pick(random, (*WOODS, *WALLS[:3]))
    rows, columns = int(random.integers(1, 5)), max(1, round(wide / random.uniform(0.4, 0.8)))
    front = Surface(surfaces.panels(random, body, wide, high, rows, columns))
    box = Box((0, 0, -deep), (wide, high, 0), Surface(plain(body)), place, front)
    return [box, *_odds(wide, high, deep, place, random, 6)]


def _floor_lamp(wide: float, place: Place, random: Random) -> list[Thing]:
    x, r, high = wide / 2, random.uniform(0.12, 0.22), random.uniform(1.4, 1.7)
    metal = Surface(plain(linear((60, 58, 54))))
    shade = Surface(plain(np.asarray(WARM, np.float32) * linear((255, 240, 215))), random.uniform(0.8, 3.0))
    ends = (x - r, high, -0.3 - r), (x + r, high + random.uniform(0.2, 0.35), -0.3 + r)
    top = Ball(*ends, shade, place) if random.random() < 0.5 else Box(*ends, shade, place)
    return [Box((x - 0.012, 0, -0.312), (x + 0.012, high, -0.288), metal, place), top]


def plant(place: Place, random: Random) -> list[Thing]:
    """A plant in a pot."""
    wide, pot, high = random.uniform(0.3, 0.7), random.uniform(0.2, 0.4), random.uniform(0.6, 1.7)
    clay = Surface(mottled(random, pick(random, (*WALLS, (176, 100, 70))), 0.2, 6))
    side = 0.5 * wide
    return [
        Box((side - 0.6 * pot, 0, 0.2), (side + 0.6 * pot, pot, 0.2 + pot), clay, place),
        *_leaves((0, pot, 0.1), (wide, high, 0.1 + wide), place, random, int(random.integers(30, 70))),
    ]


def _leaves(low: Point, high: Point, place: Place, random: Random, count: int) -> list[Thing]:
    """Leaves in a box, each turned its own way, denser and darker in the middle."""
    size, start = np.subtract(high, low), np.asarray(low)
    green = linear((int(random.uniform(40, 110)), int(random.uniform(80, 140)), int(random.uniform(30, 70))))
    slim = random.uniform(0.12, 0.45)
    things: list[Thing] = []
    for _ in range(count):
        centre = start + size * np.clip(random.normal(0.5, 0.24, 3), 0, 1)
        long = random.uniform(0.1, 0.24) * size[1]
        half = (
            np.array([long * slim, long, 0.15 * long]) / 2
            if random.random() < 0.6
            else np.array([long, long * slim, long * 0.3]) / 2
        )
        turned = Place(
            spot(place, (float(centre[0]), float(centre[1]), float(centre[2]))), place.turn + random.uniform(-1.5, 1.5)
        )
        leaf = Surface(mottled(random, green * random.uniform(0.5, 1.5), 0.5, 20))
        things.append(Ball((-half[0], -half[1], -half[2]), (half[0], half[1], half[2]), leaf, turned))
    return things


def _coats(wide: float, place: Place, random: Random) -> list[Thing]:
    """Coats on a rail: what a matte takes for people."""
    things: list[Thing] = [Box((0, 1.75, -0.04), (wide, 1.85, 0), Surface(plain(pick(random, WOODS))), place)]
    for _ in range(int(random.integers(1, 4))):
        x, w, h = random.uniform(0, wide * 0.6), random.uniform(0.3, 0.5), random.uniform(0.6, 1.1)
        cloth = Surface(surfaces.folds(random, pick(random, CLOTHS)))
        things.append(Ball((x, 1.72 - h, -0.24), (x + w, 1.78, -0.02), cloth, place))
    return things
