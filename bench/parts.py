"""What each part between the network's alpha and the user's earns, and what it costs.

    python bench/parts.py --people people-dev --rooms rooms --clip talk.mkv [--model livematte:base]

The chain of a session is built up part by part, in the order in which a session runs it, and scored at
each step on clips of 1280x720: people who are moved (`motion:`) and a drawn figure (`synthetic:`), whose
alpha is true, and real clips for their flicker. Each part is timed alone on one core, in turns with the
others and with the network. Writes results/parts.json and the tables of docs/evaluate.md; with
`--out OTHER` it writes results/OTHER.json and leaves the page alone.
"""

from __future__ import annotations

import os

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # read when NumPy loads; nobody here multiplies matrices

import argparse
import math
import re
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np

from livematte import Blur, Color, Frame, Matte, PixelFormat, Size, _registry
from livematte._composite import composite
from livematte._pipeline import Stages, StreamState, estimate
from livematte._session import build_refiners
from livematte._stages import Refiner, Segmenter, State
from livematte._stats import Stats
from livematte.evaluation import datasets, metrics, score, tables
from livematte.refine.guided import Upsample
from measure import BLOCK, load, machine, pin, save, say, take_turns
from table import cpu, header, row

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "evaluate.md"
BEGIN, END = "<!-- parts:begin -->", "<!-- parts:end -->"

EVERYTHING = Blur(0.6, despill=True, who="nearest")
"""Every switch that adds a refiner. A refiner with a switch of its own is one more word here; one that
is always in the chain needs none."""

SIDE_PX = 1280

MADE = "synthetic:1280x720*60"
"""One sway of the drawn figure."""

TIGHT_PX = 3
"""The usual tolerance of contours, 0.75 % of the diagonal, is 12 pixels at 720p, where refinement moves
them by less: so they are scored with one of this many pixels, too."""

TIGHT = "tight_f"

PLATE = Color("green")
"""Background of the pictures in which halos are looked for."""

EVERY = 4
"""Of so many frames of a clip one is looked at for its halo."""


def tight_f(alpha: Any, truth: Any) -> float:
    """Boundary F within `TIGHT_PX` pixels."""
    return metrics.boundary_f(alpha, truth, (TIGHT_PX - 0.5) / math.hypot(*truth.shape))


MEASURES = {**{name: score.STILL[name] for name in ("mad", "grad", "boundary_f")}, TIGHT: tight_f}

SCALE = {**metrics.SCALE, TIGHT: 1.0, "rim": 1.0}
HEADINGS = {**tables.HEADINGS, TIGHT: f"{TIGHT_PX} px F", "rim": "rim"}
DIGITS = {**tables.DIGITS, TIGHT: 3, "rim": 2}

SHOWN = ("mad", "grad", "boundary_f", TIGHT, "dtssd", "flicker", "trailing", "rim")
"""Columns of the table, in order."""

TIMED_CLIPS, TIMED_FRAMES = 4, 8
"""Clips, and frames in a row of each, that the parts are timed on: 32 pictures are 44 MB at 720p, more than
the caches hold."""


def main(arguments: list[str]) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", action="append", metavar="NAME", help="may be given again; base and fast if not")
    parser.add_argument("--people", required=True, metavar="DIR", help="images/ with masks/ of people to be moved")
    parser.add_argument("--rooms", metavar="DIR", help="pictures without people to move them over")
    parser.add_argument("--clip", action="append", default=[], metavar="FILE", help="real clip; may be given again")
    parser.add_argument("--limit", type=int, help="of the clips with people who are moved; 6 show every motion")
    parser.add_argument("--rounds", type=int, default=20, help="rounds of 5 counted frames for each part")
    parser.add_argument("--out", default="parts", help="name of the file in results/")
    options = parser.parse_args(arguments)
    people = f"motion:{options.people}" + (f",{options.rooms}" if options.rooms else "")
    data = {
        "motion": datasets.find(people, options.limit),
        "synthetic": datasets.find(MADE),
        **{Path(clip).stem: datasets.find(clip) for clip in options.clip},
    }
    figures: dict[str, Any] = {
        "machine": machine(),
        "side_px": SIDE_PX,
        "scale": {name: SCALE[name] for name in SHOWN},
        "data": {name: {"clips": len(cases), "frames": datasets.frames(cases)} for name, cases in data.items()},
        "rounds": options.rounds,
    }
    figures["models"] = [measured(name, data, options.rounds) for name in options.model or MODELS]
    figures["machine"]["load_1min_after"] = load()
    say(f"wrote {save(options.out, figures)}")
    text = page(figures)
    if options.out == "parts":
        PAGE.write_text(filled(PAGE.read_text(encoding="utf-8"), text), encoding="utf-8")
    print(text)


MODELS = ("livematte:base", "livematte:fast")


def measured(name: str, data: dict[str, Sequence[datasets.Case]], rounds: int) -> dict[str, Any]:
    """One network: every step of the chain, its time and its scores."""
    every_core = os.sched_getaffinity(0) if hasattr(os, "sched_getaffinity") else None
    pinned = pin(1)
    segmenter = _registry.create("models", name, threads=1)
    try:
        say(f"{name}: times")
        times = timed(segmenter, frames_of(data["motion"]), rounds)
        if every_core is not None:
            os.sched_setaffinity(0, every_core)
        scores = {}
        for kind, cases in data.items():
            say(f"{name}: {kind}")
            scores[kind] = scored(segmenter, cases)
        say(f"{name}: rims")
        for found, rim in zip(scores["motion"], rims(segmenter, data["motion"]), strict=True):
            found["rim"] = round(rim, 4)
    finally:
        segmenter.close()
    steps = ["network", *(part_name(part) for part in parts())]
    return {
        "model": segmenter.name,
        "input": str(segmenter.size),
        "pinned_to": pinned,
        "steps": [
            {"part": step, "time": times[step], "scores": {kind: found[index] for kind, found in scores.items()}}
            for index, step in enumerate(steps)
        ],
        "stretch": times["stretch"],
        "together": times["together"],
    }


def parts() -> tuple[Refiner, ...]:
    """The refiners of a session with everything on, in its order."""
    return build_refiners(EVERYTHING, temporal=True, refine=True)


def part_name(part: Refiner) -> str:
    return type(part).__name__.lower()


class Once:
    """A segmenter that is asked by many chains for the same frame, and runs once."""

    def __init__(self, segmenter: Segmenter) -> None:
        self._segmenter = segmenter
        self.name, self.size = segmenter.name, segmenter.size
        self._last: tuple[Frame, State, tuple[Matte, State]] | None = None

    def segment(self, frame: Frame, state: State) -> tuple[Matte, State]:
        last = self._last
        if last is None or last[0] is not frame or last[1] is not state:
            last = self._last = frame, state, self._segmenter.segment(frame, state)
        return last[2]

    def close(self) -> None:
        self._segmenter.close()


class Stretched:
    """A refiner at the end of a chain: what is still at the network's size is stretched to the frame's."""

    def refine(self, frame: Frame, matte: Matte, state: State) -> tuple[Matte, State]:
        return (matte, None) if matte.alpha.dtype == "uint8" else Upsample().refine(frame, matte, None)


@dataclass(frozen=True)
class Chain:
    """The network and its first parts, scored like a model."""

    name: str
    stages: Stages
    engine: str = ""
    weights: str | None = None

    def matte(self, frame: Frame, stream: StreamState | None = None) -> Any:
        """The alpha of a frame, float32 (h, w) in 0-1."""
        return estimate(self.stages, frame, stream or StreamState(), Stats()).alpha.astype("float32") / 255


def chains(segmenter: Segmenter) -> list[Chain]:
    """The network alone, then with one part more each."""
    shared, every = Once(segmenter), parts()
    return [
        Chain(segmenter.name, Stages(shared, (*every[:count], Stretched()), EVERYTHING))
        for count in range(len(every) + 1)
    ]


def scored(segmenter: Segmenter, cases: Sequence[datasets.Case]) -> list[dict[str, float]]:
    """Means over clips for each step, as tables show them."""
    models: Any = chains(segmenter)
    results = score.evaluate(cases, models, side_px=SIDE_PX, measures=MEASURES)
    return [
        {name: round(value * SCALE[name], 4) for name, value in result.clip_means().scores().items()}
        for result in results
    ]


def rims(segmenter: Segmenter, clips: Sequence[Any]) -> list[float]:
    """What is wrong along the edges of the final picture at each step: mean over clips, in code values."""
    steps = chains(segmenter)
    means = [score.Means() for _ in steps]
    for clip in clips:
        streams, within = [StreamState() for _ in steps], [score.Means() for _ in steps]
        for index, scene in enumerate(clip.scenes()):
            frame = Frame.from_rgb(scene.rgb, PixelFormat.I420, pts=index)
            for step, stream, mean in zip(steps, streams, within, strict=True):
                matte = estimate(step.stages, frame, stream, Stats())
                if index % EVERY == 0:
                    plate, _ = PLATE.plate(frame, matte, None)
                    shown = composite(frame, plate, matte).to_rgb()
                    mean.put("rim", metrics.rim(shown, over_plate(scene), scene.alpha))
        for mean, found in zip(means, within, strict=True):
            mean.add(found.scores())
    return [mean.scores()["rim"] for mean in means]


def over_plate(scene: Any) -> Any:
    """The people of a scene before the plate, as the true alpha and the true colours make it."""
    weight = scene.alpha[..., None]
    return np.rint(weight * scene.foreground + (1 - weight) * np.float32(PLATE.rgb)).astype(np.uint8)


def frames_of(cases: Sequence[Any]) -> list[Frame]:
    """Frames from the middle of some clips, where people move."""
    found: list[Frame] = []
    for case in cases[:TIMED_CLIPS]:
        moving = islice(case.read(SIDE_PX), 8, 8 + TIMED_FRAMES)
        found += [frame for frame, _ in moving]
    return found


def timed(segmenter: Segmenter, frames: Sequence[Frame], rounds: int) -> dict[str, Any]:
    """Microseconds a frame: the network with its picture, stretching, every part, and all parts in a row.

    Every part gets what the parts before it made of these frames, and its own state goes on.
    """
    every = parts()
    given: list[list[Matte]] = [[] for _ in range(len(every) + 1)]
    states: list[State] = [None] * len(every)
    memory: State = None
    for frame in frames:
        matte, memory = segmenter.segment(frame, memory)
        for index, part in enumerate(every):
            given[index].append(matte)
            matte, states[index] = part.refine(frame, matte, states[index])
        given[-1].append(matte)
    whole = StreamState()
    known = Known(list(given[0]), segmenter.size)
    stages = Stages(known, every, EVERYTHING)

    def network(index: int) -> None:
        nonlocal memory
        _, memory = segmenter.segment(frames[index], memory)

    def stretch(index: int) -> None:
        Upsample().refine(frames[index], given[0][index], None)

    def alone(place: int) -> Any:
        def run(index: int) -> None:
            _, states[place] = every[place].refine(frames[index], given[place][index], states[place])

        return run

    def together(index: int) -> None:
        known.index = index
        estimate(stages, frames[index], whole, Stats())

    contestants = {
        "network": network,
        "stretch": stretch,
        **{part_name(part): alone(index) for index, part in enumerate(every)},
        "together": together,
    }
    for run in contestants.values():
        for index in range(min(BLOCK, len(frames))):
            run(index)
    found = take_turns(contestants, range(len(frames)), rounds)
    return {
        name: {
            "us": round(1e3 * it["wall"]["p50_ms"]),
            "p95_us": round(1e3 * it["wall"]["p95_ms"]),
            "cpu_us": round(1e3 * it["cpu"]["p50_ms"]),
            "of_network": it["ratio"]["median"],
        }
        for name, it in found.items()
    }


class Known:
    """A segmenter that remembers what the network said."""

    name = "known"

    def __init__(self, mattes: Sequence[Matte], size: Size) -> None:
        self.mattes, self.size, self.index = mattes, size, 0

    def segment(self, frame: Frame, state: State) -> tuple[Matte, State]:
        return self.mattes[self.index], None

    def close(self) -> None:
        pass


MADE_KINDS = ("motion", "synthetic")


def page(figures: dict[str, Any]) -> str:
    """The tables, from the figures alone."""
    data, it = figures["data"], figures["machine"]
    clips = [name for name in data if name not in MADE_KINDS]
    lines = [
        f"Frames of 1280x720. {data['motion']['clips']} clips of people who are moved ({data['motion']['frames']} "
        f"frames) / the drawn figure ({data['synthetic']['frames']} frames); means over clips. The last columns are "
        "the flicker of real clips. Each row adds a part to those above; microseconds are the part's own on one "
        f"core, the median of {5 * figures['rounds']} frames, in turns, beside the network with its picture in the "
        f"same run. {cpu(figures)}, Python {it['python']}; {it['date']}, commit {it['commit']}.",
        "",
    ]
    for model in figures["models"]:
        names = [HEADINGS[name] for name in SHOWN]
        lines += [
            f"**`{model['model']}`**, network {model['input']}:",
            "",
            header(["", "µs", "of the network's", *names, *(f"flicker of {clip}" for clip in clips)]),
        ]
        for index, step in enumerate(model["steps"]):
            time = step["time"]
            label = "network alone" if not index else f"+ {step['part']}"
            cells = [
                " / ".join(_cell(name, step["scores"][kind]) for kind in MADE_KINDS if name in step["scores"][kind])
                for name in SHOWN
            ]
            real = [_cell("flicker", step["scores"][clip]) for clip in clips]
            lines.append(row([label, f"{time['us']}", f"{100 * time['of_network']:.1f} %", *cells, *real]))
        lines += ["", summary(model, clips), ""]
    return "\n".join(lines)


def summary(model: dict[str, Any], clips: Sequence[str]) -> str:
    """Everything on against the network alone, in a sentence."""
    first, last = model["steps"][0]["scores"], model["steps"][-1]["scores"]

    def change(name: str, kind: str) -> str:
        return f"{100 * (last[kind][name] / first[kind][name] - 1):+.0f} %"

    flicker = ", ".join(f"{change('flicker', kind)} ({kind})" for kind in ("motion", "synthetic", *clips))
    motion = {name: last["motion"][name] - first["motion"][name] for name in SHOWN}
    sharper = ", ".join(f"{motion[name]:+.3f} ({HEADINGS[name]})" for name in ("boundary_f", TIGHT))
    together = model["together"]
    return (
        f"Everything on against the network alone: dtSSD {change('dtssd', 'motion')} (motion), "
        f"{change('dtssd', 'synthetic')} (synthetic); flicker {flicker}; "
        f"trailing {motion['trailing']:+.2f} px·frame, {sharper} and rim {change('rim', 'motion')} (motion). "
        f"All parts in a row {together['us']} µs, {100 * together['of_network']:.0f} % of the network; in their place, "
        f"the stretching of the network's alpha takes {model['stretch']['us']} µs."
    )


def _cell(name: str, scores: dict[str, float]) -> str:
    return f"{scores[name]:.{DIGITS.get(name, 1)}f}" if name in scores else "-"


def filled(text: str, tables: str) -> str:
    """The page with the tables between its marks."""
    marked = re.compile(rf"(?<={re.escape(BEGIN)}\n).*?(?={re.escape(END)})", re.DOTALL)
    if not marked.search(text):
        raise SystemExit(f"the page has no {BEGIN} and {END}, each on a line of its own")
    return marked.sub(lambda _: tables, text)


if __name__ == "__main__":
    main(sys.argv[1:])
