"""Whole files: how much of decoding and encoding alone is left when a matte is made between.

    python bench/files.py [--frames 300] [--rounds 3] [--sizes 1280x720] [--out files]

Writes results/files.json. H.264 in, H.264 out (x264 veryfast, crf 20), two cores for everybody.
"""

from __future__ import annotations

import os

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # read when NumPy loads

import argparse
import contextlib
import io
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np

import clips
import pipelines
from contestants import STRENGTH, Network
from livematte import Size, cli
from livematte._pipeline import behind, every
from livematte._stats import Stats
from livematte.sinks import open_sink
from livematte.sources import open_source
from measure import load, machine, pin, save, say, spread
from run import parse_size

SIZES = ("640x360", "1280x720", "1920x1080")
CORES = 2
ENCODER = {"preset": "veryfast", "crf": "20"}
"""What `livematte blur` uses for .mp4."""

Job = Callable[[Path, Path], None]

LABELS = {
    "ends": "decoding and encoding alone, our reader and writer",
    "ends_blurred": "the same on the blurred clip, which encodes faster",
    "pyav": "decoding and encoding alone, PyAV in one loop",
    "blur": "livematte blur",
    "default": "livematte blur with its own network",
    "careful": "careful OpenCV in RGB and PyAV, in one loop",
}
"""By key; ratios are to the first."""


def main(arguments: list[str]) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--frames", type=int, default=300, help="frames of the clip")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--sizes", nargs="+", default=list(SIZES), help="such as 1280x720")
    parser.add_argument("--out", default="files", help="name of the file in results/")
    options = parser.parse_args(arguments)
    figures: dict[str, Any] = {"machine": machine(), "frames": options.frames, "rounds": options.rounds, "sizes": {}}
    figures["pinned_to"] = pin(CORES)
    network = clips.network()
    figures["network"] = f"{network.model} on LiteRT"
    for size in map(parse_size, options.sizes):
        say(str(size))
        figures["sizes"][str(size)] = compare(size, network, options.frames, options.rounds)
    figures["machine"]["load_1min_after"] = load()
    say(f"wrote {save(options.out, figures)}")


def compare(size: Size, network: Network, frames: int, rounds: int) -> dict[str, Any]:
    """Frames a second of every job in turns, and its speed as part of the first one's."""
    blurred_by_us = blur(network.model, "--engine", "litert", "--weights", str(network.weights))
    jobs: dict[str, Job] = {
        "ends": through_our_ends,
        "ends_blurred": through_our_ends,
        "pyav": through_pyav,
        "blur": blurred_by_us,
        "default": blur("livematte"),
        "careful": opencv(network, size),
    }
    walls: dict[str, list[float]] = {key: [] for key in jobs}
    cpus: dict[str, list[float]] = {key: [] for key in jobs}
    with tempfile.TemporaryDirectory(prefix="livematte-bench-") as folder:
        clip, soft, out = (Path(folder) / name for name in ("clip.mp4", "blurred.mp4", "out.mp4"))
        clips.write_clip(clip, size, frames)
        blurred_by_us(clip, soft)
        for turn in range(rounds):
            keys = list(jobs)
            for key in keys[turn % len(keys) :] + keys[: turn % len(keys)]:
                out.unlink(missing_ok=True)
                cpu_s, wall_s = time.process_time(), time.perf_counter()
                jobs[key](soft if key == "ends_blurred" else clip, out)
                walls[key].append(time.perf_counter() - wall_s)
                cpus[key].append(time.process_time() - cpu_s)
                _check(out, frames)
    first = np.array(walls["ends"])
    return {
        key: {
            "fps": round(frames / float(np.median(walls[key])), 1),
            "best_fps": round(frames / min(walls[key]), 1),
            "cpu_ms": round(float(np.median(cpus[key])) * 1e3 / frames, 2),
            "speed": spread(first / np.array(walls[key])),
        }
        for key in jobs
    }


def _check(path: Path, frames: int) -> None:
    with av.open(str(path)) as container:
        got = sum(1 for packet in container.demux(video=0) if packet.size)
    if got != frames:
        raise SystemExit(f"{path.name} has {got} frames, expected {frames}: this run measured nothing")


def through_our_ends(clip: Path, out: Path) -> None:
    """Source, sink and their threads as `run()` has them, with nothing between."""
    source = open_source(clip)
    sink = open_sink(out, source_info=source.info, preset=ENCODER["preset"])
    with source, behind(sink) as end, closing(every(source, Stats())) as frames:
        for frame in frames:
            end.write(frame)


def through_pyav(clip: Path, out: Path) -> None:
    """What a user of PyAV writes; FFmpeg and x264 have threads of their own."""
    _pyav_loop(clip, out, lambda picture: picture)


def blur(model: str, *options: str) -> Job:
    """The command, in this process: its start-up is not the frames' cost."""

    def job(clip: Path, out: Path) -> None:
        words = ["blur", str(clip), "-o", str(out), "--strength", str(STRENGTH), "--model", model]
        with contextlib.redirect_stdout(io.StringIO()):
            code = cli.run([*words, "--preset", ENCODER["preset"], "--json", *options])
        if code != 0:
            raise SystemExit(f"livematte blur ended with exit code {code}")

    return job


def opencv(network: Network, size: Size) -> Job:
    """The careful pipeline between PyAV's ends."""

    def job(clip: Path, out: Path) -> None:
        cv2.setNumThreads(CORES)
        litert = pipelines.LiteRTNetwork(network.weights)
        process = pipelines.careful(litert, size, litert.size)

        def blurred(picture: Any) -> Any:
            made = av.VideoFrame.from_ndarray(process(picture.to_ndarray(format="yuv420p")), format="yuv420p")
            made.pts, made.time_base = picture.pts, picture.time_base
            return made

        _pyav_loop(clip, out, blurred)

    return job


def _pyav_loop(clip: Path, out: Path, change: Callable[[Any], Any]) -> None:
    with av.open(str(clip)) as source, av.open(str(out), "w") as sink:
        read = source.streams.video[0]
        read.thread_type = "AUTO"
        write = sink.add_stream("libx264", rate=read.average_rate, options=ENCODER)
        write.width, write.height, write.pix_fmt = read.width, read.height, "yuv420p"
        write.codec_context.time_base = read.time_base
        for picture in source.decode(read):
            changed = change(picture)
            changed.pict_type = 0  # or x264 would copy the decoder's choice of key frames
            sink.mux(write.encode(changed))
        sink.mux(write.encode(None))


if __name__ == "__main__":
    main(sys.argv[1:])
