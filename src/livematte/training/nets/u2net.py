"""U2-Net: a U of Us, 44 million parameters, or 1.1 million in its small form `p`.

`u2net:FILE.pth` starts from weights under the names that the authors' files use, and learns from them
which form it is; `u2net:full` and `u2net:p` start from noise. Every level has an output of its own,
which helps training: here at the size of its level, where the authors enlarge it first.

Source: Qin et al., "U2-Net: Going Deeper with Nested U-Structure for Salient Object Detection", 2020,
table 1 and figure 5.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import interpolate, max_pool2d

from livematte._errors import WeightsError
from livematte.training.nets import Logits, Network

MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
"""Of ImageNet; the networks were trained on colours from which it was taken."""

DILATED = 4
"""Stand-in for the height of the U that dilates in place of shrinking."""

STAGES = {
    "full": {
        "stage1": (7, 3, 32, 64),
        "stage2": (6, 64, 32, 128),
        "stage3": (5, 128, 64, 256),
        "stage4": (4, 256, 128, 512),
        "stage5": (0, 512, 256, 512),
        "stage6": (0, 512, 256, 512),
        "stage5d": (0, 1024, 256, 512),
        "stage4d": (4, 1024, 128, 256),
        "stage3d": (5, 512, 64, 128),
        "stage2d": (6, 256, 32, 64),
        "stage1d": (7, 128, 16, 64),
    },
    "p": {
        "stage1": (7, 3, 16, 64),
        **{f"stage{n}": (height, 64, 16, 64) for n, height in ((2, 6), (3, 5), (4, 4), (5, 0), (6, 0))},
        **{f"stage{n}d": (height, 128, 16, 64) for n, height in ((5, 0), (4, 4), (3, 5), (2, 6), (1, 7))},
    },
}
"""Height of each stage's U, 0 for the dilated one, and its channels: in, inside, out."""

LEVELS = 6


class Unit(nn.Sequential):
    """Convolution, batch normalisation, bend."""

    def __init__(self, inputs: int, outputs: int, dilation: int = 1) -> None:
        conv = nn.Conv2d(inputs, outputs, 3, padding=dilation, dilation=dilation)
        super().__init__(OrderedDict(conv_s1=conv, bn_s1=nn.BatchNorm2d(outputs), relu_s1=nn.ReLU()))


class Residual(nn.Module):
    """A U whose output is added to its input: RSU-7 to RSU-4, and RSU-4F, which dilates.

    Args:
        height: layers down, the last without shrinking; 0 for RSU-4F.
        inputs, inside, outputs: channels.
    """

    def __init__(self, height: int, inputs: int, inside: int, outputs: int) -> None:
        super().__init__()
        self._shrinks = height > 0
        self._height = height = height or DILATED
        down = [1] * (height - 1) + [2] if self._shrinks else [2**n for n in range(height)]
        up = [1] * (height - 1) if self._shrinks else down[:-1]
        self.rebnconvin = Unit(inputs, outputs)
        for n, dilation in enumerate(down, 1):
            self.add_module(f"rebnconv{n}", Unit(outputs if n == 1 else inside, inside, dilation))
        for n, dilation in reversed(list(enumerate(up, 1))):
            self.add_module(f"rebnconv{n}d", Unit(2 * inside, outputs if n == 1 else inside, dilation))

    def forward(self, x: Tensor) -> Tensor:
        """Of the size of the input."""
        x = self.rebnconvin(x)
        y, maps = x, []
        for n in range(1, self._height + 1):
            if self._shrinks and 1 < n < self._height:
                y = _half(y)
            y = self.get_submodule(f"rebnconv{n}")(y)
            maps.append(y)
        for n in range(self._height - 1, 0, -1):
            y = self.get_submodule(f"rebnconv{n}d")(torch.cat([_like(y, maps[n - 1]), maps[n - 1]], 1))
        return x + y


class U2Net(Network):
    """Logits of the alpha, and those of each level.

    Args:
        form: `full` or `p`.
    """

    architecture = "u2net"
    size = (320, 320)

    def __init__(self, form: str) -> None:
        super().__init__()
        self._form = form
        stages = STAGES[form]
        for name, (height, *channels) in stages.items():
            inputs, inside, outputs = channels
            self.add_module(name, Residual(height, inputs, inside, outputs))
        for n in range(1, LEVELS + 1):
            outputs = stages[f"stage{n}" if n == LEVELS else f"stage{n}d"][-1]
            self.add_module(f"side{n}", nn.Conv2d(outputs, 1, 3, padding=1))
        self.outconv = nn.Conv2d(LEVELS, 1, 1)
        self.mean: Tensor
        self.std: Tensor
        for name, values in (("mean", MEAN), ("std", STD)):
            self.register_buffer(name, torch.tensor(values).view(1, 3, 1, 1), persistent=False)

    def describe(self) -> dict[str, Any]:
        return {"form": self._form}

    def forward(self, rgb: Tensor) -> Logits:
        """Logits (n, 1, h, w) of (n, 3, h, w) in 0-1; and of six levels, each half of the one before."""
        y = (rgb - self.mean) / self.std
        maps: list[Tensor] = []
        for n in range(1, LEVELS + 1):
            y = self.get_submodule(f"stage{n}")(_half(y) if maps else y)
            maps.append(y)
        sides = [self.get_submodule(f"side{LEVELS}")(y)]
        for n in range(LEVELS - 1, 0, -1):
            y = self.get_submodule(f"stage{n}d")(torch.cat([_like(y, maps[n - 1]), maps[n - 1]], 1))
            sides.insert(0, self.get_submodule(f"side{n}")(y))
        logits: Tensor = self.outconv(torch.cat([_like(side, rgb) for side in sides], 1))
        return logits, sides


def create(argument: str | None) -> U2Net:
    """`u2net:FILE`, `u2net:full`, or `u2net:p`, which the name alone means.

    Raises:
        WeightsError: the file cannot be read, or holds another network.
    """
    if argument is None or argument in STAGES:
        return U2Net(argument or "p")
    try:
        state: Any = torch.load(argument, map_location="cpu", weights_only=True)
    except OSError as exc:
        why = exc.strerror or exc
        raise WeightsError(f"cannot read weights from {argument}: {why}; u2net:full and u2net:p need none") from exc
    except Exception as exc:  # unpickling damaged bytes raises anything
        raise WeightsError(f"{argument} is not a weights file of torch: {' '.join(str(exc).split())}") from exc
    first = state.get("stage1.rebnconv1.conv_s1.weight") if isinstance(state, dict) else None
    forms = {stages["stage1"][2]: form for form, stages in STAGES.items()}
    if first is None or len(first) not in forms:
        raise WeightsError(f"{Path(argument).name} is no U2-Net: expected weights under names like stage1.rebnconv1")
    net = U2Net(forms[len(first)])
    try:
        net.load_state_dict(state)
    except RuntimeError as exc:
        raise WeightsError(f"{Path(argument).name} is no whole U2-Net: {' '.join(str(exc).split())[:200]}") from exc
    return net


def restore(config: Mapping[str, Any]) -> U2Net:
    """The shape that `describe` gave."""
    return U2Net(**config)


def _half(x: Tensor) -> Tensor:
    """Half the size, rounded up."""
    return max_pool2d(x, 2, 2, ceil_mode=True)


def _like(x: Tensor, other: Tensor) -> Tensor:
    """`x` at the size of `other`."""
    if x.shape[2:] == other.shape[2:]:
        return x
    return interpolate(x, size=other.shape[2:], mode="bilinear", align_corners=False)
