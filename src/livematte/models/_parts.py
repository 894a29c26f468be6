"""The 24 parts of the body that BodyPix tells apart, and pictures of them.

Source: TensorFlow.js models, body-pix 2.2, part_channels.ts (names and order).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from livematte._composite import composite
from livematte._frame import U8, Frame, Size
from livematte._matte import Matte

if TYPE_CHECKING:
    from livematte.models._bodypix_found import Person

PARTS = (
    "left_face", "right_face",
    "left_upper_arm_front", "left_upper_arm_back", "right_upper_arm_front", "right_upper_arm_back",
    "left_lower_arm_front", "left_lower_arm_back", "right_lower_arm_front", "right_lower_arm_back",
    "left_hand", "right_hand",
    "torso_front", "torso_back",
    "left_upper_leg_front", "left_upper_leg_back", "right_upper_leg_front", "right_upper_leg_back",
    "left_lower_leg_front", "left_lower_leg_back", "right_lower_leg_front", "right_lower_leg_back",
    "left_feet", "right_feet",
)  # fmt: skip
"""Names by number, from 0; left is the person's left."""

BACKGROUND = -1
"""Number of a pixel that is nobody's part."""

LINE_WIDTH = 1 / 200
"""Of an outline, as a share of the picture's longer side."""

PERSON_HUE = 0.381966
"""Step of the hue from a person to the next, of a turn: the golden angle keeps any number of them apart."""


def rainbow(share: float) -> tuple[int, int, int]:
    """A colour of a rainbow without dark or garish bands, 0-1 once around.

    Source: Green 2011, "A colour scheme for the display of astronomical intensity images" (cubehelix); its use
    as a rainbow by Bostock, d3-scale-chromatic.
    """
    away = abs(share % 1 - 0.5)
    lightness, angle = 0.8 - 0.9 * away, math.radians(360 * (share % 1) + 20)
    amplitude = (1.5 - 1.5 * away) * lightness * (1 - lightness)
    cos, sin = math.cos(angle), math.sin(angle)
    turns = (-0.14861 * cos + 1.78277 * sin, -0.29227 * cos - 0.90649 * sin, 1.97294 * cos)
    red, green, blue = (min(255, max(0, round(255 * (lightness + amplitude * turn)))) for turn in turns)
    return red, green, blue


PALETTE: U8 = np.array([rainbow(n / len(PARTS)) for n in range(len(PARTS))], np.uint8)
"""Colour of each part, RGB (24, 3): those that body-pix paints."""


def person_colour(index: int) -> tuple[int, int, int]:
    """Colour of the n-th person of a picture."""
    return rainbow(0.55 + index * PERSON_HUE)


def part_picture(parts: npt.NDArray[np.int8], background: Sequence[int] = (0, 0, 0)) -> U8:
    """Every part in its colour of `PALETTE`.

    Args:
        parts: (h, w), -1 to 23.
        background: RGB where nobody is.

    Returns:
        uint8 (h, w, 3), RGB.
    """
    colours = np.concatenate([PALETTE, np.array([background], np.uint8)])
    picture: U8 = colours[parts]  # -1 is the last
    return picture


def people_picture(people: Sequence[Person], size: Size, background: Sequence[int] = (0, 0, 0)) -> U8:
    """Every person in a colour of their own, with a white rim.

    Args:
        people: of one picture.
        size: of the picture.
        background: RGB where nobody is.

    Returns:
        uint8 (h, w, 3), RGB.
    """
    picture = np.empty((size.height, size.width, 3), np.uint8)
    picture[:] = background
    for index, person in enumerate(people):
        picture[person.mask] = person_colour(index)
    for person in people:
        picture[outline(person.mask)] = 255
    return picture


def tinted(
    frame: Frame,
    mask: npt.NDArray[np.bool_],
    colours: U8,
    *,
    opacity: float = 1.0,
    background: tuple[int, int, int] = (0, 0, 0),
) -> Frame:
    """A frame's people in given colours before a plain background; nothing of the room passes.

    Args:
        frame: from the camera.
        mask: (h, w), where people are in it.
        colours: RGB (h, w, 3) to paint them with.
        opacity: of the colours, 0-1; below 1 the people can be seen through them.
        background: RGB.

    Returns:
        A frame of the same size, kind and time.
    """
    shown: U8 = np.where(mask[..., None], colours, np.array(background, np.uint8))
    if opacity < 1:
        alpha = mask.astype(np.uint8) * np.uint8(255)
        whole = Frame.from_rgb(frame.to_rgb()[..., :3], pts=frame.pts, time_base=frame.time_base)
        plate = Frame.from_rgb(np.array([[background]], np.uint8))
        people = composite(whole, plate, Matte(alpha, frame.pts)).to_rgb()
        shown = np.rint(people * (1 - opacity) + shown * opacity).astype(np.uint8)
    return Frame.from_rgb(shown, frame.format, frame.matrix, frame.range, frame.pts, frame.time_base)


def outline(mask: npt.NDArray[np.bool_]) -> npt.NDArray[np.bool_]:
    """The rim of a mask, inside it."""
    import cv2

    width = max(1, round(max(mask.shape) * LINE_WIDTH))
    inner = cv2.erode(mask.astype(np.uint8), np.ones((2 * width + 1, 2 * width + 1), np.uint8), borderValue=0)
    rim: npt.NDArray[np.bool_] = mask & (inner == 0)
    return rim
