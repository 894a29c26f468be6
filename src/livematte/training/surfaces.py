"""Surfaces of rooms: walls, wood, cloth, books, pictures, views from windows; all from chance.

Each function draws its details from a NumPy generator once, and gives what paints the surface:
colours (n, 3), linear light 0-1, at `u` along and `v` up, in metres.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from livematte._frame import F32
from livematte.training.raycast import Paint

Random = np.random.Generator
Colour = tuple[int, int, int]

WALLS: tuple[Colour, ...] = (
    (238, 235, 228), (226, 216, 198), (204, 208, 204), (176, 188, 172), (152, 168, 186), (62, 76, 96), (188, 122, 96),
    (226, 190, 170), (96, 97, 100), (246, 246, 244), (206, 182, 144), (130, 140, 120), (176, 150, 160), (90, 60, 52),
)  # fmt: skip
"""Wall paints, sRGB: white to charcoal, some as skin, some as brown hair."""

WOODS: tuple[Colour, ...] = (
    (120, 80, 50),
    (162, 116, 76),
    (84, 55, 36),
    (202, 168, 124),
    (46, 34, 28),
    (226, 222, 214),
)
"""Furniture: woods, black-brown, and white paint."""

CLOTHS: tuple[Colour, ...] = (
    (70, 74, 82), (120, 122, 124), (50, 66, 92), (150, 88, 66), (222, 172, 146), (198, 136, 104), (142, 88, 62),
    (36, 28, 24), (74, 50, 34), (122, 84, 50), (172, 132, 84), (190, 186, 176), (96, 112, 84), (128, 52, 56),
)  # fmt: skip
"""Sofas, cushions, curtains and coats; among them tones of skin and hair."""

BRIGHT: tuple[Colour, ...] = (
    (190, 60, 50), (220, 150, 60), (235, 210, 90), (80, 140, 90), (60, 120, 160), (50, 60, 110), (130, 80, 130),
    (240, 240, 235), (40, 40, 44), (200, 180, 160), (150, 40, 60), (90, 170, 170),
)  # fmt: skip
"""Books, posters and things on shelves."""


def linear(colour: Colour | F32) -> F32:
    """Code values 0-255 of sRGB as linear light 0-1; near enough to the curve of IEC 61966-2-1."""
    value: F32 = (np.asarray(colour, np.float32) / 255) ** np.float32(2.2)
    return value


def pick(random: Random, colours: Sequence[Colour]) -> F32:
    """One of the colours, a little lighter or darker and warmer or colder, linear (3,)."""
    base = np.asarray(colours[int(random.integers(len(colours)))], np.float32)
    shifted = base * random.uniform(0.86, 1.08) + random.uniform(-10, 10, 3)
    return linear(np.clip(shifted, 4, 250).astype(np.float32))


def noise(random: Random, octaves: int = 3) -> Paint:
    """Smooth noise in 0-1 with details down to 1 / 2**octaves metres, (n, 1)."""
    table = random.random((64, 64), dtype=np.float32)

    def sample(u: F32, v: F32) -> F32:
        total, weight, whole = np.zeros(u.shape, np.float32), 0.5, 0.0
        for octave in range(octaves):
            x, y = u * 2**octave + 17 * octave, v * 2**octave + 5 * octave
            i, j = np.floor(x).astype(np.int64), np.floor(y).astype(np.int64)
            a, b = x - i, y - j
            a, b = a * a * (3 - 2 * a), b * b * (3 - 2 * b)
            i0, i1, j0, j1 = i % 64, (i + 1) % 64, j % 64, (j + 1) % 64
            low = table[j0, i0] * (1 - a) + table[j0, i1] * a
            high = table[j1, i0] * (1 - a) + table[j1, i1] * a
            total += weight * (low * (1 - b) + high * b)
            whole += weight
            weight *= 0.5
        return (total / whole)[:, None].astype(np.float32)

    return sample


def plain(colour: F32) -> Paint:
    """One colour."""
    return lambda u, v: np.broadcast_to(colour, (len(u), 3)).astype(np.float32)


def mottled(random: Random, colour: F32, strength: float, scale: float) -> Paint:
    """Plaster, concrete or cloth: one colour, uneven by `strength`, with `scale` spots a metre."""
    grain = noise(random)
    return lambda u, v: colour * (1 + strength * (grain(u * scale, v * scale) - 0.5)).astype(np.float32)


def wood(random: Random, colour: F32, plank_m: float, upright: bool = False) -> Paint:
    """Planks with grain and seams; `plank_m` is their width."""
    grain, shades = noise(random, 4), random.uniform(0.82, 1.12, 64).astype(np.float32)

    def paint(u: F32, v: F32) -> F32:
        along, across = (v, u) if upright else (u, v)
        plank = np.floor(across / plank_m).astype(np.int64)
        lines = 0.75 + 0.5 * grain(along * 1.5 + plank * 3.7, across * 40)
        seam = np.abs(across / plank_m - plank - 0.5) > 0.5 - 0.003 / plank_m
        shade = shades[plank % 64] * np.where(seam, 0.45, 1)
        planks: F32 = (colour * lines * shade[:, None]).astype(np.float32)
        return planks

    return paint


def bricks(random: Random, colour: F32, length_m: float, height_m: float, staggered: bool = True) -> Paint:
    """Bricks, or tiles if they are not staggered, in mortar."""
    grain, shades = noise(random), random.uniform(0.75, 1.15, (64, 64)).astype(np.float32)
    mortar = linear((200, 195, 186)) * random.uniform(0.5, 1.0)

    def paint(u: F32, v: F32) -> F32:
        row = np.floor(v / height_m).astype(np.int64)
        x = u / length_m + (0.5 * (row % 2) if staggered else 0)
        column = np.floor(x).astype(np.int64)
        a, b = (x - column) * length_m, v - row * height_m
        gap = np.minimum(np.minimum(a, length_m - a), np.minimum(b, height_m - b)) < 0.006
        body = colour * shades[row % 64, column % 64][:, None] * (0.8 + 0.4 * grain(u * 8, v * 8))
        return np.where(gap[:, None], mortar, body).astype(np.float32)

    return paint


def pattern(random: Random, ground: F32, figure: F32, cell_m: float) -> Paint:
    """Wallpaper, rugs and cloth: stripes, checks, dots, lozenges or waves."""
    kind = int(random.integers(5))
    part = random.uniform(0.2, 0.6)

    def paint(u: F32, v: F32) -> F32:
        x, y = u / cell_m, v / cell_m
        if kind == 0:
            mask = x % 1 < part
        elif kind == 1:
            mask = (x % 1 < part) ^ (y % 1 < part)
        elif kind == 2:
            x = x + 0.5 * (np.floor(y) % 2)
            mask = (x % 1 - 0.5) ** 2 + (y % 1 - 0.5) ** 2 < (part / 1.6) ** 2
        elif kind == 3:
            mask = np.abs(x % 1 - 0.5) + np.abs(y % 1 - 0.5) < part
        else:
            mask = (y + 0.25 * np.sin(x * 6.3)) % 1 < part
        return np.where(mask[:, None], figure, ground).astype(np.float32)

    return paint


def folds(random: Random, colour: F32) -> Paint:
    """A curtain: folds of light and shade."""
    fold_m, sway = random.uniform(0.07, 0.18), noise(random, 2)

    def paint(u: F32, v: F32) -> F32:
        phase = u / fold_m + 1.2 * sway(u * 3, v * 0.7)[:, 0]
        return (colour * (0.72 + 0.28 * np.sin(phase * 6.283))[:, None]).astype(np.float32)

    return paint


def panels(random: Random, colour: F32, width_m: float, height_m: float, rows: int, columns: int) -> Paint:
    """Doors and drawers: a grid of panels with shadowed edges, some with handles."""
    handle = random.random() < 0.6
    metal = linear((170, 168, 160))

    def paint(u: F32, v: F32) -> F32:
        w, h = width_m / columns, height_m / rows
        a, b = u % w, v % h
        edge = np.minimum(np.minimum(a, w - a), np.minimum(b, h - b))
        shade = np.where(edge < 0.006, 0.25, np.where((edge > 0.05) & (edge < 0.062), 0.75, 1.0))
        shade = shade * np.where((b > 0.5 * h) & (edge > 0.045) & (edge < 0.05), 1.1, 1.0)
        body = colour * shade[:, None]
        grip = (np.abs(a - 0.5 * w) < min(0.07, 0.2 * w)) & (np.abs(b - 0.8 * h) < 0.008)
        return np.where((grip & handle)[:, None], metal, body).astype(np.float32)

    return paint


def books(random: Random, wood_colour: F32, width_m: float, height_m: float) -> Paint:
    """Shelves of books, some lying, with gaps and dark behind them."""
    rows = max(1, round(height_m / random.uniform(0.28, 0.4)))
    tone = pick(random, BRIGHT)
    calm = random.uniform(0, 0.7)
    edges, colours, tops = [], [], []
    for _ in range(rows):
        widths = random.uniform(0.012, 0.055, int(width_m / 0.02) + 4)
        edges.append(np.cumsum(widths).astype(np.float32))
        shelf = np.stack([pick(random, BRIGHT) * (1 - calm) + tone * calm * random.uniform(0.4, 1.2) for _ in widths])
        empty = random.random(len(widths)) < random.uniform(0.02, 0.35)
        colours.append(np.where(empty[:, None], 0.02, shelf).astype(np.float32))
        tops.append(np.where(empty, 0, random.uniform(0.6, 0.92, len(widths))).astype(np.float32))

    def paint(u: F32, v: F32) -> F32:
        high = height_m / rows
        row = np.clip(np.floor(v / high), 0, rows - 1).astype(np.int64)
        b = v / high - row
        out = np.empty((len(u), 3), np.float32)
        for index in range(rows):
            here = np.flatnonzero(row == index)
            book = np.searchsorted(edges[index], u[here]).clip(0, len(edges[index]) - 1)
            left = np.concatenate([[0], edges[index]])[book]
            spine = (u[here] - left) / np.maximum(edges[index][book] - left, 1e-3)
            round_off = 0.55 + 0.45 * np.sin(np.clip(spine, 0, 1) * 3.14159)
            band = np.where(np.abs(b[here] - 0.2 - 0.05 * (book % 5)) < 0.02, 1.6, 1.0)
            shown = colours[index][book] * (round_off * band)[:, None]
            behind = wood_colour * (0.12 + 0.2 * (1 - b[here]))[:, None]
            out[here] = np.where((b[here] < tops[index][book])[:, None], shown, behind)
        board = (b < 0.06) | (u < 0.02) | (u > width_m - 0.02) | (v > height_m - 0.02)
        return np.where(board[:, None], wood_colour, out)

    return paint


def art(random: Random, width_m: float, height_m: float) -> Paint:
    """A framed picture: a landscape, shapes, or a photograph that nobody could name."""
    frame, mat = pick(random, WOODS), linear((240, 238, 232))
    rim, border = random.uniform(0.012, 0.035), random.uniform(0, 0.22) * min(width_m, height_m)
    shapes = [(random.uniform(0, 1, 2), random.uniform(0.08, 0.4, 2), pick(random, BRIGHT)) for _ in range(6)]
    low, high, cloud = pick(random, BRIGHT + WALLS), pick(random, WALLS), noise(random, 4)
    scene = random.random() < 0.5

    def paint(u: F32, v: F32) -> F32:
        x, y = u / width_m, v / height_m
        hills = 0.35 + 0.3 * (cloud(x * 2, y * 0 + 3)[:, 0] - 0.5)
        sky = high * (0.7 + 0.5 * cloud(x * 3, y * 5)) if scene else low * 0.5 + high * cloud(x * 2, y * 2)
        inner = np.where((y < hills)[:, None] & scene, low * (0.5 + cloud(x * 6, y * 6)), sky)
        for (cx, cy), (rx, ry), colour in shapes if not scene else ():
            inside = ((x - cx) / rx) ** 2 + ((y - cy) / ry) ** 2 < 1
            inner = np.where(inside[:, None], colour, inner)
        edge = np.minimum(np.minimum(u, width_m - u), np.minimum(v, height_m - v))[:, None]
        return np.where(edge < rim, frame, np.where(edge < rim + border, mat, inner)).astype(np.float32)

    return paint


def outside(random: Random, width_m: float, height_m: float) -> Paint:
    """Sky, houses and trees, out of focus as they are behind a room."""
    day = random.random() < 0.8
    sky_low, sky_high = (
        (linear((225, 232, 240)), linear((150, 190, 235))) if day else (linear((70, 60, 80)), linear((16, 20, 40)))
    )
    if day and random.random() < 0.4:
        sky_low, sky_high = linear((240, 240, 242)), linear((205, 212, 222))
    leaf = linear((int(random.uniform(60, 120)), int(random.uniform(85, 125)), int(random.uniform(50, 80)))) * (
        1.0 if day else 0.1
    )
    horizon, soft, leaves = random.uniform(0.15, 0.55), random.uniform(0.01, 0.05), noise(random, 4)
    houses = []
    for _ in range(int(random.integers(0, 7))):
        left, top = random.uniform(-0.1, 1), horizon + random.uniform(0.02, 0.45)
        houses.append((left, left + random.uniform(0.08, 0.3), top, pick(random, WALLS) * (0.9 if day else 0.08)))
    lit = linear((255, 200, 120))

    def paint(u: F32, v: F32) -> F32:
        x, y = u / width_m, v / height_m
        up = np.clip((y - horizon) / (1 - horizon), 0, 1)[:, None]
        out = sky_low * (1 - up) + sky_high * up
        for left, right, top, colour in houses:
            cover = _ramp(x - left, soft) * _ramp(right - x, soft) * _ramp(top - y, soft)
            pane = (np.abs((x * 24) % 1 - 0.5) < 0.25) & (np.abs((y * 18) % 1 - 0.5) < 0.3)
            wall = np.where(pane[:, None], colour * 0.45 if day else lit * 0.8, colour)
            out = out + (wall - out) * cover[:, None]
        crown = horizon + 0.28 * (leaves(x * 5, y * 0 + 7)[:, 0] - 0.35)
        trees = _ramp(crown - y, 2 * soft)[:, None]
        out = out + (leaf * (0.4 + 1.2 * leaves(x * 14, y * 14)) - out) * trees
        seen: F32 = np.clip(out, 0, 1).astype(np.float32)
        return seen

    return paint


def window(random: Random, view: Paint, width_m: float, height_m: float) -> Paint:
    """A view behind frame and bars."""
    columns, rows, bar = int(random.integers(1, 4)), int(random.integers(1, 3)), random.uniform(0.02, 0.05)
    frame = linear((236, 236, 232)) * (0.12 if random.random() < 0.25 else 0.7)
    blind = random.random() < 0.25

    def paint(u: F32, v: F32) -> F32:
        w, h = width_m / columns, height_m / rows
        a, b = u % w, v % h
        edge = np.minimum(np.minimum(a, w - a), np.minimum(b, h - b))[:, None]
        shown = view(u, v)
        if blind:
            slat = (v % 0.05 < 0.032)[:, None]
            shown = np.where(slat, linear((230, 228, 220)) * 0.6, shown)
        return np.where(edge < bar, frame * 0.35, shown).astype(np.float32)

    return paint


def _ramp(distance: F32, soft: float) -> F32:
    """0 to 1 over `soft` to either side of 0."""
    ramp: F32 = np.clip(0.5 + distance / (2 * soft), 0, 1)
    return ramp
