"""One still image: a stream of one frame."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from types import TracebackType

from livematte._errors import OptionError
from livematte._frame import Frame
from livematte.sources import FileInfo
from livematte.sources._still import read_image


class Image:
    """A still in any format FFmpeg reads, as one RGB frame at time 0.

    Args:
        path: of the file.
        keep_broken: take what a damaged file still shows.

    Raises:
        OpenError: missing, damaged, or not an image.
    """

    def __init__(self, path: str | Path, *, keep_broken: bool = False) -> None:
        self._frame = read_image(path, keep_broken=keep_broken)
        self.info = FileInfo(size=self._frame.size, frames=1, time_base=self._frame.time_base, path=str(path))

    def __enter__(self) -> Image:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, trace: TracebackType | None
    ) -> None:
        pass

    def __iter__(self) -> Iterator[Frame]:
        yield self._frame


def create(argument: str | None, *, keep_broken: bool = False) -> Image:
    """`image:PATH`, or just a PATH with an image's suffix."""
    if not argument:
        raise OptionError("image needs a path, as in image:portrait.jpg")
    return Image(argument, keep_broken=keep_broken)
