"""The matte of the frame before, made up for training on single pictures.

A network that is fed the true matte learns to copy it, and then keeps every mistake for ever. So it is
fed what it will meet: the truth as it was before things moved; nothing, as at the start of a stream;
mistakes of every kind; and what the network itself makes of the frame before, from any of these. The
target is the truth each time, so that only the picture decides, and a mistake fades: there is no drift.

Source: the displaced and harmed masks of Perazzi et al., "Learning Video Object Segmentation from Static
Images", 2017, section 3.1; the network's own output as its input, Bengio et al., "Scheduled Sampling for
Sequence Prediction with Recurrent Neural Networks", 2015, section 2.4.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor

from livematte.training.augment import Random, gaussian, thing, warp
from livematte.training.losses import GRAIN
from livematte.training.nets import Network

SHIFT, SCALE, TURN_DEG = 0.08, 1.06, 6.0
"""Largest move between two frames, in parts of the picture's sides, and what goes with it; half of the
moves are less than a fifth of it. Who crosses the picture in three seconds moves 0.013 of it in a frame
at 25 frames a second; a quick hand, or a slow machine that skips frames, makes that several times as much."""

OWN = 0.25
"""Part of the samples whose previous matte the network makes itself. Each costs it a second look, without
gradients: about a twelfth of a step's time."""

BLUR_PX = (0.5, 3.0)
"""Smallest and largest blur, a standard deviation."""


def previous_matte(rgb: Tensor, alpha: Tensor, net: Network, doubt: float, generator: torch.Generator) -> Tensor:
    """An alpha for each sample as the frame before may have left it: (n, 1, h, w) in 0-1, without gradient.

    Args:
        rgb: (n, 3, h, w) in 0-1.
        alpha: (n, 1, h, w) in 0-1, the truth.
        net: recurrent, in evaluation mode: the averaged network, whose mattes are those that will be fed back.
        doubt: part of the samples that get nothing or something wrong, half of them each.
        generator: of their device; the same generator, the same mattes.
    """
    random, count = Random(generator), len(rgb)
    with torch.no_grad():
        moved = motion(torch.cat([rgb, alpha], 1), random)
        before, found = moved[:, :3], moved[:, 3:].contiguous()
        rows = random.rows(count, doubt / 2)
        if len(rows):
            found[rows] = spoil(found[rows], random)
        rows = random.rows(count, OWN)
        seen = (before[rows] + random.normal(before[rows]) * GRAIN).clamp(0, 1)
        known = found[rows] * (random.uniform(len(rows), 0, 1) < 0.5)  # half of them are a stream's first frame
        if len(rows):
            seen, known = (part.contiguous(memory_format=torch.channels_last) for part in (seen, known))
            found[rows] = torch.sigmoid(net(seen, known)[0].float())
        found[random.rows(count, doubt / 2)] = 0
    return found


def motion(planes: Tensor, random: Random) -> Tensor:
    """Planes (n, c, h, w) as they may have been a frame ago: shift, scale and turn of one speed for each."""
    count = len(planes)
    speed = random.uniform(count, 0, 1)
    scale = torch.exp(random.uniform(count, -1, 1) * speed * math.log(SCALE))
    turn = random.uniform(count, -1, 1) * speed * math.radians(TURN_DEG)
    x, y = (random.uniform(count, -1, 1) * speed * SHIFT * 2 for _ in range(2))  # in halves of the sides
    return warp(planes, scale, torch.ones_like(scale), turn, x, y)


def spoil(alpha: Tensor, random: Random) -> Tensor:
    """Alphas (n, 1, h, w), each with one mistake."""
    stranger = alpha.roll(1, 0).flip(3)  # of another sample; mirrored, it is a wrong one in a batch of one, too
    spoilt = torch.stack([fault(alpha, stranger, random) for fault in FAULTS])
    kind = random.uniform(len(alpha), 0, len(FAULTS)).long().clamp_max(len(FAULTS) - 1)
    return torch.gather(spoilt, 0, kind[None].expand(1, *alpha.shape))[0]


def _blurred(alpha: Tensor, stranger: Tensor, random: Random) -> Tensor:
    return gaussian(alpha, BLUR_PX, random)


def _weak(alpha: Tensor, stranger: Tensor, random: Random) -> Tensor:
    return alpha * random.uniform(len(alpha), 0.2, 0.8)


def _hole(alpha: Tensor, stranger: Tensor, random: Random) -> Tensor:
    return alpha * (1 - thing(alpha, random)[0])


def _blob(alpha: Tensor, stranger: Tensor, random: Random) -> Tensor:
    return torch.maximum(alpha, thing(alpha, random)[0])


def _company(alpha: Tensor, stranger: Tensor, random: Random) -> Tensor:
    return torch.maximum(alpha, stranger)


def _stranger(alpha: Tensor, stranger: Tensor, random: Random) -> Tensor:
    return stranger


def _everything(alpha: Tensor, stranger: Tensor, random: Random) -> Tensor:
    return random.uniform(len(alpha), 0.2, 1.0).expand_as(alpha)


FAULTS: tuple[Callable[[Tensor, Tensor, Random], Tensor], ...] = (
    _blurred,
    _weak,
    _hole,
    _blob,
    _company,
    _stranger,
    _everything,
)
"""Mistakes: unsure, a part or a person missing, a person too many, another person (a cut), the whole room."""
