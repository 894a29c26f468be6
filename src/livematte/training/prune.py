"""Structured pruning: inverted residuals lose the channels that matter least, and become quicker at once.

Only the wide layers inside of the residuals are cut, where most of the work is; what the blocks hand
to each other keeps its width. The result is a smaller network like any other, to be trained on for a
while with `livematte train --init` and a recipe whose `net` is `init`.

Source: channels are judged by what they add to their block's output, after Liu et al., "Learning
Efficient Convolutional Networks through Network Slimming", 2017, section 3, with the weights that
follow counted in.
"""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor, nn

from livematte._errors import OptionError
from livematte.training.net import Net, Residual
from livematte.training.nets import Network

QUANTILES = 65
"""Points of the normal distribution that stand for the values of a channel."""


def prune(net: Network, keep: float) -> Net:
    """A network with the best part of the channels inside of each inverted residual.

    Args:
        net: trained; not changed.
        keep: part of the channels that stays, 0-1; they come in steps of 8.

    Raises:
        OptionError: `keep` is out of range, or the network is not one of ours.
    """
    if not isinstance(net, Net):
        raise OptionError(f"only our own networks are pruned, and these weights are of {net.architecture}")
    if not 0 < keep <= 1:
        raise OptionError(f"the part of channels to keep lies between 0 and 1, got {keep}")
    old = net.config
    e4, e8, e16 = old.expand
    small = Net(replace(old, expand=(e4 * keep, e8 * keep, e16 * keep), decoder_expand=old.decoder_expand * keep))
    ours, theirs = dict(net.named_modules()), dict(small.named_modules())
    state = {name: value.clone() for name, value in net.state_dict().items()}
    for name, block in ours.items():
        if isinstance(block, Residual):
            fewer = theirs[f"{name}.b.1.0"].weight.shape[0]
            assert isinstance(fewer, int)
            state |= {f"{name}.b.{key}": value for key, value in _cut(block.b, fewer).items()}
    small.load_state_dict(state)
    return small.train(net.training)


def _cut(layers: nn.Module, count: int) -> dict[str, Tensor]:
    """State of a residual's layers with the `count` channels that add most to its output.

    What the others add on average goes into the mean that the last batch normalisation takes off.
    """
    state = {key: value.clone() for key, value in layers.state_dict().items()}
    square, mean = _moments(state["1.1.weight"], state["1.1.bias"])
    project = state["2.0.weight"]  # (outputs, hidden, 1, 1)
    adds = square.sqrt() * project.flatten(2).square().sum((0, 2)).sqrt()
    kept = adds.topk(count).indices.sort().values
    lost = torch.ones_like(adds).index_fill_(0, kept, 0.0)
    state["2.1.running_mean"] -= project[:, :, 0, 0] @ (mean * lost)
    for key, value in state.items():
        if key == "2.0.weight":
            state[key] = value[:, kept]
        elif key[0] in "01" and value.ndim:
            state[key] = value[kept]
    return state


def _moments(scale: Tensor, shift: Tensor) -> tuple[Tensor, Tensor]:
    """Mean square and mean of a channel after batch normalisation and the bend at 0 and 6, both (channels,)."""
    at = torch.special.ndtri((torch.arange(QUANTILES, device=scale.device) + 0.5) / QUANTILES)
    values = (shift[:, None] + scale[:, None] * at).clamp(0, 6)
    return values.square().mean(1), values.mean(1)
