"""Rules for the network's alpha over time that were compared, beside what is built in, and how far any could get.

    python bench/steadying.py --people people-dev --rooms rooms --clip sign-again.mkv --limit 12

prints a table for docs/evaluate.md; the edges are always as built in. Rules that lost live here only, in NumPy and
OpenCV, written for being read. Two know the truth: no search for motion can do better.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator
from itertools import repeat
from typing import Any, NamedTuple

import cv2
import numpy as np

from livematte import Frame, Size, kernels
from livematte._frame import F32
from livematte._pipeline import vote
from livematte.evaluation import metrics, motion
from livematte.models import livematte
from livematte.sources import open_source
from refinement import box, built_in


class Seen(NamedTuple):
    """A frame at the network's size, and where its people are, if that is known."""

    alpha: F32
    luma: F32
    truth: Any = None
    place: tuple[float, float] = (0.0, 0.0)
    """Pixels right and down."""


Rule = Callable[[list[Seen]], Iterator[F32]]


def as_it_is(seen: list[Seen]) -> Iterator[F32]:
    yield from (it.alpha for it in seen)


def by_alpha(still: float, per_change: float) -> Rule:
    """A moving average, whose part of the new alpha grows with its change."""

    def rule(seen: list[Seen]) -> Iterator[F32]:
        out = seen[0].alpha
        for alpha, *_ in seen:
            way = alpha - out
            out = out + way * np.minimum(still + per_change * np.abs(way), 1)
            yield out

    return rule


def by_luma(seen: list[Seen]) -> Iterator[F32]:
    """What is built in: `Temporal`."""
    out, before, *_ = seen[0]
    moved = np.full_like(out, kernels.BEGINS)
    for alpha, luma, *_ in seen:
        out, moved = kernels.temporal(alpha, luma, out, before, moved)
        before = luma
        yield out


def warped(seen: list[Seen]) -> Iterator[F32]:
    """The alpha before, moved along with the optical flow (DIS, Kroeger et al. 2016), averaged where that fits."""
    flow = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
    out, before, *_ = seen[0]
    rows, columns = np.mgrid[: out.shape[0], : out.shape[1]].astype(np.float32)
    for alpha, luma, *_ in seen:
        way = flow.calc(luma.astype(np.uint8), before.astype(np.uint8), None)  # type: ignore[call-overload]
        maps = columns + way[..., 0], rows + way[..., 1]
        out, fitted = (cv2.remap(v, *maps, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE) for v in (out, before))
        wrong = cv2.dilate(np.abs(fitted - luma), np.ones((3, 3))) / 12
        out = out + (alpha - out) * np.minimum(0.3 + wrong + np.abs(alpha - out) ** 2, 1).astype(np.float32)
        before = luma
        yield out


def settled(
    match: Callable[[F32, F32], tuple[Any, Any]] | None = None, falls: float = 2.0, follow_alpha: bool = False
) -> Rule:
    """`Temporal` in NumPy, and near it: the past moved by whole pixels as `match` says, other ways to let go.

    `follow_alpha` is what was built in before: large changes of alpha are followed in a still picture too, and
    motion fades by a fifth a frame.
    """

    def rule(seen: list[Seen]) -> Iterator[F32]:
        out, before, *_ = seen[0]
        rows, columns = np.mgrid[: out.shape[0], : out.shape[1]]
        moved = np.full_like(out, 1 if follow_alpha else kernels.BEGINS)
        for alpha, luma, *_ in seen:
            if match:
                right, down = match(luma, before)
                place = np.clip(rows + down, 0, out.shape[0] - 1), np.clip(columns + right, 0, out.shape[1] - 1)
                out, before, moved = out[place], before[place], moved[place]
            change = (cv2.dilate(np.abs(luma - before), np.ones((3, 3))) - 1.5) / 12
            way = alpha - out
            if follow_alpha:
                moved = np.clip(np.maximum(change, moved * 0.8), 0, 1)
                part = 0.1 + moved + way * way
            else:
                rest = np.where(moved > 1, moved - 1, moved / (1 + moved))
                moved = np.maximum(np.maximum(np.minimum(change, 1), rest), 0.1)
                part = np.where(way < 0, falls * moved, moved)
            out = (out + way * np.minimum(part, 1)).astype(np.float32)
            before = luma
            yield out

    return rule


def in_blocks(luma: F32, before: F32, side: int = 8, reach: tuple[int, int] = (8, 4)) -> tuple[Any, Any]:
    """Of each block the way back, in whole pixels, to where the frame before was most like it (all ways tried)."""
    size = Size(*luma.shape[::-1])
    rows, columns = (np.minimum(np.arange(side // 2, n + side // 2, side), n - 1) for n in luma.shape)
    best: Any = np.inf
    right = down = np.zeros((len(rows), len(columns)), int)
    for y in range(-reach[1], reach[1] + 1):
        for x in range(-reach[0], reach[0] + 1):
            shifted = cv2.warpAffine(
                before, np.float32([[1, 0, -x], [0, 1, -y]]), size, borderMode=cv2.BORDER_REPLICATE
            )
            cost = box(np.abs(luma - shifted), 6)[np.ix_(rows, columns)] + (1 if x or y else 0)  # noise moves nothing
            better = cost < best
            best, right, down = np.where(better, cost, best), np.where(better, x, right), np.where(better, y, down)
    whole = np.ones((side, side), int)
    return tuple(np.kron(way, whole)[: size.height, : size.width] for way in (right, down))


def truly_moved(keeps: float) -> Rule:
    """What no search can beat: the alpha before, moved along as the people truly are, and kept as the room's is."""

    def rule(seen: list[Seen]) -> Iterator[F32]:
        out, _, first, place = seen[0]
        was, size = first > 0, Size(*out.shape[::-1])
        for alpha, _, truth, now in seen:
            way = np.float32([[1, 0, now[0] - place[0]], [0, 1, now[1] - place[1]]])
            person = cv2.dilate(truth, np.ones((5, 5))) > 0.02
            moved = cv2.warpAffine(out, way, size, borderMode=cv2.BORDER_REPLICATE)
            part = np.where(person | ~was, keeps, 0).astype(np.float32)  # nothing is known of what they uncover
            out = alpha + (np.where(person, moved, out) - alpha) * part
            was, place = person, now
            yield out

    return rule


def looking_ahead(seen: list[Seen]) -> Iterator[F32]:
    """The vote of the alphas before, now and after, then `Temporal`."""
    alphas = [it.alpha for it in seen]
    triples = zip([alphas[0], *alphas], alphas, [*alphas[1:], alphas[-1]], strict=False)
    return by_luma([Seen(vote(*three), it.luma) for three, it in zip(triples, seen, strict=True)])


RULES: dict[str, Rule] = {
    "not steadied": as_it_is,
    "by the change of alpha (as before)": by_alpha(0.4, 2.0),
    "a moving average of 0.4": by_alpha(0.4, 0.0),
    "the alpha before, warped": warped,
    "by the changes of the small picture and of alpha (as before)": settled(follow_alpha=True),
    "by the change of the small picture alone, falling as it rises": settled(falls=1),
    "... falling twice as fast: built in": by_luma,
    "... with the alpha before moved in blocks": settled(in_blocks),
    "0.7 of the alpha before, truly moved (bound)": truly_moved(0.7),
    "0.85 of the alpha before, truly moved (bound)": truly_moved(0.85),
    "... with a look ahead": looking_ahead,
}


BOUNDS = tuple(name for name in RULES if name.endswith("(bound)"))
"""They need the truth."""


def score_rules(clips: list[Any], films: list[str], network: Any) -> list[str]:
    scores: dict[str, list[tuple[float, ...]]] = {name: [] for name in RULES}
    real: dict[str, list[float]] = {name: [] for name in RULES}
    for source in [*clips, *films]:
        frames = list(_frames(source))
        seen, state = [], None
        places = repeat((0.0, 0.0)) if isinstance(source, str) else source.places()
        for (frame, truth), (right, down) in zip(frames, places, strict=False):
            matte, state = network.segment(frame, state)
            small = None if truth is None else cv2.resize(truth, matte.size, interpolation=cv2.INTER_AREA)
            place = right * matte.size.width / frame.size.width, down * matte.size.height / frame.size.height
            seen.append(Seen(matte.alpha.copy(), frame.small_luma(matte.size), small, place))
        for name, rule in RULES.items():
            if isinstance(source, str) and name in BOUNDS:
                continue
            alphas = (
                built_in(np.ascontiguousarray(a, np.float32), f) for a, (f, _) in zip(rule(seen), frames, strict=True)
            )
            flickers, others = _over_time(frames, alphas)
            real[name].append(flickers) if isinstance(source, str) else scores[name].append((flickers, *others))
    rows = []
    for name, values in scores.items():
        m, film = np.mean(values, axis=0), f"{np.mean(real[name]):.2f}" if real[name] else ""
        rows.append(f"| {name} | {m[1]:.2f} | {m[0]:.2f} | {film} | {m[2]:.2f} | {m[3]:.1f} |")
    return rows


def _frames(source: Any) -> Iterator[tuple[Frame, F32 | None]]:
    if isinstance(source, str):
        with open_source(source) as film:
            yield from ((frame, None) for frame in film)
    else:
        yield from source.read(10**6)


def _over_time(frames: list[tuple[Frame, F32 | None]], alphas: Iterator[F32]) -> tuple[float, tuple[float, ...]]:
    """Flicker, and with a truth dtSSD, trailing and MAD, as they are shown."""
    changes, still, left, edge, before, seen = 0.0, 0, 0.0, 0, None, None
    dtssd, mad = [], []
    for (frame, truth), alpha in zip(frames, alphas, strict=True):
        if truth is not None:
            seen = metrics.uncovered(truth, seen)
            excess, length = metrics.trailing(alpha, truth, seen)
            left, edge = left + excess, edge + length
            mad.append(1e3 * metrics.mad(alpha, truth))
        if before is not None:
            change, count = metrics.flicker(alpha, before[1], metrics.still(frame.luma(), before[0].luma()))
            changes, still = changes + change, still + count
            if truth is not None:
                dtssd.append(1e2 * metrics.dtssd(alpha, before[1], truth, before[2]))
        before = frame, alpha, truth
    flicker = 1e3 * changes / max(still, 1)
    return flicker, (float(np.mean(dtssd)), left / max(edge, 1), float(np.mean(mad))) if mad else ()


def main() -> None:
    parser = argparse.ArgumentParser(description="Compare rules for a matte over time.")
    parser.add_argument("--people", required=True, help="folder with images/ and masks/")
    parser.add_argument("--rooms", required=True, help="folder of backgrounds")
    parser.add_argument(
        "--clip", action="append", default=[], help="a real clip, for flicker alone; may be given again"
    )
    parser.add_argument("--limit", type=int, default=6, help="so many moving clips")
    options = parser.parse_args()
    clips = list(motion.create(f"{options.people},{options.rooms}", options.limit))
    for tag in ("base", "fast"):
        network = livematte.create(tag, threads=1)
        print(f"\n`livematte:{tag}`\n\n| time | dtSSD | flicker | flicker, real | trailing | MAD |")
        print("|---|---|---|---|---|---|")
        print("\n".join(score_rules(clips, options.clip, network)), flush=True)
        network.close()


if __name__ == "__main__":
    main()
