"""Control: who may come in, and how much may be asked."""

from __future__ import annotations

import json
import socket
import stat
import sys
import threading
from pathlib import Path

import pytest

from livematte import OptionError
from livematte._clock import ManualClock
from livematte._http import FULL, MAX_CONNECTIONS
from livematte._presets import Preset
from livematte.control import Control, _answer, parse_address
from livematte.control._desk import Desk
from livematte.control._door import BURST, Door, Refused

sys.path.insert(0, str(Path(__file__).parent))

import control_parts
from control_parts import PAGE, PATIENCE_S, Stream, raw

stream, still = control_parts.stream, control_parts.still


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


def test_addresses() -> None:
    assert parse_address("8010") == ("127.0.0.1", 8010)
    assert parse_address("0.0.0.0:0") == ("0.0.0.0", 0)
    assert parse_address("[::1]:80") == ("::1", 80)
    for wrong in ("", "x", "localhost:", "1:99999", "-1"):
        with pytest.raises(OptionError, match="a control address is"):
            parse_address(wrong)
