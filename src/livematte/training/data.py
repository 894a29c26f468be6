"""Pictures with their masks, cut, scaled and kept as bytes: a step reads, it does not decode.

How a data folder is laid out is said by its kind, a file of `datasets/`; that of a plain folder is `pairs`.

Every picture is cut into a few views, scaled to the network's input, and written to one file a data
folder and size: uint8 (pictures, views, 5, h, w), with red, green, blue, alpha and weight. That file
is mapped into memory, so that many processes share it, and is made again when the folder changes.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from livematte import _registry
from livematte._errors import OptionError
from livematte._frame import U8, Frame, PixelFormat, Size
from livematte.training.datasets import DIR, PLUGINS, Record
from livematte.training.recipe import Views

VERSION = 3
"""Part of the name of a cache: raise it when views are cut in another way."""

CHANNELS = 5
"""Red, green, blue, alpha, weight."""

TRIES = 5
"""Windows tried for one that shows somebody; then any will do, since empty rooms are to be learnt too."""

ANYTHING = 0.25
"""Part of the windows that need show nobody: furniture and trees are no people."""

ENOUGH = 0.02
"""Part of a window that is person, to show somebody."""

UPWARDS = 2.0
"""Exponent of a window's place from the top: heads are there, and cameras are pointed at them."""

Progress = Callable[[str, int, int], None]
"""Called with what is being read, the pictures done, and those in all."""


PLAIN = "pairs"
"""The kind of a folder that is given without one."""


@dataclass(frozen=True, slots=True)
class Folder:
    """A data set and how often it is drawn from, against the others.

    Args:
        path: the folder; of a kind that takes no folder, what stands in its place.
        share: any positive number.
        empty: whether its pictures show nobody.
        kind: how it is laid out, a name of `datasets/`.
    """

    path: Path
    share: float = 1.0
    empty: bool = False
    kind: str = PLAIN

    @property
    def cut_out(self) -> bool:
        """Whether its people stand before nothing, and must be composed over backgrounds."""
        return bool(_registry.load(PLUGINS, self.kind).CUT_OUT)


def parse_folder(text: str, empty: bool = False) -> Folder:
    """`DIR`, `DIR:SHARE`, `KIND:DIR` or `KIND:DIR:SHARE`.

    Raises:
        UnknownName: no such kind.
        OptionError: no such folder, or a share that is no positive number.
    """
    kind, argument, share = split(text)
    if _registry.load(PLUGINS, kind).ARGUMENT == DIR and not Path(argument).is_dir():
        raise OptionError(f"there is no data folder {argument}")
    if not 0 < share < float("inf"):
        raise OptionError(f"the share in {text!r} must be a positive number")
    return Folder(Path(argument), share, empty, kind)


def split(text: str) -> tuple[str, str, float]:
    """Kind, argument and share of what was given; what lies there as a folder is one, whatever its name.

    Raises:
        UnknownName: no such kind.
    """
    kind, rest = PLAIN, text
    head, colon, tail = text.partition(":")
    if colon and len(head) > 1 and not Path(text).is_dir():  # a single letter is a drive of Windows
        number = _number(tail) is not None
        if head in _registry.names(PLUGINS):
            named_so = number and Path(head).is_dir() and not Path(tail).is_dir()
            if not named_so or _registry.load(PLUGINS, head).ARGUMENT != DIR:
                kind, rest = head, tail
        elif head.isidentifier() and not number and not Path(head).is_dir():
            _registry.load(PLUGINS, head)  # says which kinds there are
    argument, _, last = rest.rpartition(":")
    share = _number(last)
    if argument and share is not None and not Path(rest).is_dir():
        return kind, argument, share
    return kind, rest, 1.0


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None


def pictures(folder: Folder) -> list[Record]:
    """The pictures of a data set, always in the same order.

    Raises:
        SourceError, OpenError: there are none, or something of them is missing or broken.
        OptionError: backgrounds are asked of a kind that shows people.
    """
    found: list[Record] = _registry.load(PLUGINS, folder.kind).create(str(folder.path), empty=folder.empty)
    return found


def check_folders(folders: Sequence[Folder]) -> None:
    """Refuse data sets that make no training.

    Raises:
        OptionError: there are none, or cut-outs without backgrounds to stand before.
    """
    if not folders:
        raise OptionError("a training needs pictures: pass --data DIR")
    alone = next((folder for folder in folders if folder.cut_out), None)
    if alone is not None and not any(folder.empty for folder in folders):
        raise OptionError(
            f"the people of {alone.path} stand before nothing: pass --backgrounds DIR as well, "
            "or --backgrounds procedural:2000"
        )


def views(
    folder: Folder,
    size: Size,
    cut: Views,
    seed: int,
    cache: Path,
    progress: Progress | None = None,
    also: Sequence[Size] = (),
) -> npt.NDArray[np.uint8]:
    """All views of a folder's pictures, from the cache, or made now.

    Args:
        folder: the data.
        size: of the network's input.
        cut: how views are cut.
        seed: of the windows.
        cache: folder to keep the file in; about 5 bytes a pixel and view.
        progress: called now and then.
        also: sizes that will be asked for soon: pictures that are read now are cut for them, too.

    Returns:
        uint8 (pictures, views, 5, h, w), read only, mapped from the file.

    Raises:
        SourceError: no pictures, a picture without mask, or a mask of another size.
        OpenError: a file that is no picture.
        OptionError: backgrounds are asked of a kind that shows people.
    """
    found = pictures(folder)
    cache.mkdir(parents=True, exist_ok=True)
    paths = {one: cache / f"{_key(folder, found, one, cut, seed)}-{one}.npy" for one in (size, *also)}
    if not paths[size].is_file():
        parts = {one: path.with_suffix(f".{os.getpid()}.part") for one, path in paths.items() if not path.is_file()}
        try:
            _write(parts, found, cut, seed, lambda n: progress and progress(str(folder.path), n, len(found)))
            for one, part in parts.items():
                part.replace(paths[one])
        finally:
            for part in parts.values():
                part.unlink(missing_ok=True)
    mapped: npt.NDArray[np.uint8] = np.load(paths[size], mmap_mode="r")
    return mapped


def _write(
    paths: Mapping[Size, Path], found: Sequence[Record], cut: Views, seed: int, done: Callable[[int], Any]
) -> None:
    """The views of each size in a file of its own; a picture is read once for all of them."""
    files = {
        size: np.lib.format.open_memmap(
            path, "w+", np.uint8, (len(found), cut.per_picture, CHANNELS, size.height, size.width)
        )
        for size, path in paths.items()
    }

    def one(index: int) -> None:
        picture = found[index].read()
        for size, mapped in files.items():
            random = np.random.default_rng([seed, index])
            for view, pixels in enumerate(_cut(picture, size, cut, random)):
                mapped[index, view] = pixels

    with ThreadPoolExecutor(min(os.cpu_count() or 1, 8)) as pool:  # decoding lets other threads run
        for count, _ in enumerate(pool.map(one, range(len(found))), 1):
            if count % 100 == 0 or count == len(found):
                done(count)
    for mapped in files.values():
        mapped.flush()


def _cut(pixels: U8, size: Size, cut: Views, random: np.random.Generator) -> Iterator[U8]:
    yield shrink(_whole(pixels, size, cut, random), size)
    for _ in range(cut.per_picture - 1):
        anything = random.uniform() < ANYTHING
        for _ in range(TRIES):
            window = _window(pixels, size, cut, random)
            if anything or window[3].mean() >= ENOUGH * 255:
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


def _key(folder: Folder, found: Sequence[Record], size: Size, cut: Views, seed: int) -> str:
    """Changes with every file that was added, removed or written, and with how they are read and cut."""
    files = [(path.name, (stat := path.stat()).st_size, stat.st_mtime_ns) for record in found for path in record.files]
    how: list[Any] = [VERSION, tuple(size), cut.per_picture, cut.area, cut.stretch, seed]
    read = folder.kind, _registry.load(PLUGINS, folder.kind).VERSION
    if read != (PLAIN, 1):  # caches of plain folders are older than kinds
        how.append([*read, len(found)])
    place = str(found[0].files[0].parent.resolve()) if files else str(folder.path)
    return hashlib.sha256(json.dumps([how, place, files]).encode()).hexdigest()[:16]


class Draw(NamedTuple):
    """A batch as it was drawn.

    Args:
        pictures: uint8 (n, 5, h, w).
        cut_outs: rows of `pictures` that stand before nothing, int64.
        behind: a background for each of them, uint8 (rows, 5, h, w).
    """

    pictures: Tensor
    cut_outs: Tensor
    behind: Tensor


class Pool:
    """Data sets to draw batches from.

    A draw needs a generator and nothing else: what step `n` sees does not depend on what
    was drawn before, and that is what lets a training go on where it stopped.

    Args:
        arrays: views of each data set, (pictures, views, 5, h, w).
        folders: the data sets themselves; cut-outs need one that is empty beside them.
    """

    def __init__(self, arrays: Sequence[npt.NDArray[np.uint8]], folders: Sequence[Folder]) -> None:
        self._arrays = list(arrays)
        self._shares = torch.tensor([folder.share for folder in folders], dtype=torch.float64)
        self._empty = torch.tensor([float(folder.empty) for folder in folders], dtype=torch.float64)
        self._cut_out = torch.tensor([folder.cut_out for folder in folders])

    def __len__(self) -> int:
        """Pictures of all data sets."""
        return sum(len(array) for array in self._arrays)

    def draw(self, count: int, generator: torch.Generator) -> Draw:
        """A batch, and backgrounds for the cut-outs in it.

        A data set is drawn by its share, a picture and its view evenly.
        """
        sets = torch.multinomial(self._shares, count, replacement=True, generator=generator)
        pictures = self._views(sets, generator)
        cut_outs = self._cut_out[sets].nonzero()[:, 0]
        if len(cut_outs):
            sets = torch.multinomial(self._shares * self._empty, len(cut_outs), replacement=True, generator=generator)
            return Draw(pictures, cut_outs, self._views(sets, generator))
        return Draw(pictures, cut_outs, pictures[:0])

    def _views(self, sets: Tensor, generator: torch.Generator) -> Tensor:
        """A view of each of these data sets."""
        where = torch.rand(len(sets), 2, generator=generator, dtype=torch.float64)
        batch = np.empty((len(sets), *self._arrays[0].shape[2:]), np.uint8)
        for row in range(len(sets)):
            array = self._arrays[int(sets[row])]
            batch[row] = array[int(where[row, 0] * array.shape[0]), int(where[row, 1] * array.shape[1])]
        return torch.from_numpy(batch)
