"""An effect of your own: the room in black and white, the person in colour.

python examples/custom_effect.py clip.mp4 out.mp4
"""

from __future__ import annotations

import sys
from dataclasses import dataclass, replace

import numpy as np

from livematte import Frame, Matte, PixelFormat, run
from livematte._session import build_stages
from livematte._stages import State
from livematte.effects import Look
from livematte.sinks import open_sink
from livematte.sources import open_source


@dataclass(frozen=True)
class Grey(Look):
    """Paints the plate: the frame's luma with neutral chroma. What is shown of it is decided by the matte."""

    def plate(self, frame: Frame, matte: Matte, state: State) -> tuple[Frame, State]:
        luma = frame.luma()
        if frame.format is PixelFormat.RGB:
            return frame.with_planes((luma, luma, luma)), state
        neutral = np.full_like(frame.planes[1], 128)
        return replace(frame, planes=(luma, neutral, neutral)), state


def custom_effect(clip: str, out: str) -> None:
    """Write `clip` to `out` with its room in black and white."""
    source = open_source(clip)
    run(source, build_stages(effect=Grey()), open_sink(out, source_info=source.info))


if __name__ == "__main__":
    custom_effect(*sys.argv[1:3])
