"""The network: RGB in, one logit a pixel out, at the size of the input.

An encoder of inverted residuals goes down to 1/16 of the size, a vector of its global mean tells
every place what the whole picture is, and a small decoder comes up again with skips at 1/8, 1/4
and 1/2. A transposed convolution gives the full size. Every layer is a convolution, so that one
set of weights takes pictures of every size.

Source: inverted residuals, Sandler et al., "MobileNetV2", 2018, section 3.3; top-down decoder with
lateral 1x1 convolutions, Lin et al., "Feature Pyramid Networks", 2017, section 3.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import interpolate

from livematte._errors import WeightsError
from livematte._weights import PACKAGED
from livematte.training.nets import OWN, RECURRENT, Network, ResidualLayers, check_sides, restore

CHANNEL_MULTIPLE = 8
"""Channels come in such steps: the width of a vector register in float32."""

LAST, BEST = "weights.pt", "best.pt"
"""Weights in a run's folder: of its end, and those that did best in validation."""


@dataclass(frozen=True, slots=True)
class NetConfig:
    """The shape of a network.

    Args:
        stem: channels at 1/2 of the size.
        channels: at 1/4, 1/8 and 1/16.
        blocks: inverted residuals at 1/4, 1/8 and 1/16; the first of the last two goes down.
        expand: channels within an inverted residual over those at its input.
        kernel: side of the depthwise convolutions that stay at their size, at 1/4, 1/8, 1/16.
        decoder: channels of the decoder at 1/8, 1/4 and 1/2.
        decoder_expand: `expand` of the decoder.
        dense: full 3x3 convolutions in going down to 1/4 and at 1/2 of the decoder; otherwise
            depthwise ones with a 1x1, at a tenth of the work.
    """

    stem: int = 16
    channels: tuple[int, int, int] = (32, 48, 96)
    blocks: tuple[int, int, int] = (1, 3, 6)
    expand: tuple[float, float, float] = (2, 3, 4)
    kernel: tuple[int, int, int] = (3, 3, 5)
    decoder: tuple[int, int, int] = (32, 32, 16)
    decoder_expand: float = 2
    dense: bool = True

    def scaled(self, width: float = 1.0, depth: float = 1.0) -> NetConfig:
        """A wider or narrower, deeper or shallower network of this shape.

        Args:
            width: factor of every number of channels, rounded to multiples of 8.
            depth: factor of the numbers of blocks; one that goes down is always kept.
        """
        (c4, c8, c16), (d8, d4, d2), (n4, n8, n16) = self.channels, self.decoder, self.blocks
        return replace(
            self,
            stem=rounded(self.stem * width),
            channels=(rounded(c4 * width), rounded(c8 * width), rounded(c16 * width)),
            blocks=(round(n4 * depth), max(1, round(n8 * depth)), max(1, round(n16 * depth))),
            decoder=(rounded(d8 * width), rounded(d4 * width), rounded(d2 * width)),
        )


CONFIGS = {
    "fast": NetConfig(
        channels=(16, 32, 64),
        blocks=(0, 2, 5),
        expand=(2, 2, 3),
        decoder=(32, 16, 16),
        decoder_expand=1,
        dense=False,
    ),
    "base": NetConfig(),
}
"""The two sizes that are shipped; `base` has the shape of the seed network."""

SEED_NAMES = {
    "s1": "stem",
    "s2": "stage4",
    "s3": "stage8",
    "s4": "stage16",
    "gp": "context",
    "l4": "lateral16",
    "l3": "lateral8",
    "l2": "lateral4",
    "l1": "lateral2",
    "d3": "decode8",
    "d2": "decode4",
    "d1": "decode2",
    "out": "out",
    "aux": "aux",
}
"""First words of the seed network's weights, and ours."""


class Quick(nn.Conv2d):
    """What makes a depthwise convolution quick to train: float32 where bfloat16 is slow.

    oneDNN's bfloat16 gradient of a depthwise convolution takes 10 times as long as float32's if it
    strides, and twice as long at 5x5; the smallest ones are quicker in bfloat16.
    """

    def forward(self, x: Tensor) -> Tensor:
        """As the convolution that it is mixed into."""
        slow = self.stride[0] > 1 or self.kernel_size[0] > 3
        if not (slow and x.device.type == "cpu" and torch.is_autocast_enabled("cpu")):
            return super().forward(x)
        with torch.autocast("cpu", enabled=False):
            return super().forward(x.float()).to(x.dtype)


def quicken(net: nn.Module) -> None:
    """Make the depthwise convolutions of another's network quick to train."""
    for layer in net.modules():
        if isinstance(layer, nn.Conv2d) and layer.groups > 1:
            kind = type(layer)  # often a kind of its own, with a padding of its own
            layer.__class__ = type(kind.__name__, (Quick, kind), {})


class Residual(nn.Module):
    """An inverted residual: 1x1 wider, depthwise, 1x1 back; added to its input where that fits."""

    def __init__(self, inputs: int, outputs: int, expand: float, kernel: int = 3, stride: int = 1) -> None:
        super().__init__()
        hidden = rounded(inputs * expand)
        self.b = nn.Sequential(
            _conv(inputs, hidden, 1),
            _conv(hidden, hidden, kernel, stride, groups=hidden),
            _conv(hidden, outputs, 1, active=False),
        )
        self._adds = stride == 1 and inputs == outputs

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.b(x)
        return x + y if self._adds else y


class Pyramid(Network):
    """The decoder, and what every network with it has in common: an encoder's maps come in, logits go out."""

    def _decoder(
        self, maps: tuple[int, int, int, int], channels: tuple[int, int, int], expand: float, dense: bool
    ) -> None:
        """Make the layers.

        Args:
            maps: channels of the encoder's maps at 1/2, 1/4, 1/8 and 1/16.
            channels, expand, dense: `decoder`, `decoder_expand` and `dense` of a `NetConfig`.
        """
        c2, c4, c8, c16 = maps
        d8, d4, d2 = channels
        self.context = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Conv2d(c16, c16, 1), nn.ReLU6(), nn.Conv2d(c16, d8, 1))
        self.lateral16 = _conv(c16, d8, 1, active=False)
        self.lateral8 = _conv(c8, d8, 1, active=False)
        self.lateral4 = _conv(c4, d4, 1, active=False)
        self.lateral2 = _conv(c2, d2, 1, active=False)
        self.decode8 = Residual(d8, d4, expand)
        self.decode4 = Residual(d4, d2, expand)
        self.decode2 = _conv3(d2, d2, 1, dense)
        self.out = nn.ConvTranspose2d(d2, 1, 2, 2)
        self.aux = nn.Conv2d(d8, 1, 1)

    def decode(self, x2: Tensor, x4: Tensor, x8: Tensor, x16: Tensor) -> tuple[Tensor, Tensor]:
        """Logits, and those at 1/16 that help training, of the encoder's maps."""
        y = nn.functional.relu6(self.lateral16(x16) + self.context(x16))
        aux = self.aux(y)
        y = self.decode8(_up(y, x8) + self.lateral8(x8))
        y = self.decode4(_up(y, x4) + self.lateral4(x4))
        y = self.decode2(_up(y, x2) + self.lateral2(x2))
        return self.out(y), aux


class Net(Pyramid):
    """Logits of the alpha.

    Args:
        config: the shape.
    """

    architecture = OWN

    def __init__(self, config: NetConfig) -> None:
        super().__init__()
        self.config = config
        c4, c8, c16 = config.channels
        self.stem = _conv(3, config.stem, 3, 2)
        self.stage4 = nn.Sequential(
            _conv3(config.stem, c4, 2, config.dense),
            *(Residual(c4, c4, config.expand[0], config.kernel[0]) for _ in range(config.blocks[0])),
        )
        self.stage8 = _stage(c4, c8, config, 1)
        self.stage16 = _stage(c8, c16, config, 2)
        self._decoder((config.stem, c4, c8, c16), config.decoder, config.decoder_expand, config.dense)

    def residuals(self) -> list[ResidualLayers]:
        names = [name for name, module in self.named_modules() if isinstance(module, Residual)]
        layers = ("0.0", "0.1", "1.0", "1.1", "2.0", "2.1")
        return [ResidualLayers(*(f"{name}.b.{layer}" for layer in layers)) for name in names]

    def narrower(self, keep: float) -> Net:
        old = self.config
        e4, e8, e16 = old.expand
        return Net(replace(old, expand=(e4 * keep, e8 * keep, e16 * keep), decoder_expand=old.decoder_expand * keep))

    def describe(self) -> dict[str, Any]:
        return asdict(self.config)

    def forward(self, rgb: Tensor) -> tuple[Tensor, Tensor]:
        """Logits, and those at 1/16 that help training.

        Args:
            rgb: (n, 3, h, w) float, 0-1; h and w are even.

        Returns:
            (n, 1, h, w), and (n, 1, h/16, w/16) rounded up.
        """
        x2 = self.stem(rgb * 2 - 1)
        x4 = self.stage4(x2)
        x8 = self.stage8(x4)
        return self.decode(x2, x4, x8, self.stage16(x8))


class Matting(nn.Module):
    """What is exported: RGB 0-1 in, alpha 0-1 out; of a recurrent network the previous alpha in as well."""

    def __init__(self, net: Network) -> None:
        super().__init__()
        self.net = net

    @property
    def planes(self) -> tuple[int, ...]:
        """Planes of each input."""
        return (3, 1) if self.net.architecture == RECURRENT else (3,)

    def forward(self, rgb: Tensor, *previous: Tensor) -> Tensor:
        """Alpha (n, 1, h, w) of a picture (n, 3, h, w), after that of the frame before (n, 1, h, w) if it is taken."""
        return torch.sigmoid(self.net(rgb, *previous)[0])


def multiply_adds(net: nn.Module, width: int = 256, height: int = 144) -> int:
    """Multiply-adds of one picture: those of the convolutions, which are all there is to count."""
    total = 0

    def count(module: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> None:
        nonlocal total
        if isinstance(module, nn.ConvTranspose2d):
            total += inputs[0][0, 0].numel() * module.weight.numel()
        elif isinstance(module, nn.Conv2d):
            total += output[0, 0].numel() * module.weight.numel()

    hooks = [module.register_forward_hook(count) for module in net.modules()]
    training = net.training
    try:
        net.eval()
        with torch.inference_mode():
            net(torch.zeros(1, 3, height, width, device=next(net.parameters()).device))
    finally:
        net.train(training)
        for hook in hooks:
            hook.remove()
    return total


def weights(net: Network) -> dict[str, Any]:
    """What a weights file holds: name and shape of the network, and its state."""
    return {"architecture": net.architecture, "config": net.describe(), "state": net.state_dict()}


def find_weights(where: Path, best: bool = False) -> Path:
    """The weights file that somebody names.

    Args:
        where: a weights file, the folder of a run, or `livematte:TAG` for a network that ships with the package.
        best: of a run, the weights that did best in validation, not the last.

    Raises:
        WeightsError: no weights to train on ship under that name.
    """
    family, _, tag = str(where).partition(":")
    if family == OWN and tag:
        shipped = PACKAGED / tag / LAST
        if not shipped.is_file():
            known = ", ".join(sorted(f"{OWN}:{path.parent.name}" for path in PACKAGED.glob(f"*/{LAST}")))
            raise WeightsError(f"no weights to train on are in the package for {where}: there are those of {known}")
        return shipped
    return where / (BEST if best else LAST) if where.is_dir() else where


def load_weights(where: Path, config: NetConfig | None = None) -> Network:
    """The network of a weights file: of `weights`, or the seed network's.

    Args:
        where: as `find_weights` takes it.
        config: the shape of ours that it must have; None takes the file's network, whichever it is.

    Raises:
        WeightsError: missing, not such a file, or of another shape.
        MissingExtra: the network is made of a package that is not installed.
    """
    path = find_weights(where)
    try:
        held: Any = torch.load(path, map_location="cpu", weights_only=True)
    except OSError as exc:
        raise WeightsError(f"cannot read weights from {path}: {exc.strerror or exc}") from exc
    except Exception as exc:  # unpickling damaged bytes raises anything
        raise WeightsError(f"{path} is not a weights file of torch: {' '.join(str(exc).split())}") from exc
    if isinstance(held, dict) and "s1.0.weight" in held:
        held = {"config": asdict(CONFIGS["base"]), "state": _renamed(held)}
    if not isinstance(held, dict) or not {"config", "state"} <= held.keys():
        raise WeightsError(f"{path} holds no network: expected a file that `livematte train` wrote")
    net = restore(held.get("architecture", OWN), held["config"])  # ours did not always name themselves
    if config is not None and net.core.describe() != asdict(config):
        raise WeightsError(
            f"{path} is of another shape: it has {net.core.architecture} {net.facts()}, the recipe asks for {config}"
        )
    try:
        net.load_state_dict(held["state"])
    except RuntimeError as exc:
        raise WeightsError(f"{path} does not fit its own shape: {' '.join(str(exc).split())}") from exc
    return net


def check_size(width: int, height: int) -> None:
    """Refuse a picture size that our networks have no use for.

    Raises:
        OptionError: not a multiple of 16, or too small.
    """
    check_sides((width, height))


def _renamed(state: dict[str, Tensor]) -> dict[str, Tensor]:
    return {f"{SEED_NAMES[key.split('.')[0]]}.{key.partition('.')[2]}": value for key, value in state.items()}


def rounded(count: float) -> int:
    """The nearest number of channels that registers are filled with."""
    return max(CHANNEL_MULTIPLE, round(count / CHANNEL_MULTIPLE) * CHANNEL_MULTIPLE)


def _conv(inputs: int, outputs: int, kernel: int, stride: int = 1, groups: int = 1, active: bool = True) -> nn.Module:
    """Convolution, batch normalisation, and the bend if `active`."""
    kind = Quick if groups > 1 else nn.Conv2d
    layers = [
        kind(inputs, outputs, kernel, stride, kernel // 2, groups=groups, bias=False),
        nn.BatchNorm2d(outputs),
    ]
    return nn.Sequential(*layers, nn.ReLU6()) if active else nn.Sequential(*layers)


def _conv3(inputs: int, outputs: int, stride: int, dense: bool) -> nn.Module:
    """A 3x3 convolution, whole or as depthwise and 1x1."""
    if dense:
        return _conv(inputs, outputs, 3, stride)
    return nn.Sequential(_conv(inputs, inputs, 3, stride, groups=inputs, active=False), _conv(inputs, outputs, 1))


def _stage(inputs: int, outputs: int, config: NetConfig, index: int) -> nn.Module:
    """One block that goes down, always with a 3x3, and the others at the new size."""
    expand, kernel = config.expand[index], config.kernel[index]
    down = Residual(inputs, outputs, expand, 3, 2)
    return nn.Sequential(down, *(Residual(outputs, outputs, expand, kernel) for _ in range(config.blocks[index] - 1)))


def _up(x: Tensor, like: Tensor) -> Tensor:
    """`x` at the size of `like`."""
    return interpolate(x, size=like.shape[-2:], mode="bilinear", align_corners=False)
