"""`livematte serve`: the web app, on this machine."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from livematte._errors import OptionError

if TYPE_CHECKING:
    from livematte._live import Live
    from livematte.control._desk import Desk

EXAMPLE = "Example: livematte serve --port 8000"


def command(
    host: Annotated[str, typer.Option(help="Address to listen on; 0.0.0.0 lets other machines in.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port to listen on; 0 takes a free one.")] = 8000,
    live: Annotated[
        bool, typer.Option("--live", help="Offer to change the background by this machine, too, for all programs.")
    ] = False,
    input_: Annotated[
        str, typer.Option("--input", metavar="SPEC", help="With --live: camera:0, screen:, rtsp://..., a file.")
    ] = "camera:",
    out: Annotated[
        str, typer.Option("--out", "-o", metavar="OUT", help="With --live: virtual, a file, rtmp://..., null:, ...")
    ] = "virtual",
    debug: Annotated[bool, typer.Option("--debug", help="Show a traceback if something fails.")] = False,
) -> None:
    """Serve the web app: camera or file in, another background out, all in the browser.

    No picture reaches this server. It runs until Ctrl-C. With --live a second page starts and
    steers `livematte live` on this machine; then its camera is opened here, not in the browser.
    """
    from livematte._http import check_free

    check_free(host, port)
    from livematte._serve import Server
    from livematte.cli import Stopped

    with ExitStack() as stack:
        if live:
            server, page = _with_live(stack, host, port, input_, out)
        else:
            server, page = stack.enter_context(Server(host, port)), None
        typer.echo(f"Open {server.address} in a browser. Ctrl-C ends it.")
        if page is not None:
            typer.echo(f"For all programs of this machine: {page}")
        if host not in ("127.0.0.1", "::1", "localhost"):
            typer.echo(
                "From other machines a browser opens cameras only over https: put a proxy with a certificate in front."
            )
        try:
            server.serve_forever()
        except (KeyboardInterrupt, Stopped) as stopped:
            if getattr(stopped, "signum", 2) != 2:  # Ctrl-C is how it is meant to end
                raise


def _with_live(stack: ExitStack, host: str, port: int, source: str, out: str) -> tuple[Any, str]:
    """The server of both ways, and the address of the page with its token."""
    from livematte._presets import Preset
    from livematte.cli._live_look import DEFAULT_MODEL
    from livematte.control import Announced
    from livematte.control._desk import Desk
    from livematte.control._door import Door, is_loopback
    from livematte.control._serve import BothServer

    if not is_loopback(host):
        raise OptionError(f"--live is for this machine alone, and {host} is reached from others; leave --host out")
    desk = Desk(Preset(effect="blur", model=DEFAULT_MODEL), start=lambda desk: _started(desk, source, out))
    server = stack.enter_context(BothServer(host, port, desk, Door(host)))
    running = stack.enter_context(Announced(desk, server)).running
    return server, running.page


def _started(desk: Desk, source: str, out: str) -> Live:
    """The stream, when the page asks for it."""
    from fractions import Fraction

    from livematte._live import Live
    from livematte._stages import StreamInfo
    from livematte.cli._live_ends import sink_of, source_of
    from livematte.cli._live_look import DEFAULT_MODEL

    if Path(out.removeprefix("file:")).is_file():  # of the time before, say
        raise OptionError(f"{out} exists; move it away, or start livematte serve with another --out")
    opener, info = source_of(source, None, None, None, wait=False)
    sink = sink_of(out, StreamInfo(info.size, info.fps, None, Fraction(1, 1_000_000)), overwrite=False)
    return Live(
        opener,
        desk.watch(sink),
        model=desk.settings.model or DEFAULT_MODEL,
        effect=desk.painter,
        framing=bool(desk.settings.framing),
        mirror=bool(desk.settings.mirror),
        room=desk.settings.room or None,
        size=info.size,
        fps=float(info.fps) if info.fps else None,
    )
