"""`--out FILE` of a live stream: a constant rate, whole at every end, covered where the camera was gone."""

from __future__ import annotations

import importlib.util
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

from livematte import Color, DeviceLost, Size
from livematte._live import Live
from livematte._stages import StreamInfo
from livematte.sinks import open_sink
from livematte.sinks._constant import ConstantRate
from livematte.sources.synthetic import Synthetic

_spec = importlib.util.spec_from_file_location("live_parts", Path(__file__).parent / "parts.py")
parts: Any = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(parts)

FPS = 30
FIRST, SECOND = parts.SIZE, Size(200, 200)
"""Of the camera before and after it was put back; another shape, too."""

GREEN = (0, 177, 64)
TOLERANCE = 24
"""Code values that H.264 may change a plain area by, next to a figure."""


class Cable:
    """A camera that is pulled after some frames, is away for as long as the test wants, and comes back smaller."""

    def __init__(self) -> None:
        self.plugged = threading.Event()
        self.pulled = threading.Event()
        self.openings = 0

    def open(self) -> Any:
        if self.openings and not self.plugged.is_set():
            raise DeviceLost("the cable is out")
        self.openings += 1
        return self._Camera(self, FIRST if self.openings == 1 else SECOND)

    class _Camera:
        def __init__(self, cable: Cable, size: Size) -> None:
            self.info = StreamInfo(size, Fraction(FPS), None, Fraction(1, FPS))
            self._cable, self._picture = cable, Synthetic(size).frame(0)

        def __enter__(self) -> Any:
            return self

        def __exit__(self, *exc: Any) -> None:
            pass

        def __iter__(self) -> Iterator[Any]:
            wait = threading.Event()
            for _ in range(15 if self._cable.openings == 1 else 10_000):
                yield self._picture
                wait.wait(1 / FPS)
            self._cable.pulled.set()
            raise DeviceLost("the cable was pulled")


def decoded(path: Path) -> tuple[list[Fraction], list[np.ndarray], float]:
    """Times in ticks of the rate, pictures, and how long a player would play it."""
    with av.open(str(path)) as clip:
        frames = list(clip.decode(video=0))
        times = [frame.pts * frame.time_base * FPS for frame in frames]
        return times, [frame.to_ndarray(format="rgb24") for frame in frames], clip.duration / av.time_base


def test_a_camera_that_is_lost_and_comes_back_in_another_size(tmp_path: Path) -> None:
    path, cable, covered = tmp_path / "talk.mp4", Cable(), 0
    sink = ConstantRate(open_sink(path, source_info=StreamInfo(FIRST, Fraction(FPS))), Fraction(FPS))

    def progress(live: Live) -> None:
        nonlocal covered
        if cable.openings == 1 and cable.pulled.is_set():
            covered += live.status()["camera"] != "open"
            if covered == 20:
                cable.plugged.set()
        elif cable.openings == 2 and live.stats.frames - live.stats.covered > 30:
            live.stop()

    live = Live(cable.open, sink, model=parts.Figure(), effect=Color("#00b140"), governor=False, progress=progress)
    live.run()

    times, pictures, seconds = decoded(path)
    assert times == list(range(len(times)))  # a constant rate
    assert {picture.shape for picture in pictures} == {(FIRST.height, FIRST.width, 3)}
    assert seconds == pytest.approx(len(times) / FPS, abs=0.01)
    written_s = live._last_pts / 1e6  # the time of the last frame that the loop wrote
    assert abs(seconds - written_s) * FPS <= 3  # it plays as long as it was recorded

    plain = [abs(picture.astype(int) - GREEN).max() <= TOLERANCE for picture in pictures]
    gone = "".join("." if one else "P" for one in plain)
    before, hole, after = gone.strip(".").partition("." * 15)
    assert before.startswith("PPPPP"), gone
    assert hole, gone  # without the camera: nobody is seen
    assert after.endswith("PPPPP"), gone
    for picture, shows in zip(pictures, plain, strict=True):  # the room never is, with the person or without
        if shows:
            continue
        assert (abs(picture[:8, -8:].astype(int) - GREEN) <= TOLERANCE).all()


@pytest.mark.skipif(os.name != "posix", reason="signals of POSIX")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_finishes_the_file(number: signal.Signals, tmp_path: Path, wait_until: Any) -> None:
    path = tmp_path / "talk.mp4"
    command = [sys.executable, "-m", "livematte", "live", "--input", "synthetic:64x36@30*9000", "-o", str(path)]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    process = subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True)
    try:
        wait_until(lambda: any(file.stat().st_size > 0 for file in tmp_path.iterdir()), "the file's first bytes")
        process.send_signal(number)
        _, said = process.communicate(timeout=30)
    finally:
        process.kill()
        process.wait()
    assert (process.returncode, said) == (0, "")
    times, pictures, _ = decoded(path)
    assert times == list(range(len(times)))
    assert pictures
    assert list(tmp_path.iterdir()) == [path]  # nothing half beside it
