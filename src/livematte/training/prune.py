"""Structured pruning: inverted residuals lose the channels that matter least, and become quicker at once.

Only the wide layers inside of the residuals are cut, where most of the work is; what the blocks hand
to each other keeps its width. The result is a smaller network like any other, to be trained on for a
while with `livematte train --init` and a recipe whose `net` is `init`.

Source: channels are judged by what they add to their block's output, after Liu et al., "Learning
Efficient Convolutional Networks through Network Slimming", 2017, section 3, with the weights that
follow counted in.
"""

from __future__ import annotations

import torch
from torch import Tensor

from livematte._errors import OptionError
from livematte.training.nets import Network, ResidualLayers

QUANTILES = 65
"""Points of the normal distribution that stand for the values of a channel."""


def prune(net: Network, keep: float) -> Network:
    """A network with the best part of the channels inside of each inverted residual.

    Args:
        net: trained; not changed.
        keep: part of the channels that stays, 0-1; they come in steps of 8.

    Raises:
        OptionError: `keep` is out of range, or the network has no inverted residuals that it could name.
    """
    if not (blocks := net.residuals()):
        raise OptionError(f"only inverted residuals are pruned, and these weights are of {net.architecture}")
    if not 0 < keep <= 1:
        raise OptionError(f"the part of channels to keep lies between 0 and 1, got {keep}")
    small = net.narrower(keep)
    state = {name: value.clone() for name, value in net.state_dict().items()}
    for layers in blocks:
        _cut(state, layers, len(small.get_parameter(f"{layers.depthwise}.weight")))
    small.load_state_dict(state)
    return small.train(net.training)


def _cut(state: dict[str, Tensor], layers: ResidualLayers, count: int) -> None:
    """Leave the `count` channels of a residual that add most to its output in the state.

    What the others add on average goes into the mean that the last batch normalisation takes off.
    """
    square, mean = _moments(state[f"{layers.second}.weight"], state[f"{layers.second}.bias"])
    project = state[f"{layers.out}.weight"]  # (outputs, hidden, 1, 1)
    adds = square.sqrt() * project.flatten(2).square().sum((0, 2)).sqrt()
    kept = adds.topk(count).indices.sort().values
    lost = torch.ones_like(adds).index_fill_(0, kept, 0.0)
    state[f"{layers.last}.running_mean"] -= project[:, :, 0, 0] @ (mean * lost)
    state[f"{layers.out}.weight"] = project[:, kept]
    inside = (layers.wide, layers.first, layers.depthwise, layers.second)
    for name, value in state.items():
        if name.rpartition(".")[0] in inside and value.ndim:
            state[name] = value[kept]


def _moments(scale: Tensor, shift: Tensor) -> tuple[Tensor, Tensor]:
    """Mean square and mean of a channel after batch normalisation and the bend at 0 and 6, both (channels,)."""
    at = torch.special.ndtri((torch.arange(QUANTILES, device=scale.device) + 0.5) / QUANTILES)
    values = (shift[:, None] + scale[:, None] * at).clamp(0, 6)
    return values.square().mean(1), values.mean(1)
