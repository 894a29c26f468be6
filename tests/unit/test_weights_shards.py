"""Weights of TensorFlow.js: a manifest, and shards beside it."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest

from livematte import _weights
from livematte._errors import ChecksumMismatch, DownloadError, WeightsError
from livematte._weights import WeightsFile

sys.path.insert(0, str(Path(__file__).parent))

import weights_server
from weights_server import Server, left_in

server, cache, file = weights_server.server, weights_server.cache, weights_server.file


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
