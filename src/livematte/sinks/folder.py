"""A folder of numbered images."""

from __future__ import annotations

import re
from pathlib import Path
from types import TracebackType

from livematte._errors import OptionError, SinkError
from livematte._frame import Frame
from livematte._stages import StreamInfo
from livematte.sinks._partial import PartialFolder
from livematte.sinks._still import check_kind, image_bytes
from livematte.sinks.image import DEFAULT_QUALITY

DEFAULT_NAME = "%05d.png"
"""Five digits: half an hour at 50 frames a second, and then six."""


class Folder:
    """Images numbered from 1, in a folder that appears when all are written.

    Args:
        path: the folder (`out/`), or with the form of the names (`out/person-%04d.webp`).
        source_info: not used; every sink takes it.
        quality: of JPEG and WebP, 1-100.
        grey: write luma alone.

    Raises:
        OptionError: a name without exactly one %d, or with a suffix that is no image.
        SinkError: the folder holds something already, or cannot be written to.
    """

    def __init__(
        self,
        path: str | Path,
        *,
        source_info: StreamInfo | None = None,
        quality: int = DEFAULT_QUALITY,
        grey: bool = False,
    ) -> None:
        folder, self._name = split_pattern(str(path))
        self._suffix = Path(self._name).suffix.lower()
        check_kind(self._suffix, quality)
        self._folder, self._quality, self._grey = folder, quality, grey
        self._partial: PartialFolder | None = None
        self._written = 0

    def __enter__(self) -> Folder:
        self._partial = PartialFolder(self._folder)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._partial is None:
            return
        partial, self._partial = self._partial, None
        try:
            if kind is None:
                if not self._written:
                    raise SinkError(f"no frame was written, so there is no {self._folder}")
                partial.keep()
        finally:
            partial.drop()

    def write(self, frame: Frame) -> None:
        if self._partial is None:
            raise SinkError("the folder is not open: write inside `with`")
        data = image_bytes(frame, self._suffix, quality=self._quality, grey=self._grey)
        try:
            (self._partial.hidden / (self._name % (self._written + 1))).write_bytes(data)
        except OSError as exc:
            raise SinkError(f"cannot write image {self._written + 1} to {self._folder}: {exc.strerror}") from exc
        self._written += 1


def split_pattern(path: str) -> tuple[str, str]:
    """Folder and form of the names; the form is `%05d.png` where the path has none.

    Raises:
        OptionError: a form that does not number its images.
    """
    if "%" not in path:
        return path, DEFAULT_NAME
    folder, name = str(Path(path).parent), Path(path).name
    if "%" in folder or len(re.findall(r"%0?\d*d", name)) != 1 or name.count("%") != 1:
        raise OptionError(f"names of images need exactly one number, as in out/%05d.png; got {path!r}")
    return folder, name


def create(
    argument: str | None,
    *,
    source_info: StreamInfo | None = None,
    quality: int = DEFAULT_QUALITY,
    grey: bool = False,
) -> Folder:
    """`folder:PATH`, or just a PATH that ends in / or holds %d."""
    if not argument:
        raise OptionError("folder needs a path, as in folder:out")
    return Folder(argument, source_info=source_info, quality=quality, grey=grey)
