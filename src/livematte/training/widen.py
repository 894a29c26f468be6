"""A wider network that computes what the narrower one does, to be trained on from there.

New channels are copies of channels that are there. Whatever reads a copied channel shares its weight between the
copies, unevenly and by chance: the sums stay the same, and the copies part ways from the first step of training.

Source: Chen et al., "Net2Net: Accelerating Learning via Knowledge Transfer", 2016, section 2.2 (Net2WiderNet).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from livematte._errors import OptionError
from livematte.training.net import rounded
from livematte.training.nets import Network
from livematte.training.nets._graph import Graph, Node
from livematte.training.nets.recurrent import Recurrent

CONVOLUTIONS = ("Conv", "ConvTranspose")

MOST = 4.0
"""Largest factor; from there on noise is the better start."""

Copies = Callable[[str], Tensor | None]
"""Of a tensor's name: for each of its new channels the old one it copies; None if it keeps its channels."""


def widen(net: Network, factor: float, seed: int = 0) -> Network:
    """A network with more channels everywhere, and the same alphas up to rounding.

    Args:
        net: made of a published graph, such as `mediapipe:landscape`; recurrent or not. Not changed.
        factor: of every number of channels between picture and alpha, 1-4; they come in steps of 8.
        seed: of what is copied, and of how weights are shared.

    Raises:
        OptionError: `factor` is out of range, or the network is of another kind.
    """
    graph = net.core
    if not isinstance(graph, Graph) or any(map(_is_strange, graph.shape.nodes)):
        raise OptionError(
            f"a network that started as mediapipe:... can be widened, not one of {graph.architecture}; "
            "our own are made wider, from noise, by width in a recipe"
        )
    if not 1 <= factor <= MOST:
        raise OptionError(f"the factor of channels lies between 1 and {MOST:g}, got {factor}")
    chance = torch.Generator().manual_seed(seed)
    copies = _copies(graph, factor, chance)
    nodes = tuple(_wider(node, copies) for node in graph.shape.nodes)
    wide: Network = type(graph)(replace(graph.shape, nodes=nodes))
    wide.load_state_dict(_state(graph, copies, chance))
    if isinstance(net, Recurrent):
        wide = _with_previous(wide, net, copies)
    return wide.train(net.training)


def _is_strange(node: Node) -> bool:
    """Whether channels of it are neither all mixed nor each by itself."""
    if node.kind in CONVOLUTIONS:
        return node.options["groups"] not in (1, *node.options["channels"])
    return node.kind in ("Concat", "Constant")


def _copies(graph: Graph, factor: float, chance: torch.Generator) -> Copies:
    """Choose what is copied. Tensors that meet channel by channel have the same copies."""
    family: dict[str, str] = {}

    def first(name: str) -> str:
        while family.setdefault(name, name) != name:
            name = family[name]
        return name

    channels: dict[str, int] = {}
    shape = graph.shape
    for node in shape.nodes:
        if node.kind in CONVOLUTIONS:
            inputs, outputs = node.options["channels"]
            channels |= {node.inputs[0]: inputs, node.output: outputs}
        if node.kind not in CONVOLUTIONS or node.options["groups"] > 1:
            for name in node.inputs:
                family[first(name)] = first(node.output)
    kept = {first(shape.input), first(shape.output)}  # colours and logits
    chosen: dict[str, Tensor] = {}
    for name, count in channels.items():
        if (root := first(name)) not in kept and root not in chosen:
            more = max(count, rounded(count * factor)) - count if factor > 1 else 0
            drawn = torch.randint(count, (more,), generator=chance)
            chosen[root] = torch.cat([torch.arange(count), drawn])
    return lambda name: chosen.get(first(name))


def _wider(node: Node, copies: Copies) -> Node:
    """The node with its new numbers of channels."""
    options: dict[str, Any] = dict(node.options)
    if node.kind in CONVOLUTIONS:
        ends = zip(options["channels"], (node.inputs[0], node.output), strict=True)
        options["channels"] = tuple(count if (own := copies(name)) is None else len(own) for count, name in ends)
        if options["groups"] > 1:
            options["groups"] = options["channels"][0]
    return replace(node, options=options)


def _state(graph: Graph, copies: Copies, chance: torch.Generator) -> dict[str, Tensor]:
    """The wider network's weights."""
    state = {name: value.clone() for name, value in graph.state_dict().items()}
    for node in graph.shape.nodes:
        if node.kind not in CONVOLUTIONS:
            continue
        prefix = f"layers.{node.options['layer']}."
        outputs, inputs = (0, 1) if node.kind == "Conv" else (1, 0)
        for name in [name for name in state if name.startswith(prefix)]:
            if (made := copies(node.output)) is not None:
                at = 0 if name.endswith("bias") else outputs
                state[name] = state[name].index_select(at, made)
            if name.endswith("weight") and node.options["groups"] == 1 and (read := copies(node.inputs[0])) is not None:
                state[name] = _shared(state[name].transpose(0, inputs), read, chance).transpose(0, inputs).contiguous()
    return state


def _shared(weight: Tensor, read: Tensor, chance: torch.Generator) -> Tensor:
    """Weights (old inputs, ...) for the new inputs; those of all copies of an input sum up to what it had."""
    parts = 0.5 + torch.rand((len(read), *weight.shape[1:]), generator=chance)
    sums = torch.zeros_like(weight).index_add_(0, read, parts)
    return weight[read] * (parts / sums[read])


def _with_previous(wide: Network, net: Recurrent, copies: Copies) -> Recurrent:
    """The wider network with what the narrower one makes of the previous matte."""
    whole = Recurrent(wide)
    graph = net.core
    assert isinstance(graph, Graph)
    made = copies(next(node.output for node in graph.shape.nodes if node.inputs == (graph.shape.input,)))
    assert made is not None
    whole.previous.load_state_dict({name: value[made] for name, value in net.previous.state_dict().items()})
    return whole
