"""Requests to a desk: the table of what there is, and the one way a request goes."""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar
from urllib.parse import parse_qs, unquote, urlsplit

from livematte._errors import LivematteError, MissingExtra
from livematte._http import HOST_ONLY, Strict
from livematte.control._door import Door, Refused, token_of

if TYPE_CHECKING:
    from livematte.control._desk import Desk

PAGE = Path(__file__).parent / "page"

PAGE_POLICY = "; ".join((*HOST_ONLY, "script-src 'self'", "img-src 'self' blob:"))
"""Content-Security-Policy: this host, no inline script, no eval; previews come as blobs."""

MOST_JSON_BYTES = 64 * 1024
"""Of a command: zones of many corners are the longest."""

MOST_PICTURE_BYTES = 20 * 1024 * 1024
"""Of a picture that is sent: more than cameras of telephones make."""

MOST_UNREAD_BYTES = 4 * MOST_PICTURE_BYTES
"""Of what a refused client goes on to send before it reads why."""

LONGEST_NUMBER = 15
"""Digits of a number in a request."""

MOST_FIELDS = 16
"""Of an address's query."""

PIECE_BYTES = 64 * 1024

WAIT_S = 1.0
"""So long a request for a preview waits for a new one."""

LONGEST_ERROR = 400
"""Characters of an answer that says what is wrong."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What a route gives.

    Args:
        body: a plain value, to be sent as JSON; bytes as they are; None for no content.
        kind: of bytes.
        headers: more of them.
    """

    body: Any = None
    kind: str = "application/json"
    headers: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Asked:
    """A request that has come in.

    Args:
        desk: that is asked.
        name: last part of the path, where it names something.
        query: of the address.
        body: bytes that came with it.
        headers: of the request.
    """

    desk: Desk
    name: str
    query: dict[str, list[str]]
    body: bytes
    headers: Any

    def values(self) -> dict[str, Any]:
        """The body as JSON.

        Raises:
            Refused: 400, it is none.
        """
        try:
            told = json.loads(self.body or b"{}", parse_constant=_no_constant)
        except (ValueError, RecursionError):
            raise Refused(HTTPStatus.BAD_REQUEST, "the body must be a JSON object") from None
        if not isinstance(told, dict):
            raise Refused(HTTPStatus.BAD_REQUEST, "the body must be a JSON object")
        return told


def status(asked: Asked) -> Answer:
    """How everything is."""
    return Answer(asked.desk.status())


def settings(asked: Asked) -> Answer:
    """Take other settings."""
    asked.desk.change(asked.values())
    return status(asked)


def command(name: str) -> Callable[[Asked], Answer]:
    """`start`, `stop`, `pause` or `resume`."""

    def do(asked: Asked) -> Answer:
        getattr(asked.desk, name)()
        return status(asked)

    return do


def picture(asked: Asked) -> Answer:
    """A picture becomes the background."""
    asked.desk.take_picture(asked.body, unquote(asked.headers.get("X-Name", "")))
    return status(asked)


def take_room(asked: Asked) -> Answer:
    """Begin to take a picture of the room without people."""
    asked.desk.take_room()
    return status(asked)


def drop_room(asked: Asked) -> Answer:
    """Forget the picture of the room."""
    asked.desk.drop_room()
    return status(asked)


def presets(asked: Asked) -> Answer:
    """Every preset with what it names."""
    kept = asked.desk.presets
    kept.refresh()
    return Answer(kept.as_dict())


def choose(asked: Asked) -> Answer:
    """Take a preset."""
    asked.desk.choose(asked.name)
    return status(asked)


def save(asked: Asked) -> Answer:
    """Keep the settings as a preset."""
    asked.desk.save(asked.name)
    return status(asked)


def delete(asked: Asked) -> Answer:
    """Forget a preset."""
    asked.desk.delete(asked.name)
    return status(asked)


def models(asked: Asked) -> Answer:
    """Networks whose weights are on this machine."""
    from livematte.control._models import here

    return Answer(here())


def preview(asked: Asked) -> Answer:
    """The output as a JPEG, once there is one that the asker does not know."""
    known = asked.query.get("after", ["0"])[0]
    after = int(known) if known.isdecimal() and len(known) <= LONGEST_NUMBER else 0
    of = asked.desk.preview
    shot = of.shot(after, WAIT_S) if of is not None else None
    if shot is None:
        return Answer()
    return Answer(shot.jpeg, "image/jpeg", (("X-Frame", str(shot.number)),))


def metrics(asked: Asked) -> Answer:
    """Figures as Prometheus reads them."""
    from livematte._metrics import CONTENT_TYPE, prometheus

    about = asked.desk.status()["live"]
    if about is None:
        raise Refused(HTTPStatus.SERVICE_UNAVAILABLE, "the stream is not running; start it first")
    return Answer(prometheus(about).encode(), CONTENT_TYPE)


ROUTES: dict[str, dict[str, Callable[[Asked], Answer]]] = {
    "api/status": {"GET": status},
    "api/settings": {"PATCH": settings},
    "api/picture": {"POST": picture},
    "api/room": {"POST": take_room, "DELETE": drop_room},
    "api/models": {"GET": models},
    "api/presets": {"GET": presets},
    "api/presets/": {"POST": choose, "PUT": save, "DELETE": delete},
    "api/preview.jpg": {"GET": preview},
    "metrics": {"GET": metrics},
    **{f"api/{name}": {"POST": command(name)} for name in ("start", "stop", "pause", "resume")},
}
"""Path -> method -> what answers; after a path with a slash at its end a name follows."""


def routed(method: str, path: str) -> Callable[[Asked], Answer]:
    """What answers a method and a path below the page's.

    Raises:
        Refused: nothing does.
    """
    folder = path[: path.rfind("/") + 1]
    methods = ROUTES.get(path) or (ROUTES.get(folder) if path != folder else None)
    if methods is None:
        raise Refused(HTTPStatus.NOT_FOUND, "there is nothing here")
    if method not in methods:
        raise Refused(HTTPStatus.METHOD_NOT_ALLOWED, f"{method} is not for this; there is {', '.join(methods)}")
    return methods[method]


def named(path: str) -> str:
    """The last part of a path, as a name."""
    return unquote(path[path.rfind("/") + 1 :], errors="replace")


def refusal(exc: Exception) -> Refused:
    """What a client is told of an error: always one line."""
    if isinstance(exc, Refused):
        status, text = exc.status, exc.reason
    elif isinstance(exc, MissingExtra):
        status, text = HTTPStatus.NOT_IMPLEMENTED, str(exc)
    elif isinstance(exc, LivematteError):
        status, text = HTTPStatus.BAD_REQUEST, str(exc)
    else:
        status, text = HTTPStatus.INTERNAL_SERVER_ERROR, f"{type(exc).__name__}: {exc} (not expected: please report it)"
    text = " ".join(text.split())
    return Refused(status, text if len(text) <= LONGEST_ERROR else f"{text[: LONGEST_ERROR - 1]}…")


SOCKET = "api/socket"
"""Path that becomes a WebSocket."""

FILES = ("", "page.css", "page.js", "fields.js", "link.js", "zones.js", "icon.svg")
"""Of the page; they hold nothing that anybody must not see."""


class Steered(Strict):
    """Answers for a desk below `mount`; all else is left to the class after this one.

    The server that has it offers `desk` and `door`.
    """

    mount: ClassVar[str] = "/"
    """Path of the page."""
    protocol_version = "HTTP/1.1"
    """A WebSocket begins in no other; every connection is closed after one request all the same."""
    _unread: bool = True
    """Whether the body, if there is one, is still to come."""

    def do_GET(self) -> None:
        self._answer(self._get_other)

    def do_HEAD(self) -> None:
        self._answer(super().do_HEAD)

    def do_POST(self) -> None:
        self._answer(None)

    do_PUT = do_PATCH = do_DELETE = do_POST

    def _get_other(self) -> None:
        """What is not below `mount`."""
        super().do_GET()

    def end_headers(self) -> None:
        self.send_header("Connection", "close")
        super().end_headers()

    def _answer(self, other: Callable[[], None] | None) -> None:
        """Look at the request, and do what it asks."""
        self.close_connection = True
        server: Any = self.server
        door: Door = server.door
        path = urlsplit(self.path).path
        try:
            door.check_place(self.headers, server.server_address[1])
            if not path.startswith(self.mount):
                if other is None:
                    raise Refused(HTTPStatus.NOT_IMPLEMENTED, "files are only read")
                return other()
            below = path.removeprefix(self.mount)
            if below in FILES and self.command in ("GET", "HEAD"):
                return self._send_file(below or "index.html")
            self.caching = "no-store"
            if below == SOCKET and self.command == "GET":
                return self._open_socket(door, server.desk)
            door.check_token(token_of(self.headers))
            door.check_rate()  # after the token: a page of another site must not use up what its user has
            route = routed(self.command, below)
            with door.one_picture() if route is picture else nullcontext():
                self._send(route(self._taken(route, below, server.desk)))
        except OSError:  # the client has gone, or is too slow
            raise
        except Exception as exc:
            self._refuse(refusal(exc))

    def _taken(self, route: Callable[[Asked], Answer], below: str, desk: Desk) -> Asked:
        """The request with its body, if that is not too long."""
        try:
            query = parse_qs(urlsplit(self.path).query, max_num_fields=MOST_FIELDS)
        except ValueError:
            raise Refused(HTTPStatus.BAD_REQUEST, "the address has too many parts") from None
        body = self._body(MOST_PICTURE_BYTES if route is picture else MOST_JSON_BYTES)
        return Asked(desk, named(below), query, body, self.headers)

    def _body(self, most: int) -> bytes:
        if self.headers.get("Transfer-Encoding"):
            raise Refused(HTTPStatus.LENGTH_REQUIRED, "the body must come with its Content-Length")
        told = self.headers.get("Content-Length", "0")
        if not told.isdecimal() or len(told) > LONGEST_NUMBER:
            raise Refused(HTTPStatus.BAD_REQUEST, "Content-Length must be a number")
        if int(told) > most:
            reason = f"at most {most // 1024:,} KB may be sent here, got {int(told) // 1024:,} KB"
            raise Refused(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, reason)
        body, self._unread = self.rfile.read(int(told)), False
        if len(body) < int(told):
            raise Refused(HTTPStatus.BAD_REQUEST, "the body ended too early")
        return body

    def _send(self, answer: Answer) -> None:
        body = answer.body
        if body is not None and not isinstance(body, bytes):
            body = json.dumps(body).encode()
        self.send_response(HTTPStatus.NO_CONTENT if body is None else HTTPStatus.OK)
        for name, value in answer.headers:
            self.send_header(name, value)
        if body is not None:
            self.send_header("Content-Type", answer.kind)
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if body is not None:
            self.wfile.write(body)

    def _refuse(self, why: Refused) -> None:
        body = json.dumps({"error": why.reason}).encode()
        self.send_response(why.status)
        if why.status is HTTPStatus.UNAUTHORIZED:
            self.send_header("WWW-Authenticate", "Bearer")
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)
        self._hear_out()

    def _hear_out(self) -> None:
        """Read what a refused client still sends, up to a bound: a connection that is closed on it would take the
        answer along."""
        told = self.headers.get("Content-Length", "0")
        known = self._unread and told.isdecimal() and len(told) <= LONGEST_NUMBER
        left = min(int(told), MOST_UNREAD_BYTES) if known else 0
        while left > 0 and (piece := self.rfile.read1(min(left, PIECE_BYTES))):
            left -= len(piece)

    def _send_file(self, name: str) -> None:
        """A file of the page, by its name in the list."""
        self.policy, self.camera = PAGE_POLICY, "()"
        data = (PAGE / name).read_bytes()
        self.send_response(HTTPStatus.OK)
        self.send_header("Content-Type", self.extensions_map[Path(name).suffix])
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(data)

    def _open_socket(self, door: Door, desk: Desk) -> None:
        from livematte.control._socket import Socket, token_in

        door.check_token(token_in(self.headers))
        door.check_rate()
        request_line: bytes = getattr(self, "raw_requestline")  # noqa: B009 the stubs do not know it
        with door.socket():
            Socket(self.connection, desk, door).run(request_line, self.headers)


class Plain(Steered):
    """A desk and nothing else."""

    policy = PAGE_POLICY

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, folder=PAGE, **kwargs)


def _no_constant(name: str) -> None:
    raise ValueError(name)
