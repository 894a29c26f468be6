"""The API from the other side: what `livematte ctl` asks with."""

from __future__ import annotations

import http.client
import json
from typing import Any
from urllib.parse import quote, urlsplit

from livematte._errors import LivematteError
from livematte.control._door import BEARER
from livematte.control._running import NotRunning, Running

TIMEOUT_S = 30.0
"""A picture of 40 million pixels is decoded by then."""


class Refusal(LivematteError):
    """What the stream said no to, in its own words."""


class Client:
    """Asks one running stream.

    Args:
        of: where it is, and its token.
    """

    def __init__(self, of: Running) -> None:
        self._of = of

    def status(self) -> dict[str, Any]:
        """How everything is."""
        return self._ask("GET", "status")

    def change(self, **values: Any) -> dict[str, Any]:
        """Other settings; the status after that."""
        return self._ask("PATCH", "settings", json.dumps(values).encode())

    def command(self, name: str) -> dict[str, Any]:
        """`start`, `stop`, `pause` or `resume`."""
        return self._ask("POST", name)

    def send_picture(self, data: bytes, name: str) -> dict[str, Any]:
        """A picture as the background."""
        return self._ask("POST", "picture", data, {"X-Name": quote(name)})

    def room(self, method: str) -> dict[str, Any]:
        """Begin to take the room (POST), or forget its picture (DELETE)."""
        return self._ask(method, "room")

    def presets(self) -> dict[str, Any]:
        """The presets and what they name."""
        return self._ask("GET", "presets")

    def preset(self, method: str, name: str) -> dict[str, Any]:
        """Choose (POST), save (PUT) or delete (DELETE) a preset."""
        return self._ask(method, f"presets/{quote(name, safe='')}")

    def _ask(
        self, method: str, path: str, body: bytes | None = None, headers: dict[str, str] | None = None
    ) -> dict[str, Any]:
        """The answer to a request.

        Raises:
            NotRunning: nobody answers.
            Refusal: the answer is no.
        """
        about = urlsplit(self._of.url)
        connection = http.client.HTTPConnection(about.hostname or "", about.port, timeout=TIMEOUT_S)
        try:
            sent = {"Authorization": f"{BEARER}{self._of.token}", **(headers or {})}
            connection.request(method, f"{about.path}api/{path}", body, sent)
            answer = connection.getresponse()
            told = json.loads(answer.read())
        except (OSError, http.client.HTTPException, ValueError) as exc:
            raise NotRunning(f"the stream {self._of.name!r} does not answer at {self._of.url}: {exc}") from exc
        finally:
            connection.close()
        if answer.status != http.client.OK:
            raise Refusal(str(told.get("error", f"status {answer.status}")))
        found: dict[str, Any] = told
        return found
