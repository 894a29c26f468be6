"""Copy this file to `nets/<name>.py`: a recipe may then say `net = "<name>:ARGUMENT"`.

Source: the paper.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import Tensor, nn

from livematte._errors import OptionError
from livematte.training.nets import Logits, Network


class Template(Network):
    """One convolution.

    Args:
        kernel: its side, odd.
    """

    architecture = "template"

    def __init__(self, kernel: int) -> None:
        super().__init__()
        self._kernel = kernel
        self.conv = nn.Conv2d(3, 1, kernel, padding=kernel // 2)

    def describe(self) -> dict[str, Any]:
        return {"kernel": self._kernel}

    def forward(self, rgb: Tensor) -> Logits:
        """Logits (n, 1, h, w) of (n, 3, h, w) in 0-1; none that only help training."""
        return self.conv(rgb), ()


def create(argument: str | None) -> Template:
    """`template:3`; a real network loads its weights here, from the file that the argument names."""
    if not (argument or "").isdecimal():
        raise OptionError(f"template takes the side of its kernel, such as template:3, got {argument!r}")
    return Template(int(argument or 0))


def restore(config: Mapping[str, Any]) -> Template:
    """The shape that `describe` gave."""
    return Template(**config)
