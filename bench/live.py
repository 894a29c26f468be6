"""The live loop for ten minutes: age of the frames that leave, processor, memory.

    python bench/live.py [--seconds 600] [--size 1280x720] [--effect blur:0.6] [--hog 4] [--no-governor]

Pictures of people come in real time, as I420 out of memory: what a camera of raw pictures
costs to read is not in the figures. Every output picture is copied and written to the null
device, which is what a virtual camera takes. With `--hog` so many busy programs run in the
middle third of the time. Writes results/live.json.
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np

from clips import pictures
from livematte import Frame, Size
from livematte._live import Live
from livematte._stages import StreamInfo
from livematte.sinks.raw import Raw
from livematte.sources._paced import Paced
from measure import machine, save, say

SETTLED_S = 10.0
"""After which nothing may grow: networks are loaded, windows of figures are full or bounded."""

BUSY = "while True: pass"


class Clip:
    """The same pictures to and fro, for ever.

    Args:
        size: of the pictures.
        fps: frames a second.
    """

    def __init__(self, size: Size, fps: int) -> None:
        self.info = StreamInfo(size, Fraction(fps), None, Fraction(1, fps))
        self._pictures, self._size = pictures(size), size

    def __enter__(self) -> Clip:
        return self

    def __exit__(self, *exc: Any) -> None:
        pass

    def __iter__(self) -> Iterator[Frame]:
        (width, height), there = self._size, self._pictures
        for index, picture in enumerate(itertools.cycle(there + there[-2:0:-1])):
            flat, area = picture.reshape(-1), width * height
            y, u, v = flat[:area], flat[area : area * 5 // 4], flat[area * 5 // 4 :]
            planes = (
                y.reshape(height, width).copy(),
                u.reshape(height // 2, -1).copy(),
                v.reshape(height // 2, -1).copy(),
            )
            yield Frame(planes, pts=index, time_base=Fraction(1, self.info.fps))


class Watch:
    """Looks once a second at this process and at the stream."""

    def __init__(self, seconds: float, hogs: int) -> None:
        import psutil

        self._process = psutil.Process()
        self._seconds, self._hogs = seconds, hogs
        self._busy: list[subprocess.Popen[bytes]] = []
        self._next_s = 1.0
        self.latency_ms: list[tuple[float, float]] = []
        self.samples: list[dict[str, Any]] = []

    def __call__(self, live: Live) -> None:
        now_s = live.seconds
        if live.stats.frames and live._latency.count > len(self.latency_ms):
            self.latency_ms.append((now_s, live._latency._times_ns[-1] / 1e6))
        if now_s >= self._next_s:
            self._next_s += 1
            cpu = self._process.cpu_times()
            status = live.status()
            kept = {key: status[key] for key in ("frames", "covered", "dropped", "fps", "rung")}
            rss, threads = self._process.memory_info().rss, self._process.num_threads()
            at = {"at_s": round(now_s, 2), "cpu_s": round(cpu.user + cpu.system, 3), "rss_mb": round(rss / 1e6, 1)}
            self.samples.append({**at, "threads": threads, **kept})
            self._steer_hogs(now_s)
        if now_s >= self._seconds:
            live.stop()

    def _steer_hogs(self, now_s: float) -> None:
        third = self._seconds / 3
        if self._hogs and third <= now_s < 2 * third and not self._busy:
            self._busy = [subprocess.Popen([sys.executable, "-c", BUSY]) for _ in range(self._hogs)]
        elif now_s >= 2 * third:
            self.stop()

    def stop(self) -> None:
        for process in self._busy:
            process.kill()
            process.wait()
        self._busy = []

    def summary(self) -> dict[str, Any]:
        """Figures from the time on when all has settled."""
        settled = [sample for sample in self.samples if sample["at_s"] >= SETTLED_S] or self.samples
        first, last = settled[0], settled[-1]
        ms = np.array([ms for at_s, ms in self.latency_ms if at_s >= SETTLED_S] or [ms for _, ms in self.latency_ms])
        rss = [sample["rss_mb"] for sample in settled]
        span_s = last["at_s"] - first["at_s"]
        return {
            "latency": {f"p{p}_ms": round(float(np.percentile(ms, p)), 2) for p in (50, 95, 99)},
            "cpu_percent_of_a_core": round(100 * (last["cpu_s"] - first["cpu_s"]) / span_s, 1),
            "fps": round((last["frames"] - first["frames"]) / span_s, 2),
            "dropped": last["dropped"] - first["dropped"],
            "covered": last["covered"] - first["covered"],
            "rss_mb": {"settled": rss[0], "last": rss[-1], "most": max(rss), "growth": round(max(rss) - rss[0], 1)},
            "threads": sorted({sample["threads"] for sample in settled}),
        }


def main(arguments: list[str]) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=600)
    parser.add_argument("--size", default="1280x720")
    parser.add_argument("--fps", type=int, default=30)
    parser.add_argument("--effect", default="blur:0.6")
    parser.add_argument("--model", default="livematte:fast")
    parser.add_argument("--hog", type=int, default=0, help="busy programs in the middle third")
    parser.add_argument("--no-governor", action="store_true", help="stay at the first rung")
    parser.add_argument("--out", default="live", help="name of the file in results/")
    options = parser.parse_args(arguments)
    width, height = map(int, options.size.split("x"))
    watch = Watch(options.seconds, options.hog)
    with Path(os.devnull).open("wb") as nowhere:
        clip = Clip(Size(width, height), options.fps)
        live = Live(
            lambda: Paced(clip),
            Raw("yuv420p", file=nowhere),
            model=options.model,
            effect=options.effect,
            threads=1,
            governor=not options.no_governor,
            progress=watch,
        )
        started = time.perf_counter()
        try:
            live.run()
        finally:
            watch.stop()
    status = live.status()
    figures = {
        "machine": machine(),
        "camera_fps": options.fps,
        **{name: getattr(options, name) for name in ("seconds", "size", "effect", "model", "hog", "no_governor")},
        "wall_s": round(time.perf_counter() - started, 1),
        **watch.summary(),
        "rung": status["rung"],
        "rungs": status["rungs"],
        "stages": live.stats.as_dict()["stages"],
        "by_second": [{key: s[key] for key in ("at_s", "fps", "rung", "rss_mb")} for s in watch.samples][::10],
    }
    say(f"wrote {save(options.out, figures)}")
    say(json.dumps({key: figures[key] for key in figures if key not in {"machine", "by_second", "stages"}}, indent=1))


if __name__ == "__main__":
    main(sys.argv[1:])
