"""Auto-framing: a window over the output picture that follows the people in it, calmly."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from livematte import kernels
from livematte._frame import Frame, Size
from livematte._matte import Matte
from livematte._stages import State

GRID = Size(64, 36)
"""Cells in which people are looked for."""

SOMEBODY = 0.5
"""Mean alpha of a cell that is a person's."""

FEWEST_CELLS = 12
"""Cells that people take up at least; less is a ghost."""

NARROWEST = 0.5
"""Smallest side of the window as part of the picture: twice the size, no more."""

ROOM = 1.7
"""Width of the window in widths of the people."""

HEADROOM = 0.12
"""Part of the window above the people, and below them where their feet are seen."""

DEAD_ZONE = 0.12
"""Part of the window by which what is wanted must differ from where it goes before it
goes elsewhere."""

PATIENCE_S = 0.2
"""Time for which it must differ: a matte that is wrong for a moment moves nothing."""

RATE_PER_S = 2.5
"""Rate of the critically damped motion: nine tenths of the way in 1.6 s."""

FASTEST_PER_S = 0.3
"""Largest speed of the window's place and side, in parts of the picture a second."""

LONGEST_STEP_S = 0.1
"""A gap in the stream counts as no more."""

WHOLE = 65536
"""The whole picture in the units of the kernel."""


@dataclass(frozen=True, slots=True)
class Window:
    """A part of a picture with its shape: centre and side, as parts of the picture."""

    x: float = 0.5
    y: float = 0.5
    side: float = 1.0

    def inside(self) -> Window:
        """The nearest window that does not leave the picture."""
        side = min(max(self.side, NARROWEST), 1.0)
        x, y = (min(max(at, side / 2), 1 - side / 2) for at in (self.x, self.y))
        return Window(x, y, side)

    def placed(self) -> tuple[int, int, int]:
        """Left, top and side in units of `WHOLE`."""
        side = round(self.side * WHOLE)
        left, top = (min(max(round((at - self.side / 2) * WHOLE), 0), WHOLE - side) for at in (self.x, self.y))
        return left, top, side


@dataclass(frozen=True, slots=True)
class Motion:
    """Where the window of one stream is, where it goes, and how fast.

    Args:
        shown: the window now.
        goal: where it goes.
        speed: of x, y and side, in parts of the picture a second.
        doubt_s: for how long something else has been wanted.
        time_s: of the frame it was made for.
        size: of the picture; another one starts anew.
    """

    shown: Window
    goal: Window
    speed: tuple[float, float, float]
    doubt_s: float
    time_s: float
    size: Size


def reframe(picture: Frame, matte: Matte, state: State) -> tuple[Frame, State]:
    """The part of an output picture in which the people are, at the picture's size.

    It is given what `composite()` made and nothing of the camera's frame, so that it can
    show no more than that.

    Args:
        picture: output picture.
        matte: alpha uint8 of the same frame and size.
        state: `Motion`, or None at the start of a stream, whose first picture is framed at once.

    Returns:
        A new frame, or the picture itself where the window is the whole of it; and the state.

    Source: docs/spec/framing.md.
    """
    before = state if state is not None and state.size == picture.size else None
    motion = follow(wanted_window(matte), picture.time_s, picture.size, before)
    left, top, side = motion.shown.placed()
    if side == WHOLE:
        return picture, motion
    planes = [kernels.crop(plane, left, top, side) for plane in picture.planes]
    alpha = None if picture.alpha is None else kernels.crop(picture.alpha, left, top, side)
    return picture.with_planes((planes[0], planes[1], planes[2]), alpha), motion


def wanted_window(matte: Matte) -> Window:
    """The window that the people of this frame alone would have; the whole picture without any."""
    people = kernels.downscale(matte.alpha, GRID) > SOMEBODY * 255
    if people.sum() < FEWEST_CELLS:
        return Window()
    columns, rows = (np.flatnonzero(people.any(axis)) for axis in (0, 1))
    left, right = columns[0] / GRID.width, (columns[-1] + 1) / GRID.width
    top, bottom = rows[0] / GRID.height, (rows[-1] + 1) / GRID.height
    side = ROOM * (right - left)
    if bottom < 1:  # feet, or a table's edge: nothing of them is to be cut off
        side = max(side, (bottom - top) / (1 - 2 * HEADROOM))
    side = min(max(float(side), NARROWEST), 1.0)
    return Window(float(left + right) / 2, float(top) - HEADROOM * side + side / 2, side).inside()


def follow(wanted: Window, time_s: float, size: Size, state: Motion | None) -> Motion:
    """One step of the window towards what is wanted."""
    if state is None:
        return Motion(wanted, wanted, (0.0, 0.0, 0.0), 0.0, time_s, size)
    step_s = min(max(time_s - state.time_s, 0.0), LONGEST_STEP_S)
    doubt_s = state.doubt_s + step_s if _beyond(wanted, state.goal) else 0.0
    goal = state.goal if doubt_s < PATIENCE_S else wanted
    now = (state.shown.x, state.shown.y, state.shown.side)
    moved = [
        _step(at, to, speed, step_s)
        for at, to, speed in zip(now, (goal.x, goal.y, goal.side), state.speed, strict=True)
    ]
    (x, vx), (y, vy), (side, vs) = moved
    return Motion(Window(x, y, side).inside(), goal, (vx, vy, vs), doubt_s, time_s, size)


def _beyond(wanted: Window, goal: Window) -> bool:
    """Whether what is wanted lies outside the dead zone of where the window goes."""
    nothing_wanted = wanted.side == 1 and goal.side != 1
    far = max(abs(wanted.x - goal.x), abs(wanted.y - goal.y), abs(wanted.side - goal.side))
    return nothing_wanted or far > DEAD_ZONE * goal.side


def _step(at: float, to: float, speed: float, step_s: float) -> tuple[float, float]:
    """Place and speed after a step of critically damped motion, exact for any step; no faster than `FASTEST_PER_S`."""
    away, decay = at - to, math.exp(-RATE_PER_S * step_s)
    drift = (speed + RATE_PER_S * away) * step_s
    after = to + (away + drift) * decay
    speed = (speed - RATE_PER_S * drift) * decay
    most = FASTEST_PER_S * step_s
    if abs(after - at) > most:
        after, speed = at + math.copysign(most, after - at), math.copysign(FASTEST_PER_S, after - at)
    return after, speed
