#!/usr/bin/env python3
"""The camera's clip: a real person, looped. A y4m of I420 frames.

    python clip.py OUTPUT.y4m WIDTH HEIGHT FPS

Shared media where present (LIVEMATTE_SHARED or ../shared), else scikit-image's portrait, panned.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import av
import cv2
import numpy as np
import skimage

SECONDS = 2
ROOT = Path(__file__).resolve().parents[2]
CLIP = Path(os.environ.get("LIVEMATTE_SHARED") or ROOT.parent / "shared") / "media" / "sign-want.mkv"


def frames(width: int, height: int, count: int) -> Iterator[av.VideoFrame]:
    """`count` pictures of somebody, cut to cover the size."""
    if CLIP.exists():
        with av.open(str(CLIP)) as container:
            pictures = [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]
    else:
        portrait = cv2.imread(str(Path(skimage.__file__).parent / "data" / "astronaut.png"))[..., ::-1]
        pictures = [np.roll(portrait, round(12 * np.sin(index / 8)), axis=1) for index in range(50)]
    for index in range(count):
        picture = pictures[index % len(pictures)]
        scale = max(width / picture.shape[1], height / picture.shape[0])
        matrix = np.array(
            [[scale, 0, (width - scale * picture.shape[1]) / 2], [0, scale, (height - scale * picture.shape[0]) / 2]]
        )
        yield av.VideoFrame.from_ndarray(cv2.warpAffine(picture, matrix, (width, height)), format="rgb24")


def main(path: Path, width: int, height: int, fps: int) -> None:
    """Write the clip; it has its name when it is complete."""
    part = path.with_suffix(".part")
    with part.open("wb") as file:
        file.write(f"YUV4MPEG2 W{width} H{height} F{fps}:1 Ip A1:1 C420jpeg\n".encode())
        for frame in frames(width, height, SECONDS * fps):
            file.write(b"FRAME\n" + frame.reformat(format="yuv420p").to_ndarray().tobytes())
    part.replace(path)


if __name__ == "__main__":
    main(Path(sys.argv[1]), *map(int, sys.argv[2:5]))
