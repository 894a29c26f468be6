"""Which streams run on this machine, and how to reach them: one file each, for their user alone."""

from __future__ import annotations

import json
import os
import re
import socket
import stat
import sys
import tempfile
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from urllib.parse import urlsplit

from livematte._errors import LivematteError, OptionError

PRIVATE_DIR = 0o700
"""Nobody but the user may look for a token."""

MOST_STREAMS = 32
"""Of one user."""

MOST_BYTES = 4096
"""Of a file: it holds a few words."""

ANSWER_S = 0.5
"""A server of this machine takes a connection by then."""

NAME = re.compile(r"[a-z][a-z0-9-]{0,31}")


@dataclass(frozen=True, slots=True)
class Running:
    """A stream that can be steered.

    Args:
        name: of the stream, for `--name`.
        pid: of its process.
        url: of its page and API, with a slash at the end.
        token: of this run.
    """

    name: str
    pid: int
    url: str
    token: str

    @property
    def page(self) -> str:
        """Address for a browser. What stands after # is not sent to any server."""
        return f"{self.url}#token={self.token}"

    def __repr__(self) -> str:
        return f"<Running {self.name} pid={self.pid} {self.url}>"


class NotRunning(LivematteError):
    """There is no stream to steer, or it is not clear which."""


def announce(name: str, url: str, token: str) -> tuple[Running, Path]:
    """Let this user's programs find a stream.

    Args:
        name: wanted; a number is added if another process has it.

    Returns:
        What was written, and where; the file is to be removed with `withdraw`.

    Raises:
        OptionError: the folder is not this user's own.
    """
    folder = runtime_dir()
    running()  # files of streams that have ended go
    handle, part = tempfile.mkstemp(dir=folder, prefix=".", suffix=".part")  # readable by this user alone
    try:
        for number in range(1, MOST_STREAMS + 1):
            chosen = name if number == 1 else f"{name}-{number}"
            found, path = Running(chosen, os.getpid(), url, token), folder / f"{chosen}.json"
            Path(part).write_text(json.dumps(asdict(found)), encoding="utf-8")
            with suppress(FileExistsError):  # another stream has this name
                os.link(part, path)
                return found, path
    except OSError as exc:
        raise OptionError(f"cannot write in {folder}: {exc.strerror}; set LIVEMATTE_RUNTIME to another") from exc
    finally:
        os.close(handle)
        Path(part).unlink()
    raise OptionError(f"{MOST_STREAMS} streams are running already")


def withdraw(found: Running, path: Path) -> None:
    """The stream has ended."""
    with suppress(OSError):
        if _read(path) == found:  # not one that has taken its place
            path.unlink()


def running() -> list[Running]:
    """Streams whose process is alive; files of those that have ended are removed."""
    alive = []
    for path in sorted(runtime_dir().glob("*.json"), key=lambda path: path.stem):
        found = _read(path)
        if found is None:
            continue  # somebody else's: LIVEMATTE_RUNTIME may name any folder
        if _is_alive(found):
            alive.append(found)
        else:
            with suppress(OSError):
                path.unlink()
    return alive


def pick(name: str | None) -> Running:
    """The stream called `name`, or the only one.

    Raises:
        NotRunning: there is none, or there are several and none was named.
    """
    found = running()
    names = ", ".join(one.name for one in found)
    if not found:
        raise NotRunning("no stream that can be steered is running; start one: livematte live --control 0")
    if name is None:
        if len(found) > 1:
            raise NotRunning(f"several streams are running: {names}; say which with --name")
        return found[0]
    for one in found:
        if one.name == name:
            return one
    raise NotRunning(f"no stream is called {name!r}; running: {names}")


def runtime_dir() -> Path:
    """Folder of what exists only while programs run; made for this user alone.

    Raises:
        OptionError: somebody else made it, or others can look into it.
    """
    folder = _place()
    try:
        folder.mkdir(mode=PRIVATE_DIR, parents=True, exist_ok=True)
        about = folder.lstat()
    except OSError as exc:
        raise OptionError(f"cannot make the folder {folder}: {exc.strerror}; set LIVEMATTE_RUNTIME to another") from exc
    if not stat.S_ISDIR(about.st_mode):
        raise OptionError(f"{folder} is not a folder; set LIVEMATTE_RUNTIME to another")
    if sys.platform != "win32" and (about.st_uid != os.getuid() or stat.S_IMODE(about.st_mode) & 0o077):
        raise OptionError(f"{folder} must be this user's own and closed to others: chmod 700, or set LIVEMATTE_RUNTIME")
    return folder


def _place() -> Path:
    if own := os.environ.get("LIVEMATTE_RUNTIME"):
        return Path(own)
    if sys.platform == "win32":
        return Path(os.environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local") / "livematte" / "run"
    if runtime := os.environ.get("XDG_RUNTIME_DIR"):
        return Path(runtime) / "livematte"
    return Path(tempfile.gettempdir()) / f"livematte-{os.getuid()}"


def _read(path: Path) -> Running | None:
    """What a file says; None if it says nothing that can be used."""
    try:
        with path.open("rb") as file:
            told = json.loads(file.read(MOST_BYTES))
        found = Running(**told)
    except (OSError, ValueError, TypeError, RecursionError):
        return None
    kinds = {"name": str, "pid": int, "url": str, "token": str}
    if not all(isinstance(told[key], kind) for key, kind in kinds.items()):
        return None
    return found if NAME.fullmatch(found.name) and found.pid > 0 and found.url.startswith("http://") else None


def _is_alive(found: Running) -> bool:
    """Whether its process runs, as far as can be told."""
    if sys.platform == "win32":  # os.kill would end it
        about = urlsplit(found.url)
        try:
            socket.create_connection((about.hostname or "", about.port or 0), ANSWER_S).close()
        except OSError:
            return False
        return True
    try:
        os.kill(found.pid, 0)
    except PermissionError:
        return True
    except (ProcessLookupError, OverflowError):
        return False
    return True
