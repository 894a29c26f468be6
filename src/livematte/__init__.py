"""livematte: real-time person matting for video.

from livematte import Session, Blur
session = Session(effect=Blur(0.6))
out = session.process(rgb)          # (h, w, 3) uint8 in and out
"""

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
