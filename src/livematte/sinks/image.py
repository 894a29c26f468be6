"""One still image."""

from __future__ import annotations

from pathlib import Path
from types import TracebackType

from livematte._errors import OptionError, SinkError
from livematte._frame import Frame
from livematte._stages import StreamInfo
from livematte.sinks._partial import PartialFile
from livematte.sinks._still import check_kind, image_bytes

DEFAULT_QUALITY = 92
"""Of JPEG and WebP: no blocks to be seen."""


class Image:
    """A PNG, JPEG or WebP of one frame; alpha in PNG and WebP.

    Args:
        path: .png, .jpg, .jpeg or .webp.
        source_info: of the source, so that it is not overwritten.
        quality: of JPEG and WebP, 1-100.
        grey: write luma alone.
        overwrite: replace a file that has the name by the time the picture is written.

    Raises:
        OptionError: another suffix, or a quality out of range.
        SinkError: the place cannot be written to.
    """

    def __init__(
        self,
        path: str | Path,
        *,
        source_info: StreamInfo | None = None,
        quality: int = DEFAULT_QUALITY,
        grey: bool = False,
        overwrite: bool = True,
    ) -> None:
        self._path, self._suffix = path, Path(path).suffix.lower()
        check_kind(self._suffix, quality)
        self._quality, self._grey, self._overwrite = quality, grey, overwrite
        self._source = getattr(source_info, "path", None)
        self._partial: PartialFile | None = None
        self._written = 0

    def __enter__(self) -> Image:
        self._partial = PartialFile(self._path, self._source, overwrite=self._overwrite)
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
                    raise SinkError(f"no frame was written, so there is no {self._path}")
                partial.keep()
        finally:
            partial.drop()

    def write(self, frame: Frame) -> None:
        if self._partial is None:
            raise SinkError("the image is not open: write inside `with`")
        if self._written:
            raise SinkError(f"{self._path} holds one picture, and there are more; write to a folder such as out/")
        data = image_bytes(frame, self._suffix, quality=self._quality, grey=self._grey)
        try:
            self._partial.hidden.write_bytes(data)
        except OSError as exc:
            raise SinkError(f"cannot write {self._path}: {exc.strerror}") from exc
        self._written += 1


def create(
    argument: str | None,
    *,
    source_info: StreamInfo | None = None,
    quality: int = DEFAULT_QUALITY,
    grey: bool = False,
    overwrite: bool = True,
) -> Image:
    """`image:PATH`, or just a PATH with an image's suffix."""
    if not argument:
        raise OptionError("image needs a path, as in image:out.png")
    return Image(argument, source_info=source_info, quality=quality, grey=grey, overwrite=overwrite)
