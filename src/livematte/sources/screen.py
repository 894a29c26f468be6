"""The screen: x11grab on Linux, AVFoundation on macOS, gdigrab on Windows."""

from __future__ import annotations

import os
import platform
import re
from fractions import Fraction

from livematte._errors import OpenError, OptionError
from livematte._frame import Size
from livematte.sources import parse_fps
from livematte.sources._device import Device

DEFAULT_FPS = 30

PLACE = re.compile(r"(?:(\d+)x(\d+))?(?:\+(\d+)\+(\d+))?")
"""`1280x720+100+50`: a size, and where its left upper corner is."""


def create(argument: str | None, *, fps: Fraction | float | str | None = None, size: Size | None = None) -> Device:
    """`screen:` for all of it, `screen:1280x720+100+50` for a part.

    Args:
        argument: the part.
        fps: pictures a second.
        size: of the part, where the argument tells none.

    Raises:
        OpenError: there is no screen that may be read.
        OptionError: not a part of a screen.
    """
    match = PLACE.fullmatch(argument or "")
    if match is None:
        raise OptionError(f"screen takes a size and a place, as in screen:1280x720+100+50; got {argument!r}")
    width, height, left, top = match.groups()
    part = Size(int(width), int(height)) if width else size
    url, format, options, hint = _input(part, (int(left or 0), int(top or 0)))
    rate = parse_fps(fps or DEFAULT_FPS)
    options["framerate"] = f"{rate.numerator}/{rate.denominator}"
    return Device("the screen", url, format, options, hint=hint)


def _input(part: Size | None, place: tuple[int, int]) -> tuple[str, str, dict[str, str], str]:
    """Address, format and options for FFmpeg, and what to do when it fails."""
    size = {"video_size": str(part)} if part else {}
    system = platform.system()
    if system == "Darwin":
        return "Capture screen 0:none", "avfoundation", {}, "allow screen recording in System Settings, Privacy"
    if system == "Windows":
        left, top = place
        return "desktop", "gdigrab", {**size, "offset_x": str(left), "offset_y": str(top)}, ""
    display = os.environ.get("DISPLAY")
    if not display:
        raise OpenError(
            "there is no X display (DISPLAY is not set); on Wayland share the screen through PipeWire: pipewire:NAME"
        )
    return f"{display}+{place[0]},{place[1]}", "x11grab", size, "is the X server running, and may you read it?"
