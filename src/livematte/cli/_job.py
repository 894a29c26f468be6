"""Inputs through a network to outputs: what blur, replace, remove, matte, grey, classes and parts share."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager, nullcontext
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Generic, Protocol, TypeAlias, TypeVar

import typer

from livematte._address import without_secrets
from livematte._errors import OptionError
from livematte.cli._many import Item, each, folders_of, pair
from livematte.cli._options import Job, with_classes
from livematte.cli._progress import progress

if TYPE_CHECKING:
    from livematte._stages import Effect, Segmenter
    from livematte._stats import Stats

PIPE = "-"

STDERR = 2
"""File descriptor."""

PICTURES = ("image", "folder")
"""Sources whose frames are no film."""

ENDLESS = ("camera", "pipewire", "screen", "stream")
"""Sources that are for `livematte live`."""


Paint: TypeAlias = "Callable[[Segmenter], Segmenter]"


def process(
    job: Job,
    command: str,
    effect: Effect,
    *,
    alpha_only: bool = False,
    framing: bool = False,
    paint: Paint | None = None,
    plan: tuple[list[Item], Path] | None = None,
) -> None:
    """Run the job and report on it.

    Args:
        command: name of the command, for the report.
        effect: what becomes of the background.
        framing: follow the people with a window over the output.
        alpha_only: write the matte in place of the picture.
        paint: puts another segmenter around the network, whose mattes are whole already.
        plan: what becomes of what, and the folder of it all; by default what `pair` says.

    Raises:
        LivematteError: the job failed; nothing stays under the output's name. Of several inputs
            those that did not fail have become what they should.
    """
    from livematte.effects.transparent import Transparent

    for source in job.inputs:
        check_ends(source)
    check_format(job)
    transparent = isinstance(effect, Transparent) and not alpha_only
    items, root = plan or pair(job.inputs, job.output, alpha=transparent, grey=alpha_only)

    def network() -> Segmenter:
        from livematte._session import load

        name = job.model if paint else with_classes(job.model, job.classes)
        found = load(name, engine=job.engine, threads=job.threads, weights=job.weights)
        try:
            return paint(found) if paint else found
        except BaseException:
            found.close()
            raise

    def work(item: Item, which: str) -> None:
        _one(job, item, which, effect, loaded, command, whole=bool(paint), alpha_only=alpha_only, framing=framing)

    loaded = Loaded(network, debug=job.debug)
    failed = partial(report_failure, job.json, command)
    work_through(items, root, loaded, work, failed, alone=len(items) == 1 and plan is None, debug=job.debug)


def work_through(
    items: Sequence[Item],
    root: Path | None,
    loaded: Loaded[Any],
    work: Callable[[Item, str], None],
    failed: Callable[[Item, str], None],
    *,
    alone: bool,
    debug: bool,
) -> None:
    """Do each of the items with one network; see `each`.

    Args:
        root: the folder of all outputs; it goes again if it stays empty.
        loaded: the network; closed at the end.
        alone: there is one input and never another: it fails by itself, and `work` is told of no number.

    Raises:
        LivematteError: the only one failed, or some of them, or the network cannot be had.
    """
    if not items:
        return
    with folders_of(items, root), closing(loaded):
        if alone:
            return work(items[0], "")
        loaded.network()  # if it cannot be had, one line says so, not one for each input
        each(items, work, failed, debug=debug)


class Closes(Protocol):
    """Something that is freed."""

    def close(self) -> None: ...


Network = TypeVar("Network", bound=Closes)


class Loaded(Generic[Network]):
    """The network of a job, loaded once, when the first input is there.

    Args:
        load: makes it.
        debug: let engines greet their users while they load.
    """

    def __init__(self, load: Callable[[], Network], *, debug: bool) -> None:
        self._load, self._debug = load, debug
        self._network: Network | None = None

    def network(self) -> Network:
        """It, loaded."""
        if self._network is None:
            with nullcontext() if self._debug else quiet():
                self._network = self._load()
        return self._network

    def close(self) -> None:
        """Free the engine."""
        if self._network is not None:
            self._network.close()


def _one(
    job: Job,
    item: Item,
    which: str,
    effect: Effect,
    loaded: Loaded[Segmenter],
    command: str,
    *,
    whole: bool,
    alpha_only: bool,
    framing: bool,
) -> None:
    """One input through the pipeline to its output.

    Args:
        which: of how many it is, empty for the only one.
        whole: the network's mattes are at the frame's size already.
    """
    from livematte._pipeline import MAX_FAILURES, run
    from livematte._session import build_stages
    from livematte._stats import Stats
    from livematte.sinks import open_sink
    from livematte.sources import open_source, source_name

    check_output(item.input, item.output, job.overwrite)
    source = open_source(item.input, **_source_options(job, item))
    with source:
        sink = open_sink(item.output, source_info=source.info, **_sink_options(job, item, alpha_only))
        # Pictures that do not follow one another must not lend each other their mattes.
        film = source_name(item.input)[0] not in PICTURES
        stages = build_stages(
            loaded.network(),
            effect,
            threads=job.threads,
            temporal=film if job.temporal is None else job.temporal,
            refine=job.refine,
            room=job.room,
            framing=framing,
            lookahead=job.lookahead,
        )
        if whole:
            stages = replace(stages, refiners=())
        stats = Stats()
        # A short clip in which no frame at all has a matte must fail too.
        max_failures = min(MAX_FAILURES, source.info.frames or MAX_FAILURES)
        with progress(f"{command} {which}".strip(), source.info.frames) as shown:
            run(source, stages, sink, stats=stats, max_failures=max_failures, progress=shown)
    notes = list(getattr(sink, "notes", []))
    if stats.covered:
        notes.append(f"{stats.covered} of {stats.frames} frames had no matte and show the background alone")
    if job.json:
        _print_figures(job, command, item, stats, getattr(stages.segmenter, "engine", job.engine), notes)
    else:
        tell(item, which, stats, notes)


@contextmanager
def quiet() -> Iterator[None]:
    """Let nobody write to stderr for a while, C++ code included: engines greet their users
    while they load, and have no switch against it. Their errors arrive as exceptions."""
    sys.stderr.flush()
    kept, nowhere = os.dup(STDERR), os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nowhere, STDERR)
        yield
    finally:
        sys.stderr.flush()
        os.dup2(kept, STDERR)
        os.close(kept)
        os.close(nowhere)


@contextmanager
def heard() -> Iterator[None]:
    """What is written to stderr afterwards is seen, though a load that hangs still keeps it `quiet`."""
    kept = os.dup(STDERR)
    try:
        yield
    finally:
        os.dup2(kept, STDERR)
        os.close(kept)


def _source_options(job: Job, item: Item) -> dict[str, Any]:
    """Options of the input; --format means the output where only that is a pipe."""
    for_output = item.output == PIPE and item.input != PIPE
    return {"format": None if for_output else job.format, "keep_broken": job.keep_broken or None}


def _sink_options(job: Job, item: Item, alpha_only: bool) -> dict[str, Any]:
    """Options of the output; None counts as not given."""
    return {
        "codec": job.codec,
        "crf": job.crf,
        "preset": job.preset,
        "format": job.format if item.output == PIPE else None,
        "audio": None if job.audio else False,
        "overwrite": job.overwrite,
        "alpha_only": alpha_only or None,
    }


def check_ends(source: str) -> None:
    """Refuse an input that goes on until somebody stops it: stopped jobs leave nothing, `live` keeps what it has.

    Raises:
        OptionError: it is a camera, a screen or a stream.
    """
    from livematte.sources import source_name

    if source_name(source)[0] in ENDLESS:
        raise OptionError(
            f"{without_secrets(source)} is live and has no end of its own; record it by `livematte live --input "
            f"{without_secrets(source)} --out FILE`, where q and Ctrl-C end in order, or work on a file"
        )


def check_format(job: Job) -> None:
    """Refuse --format where neither side is a pipe: it would mean nothing.

    Raises:
        OptionError: it would.
    """
    if job.format is not None and PIPE not in (*job.inputs, job.output):
        raise OptionError(
            f"--format says what a pipe carries, and neither side is {PIPE}, which stands for one; leave it out, or "
            f"choose what a file is by its suffix and --codec"
        )


def check_output(source: str, output: str, overwrite: bool) -> None:
    """Refuse to write over the input, or over what is there, unless that was asked for.

    Raises:
        OptionError: it would.
    """
    if output == PIPE:
        return
    path, source = Path(output.removeprefix("file:")), source.removeprefix("file:")
    if path.exists() and Path(source).exists() and path.samefile(source):
        raise OptionError(f"{output} is the input itself; write to another name")
    if path.is_dir():
        if any(path.iterdir()):  # -y replaces a file, never a folder
            raise OptionError(f"{output} is a folder that holds files; name a new or an empty one")
        return
    if path.exists() and not overwrite:
        raise OptionError(f"{output} exists; choose another name, or pass -y to replace it")


def _print_figures(job: Job, command: str, item: Item, stats: Stats, engine: str, notes: list[str]) -> None:
    """What was done of an input, as JSON."""
    seconds = (stats.clock() - stats.started_ns) / 1e9
    figures: dict[str, Any] = {
        "command": command,
        "input": without_secrets(item.input),
        "output": without_secrets(item.output),
        "model": job.model,
        "engine": engine,
        "seconds": round(seconds, 3),
        **stats.as_dict(),
        "notes": notes,
    }
    # Frames have stdout to themselves.
    typer.echo(json.dumps(figures), err=item.output == PIPE)


def tell(item: Item, which: str, stats: Stats, notes: Sequence[str]) -> None:
    """What people should know of an input that is done, and for a person who watches a line of it.

    Args:
        which: of how many it is, empty for the only one.
    """
    about = f"{item.input}: " if which else ""
    for note in notes:
        typer.echo(f"livematte: note: {about}{note}", err=True)
    if sys.stderr.isatty():
        typer.echo(f"{without_secrets(item.output)}: {stats.frames} frames, {stats.fps:.1f} fps", err=True)


def report_failure(as_json: bool, command: str, item: Item, why: str) -> None:
    """One of several inputs failed: the JSON of it, if that was asked for."""
    if as_json:
        typer.echo(json.dumps({"command": command, "input": item.input, "output": item.output, "error": why}))
