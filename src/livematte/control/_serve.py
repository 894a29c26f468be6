"""The web app and the page of this machine's own stream, on one port: `livematte serve --live`."""

from __future__ import annotations

from http import HTTPStatus
from typing import ClassVar
from urllib.parse import urlsplit

from livematte import _serve
from livematte.control._answer import Steered
from livematte.control._desk import Desk
from livematte.control._door import Door

MOUNT = "/live/"
"""Where the page is; the app is at the root."""


LINK = f'<a id="machine" href="{MOUNT}">By this machine, for all programs</a>'.encode()
"""In the app's head, where this server offers it."""


class Both(Steered, _serve.Handler):
    """The desk below `MOUNT`, and the app's files elsewhere. What the app does with pictures stays in the browser."""

    mount: ClassVar[str] = MOUNT

    def _get_other(self) -> None:
        if urlsplit(self.path).path != "/":
            return super()._get_other()
        page = (_serve.APP / "index.html").read_bytes().replace(b"</header>", LINK + b"</header>", 1)
        self.send_response(HTTPStatus.OK)
        self.send_header("Content-Type", self.extensions_map[".html"])
        self.send_header("Content-Length", str(len(page)))
        self.end_headers()
        self.wfile.write(page)


class BothServer(_serve.Server):
    """Serves both ways.

    Args:
        host, port: see `_serve.Server`.
        desk: that is asked.
        door: who may ask, and who may have the app's files.
    """

    def __init__(self, host: str, port: int, desk: Desk, door: Door) -> None:
        self.desk, self.door = desk, door
        super().__init__(host, port, Both)

    @property
    def page(self) -> str:
        """Where the page is found."""
        return f"{self.address.rstrip('/')}{MOUNT}"
