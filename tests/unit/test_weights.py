"""Weights: found, fetched from a local server that misbehaves in every way, and checked."""

from __future__ import annotations

import sys
import threading
from pathlib import Path
from typing import Any

import pytest

from livematte import _download, _weights
from livematte._errors import ChecksumMismatch, DownloadError, OptionError, WeightsError
from livematte._weights import WeightsFile

sys.path.insert(0, str(Path(__file__).parent))

import weights_server
from weights_server import CONTENT, PATH, Server, left_in

server, cache, file = weights_server.server, weights_server.cache, weights_server.file


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
