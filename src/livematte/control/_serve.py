"""The web app and the page of this machine's own stream, on one port: `livematte serve --live`."""

from __future__ import annotations

from typing import ClassVar

from livematte import _serve
from livematte.control._answer import Steered
from livematte.control._desk import Desk
from livematte.control._door import Door

MOUNT = "/live/"
"""Where the page is; the app is at the root."""


class Both(Steered, _serve.Handler):
    """The desk below `MOUNT`, and the app's files elsewhere. What the app does with pictures stays in the browser."""

    mount: ClassVar[str] = MOUNT


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
