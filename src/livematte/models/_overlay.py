"""Which class is where, as colours over the picture, with a legend of their names."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np
import numpy.typing as npt

from livematte import kernels
from livematte._frame import U8, Frame, Size
from livematte._matte import Matte
from livematte._stages import State
from livematte.models._spec import known_classes

Labels = npt.NDArray[np.int64]

LEAST_SHARE = 0.005
"""Part of the picture from which a class is named in the legend."""

MOST_NAMES = 12
"""Rows of the legend."""

LEGEND_SHADE = 0.35
"""Of what is behind the legend's letters, so that they can be read."""

GLYPH = Size(3, 5)
"""Cells of a letter."""

LINES_PX = 160
"""Height of a picture for each pixel of a letter's cell: names are as large at any size."""

_ROWS = """
25755 65656 34443 65556 74647 74644 34553 55755 72227 11152 55655 44447 57755 65555 25552 65644 25573 65655
34216 72222 55557 55552 55775 55255 55222 71247 00700
"""

LETTERS = dict(zip("abcdefghijklmnopqrstuvwxyz-", _ROWS.split(), strict=True))
"""Rows of each letter from the top, three cells as one octal digit."""


class Labelling(Protocol):
    """A segmenter that tells classes apart."""

    name: str
    size: Size
    classes: tuple[str, ...]

    def labels(self, frame: Frame) -> Labels: ...
    def close(self) -> None: ...


class Overlay:
    """A segmenter whose mattes hold the painted picture: everything is shown, as colours of classes.

    What it paints reaches an output through `composite()`, like any person; a frame whose classes are not
    known raises, and is covered.

    Args:
        network: tells the classes; is closed with this.
        opacity: of the colours, 0-1.
        legend: write names into the picture.
        only: classes that are painted, the others as background; None paints all.

    Attributes:
        palette: colour of each class, RGB.
        shares: part of the picture that each class has, added over all pictures.

    Raises:
        UnknownName: `only` names what the network does not know.
    """

    def __init__(
        self, network: Labelling, *, opacity: float = 0.7, legend: bool = True, only: Sequence[str] | None = None
    ) -> None:
        self.name, self.size, self.classes = network.name, network.size, network.classes
        self.engine = str(getattr(network, "engine", "auto"))
        self.shares = np.zeros(len(network.classes))
        self._network, self._opacity, self._legend = network, opacity, legend
        self.palette = palette(len(network.classes))
        kept = network.classes if only is None else known_classes(network.classes, network.name, only)
        self._kept = np.array([name in kept for name in network.classes])

    def segment(self, frame: Frame, state: State) -> tuple[Matte, State]:
        labels = self._network.labels(frame)
        labels = np.where(self._kept[labels], labels, 0)
        shares = np.bincount(labels.reshape(-1), minlength=len(self._kept)) / labels.size
        self.shares += shares
        rgb = frame.to_rgb()[..., :3]
        colours = self.palette[_stretched(labels, frame.size)]
        painted = np.rint(colours * self._opacity + rgb * (1 - self._opacity)).astype(np.uint8)
        if self._legend:
            shown = [int(index) for index in np.argsort(-shares) if index and shares[index] >= LEAST_SHARE]
            write_legend(painted, [(self._network.classes[n], self.palette[n]) for n in shown[:MOST_NAMES]])
        planes = kernels.rgb_to_planes(painted, frame.format, frame.matrix, frame.range)
        return Matte(np.full(frame.size[::-1], 255, np.uint8), frame.pts, planes), None

    def close(self) -> None:
        self._network.close()


def palette(count: int) -> U8:
    """Colours of classes, RGB (count, 3), the first of them black.

    Source: Everingham et al. 2010, Pascal VOC development kit: the bits of a class's number, three at a
    time, become the highest bits of red, green and blue, and so on.
    """
    numbers = np.arange(count)[:, None]
    colours = np.zeros((count, 3), np.uint8)
    for bit in range(8):
        colours |= (((numbers >> (3 * bit + np.arange(3))) & 1) << (7 - bit)).astype(np.uint8)
    return colours


def write_legend(rgb: U8, names: Sequence[tuple[str, U8]]) -> None:
    """Write names with their colours into the lower left of a picture, in place; those that fit."""
    height, width = rgb.shape[:2]
    cell = max(1, round(height / LINES_PX))
    row = (GLYPH.height + 2) * cell
    fitting = [one for one in names if text_width(one[0], cell) + 3 * row <= width][: max(0, height // row - 2)]
    if not fitting:
        return
    top, right = height - (len(fitting) + 1) * row, 3 * row + max(text_width(name, cell) for name, _ in fitting)
    panel = rgb[top : height - row // 2, row // 2 : right]
    np.multiply(panel, LEGEND_SHADE, out=panel, casting="unsafe")
    for index, (name, colour) in enumerate(fitting):
        y = top + index * row + cell
        rgb[y : y + GLYPH.height * cell, row : row + GLYPH.height * cell] = colour
        for place, letter in enumerate(name):
            digits = LETTERS.get(letter, LETTERS["-"])
            bits = np.array([[int(digit) >> shift & 1 for shift in (2, 1, 0)] for digit in digits], bool)
            x = 2 * row + cell + place * (GLYPH.width + 1) * cell
            area = rgb[y : y + GLYPH.height * cell, x : x + GLYPH.width * cell]
            area[np.kron(bits, np.ones((cell, cell), bool))] = 255


def text_width(text: str, cell: int) -> int:
    """Pixels of a line of text."""
    return len(text) * (GLYPH.width + 1) * cell


def _stretched(labels: Labels, size: Size) -> Labels:
    """Labels at another size, each pixel that of the cell it lies in."""
    rows = np.arange(size.height) * labels.shape[0] // size.height
    columns = np.arange(size.width) * labels.shape[1] // size.width
    return labels[np.ix_(rows, columns)]
