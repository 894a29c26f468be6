"""A PipeWire session of the tests' own: bus, daemon and session manager, in a folder that goes away."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
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


class Session:
    """Bus, daemon and session manager, which a test may end and start again.

    Args:
        folder: where its sockets lie; short, since the path of a socket has 107 bytes at most.
        patch: sets the environment in which programs find it.
    """

    def __init__(self, folder: str, patch: pytest.MonkeyPatch) -> None:
        self._folder, self._started = Path(folder), []  # type: ignore[var-annotated]
        patch.setenv("XDG_RUNTIME_DIR", folder)
        bus = self._start("dbus-daemon", "--session", "--nofork", "--print-address=1")
        patch.setenv("DBUS_SESSION_BUS_ADDRESS", bus.stdout.readline().strip())

    def begin(self) -> None:
        """Start daemon and session manager, and wait for both."""
        self._start("pipewire")
        until((self._folder / "pipewire-0").exists, "PipeWire's socket")
        self._start("wireplumber")
        until(self._answers, "WirePlumber")

    def end(self, keep: int = 1) -> None:
        """End them, as a crash does; the bus stays."""
        for process in reversed(self._started[keep:]):
            process.kill() if keep else process.terminate()
            process.wait()
            if process.stdout:
                process.stdout.close()
        del self._started[keep:]
        for socket in self._folder.glob("pipewire-0*"):  # a daemon that was killed leaves its own
            socket.unlink()

    def _start(self, *command: str) -> subprocess.Popen[Any]:
        out = subprocess.PIPE if command[0] == "dbus-daemon" else subprocess.DEVNULL
        process = subprocess.Popen(command, stdout=out, stderr=subprocess.DEVNULL, text=True)
        self._started.append(process)
        return process

    def _answers(self) -> bool:
        from livematte import _pipewire

        try:
            clients = [item for item in _pipewire.graph() if item["type"].endswith(":Client")]
        except _pipewire.NoPipeWire:
            return False
        names = {(item["info"].get("props") or {}).get("application.name") for item in clients}
        return any("WirePlumber" in str(name) for name in names)


@pytest.fixture(scope="module")
def session() -> Iterator[Session]:
    """A running session; it is this process's, too."""
    missing = [tool for tool in TOOLS if shutil.which(tool) is None]
    if missing:
        pytest.skip(f"{', '.join(missing)} not found; scripts/live-tools installs them on Debian")
    folder = tempfile.mkdtemp(prefix="pw-")
    with pytest.MonkeyPatch.context() as patch:
        own = Session(folder, patch)
        try:
            own.begin()
            yield own
        finally:
            own.end(keep=0)
            shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="module")
def pipewire(session: Session) -> dict[str, str]:
    """The environment in which programs find the session."""
    return dict(os.environ)
