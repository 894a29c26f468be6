"""Every model whose weights are here, side by side: what `livematte bench --models all` prints.

    python bench/models.py [--frames 100]

Weights in ../shared (or LIVEMATTE_SHARED) count, found by their checksum. Writes results/models.json, of which
`python bench/table.py` makes a table in docs/models.md; the quality in it is that of bench/quality.py.
"""

from __future__ import annotations

import argparse
import sys

from engines import shared_weights
from livematte import _bench_models
from measure import machine, save, say


def main(arguments: list[str]) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--frames", type=int, default=100)
    parser.add_argument("--models", default="all")
    options = parser.parse_args(arguments)
    with shared_weights():
        here, absent = _bench_models.chosen(options.models)
        rows = []
        for row in _bench_models.rows(here, engine="auto", threads=1, frames=options.frames):
            say(str(row))
            rows.append(row)
    figures = {
        "machine": machine(),
        "frame": str(_bench_models.SIZE),
        "effect": "blur:0.6",
        "rows": rows,
        "not_here": [spec.name for spec in absent],
    }
    say(f"wrote {save('models', figures)}")


if __name__ == "__main__":
    main(sys.argv[1:])
