"""A running stream with its control, and a client of it."""

from __future__ import annotations

import http.client
import importlib.util
import json
import socket
import struct
import threading
import time
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from livematte import Frame, Size
from livematte._live import Live
from livematte._preset_file import PresetFile
from livematte._presets import Preset
from livematte.control import Control
from livematte.control._desk import Desk
from livematte.sources.synthetic import MARKER_BITS, marker_box

spec = importlib.util.spec_from_file_location("live_parts", Path(__file__).parents[1] / "live" / "parts.py")
parts = importlib.util.module_from_spec(spec)
spec.loader.exec_module(parts)

PAGE = ("/", "/page.js", "/page.css")
PATIENCE_S = 30.0


class Stream:
    """A running stream with its control, and a client of it."""

    def __init__(self, folder: Path, **options: Any) -> None:
        self.out = parts.Output()
        self.desk = Desk(Preset(effect="color:green", model="livematte:fast"), PresetFile(folder / "presets.toml"))
        self.network = parts.Figure("livematte:fast")
        self.live = Live(
            lambda: parts.Room(self.out),
            self.desk.watch(self.out),
            model=self.network,
            effect=self.desk.painter,
            size=parts.SIZE,
            governor=False,
            **options,
        )
        self.desk.attach(self.live)
        self.control = Control(self.desk)
        self.thread = threading.Thread(target=self.live.run)

    def __enter__(self) -> Stream:
        self.control.__enter__()
        self.thread.start()
        self.port = self.control.port
        self.token = self.control.running.token
        self.out.wait_for(3)
        return self

    def __exit__(self, *exc: Any) -> None:
        self.live.stop()
        self.thread.join()
        self.control.__exit__(None, None, None)

    def ask(
        self, method: str, path: str, body: Any = None, headers: dict[str, str] | None = None, token: str | None = ""
    ) -> tuple[int, dict[str, str], bytes]:
        """Status, headers and body of an answer; the right token unless another, or None, is given."""
        given = {} if token is None else {"Authorization": f"Bearer {token or self.token}"}
        data = body if isinstance(body, bytes) or body is None else json.dumps(body).encode()
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE_S)
        try:
            connection.request(method, path, data, given | (headers or {}))
            answer = connection.getresponse()
            return answer.status, {key.lower(): value for key, value in answer.getheaders()}, answer.read()
        finally:
            connection.close()

    def do(self, method: str, path: str, body: Any = None) -> Any:
        """The answer of a request that is granted."""
        status, _, said = self.ask(method, path, body)
        assert status == 200, said
        return json.loads(said)

    def refused(self, method: str, path: str, body: Any = None, **more: Any) -> tuple[int, str]:
        """Status and reason of one that is not."""
        status, headers, said = self.ask(method, path, body, **more)
        assert headers["content-type"] == "application/json"
        told = json.loads(said)
        assert list(told) == ["error"]
        assert "\n" not in told["error"]
        return status, told["error"]

    def until(self, holds: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
        """The status once something holds of it."""
        end = time.monotonic() + PATIENCE_S
        while not holds(found := self.do("GET", "/api/status")):
            assert time.monotonic() < end, found
            self.out.wait_for(1)
        return found

    def shown(self, after: int = 0) -> tuple[np.ndarray, int]:
        """RGB of the preview, and its number."""
        while True:
            status, headers, data = self.ask("GET", f"/api/preview.jpg?after={after}")
            if status == 200:
                return decoded(data), int(headers["x-frame"])


@pytest.fixture
def stream(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Stream]:
    monkeypatch.setenv("LIVEMATTE_RUNTIME", str(tmp_path / "run"))
    with Stream(tmp_path) as running:
        yield running


@pytest.fixture(scope="module")
def still(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stream]:
    """A stream that its tests leave as it is: one for all of them."""
    folder = tmp_path_factory.mktemp("still")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LIVEMATTE_RUNTIME", str(folder / "run"))
        with Stream(folder) as running:
            yield running


def decoded(jpeg: bytes) -> np.ndarray:
    from livematte.sources._still import decode_image

    return decode_image(jpeg, "a preview").to_rgb()


def png(picture: np.ndarray) -> bytes:
    """A PNG of RGB pixels."""
    from livematte.sinks._still import image_bytes

    return image_bytes(Frame.from_rgb(picture), ".png", quality=90, grey=False)


def bomb(side: int) -> bytes:
    """A PNG that is small as a file, and large when it is decoded."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    packer = zlib.compressobj(9)
    rows = b"".join(packer.compress(bytes(side * 3 + 1)) for _ in range(side)) + packer.flush()
    head = chunk(b"IHDR", struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + head + chunk(b"IDAT", rows) + chunk(b"IEND", b"")


def contrast_shown(rgb: np.ndarray) -> float:
    """How much of the marker's contrast a picture has: 1 in the raw room, 0 without it."""
    luma = rgb.astype(np.float64).mean(axis=2)
    left, top, right, bottom = marker_box(Size(luma.shape[1], luma.shape[0]))
    seen = luma[top:bottom, left:right]
    rows = np.arange(bottom - top) * MARKER_BITS.shape[0] // (bottom - top)
    columns = np.arange(right - left) * MARKER_BITS.shape[1] // (right - left)
    bits = MARKER_BITS[np.ix_(rows, columns)] * 175.0
    seen, bits = seen - seen.mean(), bits - bits.mean()
    return float((seen * bits).sum() / (bits * bits).sum())


def corner(rgb: np.ndarray) -> tuple[int, ...]:
    """Colour where nobody is."""
    return tuple(int(value) for value in np.median(rgb[:8, -8:], axis=(0, 1)))


def near(rgb: np.ndarray, colour: tuple[int, int, int]) -> bool:
    return bool(np.abs(np.subtract(corner(rgb), colour)).max() <= 6)


def after_change(stream: Stream) -> np.ndarray:
    """The preview of a frame that was made after the last command."""
    stream.out.wait_for(3)
    _, known = stream.shown()
    stream.out.wait_for(1)
    return stream.shown(known)[0]


def raw(stream: Stream, request: bytes) -> bytes:
    with socket.create_connection(("127.0.0.1", stream.port), timeout=PATIENCE_S) as client:
        client.sendall(request)
        client.shutdown(socket.SHUT_WR)
        return b"".join(iter(lambda: client.recv(65536), b""))


def connected(stream: Stream, token: str | None = None, origin: str | None = None) -> Any:
    from websockets.sync.client import connect

    return connect(
        f"ws://127.0.0.1:{stream.port}/api/socket",
        subprotocols=["livematte", f"token.{token or stream.token}"],
        origin=origin,
        compression=None,
    )


def reply(page: Any, number: Any) -> dict[str, Any]:
    """The answer to a message."""
    while True:
        said = page.recv(PATIENCE_S)
        if isinstance(said, str) and "id" in (told := json.loads(said)) and told["id"] == number:
            return told
