"""How good every model's mattes are: the figures that `livematte choose` ranks by, and that docs/models.md shows.

    python bench/quality.py [--models livematte:base,livematte:fast] [--limit 256]

Pictures with masks and clips without truth are those of ../shared (or LIVEMATTE_SHARED), weights there count, found by
their checksum. Writes results/quality.json, the package's src/livematte/quality.json, and the pages of bench/table.py.
With --models the others keep their figures.
"""

from __future__ import annotations

import argparse
import json
import sys
from contextlib import closing
from pathlib import Path
from typing import Any

import table
from engines import SHARED, shared_weights
from livematte import _bench_models, _quality
from livematte.evaluation import datasets, score, tables
from livematte.models._spec import ModelSpec
from measure import RESULTS, machine, save, say

CLIPS = ("sign-again.mkv", "sign-want.mkv")
"""Two real people before a camera: how much the matte changes where the picture stands still."""

FAMILIAR = {
    "livematte:research": "trained on other pictures of the same set",
    "livematte:research-fast": "trained on other pictures of the same set",
    "pphumanseg:v1": "what it was trained on is not said",
    "pphumanseg:int8": "what it was trained on is not said",
    "pphumanseg:v2": "what it was trained on is not said",
    "pphumanseg:v2-portrait": "what it was trained on is not said",
}
"""Models whose training may have seen pictures like these: figures flatter them, and say less of other pictures."""

DIGITS = {"iou": 4, "boundary_f": 4, "mad": 2, "flicker": 3}


def main(arguments: list[str]) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=SHARED / "data" / "people-dev", help="folder with images/, masks/")
    parser.add_argument("--clips", type=Path, default=SHARED / "media", help=f"folder with {' and '.join(CLIPS)}")
    parser.add_argument("--limit", type=int, help="pictures to score, evenly spread; all of them by default")
    parser.add_argument("--models", default="all")
    options = parser.parse_args(arguments)
    kept = before() if options.models != "all" else {}
    with shared_weights():
        here, _ = _bench_models.chosen(options.models)
        measured = {spec.name: scored(spec, options.data, options.clips, options.limit) for spec in here}
    rows = kept | measured
    figures = {
        "format": _quality.FORMAT,
        "data": options.data.name,
        "clips": list(CLIPS),
        "side_px": score.SIDE_PX,
        "machine": machine(),
        "rows": [rows[name] for name in sorted(rows)],
    }
    say(f"wrote {save('quality', figures)}")
    table.main([])


def before() -> dict[str, Any]:
    """The rows of the last run, by model."""
    path = RESULTS / "quality.json"
    return {it["model"]: it for it in json.loads(path.read_text(encoding="utf-8"))["rows"]} if path.exists() else {}


def scored(spec: ModelSpec, data: Path, clips: Path, limit: int | None) -> dict[str, Any]:
    """One model, as users get it: refined, and in clips steadied."""
    cases = [*datasets.find(str(data), limit), *(case for name in CLIPS for case in datasets.find(str(clips / name)))]
    with closing(score.Model(spec.name, threads=1)) as model:
        (result,) = score.evaluate(cases, [model])
    means = tables.as_dict(result)
    scores = {**means["pictures"], **means["all_clips"]}
    row = {
        "model": spec.name,
        "weights": _quality.fingerprint(spec),
        "pictures": means["pictures"]["count"],
        **{name: round(scores[name], digits) for name, digits in DIGITS.items()},
        "familiar": FAMILIAR.get(spec.name, ""),
    }
    say(str(row))
    return row


if __name__ == "__main__":
    main(sys.argv[1:])
