"""What BodyPix finds in one picture: where people are, which part is where, and who has it.

Source: TensorFlow.js models, body-pix 2.2, body_pix_model.ts and decode_part_map.ts; all numbers but one are its own.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from livematte._errors import LoadError
from livematte._frame import F32
from livematte.models._bodypix_people import assign
from livematte.models._bodypix_poses import Maps, Pose, decode
from livematte.models._bodypix_resize import Fit, enlarge, frame_columns, frame_rows, on_corners, sample
from livematte.models._logits import sigmoid
from livematte.models._parts import BACKGROUND

Mask = npt.NDArray[np.bool_]
Parts = npt.NDArray[np.int8]

OUTPUTS = {
    "segments": 1,
    "part_heatmaps": 24,
    "heatmaps": 17,
    "short_offsets": 34,
    "long_offsets": 34,
    "displacement_fwd": 32,
    "displacement_bwd": 32,
}
"""Outputs of the network that are used, and their channels."""

MOST_PEOPLE = 10
LEAST_SCORE = 0.4
"""Of a key point that starts a person."""
LEAST_PERSON = 0.2
"""Of a person. body-pix takes `LEAST_SCORE` here, too, and so loses whoever shows head and shoulders only: their score
is the mean of 17 key points, of which a camera on a desk sees 7."""
RADIUS_PX = 20.0
"""Within which two key points of one name are the same one, in pixels of the network's picture."""
STEPS = 10
"""How often a pixel's vote looks again."""

ROWS_AT_ONCE = 32
"""Bounds the memory of the parts' scores: 24 numbers a pixel."""


@dataclass(frozen=True, slots=True, eq=False)
class Person:
    """One of the people of a picture.

    Args:
        mask: (h, w), where the person is.
        parts: int8 (h, w), number of the part, or -1 where the person is not.
        pose: key points in pixels of the picture, and how sure they are.
    """

    mask: Mask
    parts: Parts
    pose: Pose


class Found:
    """What the network said of one picture; each question is answered when it is asked.

    Args:
        name: of the model, for messages.
        maps: outputs (gh, gw, c) by their names in `OUTPUTS`; `segments` at least.
        fit: of the frame in the network's picture.
        stride: pixels of that from one cell of the grid to the next.
        threshold: score above which a pixel is a person's, 0-1.
    """

    def __init__(self, name: str, maps: Mapping[str, F32], fit: Fit, stride: int, threshold: float) -> None:
        self._name, self._maps, self._fit, self._stride, self._threshold = name, maps, fit, stride, threshold

    def mask(self) -> Mask:
        """Where anybody is: (h, w)."""
        scores = sigmoid(enlarge(self._maps["segments"], self._fit))
        mask: Mask = sample(scores, frame_rows(self._fit), frame_columns(self._fit))[..., 0] > self._threshold
        return mask

    def parts(self) -> Parts:
        """Number of the part of each pixel, int8 (h, w); -1 where nobody is.

        Raises:
            LoadError: the file holds a network without parts.
        """
        return self._parts(self.mask())

    def poses(
        self, *, most: int = MOST_PEOPLE, least_score: float = LEAST_SCORE, radius_px: float = RADIUS_PX
    ) -> list[Pose]:
        """Everybody's key points in pixels of the picture, surest first.

        Raises:
            LoadError: the file holds a network without key points.
        """
        maps = Maps(
            sigmoid(self._map("heatmaps")),
            self._map("short_offsets"),
            self._map("displacement_fwd"),
            self._map("displacement_bwd"),
            self._stride,
        )
        down, across = self._fit.scale
        return [
            pose._replace(points=pose.points / (across, down) - (self._fit.left, self._fit.top))
            for pose in decode(maps, most=most, least_score=least_score, radius_px=radius_px)
        ]

    def people(
        self,
        *,
        most: int = MOST_PEOPLE,
        least_score: float = LEAST_SCORE,
        least_person: float = LEAST_PERSON,
        radius_px: float = RADIUS_PX,
        steps: int = STEPS,
    ) -> list[Person]:
        """Everybody's own mask, parts and key points.

        Args:
            most: number of people, at most 127.
            least_score: of a key point that starts a person.
            least_person: score of a person.
            radius_px: within which two key points of one name are the same one, in pixels of the network's picture.
            steps: how often a pixel's vote for its person looks again.

        Raises:
            LoadError: the file holds a network without parts or key points.
        """
        mask = self.mask()
        found = self.poses(most=min(most, np.iinfo(np.int8).max), least_score=least_score, radius_px=radius_px)
        poses = [pose for pose in found if pose.score >= least_person]
        labels = assign(mask, self._map("long_offsets"), poses, self._fit, self._stride, steps)
        parts = self._parts(labels >= 0)
        people = []
        for index, pose in enumerate(poses):
            own = labels == index
            people.append(Person(own, np.where(own, parts, np.int8(BACKGROUND)), pose))
        return people

    def _parts(self, mask: Mask) -> Parts:
        """The likeliest part of each pixel of a mask, band by band."""
        scores = self._map("part_heatmaps")
        parts: Parts = np.full(mask.shape, BACKGROUND, np.int8)
        rows, columns = (np.flatnonzero(mask.any(axis=axis)) for axis in (1, 0))
        if not len(rows):
            return parts
        wide = slice(int(columns[0]), int(columns[-1]) + 1)
        across = frame_columns(self._fit)[wide]
        inner = self._fit.inner
        from_column, at_columns = on_corners(scores.shape[1], inner.width, across)
        for top in range(int(rows[0]), int(rows[-1]) + 1, ROWS_AT_ONCE):
            band = slice(top, min(top + ROWS_AT_ONCE, int(rows[-1]) + 1))
            down = frame_rows(self._fit)[band]
            from_row, at_rows = on_corners(scores.shape[0], inner.height, down)
            near = sigmoid(sample(scores, at_rows, at_columns))  # of the network's picture, what this band needs
            likeliest = sample(near, down - from_row, across - from_column).argmax(axis=2).astype(np.int8)
            parts[band, wide] = np.where(mask[band, wide], likeliest, np.int8(BACKGROUND))
        return parts

    def _map(self, name: str) -> F32:
        if name not in self._maps:
            raise LoadError(
                f"the file of {self._name} gives {', '.join(self._maps)} and no {name}: parts and key points need "
                f"TensorFlow's own, see `livematte models info {self._name}`"
            )
        return self._maps[name]
