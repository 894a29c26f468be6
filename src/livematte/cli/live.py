"""`livematte live`: from the camera to every call."""

from __future__ import annotations

import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from fractions import Fraction
from types import FrameType
from typing import TYPE_CHECKING, Annotated, Any

import typer

from livematte._address import without_secrets
from livematte._errors import OptionError
from livematte.cli._job import check_output, heard, quiet
from livematte.cli._live_ends import list_cameras, sink_of, source_of
from livematte.cli._live_line import StatusLine, report
from livematte.cli._live_look import DEFAULT_MODEL, LiveLook, settings_of
from livematte.cli._options import LookOptions, expand, parse_size
from livematte.cli.replace import check_match

if TYPE_CHECKING:
    from livematte._stages import Segmenter, Sink

EXAMPLE = "Example: livematte live --effect blur:0.6 --out virtual"


@expand
def command(
    camera: Annotated[
        str | None, typer.Option(metavar="N|NAME", help="Camera by number, path or name; else the first.")
    ] = None,
    input_: Annotated[
        str | None, typer.Option("--input", metavar="SPEC", help="In place of a camera: screen:, rtsp://..., a file.")
    ] = None,
    effect: Annotated[
        str | None, typer.Option(metavar="SPEC", help="blur:0.6, image:beach.jpg, color:green, ...  [default: blur]")
    ] = None,
    match: Annotated[
        float | None,
        typer.Option(metavar="0-1", help="How far the person takes on the light of a picture, film or colour."),
    ] = None,
    out: Annotated[
        str, typer.Option("--out", "-o", metavar="OUT", help="virtual, preview, a file, rtmp://..., null:, ...")
    ] = "virtual",
    size: Annotated[str | None, typer.Option(metavar="WxH", help="Size of the output, asked of the camera.")] = None,
    fps: Annotated[float | None, typer.Option(metavar="N", help="Frames a second, asked of the camera.")] = None,
    pixels: Annotated[
        str | None, typer.Option(metavar="FORMAT", help="mjpeg, yuyv or nv12; by default what suits size and rate.")
    ] = None,
    model: Annotated[
        str | None, typer.Option(help="Network that finds people; `livematte models list`.  [default: livematte:fast]")
    ] = None,
    preset: Annotated[str | None, typer.Option(metavar="NAME", help="Begin with this preset of yours.")] = None,
    engine: Annotated[str, typer.Option(help="What runs the network: auto, or an engine's name.")] = "auto",
    threads: Annotated[int | None, typer.Option(metavar="N", help="Threads of the engine.")] = None,
    governor: Annotated[
        bool, typer.Option("--governor/--no-governor", help="Lower the quality where the device cannot keep up.")
    ] = True,
    wait: Annotated[bool, typer.Option("--wait", help="Wait for a camera that is not there yet.")] = False,
    metrics: Annotated[
        int | None, typer.Option(metavar="PORT", min=0, max=65535, help="Serve figures at /metrics, to this machine.")
    ] = None,
    control: Annotated[
        str | None,
        typer.Option(metavar="[HOST:]PORT", help="Serve a page to steer it, at this port; 0 takes a free one."),
    ] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", "-y", help="Replace an output that exists.")] = False,
    seconds: Annotated[float | None, typer.Option(metavar="N", min=0, help="End after so many seconds.")] = None,
    list_: Annotated[bool, typer.Option("--list", help="List the cameras and what they can do, and end.")] = False,
    json_: Annotated[bool, typer.Option("--json", help="Print figures as one JSON object on stdout.")] = False,
    debug: Annotated[bool, typer.Option("--debug", help="Show a traceback if something fails.")] = False,
    *,
    own: LiveLook,
    look: LookOptions,
) -> None:
    """Change the background of a camera while it runs.

    The picture is covered from the first frame on and whenever there is no matte: before the
    network is loaded, when the camera is unplugged, when anything fails. Keys: p or space
    pauses (the camera is closed), q ends. The signal SIGUSR1 pauses, too.
    """
    if list_:
        return list_cameras(json_)
    if camera is not None and input_ is not None:
        raise OptionError("give --camera or --input, not both")
    check_output(input_ or "", out, overwrite)
    from livematte._empty_room import read
    from livematte._live import Live
    from livematte._loader import loading
    from livematte._preset_file import PresetFile
    from livematte._shape import Shape
    from livematte._stages import StreamInfo
    from livematte.control._desk import Desk
    from livematte.sources import parse_fps, source_name
    from livematte.sources._cameras import spec_of

    wanted = parse_size(size) if size is not None else None
    if fps is not None:
        parse_fps(fps)
    spec = input_ or spec_of(camera)
    opener, info = source_of(spec, wanted, fps, pixels, wait)
    stream = StreamInfo(wanted or info.size, info.fps, None, Fraction(1, 1_000_000))
    sink = sink_of(out, stream, overwrite)
    status_line = StatusLine() if sys.stderr.isatty() else None
    presets = PresetFile()
    settings = settings_of(presets, preset, {"effect": effect, "model": model, "match": match}, look, own)
    desk = Desk(settings, presets)
    if match:
        check_match(settings.effect or "blur", desk.painter)
    model = settings.model or DEFAULT_MODEL
    load = loading(engine, threads, {model: own.weights})
    told = info if source_name(spec)[0] != "camera" and info.size else None  # cameras tell when they are opened
    with heard(), ExitStack() as stack:
        live = Live(
            opener,
            sink if control is None else desk.watch(sink),
            model=model,
            weights=own.weights,
            load=load if debug else _quietly(load),
            effect=desk.painter,
            framing=bool(settings.framing),
            room=read(settings.room, Shape(stream.size), told) if settings.room else None,
            mirror=bool(settings.mirror),
            size=stream.size,
            fps=float(info.fps) if info.fps else fps,
            governor=governor,
            wait=wait,
            progress=_after_each_frame(seconds, status_line, sink),
        )
        stack.enter_context(_signals(live))
        if control is not None:
            from livematte.control import Control, parse_address

            desk.attach(live)
            served = stack.enter_context(Control(desk, *parse_address(control), remote=":" in control))
            typer.echo(f"control: {served.running.page}", err=True)
        if metrics is not None:
            from livematte._metrics import MetricsServer

            server = stack.enter_context(MetricsServer(live.status, metrics))
            typer.echo(f"figures: http://localhost:{server.port}/metrics", err=True)
        stack.enter_context(_keyboard(live))
        if status_line:
            stack.callback(status_line.clear)
        live.run()
    shown = (without_secrets(spec), without_secrets(out))
    report(live.status(), live.stats.as_dict(), *shown, json_, getattr(sink, "notes", []))


def _quietly(load: Callable[[str], Segmenter]) -> Callable[[str], Segmenter]:
    """The same without what engines have to say while they load."""

    def quiet_load(spec: str) -> Segmenter:
        with quiet():
            return load(spec)

    return quiet_load


def _after_each_frame(seconds: float | None, status_line: StatusLine | None, sink: Sink) -> Callable[[Any], None]:
    begun = False

    def begin() -> None:
        """Say where the output is to be found: the first frame has opened it, and nobody is kept quiet any more."""
        nonlocal begun
        begun = True
        if status_line:
            status_line.clear()
        if address := getattr(sink, "address", None):
            typer.echo(f"output: {address}", err=True)
        if status_line and sys.stdin.isatty():
            typer.echo("keys: p pauses and goes on, q ends", err=True)

    def progress(live: Any) -> None:
        if not begun and not live.loading:
            begin()
        if status_line:
            status_line.draw(live.status)
        if seconds is not None and live.seconds >= seconds:
            live.stop()

    return progress


@contextmanager
def _signals(live: Any) -> Iterator[None]:
    """Signals that end a process end the stream in order; SIGUSR1 pauses it and lets it go on."""
    if threading.current_thread() is not threading.main_thread():
        yield  # whoever started this has the signals
        return

    def toggle(number: int, frame: FrameType | None) -> None:
        live.toggle_pause()

    def end(number: int, frame: FrameType | None) -> None:
        signal.signal(number, before[number])  # a second one does not wait for an output that hangs
        live.stop()

    wanted = {"SIGINT": end, "SIGTERM": end, "SIGHUP": end, "SIGUSR1": toggle}
    numbers = {getattr(signal, name): what for name, what in wanted.items() if hasattr(signal, name)}
    before = {number: signal.getsignal(number) for number in numbers}
    for number, what in numbers.items():
        if before[number] is not signal.SIG_IGN:  # `nohup` stays in force
            signal.signal(number, what)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextmanager
def _keyboard(live: Any) -> Iterator[None]:
    from livematte.cli._keys import keys

    def pressed(key: str) -> None:
        if key in "p ":
            live.toggle_pause()
        elif key in "q\x04":
            live.stop()

    with keys(pressed):
        yield
