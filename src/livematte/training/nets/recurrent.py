"""Any of the networks with the previous matte as a second input: `recurrent = true` in a recipe.

The matte of the frame before enters where the picture does: a copy of the picture's convolution that
takes one plane, with weights that start at zero, is added to what that convolution makes of the
picture. So the network starts out exactly as it was, it learns by itself how far to trust its past,
and a stream's first frame, whose previous matte is nobody (zeros), needs no case of its own. It costs
a thirtieth of the multiply-adds of `fast`.

Source: of a mask fed back to guide the next frame's, Perazzi et al., "Learning Video Object
Segmentation from Static Images", 2017, section 3.1.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any, NoReturn

import torch
from torch import Tensor, nn

from livematte._errors import OptionError
from livematte.training import nets
from livematte.training.nets import RECURRENT, Logits, Network

COLOURS = 3


class Recurrent(Network):
    """A network that also takes the previous matte.

    Args:
        net: with one convolution of the picture; becomes part of this one.

    Raises:
        OptionError: it has none, or several.
    """

    architecture = RECURRENT

    def __init__(self, net: Network) -> None:
        super().__init__()
        self.net = net
        self.size, self.rounding = net.size, net.rounding
        self._stem = _find(net)
        self._merged = False
        self.previous = _twin(net.get_submodule(self._stem))

    @property
    def core(self) -> Network:
        return self.net

    @property
    def stem(self) -> nn.Module:
        """What the picture goes into first."""
        return self.net.get_submodule(self._stem)

    def describe(self) -> dict[str, Any]:
        return {"architecture": self.net.architecture, "config": self.net.describe()}

    def facts(self) -> dict[str, Any]:
        return self.net.facts()

    def check_size(self, width: int, height: int) -> None:
        self.net.check_size(width, height)

    def forward(self, rgb: Tensor, previous: Tensor | None = None) -> Logits:
        """As the network that it is made of.

        Args:
            rgb: (n, 3, h, w) in 0-1.
            previous: (n, 1, h, w) in 0-1, the alpha of the frame before; None is nobody, like zeros.
        """
        before = torch.zeros_like(rgb[:, :1]) if previous is None else previous
        # handed in from outside, so that no network has to know of it
        if self._merged:
            hook = self.stem.register_forward_pre_hook(lambda module, given: torch.cat([given[0], before], 1))
        else:
            added = self.previous(before)
            hook = self.stem.register_forward_hook(lambda module, given, made: made + added)
        try:
            made: Logits = self.net(rgb)
            return made
        finally:
            hook.remove()

    def fold(self, norm: nn.BatchNorm2d) -> None:
        """Take over the scale of a batch normalisation that became part of `stem`."""
        assert norm.running_var is not None
        conv = _convolution(self.previous)
        with torch.no_grad():
            conv.weight *= (norm.weight / (norm.running_var + norm.eps).sqrt()).view(-1, 1, 1, 1)

    def merge(self) -> None:
        """Make one convolution of the two: the same sums, and quicker. For export: no state fits it again."""
        conv, other = _convolution(self.stem), _convolution(self.previous)
        conv.weight = nn.Parameter(torch.cat([conv.weight, other.weight], 1).detach())
        conv.in_channels += 1
        self._merged = True


def recurrent(net: Network) -> Recurrent:
    """A network with the input, unchanged if it has it.

    Raises:
        OptionError: the network does not allow for it.
    """
    return net if isinstance(net, Recurrent) else Recurrent(net)


def create(argument: str | None) -> NoReturn:
    """No name for a recipe's `net`: there is one way to say it.

    Raises:
        OptionError: always.
    """
    raise OptionError(f"write net = {argument or 'fast'!r}, and recurrent = true in a line of its own")


def restore(config: Mapping[str, Any]) -> Recurrent:
    """The shape that `describe` gave."""
    return Recurrent(nets.restore(config["architecture"], config["config"]))


def _find(net: Network) -> str:
    """Name of the picture's convolution, or of the module that only pads for it."""
    found = [
        name
        for name, module in net.named_modules()
        if isinstance(module, nn.Conv2d) and module.in_channels == COLOURS and module.groups == 1
    ]
    if len(found) != 1:
        raise OptionError(
            f"the previous matte goes beside the only convolution of three colours, and this {net.architecture} "
            f"network has {len(found)} of them: leave out recurrent = true, or take another network"
        )
    name: str = found[0]
    holder = name.rpartition(".")[0]
    return holder if holder and len(list(net.get_submodule(holder).children())) == 1 else name


def _twin(stem: nn.Module) -> nn.Module:
    """The same convolution, padding and all, of one plane and with weights of zero."""
    twin = copy.deepcopy(stem)
    conv = _convolution(twin)
    conv.in_channels, conv.bias = 1, None
    conv.weight = nn.Parameter(torch.zeros_like(conv.weight[:, :1]))
    return twin


def _convolution(module: nn.Module) -> nn.Conv2d:
    """The one convolution that there is in a module."""
    return next(part for part in module.modules() if isinstance(part, nn.Conv2d))
