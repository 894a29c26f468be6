"""A V4L2 camera that hangs: FFmpeg waits for it inside the kernel, where its own time limits do not reach.

Two things the kernel documents end the wait. poll() tells whether a picture is there before it is asked for
(Video for Linux API, "poll()"), and VIDIOC_STREAMOFF wakes a VIDIOC_DQBUF that waits already, as it may while the
camera is opened. Both take FFmpeg's own descriptor, which /proc names. A driver that hangs within a call of its own
cannot be helped from outside; its thread is left behind, and the picture stays covered.
"""

from __future__ import annotations

import contextlib
import os
import select
import struct
import threading
from collections.abc import Iterator
from pathlib import Path

from livematte._errors import DeviceLost
from livematte.sources._v4l2 import CAPTURE, Ioctl, kernel

STREAMOFF = 0x40045613
"""_IOW('V', 19, int): the buffer type."""

OPEN_FILES = Path("/proc/self/fd")


class Silence:
    """How long a camera may give nothing.

    Args:
        what: the camera, in messages.
        path: its device.
        longest_s: of opening, and between two pictures.
        ioctl: asks the kernel.
    """

    def __init__(self, what: str, path: str, longest_s: float, ioctl: Ioctl = kernel) -> None:
        self._what, self._path, self._longest_s, self._ioctl = what, path, longest_s, ioctl
        self._before: set[int] = set()
        self._poll: select.poll | None = None
        self._broken = False

    @contextlib.contextmanager
    def opening(self) -> Iterator[None]:
        """While the device is opened: a read of its first picture is ended when it takes too long.

        Raises:
            DeviceLost: it was.
        """
        self._before = set(_opened(self._path))
        timer = threading.Timer(self._longest_s, self._end_streaming)
        timer.daemon = True
        timer.start()
        try:
            yield
        finally:
            timer.cancel()
            if self._broken:
                raise DeviceLost(self._words())
        ours = self._ours()
        if ours:
            self._poll = select.poll()
            self._poll.register(ours[0], select.POLLIN)

    def wait(self) -> None:
        """Wait until a picture can be read, or the reading tells what is wrong.

        Raises:
            DeviceLost: nothing came for too long.
        """
        if self._poll is not None and not self._poll.poll(self._longest_s * 1000):
            raise DeviceLost(self._words())

    def _end_streaming(self) -> None:
        self._broken = True
        for file in self._ours():
            with contextlib.suppress(OSError):  # it is at its end already
                self._ioctl(file, STREAMOFF, bytearray(struct.pack("=I", CAPTURE)))

    def _ours(self) -> list[int]:
        return [file for file in _opened(self._path) if file not in self._before]

    def _words(self) -> str:
        return f"{self._what} gave no picture for {self._longest_s:g} s"


def _opened(path: str) -> list[int]:
    """Descriptors of this process for that device."""
    try:
        wanted, files = Path(path).stat(), [int(file.name) for file in OPEN_FILES.iterdir()]
    except OSError:
        return []
    found = []
    for file in files:
        with contextlib.suppress(OSError):  # the one that listed them is closed by now
            if os.path.samestat(os.fstat(file), wanted):
                found.append(file)
    return found
