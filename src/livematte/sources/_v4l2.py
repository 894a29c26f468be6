"""Cameras of Linux and what they can do, asked of the kernel itself.

Source: the kernel's Video for Linux API, include/uapi/linux/videodev2.h: VIDIOC_QUERYCAP,
VIDIOC_ENUM_FMT, VIDIOC_ENUM_FRAMESIZES, VIDIOC_ENUM_FRAMEINTERVALS.
"""

from __future__ import annotations

import os
import re
import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

from livematte._frame import Size

Ioctl = Callable[[int, int, bytearray], object]

QUERYCAP = 0x80685600
"""_IOR('V', 0, struct v4l2_capability): driver[16] card[32] bus_info[32], then six u32."""

ENUM_FMT = 0xC0405602
"""_IOWR('V', 2, struct v4l2_fmtdesc): index, type, flags, description[32], pixelformat, 4 more u32."""

ENUM_FRAMESIZES = 0xC02C564A
"""_IOWR('V', 74, struct v4l2_frmsizeenum): index, pixel_format, type, a union of 6 u32, 2 more u32."""

ENUM_FRAMEINTERVALS = 0xC034564B
"""_IOWR('V', 75, struct v4l2_frmivalenum): index, pixel_format, width, height, type, a union of 6 u32, 2 more u32."""

CAPABILITY = struct.Struct("=16s32s32s6I")
FORMAT = struct.Struct("=3I32s5I")
FRAME_SIZE = struct.Struct("=3I6I2I")
FRAME_INTERVAL = struct.Struct("=5I6I2I")

CAPTURE = 1
"""V4L2_BUF_TYPE_VIDEO_CAPTURE, and the bit of V4L2_CAP_VIDEO_CAPTURE."""

OF_THIS_NODE = 0x80000000
"""V4L2_CAP_DEVICE_CAPS: a camera has several nodes, and `device_caps` tells this one's part."""

DISCRETE = 1
"""Type of sizes and intervals that are listed one by one; others are ranges."""

MOST = 256
"""Entries that a driver is asked for at most."""

USUAL = (Size(320, 240), Size(640, 480), Size(1280, 720), Size(1920, 1080))
"""Sizes named of a camera that takes any size in a range."""


@dataclass(frozen=True, slots=True)
class Mode:
    """One thing that a camera can do.

    Args:
        pixels: four letters, such as MJPG, YUYV or NV12.
        size: of its pictures.
        fps: highest rate; None where the driver does not tell.
    """

    pixels: str
    size: Size
    fps: Fraction | None


@dataclass(frozen=True, slots=True)
class Camera:
    """A camera that is there.

    Args:
        index: as in `camera:0`.
        path: of its device, or the name FFmpeg knows it by.
        name: for people.
        modes: what it can do; empty where the system does not tell.
    """

    index: int
    path: str
    name: str
    modes: tuple[Mode, ...] = ()


def cameras(
    folder: Path = Path("/sys/class/video4linux"), devices: Path = Path("/dev"), ioctl: Ioctl | None = None
) -> list[Camera]:
    """Every capture device, by its number. One that may not be opened has the name that sysfs gives, and no modes.

    Args:
        folder: where the kernel lists video devices.
        devices: where they are opened.
        ioctl: asks the kernel.
    """
    found = []
    nodes = [path for path in folder.glob("video*") if re.fullmatch(r"video\d+", path.name)] if folder.is_dir() else []
    for node in sorted(nodes, key=lambda path: int(path.name[5:])):
        path, index = devices / node.name, int(node.name[5:])
        try:
            name = (node / "name").read_text(encoding="utf-8", errors="replace").strip()
        except OSError:
            name = node.name
        try:
            camera = _ask(index, path, ioctl or kernel)
        except OSError:
            camera = Camera(index, str(path), name)
        if camera is not None:
            found.append(camera)
    return found


def _ask(index: int, path: Path, ioctl: Ioctl) -> Camera | None:
    """A camera and its modes; None for a device that captures nothing."""
    file = os.open(path, os.O_RDWR | os.O_NONBLOCK)
    try:
        answer = bytearray(CAPABILITY.size)
        ioctl(file, QUERYCAP, answer)
        _, card, _, _, whole, part, *_ = CAPABILITY.unpack(answer)
        if not (part if whole & OF_THIS_NODE else whole) & CAPTURE:
            return None
        name = card.split(b"\0")[0].decode(errors="replace")
        return Camera(index, str(path), name, tuple(_modes(file, ioctl)))
    finally:
        os.close(file)


def _modes(file: int, ioctl: Ioctl) -> Iterator[Mode]:
    for entry in _entries(file, ioctl, ENUM_FMT, FORMAT, (CAPTURE,)):
        code = entry[4]
        pixels = struct.pack("<I", code).decode("latin-1").strip()
        for size in _sizes(file, ioctl, code):
            yield Mode(pixels, size, _fastest(file, ioctl, code, size))


def _sizes(file: int, ioctl: Ioctl, code: int) -> list[Size]:
    found = []
    for _, _, kind, *union in _entries(file, ioctl, ENUM_FRAMESIZES, FRAME_SIZE, (code,)):
        if kind != DISCRETE:  # one entry: least and most width and their step, then height's
            least, most = Size(union[0], union[3]), Size(union[1], union[4])
            return [
                size
                for size in (*USUAL, most)
                if least.width <= size.width <= most.width and size.height <= most.height
            ]
        found.append(Size(union[0], union[1]))
    return found


def _fastest(file: int, ioctl: Ioctl, code: int, size: Size) -> Fraction | None:
    """The highest rate: the shortest interval, which stands first in a range."""
    rates = []
    for entry in _entries(file, ioctl, ENUM_FRAMEINTERVALS, FRAME_INTERVAL, (code, *size)):
        numerator, denominator = entry[5:7]
        if numerator:
            rates.append(Fraction(denominator, numerator))
        if entry[4] != DISCRETE:
            break
    return max(rates, default=None)


def _entries(
    file: int, ioctl: Ioctl, request: int, layout: struct.Struct, asked: tuple[int, ...]
) -> Iterator[tuple[int, ...]]:
    """What the driver lists, until it says that there is no more (EINVAL)."""
    for index in range(MOST):
        answer = bytearray(layout.size)
        struct.pack_into(f"={1 + len(asked)}I", answer, 0, index, *asked)
        try:
            ioctl(file, request, answer)
        except OSError:
            return
        yield layout.unpack(answer)


def kernel(file: int, request: int, answer: bytearray) -> object:
    """Ask a driver; `answer` is changed in place."""
    import fcntl

    return fcntl.ioctl(file, request, answer, True)
