"""PipeWire, as far as cameras go: what its graph holds, and pipelines of GStreamer that end in it.

PipeWire's own tools (`pw-dump`) and GStreamer's (`gst-launch-1.0`) do the work in processes of their own: a
crash of a media plug-in is the end of a pipeline, not of us.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import threading
from collections import deque
from dataclasses import dataclass
from typing import Any

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

STOP_S = 2.0
"""Given to a pipeline to end before it is killed."""

LAST_WORDS = 8
"""Lines of a pipeline's errors that are kept."""


@dataclass(frozen=True, slots=True)
class Node:
    """A camera of PipeWire's graph.

    Args:
        id: of this moment, used again for others later.
        serial: of this node alone, as long as the daemon runs.
        name: for programs; description: for people.
        jpeg: whether it has JPEG pictures alone.
    """

    id: int
    serial: str
    name: str
    description: str
    jpeg: bool = False


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
        objects: list[dict[str, Any]] = json.loads(done.stdout) if done.returncode == 0 else []
    except FileNotFoundError as exc:
        raise NoPipeWire(f"pw-dump not found; {INSTALL}") from exc
    except (OSError, subprocess.TimeoutExpired, ValueError) as exc:
        raise NoPipeWire("PipeWire does not answer; is this a session of its user?") from exc
    if not objects:
        raise NoPipeWire("no PipeWire daemon runs in this session; start it: systemctl --user start pipewire")
    return objects


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


class Pipeline:
    """A running gst-launch-1.0.

    Args:
        elements: its arguments.
        feed: whether it reads what we write to `stdin`; otherwise we read its `stdout`.
    """

    def __init__(self, elements: list[str], *, feed: bool) -> None:
        # --no-fault: a plug-in that crashes ends the process, which would otherwise wait for a debugger
        self._process = subprocess.Popen(
            ["gst-launch-1.0", "--quiet", "--no-fault", *elements],
            stdin=subprocess.PIPE if feed else subprocess.DEVNULL,
            stdout=subprocess.DEVNULL if feed else subprocess.PIPE,
            stderr=subprocess.PIPE,
            bufsize=0,
            start_new_session=True,  # Ctrl-C is for us; we end it in order
            env=os.environ | {"GST_DEBUG_NO_COLOR": "1"},
        )
        self.stdin, self.stdout = self._process.stdin, self._process.stdout
        self._words: deque[str] = deque(maxlen=LAST_WORDS)
        self._listener = threading.Thread(target=self._listen, name="livematte-gst", daemon=True)
        self._listener.start()

    @property
    def running(self) -> bool:
        """Whether it has not ended."""
        return self._process.poll() is None

    def failed(self) -> bool:
        """Whether it ended by an error; waits a moment for it to end."""
        try:
            return self._process.wait(STOP_S) != 0
        except subprocess.TimeoutExpired:
            return False

    def last_words(self) -> str:
        """Why it ended, on one line."""
        self._listener.join(STOP_S)
        said = next((line for line in self._words if "ERROR" in line or "erroneous" in line), None)
        return said or next(iter(self._words), None) or f"exit code {self._process.poll()}"

    def close(self) -> None:
        """End it; twice is fine."""
        if self.running:
            self._process.terminate()
            try:
                self._process.wait(STOP_S)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
        self._listener.join(STOP_S)
        for pipe in (self.stdin, self.stdout, self._process.stderr):
            if pipe is not None:
                pipe.close()

    def _listen(self) -> None:
        if self._process.stderr is not None:
            for line in self._process.stderr:
                self._words.append(line.decode(errors="replace").strip())


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
