"""Which rung of the quality ladder a device begins at: what it has, and what a frame costs it.

The least memory and clock are those below which Google Meet offered no background effects
on a computer's processor (3 GB, 1.6 GHz). A measured frame counts for more than both.
"""

from __future__ import annotations

import os
import platform
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from livematte._clock import Clock, monotonic
from livematte._frame import Frame
from livematte._governor import LADDER, NAMES, START, TOO_SLOW, Rung
from livematte._stages import Effect, Segmenter

LEAST_MEMORY_GB = 3.0
LEAST_GHZ = 1.6

KEPT_BY_SYSTEM = 0.1
"""Part of the memory that firmware and kernel keep for themselves: 3 GB show as 2.7 and more."""

WEAK = "every-2nd"
"""Where a device below the least begins, however quick one frame was: it will be hot and busy soon."""

REST = {"no-refinement": 0.8, "half-size": 0.6}
"""Part of the work beside the network that is left at these rungs, at 720p: 0.7 to 0.9, and 0.6 to 0.7,
with blur, bokeh or a colour."""

RUNS = 4
"""Frames that are measured after a first one, which also sets the engine up: 30 to 60 ms of start."""

BUDGET_MS = 1000 / 30


@dataclass(frozen=True, slots=True)
class Device:
    """What is known of a computer; None where it does not tell.

    Args:
        memory_gb: of the machine, in 10^9 bytes.
        ghz: highest clock of a core.
        cores: that this process may use.
    """

    memory_gb: float | None
    ghz: float | None
    cores: int


@dataclass(frozen=True, slots=True)
class Cost:
    """What one frame was measured to take, in milliseconds.

    Args:
        network_ms: the network alone.
        rest_ms: everything else between camera and output.
    """

    network_ms: float
    rest_ms: float

    def at(self, rung: Rung) -> float:
        """Mean over the frames that share a run of the network, at that rung."""
        return self.network_ms / rung.every + self.rest_ms * REST.get(rung.name, 1.0)


def first_rung(device: Device, cost: Cost | None, budget_ms: float = BUDGET_MS) -> tuple[str, list[str]]:
    """Where to begin, and why, a sentence for each thing that was looked at.

    Args:
        device: the computer.
        cost: a measured frame at `full`; None if nothing was measured.
        budget_ms: time between two frames.
    """
    index, reasons = START, []
    for name, has, least, unit in (
        ("memory", device.memory_gb, LEAST_MEMORY_GB * (1 - KEPT_BY_SYSTEM), "GB"),
        ("clock", device.ghz, LEAST_GHZ, "GHz"),
    ):
        wanted = f"{LEAST_MEMORY_GB if unit == 'GB' else LEAST_GHZ:g} {unit}"
        if has is None:
            reasons.append(f"{name}: not known")
        elif has < least:
            index = max(index, NAMES.index(WEAK))
            reasons.append(f"{name}: {has:.1f} {unit}, less than {wanted}: begins at {WEAK} or below")
        else:
            reasons.append(f"{name}: {has:.1f} {unit}, at least {wanted}")
    if cost is not None:
        fits = [i for i in range(index, len(LADDER)) if cost.at(LADDER[i]) <= TOO_SLOW * budget_ms]
        index = fits[0] if fits else len(LADDER) - 1
        takes = f"a frame takes {cost.network_ms + cost.rest_ms:.1f} ms ({cost.network_ms:.1f} of them the network)"
        reasons.append(f"{takes}, and {budget_ms:.1f} ms are there")
    reasons.append(f"begins at {LADDER[index].name}")
    return LADDER[index].name, reasons


def measure(segmenter: Segmenter, effect: Effect, frame: Frame, clock: Clock = monotonic) -> Cost:
    """What a frame of this kind costs here, at `full`.

    Raises:
        InferenceError: the network gives no matte.
    """
    from livematte._pipeline import Stages, StreamState, estimate, render
    from livematte._session import build_refiners
    from livematte._stats import Stats

    network_ns, all_ns = [], []
    stages = Stages(segmenter, build_refiners(effect, temporal=True, refine=True), effect)
    state, stats = StreamState(), Stats(clock)
    for _ in range(1 + RUNS):
        start_ns = clock()
        segmenter.segment(frame, None)
        network_ns.append(clock() - start_ns)
        start_ns = clock()
        render(stages, frame, state, stats, 1, estimate)
        all_ns.append(clock() - start_ns)
    network, whole = (sorted(times[1:])[RUNS // 2] / 1e6 for times in (network_ns, all_ns))
    return Cost(min(network, whole), max(whole - network, 0.0))


def this_device(read: Callable[[str], str] | None = None) -> Device:
    """What this computer tells of itself.

    Args:
        read: the text of a file of the system, raising OSError where there is none.
    """
    read = read or (lambda path: Path(path).read_text(encoding="utf-8", errors="replace"))
    return Device(_memory_gb(), _ghz(read), _cores())


def explain() -> list[str]:
    """For `livematte doctor`: what the live loop would begin with here at 720p and 30 frames a second, and why."""
    from livematte import _registry
    from livematte._errors import LivematteError
    from livematte._shape import Shape
    from livematte.effects.blur import Blur

    try:
        segmenter = _registry.create("models", "livematte:fast")
        try:
            cost: Cost | None = measure(segmenter, Blur(), Shape().card())
        finally:
            segmenter.close()
    except LivematteError:
        cost = None  # doctor says elsewhere what is wrong
    return first_rung(this_device(), cost)[1]


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _memory_gb() -> float | None:
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9
    except (AttributeError, ValueError, OSError):
        return _windows_memory_gb() if platform.system() == "Windows" else None


def _windows_memory_gb() -> float | None:
    import ctypes

    class Status(ctypes.Structure):
        """MEMORYSTATUSEX (sysinfoapi.h)."""

        _fields_ = (("length", ctypes.c_ulong), ("load", ctypes.c_ulong), ("sizes", ctypes.c_ulonglong * 7))

    status = Status(length=ctypes.sizeof(Status))
    kernel: Any = getattr(ctypes, "windll").kernel32  # noqa: B009 there on Windows alone
    return status.sizes[0] / 1e9 if kernel.GlobalMemoryStatusEx(ctypes.byref(status)) else None


def _ghz(read: Callable[[str], str]) -> float | None:
    """The highest clock that the system names; the present one of virtual machines; None where it names none."""
    try:
        return int(read("/sys/devices/system/cpu/cpu0/cpufreq/cpuinfo_max_freq")) / 1e6
    except (OSError, ValueError):
        pass
    try:
        clocks = re.findall(r"^cpu MHz\s*: ([\d.]+)$", read("/proc/cpuinfo"), re.MULTILINE)
    except OSError:
        return None
    return max(map(float, clocks)) / 1000 if clocks else None
