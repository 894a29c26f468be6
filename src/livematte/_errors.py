"""What can go wrong, as one tree.

    LivematteError
    ├─ UnknownName(LookupError)      ├─ SourceError   OpenError, DeviceLost
    ├─ MissingExtra(ImportError)     ├─ SinkError
    ├─ OptionError(ValueError)       ├─ WeightsError  DownloadError, ChecksumMismatch
    ├─ FrameError(ValueError)        └─ EngineError   LoadError, InferenceError

Every message says what was got, what was expected and what to do.
"""


class LivematteError(Exception):
    """Root of every error this package raises on purpose."""


class UnknownName(LivematteError, LookupError):
    """A model, engine, effect, source or sink that no file provides."""


class MissingExtra(LivematteError, ImportError):
    """An optional dependency is not installed; the message holds the pip line."""


class OptionError(LivematteError, ValueError):
    """An option outside its range, or one that contradicts another."""


class FrameError(LivematteError, ValueError):
    """Pixels of a shape, type or layout that cannot be a frame or a matte."""


class SourceError(LivematteError):
    """Reading failed."""


class OpenError(SourceError):
    """The input is missing, unreadable or holds no video."""


class DeviceLost(SourceError):
    """A live device stopped delivering."""


class SinkError(LivematteError):
    """Writing failed; nothing was left under the output's name."""


class WeightsError(LivematteError):
    """The weights of a model are missing or unusable."""


class DownloadError(WeightsError):
    """The weights' address did not deliver them."""


class ChecksumMismatch(WeightsError):
    """The bytes that arrived are not the ones that were published."""


class EngineError(LivematteError):
    """An inference engine failed."""


class LoadError(EngineError):
    """The engine could not load the graph."""


class InferenceError(EngineError):
    """The graph did not produce a matte for this frame; the frame is covered."""
