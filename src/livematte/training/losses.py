"""What is asked of the network. Targets may be soft; every pixel counts by its weight.

Soft targets make the cross-entropy a distillation: labels of teachers need no loss of their own.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor
from torch.nn.functional import adaptive_avg_pool2d, binary_cross_entropy_with_logits, pad

from livematte.training.recipe import Loss

CHANGING = 0.1
"""Alpha that changes by more than this within the band's reach makes a pixel part of the outline."""

MOVE_PX = 2
"""Largest shift of the second look at a picture that has to give the same alpha."""

GRAIN = 0.02
"""Noise of that second look."""


def losses(
    logits: Tensor, aux: Tensor | Sequence[Tensor], alpha: Tensor, weight: Tensor, ask: Loss
) -> dict[str, Tensor]:
    """Every loss by its name, as it is asked for; their sum is what is minimised.

    Args:
        logits: (n, 1, h, w), of the full size.
        aux: (n, 1, h/16, w/16), or several such of any sizes, or none; their losses are added.
        alpha: (n, 1, h, w) in 0-1.
        weight: (n, 1, h, w) in 0-1; pixels of weight 0 are not asked about.
        ask: the weights of the losses; those at 0 are left out.
    """
    logits = logits.float()
    sides = [side.float() for side in ([aux] if isinstance(aux, Tensor) else aux)]
    entropy = binary_cross_entropy_with_logits(logits, alpha, reduction="none")
    guess = torch.sigmoid(logits)
    found = {}
    if ask.bce:
        found["bce"] = ask.bce * mean(entropy, weight)
    if ask.iou:
        found["iou"] = ask.iou * soft_iou(guess, alpha, weight)
    if ask.edge:
        found["edge"] = ask.edge * mean(entropy, weight * band(alpha, ask.edge_px))
    if ask.l1:
        found["l1"] = ask.l1 * mean((guess - alpha).abs(), weight)
    if ask.aux and sides:
        found["aux"] = ask.aux * torch.stack([_small(side, alpha, weight) for side in sides]).sum()
    return found


def _small(side: Tensor, alpha: Tensor, weight: Tensor) -> Tensor:
    """Cross-entropy of smaller logits with the mean alpha of their places."""
    size = (side.shape[2], side.shape[3])
    entropy = binary_cross_entropy_with_logits(side, adaptive_avg_pool2d(alpha, size), reduction="none")
    return mean(entropy, adaptive_avg_pool2d(weight, size))


def mean(values: Tensor, weight: Tensor) -> Tensor:
    """Weighted mean over everything; 0 where nothing has weight."""
    return (values * weight).sum() / weight.sum().clamp_min(1.0)


def soft_iou(guess: Tensor, alpha: Tensor, weight: Tensor) -> Tensor:
    """One minus intersection over union of soft alphas, picture by picture.

    One pixel is added to both, so that an empty picture is right when nothing is found.
    """
    both = (weight * guess * alpha).sum((1, 2, 3))
    either = (weight * (guess + alpha - guess * alpha)).sum((1, 2, 3))
    return (1 - (both + 1) / (either + 1)).mean()


def band(alpha: Tensor, radius_px: int) -> Tensor:
    """1 along the outline, 0 elsewhere: where the alpha changes within `radius_px`."""
    high, low = _reach(alpha, radius_px, torch.maximum), _reach(alpha, radius_px, torch.minimum)
    return (high - low > CHANGING).to(alpha.dtype)


def _reach(alpha: Tensor, radius_px: int, pick: Callable[[Tensor, Tensor], Tensor]) -> Tensor:
    """Largest or smallest alpha within a square; shifted planes, which take a fiftieth of max_pool2d's time."""
    for axis, edges in ((2, (0, 0, radius_px, radius_px)), (3, (radius_px, radius_px, 0, 0))):
        wide, length = pad(alpha, edges, mode="replicate"), alpha.shape[axis]
        alpha = wide.narrow(axis, 0, length)
        for at in range(1, 2 * radius_px + 1):
            alpha = pick(alpha, wide.narrow(axis, at, length))
    return alpha


def consistency(guess: Tensor, other: Tensor, dx: int, dy: int) -> Tensor:
    """Mean difference of two alphas of one picture, the second moved by (dx, dy) pixels.

    The first is what the second is drawn to: only `other` has a gradient.
    """
    height, width = guess.shape[-2:]
    ours = guess.detach()[..., max(0, -dy) : height - max(0, dy), max(0, -dx) : width - max(0, dx)]
    moved = other[..., max(0, dy) : height + min(0, dy), max(0, dx) : width + min(0, dx)]
    return (ours - moved).abs().mean()


def second_look(rgb: Tensor, generator: torch.Generator) -> tuple[Tensor, int, int]:
    """The same pictures, moved by a few pixels and with other noise; and the move."""
    dx, dy = torch.randint(-MOVE_PX, MOVE_PX + 1, (2,), generator=generator, device=generator.device).tolist()
    height, width = rgb.shape[2:]
    wide = pad(rgb, (MOVE_PX,) * 4, mode="replicate")
    moved = wide[:, :, MOVE_PX - dy : MOVE_PX - dy + height, MOVE_PX - dx : MOVE_PX - dx + width]
    grain = torch.randn(moved.shape, generator=generator, device=generator.device) * GRAIN
    return (moved + grain).clamp(0, 1), dx, dy
