"""Cameras: V4L2 on Linux, AVFoundation on macOS, DirectShow on Windows, all read by FFmpeg."""

from __future__ import annotations

import difflib
import platform
import sys
from fractions import Fraction

from livematte._errors import OpenError, OptionError
from livematte._frame import Size
from livematte.sources import parse_fps
from livematte.sources._device import Device
from livematte.sources._v4l2 import Camera, Mode, cameras

GROUP = " (those of the group video may)" if sys.platform == "linux" else ""

DEFAULT_SIZE, DEFAULT_FPS = Size(1280, 720), Fraction(30)

TIMEOUT_S = 5.0
"""Silence after which a camera is lost and opened again, as a stream is; the plate has covered it long before."""

PIXELS = {"mjpeg": "MJPG", "yuyv": "YUYV", "nv12": "NV12"}
"""What `pixels` may be, and the four letters that V4L2 knows it by."""

FFMPEG = {"mjpeg": "mjpeg", "yuyv": "yuyv422", "nv12": "nv12"}
"""The same in FFmpeg's words."""

QUICK_START = {"analyzeduration": "0", "fpsprobesize": "0"}
"""What a camera gives is known before its first frame."""


def found() -> list[Camera]:
    """The cameras of this machine."""
    system = platform.system()
    if system == "Linux":
        return cameras()
    import av
    from av.error import FFmpegError

    try:
        listed = av.enumerate_input_devices("avfoundation" if system == "Darwin" else "dshow")
    except (FFmpegError, OSError, ValueError):
        return []
    videos = [device for device in listed if "video" in device.media_types or not device.media_types]
    return [Camera(index, device.name, device.description or device.name) for index, device in enumerate(videos)]


def choose(name: str, there: list[Camera]) -> Camera:
    """The camera of a number, a path, or a name or part of one.

    Raises:
        OpenError: none of them, or several; the message lists those there are.
    """
    for camera in there:
        if name in (str(camera.index), camera.path, camera.name):
            return camera
    alike = [camera for camera in there if name.lower() in camera.name.lower()]
    if len(alike) == 1 and not name.isdigit():
        return alike[0]
    if not there:
        raise OpenError(f"there is no camera {name!r}: none is plugged in, or none may be seen by this user{GROUP}")
    listed = ", ".join(f"{camera.index} ({camera.name})" for camera in there)
    near = difflib.get_close_matches(name, [camera.name for camera in there], n=1)
    hint = f"did you mean {near[0]!r}? " if near else ""
    what = "several cameras are" if len(alike) > 1 else "no camera is"
    raise OpenError(f"{what} called {name!r}; {hint}there are: {listed}")


def named(argument: str | None) -> Camera:
    """The camera that `camera:ARGUMENT` means; the first there is without one.

    Raises:
        OpenError: there is none.
    """
    there = found()
    return there[0] if not argument and there else choose(argument or "0", there)


def best_mode(modes: tuple[Mode, ...], size: Size, fps: Fraction) -> Mode | None:
    """The mode that gives most of what is wanted with the least work; None of a camera that tells none.

    Fast enough comes first, then large enough and the nearest size, then pictures that need no
    decoding.
    """
    known = [mode for mode in modes if mode.pixels in PIXELS.values()]

    def rank(mode: Mode) -> tuple[bool, bool, int, int]:
        slow = mode.fps is not None and mode.fps < fps * Fraction(9, 10)
        small = mode.size.width < size.width or mode.size.height < size.height
        away = abs(mode.size.width * mode.size.height - size.width * size.height)
        return slow, small, away, ("NV12", "YUYV", "MJPG").index(mode.pixels)

    return min(known, key=rank, default=None)


def create(
    argument: str | None,
    *,
    size: Size | None = None,
    fps: Fraction | float | str | None = None,
    pixels: str | None = None,
) -> Device:
    """`camera:0`, `camera:/dev/video2`, `camera:NAME`; `camera:` is the first there is.

    Args:
        argument: number, path, name or part of the name.
        size: asked of the camera, which gives the nearest it has.
        fps: asked of the camera.
        pixels: `mjpeg`, `yuyv` or `nv12`; None takes what needs the least work at this size and rate.

    Raises:
        OpenError: no such camera, or it is in use.
        OptionError: a value that no camera has.
    """
    if pixels is not None and pixels not in PIXELS:
        raise OptionError(f"pixels must be {', '.join(PIXELS)}, got {pixels!r}")
    wanted, rate = size or DEFAULT_SIZE, parse_fps(fps or DEFAULT_FPS)
    camera = named(argument)
    modes = tuple(mode for mode in camera.modes if pixels is None or mode.pixels == PIXELS[pixels])
    if pixels is not None and camera.modes and not modes:
        has = ", ".join(sorted({mode.pixels for mode in camera.modes}))
        raise OptionError(f"{camera.name} gives no {pixels}; it gives {has}")
    mode = best_mode(modes, wanted, rate)
    if mode is not None:
        wanted, pixels = mode.size, next(name for name, code in PIXELS.items() if code == mode.pixels)
    what, silence = f"camera {camera.index} ({camera.name})", None
    if platform.system() == "Linux":
        from livematte.sources._silence import Silence

        silence = Silence(what, camera.path, TIMEOUT_S)
    return Device(
        what,
        *_input(camera, wanted, rate, pixels),
        silence=silence,
        hint="another program may be using it; `livematte live --list` shows what there is",
    )


def _input(camera: Camera, size: Size, fps: Fraction, pixels: str | None) -> tuple[str, str, dict[str, str]]:
    """Address, format and options for FFmpeg."""
    options = {**QUICK_START, "video_size": str(size), "framerate": f"{fps.numerator}/{fps.denominator}"}
    system = platform.system()
    if system == "Linux":
        kind = {"input_format": FFMPEG[pixels]} if pixels else {}
        return camera.path, "v4l2", options | kind
    if system == "Darwin":
        kind = {"pixel_format": FFMPEG[pixels]} if pixels and pixels != "mjpeg" else {}
        return f"{camera.index}:none", "avfoundation", options | kind
    kind = {"vcodec": "mjpeg"} if pixels == "mjpeg" else {"pixel_format": FFMPEG[pixels]} if pixels else {}
    return f"video={camera.path}", "dshow", options | kind
