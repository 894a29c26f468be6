"""How far an alpha is from the truth, as the papers define it.

Alphas are (h, w) floats in 0-1, 1 = person, of one size with their truth. Every function
gives the plain number of its definition; tables show it times `SCALE`, as papers do.
Averages over pictures are means of each picture's number. The matting papers sum over
the unknown band of a trimap; here the whole picture counts, there being no trimap.
"""

from __future__ import annotations

import functools
import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from livematte._errors import FrameError
from livematte._frame import F32, U8
from livematte.evaluation._opencv import opencv

Mask = npt.NDArray[np.bool_]

SCALE = {
    "iou": 1.0,
    "boundary_f": 1.0,
    "mad": 1e3,
    "mse": 1e3,
    "grad": 1e-3,
    "conn": 1e-3,
    "dtssd": 1e2,
    "flicker": 1e3,
    "trailing": 1.0,
}
"""Factor under which papers print each number: Grad and Conn are sums over pixels shown in
thousands (Rhemann et al.), MAD and MSE are means x1000, dtSSD x100 (Lin et al. 2022, "Robust
High-Resolution Video Matting")."""

MORE_IS_BETTER = ("iou", "boundary_f")
"""All others are errors."""

HALF = 0.5
"""Alpha from which a pixel counts as person where a mask is needed."""

TOLERANCE = 0.0075
"""Of the diagonal: how far contours may lie apart and still match. 6 pixels at 640x480."""

GRADIENT_SIGMA_PX = 1.4
"""Of the derivative filters (Rhemann et al.)."""

GRADIENT_CUT = 1e-2
"""Value of the Gaussian below which its filter ends, as in the published code: 9 taps."""

CONNECTED_STEP = 0.1
"""Steps of the threshold under which connectedness is looked for (published code)."""

CONNECTED_THETA = 0.15
"""Alpha by which a pixel may stand out from what it is connected to (Rhemann et al.)."""

STILL_CHANGE = 2
"""Code values by which the luma of a pixel that stands still may change: noise of camera and codec."""

PERSON, BACKGROUND = 0.95, 0.05
"""True alphas from which a pixel is surely person, and up to which it is surely background."""

RIM_PX = 6
"""How far on both sides of a soft edge a halo is looked for."""

TRAIL_FRAMES = 6
"""Frames for which a pixel that the person has left is watched, and in which they must have been there: a
fifth of a second at 30 frames a second. What stays longer is no trail but a mistake."""


def mask(alpha: F32) -> Mask:
    """Where alpha says person: at least one half."""
    return np.asarray(alpha >= HALF, np.bool_)


def iou(alpha: F32, truth: F32) -> float:
    """Intersection of the masks by their union, 0-1; 1 where both are empty.

    Source: Jaccard index; J of Perazzi et al. 2016, "A Benchmark Dataset and Evaluation
    Methodology for Video Object Segmentation".
    """
    _check(alpha, truth)
    found, true = mask(alpha), mask(truth)
    union = int(np.count_nonzero(found | true))
    return int(np.count_nonzero(found & true)) / union if union else 1.0


def boundary_f(alpha: F32, truth: F32, tolerance: float = TOLERANCE) -> float:
    """F measure of the masks' contours, 0-1: 2 P R / (P + R).

    Precision is the part of the found contour that lies within `tolerance` of the
    diagonal, rounded up to pixels, from the true one; recall the reverse. 1 where
    neither mask has a contour, 0 where one has. The picture's border is no contour.

    Source: F of Perazzi et al. 2016, and its published code (`f_boundary`), whose own
    tolerance is 0.8 %. A point may match several: nothing is assigned one to one.
    """
    _check(alpha, truth)
    found, true = contour(mask(alpha)), contour(mask(truth))
    if not found.any() or not true.any():
        return 1.0 if found.any() == true.any() else 0.0
    reach_px = math.ceil(tolerance * math.hypot(*truth.shape))
    precision = float((_distance(true)[found] <= reach_px).mean())
    recall = float((_distance(found)[true] <= reach_px).mean())
    return 2 * precision * recall / (precision + recall) if precision + recall else 0.0


def contour(person: Mask) -> Mask:
    """Pixels that differ from their neighbour on the right, below or across.

    Source: `seg2bmap` of the Berkeley benchmark, which DAVIS uses.
    """
    grown = np.pad(person, ((0, 1), (0, 1)), mode="edge")
    edge: Mask = (person != grown[:-1, 1:]) | (person != grown[1:, :-1]) | (person != grown[1:, 1:])
    return edge


def mad(alpha: F32, truth: F32) -> float:
    """Mean absolute difference, 0-1: the matting benchmark's SAD by the number of pixels."""
    _check(alpha, truth)
    return float(np.abs(alpha - truth).mean(dtype=np.float64))


def mse(alpha: F32, truth: F32) -> float:
    """Mean squared error, 0-1.

    Source: Rhemann et al. 2009, "A Perceptually Motivated Online Benchmark for Image
    Matting".
    """
    _check(alpha, truth)
    return float(np.square(alpha - truth).mean(dtype=np.float64))


def grad(alpha: F32, truth: F32) -> float:
    """Sum over pixels of the squared difference of the gradients' lengths.

    The gradient is taken by the derivatives of a Gaussian of sigma 1.4 pixels, each
    filter of unit energy; edges are repeated.

    Source: Rhemann et al. 2009, q = 2, and the filters of the published code.
    """
    _check(alpha, truth)
    difference = _slope(alpha) - _slope(truth)
    return float(np.square(difference).sum(dtype=np.float64))


def conn(alpha: F32, truth: F32) -> float:
    """Sum over pixels of the difference of their degrees of connectedness.

    l is the largest threshold, in steps of 0.1, at which a pixel belongs to the largest
    4-connected region where both alphas reach the threshold. With d = alpha - l the
    degree is 1 - d where d is at least 0.15, else 1.

    Source: Rhemann et al. 2009, p = 1, theta = 0.15, in the form of the code
    with which it is usually computed (Xu et al. 2017, "Deep Image Matting"): the region
    is chosen at every threshold, and the weight lambda is 1.
    """
    _check(alpha, truth)
    level = np.ones(alpha.shape, np.float32)
    pending = np.ones(alpha.shape, np.bool_)
    both = np.minimum(alpha, truth)
    steps = round(1 / CONNECTED_STEP)
    for step in range(1, steps + 1):
        outside = pending & ~_largest(both >= np.float32(step / steps))
        level[outside] = (step - 1) / steps
        pending &= ~outside
    found, true = _degree(alpha - level), _degree(truth - level)
    return float(np.abs(found - true).sum(dtype=np.float64))


def dtssd(alpha: F32, before: F32, truth: F32, truth_before: F32) -> float:
    """Root of the mean squared difference of the changes from one frame to the next, 0-1.

    A clip's number is the mean over its pairs of frames.

    Source: Erofeev et al. 2015, "Perceptually Motivated Benchmark for Video Matting",
    dtSSD; by the number of pixels, as in Lin et al. 2022.
    """
    _check(alpha, truth)
    difference = (alpha - before) - (truth - truth_before)
    return math.sqrt(float(np.square(difference).mean(dtype=np.float64)))


def still(luma: U8, before: U8) -> Mask:
    """Where the picture stands still: luma changes by at most `STILL_CHANGE` from one frame to the next.

    Args:
        luma: uint8 (h, w), full-range or limited.
        before: of the frame before.
    """
    where: Mask = np.abs(luma.astype(np.int16) - before) <= STILL_CHANGE
    return where


def flicker(alpha: F32, before: F32, where: Mask) -> tuple[float, int]:
    """How much alpha changes where the picture does not.

    Returns:
        The sum of the absolute changes over the pixels of `where`, and their number. A
        clip's flicker is all of the sums by all of the numbers; it needs no truth.
    """
    return float(np.abs(alpha - before)[where].sum(dtype=np.float64)), int(np.count_nonzero(where))


@dataclass(frozen=True, slots=True, eq=False)
class Uncovered:
    """Where the person of the truth has just been, after one frame of a clip.

    Args:
        where: pixels that became background in one of the last `TRAIL_FRAMES` frames, this one among them.
        edge_px: length of the true edge that left pixels behind in this frame: of the outline of what was not
            background in the frame before, those pixels that are or touch such a pixel.
        left: uint8 (h, w), frames for which each pixel will still be watched, this one among them.
        person: uint8 (h, w), frames for which it still counts that each pixel was person.
        outside: what is background in this frame.
    """

    where: Mask
    edge_px: int
    left: U8
    person: U8
    outside: Mask


def uncovered(truth: F32, before: Uncovered | None = None) -> Uncovered:
    """Follow the truth by one frame.

    Args:
        truth: true alpha of this frame.
        before: what the frame before gave; None at the start of a clip.
    """
    outside: Mask = truth <= BACKGROUND
    inside = truth >= PERSON
    if before is None:
        nothing = np.zeros(truth.shape, np.uint8)
        return Uncovered(nothing > 0, 0, nothing, inside * np.uint8(TRAIL_FRAMES), outside)
    fresh = outside & ~before.outside & (before.person > 0)
    left = np.where(fresh, np.uint8(TRAIL_FRAMES), before.left - (before.left > 0)) * outside
    person = np.where(inside, np.uint8(TRAIL_FRAMES), before.person - (before.person > 0))
    edge_px = 0
    if fresh.any():
        beside = opencv().dilate(fresh.astype(np.uint8), np.ones((3, 3), np.uint8)) > 0
        edge_px = int(np.count_nonzero(contour(~before.outside) & beside))
    return Uncovered(left > 0, edge_px, left, person, outside)


def trailing(alpha: F32, truth: F32, seen: Uncovered) -> tuple[float, int]:
    """Alpha left behind a moved edge.

    A pixel that was surely person (true alpha at least `PERSON`) within the last `TRAIL_FRAMES` frames and now
    becomes background (at most `BACKGROUND`) is watched for `TRAIL_FRAMES` frames, or until it is background no
    more. Alpha above the truth at watched pixels is summed, over pixels and over frames, and divided by the
    length of the true edge, summed over the frames in which it left such pixels: px^2 frames by px are
    px·frame. A straight hard edge that goes v pixels a frame and an alpha that comes n frames late give v n
    exactly; so does a single step of v pixels. What is soft over w pixels gives about w / 2 less, since its
    outer half is no person and its inner half not yet background.

    A matte that is too wide everywhere, or blurred, has some of this without any memory: compare with the
    network alone.

    Args:
        alpha, truth: of one frame.
        seen: the truth followed up to this frame.

    Returns:
        The sum over the pixels of this frame, and the length of the edge in this frame. A clip's
        number is all of the sums by all of the lengths.
    """
    _check(alpha, truth)
    excess = (alpha - truth)[seen.where]
    return float(np.maximum(excess, 0).sum(dtype=np.float64)), seen.edge_px


def rim(shown: U8, true: U8, truth: F32) -> float:
    """Mean absolute difference of two pictures, in code values, where the true alpha is at an edge.

    An edge is what is neither surely person nor surely background, grown by `RIM_PX` on both sides. The
    pictures show the same people over the same new background, one as a matte and its foreground make it,
    the other as the true ones do: old background that came along is seen here, and what of the person is lost.

    Args:
        shown, true: uint8 (h, w, 3).
        truth: true alpha (h, w).

    Returns:
        0-255; 0 where there is no edge.
    """
    _check(shown[..., 0], truth)
    edge = ((truth > BACKGROUND) & (truth < PERSON)).astype(np.uint8)
    side = 2 * RIM_PX + 1
    where = opencv().dilate(edge, np.ones((side, side), np.uint8)) > 0
    return float(np.abs(shown[where].astype(np.int16) - true[where]).mean(dtype=np.float64)) if where.any() else 0.0


def _check(alpha: npt.NDArray[Any], truth: F32) -> None:
    if alpha.shape != truth.shape or alpha.ndim != 2:
        raise FrameError(f"an alpha and its truth must be (h, w) of one size, got {alpha.shape} and {truth.shape}")


def _distance(points: Mask) -> F32:
    """Distance in pixels of every pixel from the nearest point."""
    cv2 = opencv()
    distance: F32 = cv2.distanceTransform((~points).astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
    return distance


def _slope(alpha: F32) -> F32:
    """Length of the gradient, (h, w)."""
    cv2 = opencv()
    smooth, derivative = _gaussian()
    plane = np.ascontiguousarray(alpha, np.float32)
    across = cv2.sepFilter2D(plane, cv2.CV_32F, derivative, smooth, borderType=cv2.BORDER_REPLICATE)
    down = cv2.sepFilter2D(plane, cv2.CV_32F, smooth, derivative, borderType=cv2.BORDER_REPLICATE)
    length: F32 = np.hypot(across, down)
    return length


@functools.cache
def _gaussian() -> tuple[Any, Any]:
    """Taps of a Gaussian and of its derivative, each of unit energy."""
    sigma = GRADIENT_SIGMA_PX
    reach = math.ceil(sigma * math.sqrt(-2 * math.log(math.sqrt(2 * math.pi) * sigma * GRADIENT_CUT)))
    x = np.arange(-reach, reach + 1, dtype=np.float64)
    smooth = np.exp(-(x**2) / (2 * sigma**2))
    derivative = -x * smooth
    return smooth / np.linalg.norm(smooth), derivative / np.linalg.norm(derivative)


def _largest(region: Mask) -> Mask:
    """The largest 4-connected part of a region; empty if it is."""
    cv2 = opencv()
    _, labels, stats, _ = cv2.connectedComponentsWithStats(region.astype(np.uint8), connectivity=4)
    if len(stats) < 2:
        return region
    return np.asarray(labels == 1 + int(stats[1:, cv2.CC_STAT_AREA].argmax()), np.bool_)


def _degree(standing_out: F32) -> F32:
    return np.where(standing_out >= CONNECTED_THETA, 1 - standing_out, np.float32(1)).astype(np.float32)
