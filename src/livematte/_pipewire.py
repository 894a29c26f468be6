"""PipeWire, as far as cameras go: what its graph holds, and pipelines of GStreamer that end in it.

PipeWire's own tools (`pw-dump`) and GStreamer's (`gst-launch-1.0`) do the work in processes of their own: a
crash of a media plug-in is the end of a pipeline, not of us.
"""

from __future__ import annotations

import json
import shutil
import subprocess
from dataclasses import dataclass
from typing import Any

from livematte._child import Child

TOOLS = ("gst-launch-1.0", "gst-inspect-1.0", "pw-dump")
PLUGINS = ("pipewiresrc", "pipewiresink", "rawvideoparse", "videoconvert", "y4menc")

INSTALL = (
    "Debian and Ubuntu: apt install pipewire wireplumber gstreamer1.0-pipewire gstreamer1.0-tools "
    "gstreamer1.0-plugins-base gstreamer1.0-plugins-good; Fedora: dnf install pipewire-gstreamer pipewire-utils "
    "gstreamer1 gstreamer1-plugins-base gstreamer1-plugins-good"
)
"""What brings all of it."""

ASK_S = 3.0
"""A daemon that does not answer for this long counts as not there; it takes 10 ms."""


@dataclass(frozen=True, slots=True)
class Node:
    """A camera of PipeWire's graph.

    Args:
        id: of this moment, used again for others later.
        serial: of this node alone, as long as the daemon runs.
        name: for programs; description: for people.
        jpeg: whether it has JPEG pictures alone.
        device: of a V4L2 camera, as in `/dev/video0`.
        ours: whether it is a camera that livematte offers.
    """

    id: int
    serial: str
    name: str
    description: str
    jpeg: bool = False
    device: str | None = None
    ours: bool = False


class NoPipeWire(Exception):
    """Something is missing; the message says what, and where it comes from."""


def check() -> None:
    """Find out whether cameras can be read and offered.

    Raises:
        NoPipeWire: a program, a plug-in or the daemon is missing.
    """
    missing = [tool for tool in TOOLS if shutil.which(tool) is None]
    if missing:
        raise NoPipeWire(f"{', '.join(missing)} not found; {INSTALL}")
    for plugin in PLUGINS:
        # PipeWire's plug-ins have PipeWire's version, 0.3.x, and count as too old by default
        inspect = ["gst-inspect-1.0", "--exists", "--atleast-version=0.0", plugin]
        if subprocess.run(inspect, check=False, capture_output=True).returncode != 0:
            raise NoPipeWire(f"GStreamer has no {plugin}; {INSTALL}")
    graph()


def graph() -> list[dict[str, Any]]:
    """All objects of PipeWire's graph, as `pw-dump` prints them.

    Raises:
        NoPipeWire: no daemon answers.
    """
    try:
        done = subprocess.run(["pw-dump"], check=False, capture_output=True, timeout=ASK_S)
        objects = parse_dump(done.stdout.decode(errors="replace")) if done.returncode == 0 else []
    except FileNotFoundError as exc:
        raise NoPipeWire(f"pw-dump not found; {INSTALL}") from exc
    except (OSError, subprocess.TimeoutExpired, ValueError) as exc:
        raise NoPipeWire("PipeWire does not answer; is this a session of its user?") from exc
    if not objects:
        raise NoPipeWire("no PipeWire daemon runs in this session; start it: systemctl --user start pipewire")
    return objects


def parse_dump(text: str) -> list[dict[str, Any]]:
    """The objects that `pw-dump` printed: a list, and further ones of what changed while it was at work, in which an
    object without `info` has gone.

    Raises:
        ValueError: it is not JSON.
    """
    objects: dict[int, dict[str, Any]] = {}
    decoder, text = json.JSONDecoder(), text.strip()
    while text:
        part, end = decoder.raw_decode(text)
        text = text[end:].lstrip()
        for item in part:
            if item.get("info") is None and item["id"] in objects:
                del objects[item["id"]]
            else:
                objects[item["id"]] = item
    return list(objects.values())


def cameras() -> list[Node]:
    """The cameras of the graph, those that programs offer included."""
    found = []
    for item in graph():
        props = _props(item)
        if item.get("type") == "PipeWire:Interface:Node" and props.get("media.class") == "Video/Source":
            name = str(props.get("node.name", item["id"]))
            found.append(
                Node(
                    id=int(item["id"]),
                    serial=str(props.get("object.serial", item["id"])),
                    name=name,
                    description=str(props.get("node.description", name)),
                    jpeg=_jpeg_alone(item),
                    device=props.get("api.v4l2.path"),
                    ours="livematte.id" in props,
                )
            )
    return found


def readers(key: str, value: str) -> int | None:
    """How many read the node whose property `key` is `value`; None if it is not in the graph."""
    objects = graph()
    ids = {item["id"] for item in objects if _props(item).get(key) == value and _is(item, "Node")}
    if not ids:
        return None
    links = [item.get("info") or {} for item in objects if _is(item, "Link")]
    return len({link.get("input-node-id") for link in links if link.get("output-node-id") in ids})


def structure(props: dict[str, str]) -> str:
    """Properties as gst-launch-1.0 reads them: every byte that is no letter or digit is escaped twice, once for its
    grammar and once for GstStructure, so that no name can become an element."""

    def quoted(text: str) -> str:
        return "".join(chr(b) if chr(b).isalnum() and b < 128 else f"\\\\{b:03o}" for b in text.encode())

    return '"p,' + ",".join(f'{key}=(string)\\"{quoted(value)}\\"' for key, value in props.items()) + '"'


def pipeline(elements: list[str], *, feed: bool) -> Child:
    """A running gst-launch-1.0 that reads what we feed it, or whose output we read."""
    # --no-fault: a plug-in that crashes ends the process, which would otherwise wait for a debugger
    return Child(["gst-launch-1.0", "--quiet", "--no-fault", *elements], feed=feed)


def _is(item: dict[str, Any], kind: str) -> bool:
    return bool(item.get("type") == f"PipeWire:Interface:{kind}")


def _props(item: dict[str, Any]) -> dict[str, Any]:
    """Properties of an object; one that is going has none."""
    props: dict[str, Any] = (item.get("info") or {}).get("props") or {}
    return props


def _jpeg_alone(item: dict[str, Any]) -> bool:
    formats = ((item.get("info") or {}).get("params") or {}).get("EnumFormat") or []
    kinds = {entry.get("mediaSubtype") for entry in formats if isinstance(entry, dict)}
    return kinds == {"mjpg"}
