"""An effect and its spelling: `blur:0.6`."""

from __future__ import annotations

from typing import Any

import numpy as np

from livematte import _registry
from livematte._errors import OptionError
from livematte._stages import Effect


def make_effect(effect: Effect | str, **look: Any) -> Effect:
    """An effect from its spelling and switches; an object as it is.

    Raises:
        OptionError, UnknownName, OpenError: it cannot be.
    """
    if isinstance(effect, str):
        made: Effect = _registry.create("effects", effect, **look)
        return made
    if look:
        raise OptionError("switches belong to an effect that is given by name, as in blur:0.6")
    return effect


def spelled(effect: Effect) -> str:
    """An effect as `--effect` takes it, without its switches: `blur:0.6`."""
    name = type(effect).__name__.lower()
    own = next((item.name for item in getattr(effect, "__dataclass_fields__", {}).values() if not item.kw_only), None)
    value = None if own is None else getattr(effect, own)
    if isinstance(value, tuple):
        value = "#" + bytes(value).hex()
    return name if value is None or isinstance(value, np.ndarray) else f"{name}:{value}"
