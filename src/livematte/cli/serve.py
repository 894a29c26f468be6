"""`livematte serve`: the web app, on this machine."""

from __future__ import annotations

from typing import Annotated

import typer

EXAMPLE = "Example: livematte serve --port 8000"


def command(
    host: Annotated[str, typer.Option(help="Address to listen on; 0.0.0.0 lets other machines in.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port to listen on; 0 takes a free one.")] = 8000,
    debug: Annotated[bool, typer.Option("--debug", help="Show a traceback if something fails.")] = False,
) -> None:
    """Serve the web app: camera or file in, another background out, all in the browser.

    No picture reaches this server. It runs until Ctrl-C.
    """
    from livematte._serve import Server
    from livematte.cli import Stopped

    with Server(host, port) as server:
        typer.echo(f"Open {server.address} in a browser. Ctrl-C ends it.")
        if host not in ("127.0.0.1", "::1", "localhost"):
            typer.echo(
                "From other machines a browser opens cameras only over https: put a proxy with a certificate in front."
            )
        try:
            server.serve_forever()
        except (KeyboardInterrupt, Stopped) as stopped:
            if getattr(stopped, "signum", 2) != 2:  # Ctrl-C is how it is meant to end
                raise
