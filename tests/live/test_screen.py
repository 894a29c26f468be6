"""`screen:` of a real X server: rectangles are drawn on it, by X's own protocol, and looked for in the frames."""

from __future__ import annotations

import itertools
import os
import shutil
import socket
import struct
import subprocess
from pathlib import Path

import numpy as np
import pytest

from livematte import DeviceLost, OpenError, Size
from livematte.sources import open_source

SCREEN = Size(640, 360)
BACK = (32, 64, 96)
DRAWN = {(200, 30, 30): (20, 10, 100, 60), (30, 180, 60): (500, 20, 80, 80), (40, 50, 220): (60, 250, 200, 90)}
"""Colour of a rectangle, and its left, top, width and height."""

TOLERANCE = 6
"""Code values, for the way through limited range and 8 bits."""

LOSSY = 24
"""The same through H.264."""

POINTER_PX = 32
"""The mouse pointer lies within so many pixels of its place, which is the middle at first."""


class Display:
    """The least of an X client: fills rectangles of the root window (X Window System Protocol, X11R6, appendix B)."""

    def __init__(self, number: int) -> None:
        self._socket = socket.socket(socket.AF_UNIX)
        self._socket.connect(f"/tmp/.X11-unix/X{number}")
        self._socket.sendall(struct.pack("<BxHHHHxx", ord("l"), 11, 0, 0, 0))
        kind, length = struct.unpack("<B5xH", self._read(8))
        assert kind == 1, "the X server refuses"
        setup = self._read(4 * length)
        self._context, vendor, formats = struct.unpack_from("<4xI8xH3xB", setup)  # the first of our own identifiers
        self._root = struct.unpack_from("<I", setup, 32 + (vendor + 3) // 4 * 4 + 8 * formats)[0]
        self._socket.sendall(struct.pack("<BxHIII", 55, 4, self._context, self._root, 0))  # CreateGC

    def fill(self, rgb: tuple[int, int, int], left: int, top: int, width: int, height: int) -> None:
        pixel = int.from_bytes(bytes(rgb), "big")
        self._socket.sendall(struct.pack("<BxHIII", 56, 4, self._context, 4, pixel))  # ChangeGC, foreground
        place = struct.pack("<hhHH", left, top, width, height)
        self._socket.sendall(struct.pack("<BxHII", 70, 5, self._root, self._context) + place)  # PolyFillRectangle
        self._socket.sendall(struct.pack("<BxH", 43, 1))  # GetInputFocus: its answer comes after all of it
        assert self._read(32)[0] == 1, "the X server could not draw"

    def close(self) -> None:
        self._socket.close()

    def _read(self, count: int) -> bytes:
        data = b""
        while len(data) < count:
            data += self._socket.recv(count - len(data)) or pytest.fail("the X server has gone")
        return data


@pytest.fixture
def server(monkeypatch):
    """An X server with a picture on its screen."""
    if shutil.which("Xvfb") is None:
        pytest.skip("Xvfb not found; scripts/live-tools installs it on Debian")
    ours, theirs = os.pipe()
    command = ["Xvfb", "-displayfd", str(theirs), "-screen", "0", f"{SCREEN}x24", "-nolisten", "tcp", "-noreset"]
    process = subprocess.Popen(command, pass_fds=(theirs,), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    os.close(theirs)
    try:
        with os.fdopen(ours) as told:
            number = int(told.readline())
        monkeypatch.setenv("DISPLAY", f":{number}")
        display = Display(number)
        display.fill(BACK, 0, 0, *SCREEN)
        for rgb, place in DRAWN.items():
            display.fill(rgb, *place)
        yield process
        display.close()
    finally:
        process.terminate()
        process.wait()


def expected(left=0, top=0, size=SCREEN):
    picture = np.full((SCREEN.height, SCREEN.width, 3), BACK, np.uint8)
    for rgb, (x, y, width, height) in DRAWN.items():
        picture[y : y + height, x : x + width] = rgb
    return picture[top : top + size.height, left : left + size.width]


def assert_same(frame, want, but_for=None, tolerance=TOLERANCE):
    """The same but for the rims of rectangles, where chroma is shared, and the mouse pointer."""
    away = abs(frame.to_rgb().astype(int) - want).max(axis=2)
    flat = np.ones(away.shape, bool)
    for shift in itertools.product((-2, -1, 0, 1, 2), repeat=2):
        flat &= (want == np.roll(want, shift, (0, 1))).all(axis=2)
    if but_for is not None:
        x, y = but_for
        flat[y - POINTER_PX : y + POINTER_PX, x - POINTER_PX : x + POINTER_PX] = False
    assert flat.mean() > 0.8
    assert away[flat].max() <= tolerance


def test_all_of_it(server):
    with open_source("screen:", fps=30) as screen:
        frames = list(itertools.islice(screen, 3))
    assert screen.info.size == SCREEN
    for frame in frames:
        assert frame.size == SCREEN
        assert_same(frame, expected(), but_for=(SCREEN.width // 2, SCREEN.height // 2))


@pytest.mark.parametrize("part", [(0, 0, 160, 90), (480, 10, 120, 100), (41, 231, 160, 128)])
def test_a_part(part, server):
    left, top, *size = part
    size = Size(*size)
    with open_source(f"screen:{size}+{left}+{top}", fps=30) as screen:
        frame = next(iter(screen))
    assert frame.size == size
    assert_same(frame, expected(left, top, size))


def test_beyond_the_screen_is_an_error(server):
    with pytest.raises(OpenError, match="cannot open the screen"):
        open_source("screen:640x360+100+0")


def test_a_server_that_goes_is_a_loss(server):
    with open_source("screen:64x36") as screen:
        frames = iter(screen)
        next(frames)
        server.kill()
        server.wait()
        with pytest.raises(DeviceLost, match="the screen is gone"):
            list(frames)


def test_live_takes_it(server, livematte, tmp_path: Path):
    """The command, with the effect that changes nothing, so that what was on the screen can be told."""
    out, part = tmp_path / "out.mp4", Size(160, 90)
    words = (
        "--input",
        f"screen:{part}+0+0",
        "--effect",
        "off",
        "--fps",
        30,
        "--seconds",
        1,
        "--no-governor",
        "-o",
        out,
    )
    code, _, said = livematte("live", *words)
    assert (code, said) == (0, "")
    with open_source(out) as clip:
        *_, last = clip
    assert_same(last, expected(0, 0, part), tolerance=LOSSY)
