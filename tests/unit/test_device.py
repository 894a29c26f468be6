"""Where a device begins on the ladder: facts in, a rung and reasons out."""

from __future__ import annotations

import numpy as np
import pytest

from livematte import Color, Frame, InferenceError, Matte, Size
from livematte._clock import ManualClock
from livematte._device import BUDGET_MS, Cost, Device, explain, first_rung, measure, this_device
from livematte._governor import LADDER, NAMES

GOOD = Device(memory_gb=8.0, ghz=2.4, cores=4)


@pytest.mark.parametrize(
    ("device", "cost", "rung"),
    [
        (GOOD, None, "full"),
        (GOOD, Cost(3, 4), "full"),
        (Device(None, None, 1), Cost(3, 4), "full"),
        (Device(2.75, 1.6, 2), Cost(3, 4), "full"),  # sold as 3 GB
        (Device(1.9, 2.4, 2), Cost(3, 4), "every-2nd"),
        (Device(8.0, 1.1, 4), Cost(3, 4), "every-2nd"),
        (GOOD, Cost(30, 10), "every-2nd"),
        (GOOD, Cost(45, 10), "every-3rd"),
        (GOOD, Cost(30, 25), "no-refinement"),
        (GOOD, Cost(50, 20), "half-size"),
        (GOOD, Cost(300, 90), "half-size"),
        (Device(1.9, 1.1, 1), Cost(45, 10), "every-3rd"),
    ],
)
def test_first_rung(device: Device, cost: Cost | None, rung: str) -> None:
    chosen, reasons = first_rung(device, cost)
    assert chosen == rung
    assert reasons[-1] == f"begins at {rung}"
    assert len(reasons) == (3 if cost is None else 4)


def test_the_reasons_say_what_was_found_and_what_is_wanted() -> None:
    _, reasons = first_rung(Device(1.9, None, 1), Cost(4, 6))
    assert reasons == [
        "memory: 1.9 GB, less than 3 GB: begins at every-2nd or below",
        "clock: not known",
        "a frame takes 10.0 ms (4.0 of them the network), and 33.3 ms are there",
        "begins at every-2nd",
    ]


def test_a_lower_rung_never_costs_more() -> None:
    costs = [Cost(30, 20).at(rung) for rung in LADDER[1:]]
    assert costs == sorted(costs, reverse=True)


def test_a_slower_camera_leaves_more_time() -> None:
    assert first_rung(GOOD, Cost(30, 10), 1000 / 15)[0] == "full"


class Costly:
    """A network that takes 7 ms."""

    name, size = "costly", Size(16, 9)

    def __init__(self, clock: ManualClock) -> None:
        self._clock = clock

    def segment(self, frame: Frame, state: object) -> tuple[Matte, None]:
        self._clock.advance_ms(7)
        return Matte(np.zeros((9, 16), np.float32), frame.pts), None

    def close(self) -> None:
        pass


def test_measure_tells_network_and_rest_apart() -> None:
    clock = ManualClock()

    class Slow(Color):
        def plate(self, frame: Frame, matte: Matte, state: object) -> tuple[Frame, None]:
            clock.advance_ms(3)
            return super().plate(frame, matte, state)

    frame = Frame.from_rgb(np.zeros((36, 64, 3), np.uint8))
    assert measure(Costly(clock), Slow("green"), frame, clock) == Cost(7, 3)


def test_measure_of_a_network_that_fails() -> None:
    from livematte._cadence import NoNetwork

    with pytest.raises(InferenceError):
        measure(NoNetwork(), Color("green"), Frame.from_rgb(np.zeros((36, 64, 3), np.uint8)))


def test_what_the_system_tells() -> None:
    def files(**texts: str):
        def read(path: str) -> str:
            for name, text in texts.items():
                if path.endswith(name):
                    return text
            raise OSError(path)

        return read

    assert this_device(files(cpuinfo_max_freq="4200000\n")).ghz == pytest.approx(4.2)
    assert this_device(files(cpuinfo="cpu MHz\t\t: 1800.5\ncpu MHz\t\t: 2100.0\n")).ghz == pytest.approx(2.1)
    assert this_device(files(cpuinfo="processor : 0\n")).ghz is None
    assert this_device(files()).ghz is None
    assert this_device().cores >= 1


def test_explain_is_for_a_reader() -> None:
    lines = explain()
    assert lines[-1].removeprefix("begins at ") in NAMES
    assert any(f"{BUDGET_MS:.1f} ms are there" in line for line in lines)
