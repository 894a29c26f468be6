"""Sources: where frames come from. One file each; `_template.py` shows how.

`open_source()` chooses by the spelling: `-` is a raw pipe, a folder holds images, an
image's suffix is a still, `NAME:ARGUMENT` names a source, an address with `://` is a stream,
and all else is a video file.
"""

from __future__ import annotations

import inspect
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

from livematte import _registry
from livematte._errors import OptionError
from livematte._stages import Source, StreamInfo

IMAGE_SUFFIXES = (".avif", ".bmp", ".heic", ".jpeg", ".jpg", ".pgm", ".png", ".ppm", ".tif", ".tiff", ".webp")
"""Names that are stills. A .gif is read as a video, which it may be."""


@dataclass(frozen=True, slots=True)
class FileInfo(StreamInfo):
    """What is known of a stream that lies on disk.

    Args:
        path: the file or folder, so that a sink can refuse to write over its own input.
        aspect: width of a pixel by its height; a video file is written with the same.
        names: of a folder's images, in their order; a folder of images is written with the same.
    """

    path: str | None = None
    aspect: Fraction = Fraction(1)
    names: tuple[str, ...] = ()


def open_source(spec: str | Path, **options: Any) -> Source:
    """The source that `spec` means, opened and checked.

    Args:
        spec: path, `-`, or `file:`, `image:`, `folder:`, `raw:`, `synthetic:` and more
            with an argument.
        options: of that source; those that are None count as not given, and `format`
            is for raw pipes alone.

    Raises:
        OpenError: missing, unreadable, or no pictures in it.
        OptionError: an option the source does not have, or a bad value.
    """
    name, argument = source_name(str(spec))
    module = _registry.load("sources", name)
    given = {key: value for key, value in options.items() if value is not None and (key != "format" or name == "raw")}
    check_options("source", name, module.create, given)
    source: Source = module.create(argument, **given)
    return source


def source_name(spec: str) -> tuple[str, str | None]:
    """Registry name and argument of a spelling."""
    if spec == "-":
        return "raw", None
    path = Path(spec)
    if not path.exists():
        name, argument = _registry.split(spec)
        if argument is not None and argument.startswith("//") and name not in _registry.names("sources"):
            return "stream", spec
        if argument is not None and name in _registry.names("sources"):
            return source_name(argument) if name == "file" and argument else (name, argument)
    if path.is_dir():
        return "folder", spec
    return ("image" if path.suffix.lower() in IMAGE_SUFFIXES else "file"), spec


def check_options(kind: str, name: str, create: Any, given: dict[str, Any]) -> None:
    """Refuse options that a plugin does not have.

    Raises:
        OptionError: names the first one and those there are.
    """
    parameters = inspect.signature(create).parameters.values()
    if any(parameter.kind is parameter.VAR_KEYWORD for parameter in parameters):
        return
    known = sorted(parameter.name for parameter in parameters if parameter.kind is parameter.KEYWORD_ONLY)
    for key in given:
        if key not in known:
            has = f"it has {', '.join(known)}" if known else "it has none"
            raise OptionError(f"the {kind} {name!r} has no option {key!r}; {has}")


def parse_fps(value: Fraction | float | str) -> Fraction:
    """Frames a second, from `30`, `29.97`, `30000/1001`.

    Raises:
        OptionError: not a number above 0, or above 1000.
    """
    try:
        fps = Fraction(value).limit_denominator(1001)
    except (ValueError, ZeroDivisionError, OverflowError):
        fps = Fraction(0)
    if not 0 < fps <= 1000:
        raise OptionError(f"fps must be a number above 0 and up to 1000, as in 30 or 30000/1001; got {value!r}")
    return fps
