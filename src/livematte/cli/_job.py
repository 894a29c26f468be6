"""One input through the pipeline to one output: what blur, replace, remove and matte share."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Any

import typer

from livematte._address import without_secrets
from livematte._errors import OptionError
from livematte._pipeline import MAX_FAILURES, run
from livematte._session import build_stages
from livematte._stages import Effect, Segmenter
from livematte._stats import Stats
from livematte.cli._options import Job, network
from livematte.cli._progress import progress

PIPE = "-"

STDERR = 2
"""File descriptor."""

PICTURES = ("image", "folder")
"""Sources whose frames are no film."""

ENDLESS = ("camera", "pipewire", "screen", "stream")
"""Sources that are for `livematte live`."""


Paint = Callable[[Segmenter], Segmenter]


def process(
    job: Job,
    command: str,
    effect: Effect,
    *,
    alpha_only: bool = False,
    framing: bool = False,
    paint: Paint | None = None,
) -> None:
    """Run the job and report on it.

    Args:
        command: name of the command, for the report.
        effect: what becomes of the background.
        framing: follow the people with a window over the output.
        alpha_only: write the matte in place of the picture.
        paint: puts another segmenter around the network, whose mattes are whole already.

    Raises:
        LivematteError: the job failed; nothing stays under the output's name.
    """
    from livematte.sinks import open_sink
    from livematte.sources import open_source, source_name

    check_ends(job.input)
    check_output(job.input, job.output, job.overwrite)
    source = open_source(job.input, **_source_options(job))
    with source:
        sink = open_sink(job.output, source_info=source.info, **_sink_options(job, alpha_only))
        # Pictures that do not follow one another must not lend each other their mattes.
        film = source_name(job.input)[0] not in PICTURES
        with nullcontext() if job.debug else quiet():
            stages = build_stages(
                job.model if paint else network(job),
                effect,
                engine=job.engine,
                threads=job.threads,
                weights=job.weights,
                temporal=film if job.temporal is None else job.temporal,
                refine=job.refine,
                room=job.room,
                framing=framing,
                lookahead=job.lookahead,
            )
        if paint:
            stages = replace(stages, segmenter=paint(stages.segmenter), refiners=())
        stats = Stats()
        # A short clip in which no frame at all has a matte must fail too.
        max_failures = min(MAX_FAILURES, source.info.frames or MAX_FAILURES)
        try:
            with progress(command, source.info.frames) as shown:
                run(source, stages, sink, stats=stats, max_failures=max_failures, progress=shown)
        finally:
            stages.segmenter.close()
    _report(job, command, stats, getattr(stages.segmenter, "engine", job.engine), getattr(sink, "notes", []))


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


def _source_options(job: Job) -> dict[str, Any]:
    """Options of the input; --format means the output where only that is a pipe."""
    for_output = job.output == PIPE and job.input != PIPE
    return {"format": None if for_output else job.format, "keep_broken": job.keep_broken or None}


def _sink_options(job: Job, alpha_only: bool) -> dict[str, Any]:
    """Options of the output; None counts as not given."""
    return {
        "codec": job.codec,
        "crf": job.crf,
        "preset": job.preset,
        "format": job.format if job.output == PIPE else None,
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


def _report(job: Job, command: str, stats: Stats, engine: str, notes: list[str]) -> None:
    """Figures as JSON if asked for; else a line for a person who watches, and what they should know."""
    notes = list(notes)
    if stats.covered:
        notes.append(f"{stats.covered} of {stats.frames} frames had no matte and show the background alone")
    if job.json:
        seconds = (stats.clock() - stats.started_ns) / 1e9
        figures: dict[str, Any] = {
            "command": command,
            "input": without_secrets(job.input),
            "output": without_secrets(job.output),
            "model": job.model,
            "engine": engine,
            "seconds": round(seconds, 3),
            **stats.as_dict(),
            "notes": notes,
        }
        # Frames have stdout to themselves.
        typer.echo(json.dumps(figures), err=job.output == PIPE)
        return
    for note in notes:
        typer.echo(f"livematte: note: {note}", err=True)
    if sys.stderr.isatty():
        typer.echo(f"{without_secrets(job.output)}: {stats.frames} frames, {stats.fps:.1f} fps", err=True)
