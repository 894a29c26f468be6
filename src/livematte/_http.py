"""What every server of this package has: strict headers, bounded clients, nothing noted of who asks."""

from __future__ import annotations

import io
import socket
import sys
import threading
from contextlib import suppress
from http import HTTPStatus
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, ClassVar

from livematte._clock import monotonic
from livematte._errors import OptionError

TIMEOUT_S = 10.0
"""Silence of a client after which its connection is closed."""

REQUEST_S = 30.0
"""A whole request must have come by then, however steadily its bytes drip."""

MAX_CONNECTIONS = 64
"""Clients served at once."""

REUSES = sys.platform != "win32"
"""Whether a port is taken again that a server left a moment ago. On Windows the same word lets two listen on one."""

FULL = b"HTTP/1.0 503 Service Unavailable\r\nContent-Length: 0\r\nRetry-After: 1\r\n\r\n"
"""For clients beyond that, where they do not wait to be accepted."""

HOST_ONLY = (
    "default-src 'none'",
    "connect-src 'self'",
    "style-src 'self'",
    "base-uri 'none'",
    "form-action 'none'",
    "frame-ancestors 'none'",
)
"""Of a Content-Security-Policy: this host alone, and nobody's frame."""


def check_free(host: str, port: int) -> None:
    """Refuse an address that cannot be listened on: to be asked before anything slow is done for a server.

    Raises:
        OptionError: it cannot be.
    """
    try:
        with socket.socket(_family(host)) as probe:
            if REUSES:
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind((host, port))
    except (OSError, OverflowError) as exc:
        raise _refusal(host, port, exc) from exc


def _family(host: str) -> socket.AddressFamily:
    return socket.AF_INET6 if ":" in host else socket.AF_INET


def _refusal(host: str, port: int, exc: Exception) -> OptionError:
    reason = getattr(exc, "strerror", None) or exc
    return OptionError(f"cannot listen on {host} port {port}: {reason}; choose another --port or --host")


class Bounded(ThreadingHTTPServer):
    """Serves until `shutdown()`, so many clients at once and no more.

    Args:
        host: address to listen on; `127.0.0.1` is reached from this machine only.
        port: 0 takes a free one, see `address`.
        answer: class that answers a request.

    Raises:
        OptionError: the address cannot be listened on.
    """

    allow_reuse_address = REUSES
    daemon_threads = True
    request_queue_size = MAX_CONNECTIONS
    waits_when_full: ClassVar[bool] = True
    """Whether more clients wait to be accepted, or are turned away."""

    def __init__(self, host: str, port: int, answer: Any) -> None:
        self.address_family = _family(host)
        self._room = threading.BoundedSemaphore(MAX_CONNECTIONS)
        try:
            super().__init__((host, port), answer)
        except (OSError, OverflowError) as exc:
            raise _refusal(host, port, exc) from exc

    @property
    def address(self) -> str:
        """Where a browser of this machine finds it: by number. `localhost` may mean ::1 first, where another user's
        program can listen on the same port, and would be given what is meant for this one."""
        host, port = self.server_address[:2]
        name = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(str(host), str(host))
        return f"http://{f'[{name}]' if ':' in name else name}:{port}/"

    def process_request(self, request: Any, client_address: Any) -> None:
        if not self._room.acquire(blocking=self.waits_when_full):
            with suppress(OSError):
                request.settimeout(0)
                request.send(FULL)
            return self.shutdown_request(request)
        super().process_request(request, client_address)

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        try:
            super().process_request_thread(request, client_address)
        finally:
            self._room.release()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that went away is no error of ours."""


class Strict(SimpleHTTPRequestHandler):
    """GET and HEAD of a folder's files, with headers that forbid what is not needed."""

    server_version = "livematte"
    sys_version = ""
    timeout = TIMEOUT_S
    extensions_map = {  # noqa: RUF012 declared so by the base; not the machine's own table, which may say anything
        "": "application/octet-stream",
        ".css": "text/css; charset=utf-8",
        ".html": "text/html; charset=utf-8",
        ".js": "text/javascript; charset=utf-8",
        ".svg": "image/svg+xml",
        ".wasm": "application/wasm",
    }
    policy: str = "; ".join(HOST_ONLY)
    """Content-Security-Policy of every answer."""
    camera: str = "()"
    """Who may use the camera, as Permissions-Policy says it."""
    caching: str = "no-cache"
    """Files are asked for again each time, and answered 304."""

    def __init__(self, *args: Any, folder: Path, **kwargs: Any) -> None:
        super().__init__(*args, directory=str(folder), **kwargs)

    def setup(self) -> None:
        super().setup()
        self.rfile = io.BufferedReader(_InTime(self.connection))

    def list_directory(self, path: Any) -> io.BytesIO | None:
        self.send_error(HTTPStatus.NOT_FOUND)
        return None

    def end_headers(self) -> None:
        self.send_header("Content-Security-Policy", self.policy)
        self.send_header("X-Content-Type-Options", "nosniff")
        self.send_header("Referrer-Policy", "no-referrer")
        self.send_header("Permissions-Policy", f"camera={self.camera}, microphone=(), geolocation=()")
        self.send_header("Cross-Origin-Resource-Policy", "same-origin")
        self.send_header("Cache-Control", self.caching)
        super().end_headers()

    def log_message(self, format: str, *args: Any) -> None:
        """Nothing is noted of who asked for what."""


class _InTime(io.RawIOBase):
    """What a client sends, as long as all of it comes in time.

    Raises TimeoutError when read after that, and when the client is silent for too long.
    """

    def __init__(self, connection: socket.socket) -> None:
        self._connection, self._end_ns = connection, monotonic() + int(REQUEST_S * 1e9)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        left_s = (self._end_ns - monotonic()) / 1e9
        if left_s <= 0:
            raise TimeoutError("the request took too long")
        self._connection.settimeout(min(TIMEOUT_S, left_s))
        try:
            return self._connection.recv_into(buffer)
        finally:
            self._connection.settimeout(TIMEOUT_S)
