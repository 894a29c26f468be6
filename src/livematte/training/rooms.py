"""Rooms that nobody is in, made from a number: backgrounds without a licence and without people.

Living rooms, offices and plain walls with windows, lamps, shelves, plants and pictures, in and out of
focus, by day and by lamplight; and now and then a far view alone. Many of their colours are those of
skin, hair and clothes, since that is what a matte must not fall for.
"""

from __future__ import annotations

import math

import numpy as np

from livematte._frame import F32, U8, Size
from livematte.training import furniture, surfaces
from livematte.training.furniture import DAY, WARM, spot
from livematte.training.raycast import Ball, Box, Camera, Lamp, Place, Point, Room, Surface, Thing, blurred, render
from livematte.training.surfaces import CLOTHS, WALLS, WOODS, Random, linear, mottled, pick, plain

SIZES = (Size(512, 288), Size(512, 288), Size(480, 360), Size(400, 400), Size(324, 576))
"""Sizes of the pictures, those that are drawn more often more than once."""

FAR = 0.1
"""Part of the pictures that are a far view and no room."""

NEUTRAL, COLD = (1.0, 0.94, 0.86), (0.82, 0.92, 1.0)
"""Light of offices and of the sky, linear."""

GAMMA = 1 / 2.2


def room(seed: int) -> U8:
    """A background, RGB uint8 (h, w, 3): the same one for the same number."""
    random = np.random.default_rng([seed, 0xB0])
    size = SIZES[int(random.integers(len(SIZES)))]
    if random.random() < FAR:
        x, y = np.meshgrid(np.linspace(0, 1, size.width), np.linspace(1, 0, size.height))
        flat = surfaces.outside(random, 1.0, 1.0)(x.ravel().astype(np.float32), y.ravel().astype(np.float32))
        light = blurred(flat.reshape(size.height, size.width, 3) * random.uniform(0.7, 1.6), random.uniform(1, 9))
        return _developed(light, random)
    scene = furnished(random)
    light = render(scene, _camera(scene.size, random), size)
    focus = random.random()
    width_px = 0.75 if focus < 0.5 else random.uniform(1, 2) if focus < 0.8 else random.uniform(2.5, 7)
    # what is brighter than white stays so when it is out of focus: that makes the discs of lamps
    return _developed(blurred(np.minimum(light, 6.0), width_px * size.width / 512), random)


def _developed(light: F32, random: Random) -> U8:
    """Linear light as a camera shows it: exposure, white balance, shoulder, vignette, grain."""
    height, width = light.shape[:2]
    level = float(np.median(np.minimum(light.mean(2), 2.0))) * 0.5 + float(np.minimum(light, 2.0).mean()) * 0.5
    exposure = random.uniform(0.13, 0.48) / max(1e-3, level)
    balance = 1 + random.uniform(-0.07, 0.07, 3)
    y, x = np.mgrid[-1 : 1 : height * 1j, -1 : 1 : width * 1j]
    vignette = 1 - random.uniform(0, 0.3) * (x * x + y * y) / 2
    shown = np.maximum(light * exposure * balance * vignette[..., None], 0)
    shown = np.where(shown < 0.6, shown, 1 - 0.4 * np.exp(-(shown - 0.6) / 0.4))
    coded = shown**GAMMA + random.normal(0, random.uniform(0, 0.012), light.shape)
    picture: U8 = np.rint(np.clip(coded, 0, 1) * 255).astype(np.uint8)
    return picture


def _camera(size: Point, random: Random) -> Camera:
    """Where a laptop or a telephone would stand."""
    width, _, depth = size
    at = (width * random.uniform(0.3, 0.7), random.uniform(0.9, 1.6), min(0.3, 0.15 * depth))
    turn = random.normal(0, 0.24 if depth < 5 else 0.4)
    return Camera(at, float(np.clip(turn, -0.8, 0.8)), random.normal(0.0, 0.07), random.normal(0, 0.02),
                  random.uniform(0.4, 0.7))  # fmt: skip


def furnished(random: Random) -> Room:
    """An empty room with walls, light, and furniture along its walls."""
    kind = random.random()
    deep = (
        random.uniform(1.7, 2.6) if kind < 0.35 else random.uniform(2.6, 5.0) if kind < 0.85 else random.uniform(5, 9)
    )
    size = (random.uniform(2.6, 5.5) * (1.4 if deep > 5 else 1), random.uniform(2.3, 3.0), deep)
    width, height, depth = size
    main = _wall(random)
    side = main if random.random() < 0.6 else _wall(random)
    ceiling = Surface(mottled(random, linear((242, 240, 236)) * random.uniform(0.7, 1.0), 0.05, 2))
    walls = (side, side, _floor(random), ceiling, side, main)
    things: list[Thing] = []
    day = random.random()
    lamps = _ceiling_lamps(size, random, things) if random.random() < 0.75 else []
    full = random.uniform(0.35, 1.0)
    # back wall, right wall, left wall: where their left end is, and how far things are turned
    for long, at, turn, share in (
        (width, (0.0, 0.0, depth), 0.0, full),
        (depth - 1.0, (width, 0.0, depth), math.pi / 2, full * 0.7),
        (depth - 1.0, (0.0, 0.0, depth - max(depth - 1.0, 0.0)), -math.pi / 2, full * 0.7),
    ):
        lamps += _along(long, height, at, turn, share, day, random, things)
    things += _skirting(size, random)
    if depth > 2.6:
        for _ in range(int(random.integers(0, int(2 + 0.8 * depth)))):
            stand = (random.uniform(0.4, width - 1.2), 0.0, random.uniform(1.6, depth - 0.9))
            piece = (furniture.table, furniture.chair, furniture.plant)[int(random.integers(3))]
            things += piece(Place(stand, random.uniform(-0.6, 0.6)), random)
    sky = linear((225, 235, 250)) * random.uniform(0.1, 0.8) * (day < DAY)
    bulb = np.asarray((WARM, NEUTRAL)[int(random.integers(2))], np.float32) * random.uniform(0.06, 0.5)
    ambient = sky + bulb + 0.05
    if not lamps:
        lamps = [Lamp((random.uniform(0.2, 0.8) * width, height - 0.2, 0.5), _times(NEUTRAL, 2.5))]
    return Room(size, walls, things, lamps[:2], (float(ambient[0]), float(ambient[1]), float(ambient[2])))


def _times(light: Point, strength: float) -> Point:
    return light[0] * strength, light[1] * strength, light[2] * strength


def _wall(random: Random) -> Surface:
    kind, colour = random.random(), pick(random, WALLS)
    if kind < 0.6:
        return Surface(mottled(random, colour, random.uniform(0.02, 0.25), random.uniform(0.7, 6)))
    if kind < 0.72:
        return Surface(surfaces.pattern(random, colour, colour * random.uniform(0.6, 1.0), random.uniform(0.08, 0.4)))
    if kind < 0.84:
        brick = pick(random, (*WALLS[:4], (150, 84, 62), (170, 104, 80), (120, 70, 56)))
        return Surface(surfaces.bricks(random, brick, random.uniform(0.2, 0.26), random.uniform(0.06, 0.08)))
    if kind < 0.95:
        return Surface(surfaces.wood(random, pick(random, WOODS), random.uniform(0.08, 0.2), upright=True))
    tile = random.uniform(0.1, 0.3)
    return Surface(surfaces.bricks(random, colour, tile, tile, staggered=False))


def _floor(random: Random) -> Surface:
    kind = random.random()
    if kind < 0.55:
        return Surface(
            surfaces.wood(random, pick(random, WOODS), random.uniform(0.08, 0.2), upright=random.random() < 0.5)
        )
    if kind < 0.85:
        return Surface(mottled(random, pick(random, (*CLOTHS, *WALLS[:4])), 0.3, 14))
    return Surface(surfaces.bricks(random, pick(random, WALLS), 0.4, 0.4, staggered=False))


def _skirting(size: Point, random: Random) -> list[Thing]:
    """The board at the foot of the walls."""
    width, _, depth = size
    board, high = (
        Surface(plain(pick(random, (WOODS[1], WOODS[2], (238, 236, 230), (240, 240, 238))))),
        random.uniform(0.05, 0.12),
    )
    return [
        Box((0, 0, depth - 0.012), (width, high, depth), board),
        Box((0, 0, 0), (0.012, high, depth), board),
        Box((width - 0.012, 0, 0), (width, high, depth), board),
    ]


def _ceiling_lamps(size: Point, random: Random, things: list[Thing]) -> list[Lamp]:
    """Panels of an office, or something that hangs."""
    width, height, depth = size
    light = (WARM, NEUTRAL, NEUTRAL, COLD)[int(random.integers(4))]
    if depth > 4 and random.random() < 0.7:
        glowing = Surface(plain(np.asarray(light, np.float32)), 5.0)
        for x in np.arange(0.25, 1, 0.5) * width:
            things += [
                Box((x - 0.3, height - 0.02, z), (x + 0.3, height, z + 0.6), glowing)
                for z in np.arange(0.8, depth - 0.7, 1.6)
            ]
        return [Lamp((width * 0.5, height - 0.1, z), _times(light, 3.0)) for z in (0.25 * depth, 0.7 * depth)]
    x, z = random.uniform(0.3, 0.7) * width, random.uniform(0.3, 0.8) * depth
    if random.random() < 0.5 and depth > 2.6:
        r, y = random.uniform(0.1, 0.25), height - random.uniform(0.3, 0.7)
        cord = Surface(plain(linear((40, 40, 40))))
        things.append(Box((x - 0.006, y, z - 0.006), (x + 0.006, height, z + 0.006), cord))
        things.append(
            Ball(
                (x - r, y - 0.8 * r, z - r),
                (x + r, y + 0.8 * r, z + r),
                Surface(plain(np.asarray(light, np.float32)), 4.0),
            )
        )
        return [Lamp((x, y - r - 0.05, z), _times(light, random.uniform(1.5, 4)))]
    return [Lamp((x, height - 0.1, z), _times(light, random.uniform(1.5, 4)))]


def _along(
    long: float, height: float, at: Point, turn: float, full: float, day: float, random: Random, things: list[Thing]
) -> list[Lamp]:
    """Furniture along a wall, left to right, and what hangs over it; the lamps among it."""
    lamps: list[Lamp] = []
    x = random.uniform(0.02, 0.3)
    while x < long - 0.4:
        name = ("bookcase", "window", "door", "sofa", "desk", "cabinet", "lamp", "plant", "curtain", "coats", "bare")[
            int(random.choice(11, p=[0.18, 0.13, 0.06, 0.12, 0.1, 0.13, 0.06, 0.1, 0.03, 0.03, 0.06]))
        ]
        low, wide = furniture.WIDTHS[name]
        wide = random.uniform(low, wide)
        if x + wide > long:
            break
        if random.random() < full or name in ("window", "bare"):
            place = Place(_on_wall(at, turn, x), turn)
            things += furniture.piece(name, wide, height, place, day, random)
            if name == "window" and day < DAY:
                lamps.append(Lamp(spot(place, (wide / 2, 1.5, -0.25)), _times(COLD, random.uniform(1.0, 4.0))))
            if name == "lamp":
                lamps.append(Lamp(spot(place, (wide / 2, 1.55, -0.35)), _times(WARM, random.uniform(0.6, 2.0))))
        x += wide + random.uniform(0.02, 0.25) / full
    return lamps


def _on_wall(at: Point, turn: float, along: float) -> Point:
    """The point of a wall so far from its left end; depth is counted from the wall, and negative."""
    cos, sin = math.cos(turn), math.sin(turn)
    return at[0] + cos * along, at[1], at[2] - sin * along
