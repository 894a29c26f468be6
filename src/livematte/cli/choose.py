"""`livematte choose`: which model, engine and platform fit a need on this device."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from livematte._errors import OptionError
from livematte.cli._options import parse_size

if TYPE_CHECKING:
    from livematte._choose import Need

EXAMPLE = "Example: livematte choose --for live --size 720p --fps 30 --commercial"

USES = ("live", "file", "picture")
NEEDS = ("person", "parts", "people", "classes")
PLATFORMS = ("native", "browser")

LIVE_FPS = 30.0

LIVE_SHARE = 0.5
"""Part of a core: the ladder then holds its best step, which it tries below 0.55, and the call has the rest."""

LARGEST_SHARE = 1024.0


def command(
    for_: Annotated[
        str, typer.Option("--for", metavar="USE", help="live, file (a video that may take its time) or picture.")
    ] = "live",
    size: Annotated[str, typer.Option(metavar="WxH", help="Size of the frames: 1280x720, or 720p.")] = "1280x720",
    fps: Annotated[
        float | None, typer.Option(metavar="N", help="Frames a second to manage.  [default: 30 for live, else none]")
    ] = None,
    share: Annotated[
        float | None,
        typer.Option(metavar="0-1", help="Part of one core it may take; 2 is two cores.  [default: 0.5 for live]"),
    ] = None,
    needs: Annotated[
        str, typer.Option(metavar="WHAT", help="person, parts (of bodies), people (told apart) or classes (of things).")
    ] = "person",
    platform: Annotated[str, typer.Option(metavar="WHERE", help="native or browser.")] = "native",
    commercial: Annotated[
        bool, typer.Option("--commercial", help="Only models whose commercial use is clear.")
    ] = False,
    models: Annotated[
        str | None, typer.Option(metavar="all|A,B,C", help="Measure these; by default the best until enough fit.")
    ] = None,
    data: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Your own images/ with masks/: their figures decide.")
    ] = None,
    limit: Annotated[
        int | None, typer.Option(metavar="N", min=1, help="With --data: pictures of it, evenly spread.")
    ] = None,
    tune: Annotated[
        bool, typer.Option("--tune", help="Find the fastest engine for the choice, too: 20 seconds more.")
    ] = False,
    json_: Annotated[bool, typer.Option("--json", help="Print figures as one JSON object on stdout.")] = False,
    debug: Annotated[bool, typer.Option("--debug", help="Show a traceback if something fails.")] = False,
) -> None:
    """Say what to use on this device, from measurements, and what to type next.

    Quality is what we measured, or what your own pictures say; time is measured here, each
    model in a process of its own: a whole frame with blur, without decoding and encoding.
    Nothing is downloaded. The exit code is 1 if nothing fits.
    """
    from livematte import _choose, _doctor, _survey, _tune
    from livematte.cli import _choose_text
    from livematte.cli._progress import waiting
    from livematte.evaluation import datasets

    need = need_of(for_, size, fps, share, needs, platform, commercial)
    if data is None and limit is not None:
        raise OptionError("--limit goes with --data")
    if data is not None and not data.is_dir():
        raise OptionError(f"--data: there is no folder {data}")
    if data is not None and not any(isinstance(case, datasets.Picture) for case in datasets.find(data, 1)):
        raise OptionError(f"--data: {data} holds no pictures with masks: it needs images/ and masks/")
    known = _survey.candidates(models or "all", need)
    with waiting("measuring") as progress:
        found = list(_survey.measured(need, known, all_=models is not None, data=data, limit=limit, progress=progress))
        decision = _choose.decide(need, found)
        if tune and decision.choice is not None:
            progress(f"engines for {decision.choice.model}")
            _tune.tune(decision.choice.model)
            again = _survey.measure(need, decision.choice, progress=progress)
            decision = _choose.decide(need, [again if it is decision.choice else it for it in found])
    about: dict[str, Any] = {
        "need": {**asdict(need), "size": str(need.size)},
        "cpu": _doctor.cpu(),
        "data": None if data is None else data.name,
        "tuned": decision.choice is not None and _survey.tuned(decision.choice.model),
    }
    if json_:
        typer.echo(json.dumps(_choose_text.as_dict(need, decision, about), indent=2))
    else:
        typer.echo("\n".join(_choose_text.lines(need, decision, about)))
    if decision.choice is None:
        raise typer.Exit(1)


def need_of(
    use: str,
    size: str,
    fps: float | None,
    share: float | None,
    gives: str,
    platform: str,
    commercial: bool,
) -> Need:
    """The options as a need.

    Raises:
        OptionError: one of them has no sense.
    """
    from livematte._choose import Need
    from livematte.sources import parse_fps

    for option, value, values in (("--for", use, USES), ("--needs", gives, NEEDS), ("--platform", platform, PLATFORMS)):
        _one_of(option, value, values)
    if platform == "browser" and use != "live":
        raise OptionError(f"the browser SDK is for live tracks: --platform browser goes with --for live, not {use}")
    if use == "live" and gives in ("parts", "people") and platform == "native":
        live = "; live, the browser SDK knows them: --platform browser" if gives == "parts" else ""
        raise OptionError(f"`livematte parts`, which finds {gives}, is for files: pass --for file or picture{live}")
    if use == "live":
        fps, share = LIVE_FPS if fps is None else fps, LIVE_SHARE if share is None else share
    if share is not None and not 0 < share <= LARGEST_SHARE:
        raise OptionError(f"--share is a part of one core, above 0, as in 0.5; got {share:g}")
    if share is not None and fps is None:
        raise OptionError(f"--share of what time? With --for {use} give --fps, too")
    rate = None if fps is None else float(parse_fps(fps))
    return Need(use, parse_size(size), rate, share, gives, commercial, platform == "browser")


def _one_of(option: str, value: str, values: Sequence[str]) -> None:
    if value not in values:
        raise OptionError(f"{option} is {', '.join(values[:-1])} or {values[-1]}; got {value!r}")
