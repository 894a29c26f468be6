"""Only the people nearest the camera stay."""

from __future__ import annotations

from livematte import kernels
from livematte._fade import step
from livematte._frame import Frame
from livematte._matte import Matte
from livematte._stages import State

LEAVE, ENTER = 0.3, 0.4
"""Area, as part of the largest person's, below which somebody who is seen goes, and from
which somebody who is not seen comes. People twice as far away are a quarter as large, so
they go; two who sit side by side both stay."""

FADE_S = 0.5
"""From seen to not seen, in seconds, and back. The guided filter, which makes edges steeper,
shows the middle of it: 0.2 s at softness 0.3."""


class Nearest:
    """Fades connected parts of the matte out that are small beside the largest.

    Parts are followed from frame to frame. Who comes into the picture is not seen before
    they are large enough; who is at the start of a stream is seen at once, or not at all.

    Source: docs/spec/kernels.md, "who stays".
    """

    def refine(self, frame: Frame, matte: Matte, state: State) -> tuple[Matte, State]:
        """State: the last frame's time in seconds, and for each pixel which part it was of
        and how much of it was seen, float32 at network size."""
        now_s = frame.pts * frame.time_base
        before, fade = None, 1.0
        if state is not None and state[1][0].shape == matte.alpha.shape:
            before, fade = state[1], step(now_s, state[0], FADE_S)
        alpha, parts = kernels.who_stays(matte.alpha, before, fade, LEAVE, ENTER)
        return matte.with_alpha(alpha), (now_s, parts)
