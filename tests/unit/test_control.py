"""Control: who may come in, what may be asked, and that nobody ever gets to see the room."""

from __future__ import annotations

import http.client
import importlib.util
import json
import socket
import stat
import struct
import threading
import time
import zlib
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any
from urllib.parse import quote

import numpy as np
import pytest

from livematte import Color, DownloadError, Frame, LoadError, OptionError, Size
from livematte._clock import ManualClock
from livematte._http import FULL, MAX_CONNECTIONS
from livematte._live import Live
from livematte._preset_file import PresetFile
from livematte._presets import Preset
from livematte.control import Control, _answer, parse_address
from livematte.control._desk import Desk, _file_name
from livematte.control._door import BURST, MOST_SOCKETS, Door, Refused
from livematte.control._preview import PERIOD_NS, WATCHED_NS, Preview, encoded
from livematte.sinks import open_sink
from livematte.sources.synthetic import MARKER_BITS, Synthetic, marker_box

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


class TestDoor:
    @pytest.mark.parametrize("path", ["/api/status", "/api/presets", "/api/preview.jpg", "/metrics", "/api/socket"])
    @pytest.mark.parametrize("token", [None, "x", "Bearer", "ü"])
    def test_without_the_token_nothing_is_told(self, still: Stream, path: str, token: str | None) -> None:
        headers = {} if token is None else {"Authorization": f"Bearer {token}".encode().decode("latin-1")}
        assert still.refused("GET", path, token=None, headers=headers)[0] == 401

    def test_without_the_token_nothing_is_done(self, still: Stream) -> None:
        for method, path in (("POST", "/api/pause"), ("PATCH", "/api/settings"), ("POST", "/api/picture")):
            assert still.refused(method, path, {"effect": "off"}, token="wrong")[0] == 401
        found = still.do("GET", "/api/status")
        assert (found["live"]["paused"], found["settings"]["effect"]) == (False, "color:green")

    def test_a_token_in_the_address_is_no_token(self, still: Stream) -> None:
        assert still.refused("GET", f"/api/status?token={still.token}", token=None)[0] == 401

    @pytest.mark.parametrize("origin", ["http://evil.example", "null", "https://localhost:1", "http://localhost:1", ""])
    def test_other_origins_are_refused(self, still: Stream, origin: str) -> None:
        for method, path in (("GET", "/api/status"), ("POST", "/api/pause"), ("GET", "/api/socket"), ("GET", "/")):
            assert still.refused(method, path, headers={"Origin": origin})[0] == 403
        assert not still.live.status()["paused"]

    def test_the_pages_own_origin_may(self, still: Stream) -> None:
        for name in ("localhost", "127.0.0.1"):
            here = f"{name}:{still.port}"
            headers = {"Host": here, "Origin": f"http://{here}"}
            assert still.ask("GET", "/api/status", headers=headers)[0] == 200

    @pytest.mark.parametrize(
        "host", ["evil.example", "evil.example:{port}", "localhost:1", "localhost", "10.0.0.1:{port}", "[::1", ""]
    )
    def test_foreign_names_are_refused(self, still: Stream, host: str) -> None:
        for path in ("/", "/api/status"):
            assert still.refused("GET", path, headers={"Host": host.format(port=still.port)})[0] == 403

    def test_no_leave_is_given_to_other_sites(self, still: Stream) -> None:
        status, headers, _ = still.ask("OPTIONS", "/api/settings", headers={"Origin": "http://evil.example"})
        assert status == 501
        assert not any(name.startswith("access-control") for name in headers)

    @pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.1", "example.org"])
    def test_other_machines_only_when_it_is_said(self, host: str) -> None:
        with pytest.raises(OptionError, match="other machines"):
            Control(Desk(Preset(effect="blur", model="livematte:fast")), host=host)

    def test_an_address_of_the_network_takes_addresses_but_no_names(self) -> None:
        from email.message import Message

        door = Door("0.0.0.0", remote=True)
        for host, may in (("192.0.2.7:8010", True), ("localhost:8010", True), ("evil.example:8010", False)):
            headers = Message()
            headers["Host"] = host
            if may:
                door.check_place(headers, 8010)
            else:
                with pytest.raises(Refused):
                    door.check_place(headers, 8010)

    def test_a_flood_is_bounded(self) -> None:
        clock = ManualClock()
        door = Door("127.0.0.1", clock=clock)
        for _ in range(int(BURST)):
            door.check_rate()
        with pytest.raises(Refused, match="too many"):
            door.check_rate()
        clock.advance_ms(1000)
        door.check_rate()

    def test_who_has_no_token_does_not_use_up_the_rate(self, still: Stream, monkeypatch: pytest.MonkeyPatch) -> None:
        """Any web page can send requests without one, and its user is to pause the camera all the same."""
        counted: list[str] = []
        monkeypatch.setattr(still.control._server.door, "check_rate", lambda: counted.append("request"))
        for path in ("/api/status", "/api/socket", "/api/nothing"):
            assert still.refused("GET", path, token=None)[0] == 401
        assert counted == []
        still.do("GET", "/api/status")
        assert counted == ["request"]

    def test_the_page_is_named_by_number(self, still: Stream) -> None:
        """`localhost` may be ::1 first, where another user's program can listen on the same port and take the token."""
        assert still.control.running.page == f"http://127.0.0.1:{still.port}/#token={still.token}"

    def test_a_token_of_each_run(self) -> None:
        first, second = Door("127.0.0.1").token, Door("127.0.0.1").token
        assert first != second
        assert len(first) >= 43

    def test_the_token_lies_where_its_user_alone_can_read_it(self, still: Stream) -> None:
        path = still.desk.presets.path.parent / "run" / "live.json"
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
        assert json.loads(path.read_text())["token"] == still.token
        assert still.token not in repr(still.control.running)

    @pytest.mark.parametrize("path", PAGE)
    def test_the_page_is_for_everybody_here_and_strict(self, still: Stream, path: str) -> None:
        status, headers, body = still.ask("GET", path, token=None)
        assert status == 200
        policy = headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "unsafe" not in policy
        assert "frame-ancestors 'none'" in policy
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["permissions-policy"].startswith("camera=()")
        assert still.token.encode() not in body
        assert still.ask("HEAD", path, token=None)[2] == b""


class TestBounds:
    @pytest.mark.parametrize(
        "path",
        [
            "/../_desk.py",
            "/%2e%2e/_desk.py",
            "/page/",
            "/api/",
            "/api/presets/",
            "/index.html/..",
            "/..%2f_desk.py",
            "/etc/passwd",
            "/api/../../../../etc/passwd",
            "//etc/passwd",
            "/page.js%00.html",
        ],
    )
    def test_no_path_leads_anywhere_else(self, still: Stream, path: str) -> None:
        status, reason = still.refused("GET", path)
        assert status in (404, 405)
        assert "class" not in reason

    def test_an_address_of_many_parts(self, still: Stream) -> None:
        assert still.refused("GET", f"/api/status?{'&'.join('a=1' for _ in range(100))}")[0] == 400

    def test_methods_that_are_not_meant(self, still: Stream) -> None:
        assert still.refused("POST", "/api/status")[0] == 405
        assert still.refused("GET", "/api/settings")[0] == 405
        assert still.refused("DELETE", "/")[0] in (404, 405)

    def test_bodies_are_bounded(self, still: Stream) -> None:
        assert still.refused("PATCH", "/api/settings", b" " * (_answer.MOST_JSON_BYTES + 1))[0] == 413
        status, reason = still.refused("POST", "/api/picture", bytes(_answer.MOST_PICTURE_BYTES + 1))
        assert status == 413
        assert "at most 20,480 KB" in reason

    def test_a_body_without_its_length(self, still: Stream) -> None:
        head = f"POST /api/picture HTTP/1.1\r\nHost: localhost:{still.port}\r\nAuthorization: Bearer {still.token}\r\n"
        assert b" 411 " in raw(still, f"{head}Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n".encode())
        assert b" 400 " in raw(still, f"{head}Content-Length: -1\r\n\r\n".encode())
        assert b" 413 " in raw(still, f"{head}Content-Length: 99999999999\r\n\r\n".encode())
        assert b" 400 " in raw(still, f"{head}Content-Length: 10\r\n\r\nabc".encode())

    @pytest.mark.parametrize(
        "body", [b"{", b"[]", b"3", b'{"softness": NaN}', b"[" * 60_000, b"\xff", b'{"a": ' * 9000]
    )
    def test_what_is_no_json_object(self, still: Stream, body: bytes) -> None:
        assert still.refused("PATCH", "/api/settings", body)[0] == 400

    def test_clients_that_say_nothing_do_not_hold_up_others(self, stream: Stream) -> None:
        idle = [socket.create_connection(("127.0.0.1", stream.port)) for _ in range(MAX_CONNECTIONS // 2)]
        assert stream.do("GET", "/api/status")["running"]
        for one in idle:
            one.close()

    def test_more_clients_than_there_is_room_for_are_turned_away(self, stream: Stream) -> None:
        idle = [socket.create_connection(("127.0.0.1", stream.port)) for _ in range(MAX_CONNECTIONS)]
        before = threading.active_count()
        late = [socket.create_connection(("127.0.0.1", stream.port), timeout=PATIENCE_S) for _ in range(50)]
        assert all(one.recv(1000) == FULL for one in late)
        assert threading.active_count() <= before + MAX_CONNECTIONS
        for one in idle + late:
            one.close()
        stream.out.wait_for(1)
        found = []
        while not found:
            status, *_ = stream.ask("GET", "/api/status")
            found = [status] if status == 200 else []

    def test_fifty_at_once(self, stream: Stream) -> None:
        found: list[int] = []
        threads = [
            threading.Thread(target=lambda: found.append(stream.ask("GET", "/api/status")[0])) for _ in range(50)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert found == [200] * 50

    def test_a_request_that_drips_is_cut_off(self, stream: Stream, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("livematte._http.REQUEST_S", 0.2)
        with socket.create_connection(("127.0.0.1", stream.port), timeout=PATIENCE_S) as client:
            try:
                while True:  # a byte now and then, for ever
                    client.sendall(b"G")
                    client.settimeout(0.05)
                    try:
                        if client.recv(100) == b"":
                            break
                    except TimeoutError:
                        continue
            except ConnectionError:
                pass  # cut off while it spoke
        assert stream.do("GET", "/api/status")["running"]

    def test_rubbish_is_refused(self, still: Stream) -> None:
        assert b"400" in raw(still, b"\x16\x03\x01 hello\r\n\r\n")
        assert still.do("GET", "/api/status")["running"]


class TestPicture:
    def test_a_picture_becomes_the_background(self, stream: Stream, tmp_path: Path) -> None:
        red = np.full((90, 160, 3), (220, 30, 40), np.uint8)
        _, _, said = stream.ask("POST", "/api/picture", png(red), headers={"X-Name": "Red%20wall.png"})
        assert json.loads(said)["picture"] == "Red wall.png"
        assert json.loads(said)["settings"]["effect"] == "image"
        assert near(after_change(stream), (220, 30, 40))
        stream.do("PATCH", "/api/settings", {"softness": 0.9})
        stream.do("PATCH", "/api/settings", {"effect": "blur"})
        stream.do("PATCH", "/api/settings", {"effect": "image"})
        assert near(after_change(stream), (220, 30, 40))
        assert sorted(path.name for path in tmp_path.rglob("*") if path.is_file()) == ["live.json"]

    @pytest.mark.parametrize("kind", [".jpg", ".webp"])
    def test_other_kinds_of_pictures(self, stream: Stream, kind: str) -> None:
        from livematte import Frame
        from livematte.sinks._still import image_bytes

        blue = Frame.from_rgb(np.full((90, 160, 3), (20, 40, 200), np.uint8))
        stream.do("POST", "/api/picture", image_bytes(blue, kind, quality=95, grey=False))
        assert near(after_change(stream), (20, 40, 200))

    def test_a_large_picture_is_kept_small(self, stream: Stream) -> None:
        stream.do("POST", "/api/picture", png(np.zeros((30, 4000, 3), np.uint8)))
        assert stream.desk._picture.shape == (14, 1920, 3)

    @pytest.mark.parametrize(
        "data",
        [
            b"",
            b"no picture",
            b"\x89PNG\r\n\x1a\nbroken",
            b"\xff\xd8\xff",
            b"RIFF\x00\x00\x00\x00WEBPx",
            b"\xff\xd8\xff\xe0moov" + bytes(500),  # a film, to who looks further than the first three bytes
            b"GIF89a" + bytes(50),
            b"#EXTM3U\n#EXTINF:1,\nfile:///etc/passwd\n",
            b"<svg xmlns='http://www.w3.org/2000/svg'/>",
            b"ffconcat version 1.0\nfile x\n",
        ],
    )
    def test_what_is_no_picture_changes_nothing(self, still: Stream, data: bytes) -> None:
        status, reason = still.refused("POST", "/api/picture", data)
        assert status == 400
        assert "what was sent is" in reason
        found = still.do("GET", "/api/status")
        assert (found["settings"]["effect"], found["picture"]) == ("color:green", None)
        assert sorted(path.name for path in still.desk.presets.path.parent.rglob("*") if path.is_file()) == [
            "live.json"
        ]

    def test_a_picture_of_too_many_pixels(self, still: Stream) -> None:
        data = bomb(7000)
        assert len(data) < 200_000
        status, reason = still.refused("POST", "/api/picture", data)
        assert status == 400
        assert "of up to 40 million pixels" in reason

    def test_one_picture_at_a_time(self, stream: Stream) -> None:
        with stream.control._server.door.one_picture():
            assert stream.refused("POST", "/api/picture", png(np.zeros((4, 4, 3), np.uint8)))[0] == 503
        assert stream.ask("POST", "/api/picture", png(np.zeros((4, 4, 3), np.uint8)))[0] == 200

    def test_a_picture_that_was_not_sent(self, still: Stream) -> None:
        assert "no picture has been sent" in still.refused("PATCH", "/api/settings", {"effect": "image"})[1]


class TestSettings:
    def test_the_effect_is_seen_in_the_output(self, stream: Stream) -> None:
        assert near(stream.shown()[0], (0, 177, 64))
        stream.do("PATCH", "/api/settings", {"effect": "color:#3040c0"})
        assert near(after_change(stream), (0x30, 0x40, 0xC0))
        frame = stream.out.frames[-1].to_rgb()
        assert near(frame, (0x30, 0x40, 0xC0))

    def test_strength_is_of_a_blur(self, stream: Stream) -> None:
        assert "blur" in stream.refused("PATCH", "/api/settings", {"strength": 0.5})[1]
        found = stream.do("PATCH", "/api/settings", {"effect": "blur", "strength": 0.5})
        assert found["settings"]["effect"] == "blur:0.5"
        assert stream.do("PATCH", "/api/settings", {"strength": 0.3})["settings"]["effect"] == "blur:0.3"
        for wrong in (2, 10**400, "x", True, None, [1]):
            assert stream.refused("PATCH", "/api/settings", {"strength": wrong})[0] == 400
        assert stream.do("GET", "/api/status")["settings"]["effect"] == "blur:0.3"

    def test_everything_at_once(self, stream: Stream) -> None:
        wanted = {
            "effect": "color:blue",
            "softness": 0.7,
            "light_wrap": 0.2,
            "despill": False,
            "match": 0.1,
            "who": "nearest",
            "zones": [[[0.1, 0.1], [0.9, 0.1], [0.5, 0.9]]],
            "framing": True,
            "bokeh": True,
        }
        found = stream.do("PATCH", "/api/settings", wanted)["settings"]
        assert {key: found[key] for key in wanted} == wanted
        assert stream.until(lambda found: found["live"]["framing"])["live"]["effect"] == "color:#0000ff"

    @pytest.mark.parametrize(
        "wrong",
        [
            {"sofness": 1},
            {"softness": 2},
            {"effect": "blurr"},
            {"effect": "blur:9"},
            {"effect": 3},
            {"model": "none"},
            {"model": 3},
            {"who": "me"},
            {"zones": [[[0, 0]]]},
            {"framing": "yes"},
            {"effect": "transparent"},
        ],
    )
    def test_one_wrong_value_changes_nothing(self, still: Stream, wrong: dict[str, Any]) -> None:
        before = still.do("GET", "/api/status")["settings"]
        status, reason = still.refused("PATCH", "/api/settings", {"light_wrap": 0.9, **wrong})
        assert status == 400
        assert len(reason) <= _answer.LONGEST_ERROR
        assert still.do("GET", "/api/status")["settings"] == before

    @pytest.mark.parametrize(
        "wanted",
        [
            {"effect": "image:/etc/hostname"},
            {"effect": "image:beach.jpg"},
            {"effect": "video:film.mp4"},
            {"effect": "image:"},
            {"model": "custom:/tmp/net.onnx"},
            {"model": "livematte:../x"},
            {"model": "livematte:/x"},
        ],
    )
    def test_nobody_outside_names_a_file(self, still: Stream, wanted: dict[str, str]) -> None:
        assert still.refused("PATCH", "/api/settings", wanted)[0] == 400

    def test_pause_and_resume(self, stream: Stream) -> None:
        stream.do("POST", "/api/pause")
        assert stream.until(lambda found: found["live"]["camera"] == "closed")["live"]["paused"]
        stream.do("POST", "/api/resume")
        stream.until(lambda found: found["live"]["camera"] == "open")

    def test_stop(self, stream: Stream) -> None:
        stream.do("POST", "/api/stop")
        stream.thread.join(PATIENCE_S)
        assert not stream.thread.is_alive()

    def test_a_stream_that_was_started_elsewhere(self, still: Stream) -> None:
        assert "started elsewhere" in still.refused("POST", "/api/start")[1]

    def test_networks_that_are_here(self, still: Stream) -> None:
        names = [one["name"] for one in still.do("GET", "/api/models")]
        assert "livematte:fast" in names
        assert "mediapipe:landscape" not in names  # not pulled

    def test_figures_for_prometheus(self, still: Stream) -> None:
        status, headers, text = still.ask("GET", "/metrics")
        assert status == 200
        assert headers["content-type"].startswith("text/plain; version=0.0.4")
        assert b"livematte_frames_total" in text


def test_a_network_that_cannot_be_loaded_leaves_the_old_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LIVEMATTE_RUNTIME", str(tmp_path / "run"))
    new = parts.Figure("livematte:base")

    def load(name: str) -> Any:
        if name == "mediapipe:landscape":
            raise LoadError("the weights are not here")
        return new

    with Stream(tmp_path, load=load) as stream:
        stream.do("PATCH", "/api/settings", {"model": "mediapipe:landscape"})
        found = stream.until(lambda found: found["error"] is not None)
        assert found["error"] == "mediapipe:landscape: the weights are not here"
        assert found["live"]["model"] == "livematte:fast"
        before = stream.network.runs
        stream.out.wait_for(3)
        assert stream.network.runs > before
        assert not stream.network.closed
        stream.do("PATCH", "/api/settings", {"softness": 0.5})
        assert stream.do("GET", "/api/status")["error"] == found["error"]  # not tried again by itself
        stream.do("PATCH", "/api/settings", {"model": "livematte:base"})
        assert stream.until(lambda found: found["live"]["model"] == "livematte:base")["error"] is None


class TestPresets:
    def test_saved_listed_chosen_deleted(self, stream: Stream) -> None:
        stream.do("PATCH", "/api/settings", {"effect": "color:#3040c0", "softness": 0.4})
        assert stream.do("PUT", "/api/presets/my%20desk")["preset"] == "my desk"
        stream.do("PATCH", "/api/settings", {"effect": "color:green"})
        listed = stream.do("GET", "/api/presets")
        assert listed["presets"]["my desk"]["softness"] == 0.4
        found = stream.do("POST", "/api/presets/my%20desk")
        assert (found["preset"], found["presets"]) == ("my desk", ["my desk"])
        assert near(after_change(stream), (0x30, 0x40, 0xC0))
        assert stream.do("DELETE", "/api/presets/my%20desk")["presets"] == []
        assert stream.refused("POST", "/api/presets/my%20desk")[0] == 400

    @pytest.mark.parametrize("name", ["..%2f..%2fevil", "%00", "a%0ab", "x" * 65])
    def test_names_lead_nowhere(self, stream: Stream, name: str, tmp_path: Path) -> None:
        stream.do("POST", "/api/picture", png(np.zeros((4, 4, 3), np.uint8)))
        stream.ask("PUT", f"/api/presets/{name}")
        found = {str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*") if path.is_file()}
        assert found <= {"run/live.json", "presets.toml", f"pictures/{_file_name('../../evil')}.png"}
        assert not (tmp_path.parent / "evil.png").exists()

    def test_a_picture_is_kept_beside_them(self, stream: Stream, tmp_path: Path) -> None:
        stream.do("POST", "/api/picture", png(np.full((8, 8, 3), (220, 30, 40), np.uint8)))
        stream.do("PUT", "/api/presets/wall")
        assert (tmp_path / "pictures" / "wall.png").is_file()
        assert 'effect = "image:pictures/wall.png"' in (tmp_path / "presets.toml").read_text()
        stream.do("PATCH", "/api/settings", {"effect": "blur"})
        assert (
            stream.do("POST", "/api/presets/wall")["settings"]["effect"]
            == f"image:{tmp_path / 'pictures' / 'wall.png'}"
        )
        assert near(after_change(stream), (220, 30, 40))

    def test_two_presets_never_share_a_picture(self, stream: Stream, tmp_path: Path) -> None:
        names = ["\u65e5\u672c", "\u4e2d\u56fd", "a b", "a/b", "a-b", "A-B"]
        for name in names:
            stream.do("POST", "/api/picture", png(np.full((8, 8, 3), (220, 30, 40), np.uint8)))
            stream.do("PUT", f"/api/presets/{quote(name, safe='')}")
        files = [path.name.lower() for path in (tmp_path / "pictures").iterdir()]
        assert len(set(files)) == len(names)  # where a file system knows no capitals, too

    def test_a_film_that_was_gone_is_tried_again(self, stream: Stream, tmp_path: Path) -> None:
        """Its plate has become a plain one meanwhile; settings name the film still."""
        (tmp_path / "presets.toml").write_text('[presets.film]\neffect = "video:film.mkv"\n')
        film, away = tmp_path / "film.mkv", tmp_path / "away"
        with open_sink(film) as sink:  # of one frame: it is opened again at each round
            sink.write(Frame.from_rgb(np.full((36, 64, 3), 90, np.uint8)))
        stream.do("POST", "/api/presets/film")
        film.rename(away)
        found = stream.until(lambda found: found["live"]["effect"] == "color:#808080")
        assert "there is no file" in found["error"]
        away.rename(film)
        stream.do("POST", "/api/presets/film")
        assert stream.until(lambda found: found["live"]["effect"].startswith("video:"))["error"] is None

    def test_the_chosen_one_follows_its_file(self, stream: Stream, tmp_path: Path) -> None:
        stream.do("PUT", "/api/presets/desk")
        path = tmp_path / "presets.toml"
        path.write_text('[presets.desk]\neffect = "color:#3040c0"\n')
        stream.desk.keep_up()
        assert stream.do("GET", "/api/status")["settings"]["effect"] == "color:#3040c0"
        assert near(after_change(stream), (0x30, 0x40, 0xC0))
        path.write_text('[presets.desk]\neffect = "color:#nothing"\n')
        stream.desk.keep_up()
        found = stream.do("GET", "/api/status")
        assert "preset 'desk'" in found["error"]
        assert found["settings"]["effect"] == "color:#3040c0"
        path.write_text("[presets.desk\n")
        stream.desk.keep_up()
        assert "line 1" in stream.do("GET", "/api/status")["presets_error"]

    def test_the_thread_looks_by_itself(self, stream: Stream, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        (tmp_path / "presets.toml").write_text("[presets.new]\nsoftness = 0.1\n")
        assert stream.until(lambda found: found["presets"] == ["new"])


class TestRoom:
    @pytest.mark.parametrize("effect", ["blur", "blur:0.1", "color:green"])
    def test_no_answer_shows_the_room(self, stream: Stream, effect: str) -> None:
        assert contrast_shown(Synthetic(parts.SIZE).frame(0).to_rgb()) > 0.9
        stream.do("PATCH", "/api/settings", {"effect": effect})
        after_change(stream)
        number = 0
        for dead in (False, True, False):
            stream.network.dead = dead
            for command in ("pause", "resume"):
                stream.do("POST", f"/api/{command}")
                stream.out.wait_for(2)
                picture, number = stream.shown(number)
                weak = effect == "blur:0.1" and not dead  # behind a person it is what was asked for
                assert weak or abs(contrast_shown(picture)) < 0.15

    def test_after_the_end_there_is_no_picture(self, stream: Stream) -> None:
        stream.shown()
        stream.do("POST", "/api/stop")
        stream.thread.join(PATIENCE_S)
        status, _, body = stream.ask("GET", "/api/preview.jpg")
        assert (status, body) == (204, b"")


class TestPreview:
    def test_frames_are_kept_only_while_somebody_looks(self) -> None:
        clock, out = ManualClock(), parts.Output()
        frame = Synthetic(parts.SIZE).frame(0)
        with Preview(out, clock) as preview:
            preview.write(frame)
            assert preview._frame is None
            assert preview.shot(0, 0) is None
            preview.write(frame)
            shot = preview.shot(0, 0)
            assert decoded(shot.jpeg).shape == (180, 320, 3)
            assert preview.shot(0, 0) is shot
            assert preview.shot(shot.number, 0) is None
            preview.write(frame)
            assert preview.shot(shot.number, 0) is None  # ten a second are enough
            clock.advance_ms(PERIOD_NS / 1e6)
            assert preview.shot(shot.number, 0).number > shot.number
            clock.advance_ms(WATCHED_NS / 1e6)
            assert not preview.watched
        assert preview.shot(0, 0) is None
        assert len(out.frames) == 3

    def test_who_looks_is_a_reader(self) -> None:
        clock = ManualClock()
        out = parts.Output()
        assert Preview(out, clock).readers() is None
        out.readers = lambda: 2
        preview = Preview(out, clock)
        assert preview.readers() == 2
        preview.shot(0, 0)
        assert preview.readers() == 3

    def test_what_the_sink_can_do_is_passed_on(self) -> None:
        out = parts.Output()
        assert (Preview(out).resizes, Preview(out).ended, Preview(out).notes) == (False, False, [])
        out.resizes, out.ended, out.notes = True, True, ["a note"]
        assert (Preview(out).resizes, Preview(out).ended, Preview(out).notes) == (True, True, ["a note"])

    def test_a_wide_picture_is_made_small(self) -> None:
        assert decoded(encoded(Synthetic(Size(1280, 720)).frame(0))).shape == (360, 640, 3)
        assert decoded(encoded(Synthetic(Size(3, 2001)).frame(0))).shape == (640, 2, 3)

    def test_transparency_shows_a_board(self) -> None:
        frame = Synthetic(parts.SIZE).frame(0)
        clear = frame.with_planes(frame.planes, np.zeros((180, 320), np.uint8))
        seen = decoded(encoded(clear))
        assert abs(contrast_shown(seen)) < 0.05
        assert {round(int(value), -1) for value in seen[4::12, 4::12, 0].ravel()} == {170, 200}


class TestSocket:
    def test_figures_previews_and_commands(self, stream: Stream) -> None:
        with connected(stream) as page:
            told = json.loads(page.recv(PATIENCE_S))
            assert told["status"]["settings"]["effect"] == "color:green"
            page.send(json.dumps({"preview": True}))
            picture = next(said for said in iter(lambda: page.recv(PATIENCE_S), None) if isinstance(said, bytes))
            assert near(decoded(picture), (0, 177, 64))
            page.send(json.dumps({"id": 7, "method": "PATCH", "path": "api/settings", "body": {"effect": "blur:0.4"}}))
            assert reply(page, 7)["body"]["settings"]["effect"] == "blur:0.4"
            page.send(json.dumps({"id": 8, "method": "PATCH", "path": "api/settings", "body": {"effect": "blur:7"}}))
            assert reply(page, 8)["status"] == 400
            page.send(json.dumps({"id": 9, "method": "POST", "path": "api/picture", "body": {}}))
            assert reply(page, 9)["status"] == 400
            page.send("nonsense")
            assert reply(page, None)["status"] == 400

    def test_the_preview_of_a_stream_that_was_started_again(self, stream: Stream) -> None:
        """It counts its frames from the beginning."""
        with connected(stream) as page, Preview(parts.Output()) as preview:
            said = (page.recv(PATIENCE_S) for _ in range(30))  # figures come all the time
            pictures = (one for one in said if isinstance(one, bytes))
            page.send(json.dumps({"preview": True}))
            for _ in range(3):
                next(pictures)
            stream.desk.preview = preview
            while not preview.watched:
                stream.out.wait_for(1)
            preview.write(Synthetic(parts.SIZE).frame(0))
            assert any(not near(decoded(picture), (0, 177, 64)) for picture in pictures)

    def test_a_long_message_ends_it(self, stream: Stream) -> None:
        from websockets.exceptions import ConnectionClosed

        with connected(stream) as page:
            page.send("x" * (_answer.MOST_JSON_BYTES + 1))
            with pytest.raises(ConnectionClosed) as caught:
                reply(page, "never")
            assert caught.value.rcvd.code == 1009

    def test_it_ends_with_the_stream(self, tmp_path: Path) -> None:
        from websockets.exceptions import ConnectionClosed

        with Stream(tmp_path) as stream:
            page = connected(stream).__enter__()
        with pytest.raises(ConnectionClosed) as caught:
            reply(page, "never")
        assert caught.value.rcvd.code == 1001

    def test_only_so_many_pages(self, stream: Stream) -> None:
        from websockets.exceptions import InvalidStatus

        with ExitStack() as pages:
            for _ in range(MOST_SOCKETS):
                pages.enter_context(connected(stream))
            with pytest.raises(InvalidStatus) as caught, connected(stream):
                pass
        assert caught.value.response.status_code == 503

    def test_without_the_token_or_from_elsewhere(self, stream: Stream) -> None:
        from websockets.exceptions import InvalidStatus

        for options, status in (({"token": "wrong"}, 401), ({"origin": "http://evil.example"}, 403)):
            with pytest.raises(InvalidStatus) as caught, connected(stream, **options):
                pass
            assert caught.value.response.status_code == status

    def test_without_the_package_the_rest_works(self, stream: Stream, monkeypatch: pytest.MonkeyPatch) -> None:
        import sys

        monkeypatch.setitem(sys.modules, "websockets.server", None)
        headers = {"Sec-WebSocket-Protocol": f"livematte, token.{stream.token}"}
        status, reason = stream.refused("GET", "/api/socket", headers=headers)
        assert (status, reason) == (501, 'WebSockets need an extra: pip install "livematte[control]"')
        assert stream.do("GET", "/api/status")["running"]


class TestStarting:
    """A desk that starts and ends its stream itself, as `livematte serve --live` has it."""

    def test_start_stop_start(self, tmp_path: Path) -> None:
        out = parts.Output()

        def start(desk: Desk) -> Live:
            return Live(
                lambda: parts.Room(out), desk.watch(out), model=parts.Figure(), effect=desk.painter, size=parts.SIZE
            )

        with Desk(Preset(effect="blur", model="figure"), PresetFile(tmp_path / "p.toml"), start) as desk:
            assert not desk.status()["running"]
            with pytest.raises(OptionError, match="start it first"):
                desk.pause()
            desk.change({"effect": "color:blue"})
            for _ in range(2):
                desk.start()
                with pytest.raises(OptionError, match="running already"):
                    desk.start()
                out.wait_for(2)
                assert desk.status()["live"]["effect"] == "color:#0000ff"
                desk.stop()
                assert not desk.status()["running"]

    def test_why_it_ended_is_told(self, tmp_path: Path) -> None:
        def start(desk: Desk) -> Live:
            def load(name: str) -> Any:
                raise DownloadError("no weights")

            return Live(lambda: parts.Room(out), desk.watch(out), load=load, effect=Color("green"), size=parts.SIZE)

        out = parts.Output()
        with Desk(Preset(effect="blur", model="figure"), PresetFile(tmp_path / "p.toml"), start) as desk:
            desk.start()
            desk._thread.join(PATIENCE_S)
            assert desk.status()["error"] == "no weights"
            assert not desk.status()["running"]


def test_addresses() -> None:
    assert parse_address("8010") == ("127.0.0.1", 8010)
    assert parse_address("0.0.0.0:0") == ("0.0.0.0", 0)
    assert parse_address("[::1]:80") == ("::1", 80)
    for wrong in ("", "x", "localhost:", "1:99999", "-1"):
        with pytest.raises(OptionError, match="a control address is"):
            parse_address(wrong)


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
