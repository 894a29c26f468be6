"""The WebSocket of the page: figures and previews as they change, and the same requests as over HTTP.

The protocol is the package `websockets` (RFC 6455) without its own server: the connection has
come through the door of the one there is, on the same port and under the same checks.
"""

from __future__ import annotations

import json
import logging
import socket
from email.message import Message
from http import HTTPStatus
from typing import Any

from livematte._clock import Clock, monotonic
from livematte._errors import MissingExtra
from livematte._http import TIMEOUT_S
from livematte.control._answer import MOST_JSON_BYTES, Asked, named, picture, refusal, routed
from livematte.control._desk import Desk
from livematte.control._door import Door, Refused
from livematte.control._preview import Preview

PROTOCOL, TOKEN = "livematte", "token."
"""What a page names as its protocols: browsers let it set no other header. The token's letters are allowed in it."""

TICK_S = 0.05
"""How often there is a look at what is new."""

STATUS_NS = 500_000_000
"""Between two messages with figures."""

PING_NS, DEAD_NS = 10_000_000_000, 30_000_000_000
"""A client that has not been heard for the second time is gone; it is asked after the first."""

READ_BYTES = 64 * 1024

GOING_AWAY, POLICY, TRY_AGAIN = 1001, 1008, 1013
"""Codes of closing (RFC 6455, section 7.4.1, and its registry)."""


class Socket:
    """One open page.

    Args:
        connection: after the request's head.
        desk, door: of the server.
        clock: monotonic nanoseconds.

    Raises:
        MissingExtra: the package `websockets` is not installed.
    """

    def __init__(self, connection: socket.socket, desk: Desk, door: Door, clock: Clock = monotonic) -> None:
        try:
            from websockets.server import ServerProtocol
        except ImportError as exc:
            raise MissingExtra('WebSockets need an extra: pip install "livematte[control]"') from exc
        quiet = logging.getLogger("livematte.control")
        quiet.addHandler(logging.NullHandler())
        quiet.propagate = False
        self._connection, self._desk, self._door, self._clock = connection, desk, door, clock
        self._protocol: Any = ServerProtocol(subprotocols=[PROTOCOL], max_size=MOST_JSON_BYTES, logger=quiet)  # type: ignore[list-item]
        self._message = bytearray()
        self._told: dict[str, Any] = {}
        self._told_ns = clock() - STATUS_NS
        self._heard_ns = self._asked_ns = clock()
        self._previews, self._known = False, 0
        self._of: Preview | None = None

    def run(self, line: bytes, headers: Message) -> None:
        """Shake hands and go on until either side has enough.

        Args:
            line, headers: of the request.
        """
        head = b"".join(f"{name}: {value}\r\n".encode("latin-1") for name, value in headers.items())
        self._protocol.receive_data(line + head + b"\r\n")
        self._heed(self._protocol.events_received())
        self._flush()
        while not self._protocol.close_expected() and self._protocol.handshake_exc is None:
            self._hear()
            self._tell()
            self._flush()
        self._flush()

    def _hear(self) -> None:
        """What the client says within a tick."""
        self._connection.settimeout(TICK_S)
        try:
            data = self._connection.recv(READ_BYTES)
        except TimeoutError:
            return
        finally:
            self._connection.settimeout(TIMEOUT_S)
        self._heard_ns = self._clock()
        if data:
            self._protocol.receive_data(data)
        else:
            self._protocol.receive_eof()
        self._heed(self._protocol.events_received())

    def _heed(self, events: list[Any]) -> None:
        from websockets.frames import Opcode
        from websockets.http11 import Request

        for event in events:
            if isinstance(event, Request):
                self._protocol.send_response(self._protocol.accept(event))
            elif event.opcode in (Opcode.TEXT, Opcode.BINARY, Opcode.CONT):
                self._message += event.data  # the protocol bounds it
                if event.fin:
                    said, self._message = bytes(self._message), bytearray()
                    self._answer(said)

    def _answer(self, said: bytes) -> None:
        """One message: `{"preview": true}`, or a request `{"id", "method", "path", "body"}`."""
        number: Any = None
        try:
            self._door.check_rate()
            told = Asked(self._desk, "", {}, said, {}).values()
            if "preview" in told:
                self._previews = told["preview"] is True
                return
            number = told.get("id")
            method, path, body = str(told.get("method")), str(told.get("path")), told.get("body") or {}
            route = routed(method, path)
            if route is picture or "." in path:
                raise Refused(HTTPStatus.BAD_REQUEST, "this goes over HTTP alone")
            answer = route(Asked(self._desk, named(path), {}, json.dumps(body).encode(), {}))
            text = answer.body.decode() if isinstance(answer.body, bytes) else answer.body
            reply = {"id": number, "status": int(HTTPStatus.OK), "body": text}
        except Exception as exc:
            why = refusal(exc)
            if why.status is HTTPStatus.TOO_MANY_REQUESTS:
                return self._protocol.fail(POLICY, why.reason)  # type: ignore[no-any-return]
            reply = {"id": number, "status": int(why.status), "body": {"error": why.reason}}
        self._protocol.send_text(json.dumps(reply).encode())

    def _tell(self) -> None:
        """What is new: figures twice a second, previews as they come."""
        if self._protocol.close_expected():
            return
        if self._door.closed.is_set():
            return self._protocol.fail(GOING_AWAY, "the stream has ended")  # type: ignore[no-any-return]
        now_ns = self._clock()
        if now_ns - self._told_ns >= STATUS_NS:
            self._told_ns = now_ns
            self._protocol.send_text(json.dumps({"status": self._desk.status()}).encode())
        preview = self._desk.preview
        if preview is not self._of:  # of another stream, which counts from the beginning
            self._of, self._known = preview, 0
        shot = preview.shot(self._known, 0) if self._previews and preview is not None else None
        if shot is not None:
            self._known = shot.number
            self._protocol.send_binary(shot.jpeg)
        if now_ns - self._heard_ns >= DEAD_NS:
            self._protocol.fail(TRY_AGAIN, "nothing was heard")
        elif now_ns - max(self._heard_ns, self._asked_ns) >= PING_NS:
            self._asked_ns = now_ns
            self._protocol.send_ping(b"")

    def _flush(self) -> None:
        for data in self._protocol.data_to_send():
            if data:
                self._connection.sendall(data)


def token_in(headers: Message) -> str:
    """The token among the protocols that a page names; empty if there is none."""
    names = (name.strip() for name in headers.get("Sec-WebSocket-Protocol", "").split(","))
    return next((name[len(TOKEN) :] for name in names if name.startswith(TOKEN)), "")
