"""Runs under the fake camera: a real read by FFmpeg of a device that hangs, in three ways. Prints what it saw."""

from __future__ import annotations

import itertools
import os
import sys
from pathlib import Path

from livematte import DeviceLost, OpenError
from livematte._capture import Capture
from livematte.sources._device import Device
from livematte.sources._silence import Silence
from livematte.sources.camera import QUICK_START

LONGEST_S = 0.3


def device(path: str) -> Device:
    options = {**QUICK_START, "video_size": "64x48", "framerate": "30", "input_format": "yuyv422"}
    return Device("the camera", path, "v4l2", options, silence=Silence("the camera", path, LONGEST_S))


def main() -> None:
    path = sys.argv[1]
    wire = os.open(path, os.O_RDWR)

    os.write(wire, b"ffff")  # FFmpeg looks at the first while it opens
    with device(path) as camera:
        frames = iter(camera)
        luma = {int(frame.planes[0][5, 5]) for frame in itertools.islice(frames, 3)}
        print("frames", luma)
        try:
            next(frames)
        except DeviceLost as exc:
            print("lost", exc)

    os.write(wire, b"fx")
    try:
        with device(path) as camera:
            next(iter(camera))
    except DeviceLost as exc:
        print("pulled", exc)

    try:
        device(path)
    except OpenError as exc:
        print("open", exc)

    with Capture(lambda: device(path)) as capture:
        for opening in (1, 2, 3):
            os.write(wire, b"ff")  # it is not opened yet: at first not wanted, then lost a moment ago
            capture.want(True)
            while (taken := capture.take(30)) is None:
                pass
            print("opening", taken.opening == opening)
            while capture.state != "lost":
                capture.take(30)
    ours = [file for file in Path("/proc/self/fd").iterdir() if os.path.realpath(file) == path]
    print("left open", len(ours) - 1)  # but the wire


main()
