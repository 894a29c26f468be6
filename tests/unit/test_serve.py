"""`livematte serve`: the app's files with strict headers, and nothing beside them."""

from __future__ import annotations

import http.client
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from livematte import _serve, cli
from livematte._errors import LivematteError, OptionError
from livematte._http import check_free

SECRET = "outside the app"


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[_serve.Server]:
    app = tmp_path / "web"
    (app / "assets" / "models").mkdir(parents=True)
    (app / "index.html").write_text("<!doctype html><title>app</title>", encoding="utf-8")
    (app / "app.js").write_text("export {};", encoding="utf-8")
    (app / "assets" / "livematte.wasm").write_bytes(b"\0asm")
    (tmp_path / "secret.txt").write_text(SECRET, encoding="utf-8")
    monkeypatch.setattr(_serve, "APP", app)
    monkeypatch.setenv("LIVEMATTE_CACHE", str(tmp_path / "cache"))
    with _serve.Server(port=0) as running:
        thread = threading.Thread(target=running.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield running
        running.shutdown()
        thread.join()


def ask(
    server: _serve.Server, path: str, method: str = "GET", headers: dict[str, str] | None = None
) -> tuple[int, dict[str, str], bytes]:
    connection = http.client.HTTPConnection("127.0.0.1", server.server_address[1], timeout=10)
    try:
        connection.request(method, path, headers=headers or {})
        answer = connection.getresponse()
        return answer.status, {name.lower(): value for name, value in answer.getheaders()}, answer.read()
    finally:
        connection.close()


def raw(server: _serve.Server, request: bytes) -> bytes:
    with socket.create_connection(("127.0.0.1", server.server_address[1]), timeout=10) as client:
        client.sendall(request)
        client.shutdown(socket.SHUT_WR)
        return b"".join(iter(lambda: client.recv(65536), b""))


def test_the_app_is_at_the_root(server: _serve.Server) -> None:
    status, headers, body = ask(server, "/")
    assert status == 200
    assert b"<title>app" in body
    assert headers["content-type"] == "text/html; charset=utf-8"
    assert server.address == f"http://127.0.0.1:{server.server_address[1]}/"


@pytest.mark.parametrize(
    ("path", "kind"), [("/app.js", "text/javascript; charset=utf-8"), ("/assets/livematte.wasm", "application/wasm")]
)
def test_browsers_get_the_types_they_insist_on(server: _serve.Server, path: str, kind: str) -> None:
    assert ask(server, path)[1]["content-type"] == kind


@pytest.mark.parametrize("path", ["/", "/app.js", "/missing", "/assets/"])
def test_every_answer_has_the_policy(server: _serve.Server, path: str) -> None:
    headers = ask(server, path)[1]
    assert headers["content-security-policy"] == _serve.POLICY
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["permissions-policy"].startswith("camera=(self)")


def test_the_policy_allows_no_other_host_and_no_inline_script() -> None:
    assert "'unsafe-inline'" not in _serve.POLICY
    assert "'unsafe-eval'" not in _serve.POLICY.replace("'wasm-unsafe-eval'", "")
    assert "http" not in _serve.POLICY
    assert "*" not in _serve.POLICY


@pytest.mark.parametrize(
    "path",
    [
        "/../secret.txt",
        "/%2e%2e/secret.txt",
        "/assets/../../secret.txt",
        "/..%2fsecret.txt",
        "/..\\secret.txt",
        "//../secret.txt",
        "/assets/%00../../secret.txt",
        "/./../../../../../../etc/passwd",
    ],
)
def test_no_path_leads_out_of_the_app(server: _serve.Server, path: str) -> None:
    answer = raw(server, f"GET {path} HTTP/1.0\r\n\r\n".encode())
    assert answer.startswith((b"HTTP/1.0 404", b"HTTP/1.0 400"))
    assert SECRET.encode() not in answer


@pytest.mark.parametrize("path", ["/assets/", "/assets/models/"])
def test_folders_are_not_listed(server: _serve.Server, path: str) -> None:
    assert ask(server, path)[0] == 404


def test_head_tells_the_size_without_the_file(server: _serve.Server) -> None:
    status, headers, body = ask(server, "/app.js", "HEAD")
    assert (status, headers["content-length"], body) == (200, "10", b"")


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "OPTIONS", "TRACE"])
def test_nothing_can_be_sent(server: _serve.Server, method: str) -> None:
    assert ask(server, "/app.js", method)[0] == 501


def test_an_unchanged_file_is_not_sent_again(server: _serve.Server) -> None:
    when = ask(server, "/app.js")[1]["last-modified"]
    status, _, body = ask(server, "/app.js", headers={"If-Modified-Since": when})
    assert (status, body) == (304, b"")


def test_pulled_networks_are_served(server: _serve.Server, tmp_path: Path) -> None:
    path = "/assets/models/selfie_segmentation_landscape.tflite"
    assert ask(server, path)[0] == 404
    weights = tmp_path / "cache" / "weights" / "mediapipe" / "selfie_segmentation_landscape.tflite"
    weights.parent.mkdir(parents=True)
    weights.write_bytes(b"weights")
    assert ask(server, path)[2] == b"weights"


def test_files_of_bodypix_are_served_and_nothing_beside_them(server: _serve.Server, tmp_path: Path) -> None:
    folder = tmp_path / "cache" / "weights" / "bodypix" / "mobilenet" / "float" / "050"
    folder.mkdir(parents=True)
    for name in ("model-stride16.json", "group1-shard1of1.bin"):
        (folder / name).write_bytes(name.encode())
        assert ask(server, f"/assets/models/bodypix/mobilenet/float/050/{name}")[2] == name.encode()
    (tmp_path / "cache" / "weights" / "secret.bin").write_bytes(b"")
    for path in ("bodypix/../secret.bin", "bodypix/%2e%2e/secret.bin", "bodypix//secret.bin", "bodypix/.x", "bodypix/"):
        assert ask(server, f"/assets/models/{path}")[0] == 404


def test_a_client_that_says_nothing_holds_up_nobody(server: _serve.Server) -> None:
    with socket.create_connection(("127.0.0.1", server.server_address[1]), timeout=10):
        assert ask(server, "/")[0] == 200


def test_rubbish_is_refused(server: _serve.Server) -> None:
    assert b"400" in raw(server, b"\x16\x03\x01 hello\r\n\r\n")
    assert ask(server, "/")[0] == 200


def test_many_at_once(server: _serve.Server) -> None:
    found: list[int] = []
    threads = [threading.Thread(target=lambda: found.append(ask(server, "/app.js")[0])) for _ in range(40)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [200] * 40


def test_a_port_that_is_taken(server: _serve.Server, capsys: pytest.CaptureFixture[str]) -> None:
    port = server.server_address[1]
    with pytest.raises(OptionError, match=f"port {port}.*--port"):
        _serve.Server(port=port)
    assert cli.run(["serve", "--port", str(port)]) == cli.FAILED
    assert f"port {port}" in capsys.readouterr().err


@pytest.mark.parametrize("more", [[], ["--live"]])
def test_a_port_that_is_taken_is_told_before_anything_is_loaded(server: _serve.Server, more: list[str]) -> None:
    port = server.server_address[1]
    slow = {"numpy", "livematte._serve", "livematte.control._desk"}
    code = (
        "import sys; from livematte import cli\n"
        f"code = cli.run(['serve', '--port', '{port}', *{more}])\n"
        f"print(code, sorted({slow} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "1 []\n"
    assert done.stderr.startswith(f"livematte: error: cannot listen on 127.0.0.1 port {port}: ")
    assert done.stderr.count("\n") == 1


def test_a_port_that_is_free_stays_so() -> None:
    with _serve.Server(port=0) as first:
        port = first.server_address[1]
    check_free("127.0.0.1", port)
    with _serve.Server(port=port), pytest.raises(OptionError):
        check_free("127.0.0.1", port)


def test_a_host_that_is_not_here(server: _serve.Server) -> None:
    with pytest.raises(OptionError, match=r"cannot listen on nowhere\.invalid"):
        _serve.Server("nowhere.invalid", 0)


def test_an_app_that_was_not_built(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_serve, "APP", tmp_path)
    with pytest.raises(LivematteError, match="make web"):
        _serve.Server(port=0)
