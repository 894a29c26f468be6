"""The application: every file of the folder as a command."""

from __future__ import annotations

import importlib
import pkgutil
from typing import Annotated, Any

import typer

import livematte
from livematte import cli

ORDER = (
    "blur",
    "replace",
    "remove",
    "matte",
    "live",
    "ctl",
    "parts",
    "classes",
    "grey",
    "batch",
    "serve",
    "models",
    "choose",
    "doctor",
    "bench",
    "tune",
    "evaluate",
    "label",
    "train",
    "mix",
    "prune",
    "export",
)
"""Commands in the order a newcomer needs them; others follow by name."""

EXAMPLE = "Example: livematte blur talk.mp4 -o private.mp4"


def build() -> Any:
    """The command line as a callable of typer's."""
    app = typer.Typer(
        add_completion=False,
        context_settings={"help_option_names": ["-h", "--help"]},
        epilog=EXAMPLE,
        no_args_is_help=True,
        pretty_exceptions_enable=False,
        rich_markup_mode=None,
    )
    app.callback()(_livematte)
    for name in commands():
        module = importlib.import_module(f"{cli.__name__}.{name}")
        if hasattr(module, "app"):
            app.add_typer(module.app, name=name)
        else:
            app.command(name, epilog=getattr(module, "EXAMPLE", None))(module.command)
    return typer.main.get_command(app)


def commands() -> list[str]:
    """Names of the command files, in the order of the help."""
    found = [module.name for module in pkgutil.iter_modules(cli.__path__) if not module.name.startswith("_")]
    return sorted(found, key=lambda name: (ORDER.index(name) if name in ORDER else len(ORDER), name))


def _show_version(asked: bool) -> None:
    if asked:
        typer.echo(f"livematte {livematte.__version__}")
        raise typer.Exit


def _livematte(
    version: Annotated[
        bool, typer.Option("--version", help="Print the version and exit.", callback=_show_version, is_eager=True)
    ] = False,
) -> None:
    """Blur, replace or remove the background behind people in videos and pictures.

    Everything is computed on this machine. Where no matte can be made the whole picture
    is covered: the room is never shown by accident.
    """
