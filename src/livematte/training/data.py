"""Pictures with their masks, cut, scaled and kept as bytes: a step reads, it does not decode.

A data folder holds `images/`, `masks/` with the same stems (1-bit, or 8-bit soft alpha) and, where
labels are not sure everywhere, `weights/` (8-bit, 255 = sure). A folder of backgrounds holds
pictures without people, in `images/` or by themselves.

Every picture is cut into a few views, scaled to the network's input, and written to one file a data
folder and size: uint8 (pictures, views, 5, h, w), with red, green, blue, alpha and weight. That file
is mapped into memory, so that many processes share it, and is made again when the folder changes.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from livematte._errors import OptionError, SourceError
from livematte._frame import U8, Frame, PixelFormat, Size
from livematte.sources._still import read_image
from livematte.training.folder import beside, mask_of, picture_files
from livematte.training.recipe import Views

VERSION = 2
"""Part of the name of a cache: raise it when views are cut in another way."""

CHANNELS = 5
"""Red, green, blue, alpha, weight."""

TRIES = 5
"""Windows tried for one that shows somebody; then any will do, since empty rooms are to be learnt too."""

ENOUGH = 0.02
"""Part of a window that is person, to show somebody."""

UPWARDS = 2.0
"""Exponent of a window's place from the top: heads are there, and cameras are pointed at them."""

Progress = Callable[[str, int, int], None]
"""Called with what is being read, the pictures done, and those in all."""


@dataclass(frozen=True, slots=True)
class Picture:
    """Files of one picture; no mask means that nobody is in it."""

    image: Path
    mask: Path | None = None
    weight: Path | None = None


@dataclass(frozen=True, slots=True)
class Folder:
    """A data folder and how often it is drawn from, against the others.

    Args:
        path: the folder.
        share: any positive number.
        empty: whether its pictures show nobody.
    """

    path: Path
    share: float = 1.0
    empty: bool = False


def parse_folder(text: str, empty: bool = False) -> Folder:
    """`DIR` or `DIR:SHARE`.

    Raises:
        OptionError: no such folder, or a share that is no positive number.
    """
    path, colon, share = text.rpartition(":")
    if not colon or Path(text).is_dir():
        path, share = text, "1"
    try:
        value = float(share)
    except ValueError:
        path, value = text, 1.0
    if not Path(path).is_dir():
        raise OptionError(f"there is no data folder {path}")
    if not 0 < value < float("inf"):
        raise OptionError(f"the share in {text!r} must be a positive number")
    return Folder(Path(path), value, empty)


def pictures(folder: Folder) -> list[Picture]:
    """The pictures of a folder, in the order of their names.

    Raises:
        SourceError: there are none, or one has no mask.
    """
    paths = picture_files(folder.path)
    if folder.empty:
        return [Picture(path) for path in paths]
    masks, weights = folder.path / "masks", folder.path / "weights"
    return [Picture(path, mask_of(path, masks), beside(weights, path)) for path in paths]


def views(
    folder: Folder, size: Size, cut: Views, seed: int, cache: Path, progress: Progress | None = None
) -> npt.NDArray[np.uint8]:
    """All views of a folder's pictures, from the cache, or made now.

    Args:
        folder: the data.
        size: of the network's input.
        cut: how views are cut.
        seed: of the windows.
        cache: folder to keep the file in; about 5 bytes a pixel and view.
        progress: called now and then.

    Returns:
        uint8 (pictures, views, 5, h, w), read only, mapped from the file.

    Raises:
        SourceError: no pictures, a picture without mask, or a mask of another size.
        OpenError: a file that is no picture.
    """
    found = pictures(folder)
    cache.mkdir(parents=True, exist_ok=True)
    path = cache / f"{_key(found, size, cut, seed)}-{size}.npy"
    if not path.is_file():
        part = path.with_suffix(f".{os.getpid()}.part")
        try:
            _write(part, found, size, cut, seed, lambda n: progress and progress(str(folder.path), n, len(found)))
            part.replace(path)
        finally:
            part.unlink(missing_ok=True)
    mapped: npt.NDArray[np.uint8] = np.load(path, mmap_mode="r")
    return mapped


def _write(path: Path, found: Sequence[Picture], size: Size, cut: Views, seed: int, done: Callable[[int], Any]) -> None:
    shape = (len(found), cut.per_picture, CHANNELS, size.height, size.width)
    mapped = np.lib.format.open_memmap(path, "w+", np.uint8, shape)

    def one(index: int) -> None:
        random = np.random.default_rng([seed, index])
        for view, pixels in enumerate(_cut(read(found[index]), size, cut, random)):
            mapped[index, view] = pixels

    with ThreadPoolExecutor(min(os.cpu_count() or 1, 8)) as pool:  # decoding lets other threads run
        for count, _ in enumerate(pool.map(one, range(len(found))), 1):
            if count % 100 == 0 or count == len(found):
                done(count)
    mapped.flush()


def read(picture: Picture) -> U8:
    """A picture, its alpha and its weight: uint8 (5, h, w) at the picture's own size.

    Raises:
        OpenError: a file that is no picture.
        SourceError: a mask or weight of another size.
    """
    frame = read_image(picture.image)
    planes = list(frame.planes)
    for path, default in ((picture.mask, 0), (picture.weight, 255)):
        if path is None:
            planes.append(np.full_like(planes[0], default))
            continue
        plane = read_image(path).planes[1]
        if plane.shape != planes[0].shape:
            raise SourceError(
                f"{path} is {plane.shape[1]}x{plane.shape[0]}, its picture {frame.size}: they must be alike"
            )
        planes.append(plane)
    return np.stack(planes)


def _cut(pixels: U8, size: Size, cut: Views, random: np.random.Generator) -> Iterator[U8]:
    yield shrink(_whole(pixels, size, cut, random), size)
    for _ in range(cut.per_picture - 1):
        for _ in range(TRIES):
            window = _window(pixels, size, cut, random)
            if window[3].mean() >= ENOUGH * 255:
                break
        yield shrink(window, size)


def _whole(pixels: U8, size: Size, cut: Views, random: np.random.Generator) -> U8:
    """The picture, without what makes it longer or higher than may be stretched to `size`."""
    _, height, width = pixels.shape
    aspect = size.width / size.height
    w = min(width, round(height * aspect * cut.stretch))
    h = min(height, round(width / aspect * cut.stretch))
    return _part(pixels, w, h, random)


def _window(pixels: U8, size: Size, cut: Views, random: np.random.Generator) -> U8:
    """A part of the picture, near the aspect of `size`, as large as was drawn or as fits."""
    _, height, width = pixels.shape
    aspect = size.width / size.height * cut.stretch ** random.uniform(-1, 1)
    area = random.uniform(*cut.area) * height * width
    w = int(min(width, max(16, (area * aspect) ** 0.5)))
    h = int(min(height, max(16, w / aspect)))
    w = int(min(w, max(16, h * aspect)))
    return _part(pixels, w, h, random)


def _part(pixels: U8, width: int, height: int, random: np.random.Generator) -> U8:
    """A rectangle of that size somewhere in the picture, more often in its upper part."""
    x = int(random.integers(0, pixels.shape[2] - width + 1))
    y = int((pixels.shape[1] - height + 1) * random.uniform() ** UPWARDS)
    return pixels[:, y : y + height, x : x + width]


def shrink(pixels: U8, size: Size) -> U8:
    """Planes (c, h, w) stretched to `size`, averaged over areas as the product does it."""
    if pixels.shape[0] > 3:
        return np.concatenate([shrink(pixels[:3], size), shrink(pixels[-3:], size)[3 - pixels.shape[0] :]])
    planes = [np.ascontiguousarray(plane) for plane in pixels]
    small = Frame((planes[0], planes[1], planes[2]), PixelFormat.RGB).rgb(size, planar=True)
    return np.rint(small * 255).astype(np.uint8)


def _key(found: Sequence[Picture], size: Size, cut: Views, seed: int) -> str:
    """Changes with every file that was added, removed or written, and with how views are cut."""
    files = [
        (path.name, (stat := path.stat()).st_size, stat.st_mtime_ns)
        for picture in found
        for path in (picture.image, picture.mask, picture.weight)
        if path is not None
    ]
    how = [VERSION, tuple(size), cut.per_picture, cut.area, cut.stretch, seed]
    folder = str(found[0].image.parent.resolve())
    return hashlib.sha256(json.dumps([how, folder, files]).encode()).hexdigest()[:16]


class Pool:
    """Data folders to draw batches from.

    A draw needs a generator and nothing else: what step `n` sees does not depend on what
    was drawn before, and that is what lets a training go on where it stopped.

    Args:
        arrays: views of each folder, (pictures, views, 5, h, w).
        shares: how often each is drawn from.
    """

    def __init__(self, arrays: Sequence[npt.NDArray[np.uint8]], shares: Sequence[float]) -> None:
        self._arrays = list(arrays)
        self._shares = torch.tensor(shares, dtype=torch.float64)

    def __len__(self) -> int:
        """Pictures of all folders."""
        return sum(len(array) for array in self._arrays)

    def draw(self, count: int, generator: torch.Generator) -> Tensor:
        """A batch: uint8 (count, 5, h, w).

        A folder is drawn by its share, a picture and its view evenly.
        """
        folders = torch.multinomial(self._shares, count, replacement=True, generator=generator)
        where = torch.rand(count, 2, generator=generator, dtype=torch.float64)
        batch = np.empty((count, *self._arrays[0].shape[2:]), np.uint8)
        for row in range(count):
            array = self._arrays[int(folders[row])]
            batch[row] = array[int(where[row, 0] * array.shape[0]), int(where[row, 1] * array.shape[1])]
        return torch.from_numpy(batch)
