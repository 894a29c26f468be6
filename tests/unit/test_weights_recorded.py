"""Weights whose publisher gives less than a SHA-256, or wants consent."""

from __future__ import annotations

import hashlib
import sys
from pathlib import Path

import pytest

from livematte import _weights
from livematte._errors import ChecksumMismatch, DownloadError, OptionError, WeightsError
from livematte._weights import WeightsFile

sys.path.insert(0, str(Path(__file__).parent))

import weights_server
from weights_server import CONTENT, PATH, Server, left_in

server, cache, file = weights_server.server, weights_server.cache, weights_server.file


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
