"""A PipeWire session of the tests' own: bus, daemon and session manager, in a folder that goes away."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

TOOLS = ("dbus-daemon", "pipewire", "wireplumber", "pw-dump", "gst-launch-1.0", "gst-inspect-1.0")
START_S = 20.0
"""Given to a daemon to come up; it takes a tenth of a second."""


def until(done: Callable[[], Any], what: str) -> Any:
    """What `done` gives, once it is true; a failure that says `what` did not come."""
    end = time.monotonic() + START_S
    while time.monotonic() < end:
        if value := done():
            return value
        time.sleep(0.05)
    pytest.fail(f"{what} did not come within {START_S:g} s")


@pytest.fixture(scope="session")
def wait_until() -> Callable[[Callable[[], Any], str], Any]:
    return until


@pytest.fixture(scope="module")
def pipewire() -> Iterator[dict[str, str]]:
    """The environment in which programs find the session; it is this process's, too."""
    missing = [tool for tool in TOOLS if shutil.which(tool) is None]
    if missing:
        pytest.skip(f"{', '.join(missing)} not found; scripts/live-tools installs them on Debian")
    from livematte import _pipewire

    folder = tempfile.mkdtemp(prefix="pw-")  # short: the path of a socket has 107 bytes at most
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_RUNTIME_DIR", folder)
        started: list[subprocess.Popen[Any]] = []

        def start(*command: str) -> subprocess.Popen[Any]:
            out = subprocess.PIPE if command[0] == "dbus-daemon" else subprocess.DEVNULL
            process = subprocess.Popen(command, stdout=out, stderr=subprocess.DEVNULL, text=True)
            started.append(process)
            return process

        def answers() -> bool:
            try:
                clients = [item for item in _pipewire.graph() if item["type"].endswith(":Client")]
            except _pipewire.NoPipeWire:
                return False
            names = {(item["info"].get("props") or {}).get("application.name") for item in clients}
            return any("WirePlumber" in str(name) for name in names)

        try:
            bus = start("dbus-daemon", "--session", "--nofork", "--print-address=1")
            patch.setenv("DBUS_SESSION_BUS_ADDRESS", bus.stdout.readline().strip())
            start("pipewire")
            until(lambda: os.path.exists(f"{folder}/pipewire-0"), "PipeWire's socket")  # noqa: PTH110
            start("wireplumber")
            until(answers, "WirePlumber")
            yield dict(os.environ)
        finally:
            for process in reversed(started):
                process.terminate()
                process.wait()
                if process.stdout:
                    process.stdout.close()
            shutil.rmtree(folder, ignore_errors=True)
