"""People cut out of pictures, and what pictures show without people: the parts that clips are made of."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from livematte._errors import OpenError
from livematte._frame import F32, U8, Size
from livematte.evaluation._opencv import opencv
from livematte.evaluation.datasets import Picture, read_alpha
from livematte.sources._still import read_image

SOFT_PX = 1.0
"""Standard deviation of the blur that makes an edge of a 1-bit mask."""

SURE, UNSURE = 0.98, 0.02
"""Alphas between which a pixel is partly person; a mask without any has one bit."""

RIM_PX = 2
"""How far inside the edge the person's own colours begin, in pixels of their picture: further out some of the old
background is in them."""

SPREAD_PX = 4.0
"""Standard deviation of the blur that carries colours out to the rim, in pixels of their picture."""

MARGIN_PX = 16
"""What of a picture is kept around its people: as far as their edge and their colours reach."""

SHORTEST = 0.55
"""Part of the frame's height below which a person is too small to show edges."""

WIDEST = 0.6
"""Part of the frame's width that the people may take, so that there is room to move."""

ENLARGED = 1.6
"""By how much a cut-out may be enlarged: more has no edges left."""

BACKGROUND = 0.25
"""Width of the part of a picture without people that serves as background, in widths of the frame: smaller is
a blur."""

APART = 0.02
"""Distance of a background from the people of its picture, in parts of the picture's longer side: masks miss hair."""

BELOW_PX = 8
"""How far below the frame's border people go on whom their picture's border cuts off: where they end is never seen."""


@dataclass(frozen=True, slots=True)
class Scene:
    """A picture that was put together, and what of.

    Args:
        rgb: the picture, uint8 (h, w, 3).
        alpha: float32 (h, w), 0-1.
        foreground: colours of the people, uint8 (h, w, 3); where alpha is 0 they mean nothing.
    """

    rgb: U8
    alpha: F32
    foreground: U8


@dataclass(frozen=True, slots=True)
class Figure:
    """People without their background, at the size at which they are shown.

    Args:
        rgb: their colours, uint8 (h, w, 3), carried on beyond their edge.
        alpha: float32 (h, w), 0-1.
        cut: whether the picture's lower border cuts them off.
    """

    rgb: U8
    alpha: F32
    cut: bool

    def over(self, room: U8, right: float, down: float) -> Scene:
        """The people before a room (h, w, 3), so many pixels right of its middle."""
        cv2 = opencv()
        height, width = room.shape[:2]
        rows, columns = self.alpha.shape
        # where a border cuts them off they go on below the frame's, else they stand on it
        top = height - rows + (BELOW_PX if self.cut else 0) + down
        move = np.array([[1, 0, (width - columns) / 2 + right], [0, 1, top]], np.float64)
        alpha: F32 = cv2.warpAffine(self.alpha, move, (width, height), flags=cv2.INTER_LINEAR)
        colour = cv2.warpAffine(
            self.rgb, move, (width, height), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
        )
        seen = alpha.max(axis=0) > 0
        if not seen.any():
            return Scene(room, alpha, colour)
        first, last = int(seen.argmax()), width - int(seen[::-1].argmax())
        part = np.s_[:, first:last]
        picture = room.copy()
        weight = alpha[part][..., None]
        picture[part] = np.rint(weight * colour[part] + (1 - weight) * room[part]).astype(np.uint8)
        return Scene(picture, alpha, colour)


def cut_out(picture: Picture, size: Size, part: float) -> Figure | None:
    """The people of a picture, to be shown in frames of `size`; None if their picture does not do.

    They must be whole but for the lower border, and neither too small nor too wide.

    Args:
        picture: with its mask or alpha.
        size: of the frames.
        part: of the frame's height that they take, if they are large enough.
    """
    cv2 = opencv()
    truth = read_alpha(picture.truth)
    box = _box(truth > UNSURE)
    if box is None:
        return None
    top, bottom, left, right = box
    height, width = truth.shape
    if min(top, left, width - right) <= 1:  # the picture's border cuts them off
        return None
    scale = min(part * size.height / (bottom - top), WIDEST * size.width / (right - left), ENLARGED)
    if scale * (bottom - top) < SHORTEST * size.height:
        return None
    rgb = read_image(picture.image).to_rgb()
    if rgb.shape[:2] != truth.shape:
        raise OpenError(f"{picture.truth} is not of the size of {picture.image}")
    around = np.s_[max(0, top - MARGIN_PX) : bottom + MARGIN_PX, max(0, left - MARGIN_PX) : right + MARGIN_PX]
    soft = float(((truth > UNSURE) & (truth < SURE)).sum()) > 0.01 * float((truth >= SURE).sum())
    shown = max(1, round(scale * truth[around].shape[1])), max(1, round(scale * truth[around].shape[0]))
    method = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
    alpha: F32 = cv2.resize(truth[around], shown, interpolation=method)
    grain = max(1.0, scale)  # a pixel of the picture, where it is enlarged
    if not soft:
        alpha = cv2.GaussianBlur(alpha, (0, 0), SOFT_PX * grain, borderType=cv2.BORDER_REPLICATE)
    colours: U8 = cv2.resize(np.ascontiguousarray(rgb[around]), shown, interpolation=method)
    return Figure(_carried_out(colours, alpha, grain), alpha, cut=bottom >= height - 1)


def _carried_out(rgb: U8, alpha: F32, grain: float) -> U8:
    """The colours of sure pixels inside, carried out to the rim, where the old background is in the picture's own."""
    cv2 = opencv()
    reach = 2 * round(RIM_PX * grain) + 1
    whole = (alpha >= SURE).astype(np.float32)
    sure = cv2.erode(whole, np.ones((reach, reach), np.uint8), borderType=cv2.BORDER_REPLICATE)

    def spread(plane: F32) -> F32:
        wide: F32 = cv2.GaussianBlur(plane, (0, 0), SPREAD_PX * grain, borderType=cv2.BORDER_REPLICATE)
        return wide

    # where nothing sure is near, as between fingers, a pixel's own colour is all there is
    least = 1e-6
    total = spread(sure)[..., None] + least
    mean = (spread(sure[..., None] * rgb.astype(np.float32)) + least * rgb) / total
    carried: U8 = np.rint(np.where(sure[..., None] > 0, rgb, mean)).astype(np.uint8)
    return carried


def free_part(truth: F32, size: Size) -> tuple[int, int, int, int] | None:
    """The largest part of a picture without people that has the aspect of `size`: left, top, right, bottom.

    Args:
        truth: mask of the people, float32 (h, w) in 0-1.
        size: of the frames.

    Returns:
        None if it would be too small for a background.
    """
    cv2 = opencv()
    height, width = truth.shape
    apart = 2 * math.ceil(APART * max(height, width)) + 1
    grown = cv2.dilate((truth > UNSURE).astype(np.uint8), np.ones((apart, apart), np.uint8))
    counted = cv2.integral(grown)
    whole = min(width, height * size.width / size.height)
    part = whole
    while part >= BACKGROUND * size.width:
        w, h = int(part), int(part * size.height / size.width)
        step = max(1, w // 16)
        for top in range(0, height - h + 1, step):
            for left in range(0, width - w + 1, step):
                right, bottom = left + w, top + h
                inside = counted[bottom, right] - counted[top, right] - counted[bottom, left] + counted[top, left]
                if inside == 0:
                    return left, top, right, bottom
        part *= 0.9
    return None


def room(path: Path, hidden: Path | None, size: Size) -> U8:
    """A background of `size`, RGB: the largest part of its aspect, in the middle or beside the people."""
    cv2 = opencv()
    rgb = read_image(path).to_rgb()
    height, width = rgb.shape[:2]
    if hidden is not None:
        part = free_part(read_alpha(hidden), size)
        if part is None:
            raise OpenError(f"{path} has no part without people that is large enough")
        left, top, right, bottom = part
    else:
        w, h = min(width, height * size.width // size.height), min(height, width * size.height // size.width)
        left, top = (width - max(1, w)) // 2, (height - max(1, h)) // 2
        right, bottom = left + max(1, w), top + max(1, h)
    method = cv2.INTER_AREA if right - left > size.width else cv2.INTER_CUBIC
    room: U8 = cv2.resize(np.ascontiguousarray(rgb[top:bottom, left:right]), size, interpolation=method)
    return room


def _box(where: Any) -> tuple[int, int, int, int] | None:
    """Top, bottom, left and right of what is true, ends excluded; None if nothing is."""
    rows, columns = where.any(axis=1), where.any(axis=0)
    if not rows.any():
        return None
    height, width = where.shape
    return (
        int(rows.argmax()),
        height - int(rows[::-1].argmax()),
        int(columns.argmax()),
        width - int(columns[::-1].argmax()),
    )
