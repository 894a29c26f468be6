"""A picture of the empty room decides what the network is unsure of."""

from __future__ import annotations

from pathlib import Path

from livematte import kernels
from livematte._errors import OptionError
from livematte._fade import step
from livematte._frame import F32, U8, Frame, Size
from livematte._matte import Matte
from livematte._stages import State

TRUSTED_S = 0.5
"""From not trusted to trusted, in seconds, once the camera stands still again; the other way
it takes no time."""

STRETCH = 0.01
"""By how much the room's width to height may differ from the frame's."""


class Room:
    """Sharpens the matte by the difference between a frame and the empty room.

    Where the network is unsure and the frame differs from the room, there is somebody; where
    it does not differ, nobody. Light that changed as a whole is allowed for. Where the camera
    moved the matte stays as the network gave it. What is surely room stays room, what is
    surely a person stays a person.

    Args:
        picture: the room without people, of the frames' shape, in any size; read once, here. A path, RGB uint8
            (h, w, 3), or a frame.

    Raises:
        OpenError: missing or not an image.
        FrameError: an array that is no RGB picture.

    Source: docs/spec/kernels.md, "room".
    """

    def __init__(self, picture: str | Path | U8 | Frame) -> None:
        if isinstance(picture, Frame):
            self._picture = picture
        elif isinstance(picture, (str, Path)):
            from livematte.sources._still import read_image

            self._picture = read_image(picture)
        else:
            self._picture = Frame.from_rgb(picture)
        self._small: dict[Size, F32] = {}  # one for each of the network's few sizes

    def refine(self, frame: Frame, matte: Matte, state: State) -> tuple[Matte, State]:
        """State: the last frame's time in seconds, and how far the room was trusted then.

        Raises:
            OptionError: the room is of another shape than the frames.
        """
        now_s = frame.pts * frame.time_base
        before, rise = (state[1], step(now_s, state[0], TRUSTED_S)) if state else (None, 1.0)
        alpha, trust = kernels.room(frame.rgb(matte.size), self._at(frame, matte.size), matte.alpha, before, rise)
        return matte.with_alpha(alpha), (now_s, trust)

    def _at(self, frame: Frame, size: Size) -> F32:
        """The room at the network's size, (h, w, 3)."""
        own = self._picture.size
        if not same_shape(own, frame.size):
            raise OptionError(
                f"the picture of the room is {own}, frames are {frame.size}: take it with the same camera, "
                f"so that width to height is the same"
            )
        if size not in self._small:
            self._small[size] = self._picture.rgb(size)
        return self._small[size]


def same_shape(room: Size, frame: Size) -> bool:
    """Whether width to height are the same, but for `STRETCH` and for the pixel that halving may round away."""
    width = room.width * frame.height / room.height
    return abs(width - frame.width) <= max(STRETCH * frame.width, 1)
