"""Weights: found, fetched from a local server that misbehaves in every way, and checked."""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from livematte import _download, _weights
from livematte._errors import ChecksumMismatch, DownloadError, OptionError, WeightsError
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


def test_pull_brings_the_file_and_tells_how_far_it_is(file: WeightsFile, cache: Path) -> None:
    seen: list[tuple[int, int]] = []
    path = _weights.pull(file, lambda done, total: seen.append((done, total)))
    assert path == cache / "weights" / PATH
    assert path.read_bytes() == CONTENT
    assert left_in(cache) == [f"weights/{PATH}"]
    assert seen[0] == (0, len(CONTENT))
    assert seen[-1] == (len(CONTENT), len(CONTENT))
    assert [done for done, _ in seen] == sorted(done for done, _ in seen)


def test_pull_asks_nobody_for_a_file_that_is_there(file: WeightsFile, server: Server) -> None:
    _weights.pull(file)
    _weights.pull(file)
    assert len(server.asked) == 1


def test_pull_replaces_a_harmed_file(file: WeightsFile, server: Server) -> None:
    path = _weights.pull(file)
    path.write_bytes(b"x" + CONTENT[1:])
    assert _weights.pull(file).read_bytes() == CONTENT


@pytest.mark.parametrize("announce_length", [True, False])
def test_a_broken_off_download_is_resumed(
    file: WeightsFile, server: Server, cache: Path, announce_length: bool
) -> None:
    server.stop_after, server.announce_length = 100_000, announce_length
    with pytest.raises(DownloadError, match=f"100000 of {len(CONTENT)} bytes"):
        _weights.pull(file)
    assert left_in(cache) == [f"weights/{PATH}.part"]
    server.stop_after = None
    assert _weights.pull(file).read_bytes() == CONTENT
    assert server.asked[-1] == ("/official/net.onnx", "bytes=100000-")
    assert left_in(cache) == [f"weights/{PATH}"]


def test_a_full_disk_is_no_fault_of_the_network(
    file: WeightsFile, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*args: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(_download, "_receive", full)
    with pytest.raises(WeightsError, match=r"cannot write .*net\.onnx: No space left on device") as caught:
        _weights.pull(file)
    assert not isinstance(caught.value, DownloadError)


def test_a_server_that_falls_silent_is_given_up(
    file: WeightsFile, server: Server, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_download, "TIMEOUT_S", 0.5)
    server.stop_after, server.hold = 100_000, threading.Event()
    try:
        with pytest.raises(DownloadError, match="broke off: timed out; the same command goes on"):
            _weights.pull(file)
    finally:
        server.hold.set()
    assert left_in(cache) == [f"weights/{PATH}.part"]
    server.stop_after = None
    assert _weights.pull(file).read_bytes() == CONTENT


def test_a_server_without_ranges_starts_again(file: WeightsFile, server: Server) -> None:
    server.stop_after = 100_000
    with pytest.raises(DownloadError):
        _weights.pull(file)
    server.stop_after, server.ranges = None, False
    assert _weights.pull(file).read_bytes() == CONTENT


def test_a_beginning_of_another_file_is_thrown_away(file: WeightsFile, server: Server, cache: Path) -> None:
    part = cache / "weights" / f"{PATH}.part"
    part.parent.mkdir(parents=True)
    part.write_bytes(b"other" * 1000)
    assert _weights.pull(file).read_bytes() == CONTENT
    assert [wanted for _, wanted in server.asked] == ["bytes=5000-", None]


def test_a_part_longer_than_the_answer_is_thrown_away(file: WeightsFile, server: Server, cache: Path) -> None:
    part = cache / "weights" / f"{PATH}.part"
    part.parent.mkdir(parents=True)
    part.write_bytes(CONTENT[:5000])
    server.content = CONTENT[:3000]
    with pytest.raises(DownloadError, match="after 3000 of"):
        _weights.pull(file)
    assert [wanted for _, wanted in server.asked] == ["bytes=5000-", None]


def test_a_part_that_is_already_whole_needs_no_request(file: WeightsFile, server: Server, cache: Path) -> None:
    part = cache / "weights" / f"{PATH}.part"
    part.parent.mkdir(parents=True)
    part.write_bytes(CONTENT)
    assert _weights.pull(file).read_bytes() == CONTENT
    assert server.asked == []


@pytest.mark.parametrize(
    "content", [b"x" + CONTENT[1:], CONTENT + b"more" * 100_000], ids=["other bytes", "more bytes"]
)
def test_other_bytes_are_not_kept(file: WeightsFile, server: Server, cache: Path, content: bytes) -> None:
    server.content = content
    with pytest.raises(ChecksumMismatch, match="nothing was kept"):
        _weights.pull(file)
    assert left_in(cache) == []


@pytest.mark.parametrize("status", [403, 404, 416, 500])
def test_a_refusal_names_the_address_and_the_way_out(
    file: WeightsFile, server: Server, cache: Path, status: int
) -> None:
    server.status = status
    with pytest.raises(DownloadError, match=rf"/official/net.onnx answered {status} .*--weights FILE"):
        _weights.pull(file)
    assert left_in(cache) == []


def test_offline_names_the_way_out(file: WeightsFile, server: Server, cache: Path) -> None:
    server.server_close()  # nobody listens at this port any more
    with pytest.raises(DownloadError, match=r"cannot download http.*(refused|reset).*--weights FILE"):
        _weights.pull(file)
    assert left_in(cache) == []


def test_a_mirror_replaces_the_official_address(
    file: WeightsFile, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LIVEMATTE_MIRROR", f"{server.base}/mirror/")
    _weights.pull(file)
    assert server.asked == [(f"/mirror/{PATH}", None)]


def test_a_mirror_must_be_an_http_address(file: WeightsFile, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LIVEMATTE_MIRROR", "file:///etc")
    with pytest.raises(OptionError, match="http"):
        _weights.pull(file)


def test_a_cache_that_cannot_be_written_is_named(
    file: WeightsFile, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    blocked = tmp_path / "a file"
    blocked.write_bytes(b"")
    monkeypatch.setenv("LIVEMATTE_CACHE", str(blocked))
    with pytest.raises(WeightsError, match="LIVEMATTE_CACHE names another folder"):
        _weights.pull(file)


def test_locate_says_how_to_get_what_is_missing(file: WeightsFile) -> None:
    with pytest.raises(WeightsError, match=r"run `livematte models pull family:net` or pass --weights FILE"):
        _weights.locate(file, "family:net")


def test_locate_refuses_a_harmed_file(file: WeightsFile) -> None:
    path = _weights.pull(file)
    assert _weights.locate(file, "family:net") == path
    path.write_bytes(CONTENT[:-1])
    with pytest.raises(ChecksumMismatch, match="run `livematte models pull family:net` again"):
        _weights.locate(file, "family:net")


def test_packaged_files_are_never_downloaded() -> None:
    missing = WeightsFile("no such file.onnx", "0" * 64, 1)
    with pytest.raises(WeightsError, match="install livematte again"):
        _weights.locate(missing, "livematte")
    with pytest.raises(WeightsError):
        _weights.pull(missing)


def test_verify_reports_an_unreadable_file(tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match="cannot read"):
        _weights.verify(tmp_path, WeightsFile(PATH, "0" * 64, 1))  # a folder


# files whose publisher gives less than a SHA-256


@pytest.fixture
def unknown(server: Server, cache: Path) -> WeightsFile:
    return WeightsFile(PATH, None, None, f"{server.base}/official/net.onnx")


def test_a_first_download_without_checksum_is_recorded(unknown: WeightsFile, cache: Path) -> None:
    path = _weights.pull(unknown)
    assert path.read_bytes() == CONTENT
    record = cache / "weights" / f"{PATH}.sha256"
    assert record.read_text() == f"{hashlib.sha256(CONTENT).hexdigest()}  net.onnx\n"
    assert "first download" in _weights.verify(path, unknown)
    path.write_bytes(b"x" + CONTENT[1:])
    with pytest.raises(ChecksumMismatch, match="SHA-256"):
        _weights.locate(unknown, "family:net")


def test_a_second_download_must_be_the_first(unknown: WeightsFile, server: Server, cache: Path) -> None:
    _weights.pull(unknown).unlink()
    server.content = b"another" * 9999
    with pytest.raises(ChecksumMismatch, match=r"another file than it did at first.*remove .*net\.onnx\.sha256"):
        _weights.pull(unknown)
    assert left_in(cache) == [f"weights/{PATH}.sha256"]


def test_a_file_put_there_by_hand_is_pulled_once_more(unknown: WeightsFile, server: Server, cache: Path) -> None:
    path = cache / "weights" / PATH
    path.parent.mkdir(parents=True)
    path.write_bytes(b"by hand")
    assert _weights.locate(unknown, "family:net") == path
    assert _weights.verify(path, unknown).startswith("nothing")
    assert _weights.pull(unknown).read_bytes() == CONTENT


def test_without_checksum_only_the_same_version_is_resumed(unknown: WeightsFile, server: Server, cache: Path) -> None:
    server.stop_after, server.etag = 100_000, '"one"'
    for _ in range(2):
        with pytest.raises(DownloadError, match=f"of {len(CONTENT)} bytes; the same command"):
            _weights.pull(unknown)
    assert server.asked[-1][1] == "bytes=100000-"
    server.stop_after, server.etag, server.content = None, '"two"', CONTENT[::-1]
    assert _weights.pull(unknown).read_bytes() == CONTENT[::-1]
    assert server.version == '"one"'
    assert left_in(cache) == [f"weights/{PATH}", f"weights/{PATH}.sha256"]


def test_without_checksum_and_version_it_begins_again(unknown: WeightsFile, server: Server) -> None:
    server.stop_after = 100_000
    with pytest.raises(DownloadError):
        _weights.pull(unknown)
    server.stop_after = None
    assert _weights.pull(unknown).read_bytes() == CONTENT
    assert server.asked[-1][1] is None


def test_an_unknown_size_is_bounded(
    unknown: WeightsFile, server: Server, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_weights, "MAX_BYTES", 1000)
    with pytest.raises(DownloadError, match=f"announces {len(CONTENT)} bytes, expected at most 1000"):
        _weights.pull(unknown)
    server.announce_length = False
    with pytest.raises(DownloadError, match="does not say how long"):
        _weights.pull(unknown)
    by_md5 = WeightsFile(PATH, None, None, unknown.url, md5=hashlib.md5(CONTENT).hexdigest())
    with pytest.raises(DownloadError, match="sends more than 1000 bytes"):
        _weights.pull(by_md5)
    assert left_in(cache) == []


def test_md5_of_the_publisher_is_compared(server: Server, cache: Path) -> None:
    file = WeightsFile(PATH, None, None, f"{server.base}/net.onnx", md5=hashlib.md5(CONTENT).hexdigest())
    path = _weights.pull(file)
    assert left_in(cache) == [f"weights/{PATH}"]
    assert "published" in _weights.verify(path, file)
    path.write_bytes(b"x")
    with pytest.raises(ChecksumMismatch, match="has MD5"):
        _weights.verify(path, file)
    path.unlink()
    server.content = b"other"
    with pytest.raises(ChecksumMismatch, match=r"published ones \(MD5 "):
        _weights.pull(file)
    assert left_in(cache) == []


def test_a_licence_wants_consent_by_name(server: Server, cache: Path) -> None:
    file = WeightsFile(PATH, None, None, f"{server.base}/net.onnx", consent="GPL-3.0")
    with pytest.raises(OptionError, match=r"pass --accept-licence GPL-3\.0"):
        _weights.pull(file)
    with pytest.raises(OptionError):
        _weights.pull(file, accepted=["MIT"])
    assert server.asked == []
    with pytest.raises(WeightsError, match=r"run `livematte models pull rvm --accept-licence GPL-3\.0`"):
        _weights.locate(file, "rvm")
    assert _weights.pull(file, accepted=["GPL-3.0"]).is_file()


# TensorFlow.js graphs


def manifest(*groups: tuple[list[Any], list[dict[str, Any]]]) -> bytes:
    return json.dumps({"weightsManifest": [{"paths": p, "weights": w} for p, w in groups]}).encode()


FLOATS = {"name": "a", "shape": [10, 25], "dtype": "float32"}
BYTES = {"name": "b", "shape": [100], "dtype": "float32", "quantization": {"dtype": "uint8", "min": 0, "scale": 1}}
WEIGHTS = bytes(range(256)) * 4 + bytes(76)  # 1000 bytes of FLOATS and 100 of BYTES


@pytest.fixture
def sharded(server: Server, cache: Path) -> WeightsFile:
    server.files = {
        "/v1/model.json?alt=media": manifest((["w1of2.bin", "w2of2.bin"], [FLOATS, BYTES])),
        "/v1/w1of2.bin?alt=media": WEIGHTS[:600],
        "/v1/w2of2.bin?alt=media": WEIGHTS[600:],
    }
    return WeightsFile("tfjs/v1/model.json", None, None, f"{server.base}/v1/model.json?alt=media", shards=True)


def test_shards_come_with_their_manifest(sharded: WeightsFile, server: Server, cache: Path) -> None:
    seen: list[tuple[int, int]] = []
    path = _weights.pull(sharded, lambda done, total: seen.append((done, total)))
    names = ["model.json", "model.json.sha256", "w1of2.bin", "w2of2.bin"]
    assert left_in(cache) == [f"weights/tfjs/v1/{name}" for name in names]
    assert seen[-1] == (1100, 1100)
    record = path.with_name("model.json.sha256").read_text().splitlines()
    assert [line.partition("  ")[2] for line in record] == ["model.json", "w1of2.bin", "w2of2.bin"]
    assert _weights.locate(sharded, "family") == path
    asked = len(server.asked)
    _weights.pull(sharded)
    assert len(server.asked) == asked


def test_a_broken_off_shard_is_resumed_and_the_manifest_comes_last(
    sharded: WeightsFile, server: Server, cache: Path
) -> None:
    server.etag, server.stop_after = '"v"', 550
    with pytest.raises(DownloadError, match="550 of 600 bytes"):
        _weights.pull(sharded)
    assert not _weights.place(sharded).exists()
    server.stop_after = None
    path = _weights.pull(sharded)
    assert ("/v1/w1of2.bin?alt=media", "bytes=550-") in server.asked
    assert path.with_name("w1of2.bin").read_bytes() + path.with_name("w2of2.bin").read_bytes() == WEIGHTS


@pytest.mark.parametrize("harm", ["missing", "other bytes", "shorter"])
def test_a_harmed_shard_is_found_and_fetched_again(sharded: WeightsFile, harm: str) -> None:
    shard = _weights.pull(sharded).with_name("w2of2.bin")
    if harm == "missing":
        shard.unlink()
    else:
        shard.write_bytes(b"x" * (500 if harm == "other bytes" else 3))
    with pytest.raises(WeightsError, match=r"w2of2\.bin"):
        _weights.locate(sharded, "family")
    _weights.pull(sharded)
    assert shard.read_bytes() == WEIGHTS[600:]


def test_shards_of_another_length_are_refused(sharded: WeightsFile, server: Server, cache: Path) -> None:
    server.files["/v1/w2of2.bin?alt=media"] = WEIGHTS[600:] + b"more"
    with pytest.raises(ChecksumMismatch, match="500 bytes"):
        _weights.pull(sharded)
    server.files["/v1/w2of2.bin?alt=media"] = WEIGHTS[601:]
    with pytest.raises(DownloadError, match="499 of 500 bytes"):
        _weights.pull(sharded)
    server.files["/v1/w1of2.bin?alt=media"] = bytes(2000)
    _weights.place(sharded).with_name("w1of2.bin").unlink()
    with pytest.raises(DownloadError, match="announces 2000 bytes, expected at most 1100"):
        _weights.pull(sharded)
    assert not _weights.place(sharded).exists()


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (b"{", "no TensorFlow.js model.json"),
        (b"[" * 100_000, "no TensorFlow.js model.json"),
        (b"{}", "no TensorFlow.js model.json"),
        (b'{"weightsManifest": 3}', "no TensorFlow.js model.json"),
        (b'{"weightsManifest": [{"paths": [], "weights": [3]}]}', "no TensorFlow.js model.json"),
        (manifest((["../up.bin"], [FLOATS])), "plain file name"),
        (manifest((["/etc/passwd"], [FLOATS])), "plain file name"),
        (manifest((["https:x"], [FLOATS])), "plain file name"),
        (manifest(([".hidden"], [FLOATS])), "plain file name"),
        (manifest((["model.json"], [FLOATS])), "plain file name"),
        (manifest(([7], [FLOATS])), "plain file name"),
        (manifest((["a.bin", "A.bin"], [FLOATS])), "twice"),
        (manifest(([f"{n}.bin" for n in range(257)], [FLOATS])), "at most 256"),
        (manifest((["a.bin"], [{**FLOATS, "shape": [1 << 40]}])), "at most 256 with"),
        (manifest((["a.bin"], [{**FLOATS, "shape": [-4]}])), "whole numbers"),
        (manifest((["a.bin"], [{**FLOATS, "shape": [2.5]}])), "whole numbers"),
        (manifest((["a.bin"], [{**FLOATS, "dtype": "string"}])), "'string'"),
    ],
)
def test_a_manifest_that_is_none_is_refused(
    sharded: WeightsFile, server: Server, cache: Path, text: bytes, reason: str
) -> None:
    server.files["/v1/model.json?alt=media"] = text
    with pytest.raises(WeightsError, match=reason):
        _weights.pull(sharded)
    assert not _weights.place(sharded).exists()
    assert len(server.asked) == 1


@pytest.mark.parametrize(
    ("platform", "environment", "expected"),
    [
        ("linux", {"XDG_CACHE_HOME": "/x"}, "/x/livematte"),
        ("linux", {"HOME": "/home/me"}, "/home/me/.cache/livematte"),
        ("darwin", {"HOME": "/Users/me"}, "/Users/me/Library/Caches/livematte"),
        ("win32", {"LOCALAPPDATA": "/local"}, "/local/livematte"),
        ("linux", {"XDG_CACHE_HOME": "/x", "LIVEMATTE_CACHE": "/mine"}, "/mine"),
    ],
)
def test_cache_dir_follows_the_platform(
    monkeypatch: pytest.MonkeyPatch, platform: str, environment: dict[str, str], expected: str
) -> None:
    for name in ("LIVEMATTE_CACHE", "XDG_CACHE_HOME", "LOCALAPPDATA"):
        monkeypatch.delenv(name, raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(_weights.sys, "platform", platform)
    assert _weights.cache_dir() == Path(expected)
