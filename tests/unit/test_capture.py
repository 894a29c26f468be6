"""The camera's thread: the newest frame, retries that get no longer than a second, errors that reach the loop."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from fractions import Fraction
from typing import Any

import numpy as np
import pytest

from livematte import DeviceLost, Frame, OpenError, Size, SourceError
from livematte._capture import LAST_RETRY_S, Capture
from livematte._clock import ManualClock
from livematte._stages import StreamInfo


def frame(pts: int) -> Frame:
    return Frame((np.zeros((2, 2), np.uint8), np.zeros((1, 1), np.uint8), np.zeros((1, 1), np.uint8)), pts=pts)


class Camera:
    """Runs a script of frames; a step that is an exception is raised, one that can be called is called."""

    def __init__(self, *script: Any) -> None:
        self.info = StreamInfo(Size(2, 2), Fraction(30))
        self._script, self.closed = script, 0

    def __enter__(self) -> Camera:
        return self

    def __exit__(self, *exc: Any) -> None:
        self.closed += 1

    def __iter__(self) -> Iterator[Frame]:
        for at in self._script:
            if isinstance(at, Exception):
                raise at
            if callable(at):
                at()
            else:
                yield frame(at)


def until(capture: Capture, state: str) -> None:
    with capture._changed:
        assert capture._changed.wait_for(lambda: capture.state == state, 30), capture.state


def opens(*cameras: Any) -> Callable[[], Any]:
    left = list(cameras)

    def open_source() -> Any:
        camera = left.pop(0)
        if isinstance(camera, Exception):
            raise camera
        return camera

    return open_source


def test_the_newest_frame_and_how_many_were_skipped() -> None:
    clock, held = ManualClock(), threading.Event()
    camera = Camera(1, lambda: clock.advance_ms(5), 2, 3, held.wait, 4)
    with Capture(lambda: camera, clock=clock) as capture:
        capture.want(True)
        with capture._changed:
            assert capture._changed.wait_for(lambda: capture._box and capture._box.frame.pts == 3, 30)
        taken = capture.take(0)
        assert (taken.frame.pts, taken.skipped, taken.arrived_ns, taken.opening) == (3, 2, 5_000_000, 1)
        assert capture.take(0) is None
        held.set()
        assert capture.take(30).frame.pts == 4
        until(capture, "ended")
        assert capture.over
    assert camera.closed == 1


def test_a_lost_camera_is_tried_again_ever_less_often_but_once_a_second() -> None:
    waits: list[float] = []
    gone = OpenError("no such device")
    open_source = opens(Camera(1, DeviceLost("pulled")), *[gone] * 7, Camera(2, DeviceLost("pulled")), gone, Camera(3))
    with Capture(open_source, pause=waits.append) as capture:
        capture.want(True)
        until(capture, "ended")
        assert capture.take(0).frame.pts == 3
        assert capture.openings == 3
    assert waits == [0.1, 0.2, 0.4, 0.8, 1.0, 1.0, 1.0, 1.0, 0.1, 0.2]
    assert max(waits) == LAST_RETRY_S


def test_why_it_is_lost_is_told_until_it_is_back() -> None:
    back = threading.Event()
    with Capture(
        opens(Camera(1, DeviceLost("pulled")), Camera(2, back.wait)), pause=lambda s: back.wait(30)
    ) as capture:
        capture.want(True)
        until(capture, "lost")
        assert capture.error == "pulled"
        back.set()
        until(capture, "ended")
        assert capture.error is None


def test_a_camera_that_was_never_there() -> None:
    with Capture(opens(OpenError("no camera"))) as capture:
        capture.want(True)
        with pytest.raises(OpenError, match="no camera"):
            capture.take(30)
    with Capture(opens(OpenError("no camera"), Camera(1)), wait=True, pause=lambda s: None) as capture:
        capture.want(True)
        assert capture.take(30) is not None or capture.take(30) is not None


@pytest.mark.parametrize("error", [SourceError("damaged"), RuntimeError("a bug"), MemoryError()])
def test_other_errors_reach_the_loop_after_the_frames_before(error: Exception) -> None:
    with Capture(opens(Camera(1, error))) as capture:
        capture.want(True)
        until(capture, "lost")
        assert capture.take(0).frame.pts == 1
        with pytest.raises(type(error)):
            capture.take(0)


def test_a_shape_that_fails_is_the_loops_error() -> None:
    def shape(frame: Frame) -> Frame:
        raise ValueError("no such size")

    with Capture(opens(Camera(1)), shape) as capture:
        capture.want(True)
        until(capture, "lost")
        with pytest.raises(ValueError, match="no such size"):
            capture.take(30)


def test_nothing_is_kept_of_a_camera_that_is_no_longer_wanted() -> None:
    going, seen = threading.Event(), threading.Event()
    first, second = Camera(1, seen.set, lambda: going.wait(30), 2), Camera(3)
    with Capture(opens(first, second)) as capture:
        capture.want(True)
        assert seen.wait(30)
        capture.want(False)
        assert capture.take(0) is None
        going.set()
        until(capture, "closed")
        assert first.closed == 1
        capture.want(True)
        until(capture, "ended")
        taken = capture.take(0)
        assert (taken.frame.pts, taken.opening, taken.skipped) == (3, 2, 0)


def test_leaving_does_not_wait_for_a_device_that_hangs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("livematte._capture.LEAVE_S", 0.01)
    enough = threading.Event()
    with Capture(opens(Camera(1, lambda: enough.wait(30)))) as capture:
        capture.want(True)
        assert capture.take(30) is not None or capture.take(30) is not None
    assert capture._thread.is_alive()
    enough.set()
    capture._thread.join(30)
    assert not capture._thread.is_alive()


def test_wake_ends_a_wait() -> None:
    with Capture(opens()) as capture:
        threading.Timer(0.05, capture.wake).start()
        assert capture.take(30) is None
