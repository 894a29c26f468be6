"""What `livematte choose` says: the choice, why, what to type, and the table behind it."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator
from typing import Any

from livematte import _choose, _device, _quality, _survey
from livematte._bench_models import by_family
from livematte._choose import Candidate, Decision, Need
from livematte._device import Cost
from livematte._governor import LADDER, START
from livematte.cli.models import COMMERCIAL

WIDTH = 100
"""Columns of a terminal that are filled at most."""

ABSENT_SHOWN = 5
"""Rows of models whose weights are not here."""

COLUMNS = (("IoU", 7), ("edges", 7), ("flicker", 9), ("frame ms", 10), ("core ms", 9))
"""Headings of numbers, and their widths."""


def lines(need: Need, decision: Decision, about: dict[str, Any]) -> list[str]:
    """Everything for a reader, at most `WIDTH` columns wide but for commands."""
    shown = [*_headline(need, decision), ""]
    if decision.choice is not None:
        shown += [f"  {line}" for line in commands(need, decision.choice)] + [""]
    elif need.browser and decision.misfits:
        nearest = decision.misfits[0][0]
        shown += ["To see what it takes (background.stats() tells):"]
        shown += [f"  {line}" for line in commands(need, nearest)] + [""]
    shown += [*_wrapped(f"{_need(need)}; {about['cpu']['name']}, {about['cpu']['cores']} cores"), ""]
    shown += _table(need, decision) or ["(no table: there is nothing to measure)"]
    for note in _notes(need, decision, about):
        text, *typed = note.split("\n")
        shown += ["", *_wrapped(text), *(f"  {line}" for line in typed)]
    return shown


def as_dict(need: Need, decision: Decision, about: dict[str, Any]) -> dict[str, Any]:
    """Everything as plain values."""
    choice = decision.choice
    return {
        **about,
        "choice": None if choice is None else choice.model,
        "engine": None if choice is None else choice.engine,
        "why": " ".join(_headline(need, decision)),
        "commands": [] if choice is None else commands(need, choice),
        "ranked": [_survey.as_dict(it) for it in decision.ranked],
        "misfits": [{**_survey.as_dict(it), "why": why} for it, why in decision.misfits],
        "passed_over": [_survey.as_dict(it) for it in decision.passed_over],
        "absent": [{**_survey.as_dict(it), "pull": _pull(it)} for it in decision.absent],
        "instead": list(decision.instead),
        "notes": [note.replace("\n", " ") for note in _notes(need, decision, about)],
        "quality": {key: value for key, value in _quality.facts().items() if key not in ("models", "browser")},
        "browser": _survey.browser_facts(),
    }


def commands(need: Need, choice: Candidate) -> list[str]:
    """What to type next."""
    name = choice.model
    if need.browser:
        parts = ', { parts: ["face", "hand"] }' if need.gives == "parts" else ""
        made = (
            f'const background = await createBackground({{ model: "{choice.in_browser}", assetBase: "/livematte/" }});'
        )
        return [made, f'await background.setModel("{choice.in_browser}"{parts});'] if parts else [made]
    source, result = ("me.jpg", "out.png") if need.use == "picture" else ("talk.mp4", "out.mp4")
    if need.gives in ("parts", "people"):
        apart = " --people" if need.gives == "people" else ""
        return [f"livematte parts {source} -o {result} --model {name}{apart}"]
    classes = " --classes person" if need.gives == "classes" else ""
    if need.use == "live":
        return [f"livematte live --model {name}{classes} --size {need.size} --fps {need.fps:g}"]
    if classes:
        return [f"livematte classes {source} -o {result} --model {name}"]
    return [f"livematte blur {source} -o {result} --model {name}"]


def _headline(need: Need, decision: Decision) -> list[str]:
    """The choice in one sentence, or why there is none."""
    choice = decision.choice
    if choice is not None:
        others = len(decision.ranked) - 1
        best = "it alone fits" if not others else f"the best of the {others + 1} measured that fit"
        if choice is not decision.ranked[0] and choice.sure:
            best = "the best of those that fit and whose figures can be trusted"
        return _wrapped(f"{choice.model}: {best}. {_takes(need, choice)}")
    if not decision.misfits:
        wanted = f"{need.gives}{', for commercial use' if need.commercial else ''}"
        where = " in the browser SDK" if need.browser else ""
        if not decision.absent:
            return _wrapped(f"No model gives what is needed{where}: {wanted}. `livematte models list` tells of all.")
        return _wrapped(f"No model that gives what is needed{where} ({wanted}) is on this machine.")
    nearest, why = decision.misfits[0]
    found = _wrapped(f"Nothing here fits. The nearest is {nearest.model}: {why}. {_takes(need, nearest)}")
    return found + (["What to give up, one of:", *(f"  - {it}" for it in decision.instead)] if decision.instead else [])


def _takes(need: Need, choice: Candidate) -> str:
    frame_ms, cpu_ms = choice.frame_ms or 0.0, choice.cpu_ms or 0.0
    if choice.error:
        return ""
    if need.fps is None:
        return f"A frame takes {frame_ms:.1f} ms."
    there = f"A frame takes {frame_ms:.1f} ms, where {need.clock_ms:.1f} are there"
    if need.share is None:
        return f"{there}."
    return f"{there}, and {cpu_ms * need.fps / 1000:.2f} of a core, where {need.share:g} may be taken."


def _need(need: Need) -> str:
    rate = "" if need.fps is None else f" at {need.fps:g} frames a second"
    share = "" if need.share is None else f", {need.share:g} of a core at most"
    where = " in the browser" if need.browser else ""
    terms = ", commercial use" if need.commercial else ""
    return f"{need.use}{where}, {need.gives}{terms}, {need.size}{rate}{share}"


def _table(need: Need, decision: Decision) -> list[str]:
    """A row for each model: the choice, what else fits, what does not, what is not here."""
    ranked = [*decision.ranked]
    if decision.choice is not None:
        ranked = [decision.choice, *(it for it in ranked if it is not decision.choice)]
    rows = [
        *((it, _remark(need, it, decision)) for it in ranked),
        *decision.misfits,
        *((it, "not here") for it in _worth_fetching(need, decision)),
    ]
    if not rows:
        return []
    width = max(len(it.model) for it, _ in rows)
    found = ["model".ljust(width) + "".join(head.rjust(n) for head, n in COLUMNS) + "  use      "]
    for it, remark in rows:
        cells = "".join(text.rjust(n) for text, (_, n) in zip(_cells(it), COLUMNS, strict=True))
        line = f"{it.model.ljust(width)}{cells}  {COMMERCIAL[it.commercial]:<9}{remark}"
        found.append(line if len(line) <= WIDTH else f"{line[: WIDTH - 3]}...")
    return [line.rstrip() for line in found]


def _cells(it: Candidate) -> tuple[str, ...]:
    times = tuple("-" if ms is None else f"{ms:.1f}" for ms in (it.frame_ms, it.cpu_ms))
    good = it.quality
    if good is None:
        return "-", "-", "-", *times
    return f"{good.iou:.3f}", f"{good.boundary_f:.3f}", "-" if good.flicker is None else f"{good.flicker:.2f}", *times


def _remark(need: Need, it: Candidate, decision: Decision) -> str:
    if it is decision.choice:
        return "the choice"
    if it.quality is None:
        return "quality not known"
    if _choose.rank(need, it)[0]:
        return "flickers"
    return "figures may flatter" if it.quality.familiar else ""


def _notes(need: Need, decision: Decision, about: dict[str, Any]) -> Iterator[str]:
    """What a reader of the table must know, a paragraph each."""
    choice = decision.choice
    if _table(need, decision):
        yield from _about_figures(need, about)
    if choice is not None and _choose.rank(need, choice)[0]:
        yield f"{choice.model} flickers in video; nothing calmer that fits is here."
    if choice is not None and choice.sure:
        better = [it for it in decision.ranked[: decision.ranked.index(choice)] if it.quality and it.quality.familiar]
        for it in better[:1]:
            yield (
                f"{it.model} has better figures, but they may flatter it: {it.quality.familiar if it.quality else ''}. "
                f"Your own pictures decide:\nlivematte choose --data DIR --models {choice.model},{it.model}"
            )
    if choice is not None:
        yield from _about_engine(need, choice, about)
    if need.gives in ("parts", "people"):
        yield (
            f"Telling {need.gives} apart is neither in the figures nor in the times: those are the matte's. Live, "
            "the browser SDK knows parts, and `livematte live --who nearest` keeps the people nearest the camera."
        )
    unknown = [it.model for it in decision.passed_over if it.quality is None]
    if unknown:
        names = ", ".join(unknown[:ABSENT_SHOWN])
        yield f"Here, but nobody has measured their quality: {names}. With --data DIR your own pictures do."
    named = _worth_fetching(need, decision)
    if named:
        names = " ".join(it.model for it in named)
        yield f"Not here, and worth fetching to be measured:\nlivematte models pull {names}"
    others = [it.model for it in decision.absent if it not in named]
    if others:
        yield (
            f"Not here, no better by our figures or without any: {by_family(others)}; "
            "`livematte models list` names them."
        )


def _worth_fetching(need: Need, decision: Decision) -> list[Candidate]:
    """Models that are not here, and whose figures are as good as those of what fits."""
    last = [_choose.rank(need, it)[:2] for it in decision.ranked if _choose.trusted(need, it)][-1:]
    known = [it for it in decision.absent if it.quality is not None]
    if not (known or decision.ranked or decision.misfits):
        known = [*decision.absent]
    return [it for it in known if not last or _choose.rank(need, it)[:2] <= last[0]][:ABSENT_SHOWN]


def _about_figures(need: Need, about: dict[str, Any]) -> Iterator[str]:
    facts = _quality.facts()
    where = f"your {about['data']}" if about["data"] else f"{facts['data']} ({facts['date']})"
    times = "A frame is everything between decoding and encoding: network, steadying, edges, blur, composite"
    if need.browser:
        known = _survey.browser_facts()
        times = (
            f"Times are estimated: a frame's here natively, times what {known['version']} took more than native on "
            f"{known['machine']}, beyond the bare camera (docs/bench-browser.md)"
        )
    yield (
        f"IoU and edges (boundary F): {where}. Flicker x1000: two clips of people before a camera; above "
        f"{_choose.CALM:g} it is seen. {times}. Core: processor time, all threads. Use: is commercial use clear."
    )


def _about_engine(need: Need, choice: Candidate, about: dict[str, Any]) -> Iterator[str]:
    if need.browser:
        yield (
            "The SDK runs it as WebAssembly on one thread of a worker, or with WebGPU where there is a real adapter; "
            "what draws is measured at its start: docs/browser.md."
        )
        return
    tuned = (
        "found by `livematte tune`"
        if about["tuned"]
        else f"`livematte tune --model {choice.model}` may find a faster one"
    )
    browser = "The browser SDK does not have this model."
    known = _survey.browser_facts()
    if choice.model in _survey.BROWSER_LARGER:
        name = _survey.BROWSER_LARGER[choice.model]
        browser = f'In the browser, model "{name}" begins with a smaller network and takes this one where it is idle.'
    elif choice.in_browser:
        browser = f'In the browser it is model "{choice.in_browser}".'
        if (ms := known["chromium_ms"].get(choice.model)) is not None:
            native = known["native_ms"][choice.model]
            browser += (
                f" On {known['machine']}, Chromium takes {ms:.1f} ms beyond the camera where this takes {native:.1f}."
            )
    yield f"Engine: {choice.engine}, {tuned}. {browser}"
    if need.use == "live" and need.fps is not None:
        whole, network = choice.frame_ms or 0.0, choice.network_ms or 0.0
        cost = Cost(min(network, whole), max(whole - network, 0.0))
        rung, _ = _device.first_rung(_device.this_device(), cost, 1000 / need.fps)
        if rung != LADDER[START].name:
            yield f"`livematte live` begins at the rung {rung} of its ladder here; `livematte doctor` says why."


def _pull(it: Candidate) -> str:
    return f"livematte models pull {it.model}"


def _wrapped(text: str) -> list[str]:
    return textwrap.wrap(text, WIDTH, break_long_words=False, break_on_hyphens=False)
