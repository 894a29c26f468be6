"""Prometheus text of a status, and the server that has it."""

from __future__ import annotations

import re
import urllib.error
import urllib.request
from typing import Any

import pytest

from livematte._errors import OptionError
from livematte._latency import Latency, Rate
from livematte._metrics import CONTENT_TYPE, MetricsServer, prometheus

STATUS: dict[str, Any] = {
    "frames": 900,
    "covered": 12,
    "dropped": 3,
    "output_dropped": 4,
    "openings": 2,
    "fps": 29.9,
    "latency": {"p50_ms": 8.5, "p95_ms": 20.25, "p99_ms": 31.0},
    "latency_sum_s": 8.123,
    "latency_count": 888,
    "camera": "lost",
    "rung": "every-2nd",
    "paused": False,
    "readers": None,
}

LINE = re.compile(r'^[a-z_]+(\{[a-z]+="[^"]*"\})? [0-9.e+-]+$')
"""A sample of the text format."""


def test_every_line_is_a_comment_or_a_sample() -> None:
    text = prometheus(STATUS)
    assert text.endswith("\n")
    for line in text.splitlines():
        assert line.startswith(("# HELP livematte_", "# TYPE livematte_")) or LINE.match(line), line


def test_the_figures_are_those_of_the_status() -> None:
    samples = dict(line.rsplit(" ", 1) for line in prometheus(STATUS).splitlines() if not line.startswith("#"))
    assert samples["livematte_frames_total"] == "900"
    assert samples["livematte_covered_frames_total"] == "12"
    assert samples["livematte_dropped_frames_total"] == "3"
    assert samples['livematte_latency_seconds{quantile="0.95"}'] == "0.02025"
    assert samples["livematte_output_dropped_frames_total"] == "4"
    assert samples["livematte_latency_seconds_sum"] == "8.123"
    assert samples["livematte_latency_seconds_count"] == "888"
    assert samples['livematte_camera_state{name="lost"}'] == "1"
    assert samples['livematte_camera_state{name="open"}'] == "0"
    assert samples['livematte_rung{name="every-2nd"}'] == "1"
    assert "livematte_readers" not in samples


def test_before_the_first_frame_there_are_no_quantiles() -> None:
    text = prometheus({**STATUS, "latency": dict.fromkeys(STATUS["latency"]), "readers": 2})
    assert "quantile" not in text
    assert "livematte_readers 2" in text


def test_the_server_answers_this_machine_and_nothing_but_metrics() -> None:
    with MetricsServer(lambda: STATUS, 0) as server:
        address = f"http://127.0.0.1:{server.port}"
        with urllib.request.urlopen(f"{address}/metrics", timeout=10) as answer:
            assert answer.headers["Content-Type"] == CONTENT_TYPE
            assert answer.read().decode() == prometheus(STATUS)
        with pytest.raises(urllib.error.HTTPError) as caught:
            urllib.request.urlopen(f"{address}/", timeout=10)
        assert caught.value.code == 404
        caught.value.close()
        # a page whose own name was made to point here
        rebound = urllib.request.Request(f"{address}/metrics", headers={"Host": f"evil.example:{server.port}"})
        with pytest.raises(urllib.error.HTTPError) as caught:
            urllib.request.urlopen(rebound, timeout=10)
        assert caught.value.code == 403
        caught.value.close()
        with pytest.raises(OptionError, match="choose another --metrics"):
            MetricsServer(lambda: STATUS, server.port)


def test_latency_looks_back_on_the_newest_frames() -> None:
    latency = Latency()
    assert latency.as_dict() == {"p50_ms": None, "p95_ms": None, "p99_ms": None}
    for ms in range(1, 101):
        latency.add(ms * 1_000_000)
    assert latency.as_dict() == {"p50_ms": 51, "p95_ms": 96, "p99_ms": 100}
    assert (latency.count, latency.sum_ns) == (100, 5050 * 1_000_000)


def test_rate_is_of_the_last_two_seconds() -> None:
    rate = Rate()
    assert rate.fps(0) == 0
    for index in range(60):
        rate.add(index * 100_000_000)  # ten a second
    assert rate.fps(5_900_000_000) == pytest.approx(10)
    assert rate.fps(60_000_000_000) == 0
