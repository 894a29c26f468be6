"""Copy this file to `sources/NAME.py`: its name is the source's name (`NAME:ARGUMENT`).

The contract (`_stages.Source`): `info` is filled when the object is made; frames come
upright, in order of time, with strictly rising pts of one time base; what breaks off
raises SourceError and says how far it got; nothing is written to a frame once given.
"""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from types import TracebackType

import numpy as np

from livematte._frame import Frame, Size
from livematte._stages import StreamInfo


class Template:
    """Ten black frames.

    Args:
        frames: how many.

    Raises:
        OpenError: say here when it cannot be opened.
    """

    def __init__(self, *, frames: int = 10) -> None:
        self._frames = frames
        self.info = StreamInfo(Size(16, 16), Fraction(25), frames, Fraction(1, 25))

    def __enter__(self) -> Template:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, trace: TracebackType | None
    ) -> None:
        pass  # free the device or the decoder; twice is fine

    def __iter__(self) -> Iterator[Frame]:
        for index in range(self._frames):
            y, u, v = np.full((16, 16), 16, np.uint8), np.full((8, 8), 128, np.uint8), np.full((8, 8), 128, np.uint8)
            yield Frame((y, u, v), pts=index, time_base=Fraction(1, 25))


def create(argument: str | None, *, frames: int = 10) -> Template:
    """`NAME` or `NAME:ARGUMENT`; keyword-only arguments are its options."""
    return Template(frames=frames)
