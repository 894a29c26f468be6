"""Figures on pictures that are never trained on, fed as the product feeds them: whole, to the nearest aspect."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import torch
from torch import Tensor

from livematte._frame import Size
from livematte.sources._still import read_image
from livematte.training import data
from livematte.training.data import Folder
from livematte.training.nets import Network
from livematte.training.recipe import Views

BATCH = 16
"""Pictures at once: large enough to be quick, small enough for any memory."""


WHOLE = Views(per_picture=1, stretch=1e3)
"""Whole pictures, whatever their aspect."""


class Validation:
    """A folder of pictures and masks, and how a network does on it.

    The figures are taken at the network's size, which is quick; `livematte evaluate` takes them
    at the pictures' own size, after the product's refinement.

    Args:
        folder: images and masks.
        sizes: (width, height) of the network's inputs; a picture goes to the one of the nearest aspect.
        cache: folder for the pictures at those sizes.
    """

    def __init__(self, folder: Path, sizes: Iterable[tuple[int, int]], cache: Path) -> None:
        unlike = sorted({Size(*size) for size in sizes}, reverse=True)
        nearest = [read_image(record.files[0]).size.nearest(unlike) for record in data.pictures(Folder(folder))]
        self._groups = []
        for size in set(nearest):
            views = data.views(Folder(folder), size, WHOLE, 0, cache)
            self._groups.append((views, [i for i, other in enumerate(nearest) if other == size]))

    def __call__(self, net: Network, device: torch.device) -> dict[str, float]:
        """Mean over the pictures: `iou` at an alpha of 0.5, and `mad`, the mean absolute difference."""
        ious, mads = [], []
        with torch.inference_mode():
            for views, rows in self._groups:
                for at in range(0, len(rows), BATCH):
                    batch = torch.from_numpy(views[rows[at : at + BATCH], 0]).to(device).float() / 255
                    rgb = batch[:, :3].contiguous(memory_format=torch.channels_last)
                    guess = torch.sigmoid(net(rgb)[0])
                    ious.append(iou(guess, batch[:, 3:4]))
                    mads.append((guess - batch[:, 3:4]).abs().mean((1, 2, 3)))
        return {"iou": torch.cat(ious).mean().item(), "mad": torch.cat(mads).mean().item()}


def iou(guess: Tensor, alpha: Tensor) -> Tensor:
    """Intersection over union of what is above 0.5, picture by picture: (n,); 1 where both are empty."""
    ours, theirs = guess > 0.5, alpha > 0.5
    both = (ours & theirs).sum((1, 2, 3)).float()
    either = (ours | theirs).sum((1, 2, 3)).float()
    return torch.where(either > 0, both / either.clamp_min(1), torch.ones_like(both))
