"""Weights between those that training started from and those that it ended with.

What was trained on for one end, such as steadiness, loses some of what it could before. Between the two
points lie networks that have most of both, as long as one is trained on from the other.

Source: Wortsman et al., "Robust Fine-Tuning of Zero-Shot Models", 2022, section 3.
"""

from __future__ import annotations

import torch

from livematte._errors import OptionError
from livematte.training.nets import RECURRENT, Network
from livematte.training.nets.recurrent import recurrent


def mix(start: Network, end: Network, share: float) -> Network:
    """`end` with the weights `(1 - share) * start + share * end`.

    Args:
        start: what `end` was trained on from; it need not know the previous matte if `end` does.
        end: changed, and returned.
        share: of `end`, 0-1.

    Raises:
        OptionError: `share` is out of range, or the two are not of one shape.
    """
    if not 0 <= share <= 1:
        raise OptionError(f"the share of the second weights lies between 0 and 1, got {share}")
    if end.architecture == RECURRENT:
        start = recurrent(start)
    if (start.architecture, start.describe()) != (end.architecture, end.describe()):
        raise OptionError("the two networks are not of one shape: the second must have been trained on from the first")
    before = start.state_dict()
    with torch.no_grad():
        for name, value in end.state_dict().items():
            if value.is_floating_point():  # counts of batches are whole
                value.lerp_(before[name], 1 - share)
    return end
