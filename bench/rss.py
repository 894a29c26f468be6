"""Peak memory of one contestant in a process of its own.

    python bench/rss.py CONTESTANT WIDTHxHEIGHT RAW MODEL WEIGHTS

RAW holds I420 pictures. Prints the peak of resident memory in bytes (VmHWM), which
counts the interpreter, the packages that the contestant needs, and the pictures.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np

from contestants import CONTESTANTS, Network
from livematte import Size

FRAMES = 60


def main(name: str, size_text: str, raw: str, model: str, weights: str) -> None:
    width, height = map(int, size_text.split("x"))
    pictures = np.fromfile(raw, np.uint8).reshape(-1, height * 3 // 2, width)
    process = CONTESTANTS[name].make(Size(width, height), Network(model, Path(weights)), 1)
    for index in range(FRAMES):
        process(pictures[index % len(pictures)])
    status = Path("/proc/self/status").read_text()
    peak_kib = next(line.split()[1] for line in status.splitlines() if line.startswith("VmHWM"))
    sys.stdout.write(f"{int(peak_kib) * 1024}\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
