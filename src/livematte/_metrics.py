"""The figures of a live stream as Prometheus reads them, and a small server for them alone.

Source: Prometheus text exposition format, version 0.0.4.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any

from livematte._errors import OptionError
from livematte._governor import NAMES

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"

HOST = "127.0.0.1"
"""Figures tell when somebody sits at their computer: they do not leave it unasked."""

NAMED = (HOST, "localhost")
"""How those who may ask call it."""

TIMEOUT_S = 5.0
"""Silence of a client after which its connection is closed."""

CAMERA_STATES = ("closed", "opening", "open", "lost", "ended")

QUANTILES = {"0.5": "p50_ms", "0.95": "p95_ms", "0.99": "p99_ms"}


def prometheus(status: Mapping[str, Any]) -> str:
    """What `Live.status()` tells, as metrics. Names and units keep to Prometheus's conventions: seconds, `_total`."""
    return "\n".join(_lines(status)) + "\n"


def _lines(status: Mapping[str, Any]) -> Iterator[str]:
    for name, key, what in (
        ("frames", "frames", "Frames written."),
        ("covered_frames", "covered", "Frames that showed the background alone, for want of a matte."),
        ("dropped_frames", "dropped", "Frames of the camera that a younger one replaced before they were used."),
        ("output_dropped_frames", "output_dropped", "Frames that the output had no room for, or no connection."),
        ("camera_openings", "openings", "Times that the camera was opened and gave a frame."),
    ):
        yield from _metric(f"livematte_{name}_total", "counter", what, [("", status[key])])
    yield from _metric("livematte_fps", "gauge", "Frames a second over the last two seconds.", [("", status["fps"])])
    latency = status["latency"]
    samples: list[tuple[str, Any]] = [
        (f'{{quantile="{quantile}"}}', round(latency[key] / 1000, 6))
        for quantile, key in QUANTILES.items()
        if latency[key] is not None
    ]
    name = "livematte_latency_seconds"
    yield from _metric(name, "summary", "From a frame's arrival to the end of its writing.", samples)
    yield f"{name}_sum {status['latency_sum_s']}"
    yield f"{name}_count {status['latency_count']}"
    for name, what, values, now in (
        ("livematte_camera_state", "Whether the camera is in this state.", CAMERA_STATES, status["camera"]),
        ("livematte_rung", "Whether this rung of the quality ladder is in use.", NAMES, status["rung"]),
    ):
        yield from _metric(name, "gauge", what, [(f'{{name="{value}"}}', int(value == now)) for value in values])
    yield from _metric("livematte_paused", "gauge", "Whether the stream is paused.", [("", int(status["paused"]))])
    if status.get("readers") is not None:
        yield from _metric("livematte_readers", "gauge", "Programs that read the output.", [("", status["readers"])])


def _metric(name: str, kind: str, what: str, samples: list[tuple[str, Any]]) -> Iterator[str]:
    yield f"# HELP {name} {what}"
    yield f"# TYPE {name} {kind}"
    for labels, value in samples:
        yield f"{name}{labels} {value}"


class MetricsServer:
    """Answers `GET /metrics` on this machine alone, until it is left.

    Args:
        status: tells how the stream is.
        port: 0 takes a free one, see `port`.

    Raises:
        OptionError: the port cannot be listened on.
    """

    def __init__(self, status: Callable[[], Mapping[str, Any]], port: int) -> None:
        class Answer(BaseHTTPRequestHandler):
            """One request."""

            server_version, sys_version, timeout = "livematte", "", TIMEOUT_S

            def do_GET(self) -> None:
                # a page elsewhere whose name points here (DNS rebinding) sends its own name
                if self.headers.get("Host", "").rpartition(":")[0] not in NAMED:
                    return self.send_error(HTTPStatus.FORBIDDEN, "only for this machine")
                if self.path.partition("?")[0] != "/metrics":
                    return self.send_error(HTTPStatus.NOT_FOUND)
                text = prometheus(status()).encode()
                self.send_response(HTTPStatus.OK)
                self.send_header("Content-Type", CONTENT_TYPE)
                self.send_header("Content-Length", str(len(text)))
                self.end_headers()
                self.wfile.write(text)

            def log_message(self, format: str, *args: Any) -> None:
                """Nothing is noted of who asked."""

        try:
            self._server = ThreadingHTTPServer((HOST, port), Answer)
        except (OSError, OverflowError) as exc:
            reason = getattr(exc, "strerror", None) or exc
            raise OptionError(f"cannot serve metrics on port {port}: {reason}; choose another --metrics") from exc
        self._server.daemon_threads = True
        self.port = int(self._server.server_address[1])
        self._thread = threading.Thread(target=self._server.serve_forever, name="livematte-metrics", daemon=True)

    def __enter__(self) -> MetricsServer:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()
