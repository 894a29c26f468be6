"""Sinks: where frames go. One file each; `_template.py` shows how.

`open_sink()` chooses by the spelling: `-` is a raw pipe, a name that ends in / or holds
%d a folder of images, an image's suffix a still, `NAME:ARGUMENT` names a sink, as does
`virtual` or `preview` alone, `rtmp://` and its like are a stream, and all else is a video
file.
"""

from __future__ import annotations

from pathlib import Path
from types import TracebackType
from typing import Any

from livematte import _registry
from livematte._address import without_secrets
from livematte._errors import OptionError, SinkError
from livematte._frame import Frame
from livematte._stages import Sink, StreamInfo

IMAGE_SUFFIXES = (".jpeg", ".jpg", ".png", ".webp")
"""Stills that can be written."""

ALONE = ("null", "pipewire", "preview", "pyvirtualcam", "v4l2", "virtual")
"""Sinks that need no argument: their name is enough, unless a file has it."""

STREAMS = ("rtmp", "rtmps", "rtsp", "srt", "tcp", "udp")
"""How the address of a stream begins."""

FOR_SOME = {
    "audio": ("file",),
    "format": ("raw",),
    "overwrite": ("file", "image"),
    "reconnect": ("pipewire", "stream", "virtual"),
}
"""Options that callers may always pass, and the sinks that they mean something to."""


def open_sink(
    spec: str | Path, *, source_info: StreamInfo | None = None, alpha_only: bool = False, **options: Any
) -> Sink:
    """The sink that `spec` means; nothing is written before it is entered.

    Args:
        spec: path, `-`, `virtual`, `preview`, a stream's address, or `file:`, `image:`, `folder:`,
            `raw:`, `null:` and more with an argument.
        source_info: of the source: rate, sound, and what must not be overwritten.
        alpha_only: write the alpha of frames as a grey picture, in place of the frames.
        options: of that sink; those that are None count as not given, `audio` is for
            video files, `overwrite` for files and images, `format` for raw pipes and `reconnect` for
            streams and virtual cameras alone.

    Raises:
        OptionError: an option the sink does not have, a bad value, or a spelling
            that says no kind of output.
        SinkError: this build of FFmpeg cannot write it.
    """
    from livematte.sources import check_options

    name, argument = sink_name(str(spec), source_info)
    module = _registry.load("sinks", name)
    given = {
        key: value
        for key, value in options.items()
        if value is not None and (key not in FOR_SOME or name in FOR_SOME[key])
    }
    check_options("sink", name, module.create, given)
    if alpha_only and name in {"image", "folder"}:
        given["grey"] = True
    sink: Sink = module.create(argument, source_info=source_info, **given)
    return AlphaOnly(sink) if alpha_only else sink


def sink_name(spec: str, source_info: StreamInfo | None = None) -> tuple[str, str | None]:
    """Registry name and argument of a spelling.

    Raises:
        OptionError: a whole video into one image.
    """
    if spec == "-":
        return "raw", None
    if spec in ALONE and not Path(spec).exists():
        return spec, None
    name, argument = _registry.split(spec)
    if argument is not None and argument.startswith("//") and name in STREAMS:
        return "stream", spec
    if argument is not None and name in _registry.names("sinks") and not Path(spec).exists():
        return sink_name(argument, source_info) if name == "file" and argument else (name, argument)
    if argument is not None and argument.startswith("//"):
        streams = ", ".join(f"{scheme}://" for scheme in STREAMS)
        raise OptionError(f"an output's address begins with {streams}; got {without_secrets(spec)!r}")
    path = Path(spec)
    if spec.endswith(("/", "\\")) or "%" in path.name or path.is_dir():
        return "folder", spec
    if path.suffix.lower() in IMAGE_SUFFIXES:
        if source_info is not None and source_info.frames != 1:
            raise OptionError(
                f"{spec} is one picture and the input a video; write a folder, as in {path.stem}/ or "
                f"{path.stem}/%05d{path.suffix}"
            )
        return "image", spec
    return "file", spec


class AlphaOnly:
    """A sink that gets the alpha of every frame as a grey picture of full range.

    Args:
        sink: what it is written to.
    """

    def __init__(self, sink: Sink) -> None:
        self._sink = sink

    @property
    def notes(self) -> list[str]:
        """What the sink behind has to tell."""
        return list(getattr(self._sink, "notes", []))

    def __enter__(self) -> AlphaOnly:
        self._sink.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._sink.__exit__(kind, exc, trace)

    def write(self, frame: Frame) -> None:
        if frame.alpha is None:
            raise SinkError("only the alpha was asked for, and the frame has none; use the transparent effect")
        from livematte._av import alpha_frame

        self._sink.write(alpha_frame(frame.alpha, frame.pts, frame.time_base))
