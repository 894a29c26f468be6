"""Encoders that have learnt ImageNet, from the package timm, with our own decoder. Adapter of timm.

`timm:mobilenetv3_small_100` has timm download the encoder's weights, `timm:NAME:FILE` takes them from
a file (.pth or .safetensors), `timm:NAME:noise` starts from noise. Every encoder of timm fits that has
maps at 1/2, 1/4, 1/8 and 1/16: MobileNetV2 to V4, EfficientNet and its Lite, ResNet and others. What
comes after 1/16 is left away.

Source: Howard et al., "Searching for MobileNetV3", 2019; Tan and Le, "EfficientNet", 2019.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, replace
from importlib.util import find_spec
from pathlib import Path
from textwrap import shorten
from typing import Any

import torch
from torch import Tensor, nn

from livematte._errors import MissingExtra, OptionError, UnknownName, WeightsError
from livematte.training.net import Pyramid, quicken, rounded
from livematte.training.nets import ResidualLayers

REDUCTIONS = [2, 4, 8, 16]
"""The decoder's maps are the picture over these."""

NOISE = "noise"
"""In place of a file: no weights."""

LAYERS = ("conv_pw", "bn1", "conv_dw", "bn2", "conv_pwl", "bn3")
"""Of timm's inverted residuals, in the order they run."""

DECODER, EXPAND, DENSE = (32, 32, 16), 1.0, False
"""Shape of the decoder: the channels of `base`, the layers of `fast`."""


@dataclass(frozen=True, slots=True)
class Shape:
    """An encoder and its decoder.

    Args:
        encoder: timm's name.
        mean, std: of the pictures it was trained on, red, green, blue in 0-1.
        maps: channels of its maps.
        decoder, expand, dense: as in a `NetConfig`.
        hidden: channels inside of each inverted residual that can be pruned, in their order; none given, timm's own.
    """

    encoder: str
    mean: tuple[float, ...]
    std: tuple[float, ...]
    maps: tuple[int, ...]
    decoder: tuple[int, int, int] = DECODER
    expand: float = EXPAND
    dense: bool = DENSE
    hidden: tuple[int, ...] = ()


class Timm(Pyramid):
    """Logits of the alpha.

    Args:
        shape: what the encoder and the decoder are.
        encoder: makes the four maps.
    """

    architecture = "timm"

    def __init__(self, shape: Shape, encoder: nn.Module) -> None:
        super().__init__()
        self.shape = shape
        self.encoder = encoder
        self.mean: Tensor
        self.std: Tensor
        for name, values in (("mean", shape.mean), ("std", shape.std)):
            self.register_buffer(name, torch.tensor(values).view(1, 3, 1, 1), persistent=False)
        c2, c4, c8, c16 = shape.maps
        self._decoder((c2, c4, c8, c16), shape.decoder, shape.expand, shape.dense)

    def describe(self) -> dict[str, Any]:
        return asdict(self.shape)

    def residuals(self) -> list[ResidualLayers]:
        return [ResidualLayers(*(f"encoder.{name}.{layer}" for layer in LAYERS)) for name in _residuals(self.encoder)]

    def narrower(self, keep: float) -> Timm:
        blocks: Iterable[Any] = map(self.encoder.get_submodule, _residuals(self.encoder))
        hidden = tuple(rounded(block.conv_dw.out_channels * keep) for block in blocks)
        return restore(asdict(replace(self.shape, hidden=hidden)))

    def forward(self, rgb: Tensor) -> tuple[Tensor, Tensor]:
        """Logits (n, 1, h, w) of (n, 3, h, w) in 0-1, and those at 1/16 that help training."""
        return self.decode(*self.encoder((rgb - self.mean) / self.std))


def create(argument: str | None) -> Timm:
    """An encoder with its weights, a decoder without.

    Args:
        argument: `NAME`, `NAME:FILE` or `NAME:noise`.

    Raises:
        MissingExtra: timm is not installed.
        UnknownName: timm has no such encoder.
        OptionError: no name, or an encoder that has no such maps.
        WeightsError: its weights cannot be had.
    """
    name, _, source = (argument or "").partition(":")
    if not name:
        raise OptionError("timm takes the name of an encoder, such as timm:mobilenetv3_small_100")
    encoder = _encoder(name, source)
    known = encoder.pretrained_cfg
    maps = tuple(encoder.feature_info.channels())
    return Timm(Shape(name, tuple(known["mean"]), tuple(known["std"]), maps), encoder)


def restore(config: Mapping[str, Any]) -> Timm:
    """The shape that `describe` gave."""
    shape = Shape(**config)
    encoder = _encoder(shape.encoder, NOISE)
    if shape.hidden:
        for name, hidden in zip(_residuals(encoder), shape.hidden, strict=True):
            _narrow(encoder.get_submodule(name), hidden)
    return Timm(shape, encoder)


def _residuals(encoder: nn.Module) -> list[str]:
    """Names of the inverted residuals that have nothing else inside, and whose bend is that of ReLU6."""
    from timm.models._efficientnet_blocks import InvertedResidual

    def plain(block: Any) -> bool:
        bends = (block.bn1.act, block.bn2.act)
        return isinstance(block.se, nn.Identity) and all(isinstance(bend, nn.ReLU6) for bend in bends)

    found = [(name, block) for name, block in encoder.named_modules() if type(block) is InvertedResidual]
    return [name for name, block in found if plain(block)]


def _narrow(block: Any, hidden: int) -> None:
    """Give an inverted residual so many channels inside, with weights of any kind."""
    block.conv_pw = nn.Conv2d(block.conv_pw.in_channels, hidden, 1, bias=False)
    block.conv_pwl = nn.Conv2d(hidden, block.conv_pwl.out_channels, 1, bias=False)
    deep = block.conv_dw
    deep.in_channels = deep.out_channels = deep.groups = hidden
    deep.weight = nn.Parameter(deep.weight[:1].repeat(hidden, 1, 1, 1))
    for norm in (block.bn1, block.bn2):
        norm.num_features = hidden
        for name in ("weight", "bias"):
            setattr(norm, name, nn.Parameter(torch.ones(hidden)))
        for name in ("running_mean", "running_var"):
            setattr(norm, name, torch.ones(hidden))


def _encoder(name: str, source: str) -> Any:
    """An encoder from timm's own weights, from a file, or from noise."""
    if find_spec("timm") is None:
        raise MissingExtra('encoders of timm need timm: pip install "livematte[train,timm]"')
    try:
        import timm
    except Exception as exc:  # torchvision that was built for another torch: any error
        raise MissingExtra(
            f"timm cannot be imported, its torchvision and torch must be of one kind ({shorten(str(exc), 200)}): "
            'pip install --force-reinstall "livematte[train,timm]"'
        ) from exc
    if not timm.is_model(name):
        near = difflib.get_close_matches(name, timm.list_models(), n=3)
        hint = f"; did you mean {' or '.join(near)}?" if near else ""
        raise UnknownName(f"timm has no encoder {name!r}{hint}")
    given: dict[str, Any] = {"pretrained": source != NOISE}
    state: dict[str, Tensor] = {}
    if source and source != NOISE:
        state = _state(Path(source))
        given["pretrained_cfg_overlay"] = {"state_dict": state}
    try:
        encoder: Any = timm.create_model(name, features_only=True, out_indices=tuple(range(len(REDUCTIONS))), **given)
    except Exception as exc:  # of the network, of the hub's client, or of a model without maps
        why = shorten(str(exc), 200)
        if not given["pretrained"]:
            raise OptionError(f"timm cannot make an encoder of {name}: {why}") from exc
        raise WeightsError(f"no weights for {name}: {why}. Write timm:{name}:FILE, or timm:{name}:{NOISE}") from exc
    if (found := encoder.feature_info.reduction()) != REDUCTIONS:
        raise OptionError(f"{name} has maps at 1/{', 1/'.join(map(str, found))}, the decoder needs 1/2, 1/4, 1/8, 1/16")
    _cut(encoder)
    if state:
        _check(encoder, state, source, name)
    quicken(encoder)
    return encoder


def _state(path: Path) -> dict[str, Tensor]:
    """The weights in a file; nothing in it is run."""
    from timm.models import load_state_dict

    if not path.is_file():
        raise WeightsError(f"cannot read weights from {path}: there is no such file")
    try:
        state: dict[str, Tensor] = load_state_dict(str(path), device="cpu", weights_only=True)
    except Exception as exc:  # damaged bytes raise anything
        raise WeightsError(f"{path} holds no weights: {shorten(str(exc), 200)}") from exc
    return state


def _cut(encoder: Any) -> None:
    """Take away the blocks after the last map: they would be computed, and never learn."""
    last = encoder.feature_info.module_name()[-1].split(".")
    if last[0] == "blocks":
        encoder.blocks = encoder.blocks[: int(last[1]) + 1]


def _check(encoder: nn.Module, state: Mapping[str, Tensor], source: str, name: str) -> None:
    """Refuse a file of another network, in which timm would pass over what it does not find."""
    held = {key.replace(".", "_") for key in state}  # timm's own lists of layers write one for the other
    missing = [key for key, _ in encoder.named_parameters() if key.replace(".", "_") not in held]
    if missing:
        raise WeightsError(f"{source} is not of {name}: it lacks {len(missing)} weights, such as {missing[0]}")
