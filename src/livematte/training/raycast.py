"""A small ray caster in NumPy: a room with boxes and ellipsoids in it, lamps, and a camera.

Lengths are metres, x to the right, y up, z away from the camera; colours are linear light. It knows
what a background needs and no more: matt surfaces, one bounce, soft shadows of what is large.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from livematte._frame import F32, Size

Point = tuple[float, float, float]

Paint = Callable[[F32, F32], F32]
"""Colour (n, 3) of a surface at `u` along and `v` up from its lower left corner, metres, (n,)."""

Axes = npt.NDArray[np.int64]
"""Which axis a face lies across, (n,)."""

NEAR_M = 1e-3
"""Closer hits are the surface that the ray starts from."""

SHADE_STEP = 2
"""Shadows are cast for one of so many rows and columns; their edges are soft anyway."""

CAST_M = 0.15
"""Half the size from which a thing casts a shadow."""

CORNER_M = 0.35
"""How far from corners a room is darker, since less light comes from there."""


@dataclass(frozen=True, slots=True)
class Surface:
    """What is seen of a thing.

    Args:
        paint: its colour, 0-1.
        glow: light it gives by itself, as a multiple of its colour.
    """

    paint: Paint
    glow: float = 0.0


@dataclass(frozen=True, slots=True)
class Place:
    """Where a thing's own coordinates start, and how far it is turned about the vertical.

    Args:
        at: the point.
        turn: radians; a quarter turns its depth to the right.
    """

    at: Point = (0.0, 0.0, 0.0)
    turn: float = 0.0

    def inward(self, vectors: F32, point: bool = True) -> F32:
        """Points, or directions, (n, 3) of the room in the thing's own coordinates."""
        x, y, z = (vectors - np.asarray(self.at, np.float32) if point else vectors).T
        cos, sin = np.float32(math.cos(self.turn)), np.float32(math.sin(self.turn))
        turned: F32 = np.stack([cos * x - sin * z, y, sin * x + cos * z]).T
        return turned

    def outward(self, vectors: F32, point: bool = True) -> F32:
        """The other way."""
        x, y, z = vectors.T
        cos, sin = np.float32(math.cos(self.turn)), np.float32(math.sin(self.turn))
        turned: F32 = np.stack([cos * x + sin * z, y, cos * z - sin * x]).T
        placed: F32 = turned + np.asarray(self.at, np.float32) if point else turned
        return placed


@dataclass(frozen=True, slots=True)
class Box:
    """A box in its own coordinates, with another surface on its front if that is given."""

    low: Point
    high: Point
    surface: Surface
    place: Place = field(default_factory=Place)
    front: Surface | None = None


@dataclass(frozen=True, slots=True)
class Ball:
    """An ellipsoid about the middle of a box."""

    low: Point
    high: Point
    surface: Surface
    place: Place = field(default_factory=Place)


Thing = Box | Ball


@dataclass(frozen=True, slots=True)
class Lamp:
    """A lamp: its place, and its colour times its strength at a metre."""

    at: Point
    light: Point


@dataclass(frozen=True, slots=True)
class Room:
    """An empty room and what stands in it.

    Args:
        size: width, height and depth.
        walls: left, right, floor, ceiling, the wall behind the camera, the one before it.
        things: what stands in it.
        lamps: what lights it.
        ambient: light from everywhere.
    """

    size: Point
    walls: Sequence[Surface]
    things: Sequence[Thing]
    lamps: Sequence[Lamp]
    ambient: Point


@dataclass(frozen=True, slots=True)
class Camera:
    """A camera; `tilt` upwards, `turn` to the right, radians; `zoom` is half the picture's width at a metre."""

    at: Point
    turn: float
    tilt: float
    roll: float
    zoom: float

    def rays(self, size: Size) -> F32:
        """A direction for each pixel, (h, w, 3); of length 1 along the camera's axis."""
        x = (np.arange(size.width) + 0.5) / size.width * 2 - 1
        y = ((np.arange(size.height) + 0.5) / size.height * 2 - 1) * size.height / size.width
        u, v = np.meshgrid(x * self.zoom, -y * self.zoom)
        axes = self._axes()
        rays: F32 = (u[..., None] * axes[0] + v[..., None] * axes[1] + axes[2]).astype(np.float32)
        return rays

    def _axes(self) -> F32:
        """Right, up and forward."""
        (st, ct), (sp, cp), (sr, cr) = ((math.sin(a), math.cos(a)) for a in (self.turn, self.tilt, self.roll))
        right, forward = np.array([ct, 0, -st]), np.array([st * cp, sp, ct * cp])
        up = np.cross(forward, right)
        return np.stack([cr * right + sr * up, cr * up - sr * right, forward]).astype(np.float32)

    def window(self, thing: Thing, size: Size) -> tuple[slice, slice]:
        """Rows and columns that a thing can be seen in."""
        corners = np.array([[a[0], b[1], c[2]] for a in _ends(thing) for b in _ends(thing) for c in _ends(thing)])
        seen = (thing.place.outward(corners.astype(np.float32)) - np.asarray(self.at, np.float32)) @ self._axes().T
        if seen[:, 2].min() < 0.05:
            return slice(0, size.height), slice(0, size.width)
        x = (seen[:, 0] / seen[:, 2] / self.zoom + 1) * size.width / 2
        y = (1 - seen[:, 1] / seen[:, 2] / self.zoom * size.width / size.height) * size.height / 2
        rows = slice(max(0, math.floor(y.min())), max(0, min(size.height, math.ceil(y.max()) + 1)))
        return rows, slice(max(0, math.floor(x.min())), max(0, min(size.width, math.ceil(x.max()) + 1)))


def _ends(thing: Thing) -> tuple[Point, Point]:
    return thing.low, thing.high


def render(room: Room, camera: Camera, size: Size) -> F32:
    """What the camera sees: linear light, (h, w, 3), not limited to 1."""
    rays = camera.rays(size)
    origin = np.asarray(camera.at, np.float32)
    depth, colour, normal, glow = _shell(room, origin, rays)
    for thing in room.things:
        rows, columns = camera.window(thing, size)
        part = rays[rows, columns]
        if not part.size:
            continue
        hit, axis = _enter(thing, origin[None], part.reshape(-1, 3))
        seen = np.flatnonzero((hit > NEAR_M) & (hit < depth[rows, columns].ravel()))
        if not len(seen):
            continue
        y, x = np.divmod(seen, part.shape[1])
        y, x = y + rows.start, x + columns.start
        at = thing.place.inward(origin + rays[y, x] * hit[seen, None])
        depth[y, x] = hit[seen]
        colour[y, x], normal[y, x], glow[y, x] = _looks(thing, at, axis[seen], rays[y, x])
    points = origin + rays * depth[..., None]
    return colour * (_light(room, points, normal) + glow[..., None])


def _shell(room: Room, origin: F32, rays: F32) -> tuple[F32, F32, F32, F32]:
    """Depth, colour, normal and glow of the empty room."""
    size = np.asarray(room.size, np.float32)
    flat = rays.reshape(-1, 3)
    flat = np.where(np.abs(flat) < 1e-6, np.float32(1e-6), flat)
    ends = np.ascontiguousarray(np.where(flat > 0, (size - origin) / flat, -origin / flat).T)  # (3, n)
    axis, depth = ends.argmin(0), ends.min(0)
    at = origin + flat * depth[:, None]
    colour, normal, glow = np.empty_like(at), np.zeros_like(at), np.zeros(len(at), np.float32)
    side = flat[np.arange(len(flat)), axis] > 0
    for index, surface in enumerate(room.walls):
        here = np.flatnonzero((axis == index // 2) & (side == bool(index % 2)))
        u, v = _uv(at[here], index // 2)
        colour[here], glow[here] = surface.paint(u, v), surface.glow
        normal[here, index // 2] = -1.0 if index % 2 else 1.0
    shape = rays.shape[:2]
    return depth.reshape(shape), colour.reshape(*shape, 3), normal.reshape(*shape, 3), glow.reshape(shape)


def _uv(at: F32, axis: int) -> tuple[F32, F32]:
    """Along and up, on a face across an axis."""
    along, up = ((2, 1), (0, 2), (0, 1))[axis]
    return at[:, along], at[:, up]


def _enter(thing: Thing, origins: F32, rays: F32) -> tuple[F32, Axes]:
    """How far along each ray a thing begins, infinite where it is missed, and across which axis."""
    start, way = thing.place.inward(origins).T, thing.place.inward(rays, point=False).T  # (3, n)
    low, high = (np.asarray(end, np.float32)[:, None] for end in _ends(thing))
    if isinstance(thing, Ball):
        half = (high - low) / 2
        o, d = (start - (low + half)) / half, way / half
        a, b, c = (d * d).sum(0), (o * d).sum(0), (o * o).sum(0) - 1
        root = b * b - a * c
        near = (-b - np.sqrt(np.maximum(root, 0))) / a
        return np.where(root > 0, near, np.inf).astype(np.float32), np.zeros(len(near), np.int64)
    way = np.where(np.abs(way) < 1e-7, np.float32(1e-7), way)
    one, two = (low - start) / way, (high - start) / way
    first, last = np.minimum(one, two), np.maximum(one, two)
    near, far = first.max(0), last.min(0)
    return np.where((near < far) & (far > NEAR_M), near, np.inf).astype(np.float32), first.argmax(0)


def _looks(thing: Thing, at: F32, axis: Axes, rays: F32) -> tuple[F32, F32, F32]:
    """Colour, normal and glow where rays meet a thing, at points in its own coordinates."""
    low, high = (np.asarray(end, np.float32) for end in _ends(thing))
    if isinstance(thing, Ball):
        steep = (at - (low + high) / 2) / np.square((high - low) / 2)
        out: F32 = (steep / np.maximum(np.linalg.norm(steep, axis=1, keepdims=True), 1e-6)).astype(np.float32)
        colour = thing.surface.paint(at[:, 0] - low[0], at[:, 1] - low[1])
        return colour, thing.place.outward(out, point=False), np.full(len(at), thing.surface.glow, np.float32)
    colour, normal, glow = np.empty_like(at), np.zeros_like(at), np.empty(len(at), np.float32)
    way = thing.place.inward(rays, point=False)
    for index in range(3):
        here = np.flatnonzero(axis == index)
        front = index == 2 and thing.front is not None
        surface = thing.front if front and thing.front is not None else thing.surface
        u, v = _uv(at[here] - low, index)
        colour[here], glow[here] = surface.paint(u, v), surface.glow
        normal[here, index] = -np.sign(way[here, index])
    return colour, thing.place.outward(normal, point=False), glow


def _light(room: Room, points: F32, normal: F32) -> F32:
    """Light that falls on each point, (h, w, 3)."""
    size = np.asarray(room.size, np.float32)
    corner = np.ones(points.shape[:2], np.float32)
    for axis in range(3):
        gap = np.minimum(points[..., axis], size[axis] - points[..., axis]).clip(0)
        faces = np.abs(normal[..., axis])  # a wall is not its own corner
        corner *= 1 - 0.4 * (1 - faces) * np.exp(-gap / CORNER_M)
    light = corner[..., None] * np.asarray(room.ambient, np.float32) * (0.85 + 0.15 * normal[..., 1:2])
    big = [thing for thing in room.things if np.subtract(thing.high, thing.low).max() > 2 * CAST_M]
    for lamp in room.lamps:
        way = np.asarray(lamp.at, np.float32) - points
        far = np.sqrt(np.einsum("hwc,hwc->hw", way, way))
        facing = np.maximum(np.einsum("hwc,hwc->hw", way, normal) / np.maximum(far, 0.1), 0)
        power = facing / np.maximum(far, 0.5) ** 2 * _lit(points, way, big)
        light = light + power[..., None] * np.asarray(lamp.light, np.float32)
    return light


def _lit(points: F32, way: F32, things: Sequence[Thing]) -> F32:
    """How much of a lamp each point sees, 0-1, (h, w)."""
    height, width = points.shape[:2]
    step = (slice(None, None, SHADE_STEP),) * 2
    start, rays = points[step].reshape(-1, 3), way[step].reshape(-1, 3)
    seen = np.ones(len(start), np.float32)
    for thing in things:
        hit, _ = _enter(thing, start, rays)
        glow = thing.surface.glow > 0  # a shade lets its lamp through
        seen[(hit > 0.01) & (hit < 0.97)] *= 1.0 if glow else 0.12
    coarse = blurred(seen.reshape(points[step].shape[:2])[..., None], 2.5)[..., 0]
    return coarse.repeat(SHADE_STEP, axis=0).repeat(SHADE_STEP, axis=1)[:height, :width]


def blurred(image: F32, width_px: float) -> F32:
    """An image (h, w, c), blurred by three boxes, which is nearly a Gaussian of that standard deviation."""
    half = round((math.sqrt(4 * width_px**2 + 1) - 1) / 2)
    if half < 1:
        return image
    for axis in (0, 1) * 3:
        edges = [(0, 0)] * 3
        edges[axis] = (half + 1, half)
        total = np.pad(image, edges, mode="edge").cumsum(axis=axis, dtype=np.float64)
        length = image.shape[axis]
        ahead = np.take(total, range(2 * half + 1, 2 * half + 1 + length), axis=axis)
        image = ((ahead - np.take(total, range(length), axis=axis)) / (2 * half + 1)).astype(np.float32)
    return image
