"""Does a long stream grow? Memory, threads and open files over 10,000 frames.

    python bench/soak.py [--frames 10000] [--size 1280x720] [--out soak]

Writes results/soak.json: the file path (decode, matte, encode) and `Session.process_frame`,
each in a process of its own.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

EVERY_FRAMES = 100
SETTLED_FRAMES = 500
"""Frames after which nothing may grow: buffers are allocated, queues have been full once."""


def main(arguments: list[str]) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--frames", type=int, default=10_000)
    parser.add_argument("--size", default="1280x720")
    parser.add_argument("--out", default="soak", help="name of the file in results/")
    parser.add_argument("--only", choices=sorted(PATHS), help=argparse.SUPPRESS)
    parser.add_argument("--clip", help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    if options.only:
        sys.stdout.write(json.dumps(PATHS[options.only](options.clip, options.frames)) + "\n")
        return
    import clips
    from measure import machine, save, say
    from run import parse_size

    figures: dict[str, Any] = {"machine": machine(), "frames": options.frames, "size": options.size}
    with tempfile.TemporaryDirectory(prefix="livematte-soak-") as folder:
        short, clip = Path(folder) / "short.mp4", Path(folder) / "clip.mp4"
        frames_of_short = min(options.frames, 250)
        clips.write_clip(short, parse_size(options.size), frames_of_short)
        clips.repeat_clip(short, clip, -(-options.frames // frames_of_short))
        for name in PATHS:
            say(name)
            words = ["--only", name, "--clip", str(clip), "--frames", str(options.frames)]
            done = subprocess.run(
                [sys.executable, __file__, *words], stdout=subprocess.PIPE, text=True, check=True, cwd=folder
            )
            figures[name] = json.loads(done.stdout)
    say(f"wrote {save(options.out, figures)}")


class Watch:
    """Samples of this process as frames go by."""

    def __init__(self) -> None:
        import psutil

        self._process = psutil.Process()
        self._rss: list[tuple[int, int]] = []
        self._counts: list[tuple[int, int, int]] = []

    def __call__(self, frames: int) -> None:
        if frames % EVERY_FRAMES == 0:
            self._rss.append((frames, self._process.memory_info().rss))
            self._counts.append((frames, self._process.num_threads(), self._process.num_fds()))

    def summary(self, frames: int) -> dict[str, Any]:
        """Megabytes, and counts once the stream has settled."""
        settled = [rss for at, rss in self._rss if at >= SETTLED_FRAMES] or [rss for _, rss in self._rss]
        counts = [count for count in self._counts if count[0] >= SETTLED_FRAMES] or self._counts
        return {
            "frames": frames,
            "settled_rss_mb": round(settled[0] / 1e6, 1),
            "last_rss_mb": round(settled[-1] / 1e6, 1),
            "growth_mb": round((max(settled) - settled[0]) / 1e6, 1),
            "max_rss_mb": round(max(rss for _, rss in self._rss) / 1e6, 1),
            "threads": sorted({threads for _, threads, _ in counts}),
            "open_files": sorted({fds for _, _, fds in counts}),
        }


def through_files(clip: str, frames: int) -> dict[str, Any]:
    """What `livematte blur` does."""
    from livematte import run
    from livematte._session import build_stages
    from livematte.sinks import open_sink
    from livematte.sources import open_source

    watch = Watch()
    source = open_source(clip)
    sink = open_sink("out.mp4", source_info=source.info, preset="veryfast")
    stats = run(source, build_stages(), sink, progress=lambda stats: watch(stats.frames))
    return watch.summary(stats.frames)


def through_session(clip: str, frames: int) -> dict[str, Any]:
    """Frames in memory, one after another."""
    from livematte import Session
    from livematte.sources import open_source

    with open_source(clip) as source:
        pictures = [frame for _, frame in zip(range(64), source, strict=False)]
    watch = Watch()
    with Session() as session:
        for index in range(frames):
            session.process_frame(pictures[index % len(pictures)])
            watch(index + 1)
    return watch.summary(frames)


PATHS: dict[str, Callable[[str, int], dict[str, Any]]] = {"file": through_files, "session": through_session}

if __name__ == "__main__":
    main(sys.argv[1:])
