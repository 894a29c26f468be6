"""Ways from the network's alpha to the user's that were compared, beside what is built in.

    python bench/refinement.py --people people-dev --rooms rooms --limit 6

prints a table for docs/evaluate.md: one frame alone, the network's alpha as it is, stretched to 1280x720 in other ways.
Ways that lost live here only, in NumPy and OpenCV, written for being read. `steadying.py` does the same over time.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator, Sequence

import cv2
import numpy as np
import numpy.typing as npt

from livematte import Frame, Size, kernels
from livematte._stages import Segmenter
from livematte.evaluation import datasets, metrics, motion, score
from livematte.models import livematte
from livematte.refine.guided import EPSILON, RADIUS, REDUCE, follow

F32 = npt.NDArray[np.float32]
Edge = Callable[[F32, Frame], F32]
"""From alpha at the network's size to alpha at the frame's."""


SOFTNESS = 0.3
SHARP = 1 + (kernels.STEEPEST_GAIN - 1) * (1 - SOFTNESS)
"""Gain before the fit and after it, as built in."""

STEP = 6
"""Every so many frames are scored by edges."""
NEAR_PX = 4
"""Boundary F is also given within so many pixels: 0.75 % of the diagonal are 12 at 720p."""


def box(values: F32, radius: int) -> F32:
    mean: F32 = cv2.blur(values, (2 * radius + 1, 2 * radius + 1), borderType=cv2.BORDER_REPLICATE)
    return mean


def stretched(values: F32, size: Size) -> F32:
    wide: F32 = cv2.resize(np.ascontiguousarray(values), size, interpolation=cv2.INTER_LINEAR)
    return wide


def crisp(alpha: F32, gain: float) -> F32:
    return np.clip((alpha - 0.5) * gain + 0.5, 0, 1).astype(np.float32)


GAIN = 1 + 2.5 * (1 - SOFTNESS)
"""Of everything that does not sharpen alpha before it is stretched."""


def bilinear(alpha: F32, frame: Frame) -> F32:
    return stretched(alpha, frame.size)


def built_in(alpha: F32, frame: Frame) -> F32:
    return follow(frame, alpha, SOFTNESS) / np.float32(255)


def of_luma(radius: int = 2, epsilon: float = EPSILON, weigh: str = "", sharp: float = 1.0) -> Edge:
    """The guided filter on luma (He and Sun 2015); weighed as in Li et al. 2015 or Kou et al. 2015."""

    def refine(alpha: F32, frame: Frame) -> F32:
        size = Size(*alpha.shape[::-1])
        p, guide = crisp(alpha, sharp), frame.small_luma(size) / np.float32(255)
        mean, mean_p = box(guide, radius), box(p, radius)
        variance = np.maximum(box(guide * guide, radius) - mean * mean, 0)
        texture = np.maximum(box(guide * guide, 1) - box(guide, 1) ** 2, 0)
        if weigh == "gradient-domain":
            texture = np.sqrt(texture * variance)
        weight = (texture + 1e-4) * np.mean(1 / (texture + 1e-4)) if weigh else 1.0
        slope = np.clip((box(guide * p, radius) - mean * mean_p) / (variance + epsilon / weight), -4, 4)
        offset = box(mean_p - slope * mean, radius)
        luma = frame.luma() / np.float32(255)
        line = stretched(box(slope, radius), frame.size) * luma + stretched(offset, frame.size)
        return crisp(line, GAIN if sharp == 1 else sharp)

    return refine


def of_colour(
    radius: int, reduce: int, chroma: float, sharp: float = 1.0, trust: bool = False, again: int | None = None
) -> Edge:
    """The guided filter on luma and chroma; pixels weigh as much as the network is sure of them, if `trust`."""

    def refine(alpha: F32, frame: Frame) -> F32:
        size = Size(*alpha.shape[::-1])
        grid = (size.width // reduce, size.height // reduce)
        weights, middle = (1 / 255, chroma / 255, chroma / 255), (0, 128, 128)
        planes = [(p - m) * np.float32(w) for p, m, w in zip(frame.small(size), middle, weights, strict=True)]
        p, *guide = (cv2.resize(v, grid, interpolation=cv2.INTER_AREA) for v in (crisp(alpha, sharp), *planes))
        sure = (2 * p - 1) ** 2 + np.float32(0.05) if trust else np.ones_like(p)
        total = box(sure, radius)
        means = [box(sure * g, radius) / total for g in guide]
        mean_p = box(sure * p, radius) / total
        covariance = [box(sure * g * p, radius) / total - m * mean_p for g, m in zip(guide, means, strict=True)]
        matrix = np.empty((*p.shape, 3, 3), np.float32)
        for i in range(3):
            for j in range(3):
                product = box(sure * guide[i] * guide[j], radius) / total
                matrix[..., i, j] = product - means[i] * means[j] + (EPSILON if i == j else 0)
        slopes = np.clip(np.linalg.solve(matrix, np.stack(covariance, -1)[..., None])[..., 0], -4, 4)
        wide = radius if again is None else again
        line = stretched(box(mean_p - sum(slopes[..., c] * means[c] for c in range(3)), wide), frame.size)
        for c, plane in enumerate(frame.planes):
            full = stretched(plane.astype(np.float32), frame.size) - middle[c]
            line += stretched(box(np.ascontiguousarray(slopes[..., c]), wide), frame.size) * full * weights[c]
        return crisp(line, GAIN if sharp == 1 else sharp)

    return refine


def two_scales(alpha: F32, frame: Frame) -> F32:
    """The guided filter on luma twice, the second time at half the frame's size."""
    half = Size(frame.size.width // 2, frame.size.height // 2)
    first = stretched(of_luma()(alpha, frame), half)
    return of_luma(3, 2e-3)(first, frame)


def joint_bilateral(alpha: F32, frame: Frame, sigma: float = 0.06) -> F32:
    """Kopf et al. 2007, 5x5 samples of alpha for each pixel."""
    size = Size(*alpha.shape[::-1])
    small, luma = frame.small_luma(size) / np.float32(255), frame.luma() / np.float32(255)
    axes = [(np.arange(n) + 0.5) * m / n - 0.5 for n, m in zip(luma.shape, alpha.shape, strict=True)]
    total, weights = np.zeros_like(luma), np.full_like(luma, 1e-6)
    for dy in range(-2, 3):
        for dx in range(-2, 3):
            at = [np.rint(axis).astype(int) + d for axis, d in zip(axes, (dy, dx), strict=True)]
            near = [np.exp(-((a - axis) ** 2) / 2) for a, axis in zip(at, axes, strict=True)]
            place = np.ix_(*(np.clip(a, 0, n - 1) for a, n in zip(at, alpha.shape, strict=True)))
            weight = np.outer(*near).astype(np.float32) * np.exp(-((small[place] - luma) ** 2) / (2 * sigma**2))
            total, weights = total + weight * alpha[place], weights + weight
    return crisp(total / weights, GAIN)


def cleaned(islands: float = 0.0, holes: float = 0.0) -> Edge:
    """As built in, without parts (alpha over 0.1) and holes (under 0.5) below so much of the picture.

    The largest part stays.
    """

    def refine(alpha: F32, frame: Frame) -> F32:
        _, parts = cv2.connectedComponents((alpha > 0.1).astype(np.uint8), connectivity=4)
        sizes = np.bincount(parts.ravel(), alpha.ravel() * (parts.ravel() > 0))
        small = sizes < islands * alpha.size
        small[[0, np.argmax(sizes)]] = False
        alpha = np.where(small[parts], 0, alpha)
        _, parts, found, _ = cv2.connectedComponentsWithStats((alpha < 0.5).astype(np.uint8), connectivity=4)
        left, top, right, bottom = found[:, 0], found[:, 1], found[:, 0] + found[:, 2], found[:, 1] + found[:, 3]
        inside = (left > 0) & (top > 0) & (right < alpha.shape[1]) & (bottom < alpha.shape[0])
        closed = inside & (found[:, cv2.CC_STAT_AREA] < holes * alpha.size)
        closed[0] = False
        return built_in(np.where(closed[parts], 1, alpha).astype(np.float32), frame)

    return refine


EDGES: dict[str, Edge] = {
    "bilinear": bilinear,
    "joint bilateral": joint_bilateral,
    "guided by luma, radius 2 (as before)": of_luma(),
    "... radius 1": of_luma(1),
    "... radius 4": of_luma(4),
    "... epsilon 0.001": of_luma(epsilon=1e-3),
    "... weighted": of_luma(weigh="weighted"),
    "... gradient-domain": of_luma(weigh="gradient-domain"),
    "... alpha sharpened before": of_luma(sharp=SHARP),
    "... at two scales": two_scales,
    "guided by luma and chroma, radius 2": of_colour(2, 1, 1.0),
    "... chroma 6 times": of_colour(2, 1, 6.0),
    "... chroma 6 times, radius 4": of_colour(4, 1, 6.0),
    "... weighed by how sure the network is": of_colour(4, 1, 6.0, trust=True),
    "... in cells of 2x2, radius 2": of_colour(RADIUS, REDUCE, 6.0),
    "... slopes averaged over radius 1": of_colour(RADIUS, REDUCE, 6.0, again=1),
    "... and alpha sharpened before": of_colour(RADIUS, REDUCE, 6.0, sharp=SHARP, again=1),
    "the same, built in": built_in,
    "... parts below 0.2 % of the picture dropped": cleaned(islands=0.002),
    "... parts below 0.5 % dropped": cleaned(islands=0.005),
    "... holes below 0.1 % closed": cleaned(holes=0.001),
    "... holes below 0.5 % closed": cleaned(holes=0.005),
}


Seen = Iterator[tuple[Frame, F32, F32]]
"""A frame, the network's alpha, and the truth at the frame's size."""


def moving(clips: Sequence[motion.MotionClip], network: Segmenter) -> Seen:
    for clip in clips:
        state = None
        for index, (frame, truth) in enumerate(clip.read(10**6)):
            matte, state = network.segment(frame, state)
            if index % STEP == 3:
                yield frame, matte.alpha, truth


def still(folder: str, network: Segmenter) -> Seen:
    for picture in datasets.find(folder):
        if isinstance(picture, datasets.Picture):
            rgb, truth = picture.read(score.SIDE_PX)
            frame = Frame.from_rgb(rgb)
            yield frame, network.segment(frame, None)[0].alpha, truth


def score_edges(seen: Seen) -> list[str]:
    scores: dict[str, list[tuple[float, ...]]] = {name: [] for name in EDGES}
    for frame, small, truth in seen:
        near = NEAR_PX / float(np.hypot(*truth.shape))
        for name, edge in EDGES.items():
            alpha = edge(small, frame)
            found = metrics.boundary_f(alpha, truth), metrics.boundary_f(alpha, truth, near)
            scores[name].append((*found, 1e3 * metrics.mad(alpha, truth), 1e-3 * metrics.grad(alpha, truth)))
    means = {name: np.mean(values, axis=0) for name, values in scores.items()}
    return [f"| {name} | {m[0]:.3f} | {m[1]:.3f} | {m[2]:.1f} | {m[3]:.1f} |" for name, m in means.items()]


def main() -> None:
    parser = argparse.ArgumentParser(description="Compare ways of refining a matte.")
    parser.add_argument("--people", required=True, help="folder with images/ and masks/")
    parser.add_argument("--rooms", help="folder of backgrounds; without, the pictures themselves are scored")
    parser.add_argument("--limit", type=int, default=6, help="so many moving clips")
    parser.add_argument(
        "--only", metavar="WORD", default="", help="what is built in, and the ways whose names hold this"
    )
    options = parser.parse_args()
    for name in [name for name in EDGES if options.only not in name and EDGES[name] is not built_in]:
        del EDGES[name]
    for tag in ("base", "fast"):
        network = livematte.create(tag, threads=1)
        print(f"\n`livematte:{tag}`\n\n| edges | F | F within {NEAR_PX} px | MAD | Grad |\n|---|---|---|---|---|")
        if options.rooms:
            seen = moving(motion.create(f"{options.people},{options.rooms}", options.limit), network)
        else:
            seen = still(options.people, network)
        print("\n".join(score_edges(seen)), flush=True)
        network.close()


if __name__ == "__main__":
    main()
