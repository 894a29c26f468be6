"""The web app, served from this machine: files of the package, and nothing else.

All pixels stay in the browser; this server never sees one.
"""

from __future__ import annotations

import re
import socket
import threading
from http import HTTPStatus
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from io import BytesIO
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from livematte import _registry, _weights
from livematte._errors import LivematteError, OptionError
from livematte._weights import WeightsFile

APP = Path(__file__).parent / "web"
"""The built web app: in wheels, and after `make web` in a source tree."""

POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self' 'wasm-unsafe-eval'",
        "worker-src 'self'",
        "connect-src 'self'",
        "img-src 'self' blob:",
        "media-src 'self' blob:",
        "style-src 'self'",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
    )
)
"""Content-Security-Policy of every answer: this host, no inline script, no eval."""

TIMEOUT_S = 10.0
"""Silence of a client after which its connection is closed."""

MAX_CONNECTIONS = 64
"""Clients served at once; more wait to be accepted."""

MODELS = ("mediapipe:landscape", "mediapipe:general")
"""Networks that the app can run once `livematte models pull` has fetched them."""

BODYPIX = re.compile(r"/assets/models/(bodypix(?:/\w[\w-]*)*/\w[\w-]*(?:\.\w+)+)")
"""BodyPix's files, many of which belong together: whatever of them is in the cache. Plain names alone."""


class Server(ThreadingHTTPServer):
    """Serves the web app until `shutdown()`.

    Args:
        host: address to listen on; `127.0.0.1` is reached from this machine only.
        port: 0 takes a free one, see `address`.

    Raises:
        LivematteError: the web app has not been built.
        OptionError: the address cannot be listened on.
    """

    daemon_threads = True

    def __init__(self, host: str = "127.0.0.1", port: int = 8000) -> None:
        if not (APP / "index.html").is_file():
            raise LivematteError(f"the web app is not in {APP}: build it with `make web`, or install a wheel")
        if ":" in host:
            self.address_family = socket.AF_INET6
        self._room = threading.BoundedSemaphore(MAX_CONNECTIONS)
        try:
            super().__init__((host, port), Handler)
        except (OSError, OverflowError) as exc:
            reason = getattr(exc, "strerror", None) or exc
            raise OptionError(
                f"cannot listen on {host} port {port}: {reason}; choose another --port or --host"
            ) from exc

    @property
    def address(self) -> str:
        """Where a browser finds the app."""
        host, port = self.server_address[:2]
        name = {"127.0.0.1": "localhost", "::1": "localhost", "0.0.0.0": "localhost"}.get(str(host), str(host))
        return f"http://{f'[{name}]' if ':' in name else name}:{port}/"

    def process_request(self, request: Any, client_address: Any) -> None:
        self._room.acquire()
        super().process_request(request, client_address)

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        try:
            super().process_request_thread(request, client_address)
        finally:
            self._room.release()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that went away is no error of ours."""


class Handler(SimpleHTTPRequestHandler):
    """GET and HEAD of the app's files, and of networks that were pulled."""

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

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, directory=str(APP), **kwargs)

    def translate_path(self, path: str) -> str:
        asked = unquote(urlsplit(path).path)
        if "\0" in asked:
            return str(APP / "no such file")
        if bodypix := BODYPIX.fullmatch(asked):
            return str(_weights.cache_dir() / "weights" / bodypix[1])
        pulled = _models().get(asked)
        return str(_weights.place(pulled)) if pulled else super().translate_path(path)

    def list_directory(self, path: Any) -> BytesIO | None:
        self.send_error(HTTPStatus.NOT_FOUND)
        return None

    def end_headers(self) -> None:
        self.send_header("Content-Security-Policy", POLICY)
        self.send_header("X-Content-Type-Options", "nosniff")
        self.send_header("Referrer-Policy", "no-referrer")
        self.send_header("Permissions-Policy", "camera=(self), microphone=(), geolocation=()")
        self.send_header("Cross-Origin-Resource-Policy", "same-origin")
        self.send_header("Cache-Control", "no-cache")  # asked again each time, and answered 304
        super().end_headers()

    def log_message(self, format: str, *args: Any) -> None:
        """Nothing is noted of who asked for what."""


def _models() -> dict[str, WeightsFile]:
    """Path in the app -> file of a network that it may run."""
    found = {}
    for name in MODELS:
        family, _, tag = name.partition(":")
        file = _registry.load("models", family).SPECS[tag].files[0]
        found[f"/assets/models/{Path(file.path).name}"] = file
    return found
