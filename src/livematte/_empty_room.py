"""The empty room of a live stream: its picture, and how one is taken while the stream runs.

A picture that is taken is the mean of frames in which nobody is. Networks take furniture for people now
and then, and such a room must not be refused for it; but people move, if only to breathe. So somebody is
there if the network's own matte shows somebody and part of that moves. The picture goes to the refiner
`room` and nowhere else: no output ever shows it.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np

from livematte._clock import Clock
from livematte._errors import OptionError
from livematte._frame import F32, U8, Frame
from livematte._matte import Matte
from livematte._pipeline import Stages
from livematte._shape import Scaler, Shape
from livematte._stages import Segmenter, State, StreamInfo
from livematte.effects._anyone import PERSON, anyone
from livematte.refine.room import Room, same_shape

COUNTDOWN_NS = 3_000_000_000
"""Time to step out of the picture."""

WATCH_NS = 2_000_000_000
"""So long it is looked at: nobody holds head and shoulders still for it."""

FRAMES = 15
"""Fewest whose mean is the picture: a quarter of one frame's noise."""

MOST_FRAMES = 250
"""Of that mean: uint16 holds 257."""

PATIENCE_NS = 10_000_000_000
"""Time for those frames after the countdown: the slowest rung at 5 frames a second takes 9 s."""

THIRDS = 3
"""Of that time; their means are compared, in which a camera's noise is gone."""

MOVES = 0.02
"""Difference of two such means, 0-1, that noise does not make: 5 code values."""

MOVING_PARTS = 2000
"""Somebody is there if what moves of them is one of so many parts of the picture, or more: the outline of a head."""

BESIDE_PX = 2
"""Around the matte, at the network's size: what moves of a person is their outline."""

TAKEN = "taken"
"""Source of a picture that was taken here."""

Picture = tuple[Frame, str]
"""A picture and its source."""

GIVEN = "given"
"""Source of one that came as an array."""


@dataclass(slots=True)
class _Take:
    """A picture that is being taken.

    Args:
        begun_ns: when it was asked for.
        sums: of the frames so far, for each plane.
        frames: how many.
        first_ns: when the first of them was there.
        thirds: of `WATCH_NS`: sum of the pictures at the network's size, (h, w), and how many.
        seen: most that the network saw of anybody, (h, w) uint8.
    """

    begun_ns: int
    sums: list[Any] = field(default_factory=list)
    frames: int = 0
    first_ns: int = 0
    thirds: list[tuple[Any, int]] = field(default_factory=list)
    seen: Any = None

    def add(self, frame: Frame, matte: Matte, now_ns: int) -> None:
        """Take a frame in, with the network's matte of it."""
        alpha = np.rint(matte.alpha * 255).astype(np.uint8)
        small = frame.rgb(matte.size).mean(axis=2)
        if self.seen is None or self.seen.shape != alpha.shape:  # another rung has a network of another size
            self.sums = [np.zeros(plane.shape, np.uint16) for plane in frame.planes]
            self.frames, self.first_ns, self.seen = 0, now_ns, alpha
            self.thirds = [(np.zeros_like(small), 0)] * THIRDS
        self.seen = np.maximum(self.seen, alpha)
        third = min(THIRDS * (now_ns - self.first_ns) // WATCH_NS, THIRDS - 1)
        total, count = self.thirds[third]
        self.thirds[third] = (total + small, count + 1)
        if self.frames < MOST_FRAMES:
            for plane_sum, plane in zip(self.sums, frame.planes, strict=True):
                np.add(plane_sum, plane, out=plane_sum)
            self.frames += 1

    def is_whole(self, now_ns: int) -> bool:
        """Whether it was looked at for long enough."""
        return self.frames >= FRAMES and now_ns - self.first_ns >= WATCH_NS

    def shows_somebody(self) -> bool:
        """Whether anybody is in it: seen by the network, and moving."""
        return anyone(self.seen) and moving(self.seen, [total / count for total, count in self.thirds if count])

    def mean(self, frame: Frame) -> Frame:
        """The picture, as a frame like the last one."""
        half = self.frames // 2  # rounds to nearest
        y, u, v = (((total + half) // self.frames).astype(np.uint8) for total in self.sums)
        return frame.with_planes((y, u, v))


class EmptyRoom:
    """What a live stream knows of its room. Made and asked on any thread, changed by the loop.

    Args:
        picture: a path, RGB uint8 (h, w, 3), or what `read` made of either; None for no room.
        clock: of the stream.

    Attributes:
        source: a path, `taken`, `given`, or None without a room.
        error: why the room is left aside, in words.

    Raises:
        OpenError, FrameError: no picture.
    """

    def __init__(self, picture: str | Path | U8 | Picture | None, clock: Clock) -> None:
        self._clock = clock
        self._take: _Take | None = None
        self._witness: _Witness | None = None
        self._refused: str | None = None
        self.error: str | None = None
        self.source: str | None = None
        self._picture: Frame | None = None
        if picture is not None:
            self.put(*(picture if isinstance(picture, tuple) else read(picture, Shape(), None)))

    def put(self, picture: Frame | None, source: str | None) -> None:
        """Another picture, or none. One that is being taken is given up."""
        self._picture, self.source = picture, source
        self._take = self._refused = self.error = None

    def refiner(self, shape: Shape, camera: StreamInfo | None) -> Room | None:
        """The refiner for frames of the stream's shape; None where there is no room, or one that does not fit.

        Args:
            shape: of the stream; the picture is cut as the camera's frames are.
            camera: what it tells of its own frames.
        """
        self.error = None
        if self._picture is None or camera is None:  # the first frame will tell
            return None
        try:
            check_shape(self._picture, shape, camera)
        except OptionError as exc:
            self.error = f"{exc}; it is left aside"
            return None
        return Room(Scaler()(self._picture, shape.size, shape.matrix))

    # taking one

    @property
    def taking(self) -> bool:
        """Whether a picture is being taken."""
        return self._take is not None

    def begin(self) -> None:
        """Begin to count down. What there was stays in use until the new picture is there."""
        self._refused, self._take = None, _Take(self._clock())

    def start_over(self) -> None:
        """The camera was opened again: frames of two openings are of two places, perhaps."""
        if (take := self._take) is not None:
            self._take = _Take(take.begun_ns)

    def witnessed(self, stages: Stages) -> Stages:
        """The stages, with the network's own matte to be seen if it is needed: zones and the like hide people."""
        take, self._witness = self._take, None
        if take is None or self._clock() - take.begun_ns < COUNTDOWN_NS:
            return stages
        self._witness = _Witness(stages.segmenter)
        return replace(stages, segmenter=self._witness)

    def saw(self, frame: Frame) -> bool:
        """Take note of a frame that was rendered by `witnessed` stages.

        Args:
            frame: in the stream's shape.

        Returns:
            Whether there is a new picture now.
        """
        take, matte = self._take, None if self._witness is None else self._witness.matte
        self._witness = None
        if take is None or matte is None or matte.pts != frame.pts:  # no matte of its own: nobody has looked at it
            return False
        now_ns = self._clock()
        take.add(frame, matte, now_ns)
        if not take.is_whole(now_ns):
            return False
        if take.shows_somebody():
            self._refuse("somebody is in the picture: step out of it, and take it again")
            return False
        self.put(take.mean(frame), TAKEN)
        return True

    def tick(self, paused: bool) -> None:
        """Give up where no frames come."""
        take = self._take
        if take is None:
            return
        if paused:
            self._refuse("the stream was paused: let it go on, and take it again")
        elif self._clock() - take.begun_ns > COUNTDOWN_NS + PATIENCE_NS:
            seconds = PATIENCE_NS // 1_000_000_000
            self._refuse(f"no {FRAMES} frames with a matte came within {seconds} s: see that camera and network work")

    def as_dict(self) -> dict[str, Any]:
        """For `status()`: `source`, `taking` (seconds that are left to step out; 0 while frames are taken; None
        if no picture is being taken), and `refused`, why the last one could not be."""
        take = self._take
        left_ns = None if take is None else max(0, take.begun_ns + COUNTDOWN_NS - self._clock())
        return {
            "source": self.source,
            "taking": None if left_ns is None else round(left_ns / 1e9, 1),
            "refused": self._refused,
        }

    def _refuse(self, why: str) -> None:
        self._refused, self._take = f"the room was not taken: {why}", None


def read(picture: str | Path | U8, shape: Shape, camera: StreamInfo | None) -> Picture:
    """A picture of the room and its source.

    Args:
        shape, camera: see `EmptyRoom.refiner`; nothing is known of a camera that was never open.

    Raises:
        OpenError, FrameError: no picture.
        OptionError: one of another camera.
    """
    if isinstance(picture, (str, Path)):
        from livematte.sources._still import read_image

        frame, source = read_image(picture), str(picture)
    else:
        frame, source = Frame.from_rgb(picture), GIVEN
    if camera is not None:
        check_shape(frame, shape, camera)
    return frame, source


def check_shape(picture: Frame, shape: Shape, camera: StreamInfo | None) -> None:
    """Refuse a picture of the room that neither the camera nor the output can have made.

    Raises:
        OptionError: its width to height is another.
    """
    own = camera.size if camera is not None else None
    if not any(same_shape(picture.size, size) for size in (shape.size, own) if size is not None):
        raise OptionError(
            f"the picture of the room is {picture.size}, the camera's are {own or shape.size}: take it with the same "
            f"camera, so that width to height is the same"
        )


def moving(seen: U8, pictures: list[F32]) -> bool:
    """Whether something moves where the network saw somebody.

    Args:
        seen: uint8 (h, w), 255 = person.
        pictures: float32 (h, w) each, 0-1: means over times that follow one another. Light that changed as a
            whole is allowed for.
    """
    near = seen >= PERSON
    for axis in (0, 1):
        grown = [np.roll(near, shift, axis) for shift in range(-BESIDE_PX, BESIDE_PX + 1)]
        near = np.logical_or.reduce(grown)  # what wraps round the border only makes this stricter
    changed = np.zeros(seen.shape, np.bool_)
    for one, other in combinations(pictures, 2):
        difference = one - other
        changed |= np.abs(_around(difference - np.median(difference))) > MOVES
    return bool(np.count_nonzero(changed & near) * MOVING_PARTS >= seen.size)


def _around(values: F32) -> F32:
    """Means of 3x3, in which noise is a third; the border repeats itself."""
    wide = np.pad(values, 1, mode="edge")
    height, width = values.shape
    nine = [wide[y : y + height, x : x + width] for y in range(3) for x in range(3)]
    mean: F32 = np.mean(nine, axis=0, dtype=np.float32)
    return mean


class _Witness:
    """A segmenter that keeps the last matte of another, for one frame."""

    def __init__(self, of: Segmenter) -> None:
        self._of = of
        self.name, self.size = of.name, of.size
        self.matte: Matte | None = None

    def segment(self, frame: Frame, state: State) -> tuple[Matte, State]:
        self.matte, state = self._of.segment(frame, state)
        return self.matte, state

    def close(self) -> None:
        """The other is not this one's."""
