"""A server of weights that misbehaves as it is told to, and a cache of the tests' own."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from livematte._weights import WeightsFile

CONTENT = bytes(range(256)) * 1024  # four pieces of CHUNK_BYTES
PATH = "family/net.onnx"


class Server(ThreadingHTTPServer):
    """Serves `content` at every path, as well as it is told to."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.content = CONTENT
        self.status = 200
        self.ranges = True
        self.stop_after: int | None = None  # bytes of the body after which the connection closes
        self.announce_length = True
        self.files: dict[str, bytes] = {}  # contents of paths that do not have `content`
        self.etag: str | None = None
        self.version: str | None = None  # what If-Range of the last request named
        self.hold: threading.Event | None = None  # the connection stays open until it is set
        self.asked: list[tuple[str, str | None]] = []  # path and Range of every request

    @property
    def base(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"


class Handler(BaseHTTPRequestHandler):
    server: Server

    def do_GET(self) -> None:
        server, wanted = self.server, self.headers.get("Range")
        server.asked.append((self.path, wanted))
        if server.status != 200:
            self.send_error(server.status)
            return
        content = server.files.get(self.path, server.content)
        server.version = self.headers.get("If-Range")
        current = server.version in (None, server.etag)
        start = int(wanted.removeprefix("bytes=").removesuffix("-")) if wanted and server.ranges and current else 0
        if start >= len(content):
            self.send_error(416)
            return
        body = content[start:]
        self.send_response(206 if start else 200)
        if start:
            self.send_header("Content-Range", f"bytes {start}-{len(content) - 1}/{len(content)}")
        if server.etag:
            self.send_header("ETag", server.etag)
        if server.announce_length:
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body[: server.stop_after])
        if server.hold is not None:
            self.wfile.flush()
            server.hold.wait()

    def log_message(self, *args: Any) -> None:
        pass


@pytest.fixture
def server() -> Iterator[Server]:
    server = Server()
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("LIVEMATTE_CACHE", str(tmp_path))
    monkeypatch.delenv("LIVEMATTE_MIRROR", raising=False)
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    return tmp_path


@pytest.fixture
def file(server: Server, cache: Path) -> WeightsFile:
    return WeightsFile(PATH, hashlib.sha256(CONTENT).hexdigest(), len(CONTENT), f"{server.base}/official/net.onnx")


def left_in(cache: Path) -> list[str]:
    return sorted(p.relative_to(cache).as_posix() for p in cache.rglob("*") if p.is_file())
