"""Our own networks, `fast` and `base`; see `livematte.training.net`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from livematte._errors import OptionError
from livematte.training.net import CONFIGS, Net, NetConfig
from livematte.training.nets import others


def create(argument: str | None, *, width: float = 1.0, depth: float = 1.0) -> Net:
    """`fast` or `base`, from noise.

    Args:
        argument: a name of `CONFIGS`.
        width, depth: multipliers of its channels and blocks.

    Raises:
        OptionError: no such network.
    """
    if argument not in CONFIGS:
        raise OptionError(
            f"no network {argument!r}: there are {', '.join(CONFIGS)}, init for that of --init, "
            f"and with weights of others {others()}"
        )
    return Net(CONFIGS[argument].scaled(width, depth))


def restore(config: Mapping[str, Any]) -> Net:
    """The shape of a `NetConfig`."""
    return Net(NetConfig(**config))
