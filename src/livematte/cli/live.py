"""`livematte live`: from the camera to every call."""

from __future__ import annotations

import json
import shutil
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from fractions import Fraction
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Annotated, Any

import typer

from livematte._address import without_secrets
from livematte._clock import Clock, monotonic
from livematte._errors import OpenError, OptionError
from livematte._frame import Size
from livematte._stages import Segmenter, Sink, Source, StreamInfo
from livematte.cli._job import check_output, heard, quiet
from livematte.cli._options import LookOptions, expand
from livematte.cli.replace import check_match

if TYPE_CHECKING:
    from livematte._preset_file import PresetFile
    from livematte._presets import Preset

EXAMPLE = "Example: livematte live --effect blur:0.6 --out virtual"

DEFAULT_MODEL = "livematte:fast"

REDRAW_NS = 200_000_000
"""Between two states of the line on the terminal."""

RECORDINGS = ("file", "folder", "synthetic")
"""Sources that are played at their own speed, as if they came from a camera."""


RECORDED = ("file", "raw")
"""Sinks whose frames are played back later at a constant rate; others show a frame when it comes."""


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
    look: LookOptions,
) -> None:
    """Change the background of a camera while it runs.

    The picture is covered from the first frame on and whenever there is no matte: before the
    network is loaded, when the camera is unplugged, when anything fails. Keys: p or space
    pauses (the camera is closed), q ends. The signal SIGUSR1 pauses, too.
    """
    if list_:
        return _list(json_)
    if camera is not None and input_ is not None:
        raise OptionError("give --camera or --input, not both")
    check_output(input_ or "", out, overwrite)
    from livematte._live import Live, loading
    from livematte._preset_file import PresetFile
    from livematte.control._desk import Desk
    from livematte.sources import parse_fps
    from livematte.sources._cameras import spec_of

    wanted = parse_size(size)
    if fps is not None:
        parse_fps(fps)
    spec = input_ or spec_of(camera)
    opener, info = source_of(spec, wanted, fps, pixels, wait)
    stream = StreamInfo(wanted or info.size, info.fps, None, Fraction(1, 1_000_000))
    sink = sink_of(out, stream, overwrite)
    status_line = StatusLine() if sys.stderr.isatty() else None
    presets = PresetFile()
    settings = settings_of(presets, preset, {"effect": effect, "model": model, "match": match}, look)
    desk = Desk(settings, presets)
    if match:
        check_match(settings.effect or "blur", desk.painter)
    with heard(), ExitStack() as stack:
        live = Live(
            opener,
            sink if control is None else desk.watch(sink),
            model=settings.model or DEFAULT_MODEL,
            load=loading(engine, threads) if debug else _quietly(loading(engine, threads)),
            effect=desk.painter,
            framing=bool(settings.framing),
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
    _report(live.status(), live.stats.as_dict(), *shown, json_, getattr(sink, "notes", []))


def settings_of(presets: PresetFile, name: str | None, said: dict[str, Any], look: LookOptions) -> Preset:
    """What a stream begins with: a preset, and what was said beside it.

    Args:
        name: of the preset.
        said: its keys from the command line; those that are None were not given.

    Raises:
        LivematteError: no such preset, effect or model, or a switch out of its range.
    """
    from livematte._presets import Preset, preset

    begun = Preset(effect="blur", model=DEFAULT_MODEL)
    if name is not None:
        begun = presets.find(name).after(begun)
    given = {key: value for key, value in (look.given() | said).items() if value not in (None, [])}
    if look.framing:
        given["framing"] = True
    return preset(given, Path.cwd()).after(begun)


def parse_size(text: str | None) -> Size | None:
    """`1280x720` as a size.

    Raises:
        OptionError: not a size.
    """
    if text is None:
        return None
    width, x, height = text.partition("x")
    if not (x and width.isdigit() and height.isdigit() and int(width) and int(height)):
        raise OptionError(f"--size is a width and a height, as in 1280x720; got {text!r}")
    return Size(int(width), int(height))


def sink_of(out: str, info: StreamInfo, overwrite: bool = True) -> Sink:
    """The output, as a live stream needs it: pushes connect again, and what is played back later has a constant rate.

    Raises:
        LivematteError: there is no such output, or it cannot be had here.
    """
    from livematte._live import DEFAULT_FPS
    from livematte.sinks import open_sink, sink_name
    from livematte.sinks._constant import ConstantRate

    sink = open_sink(out, source_info=info, reconnect=True, overwrite=overwrite)
    if sink_name(out, info)[0] not in RECORDED:
        return sink
    return ConstantRate(sink, info.fps or Fraction(DEFAULT_FPS).limit_denominator(1001))


def source_of(
    spec: str, size: Size | None, fps: float | None, pixels: str | None, wait: bool
) -> tuple[Callable[[], Source], StreamInfo]:
    """What opens the source, and what is known of it: a camera is asked for what is wanted, all else is
    opened once to see."""
    from livematte._live import DEFAULT_FPS
    from livematte._shape import UNKNOWN_SIZE
    from livematte.sources import open_source, source_name
    from livematte.sources._paced import Paced
    from livematte.sources.camera import named

    name, argument = source_name(spec)
    if name == "camera":
        if not wait:  # it may be opened much later, when somebody looks
            named(argument)
        wanted, rate = size or UNKNOWN_SIZE, Fraction(fps or DEFAULT_FPS).limit_denominator(1001)
        return lambda: open_source(spec, size=wanted, fps=rate, pixels=pixels), StreamInfo(wanted, rate)
    if pixels is not None:
        raise OptionError(f"--pixels is for cameras, and {spec} is none")
    options: dict[str, Any] = {"fps": fps} if name in {"screen", "synthetic"} else {}
    if name == "screen":
        options["size"] = size

    def opened() -> Source:
        source = open_source(spec, **options)
        return Paced(source) if name in RECORDINGS else source

    try:
        first = [opened()]
    except OpenError:
        if not wait:
            raise
        return opened, StreamInfo(size or UNKNOWN_SIZE, Fraction(fps or DEFAULT_FPS).limit_denominator(1001))
    return lambda: first.pop() if first else opened(), first[0].info


def _quietly(load: Callable[[str], Segmenter]) -> Callable[[str], Segmenter]:
    """The same without what engines have to say while they load."""

    def quiet_load(spec: str) -> Segmenter:
        with quiet():
            return load(spec)

    return quiet_load


class StatusLine:
    """One line on the terminal, drawn over itself.

    Args:
        clock: monotonic nanoseconds.
    """

    def __init__(self, clock: Clock = monotonic) -> None:
        self._clock, self._drawn_ns = clock, -REDRAW_NS

    def draw(self, status: Callable[[], dict[str, Any]]) -> None:
        """Show how the stream is, unless that was done a moment ago."""
        now_ns = self._clock()
        if now_ns - self._drawn_ns >= REDRAW_NS:
            self._drawn_ns = now_ns
            columns = shutil.get_terminal_size().columns  # a line that wraps could not be drawn over
            sys.stderr.write(f"\r{line(status())[: columns - 1]}\x1b[K")
            sys.stderr.flush()

    def clear(self) -> None:
        """Take the line away."""
        sys.stderr.write("\r\x1b[K")
        sys.stderr.flush()


def line(status: dict[str, Any]) -> str:
    """The state of a stream in one line, what matters most first: terminals cut it off."""
    latency = status["latency"]
    times = " ".join(f"p{p} {latency[f'p{p}_ms']:.0f}" for p in (50, 95, 99)) if latency["p50_ms"] is not None else "-"
    unseen = status["readers"] == 0 and status["camera"] == "closed"
    state = "paused" if status["paused"] else "nobody looks" if unseen else status["camera"]
    size = "x".join(map(str, status["size"]))
    parts = [
        f"{state} {size} {status['fps']:.1f} fps",
        *([status["error"]] if status["error"] else []),
        f"{times} ms",
        f"dropped {status['dropped']}",
        f"covered {status['covered']}",
        status["rung"],
        status["effect"],
        f"{'loading' if status['loading'] else ''} {status['model']}".strip(),
    ]
    return " | ".join(parts)


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


def _list(as_json: bool) -> None:
    from dataclasses import asdict

    from livematte.sources._cameras import listed
    from livematte.sources.camera import GROUP

    cameras = listed()
    if as_json:
        typer.echo(json.dumps([asdict(camera) for camera in cameras], default=float))
        return
    for camera in cameras:
        typer.echo(f"{camera.spec}  {camera.name}  ({camera.where})")
        for mode in camera.modes:
            typer.echo(
                f"    {mode.pixels:<5} {mode.size!s:>9}  {f'{float(mode.fps):g} fps' if mode.fps else ''}".rstrip()
            )
    if not cameras:
        where = "--input takes a file, a screen or a stream in place of one"
        typer.echo(f"no camera is plugged in, or none may be seen by this user{GROUP}; {where}", err=True)


def _report(
    status: dict[str, Any], stats: dict[str, Any], spec: str, out: str, as_json: bool, notes: list[str]
) -> None:
    if as_json:
        figures = {"command": "live", "input": spec, "output": out, **status, "stages": stats["stages"], "notes": notes}
        typer.echo(json.dumps(figures), err=out == "-")
        return
    for note in notes:
        typer.echo(f"livematte: note: {note}", err=True)
    if sys.stderr.isatty():
        typer.echo(line(status), err=True)
    for change in status["rungs"]:
        typer.echo(f"  {change['at_s']:8.1f} s  {change['rung']}: {change['why']}", err=True)
