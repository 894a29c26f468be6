"""A folder of images as a video."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from types import TracebackType

from livematte._errors import OpenError, OptionError, SourceError
from livematte._frame import Frame
from livematte.sources import IMAGE_SUFFIXES, FileInfo, parse_fps
from livematte.sources._still import read_image


class Folder:
    """Every image of a folder in natural order (`9.png` before `10.png`), as RGB frames.

    Other files, hidden ones and sub-folders are passed over. Images may differ in size.

    Args:
        path: the folder.
        fps: frames a second of the video they make.
        keep_broken: take what damaged files still show.

    Raises:
        OpenError: no such folder, or no image in it.
        OptionError: fps is no positive number.
    """

    def __init__(self, path: str | Path, *, fps: Fraction | float | str = 25, keep_broken: bool = False) -> None:
        self._fps = parse_fps(fps)
        self._keep_broken = keep_broken
        self._files = images(Path(path))
        if not self._files:
            raise OpenError(f"there is no image in {path}; known are {', '.join(IMAGE_SUFFIXES)}")
        self.info = FileInfo(
            size=read_image(self._files[0], keep_broken=keep_broken).size,
            fps=self._fps,
            frames=len(self._files),
            time_base=1 / self._fps,
            path=str(path),
            names=tuple(file.name for file in self._files),
        )

    def __enter__(self) -> Folder:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, trace: TracebackType | None
    ) -> None:
        pass

    def __iter__(self) -> Iterator[Frame]:
        for index, path in enumerate(self._files):
            try:
                frame = read_image(path, keep_broken=self._keep_broken)
                yield replace(frame, pts=index, time_base=1 / self._fps)
            except OpenError as exc:
                raise SourceError(f"after {index} images of {len(self._files)}: {exc}") from exc


def images(folder: Path) -> list[Path]:
    """Images of a folder in natural order. Hidden ones are passed over: they may be half written.

    Raises:
        OpenError: the folder cannot be read.
    """
    try:
        files = [p for p in folder.iterdir() if p.suffix.lower() in IMAGE_SUFFIXES and not p.name.startswith(".")]
    except OSError as exc:
        raise OpenError(f"cannot read the folder {folder}: {exc.strerror}") from exc
    return sorted(files, key=natural_key)


def natural_key(path: Path) -> tuple[list[tuple[int, int, str]], str]:
    """Sorts runs of digits by their value, the rest as letters whatever their case."""
    parts = re.findall(r"(\d+)|(\D+)", path.name)
    return [(0, int(digits), "") if digits else (1, 0, rest.lower()) for digits, rest in parts], path.name


def create(argument: str | None, *, fps: Fraction | float | str = 25, keep_broken: bool = False) -> Folder:
    """`folder:PATH`, or just the PATH of a folder."""
    if not argument:
        raise OptionError("folder needs a path, as in folder:frames")
    return Folder(argument, fps=fps, keep_broken=keep_broken)
