"""Make a short clip out of a portrait: a camera that pans and zooms.

python examples/portrait_clip.py portrait.png clip.mp4
"""

from __future__ import annotations

import math
import sys

import av

WIDTH, HEIGHT, FPS, FRAMES = 640, 480, 30, 90


def portrait_clip(picture: str, clip: str) -> None:
    """Write three seconds of `picture` to `clip` as nearly lossless H.264."""
    with av.open(picture) as source:
        still = next(source.decode(video=0))
    with av.open(clip, "w") as container:
        stream = container.add_stream("libx264", rate=FPS, options={"crf": "12", "preset": "veryfast"})
        stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, "yuv420p"
        for index in range(FRAMES):
            turn = 2 * math.pi * index / FRAMES
            scale = max(WIDTH / still.width, HEIGHT / still.height) * (1.12 - 0.1 * math.cos(turn))
            width, height = round(still.width * scale), round(still.height * scale)
            large = still.reformat(width, height, "rgb24", interpolation="BICUBIC").to_ndarray()
            left = round((width - WIDTH) * (0.5 + 0.4 * math.sin(turn)))
            top = round((height - HEIGHT) * 0.2)
            view = av.VideoFrame.from_ndarray(large[top : top + HEIGHT, left : left + WIDTH], "rgb24")
            container.mux(stream.encode(view))
        container.mux(stream.encode(None))


if __name__ == "__main__":
    portrait_clip(*sys.argv[1:3])
