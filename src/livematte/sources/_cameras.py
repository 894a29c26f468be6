"""Cameras of every kind in one list: V4L2's (or the system's) and, on Linux, those that PipeWire alone has.

PipeWire shows V4L2 cameras, too; here they are V4L2's. What is left are those of libcamera, which newer laptops
have, and those that programs offer.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass

from livematte import _pipewire
from livematte._errors import OpenError
from livematte.sources import camera as cameras
from livematte.sources._v4l2 import Camera, Mode


@dataclass(frozen=True, slots=True)
class Listed:
    """A camera that is there.

    Args:
        spec: what `--input` takes, as in `camera:0` or `pipewire:NAME`.
        name: for people.
        where: device, or what has it.
        modes: what it can do; empty where the system does not tell.
    """

    spec: str
    name: str
    where: str
    modes: tuple[Mode, ...] = ()


def listed() -> list[Listed]:
    """The cameras of this machine, but for our own output."""
    there = cameras.found()
    found = [Listed(f"camera:{camera.index}", camera.name, camera.path, camera.modes) for camera in there]
    return found + [Listed(f"pipewire:{node.name}", node.description, "PipeWire") for node in _nodes(there)]


def spec_of(named: str | None) -> str:
    """How the camera of that number, path or name is spelled; of none, the first there is.

    A name that both have is V4L2's. One that nobody has is left to the source, whose error lists what there is.

    Raises:
        OpenError: several PipeWire cameras are called so.
    """
    there = cameras.found()
    if named is None:
        nodes = [] if there else _nodes(there)
        return f"pipewire:{nodes[0].name}" if nodes else "camera:"
    try:
        cameras.choose(named, there)
    except OpenError as exc:
        nodes = _nodes(there)
        same = [node for node in nodes if named in {node.name, node.description}]
        alike = same or [node for node in nodes if named.lower() in f"{node.name}\n{node.description}".lower()]
        if len(alike) > 1:
            listed = ", ".join(node.name for node in alike)
            raise OpenError(f"several cameras are called {named!r}: {listed}; name one of them") from None
        if alike:
            return f"pipewire:{alike[0].name}"
        if nodes:
            listed = ", ".join(f"{node.name} ({node.description})" for node in nodes)
            raise OpenError(f"{exc}; PipeWire has {listed}") from exc
    return f"camera:{named}"


def _nodes(there: list[Camera]) -> list[_pipewire.Node]:
    """PipeWire's cameras that are not V4L2's; none where there is no PipeWire."""
    if sys.platform != "linux":
        return []
    try:
        nodes = _pipewire.cameras()
    except _pipewire.NoPipeWire:
        return []
    paths = {camera.path for camera in there}
    return [node for node in nodes if node.device not in paths and not node.ours]
