"""Pictures and clips with their truth, read one at a time.

    DIR/images/NAME.jpg + DIR/masks/NAME.png       pictures; also alphas/, alpha/, pha/
    DIR/clips/NAME.mp4  + DIR/alphas/NAME.mkv      clips as videos, ...
    DIR/clips/NAME/*.jpg + DIR/alphas/NAME/*.png   ... or as folders of frames
    NAME.mp4                                       a clip without truth: flicker alone
    motion:DIR[,BACKGROUNDS]                       clips that are made: people cut out, moved; see `motion`
    synthetic:WIDTHxHEIGHT*FRAMES                  the figure whose matte has a closed form

Files belong together by their stem, whatever their suffix. A truth without a picture is
passed over; a picture without a truth is an error, named before anything is computed.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from itertools import zip_longest
from pathlib import Path
from typing import Protocol, TypeVar

import numpy as np

from livematte import _registry
from livematte._errors import OpenError, SourceError
from livematte._frame import F32, U8, ColorRange, Frame, Size
from livematte.evaluation._opencv import opencv
from livematte.sources import open_source
from livematte.sources._still import read_image
from livematte.sources.folder import images, natural_key
from livematte.sources.synthetic import Synthetic
from livematte.sources.synthetic import create as create_synthetic

TRUTHS = ("masks", "alphas", "alpha", "pha")
"""Names of the folder that holds the truth, in order of preference."""

LABELS_MAX = 1
"""Masks whose largest code value is this are labels 0 and 1, not nearly black alphas."""

ALPHA_CHANNEL = {2: 1, 4: 3}
"""By the number of an image's channels, the one that is alpha."""

LIMITED_RANGE = (16, 235)
"""Luma of alpha 0 and 1 in a video of limited range."""


@dataclass(frozen=True, slots=True)
class Picture:
    """A picture with its truth, on disk.

    Args:
        name: stem of the file.
        image: file of the picture.
        truth: file of the mask or alpha.
    """

    name: str
    image: Path
    truth: Path

    def read(self, side_px: int) -> tuple[U8, F32]:
        """RGB uint8 (h, w, 3) and alpha float32 (h, w) in 0-1, no side longer than `side_px`.

        Raises:
            OpenError: unreadable, or the two differ in size.
        """
        rgb, truth = read_image(self.image).to_rgb(), read_alpha(self.truth)
        _check_size(self.truth, _size(truth), self.image, _size(rgb))
        return limited(rgb, side_px), limited(truth, side_px)


@dataclass(frozen=True, slots=True)
class Clip:
    """A clip, with its truth or without.

    Args:
        name: stem of the file.
        video: a video file, or a folder of frames.
        truth: the same of the alpha; None if nobody knows it.
    """

    name: str
    video: Path
    truth: Path | None

    @property
    def frames(self) -> int | None:
        """How many frames there are, as far as the container tells."""
        with open_source(self.video) as source:
            return source.info.frames

    def read(self, side_px: int) -> Iterator[tuple[Frame, F32 | None]]:
        """Frames with their alpha float32 (h, w) in 0-1, no side longer than `side_px`.

        Raises:
            OpenError, SourceError: unreadable, or the two differ in size or length.
        """
        with open_source(self.video) as video:
            if self.truth is None:
                for frame in video:
                    yield _limited_frame(frame, side_px), None
                return
            with closing(_alphas(self.truth)) as alphas:
                for index, (frame, alpha) in enumerate(zip_longest(video, alphas)):
                    if frame is None or alpha is None:
                        short, long = (self.video, self.truth) if frame is None else (self.truth, self.video)
                        raise SourceError(f"{short} ends after {index} frames, {long} goes on: one is not the other's")
                    _check_size(self.truth, _size(alpha), self.video, frame.size)
                    yield _limited_frame(frame, side_px), limited(alpha, side_px)


class Moving(Protocol):
    """Anything that is read frame by frame."""

    @property
    def name(self) -> str: ...
    @property
    def frames(self) -> int | None: ...
    def read(self, side_px: int) -> Iterator[tuple[Frame, F32 | None]]: ...


@dataclass(frozen=True, slots=True)
class Figure:
    """The figure of `sources.synthetic`, whose alpha is known in closed form.

    Args:
        name: as it was asked for.
        source: the figure.
    """

    name: str
    source: Synthetic

    @property
    def frames(self) -> int | None:
        return self.source.info.frames

    def read(self, side_px: int) -> Iterator[tuple[Frame, F32]]:
        """Frames with their alpha float32 (h, w) in 0-1, no side longer than `side_px`."""
        for index, frame in enumerate(self.source):
            yield _limited_frame(frame, side_px), limited(self.source.true_alpha(index), side_px)


Case = Picture | Moving
Image = TypeVar("Image", U8, F32)


def find(path: str | Path, limit: int | None = None) -> Sequence[Case]:
    """The pictures or clips that lie at `path`, in natural order.

    Args:
        path: a folder as above, a video, or the name of clips that are made.
        limit: take only so many, evenly spread, so that a part stands for the whole.

    Raises:
        OpenError: nothing there, or a truth is missing; the message names the first.
        OptionError: clips that are made are asked for in a way that means nothing.
    """
    root = Path(path)
    name, argument = _registry.split(str(path))
    if argument is not None and not root.exists():
        if name == "motion":
            from livematte.evaluation import motion

            return motion.create(argument, limit)
        if name == "synthetic":
            return [Figure(str(path), create_synthetic(argument))]
    if root.is_file():
        return [Clip(root.stem, root, None)]
    if not root.is_dir():
        raise OpenError(f"there is no folder or video {path}")
    for folder in ("images", "clips"):
        if (root / folder).is_dir():
            return _spread(_pairs(root, folder), limit)
    raise OpenError(f"{path} holds neither images/ nor clips/: expected images/ with masks/, or clips/ with alphas/")


def frames(cases: Sequence[Case]) -> int | None:
    """How many pictures and frames there are in all; None if a clip does not tell."""
    counts = [1 if isinstance(case, Picture) else case.frames for case in cases]
    return None if None in counts else sum(count or 0 for count in counts)


def read_alpha(path: Path) -> F32:
    """A mask or alpha from an image, float32 (h, w) in 0-1.

    The alpha channel if the image has one, else its grey; 1 to 16 bits. A mask of
    labels 0 and 1 is taken as such.

    Raises:
        OpenError: unreadable, or in colour.
    """
    cv2 = opencv()
    try:
        data = np.frombuffer(path.read_bytes(), np.uint8)
        pixels = cv2.imdecode(data, cv2.IMREAD_UNCHANGED) if data.size else None
    except (OSError, cv2.error) as exc:
        raise OpenError(f"cannot read the mask {path}: {getattr(exc, 'strerror', None) or exc}") from exc
    if pixels is None or pixels.dtype not in (np.uint8, np.uint16):
        raise OpenError(f"{path} is not an image of 8 or 16 bits: a mask is best a grey PNG")
    if pixels.ndim == 3:
        channels = pixels.shape[2]
        if channels == 3 and not (pixels == pixels[..., :1]).all():
            raise OpenError(f"{path} is a picture in colour: a mask is grey, or has an alpha channel")
        pixels = pixels[..., ALPHA_CHANNEL.get(channels, 0)]
    if pixels.max() == LABELS_MAX:
        return np.asarray(pixels, np.float32)
    alpha: F32 = np.divide(pixels, np.iinfo(pixels.dtype).max, dtype=np.float32)
    return alpha


def limited(image: Image, side_px: int) -> Image:
    """An image (h, w) or (h, w, 3) with its longer side at most `side_px`, averaged over areas."""
    size = scored_size(_size(image), side_px)
    if size == _size(image):
        return image
    cv2 = opencv()
    small: Image = cv2.resize(np.ascontiguousarray(image), size, interpolation=cv2.INTER_AREA)
    return small


def scored_size(size: Size, side_px: int) -> Size:
    """`size` with its longer side at most `side_px`; nothing is enlarged."""
    longest = max(size)
    if longest <= side_px:
        return size
    return Size(*(max(1, round(side * side_px / longest)) for side in size))


def _limited_frame(frame: Frame, side_px: int) -> Frame:
    if scored_size(frame.size, side_px) == frame.size:
        return frame
    return Frame.from_rgb(limited(frame.to_rgb(), side_px), pts=frame.pts, time_base=frame.time_base)


def _alphas(path: Path) -> Generator[F32, None, None]:
    """The frames of a folder of alphas, or of a grey video as `livematte matte` writes it."""
    if path.is_dir():
        for file in images(path):
            yield read_alpha(file)
        return
    with open_source(path) as source:
        for frame in source:
            luma = frame.planes[0].astype(np.float32)
            low, high = (0, 255) if frame.range is ColorRange.FULL else LIMITED_RANGE
            yield np.clip((luma - low) / np.float32(high - low), 0, 1)


def _pairs(root: Path, folder: str) -> list[Case]:
    truths = next((root / name for name in TRUTHS if (root / name).is_dir()), None)
    if truths is None:
        raise OpenError(f"{root} has {folder}/ but no truth beside it: expected {'/, '.join(TRUTHS)}/")
    stills = folder == "images"
    found = images(root / folder) if stills else _clips(root / folder)
    if not found:
        raise OpenError(f"there is no {'image' if stills else 'clip'} in {root / folder}")
    by_stem = _by_stem(images(truths) if stills else _clips(truths))
    missing = [path for path in _by_stem(found).values() if _stem(path) not in by_stem]
    if missing:
        more = f", and {len(missing) - 1} more have none either" if len(missing) > 1 else ""
        raise OpenError(f"{missing[0]} has no truth: expected {truths / _stem(missing[0])}.*{more}")
    kind = Picture if stills else Clip
    return [kind(_stem(path), path, by_stem[_stem(path)]) for path in found]


def _by_stem(paths: Sequence[Path]) -> dict[str, Path]:
    named: dict[str, Path] = {}
    for path in paths:
        other = named.setdefault(_stem(path), path)
        if other is not path:
            raise OpenError(f"{path} and {other.name} have the same stem: it is not clear which belongs to which")
    return named


def _stem(path: Path) -> str:
    return path.name if path.is_dir() else path.stem


def _clips(folder: Path) -> list[Path]:
    """Videos and folders of frames of a folder, in natural order."""
    found = [p for p in folder.iterdir() if not p.name.startswith(".") and (p.is_dir() or p.suffix)]
    return sorted(found, key=natural_key)


def _spread(cases: list[Case], limit: int | None) -> list[Case]:
    if limit is None or limit >= len(cases):
        return cases
    return [cases[index * len(cases) // limit] for index in range(limit)]


def _check_size(truth: Path, truth_size: Size, image: Path, image_size: Size) -> None:
    if truth_size != image_size:
        raise OpenError(f"{truth} is {truth_size}, but {image} is {image_size}: a truth has the size of its picture")


def _size(image: U8 | F32) -> Size:
    height, width = image.shape[:2]
    return Size(width, height)
