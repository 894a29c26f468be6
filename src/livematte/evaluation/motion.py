"""Clips that are made, so that their alpha is true: people cut out of pictures move over backgrounds as is known.

    motion:DIR                 people of DIR/images with DIR/masks, over what other pictures show without people
    motion:DIR,BACKGROUNDS     the same over the pictures of a folder, which show nobody
    motion:DIR,640x360*90      another size, another number of frames; last, where there are backgrounds, too

The camera stands still, as it does on a desk. Frame by frame: frame = alpha F + (1 - alpha) B + noise in RGB
code values. A clip begins and ends at rest.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from livematte._errors import OpenError, OptionError
from livematte._frame import F32, MAX_SIDE_PX, Frame, PixelFormat, Size
from livematte.evaluation import cutout, datasets
from livematte.sources.folder import images

SIZE = Size(1280, 720)
FRAMES = 40
CLIPS = 12
"""Each motion twice, with other people."""

SEED = 5
"""Who is shown before what; the same for the same folders."""

START, END = 4, 8
"""Frames of rest before and after: as long as it takes to see what is left behind."""

NOISE = 1.0
"""Standard deviation of the grey noise of the sensor, in code values: what a webcam leaves in good light."""

SPARE_PX = 64
"""By how much more noise is made than a frame has: each frame takes another part of it."""

HEIGHTS = (0.7, 0.95)
"""Parts of the frame's height that the people take."""

WANDER = 0.26
"""How far from the middle people go, in widths of the frame."""

DRAWN_AT = 1280
"""Width of the frame for which the motions give pixels."""

Motion = Callable[[float], tuple[float, float]]
"""From the time in frames to pixels right of the middle and below the start, for frames `DRAWN_AT` wide."""


def slide(speed: float) -> Motion:
    """Sideways at so many pixels a frame, from one side to the other and back."""
    reach = WANDER * DRAWN_AT

    def at(time: float) -> tuple[float, float]:
        way = speed * time % (4 * reach)
        return (way - reach if way < 2 * reach else 3 * reach - way), 0.0

    return at


def sway(width: float, frames: float) -> Motion:
    """To and fro by `width` pixels each way, once in so many frames, nodding twice meanwhile."""

    def at(time: float) -> tuple[float, float]:
        turn = 2 * math.pi * time / frames
        return width * math.sin(turn), 0.05 * width * (1 - math.cos(2 * turn))

    return at


def stop_and_go(speed: float, frames: int) -> Motion:
    """Sideways at so many pixels a frame for some frames, still for as many, and so on."""
    moved = slide(speed)

    def at(time: float) -> tuple[float, float]:
        rounds, rest = divmod(time, 2 * frames)
        return moved(rounds * frames + min(rest, frames))

    return at


MOTIONS: dict[str, Motion] = {
    "slide-3": slide(3),
    "slide-9": slide(9),
    "slide-20": slide(20),
    "sway-40": sway(40, 32),
    "sway-120": sway(120, 32),
    "stop-and-go": stop_and_go(12, 5),
}
"""Names and motions, in the order in which clips take them: who turns on a chair, walks by, or leans back."""


@dataclass(frozen=True, slots=True)
class MotionClip:
    """A clip that is made frame by frame; a few frames' worth of memory, whatever its length.

    Args:
        name: motion, and the stem of the picture.
        person: the picture whose people are cut out.
        background: the picture before which they move.
        hidden: mask of the background's people, who are avoided; None if it has none.
        motion: name in `MOTIONS`.
        size: of the frames.
        frames: how many.
        seed: of direction, height and noise.
    """

    name: str
    person: datasets.Picture
    background: Path
    hidden: Path | None
    motion: str
    size: Size = SIZE
    frames: int = FRAMES
    seed: int = SEED

    def read(self, side_px: int) -> Iterator[tuple[Frame, F32]]:
        """Frames (I420, BT.709) with their alpha float32 (h, w) in 0-1, no side longer than `side_px`.

        Raises:
            OpenError: a picture is unreadable or not of the size of its mask.
        """
        for index, scene in enumerate(self.scenes()):
            frame = Frame.from_rgb(datasets.limited(scene.rgb, side_px), PixelFormat.I420, pts=index)
            yield frame, datasets.limited(scene.alpha, side_px)

    def scenes(self) -> Iterator[cutout.Scene]:
        """The same at full size, with the true colours of the people.

        Raises:
            OpenError: a picture is unreadable or not of the size of its mask.
        """
        random, part, _ = self._drawn()
        figure = cutout.cut_out(self.person, self.size, part)
        if figure is None:
            raise OpenError(f"the people of {self.person.image} are too small, or cut off at a side")
        room = cutout.room(self.background, self.hidden, self.size)
        height, width = room.shape[:2]
        noise = np.rint(random.normal(0, NOISE, (height + SPARE_PX, width + SPARE_PX, 1))).astype(np.int16)
        for right, down in self.places():
            scene = figure.over(room, right, down)
            top, left = random.integers(0, SPARE_PX, 2)
            grain = noise[top : top + height, left : left + width]
            yield replace(scene, rgb=np.clip(scene.rgb + grain, 0, 255).astype(np.uint8))

    def places(self) -> Iterator[tuple[float, float]]:
        """Of each frame, how many pixels the people are right of the middle and below their start."""
        scale = self.size.width / DRAWN_AT
        _, _, side = self._drawn()
        for index in range(self.frames):
            time = min(max(0, index - START), self.frames - START - END)
            right, down = MOTIONS[self.motion](time)
            yield side * right * scale, down * scale

    def _drawn(self) -> tuple[np.random.Generator, float, int]:
        """What the seed says: of the noise, the height and the direction."""
        random = np.random.default_rng(self.seed)
        return random, random.uniform(*HEIGHTS), int(random.choice((-1, 1)))


def create(argument: str | None, limit: int | None = None) -> Sequence[MotionClip]:
    """The clips of `motion:DIR[,BACKGROUNDS][,WIDTHxHEIGHT][*FRAMES]`: what stands after the colon.

    Args:
        argument: see above; the size and number of frames are parted by a comma, too.
        limit: so many clips, motion after motion; `CLIPS` if None.

    Raises:
        OptionError: no such spelling.
        OpenError: nothing there, or not enough people or backgrounds in it.
    """
    folder, backgrounds, size, frames = _parsed(argument)
    pictures = [case for case in datasets.find(folder) if isinstance(case, datasets.Picture)]
    if not pictures:
        raise OpenError(f"motion needs pictures, and {folder} holds clips: expected images/ with masks/")
    random = np.random.default_rng(SEED)
    order = [pictures[index] for index in random.permutation(len(pictures))]
    count = CLIPS if limit is None else min(limit, CLIPS)
    people = _people(order, size, count)
    if not people:
        raise OpenError(f"no picture in {folder} shows people whole and large enough to be cut out")
    rooms = _rooms(backgrounds, random) if backgrounds else _emptied(order[::-1], size)
    names = list(MOTIONS)
    clips = []
    for index in range(count):
        person, motion = people[index % len(people)], names[index % len(names)]
        room, hidden = _next(rooms, person, folder)
        clips.append(MotionClip(f"{motion} {person.name}", person, room, hidden, motion, size, frames, SEED + index))
    return clips


def _parsed(argument: str | None) -> tuple[str, str | None, Size, int]:
    """Folder, backgrounds, size and number of frames."""
    folder, *rest = (argument or "").split(",")
    form = rest.pop() if rest and rest[-1] and re.fullmatch(r"(?:\d+x\d+)?(?:\*\d+)?", rest[-1]) else ""
    if not folder or len(rest) > 1:
        raise OptionError(
            "motion takes a folder of pictures with masks, and if you like one of backgrounds, a size and a number of "
            f"frames, as in motion:people,rooms,1280x720*40; got {argument!r}"
        )
    sides, _, count = form.partition("*")
    size = Size(*map(int, sides.split("x"))) if sides else SIZE
    frames = int(count) if count else FRAMES
    if not all(64 <= side <= MAX_SIDE_PX for side in size):
        raise OptionError(f"frames of motion: are 64x64 to {MAX_SIDE_PX}x{MAX_SIDE_PX}, got {size}")
    if frames <= START + END:
        raise OptionError(f"a clip of motion: has more than {START + END} frames, those of its rest; got {frames}")
    return folder, (rest[0] or None) if rest else None, size, frames


def _people(pictures: Sequence[datasets.Picture], size: Size, count: int) -> list[datasets.Picture]:
    """The first pictures whose people can be cut out at every height.

    Those whom the lower border cuts off, as it does before a webcam, come before those who stand in the picture.
    """
    close: list[datasets.Picture] = []
    standing: list[datasets.Picture] = []
    for picture in pictures:
        figure = cutout.cut_out(picture, size, HEIGHTS[0])
        if figure is not None:
            (close if figure.cut else standing).append(picture)
        if len(close) == count:
            break
    return (close + standing)[:count]


Room = tuple[Path, Path | None]
"""A picture, and the mask of its people."""


def _rooms(folder: str, random: Any) -> Iterator[Room]:
    """The pictures of a folder or of its images/, over and over."""
    root = Path(folder)
    found = images(root / "images" if (root / "images").is_dir() else root)
    if not found:
        raise OpenError(f"there is no image in {folder}")
    while True:
        for index in random.permutation(len(found)):
            yield found[index], None


def _emptied(pictures: Sequence[datasets.Picture], size: Size) -> Iterator[Room]:
    """Pictures that have a large enough part without people, over and over; none if there are none."""
    usable = True
    while usable:
        usable = False
        for picture in pictures:
            truth = datasets.read_alpha(picture.truth)
            if cutout.free_part(truth, size) is not None:
                usable = True
                yield picture.image, picture.truth


def _next(rooms: Iterator[Room], person: datasets.Picture, folder: str) -> Room:
    """The next room that is of another picture than the person."""
    first = None
    for room in rooms:
        if room[0] != person.image:
            return room
        if first == room:
            break
        first = room
    raise OpenError(
        f"no other picture in {folder} has a large enough part without people: name a folder of backgrounds, "
        f"as in motion:{folder},rooms"
    )
