"""Outputs that are lost and connected again: when they are tried, and when they give up."""

from __future__ import annotations

import importlib.util
import os
import sys
import threading
from pathlib import Path

import pytest

from livematte._clock import ManualClock
from livematte._errors import SinkError
from livematte._frame import Size
from livematte.sinks import open_sink, v4l2
from livematte.sinks._backoff import BackOff
from livematte.sinks.pipewire import PipeWire
from livematte.sources.synthetic import Synthetic

spec = importlib.util.spec_from_file_location("fakes", Path(__file__).parents[1] / "contract" / "fakes.py")
fakes = importlib.util.module_from_spec(spec)
spec.loader.exec_module(fakes)


def test_waits_double_up_to_five_seconds_and_begin_anew_after_a_connection_that_held() -> None:
    clock = ManualClock()
    wait = BackOff(clock)

    def next_ms() -> int:
        start_ns = clock()
        while not wait.over():
            clock.advance_ms(50)
        return round((clock() - start_ns) / 1e6)

    assert next_ms() == 0
    waits = []
    for _ in range(7):
        wait.again()
        waits.append(next_ms())
    assert waits == [250, 500, 1000, 2000, 4000, 5000, 5000]
    wait.held()
    clock.advance_ms(4900)
    wait.again()
    assert next_ms() == 5000  # it did not hold for long
    wait.held()
    clock.advance_ms(5000)
    wait.again()
    assert next_ms() == 250


@pytest.fixture
def programs(tmp_path, monkeypatch):
    """PipeWire and GStreamer as scripts; the graph never holds a camera of ours."""
    fakes.fake_programs(tmp_path)
    monkeypatch.setattr(v4l2, "SYSFS", tmp_path / "none")
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    return tmp_path


def written(sink, clock, step_ms, enough):
    """Write until it is enough, or an error says so; a frame takes as long as a program needs to see it."""
    frame = Synthetic(Size(64, 48)).frame(0)
    for _ in range(2000):
        sink.write(frame)
        clock.advance_ms(step_ms)
        threading.Event().wait(0.002)
        if enough():
            return
    pytest.fail("it never was")


@pytest.mark.parametrize("reconnect", [False, True])
def test_a_camera_that_never_is_in_the_graph_is_an_error(programs, reconnect):
    clock = ManualClock()
    with (
        pytest.raises(SinkError, match="the PipeWire camera late is gone: it is not in PipeWire's graph"),
        PipeWire("late", reconnect=reconnect, clock=clock) as sink,
    ):
        written(sink, clock, 100, lambda: False)
    assert clock() > 10e9
    assert sink._pipeline is None


def test_options_that_the_command_always_gives(programs):
    for name in ("virtual", "pipewire"):
        sink = open_sink(name, reconnect=True)
        assert isinstance(sink, PipeWire)
        assert sink._reconnect
