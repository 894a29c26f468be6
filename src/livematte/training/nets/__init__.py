"""Networks that can be trained: our own, and those of others that bring weights along.

A recipe says `net = "mediapipe:landscape"`: the part before the colon is a file of this folder, the
rest is for that file to understand. A plugin offers

    create(argument)    the network with the weights it starts from
    restore(config)     the same shape again, from what the network says of itself; no weights, no files

so that a file of weights holds everything that is needed to build its network, and no code.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, NamedTuple

from torch import Tensor, nn

from livematte import _registry
from livematte._errors import OptionError, WeightsError

FOLDER = "training.nets"
"""Of the plugins, for the registry."""

OWN = "livematte"
"""The plugin whose names need no prefix: `fast` is `livematte:fast`."""

RECURRENT = "recurrent"
"""The plugin that gives the previous matte to any other."""

STRIDE = 16
"""Sides of pictures are multiples of this, unless a network says otherwise."""

Logits = tuple[Tensor, Tensor | Sequence[Tensor]]
"""Logits of the alpha (n, 1, h, w), and smaller ones that help training: one, several or none."""


class ResidualLayers(NamedTuple):
    """Names of the layers of an inverted residual: three convolutions without bias, their batch normalisations."""

    wide: str
    first: str
    depthwise: str
    second: str
    out: str
    last: str


class Network(nn.Module):
    """What is trained: RGB 0-1 in, logits out, at the size of the input.

    `forward` takes (n, 3, h, w) float in 0-1 and returns `Logits`.
    """

    architecture: ClassVar[str]
    """Name of its plugin."""

    size: tuple[int, int] = (256, 144)
    """Width and height of the picture it was made for."""

    rounding: float = 1e-4
    """Largest difference of an alpha that float32 explains, between two ways to compute it."""

    @property
    def core(self) -> Network:
        """It without what may be put around any network."""
        return self

    def describe(self) -> dict[str, Any]:
        """Its shape, for `restore`: numbers, strings, lists and tables only."""
        raise NotImplementedError

    def residuals(self) -> list[ResidualLayers]:
        """The inverted residuals whose hidden channels pruning may take away; they bend at 0 and 6."""
        return []

    def narrower(self, keep: float) -> Network:
        """Its shape with a part of the hidden channels of each residual, 0-1; any weights."""
        raise NotImplementedError

    def facts(self) -> dict[str, Any]:
        """What a reader of an export may want to know of the shape; small."""
        return self.describe()

    def check_size(self, width: int, height: int) -> None:
        """Refuse a picture size that the network has no use for.

        Raises:
            OptionError: the sides do not fit.
        """
        check_sides((width, height))


def begin(spec: str, width: float = 1.0, depth: float = 1.0) -> Network:
    """The network that a recipe names, with the weights it starts from.

    Args:
        spec: `fast`, or `NAME:ARGUMENT` as the plugin NAME understands it.
        width, depth: multipliers of our own networks.

    Raises:
        OptionError: no such network, or one that has no width.
        MissingExtra, UnknownName, WeightsError, LoadError: of the plugin.
    """
    name, argument = _registry.split(spec)
    known = _registry.names(FOLDER)
    if name not in known:
        name, argument = OWN, spec
    plugin = _registry.load(FOLDER, name)
    if name == OWN:
        own: Network = plugin.create(argument, width=width, depth=depth)
        return own
    if (width, depth) != (1, 1):
        raise OptionError(f"width and depth are of our own networks; {spec} has the shape of its weights")
    net: Network = plugin.create(argument)
    return net


def others() -> str:
    """The names of the other plugins, for messages."""
    return ", ".join(f"{name}:..." for name in _registry.names(FOLDER) if name not in (OWN, RECURRENT))


def restore(architecture: str, config: Mapping[str, Any]) -> Network:
    """A network of the shape that `Network.describe` gave, with any weights.

    Raises:
        WeightsError: no such architecture, or a shape it does not understand.
        MissingExtra: of the plugin.
    """
    if architecture not in (known := _registry.names(FOLDER)):
        raise WeightsError(f"these weights are of a network {architecture!r}; there are: {', '.join(known)}")
    try:
        net: Network = _registry.load(FOLDER, architecture).restore(config)
    except (KeyError, TypeError, ValueError) as exc:
        raise WeightsError(f"the shape of this {architecture} network cannot be read: {exc!r}") from exc
    return net


def check_sides(sides: tuple[int, int], step: int = STRIDE, rest: tuple[int, int] = (0, 0)) -> None:
    """Refuse sides that are not `rest` more than a multiple of `step`, or under twice that.

    Raises:
        OptionError: the message says which are taken.
    """
    if all(side >= 2 * step and side % step == more for side, more in zip(sides, rest, strict=True)):
        return
    got = "x".join(map(str, sides))
    if rest == (0, 0):
        raise OptionError(f"the network takes sides that are multiples of {step}, got {got}")
    raise OptionError(f"the network takes a width of {rest[0]} and a height of {rest[1]} over {step}s, got {got}")
