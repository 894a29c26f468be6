"""Who may come in: this machine's own browser and programs, with the token of this run."""

from __future__ import annotations

import hmac
import ipaddress
import secrets
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from email.message import Message
from http import HTTPStatus

from livematte._clock import Clock, monotonic
from livematte._errors import OptionError

TOKEN_BYTES = 32
"""Random bytes of a token: nobody guesses 256 bits."""

BEARER = "Bearer "

REQUESTS_PER_S, BURST = 200.0, 400.0
"""Requests with the token, of all clients together: eight pages with a preview take 100."""

MOST_SOCKETS = 8
"""Pages that are told of changes at once."""


class Refused(Exception):
    """A request that is not answered.

    Attributes:
        status: of HTTP.
        reason: for the client, on one line.
    """

    def __init__(self, status: HTTPStatus, reason: str) -> None:
        super().__init__(reason)
        self.status, self.reason = status, reason


class Door:
    """Looks at a request before anything is done about it.

    Names in the Host header: a page of another site can have its own name point to this machine
    (DNS rebinding) and be of the same origin then. It cannot choose the name `localhost` or an
    address. The Origin header: pages of other sites cannot forge it. The token: it comes in a
    header that such pages cannot set either, and in no cookie that a browser would add by itself.

    Args:
        host: address that is listened on.
        remote: whether other machines may come in.
        clock: for the rate.

    Attributes:
        token: of this run.
        closed: set when the server ends; connections that stay look at it.

    Raises:
        OptionError: an address that other machines reach, and they may not come in.
    """

    def __init__(self, host: str, *, remote: bool = False, clock: Clock = monotonic) -> None:
        if not remote and not is_loopback(host):
            raise OptionError(
                f"{host} is reached from other machines, which could steer this camera: use 127.0.0.1, "
                "or say that they may"
            )
        self.token = secrets.token_urlsafe(TOKEN_BYTES)
        self._host, self._remote, self._clock = host, remote, clock
        self._lock = threading.Lock()
        self._left, self._asked_ns = BURST, clock()
        self._sockets = threading.BoundedSemaphore(MOST_SOCKETS)
        self._picture = threading.Lock()
        self.closed = threading.Event()

    def check_place(self, headers: Message, port: int) -> None:
        """Refuse a Host that is not this one, and an Origin that is not this page's.

        Raises:
            Refused: 403.
        """
        host = headers.get("Host", "")
        if not self._is_here(host, port):
            raise Refused(HTTPStatus.FORBIDDEN, "this server is addressed as localhost or by its address, no other way")
        origin = headers.get("Origin")
        if origin is not None and origin != f"http://{host}":
            raise Refused(HTTPStatus.FORBIDDEN, "pages of other sites may not come in")

    def check_token(self, given: str) -> None:
        """Refuse what is not the token, in constant time.

        Raises:
            Refused: 401.
        """
        if not hmac.compare_digest(given.encode(errors="replace"), self.token.encode()):
            raise Refused(HTTPStatus.UNAUTHORIZED, "the token is missing or of another run; open the address printed")

    def check_rate(self) -> None:
        """Refuse requests that come faster than anybody needs them.

        Raises:
            Refused: 429.
        """
        with self._lock:
            now_ns = self._clock()
            self._left = min(BURST, self._left + (now_ns - self._asked_ns) / 1e9 * REQUESTS_PER_S)
            self._asked_ns = now_ns
            if self._left < 1:
                raise Refused(HTTPStatus.TOO_MANY_REQUESTS, "too many requests; wait a second")
            self._left -= 1

    @contextmanager
    def socket(self) -> Iterator[None]:
        """Room for one more connection that stays.

        Raises:
            Refused: 503, there is none.
        """
        if not self._sockets.acquire(blocking=False):
            raise Refused(HTTPStatus.SERVICE_UNAVAILABLE, f"{MOST_SOCKETS} pages are open; close one")
        try:
            yield
        finally:
            self._sockets.release()

    @contextmanager
    def one_picture(self) -> Iterator[None]:
        """Pictures come in one after another: each may take 150 MB while it is decoded.

        Raises:
            Refused: 503, another one is on its way.
        """
        if not self._picture.acquire(blocking=False):
            raise Refused(HTTPStatus.SERVICE_UNAVAILABLE, "another picture is being sent; wait for that")
        try:
            yield
        finally:
            self._picture.release()

    def _is_here(self, host: str, port: int) -> bool:
        name, number = _split(host)
        if number not in {str(port), ""} or (not number and port != 80):
            return False
        if name in ("localhost", self._host):
            return True
        return _is_address(name) if self._remote else is_loopback(name)


def token_of(headers: Message) -> str:
    """The token that a request brings; empty if none."""
    value = headers.get("Authorization", "")
    return value[len(BEARER) :].strip() if value.startswith(BEARER) else ""


def is_loopback(host: str) -> bool:
    """Whether only this machine reaches an address."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def _split(host: str) -> tuple[str, str]:
    """Name and port of a Host header; an IPv6 address comes without its brackets."""
    if host.startswith("["):
        name, _, rest = host[1:].partition("]")
        return name, rest.removeprefix(":")
    name, _, number = host.partition(":")
    return name.lower(), number
