"""A folder of images, which keep their names or are numbered."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType

from livematte._alike import alike
from livematte._errors import OptionError, SinkError
from livematte._frame import Frame
from livematte._stages import StreamInfo
from livematte.sinks._partial import PartialFolder
from livematte.sinks._still import check_kind, image_bytes, own_suffix
from livematte.sinks.image import DEFAULT_QUALITY

DEFAULT_NAME = "%05d.png"
"""Five digits: half an hour at 50 frames a second, and then six."""


class Folder:
    """Images in a folder that appears when all are written.

    They are numbered from 1. Those that were read from a folder keep their names, and their formats where these are
    written and hold them, else they are PNG; unless the path has a form of names.

    Args:
        path: the folder (`out/`), or with the form of the names (`out/person-%04d.webp`).
        source_info: of the source: the names.
        quality: of JPEG and WebP, 1-100.
        grey: write luma alone.

    Raises:
        OptionError: a name without exactly one %d, or with a suffix that is no image; names of the source that
            differ in their suffixes, or in capitals, alone.
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
        self._names = () if "%" in str(path) else getattr(source_info, "names", ())
        check_names(self._names, f"{folder.rstrip('/')}/{DEFAULT_NAME}")
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
        name = self._name % (self._written + 1)
        if self._written < len(self._names):
            name = renamed(self._names[self._written], alpha=frame.alpha is not None, grey=self._grey)
        data = image_bytes(frame, Path(name).suffix.lower(), quality=self._quality, grey=self._grey)
        try:
            (self._partial.hidden / name).write_bytes(data)
        except OSError as exc:
            raise SinkError(f"cannot write image {self._written + 1} to {self._folder}: {exc.strerror}") from exc
        self._written += 1


def renamed(name: str, *, alpha: bool, grey: bool) -> str:
    """The name of what becomes of the picture `name`; see `own_suffix`."""
    path = Path(name)
    return path.stem + own_suffix(path.suffix, alpha=alpha, grey=grey)


def check_names(names: Sequence[str], numbered: str) -> None:
    """Refuse names of pictures of which two might become one; see `alike`.

    Args:
        numbered: how an output is written whose pictures are numbered, for the message.

    Raises:
        OptionError: names the two.
    """
    if two := alike(names, lambda name: Path(name).stem):
        raise OptionError(
            f"{two[0]} and {two[1]} might both become {Path(two[1]).stem}.png; rename one of them, or number the "
            f"pictures: {numbered}"
        )


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
