"""The loop of a live program: frames come one by one, each goes out at once with its room blurred.

    python examples/live_loop.py clip.mp4

A camera read with OpenCV fits in the place of the clip: turn its BGR into RGB and back.
"""

from __future__ import annotations

import sys

import av

from livematte import Blur, Session


def live_loop(clip: str) -> None:
    """Blur every frame of `clip` and say how it went."""
    with Session(effect=Blur(0.6), threads=1) as session, av.open(clip) as camera:
        for picture in camera.decode(video=0):
            rgb = picture.to_ndarray(format="rgb24")  # (h, w, 3) uint8
            out = session.process(rgb)
            show(out)
        print(f"{session.stats.frames} frames, {session.stats.covered} covered, {session.stats.fps:.0f} fps")


def show(rgb: object) -> None:
    """Put the picture on a screen, into a virtual camera, or on the wire."""


if __name__ == "__main__":
    live_loop(sys.argv[1])
