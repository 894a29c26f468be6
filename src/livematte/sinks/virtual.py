"""A virtual camera by whichever way this machine has: `--out virtual`.

On Linux a v4l2loopback device, which every program sees, if there is one; else PipeWire. On Windows and macOS
pyvirtualcam.
"""

from __future__ import annotations

import sys
from collections.abc import Callable

from livematte import _pipewire
from livematte._errors import LivematteError, OptionError, SinkError
from livematte._stages import Sink, StreamInfo


def create(argument: str | None, *, source_info: StreamInfo | None = None, reconnect: bool = False) -> Sink:
    """`virtual`, as a sink of the first way that works.

    Args:
        argument: none.
        source_info: of the source.
        reconnect: of PipeWire's camera; the others have nothing that could go and come back.

    Raises:
        SinkError: no way works; names each, why, and what to do.
        OptionError: an argument.
    """
    if argument:
        raise OptionError(f"virtual takes no argument; say v4l2:{argument} or pipewire:{argument}")
    refused = []
    for name, choose in _ways():
        try:
            return choose(source_info, reconnect)
        except LivematteError as exc:
            refused.append(f"{name}: {exc}")
    raise SinkError(
        f"no virtual camera can be offered. {' | '.join(refused)} | Without one: --out preview:page shows the output "
        "in a browser, --out talk.mp4 records it"
    )


def _ways() -> list[tuple[str, Callable[[StreamInfo | None, bool], Sink]]]:
    system: str = sys.platform
    if system == "linux":
        return [("v4l2loopback", _v4l2), ("PipeWire", _pipewire_camera)]  # pyvirtualcam has v4l2loopback alone
    return [("pyvirtualcam", _pyvirtualcam)]


def _v4l2(source_info: StreamInfo | None, reconnect: bool) -> Sink:
    from livematte.sinks.v4l2 import V4L2

    return V4L2(source_info=source_info)


def _pipewire_camera(source_info: StreamInfo | None, reconnect: bool) -> Sink:
    from livematte.sinks.pipewire import PipeWire

    try:
        _pipewire.check()
    except _pipewire.NoPipeWire as exc:
        raise SinkError(str(exc)) from exc
    return PipeWire(source_info=source_info, reconnect=reconnect)


def _pyvirtualcam(source_info: StreamInfo | None, reconnect: bool) -> Sink:
    from livematte.sinks.pyvirtualcam import PyVirtualCam

    return PyVirtualCam(source_info=source_info)
