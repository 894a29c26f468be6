"""Frame in memory to frame in memory: everybody in turns, on one thread and on all.

    python bench/run.py [--rounds 20] [--sizes 1280x720] [--out frames]

Writes results/frames.json; `bench/table.py` makes README's table from it. The method is in
docs/bench.md.
"""

from __future__ import annotations

import os

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # read when NumPy loads; nobody here multiplies matrices

import argparse
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

import clips
from contestants import CONTESTANTS, STRENGTH, Network
from livematte import Blur, Size, _bench
from livematte._session import build_stages
from measure import load, machine, pin, save, say, take_turns

SIZES = ("640x360", "1280x720", "1920x1080")

RSS_SIZE = "1280x720"
RSS_PICTURES = 4


def main(arguments: list[str]) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=20, help="rounds of 5 counted frames for each contestant")
    parser.add_argument("--sizes", nargs="+", default=list(SIZES), help="such as 1280x720")
    parser.add_argument("--out", default="frames", help="name of the file in results/")
    options = parser.parse_args(arguments)
    network = clips.network()
    figures: dict[str, Any] = {
        "machine": machine(),
        "network": f"{network.model} on LiteRT",
        "effect": f"blur:{STRENGTH}",
        "clips": [path.name for path in clips.clips()],
        "rounds": options.rounds,
        "one": {},
        "all": {},
        "parts": {},
        "rss_mb": {},
    }
    every_core = os.sched_getaffinity(0) if hasattr(os, "sched_getaffinity") else set(range(os.cpu_count() or 1))
    figures["pinned_to"] = pin(1)
    for size in map(parse_size, options.sizes):
        figures["one"][str(size)] = compare(size, network, 1, options.rounds)
        figures["parts"][str(size)] = parts(size, network)
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, every_core)
    for size in map(parse_size, options.sizes):
        figures["all"][str(size)] = compare(size, network, len(every_core), options.rounds)
    if Path("/proc/self/status").exists():
        figures["rss_mb"] = peaks(network)
    figures["machine"]["load_1min_after"] = load()
    say(f"wrote {save(options.out, figures)}")


def parse_size(text: str) -> Size:
    width, height = text.split("x")
    return Size(int(width), int(height))


def compare(size: Size, network: Network, threads: int, rounds: int) -> dict[str, Any]:
    say(f"{size}, {threads} thread(s)")
    pictures = clips.pictures(size)
    made = {key: contestant.make(size, network, threads) for key, contestant in CONTESTANTS.items()}
    for process in made.values():
        for picture in pictures[:3]:
            process(picture)
    return take_turns(made, pictures, rounds)


def parts(size: Size, network: Network) -> dict[str, Any]:
    """Our frame taken apart, on the pinned core."""
    from contestants import frame_of

    stages = build_stages(network.model, Blur(STRENGTH), engine="litert", threads=1, weights=network.weights)
    frames = [frame_of(picture) for picture in clips.pictures(size)]
    try:
        return _bench.measure(stages, frames, 5 * len(frames))
    finally:
        stages.segmenter.close()


def peaks(network: Network) -> dict[str, float]:
    """Peak memory of each contestant in MB, each in a process of its own."""
    script = Path(__file__).parent / "rss.py"
    with tempfile.TemporaryDirectory(prefix="livematte-bench-") as folder:
        raw = Path(folder) / "pictures.i420"
        np.stack(clips.pictures(parse_size(RSS_SIZE))[:RSS_PICTURES]).tofile(raw)
        found = {}
        for key in CONTESTANTS:
            command = [sys.executable, str(script), key, RSS_SIZE, str(raw), network.model, str(network.weights)]
            done = subprocess.run(command, capture_output=True, text=True, check=True)
            found[key] = round(int(done.stdout) / 1e6, 1)
    return found


if __name__ == "__main__":
    main(sys.argv[1:])
