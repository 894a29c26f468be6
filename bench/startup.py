"""How long `from livematte import Blur, Session` takes beyond `import numpy`, in fresh processes, in turns.

    python bench/startup.py [--rounds 15] [--out startup]

Writes results/startup.json. Byte code is cached, as it is after installation.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from typing import Any

import numpy as np

from measure import machine, save, say, spread

STATEMENTS = {"python": "pass", "numpy": "import numpy", "livematte": "from livematte import Blur, Session"}


def main(arguments: list[str]) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--out", default="startup", help="name of the file in results/")
    options = parser.parse_args(arguments)
    say(f"wrote {save(options.out, measure(options.rounds))}")


def measure(rounds: int) -> dict[str, Any]:
    """Milliseconds of each statement in a new interpreter, and how much more ours takes than NumPy."""
    times: dict[str, list[float]] = {name: [] for name in STATEMENTS}
    with tempfile.TemporaryDirectory(prefix="livematte-bench-") as cache:
        environment = {**os.environ, "PYTHONPYCACHEPREFIX": cache}
        environment.pop("PYTHONDONTWRITEBYTECODE", None)
        for turn in range(rounds + 1):  # the first fills the cache
            for name, statement in STATEMENTS.items():
                start_s = time.perf_counter()
                subprocess.run([sys.executable, "-c", statement], env=environment, check=True)
                if turn:
                    times[name].append((time.perf_counter() - start_s) * 1e3)
    beyond = np.subtract(times["livematte"], times["numpy"])
    return {
        "machine": machine(),
        "rounds": rounds,
        "ms": {name: round(float(np.median(values)), 1) for name, values in times.items()},
        "beyond_numpy_ms": spread(beyond),
    }


if __name__ == "__main__":
    main(sys.argv[1:])
