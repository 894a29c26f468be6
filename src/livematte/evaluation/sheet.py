"""A contact sheet: the worst pictures beside their truth and what the models made of them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np

from livematte._errors import OptionError
from livematte._frame import F32, U8, Frame
from livematte.evaluation._opencv import opencv
from livematte.evaluation.metrics import SCALE
from livematte.evaluation.score import Scores, Shown

PANEL_PX = 240
"""Width and height that a picture is fitted into."""

LINE_PX = 22
"""Height of a line of text."""

GAP_PX = 6
"""Between panels."""

PAPER, INK = 245, 30
"""Code values of ground and text; neither black nor white, which mattes are."""


def write(path: str | Path, worst: Iterable[Shown], models: Sequence[str]) -> None:
    """Write a PNG: a row for each picture, with truth, alphas, and IoU, boundary F and MAD x1000.

    Args:
        path: where; it is replaced.
        worst: pictures with their panels, in the order of the rows.
        models: names of the models, in the order of the alphas.

    Raises:
        OptionError: there is no picture to show.
        SinkError: it cannot be written.
    """
    from livematte.sinks._partial import write_whole
    from livematte.sinks._still import image_bytes

    rows = [_row(shown) for shown in worst if shown.panels]
    if not rows:
        raise OptionError("a sheet shows pictures, and there are none: it needs images/ with masks/")
    sheet = np.concatenate([_beside([_line(text) for text in ("picture", "truth", *models)]), *rows])
    data = image_bytes(Frame.from_rgb(sheet), ".png", quality=100, grey=False)
    write_whole(Path(path), data)


def panel(image: U8 | F32) -> U8:
    """An image fitted into a square of paper, its sides kept in proportion.

    Args:
        image: RGB uint8 (h, w, 3), or alpha float32 (h, w) in 0-1.

    Returns:
        uint8 (PANEL_PX, PANEL_PX, 3).
    """
    if image.ndim == 2:
        image = np.repeat(np.rint(image * 255).astype(np.uint8)[..., None], 3, axis=2)
    cv2 = opencv()
    height, width = image.shape[:2]
    scale = PANEL_PX / max(height, width)
    size = max(1, round(width * scale)), max(1, round(height * scale))
    small = cv2.resize(image, size, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR)
    square = np.full((PANEL_PX, PANEL_PX, 3), PAPER, np.uint8)
    top, left = (PANEL_PX - size[1]) // 2, (PANEL_PX - size[0]) // 2
    square[top : top + size[1], left : left + size[0]] = small
    return square


def _row(shown: Shown) -> U8:
    """One picture: its panels, and under each a line of text."""
    captions = (shown.name, "", *(_caption(scores) for scores in shown.beside))
    lines = _beside([_line(text) for text in captions])
    return np.concatenate([_beside(shown.panels), lines])


def _caption(scores: Scores) -> str:
    return f"{scores['iou']:.3f} / {scores['boundary_f']:.3f} / {scores['mad'] * SCALE['mad']:.0f}"


def _beside(panels: Sequence[U8]) -> U8:
    gap = np.full((len(panels[0]), GAP_PX, 3), PAPER, np.uint8)
    return np.concatenate([part for image in panels for part in (image, gap)], axis=1)


def _line(text: str) -> U8:
    """A line of text as wide as a panel; what is too long is cut off at its end."""
    cv2 = opencv()
    line = np.full((LINE_PX, PANEL_PX, 3), PAPER, np.uint8)
    # the font knows ASCII alone
    plain = text.encode("ascii", "replace").decode()
    cv2.putText(line, plain, (4, LINE_PX - 7), cv2.FONT_HERSHEY_SIMPLEX, 0.45, (INK, INK, INK), 1, cv2.LINE_AA)
    return line
