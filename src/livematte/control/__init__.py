"""Control: a page and a small API over one live stream, for its user alone.

_desk.py      what may be asked, in plain values
_answer.py    the requests, and the one way they go
_door.py      who may come in
_socket.py    figures and previews as they change    [extra control]
_preview.py   the output, small
_running.py   how `livematte ctl` finds the stream
page/         what a browser shows
"""

from __future__ import annotations

import threading
from types import TracebackType
from typing import Any, ClassVar

from livematte._errors import OptionError
from livematte._http import Bounded
from livematte.control._answer import Plain
from livematte.control._desk import Desk
from livematte.control._door import Door
from livematte.control._running import Running, announce, withdraw

NAME = "live"
"""Of the first stream of a user."""

HOST = "127.0.0.1"

POLL_S = 0.1
"""How often the server looks whether it is to end."""


class DeskServer(Bounded):
    """Answers for a desk; clients beyond its room are turned away.

    Args:
        desk: that is asked.
        door: who may ask.
    """

    waits_when_full: ClassVar[bool] = False

    def __init__(self, host: str, port: int, desk: Desk, door: Door) -> None:
        self.desk, self.door = desk, door
        super().__init__(host, port, Plain)

    @property
    def page(self) -> str:
        """Where the page is found."""
        return self.address


class Announced:
    """Lets this user's programs find a desk, from `with` to its end; its presets are kept up with meanwhile.

    Args:
        desk: that is asked.
        server: with the `page` and the `door` of it.

    Attributes:
        running: how it is reached; known inside `with`.

    Raises:
        OptionError: the folder for it is not this user's own.
    """

    def __init__(self, desk: Desk, server: Any) -> None:
        self._desk, self._server = desk, server
        self.running: Running

    def __enter__(self) -> Announced:
        self.running, self._path = announce(NAME, self._server.page, self._server.door.token)
        self._desk.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.door.closed.set()
        withdraw(self.running, self._path)
        self._desk.__exit__(kind, exc, trace)


class Control:
    """Serves a desk on a thread of its own, from `with` to its end.

    Args:
        desk: of the stream.
        host: address to listen on.
        port: 0 takes a free one.
        remote: whether other machines may come in; they need the token, too.

    Raises:
        OptionError: an address that other machines reach, without `remote`; or one that cannot be listened on.
    """

    def __init__(self, desk: Desk, host: str = HOST, port: int = 0, *, remote: bool = False) -> None:
        self._server = DeskServer(host, port, desk, Door(host, remote=remote))
        self._announced = Announced(desk, self._server)
        self._thread = threading.Thread(
            target=self._server.serve_forever, args=(POLL_S,), name="livematte-control", daemon=True
        )

    @property
    def running(self) -> Running:
        """How the stream is reached; known inside `with`."""
        return self._announced.running

    @property
    def port(self) -> int:
        """That is listened on."""
        return int(self._server.server_address[1])

    def __enter__(self) -> Control:
        try:
            self._announced.__enter__()
        except BaseException:
            self._server.server_close()
            raise
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()
        self._announced.__exit__(kind, exc, trace)


def parse_address(text: str) -> tuple[str, int]:
    """`8010` or `0.0.0.0:8010` as host and port.

    Raises:
        OptionError: neither.
    """
    host, _, port = text.rpartition(":")
    if not port.isdecimal() or int(port) > 65535:
        raise OptionError(f"a control address is a port, or a host and a port as in 0.0.0.0:8010; got {text!r}")
    return host.strip("[]") or HOST, int(port)
