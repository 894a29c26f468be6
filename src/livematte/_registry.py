"""Names to plugins: a file of a plugin folder is a name, and is imported when asked for.

`models/bodypix.py` is the model `bodypix`; `bodypix:resnet50` hands it the argument
`resnet50`. Other packages add names through the entry-point group of the folder, such
as `livematte.models`. Every plugin module offers `create(argument, **options)`.
"""

from __future__ import annotations

import difflib
import importlib
import pkgutil
from collections.abc import Callable
from importlib.metadata import entry_points
from typing import Any

from livematte._errors import UnknownName


def names(folder: str) -> list[str]:
    """Every name of a plugin folder, sorted, without importing a plugin.

    Args:
        folder: `models`, `engines`, `refine`, `effects`, `sources`, `sinks` or `training.datasets`.
    """
    package = importlib.import_module(f"livematte.{folder}")
    own = (module.name for module in pkgutil.iter_modules(package.__path__) if not module.name.startswith("_"))
    other = (point.name for point in entry_points(group=f"livematte.{folder}"))
    return sorted({*own, *other})


def split(spec: str) -> tuple[str, str | None]:
    """`"blur:0.6"` as `("blur", "0.6")`; the argument is None if there is none."""
    name, colon, argument = spec.partition(":")
    return name, argument if colon else None


def load(folder: str, name: str) -> Any:
    """The plugin module called `name`.

    Raises:
        UnknownName: no such plugin; the message holds the nearest names and the list.
    """
    known = names(folder)
    if name not in known:
        near = difflib.get_close_matches(name, known, n=3)
        hint = f"did you mean {' or '.join(near)}? " if near else ""
        kind = folder.rpartition(".")[2].rstrip("s")
        raise UnknownName(f"no {kind} is called {name!r}; {hint}there are: {', '.join(known)}")
    for point in entry_points(group=f"livematte.{folder}"):
        if point.name == name:
            return point.load()
    return importlib.import_module(f"livematte.{folder}.{name}")


def create(folder: str, spec: str, **options: Any) -> Any:
    """Make the plugin that `spec` (`name` or `name:argument`) names."""
    name, argument = split(spec)
    factory: Callable[..., Any] = load(folder, name).create
    return factory(argument, **options)
