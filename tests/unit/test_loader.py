"""Loading beside the stream: the newest wish counts, and nothing stays, not even what hangs."""

from __future__ import annotations

import subprocess
import sys
import threading
from typing import Any

import pytest

from livematte import _loader
from livematte._loader import Loader


class Network:
    """A network that only knows whether it was closed."""

    def __init__(self) -> None:
        self.closed = threading.Event()

    def close(self) -> None:
        self.closed.set()


@pytest.fixture
def hanging() -> Any:
    """`load`, which hangs until `goes_on` is set; it began when `begun` is."""

    class Hanging:
        def __init__(self) -> None:
            self.begun, self.goes_on, self.network = threading.Event(), threading.Event(), Network()

        def __call__(self, spec: str) -> Any:
            self.begun.set()
            assert self.goes_on.wait(60)
            return self.network

    load = Hanging()
    yield load
    load.goes_on.set()


def test_what_nobody_took_is_closed() -> None:
    network: Any = Network()
    loader = Loader(lambda spec: network)
    loader.request("usual", "a")
    if (thread := loader._thread) is not None:
        thread.join(30)
    assert loader.close() is None
    assert network.closed.is_set()
    loader.request("usual", "b")
    assert not loader.waits_for("usual")


def test_a_load_that_hangs_is_left_and_what_comes_of_it_is_closed(
    hanging: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_loader, "LEAVE_S", 0.05)
    loader = Loader(hanging)
    loader.request("usual", "a:slow")
    assert hanging.begun.wait(30)
    loader.request("large", "b")
    assert loader.waits_for("usual")
    assert loader.close() == "a:slow"
    thread = loader._thread
    assert thread is not None
    assert thread.daemon
    assert not hanging.network.closed.is_set()
    hanging.goes_on.set()
    thread.join(30)
    assert hanging.network.closed.is_set()
    assert loader.poll() == []
    assert loader.close() is None  # and the other wish was never begun


PROGRAM = """
import threading
from livematte import Size, _loader
from livematte._live import Live
from livematte.sinks import open_sink
from livematte.sources import open_source

_loader.LEAVE_S = 0.05
begun = threading.Event()

def load(spec):
    begun.set()
    threading.Event().wait()

def stop(live):
    if begun.is_set():
        live.stop()

live = Live(
    lambda: open_source("synthetic:64x36"), open_sink("null:"), model="livematte:fast", effect="color:green",
    size=Size(64, 36), load=load, progress=stop,
)
live.run()
print(live.status()["error"], live.status()["covered"] == live.status()["frames"])
"""


def test_a_process_ends_though_a_load_hangs() -> None:
    done = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, timeout=120, check=True)
    assert done.stdout.strip() == (
        "livematte:fast was still being loaded at the end of the stream, and was left behind True"
    )
