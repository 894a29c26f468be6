"""`livematte parts`: which part of whose body is where."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Annotated, Any

import typer

from livematte._address import without_secrets
from livematte._errors import OptionError
from livematte.cli._job import PIPE, Loaded, check_ends, check_output, report_failure, tell, work_through
from livematte.cli._many import Item, pair
from livematte.cli._options import expand
from livematte.cli._progress import progress

if TYPE_CHECKING:
    from collections.abc import Sequence

    from livematte._frame import Frame
    from livematte.models._bodypix import BodyPix
    from livematte.models._bodypix_poses import Pose

EXAMPLE = "Example: livematte parts dance.mp4 -o parts.mp4 --people"


@dataclass(frozen=True, kw_only=True)
class Parts:
    """Inputs, each of which becomes a picture of parts."""

    inputs: Annotated[list[str], typer.Argument(metavar="INPUT", help="Videos, pictures, a folder of pictures.")]
    output: Annotated[
        str, typer.Option("--output", "-o", metavar="OUTPUT", help="Where the result goes; folder/ for several.")
    ]
    model: Annotated[str, typer.Option(help="bodypix, or one of its tags; `livematte models list`.")] = "bodypix"
    engine: Annotated[str, typer.Option(help="What runs the network: auto or an engine's name.")] = "auto"
    threads: Annotated[int | None, typer.Option(metavar="N", help="Threads of the engine.")] = None
    weights: Annotated[
        str | None, typer.Option(metavar="FILE", help="Weights from this file in place of the model's own.")
    ] = None
    people: Annotated[bool, typer.Option("--people", help="Paint people apart, not the parts of their bodies.")] = False
    opacity: Annotated[
        float, typer.Option(metavar="0-1", help="Of the colours; below 1 the people show through, never the room.")
    ] = 1.0
    background: Annotated[str, typer.Option(metavar="COLOUR", help="Where nobody is: a name or #rrggbb.")] = "black"
    resolution: Annotated[
        str | None,
        typer.Option(metavar="SIZE", help="Of the network's picture: low, medium, high, full, 0.1-2, or pixels."),
    ] = None
    threshold: Annotated[float | None, typer.Option(metavar="0-1", help="How sure a pixel of a person must be.")] = None
    codec: Annotated[str | None, typer.Option(metavar="NAME", help="h264, h265, vp9 or av1.")] = None
    audio: Annotated[bool, typer.Option("--audio/--no-audio", help="Take the sound along.")] = True
    overwrite: Annotated[bool, typer.Option("--overwrite", "-y", help="Replace an output that exists.")] = False
    json: Annotated[bool, typer.Option("--json", help="Print the key points, one JSON object a frame.")] = False
    debug: Annotated[bool, typer.Option("--debug", help="Show a traceback if something fails.")] = False


@expand
def command(job: Parts) -> None:
    """Paint the 24 parts of the body, or people apart, and tell their key points."""
    from livematte.effects.color import parse_rgb

    if not 0 <= job.opacity <= 1:
        raise OptionError(f"--opacity must be from 0 to 1, got {job.opacity}")
    parse_rgb(job.background)
    for source in job.inputs:
        check_ends(source)
    items, root = pair(job.inputs, job.output, alpha=False, grey=False)
    loaded = Loaded(lambda: _model(job), debug=job.debug)

    def work(item: Item, which: str) -> None:
        _one(job, item, which, loaded)

    failed = partial(report_failure, job.json, "parts")
    work_through(items, root, loaded, work, failed, alone=len(items) == 1, debug=job.debug)


def _one(job: Parts, item: Item, which: str, loaded: Loaded[BodyPix]) -> None:
    """One input to its output; `which` of how many it is, empty for the only one."""
    from livematte._stats import Stats
    from livematte.sinks import open_sink
    from livematte.sources import open_source

    check_output(item.input, item.output, job.overwrite)
    options: dict[str, Any] = {
        "codec": job.codec,
        "audio": None if job.audio else False,
        "overwrite": job.overwrite,
    }
    with open_source(item.input) as source:
        sink = open_sink(item.output, source_info=source.info, **options)
        model, stats = loaded.network(), Stats()
        with sink, progress(f"parts {which}".strip(), source.info.frames) as shown:
            for frame in source:
                painted, poses = _paint(job, model, frame)
                sink.write(painted)
                if job.json:
                    typer.echo(json.dumps(_facts(item, stats.frames, frame, poses)), err=item.output == PIPE)
                stats.frames += 1
                shown(stats)
    tell(item, which, stats, getattr(sink, "notes", []))


def _model(job: Parts) -> BodyPix:
    from livematte import _registry

    if _registry.split(job.model)[0] != "bodypix":
        raise OptionError(f"only bodypix knows parts of the body, got --model {job.model}; see `livematte models list`")
    options = {"engine": job.engine, "threads": job.threads, "weights": job.weights}
    model: BodyPix = _registry.create(
        "models", job.model, **options, resolution=job.resolution, threshold=job.threshold
    )
    return model


def _paint(job: Parts, model: BodyPix, frame: Frame) -> tuple[Frame, Sequence[Pose]]:
    """The picture of one frame, and the key points of those in it."""
    import numpy as np

    from livematte.effects.color import parse_rgb
    from livematte.models._bodypix_found import LEAST_PERSON
    from livematte.models._parts import BACKGROUND, part_picture, people_picture, tinted

    found = model.find(frame.to_rgb()[..., :3])
    background = parse_rgb(job.background)
    if job.people:
        people = found.people()
        mask = np.zeros(frame.size[::-1], bool)
        for person in people:
            mask |= person.mask
        colours, poses = people_picture(people, frame.size), [person.pose for person in people]
    else:
        parts = found.parts()
        mask, colours = parts != BACKGROUND, part_picture(parts)
        poses = [pose for pose in found.poses() if pose.score >= LEAST_PERSON] if job.json else []
    return tinted(frame, mask, colours, opacity=job.opacity, background=background), poses


def _facts(item: Item, index: int, frame: Frame, poses: Sequence[Pose]) -> dict[str, Any]:
    """What is printed of a frame."""
    from livematte.models._bodypix_poses import NAMES

    return {
        "input": without_secrets(item.input),
        "frame": index,
        "time_s": round(frame.time_s, 4),
        "people": [
            {
                "score": round(pose.score, 3),
                "keypoints": [
                    {"name": name, "x": round(float(x), 1), "y": round(float(y), 1), "score": round(float(score), 3)}
                    for name, (x, y), score in zip(NAMES, pose.points, pose.scores, strict=True)
                ],
            }
            for pose in poses
        ],
    }
