"""A live stream whose time is turned by hand."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any

import numpy as np

from livematte import (
    Color,
)
from livematte._clock import ManualClock
from livematte._live import Live

spec = importlib.util.spec_from_file_location("live_parts", Path(__file__).parent / "parts.py")
parts = importlib.util.module_from_spec(spec)
spec.loader.exec_module(parts)

GREEN, BLUE = Color("green"), Color("blue")
ROOM_CORNER = (slice(0, 8), slice(300, 320))
PERSON = (slice(150, 175), slice(130, 190))


def timed(effect: Any = GREEN, **options: Any) -> tuple[Live, Any, Any, ManualClock]:
    """A stream whose time is turned by hand: the stream, its output, network and clock."""
    clock = ManualClock()
    network = options.pop("model", None) or parts.Figure(clock=clock)
    out = parts.Output()
    out.resizes = options.pop("resizes", False)
    live = Live(lambda: None, out, model=network, effect=effect, clock=clock, size=parts.SIZE, **options)
    live._capture = parts.TimedCamera(clock, live._shape)
    live._parts.exchange()
    return live, live._sink, network, clock


def steps(live: Live, out: Any, count: int) -> list[Any]:
    """The next frames of a stream."""
    before = len(out.frames)
    while len(out.frames) < before + count:
        live.step(out)
    return out.frames[before:]


def loaded(live: Live) -> None:
    """Wait until no network is on its way."""
    thread = live._parts._loader._thread
    if thread is not None:
        thread.join(30)


def colour(frame: Any) -> tuple[int, ...]:
    """Of the corner, where nobody is."""
    return tuple(int(np.median(plane[:4, -4:])) for plane in frame.planes)


def plain(effect: Color) -> tuple[int, ...]:
    from livematte._shape import Shape

    return colour(effect.plate(Shape(parts.SIZE).card(), None, None)[0])
