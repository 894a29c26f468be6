"""The ensemble: several teachers, looking at a picture as a whole and at the people in it, make one estimate.

Each teacher sees the picture, its mirror image, and for each person found so far a crop around
them, its mirror image, and squares along it; those made for people near the camera also see the
four quarters of the picture. What it says of a pixel is the mean of its logits
over these views; what the ensemble says is the weighted mean over the teachers. Logits, since a
teacher that is sure should count more than one that is not.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from livematte._frame import F32, Frame
from livematte._stages import Segmenter
from livematte.training import views
from livematte.training.views import Box

WHOLE, CLOSE, SQUARE = 1.0, 2.0, 3.0
"""What a view counts: the whole picture, a person's box, a square of it. Closer sees more."""

COARSE = 0.25
"""Probability from which the first look takes a cell for a person worth a closer look."""

SMALLEST = 0.003
"""Least part of the picture for a person: 20x16 pixels of 400x266."""

MOST = 4
"""People looked at closely; a bound on the time for one picture."""

NEARLY_WHOLE = 0.8
"""Part of the picture from which a box shows nothing closer."""

LEAST = 0.01
"""Probabilities nearer to 0 or 1 count as this: no single view may settle a pixel."""

SHARPNESS = 2.0
"""Factor on the mean logit. A mean over views that disagree by a pixel or two is softer than
each of them; of 1, 2 and 3, on the masks of fashion photographs, no worse and less hazy."""

LOW, HIGH = 0.15, 0.5
"""Deviation between teachers up to which a pixel is sure, and from which it counts nothing."""

THIN = 0.0075
"""Half width, in parts of the longer side, of disagreement that is only a matter of where exactly
an edge runs, and no doubt about who is a person."""


@dataclass(frozen=True, slots=True)
class Teacher:
    """A segmenter and what its word counts.

    Args:
        segmenter: made by a model of the registry.
        weight: of its opinion, against the other teachers'.
        near: it was made for people near the camera.
    """

    segmenter: Segmenter
    weight: float = 1.0
    near: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class Estimate:
    """What the teachers say of one picture.

    Args:
        probability: of a person, (h, w) float32 in 0-1.
        confidence: (h, w) float32 in 0-1; 0 where teachers disagree on more than an edge.
        agreement: mean over the teachers of the IoU of their mask and the ensemble's, 0-1;
            1 if all see nobody.
        boxes: what was looked at closely.
    """

    probability: F32
    confidence: F32
    agreement: float
    boxes: tuple[Box, ...]

    @property
    def area(self) -> float:
        """Part of the picture that is person."""
        return float((self.probability > 0.5).mean())


class _Tally:
    """Sums of one teacher's logits over its views, (h, w)."""

    def __init__(self, width: int, height: int) -> None:
        self._logits = np.zeros((height, width), np.float32)
        self._weights = np.zeros((height, width), np.float32)

    def add(self, box: Box, alpha: F32, importance: F32) -> None:
        part = np.s_[box.top : box.bottom, box.left : box.right]
        self._logits[part] += logit(alpha) * importance
        self._weights[part] += importance

    def mean(self) -> F32:
        mean: F32 = self._logits / np.maximum(self._weights, np.float32(1e-6))
        return mean


def estimate(frame: Frame, teachers: Sequence[Teacher]) -> Estimate:
    """Ask all teachers about a picture.

    Args:
        frame: an RGB picture; reduce large ones first, since teachers see 257 pixels at most.
        teachers: at least one.

    Raises:
        InferenceError: a teacher failed.
    """
    width, height = frame.size
    whole = Box(0, 0, width, height)
    tallies = [_Tally(width, height) for _ in teachers]

    def look(box: Box, mirrored: bool, weight: float, near_only: bool = False) -> None:
        view = views.crop(frame, box, mirrored)
        importance = views.importance(box, width, height) * np.float32(weight)
        for teacher, tally in zip(teachers, tallies, strict=True):
            if teacher.near or not near_only:
                matte, _ = teacher.segmenter.segment(view, None)
                tally.add(box, views.back(matte.alpha, box, mirrored), importance)

    for mirrored in (False, True):
        look(whole, mirrored, WHOLE)
    quarters = views.quarters(width, height)
    if any(teacher.near for teacher in teachers):
        for index, box in enumerate(quarters):
            look(box, index % 2 == 1, WHOLE, near_only=True)
    boxes = _people(tallies, teachers)
    if not boxes:  # perhaps they are only too small
        for index, box in enumerate(quarters):
            look(box, index % 2 == 0, CLOSE)
        boxes = _people(tallies, teachers)
    for box in boxes:
        if box.width * box.height < NEARLY_WHOLE * width * height:
            for mirrored in (False, True):
                look(box, mirrored, CLOSE)
        for index, square in enumerate(views.squares(box)):
            look(square, index % 2 == 1, SQUARE)
    return combine([tally.mean() for tally in tallies], [t.weight for t in teachers], tuple(boxes))


def combine(logits: Sequence[F32], weights: Sequence[float], boxes: tuple[Box, ...] = ()) -> Estimate:
    """From the teachers' mean logits (h, w) to one estimate."""
    share = np.array(weights, np.float32)[:, None, None] / np.float32(sum(weights))
    mean = (np.stack(logits) * share).sum(axis=0)
    probability = probability_of(mean * SHARPNESS)
    opinions = np.stack([probability_of(values * SHARPNESS) for values in logits])
    average = (opinions * share).sum(axis=0)
    deviation = np.sqrt((np.square(opinions - average) * share).sum(axis=0))
    confidence = confident(deviation, LOW, HIGH)
    mask = probability > 0.5
    agreement = float(np.mean([iou(opinion > 0.5, mask) for opinion in opinions]))
    return Estimate(probability, confidence, agreement, boxes)


def _people(tallies: Sequence[_Tally], teachers: Sequence[Teacher]) -> list[Box]:
    opinions = np.stack([probability_of(tally.mean()) for tally in tallies])
    coarse: F32 = np.average(opinions, axis=0, weights=[t.weight for t in teachers]).astype(np.float32)
    height, width = coarse.shape
    return [views.around(box, width, height) for box in views.people(coarse, COARSE, SMALLEST, MOST)]


def confident(difference: F32, low: float, high: float) -> F32:
    """1 where a difference (h, w) is below `low` or only a thin line, 0 where it is broad and above `high`."""
    radius = max(1, round(THIN * max(difference.shape)))
    broad = dilate(-dilate(-difference, radius), radius)  # an opening: lines are gone, areas stay
    confidence: F32 = 1 - np.clip((broad - np.float32(low)) / np.float32(high - low), 0, 1)
    return confidence


def dilate(values: F32, radius: int) -> F32:
    """Highest value of the square window around each pixel (h, w)."""
    for axis in (0, 1):
        padding = [(0, 0), (0, 0)]
        padding[axis] = (radius, radius)
        padded = np.pad(values, padding, "edge")
        windows = np.lib.stride_tricks.sliding_window_view(padded, 2 * radius + 1, axis)
        values = np.asarray(windows.max(axis=-1), np.float32)
    return values


def iou(a: npt.NDArray[np.bool_], b: npt.NDArray[np.bool_]) -> float:
    """Intersection over union of two masks; 1 if both are empty."""
    either = int((a | b).sum())
    return int((a & b).sum()) / either if either else 1.0


def logit(probability: F32, least: float = LEAST) -> F32:
    """Log odds, of probabilities kept off 0 and 1 by `least`."""
    kept = np.clip(probability, np.float32(least), np.float32(1 - least))
    result: F32 = np.log(kept / (np.float32(1) - kept))
    return result


def probability_of(logits: F32) -> F32:
    """The inverse of `logit`."""
    result: F32 = np.float32(1) / (np.float32(1) + np.exp(-logits))
    return result
