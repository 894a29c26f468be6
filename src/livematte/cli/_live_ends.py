"""The two ends of `livematte live`: what it reads, and where it writes."""

from __future__ import annotations

import json
from collections.abc import Callable
from fractions import Fraction
from typing import TYPE_CHECKING, Any

import typer

from livematte._errors import OpenError, OptionError

if TYPE_CHECKING:
    from livematte._frame import Size
    from livematte._stages import Sink, Source, StreamInfo

RECORDINGS = ("file", "folder", "synthetic")
"""Sources that are played at their own speed, as if they came from a camera."""

RECORDED = ("file", "raw")
"""Sinks whose frames are played back later at a constant rate; others show a frame when it comes."""


def sink_of(out: str, info: StreamInfo, overwrite: bool = True) -> Sink:
    """The output, as a live stream needs it: pushes connect again, and what is played back later has a constant rate.

    Raises:
        LivematteError: there is no such output, or it cannot be had here.
    """
    from livematte._live import DEFAULT_FPS
    from livematte.sinks import open_sink, sink_name
    from livematte.sinks._constant import ConstantRate

    sink = open_sink(out, source_info=info, reconnect=True, overwrite=overwrite)
    if sink_name(out, info)[0] not in RECORDED:
        return sink
    return ConstantRate(sink, info.fps or Fraction(DEFAULT_FPS).limit_denominator(1001))


def source_of(
    spec: str, size: Size | None, fps: float | None, pixels: str | None, wait: bool
) -> tuple[Callable[[], Source], StreamInfo]:
    """What opens the source, and what is known of it: a camera is asked for what is wanted, all else is
    opened once to see."""
    from livematte._live import DEFAULT_FPS
    from livematte._shape import UNKNOWN_SIZE
    from livematte._stages import StreamInfo
    from livematte.sources import open_source, source_name
    from livematte.sources._paced import Paced
    from livematte.sources.camera import named

    name, argument = source_name(spec)
    if name == "camera":
        if not wait:  # it may be opened much later, when somebody looks
            named(argument)
        wanted, rate = size or UNKNOWN_SIZE, Fraction(fps or DEFAULT_FPS).limit_denominator(1001)
        return lambda: open_source(spec, size=wanted, fps=rate, pixels=pixels), StreamInfo(wanted, rate)
    if pixels is not None:
        raise OptionError(f"--pixels is for cameras, and {spec} is none")
    options: dict[str, Any] = {"fps": fps} if name in {"screen", "synthetic"} else {}
    if name == "screen":
        options["size"] = size

    def opened() -> Source:
        source = open_source(spec, **options)
        return Paced(source) if name in RECORDINGS else source

    try:
        first = [opened()]
    except OpenError:
        if not wait:
            raise
        return opened, StreamInfo(size or UNKNOWN_SIZE, Fraction(fps or DEFAULT_FPS).limit_denominator(1001))
    return lambda: first.pop() if first else opened(), first[0].info


def list_cameras(as_json: bool) -> None:
    """Print the cameras and what they can do."""
    from dataclasses import asdict

    from livematte.sources._cameras import listed
    from livematte.sources.camera import GROUP

    cameras = listed()
    if as_json:
        typer.echo(json.dumps([asdict(camera) for camera in cameras], default=float))
        return
    for camera in cameras:
        typer.echo(f"{camera.spec}  {camera.name}  ({camera.where})")
        for mode in camera.modes:
            typer.echo(
                f"    {mode.pixels:<5} {mode.size!s:>9}  {f'{float(mode.fps):g} fps' if mode.fps else ''}".rstrip()
            )
    if not cameras:
        where = "--input takes a file, a screen or a stream in place of one"
        typer.echo(f"no camera is plugged in, or none may be seen by this user{GROUP}; {where}", err=True)
