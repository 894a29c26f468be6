"""What `livematte choose` decides by: the models there are, their quality, and what they cost on this device."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from livematte import _bench_models, _choose, _quality, _tune
from livematte._choose import Candidate, Need
from livematte._errors import LivematteError
from livematte.models._spec import ModelSpec

SECONDS = 1.0
"""For a slow model, each of two passes; the others have their frames in less."""

EFFECT = "blur:0.6"

BROWSER = {
    "livematte:fast": "livematte",
    "mediapipe:landscape": "mediapipe:landscape",
    "mediapipe:general": "mediapipe:general",
    "bodypix:mobilenet-050-s8": "bodypix:mobilenet-050-s8",
    **{
        f"bodypix:mobilenet-{width}-s16{kept}": f"bodypix:mobilenet-{width}-s16{kept}"
        for width in ("050", "075", "100")
        for kept in ("", "-q2", "-q1")
    },
}
"""What the browser SDK calls the models it has: `ModelName` in web/src/types.ts."""

BROWSER_LARGER = {"livematte:base": "livematte"}
"""Models that it takes by itself on an idle device in place of another: `large` in web/src/segmenter/models.ts."""

BROWSER_PERSON_ALONE = ("bodypix:mobilenet-050-s8",)
"""Models of which it gives no parts, and of none does it tell people apart."""


def candidates(names: str, need: Need) -> list[Candidate]:
    """The models that suit a need, their weights here or not, with published figures of quality.

    Args:
        names: `all`, or names with commas.

    Raises:
        UnknownName: no such model.
        OptionError: none at all.
    """
    here, absent = _bench_models.chosen(names)
    known = [_candidate(spec, need, spec in here) for spec in (*here, *absent)]
    return [it for it in known if _choose.suits(need, it)]


def measured(
    need: Need,
    known: Sequence[Candidate],
    *,
    all_: bool = False,
    data: Path | None = None,
    limit: int | None = None,
    progress: Callable[[str], None] = lambda text: None,
) -> Iterator[Candidate]:
    """Candidates with what they cost here, the best first; those that are not measured come as they are.

    Args:
        all_: measure all of them, not only the best by their figures until enough fit.
        data: pictures with masks, whose figures take the place of the published ones; all are measured then.
        limit: pictures of it, evenly spread.
        progress: called with the name of each.
    """
    done: list[Candidate] = []
    for one in sorted(known, key=lambda it: _choose.rank(need, it)):
        wanted = data is not None or all_ or (one.quality is not None and not _choose.enough(need, done))
        if not (one.here and wanted):
            yield one
        else:
            done.append(measure(need, one, data=data, limit=limit, progress=progress))
            yield done[-1]


def measure(
    need: Need,
    one: Candidate,
    *,
    data: Path | None = None,
    limit: int | None = None,
    progress: Callable[[str], None] = lambda text: None,
) -> Candidate:
    """One candidate with what it costs here, in a process of its own."""
    ratio = browser_ratio(one.model) if need.browser else 1.0
    if ratio is None:
        return replace(one, error="time not known")
    spec = _tune.spec_of(one.model)
    (row,) = _bench_models.rows(
        [spec], effect=EFFECT, size=need.size, seconds=SECONDS, data=data, limit=limit, progress=progress
    )
    if "error" in row:
        return replace(one, error=row["error"])
    quality = one.quality
    if data is not None:
        flicker = quality.flicker if quality else None
        quality = _quality.Quality(row["iou"], row["boundary_f"], round(1000 * row["mad"], 2), flicker)
    times = {name: round(ratio * row[name], 3) for name in ("network_ms", "frame_ms", "cpu_ms")}
    return replace(one, quality=quality, engine=row["engine"], **times)


def browser_ratio(model: str) -> float | None:
    """Times that a frame costs in Chromium of what it costs natively, both measured on one machine; None if not."""
    known = browser_facts()
    in_browser, native = known["chromium_ms"].get(model), known["native_ms"].get(model)
    return None if in_browser is None or native is None else in_browser / native


def browser_facts() -> dict[str, Any]:
    """What was measured in browsers, on which machine: docs/bench-browser.md."""
    found: dict[str, Any] = _quality.facts()["browser"]
    return found


def tuned(model: str) -> bool:
    """Whether `livematte tune` has found the fastest engine for a model here."""
    try:
        return _tune.remembered(_tune.spec_of(model)) is not None
    except LivematteError:
        return False


def _candidate(spec: ModelSpec, need: Need, here: bool) -> Candidate:
    in_browser, gives = BROWSER.get(spec.name, ""), spec.gives
    if need.browser:
        apart = () if spec.name in BROWSER_PERSON_ALONE else ("parts",)
        gives = tuple(name for name in spec.gives if name in ("person", *apart))
    return Candidate(spec.name, gives, spec.licence, spec.commercial, _quality.published(spec), here, in_browser)


def as_dict(candidate: Candidate) -> dict[str, Any]:
    """A candidate as plain values."""
    return {**asdict(candidate), "gives": list(candidate.gives), "worth": round(candidate.worth, 4)}
