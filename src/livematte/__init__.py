"""livematte: real-time person matting for video.

from livematte import Session, Blur
session = Session(effect=Blur(0.6))
out = session.process(rgb)          # (h, w, 3) uint8 in and out
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from livematte._errors import (
        ChecksumMismatch,
        DeviceLost,
        DownloadError,
        EngineError,
        FrameError,
        InferenceError,
        LivematteError,
        LoadError,
        MissingExtra,
        OpenError,
        OptionError,
        SinkError,
        SourceError,
        UnknownName,
        WeightsError,
    )
    from livematte._frame import ColorMatrix, ColorRange, Frame, PixelFormat, Size
    from livematte._matte import Matte
    from livematte._pipeline import every, latest, run
    from livematte._session import Session
    from livematte.effects.blur import Blur
    from livematte.effects.color import Color
    from livematte.effects.grey import Grey
    from livematte.effects.image import Image
    from livematte.effects.off import Off
    from livematte.effects.transparent import Transparent
    from livematte.effects.video import Video

__version__ = "0.1.0"

__all__ = [
    "Blur",
    "ChecksumMismatch",
    "Color",
    "ColorMatrix",
    "ColorRange",
    "DeviceLost",
    "DownloadError",
    "EngineError",
    "Frame",
    "FrameError",
    "Grey",
    "Image",
    "InferenceError",
    "LivematteError",
    "LoadError",
    "Matte",
    "MissingExtra",
    "Off",
    "OpenError",
    "OptionError",
    "PixelFormat",
    "Session",
    "SinkError",
    "Size",
    "SourceError",
    "Transparent",
    "UnknownName",
    "Video",
    "WeightsError",
    "every",
    "latest",
    "run",
]

_HOMES = {
    "_errors": (
        "ChecksumMismatch DeviceLost DownloadError EngineError FrameError InferenceError LivematteError "
        "LoadError MissingExtra OpenError OptionError SinkError SourceError UnknownName WeightsError"
    ),
    "_frame": "ColorMatrix ColorRange Frame PixelFormat Size",
    "_matte": "Matte",
    "_pipeline": "every latest run",
    "_session": "Session",
    "effects.blur": "Blur",
    "effects.color": "Color",
    "effects.grey": "Grey",
    "effects.image": "Image",
    "effects.off": "Off",
    "effects.transparent": "Transparent",
    "effects.video": "Video",
}
"""Module and names of the public API. Each is loaded when it is first asked for: NumPy takes a tenth of a second, in
which the command line must already know what Ctrl-C means."""

_HOME_OF = {name: module for module, names in _HOMES.items() for name in names.split()}


def __getattr__(name: str) -> Any:
    if name not in _HOME_OF:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(importlib.import_module(f"{__name__}.{_HOME_OF[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
