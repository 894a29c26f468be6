"""The state of a training: networks, optimiser, step; from nothing, from weights, or from a checkpoint."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from livematte._errors import OptionError
from livematte.training.net import Net, load_weights
from livematte.training.nets import OWN, Network, begin, restore
from livematte.training.nets.recurrent import recurrent
from livematte.training.recipe import Recipe, same

INIT = "init"
"""Name of the network whose shape is that of the weights it starts from."""


@dataclass(slots=True)
class State:
    """What a checkpoint holds."""

    net: Network
    averaged: Network
    optimizer: torch.optim.Optimizer
    step: int = 0
    best_iou: float = -1.0
    sums: dict[str, Tensor] = field(default_factory=dict)
    """Losses since the last line of the log."""

    def held(self, recipe: Recipe) -> dict[str, Any]:
        """It as a checkpoint has it, with the recipe that it belongs to."""
        return {
            "recipe": asdict(recipe),
            "architecture": self.net.architecture,
            "config": self.net.describe(),
            "step": self.step,
            "best_iou": self.best_iou,
            "net": self.net.state_dict(),
            "averaged": self.averaged.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "sums": self.sums,
        }


def start(recipe: Recipe, init: Path | None, held: dict[str, Any] | None, device: torch.device) -> State:
    """Networks and optimiser as the recipe or a checkpoint has them.

    Args:
        recipe: what decides the weights.
        init: weights to start from; None starts from noise.
        held: the checkpoint to go on from, if there is one.
        device: where to put them.

    Raises:
        OptionError: the run was begun with another recipe, or the recipe contradicts `init`.
        WeightsError: weights that do not fit the recipe.
    """
    torch.manual_seed(recipe.seed)  # the only draw outside of a step: the noise that weights start from
    net = _begin(recipe, init) if held is None else restore(held.get("architecture", OWN), held["config"])
    averaged = restore(net.architecture, net.describe())
    averaged.load_state_dict(net.state_dict())
    averaged.requires_grad_(False).eval()
    net, averaged = (_channels_last(n.to(device)) for n in (net, averaged))
    decayed = [p for p in net.parameters() if p.ndim > 1]
    others = [p for p in net.parameters() if p.ndim <= 1]
    groups = [{"params": decayed, "weight_decay": recipe.weight_decay}, {"params": others, "weight_decay": 0.0}]
    state = State(net, averaged, torch.optim.AdamW(groups, lr=recipe.stages[0].lr))
    if held is not None:
        if not same(held["recipe"], recipe):
            raise OptionError("the run was begun with another recipe: use that one, or another --out")
        net.load_state_dict(held["net"])
        averaged.load_state_dict(held["averaged"])
        state.optimizer.load_state_dict(held["optimizer"])
        sums = {name: value.to(device) for name, value in held["sums"].items()}
        state = replace(state, step=held["step"], best_iou=held["best_iou"], sums=sums)
    return state


def _begin(recipe: Recipe, init: Path | None) -> Network:
    """The network that the recipe names, from weights or from noise, with the input that it asks for."""
    net = _named(recipe, init)
    return recurrent(net) if recipe.recurrent else net


def _named(recipe: Recipe, init: Path | None) -> Network:
    """The network of the recipe's `net`."""
    if recipe.net == INIT:
        if init is None:
            raise OptionError(f"a recipe whose net is {INIT} takes its shape from weights: pass --init FILE")
        return load_weights(init)
    net = begin(recipe.net, recipe.width, recipe.depth)
    if init is None:
        return net
    if not isinstance(net, Net):
        raise OptionError(
            f"{recipe.net} brings its own weights: leave out --init, or write net = {INIT!r} to go on from {init}"
        )
    return load_weights(init, net.config)


def _channels_last(net: Network) -> Network:
    """Pixels together, as the quick convolutions of processors and graphics cards want them."""
    placed: Network = net.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    return placed
