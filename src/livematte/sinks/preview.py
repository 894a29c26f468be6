"""A look at the output: a window of ffplay's, or a page for this machine's browser."""

from __future__ import annotations

import os
import secrets
import shutil
import sys
import threading
from collections.abc import Iterator
from fractions import Fraction
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from urllib.parse import parse_qs, urlsplit

from livematte._child import Child
from livematte._errors import OptionError, SinkError
from livematte._frame import Frame
from livematte._stages import Sink, StreamInfo
from livematte.sinks._camera import Steady, planar_bytes
from livematte.sinks._jpeg import JpegFeed
from livematte.sinks._worker import Worker

DEFAULT_PORT = 8791
"""Of the page; 0 takes any that is free."""

MOST_VIEWERS = 4
"""Pages that are served at a time; each has a thread."""

IDLE_S = 10.0
"""A viewer that takes nothing for so long is let go."""

DEFAULT_FPS = Fraction(30)

BOUNDARY = "picture"

PAGE = b"""<!doctype html>
<html lang="en"><meta charset="utf-8"><title>livematte preview</title>
<style>html,body{margin:0;height:100%;background:#222}img{width:100%;height:100%;object-fit:contain}</style>
<img alt="The output, as others see it" src="preview.mjpeg?token=TOKEN"></html>
"""


class Window:
    """A window on this screen. When it is closed, `ended` is true and frames go nowhere.

    Raises:
        SinkError: there is no ffplay, or no screen; the page needs neither.
    """

    def __init__(self, *, source_info: StreamInfo | None = None) -> None:
        self._fps = (source_info.fps if source_info else None) or DEFAULT_FPS
        self.notes: list[str] = []
        self._steady = Steady()
        self._player: Child | None = None
        self._worker: Worker | None = None
        self._open = False

    @property
    def ended(self) -> bool:
        """Whether the user has closed the window."""
        return self._player is not None and not self._player.running

    def __enter__(self) -> Window:
        page = "use --out preview:page, which any browser shows"
        if shutil.which("ffplay") is None:
            raise SinkError(f"a preview window needs ffplay, which comes with FFmpeg; install that, or {page}")
        if sys.platform == "linux" and not (os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")):
            raise SinkError(f"there is no screen for a preview window (neither DISPLAY nor WAYLAND_DISPLAY); {page}")
        self._open = True
        return self

    def __exit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._open = False
        if self._player is not None:
            self._player.close()  # first: a thread that waits for the pipe wakes up
        if self._worker is not None:
            self._worker.abandon()
        self._player = self._worker = None

    def write(self, frame: Frame) -> None:
        if not self._open:
            raise SinkError("the preview is not open: write inside `with`")
        picture = self._steady(frame)
        if self._player is None:
            self._begin(picture)
        if self.ended:
            if self._player is not None and self._player.failed():
                raise SinkError(f"ffplay shows no window: {self._player.last_words()}; use --out preview:page")
            return
        if self._worker is not None:
            self._worker.put(picture)

    def _begin(self, picture: Frame) -> None:
        width, height = picture.size
        command = ["ffplay", "-hide_banner", "-loglevel", "error", "-window_title", "livematte", "-framedrop"]
        command += ["-fflags", "nobuffer", "-flags", "low_delay", "-probesize", "32", "-f", "yuv4mpegpipe", "pipe:0"]
        self._player = player = Child(command, feed=True)
        rate = f"{self._fps.numerator}:{self._fps.denominator}"
        header = f"YUV4MPEG2 W{width} H{height} F{rate} Ip A1:1 C420mpeg2\n".encode()
        began = False

        def show(picture: Frame) -> None:
            nonlocal began
            try:
                player.send((b"" if began else header) + b"FRAME\n")
                player.send(planar_bytes(picture))
                began = True
            except (OSError, ValueError):
                player.failed()  # closed by the user, or broken: `write` looks which

        self._worker = Worker(show)


class Page:
    """A page on loopback that shows the output as Motion JPEG, to whoever has the token.

    Args:
        port: where; 0 is any that is free.

    Raises:
        SinkError: the port is taken.
    """

    resizes = True

    def __init__(self, *, port: int = DEFAULT_PORT) -> None:
        self.feed = JpegFeed()
        self.token = secrets.token_urlsafe(16)
        self.notes: list[str] = []
        self._port = port
        self._server: ThreadingHTTPServer | None = None
        self._thread: threading.Thread | None = None

    @property
    def address(self) -> str:
        """What to open in a browser."""
        return f"http://127.0.0.1:{self._port}/?token={self.token}"

    def readers(self) -> int:
        """How many pages are open."""
        return self.feed.viewers

    def __enter__(self) -> Page:
        try:
            self._server = ThreadingHTTPServer(("127.0.0.1", self._port), _requests(self))
        except OSError as exc:
            raise SinkError(
                f"port {self._port} cannot be had for the preview: {exc.strerror}; choose another, as in "
                "preview:page:8080"
            ) from exc
        self._server.daemon_threads = True
        self._port = self._server.server_port
        self._thread = threading.Thread(
            target=self._server.serve_forever, args=(0.1,), name="livematte-preview", daemon=True
        )
        self._thread.start()
        self.notes.append("the preview was served to this machine alone")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.feed.close()
        if self._server is not None:
            server, self._server = self._server, None
            server.shutdown()
            server.server_close()
        if self._thread is not None:
            self._thread.join()
            self._thread = None

    def write(self, frame: Frame) -> None:
        if self._server is None:
            raise SinkError("the preview is not open: write inside `with`")
        self.feed.put(frame)


def jpeg_frames(sink: Page) -> Iterator[bytes]:
    """The pictures of a preview as JPEG, as they come; for a page of one's own."""
    return sink.feed.frames()


def _requests(page: Page) -> type[BaseHTTPRequestHandler]:
    """What answers the browser."""

    class Answer(BaseHTTPRequestHandler):
        timeout = IDLE_S
        server_version, sys_version = "livematte", ""

        def do_GET(self) -> None:
            parts = urlsplit(self.path)
            # a page elsewhere whose name points here (DNS rebinding) sends its own name
            if self.headers.get("Host", "").rpartition(":")[0] not in {"127.0.0.1", "localhost"}:
                return self.send_error(403, "only for this machine")
            token = parse_qs(parts.query).get("token", [""])[0]
            if not secrets.compare_digest(token.encode(), page.token.encode()):
                return self.send_error(403, "the token is missing or wrong")
            if parts.path == "/":
                return self._send_page()
            if parts.path == "/preview.mjpeg":
                return self._send_pictures()
            return self.send_error(404)

        def _send_page(self) -> None:
            body = PAGE.replace(b"TOKEN", page.token.encode())
            self._begin("text/html; charset=utf-8")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def _send_pictures(self) -> None:
            if page.feed.viewers >= MOST_VIEWERS:
                return self.send_error(503, "too many previews are open")
            self._begin(f"multipart/x-mixed-replace; boundary={BOUNDARY}")
            self.end_headers()
            self.close_connection = True
            try:
                for jpeg in page.feed.frames(timeout_s=1.0):
                    if jpeg:
                        head = f"--{BOUNDARY}\r\nContent-Type: image/jpeg\r\nContent-Length: {len(jpeg)}\r\n\r\n"
                        self.wfile.write(head.encode() + jpeg + b"\r\n")
                    elif self._gone():
                        return
            except OSError:  # the viewer has gone, or takes nothing
                return

        def _gone(self) -> bool:
            """Whether the browser has closed the connection: it then reads as ended."""
            import select

            return bool(select.select([self.connection], [], [], 0)[0]) and not self.connection.recv(1)

        def _begin(self, kind: str) -> None:
            self.send_response(200)
            self.send_header("Content-Type", kind)
            self.send_header("Cache-Control", "no-store")
            self.send_header("Cross-Origin-Resource-Policy", "same-origin")
            self.send_header("Referrer-Policy", "no-referrer")
            self.send_header("X-Content-Type-Options", "nosniff")
            policy = "default-src 'none'; img-src 'self'; style-src 'unsafe-inline'; frame-ancestors 'none'"
            self.send_header("Content-Security-Policy", policy)

        def log_message(self, format: str, *values: object) -> None:
            """Say nothing: a library prints nothing."""

    return Answer


def create(argument: str | None, *, source_info: StreamInfo | None = None) -> Sink:
    """`preview` for a window, `preview:page` or `preview:page:PORT` for a page.

    Raises:
        OptionError: something else.
    """
    if not argument:
        return Window(source_info=source_info)
    kind, _, port = argument.partition(":")
    if kind != "page" or (port and not (port.isdecimal() and int(port) < 65536)):
        raise OptionError(f"it is preview (a window), preview:page or preview:page:PORT; got preview:{argument}")
    return Page(port=int(port) if port else DEFAULT_PORT)
