"""The quality ladder: quick down, slow up, no oscillation. The same sequences as tests/web/governor.test.mjs."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from livematte._governor import HISTORY, LADDER, NAMES, Governor

FRAME_MS = 1000 / 30

SEQUENCES = json.loads((Path(__file__).parents[1] / "golden" / "governor.json").read_text(encoding="utf-8"))


def play(governor: Governor, steps: list[dict[str, Any]]) -> list[list[Any]]:
    """What a governor does in a sequence: time in ms, rung and reason of each change."""
    changes: list[list[Any]] = []

    def note(change: Any) -> None:
        if change:
            changes.append([round(change.at_ms, 1), change.rung, change.why])

    at_ms = 0.0
    for step in steps:
        if "exchange" in step:
            note(governor.exchange(step["exchange"], at_ms))
        if "fps" in step:
            governor.set_fps(step["fps"])
        end_ms, frame = at_ms + 1000 * step.get("seconds", 0), 0
        while at_ms < end_ms:
            frame += 1
            lost = step.get("skipped", 0) or int(frame % step.get("skip_every", end_ms) == 0)
            spent = step["cost"].get(governor.rung.name, step["cost"]["*"])
            spent = spent[frame % len(spent)] if isinstance(spent, list) else spent
            note(governor.observe(at_ms, spent * FRAME_MS, lost))
            at_ms += FRAME_MS * (1 + lost)
    return changes


@pytest.mark.parametrize("sequence", SEQUENCES, ids=lambda sequence: sequence["name"])
def test_sequence(sequence: dict[str, Any]) -> None:
    governor = Governor(FRAME_MS, sequence.get("enabled", True))
    assert play(governor, sequence["steps"]) == sequence["changes"]


def test_down_the_whole_ladder_and_up_again() -> None:
    governor = Governor(FRAME_MS)
    down = play(governor, [{"seconds": 4, "cost": {"*": 1.5}}])
    assert [rung for _, rung, _ in down] == list(NAMES[2:])
    play(governor, [{"seconds": 30, "cost": {"*": 0.2}}])
    assert governor.rung.name == "full"


def test_the_history_is_short() -> None:
    governor = Governor(FRAME_MS)
    for index in range(12):
        play_from(governor, index * 60_000.0, 0.1 if index % 2 else 2)
    assert len(governor.history) == HISTORY
    assert len(governor.as_list()) == HISTORY


def play_from(governor: Governor, start_ms: float, cost: float) -> None:
    for frame in range(1800):
        governor.observe(start_ms + frame * FRAME_MS, cost * FRAME_MS, 0)


def test_a_device_may_begin_lower_and_never_higher() -> None:
    governor = Governor(FRAME_MS)
    change = governor.begin("every-3rd", 5.0, "slow")
    assert change is not None
    assert (governor.rung.name, change.why) == ("every-3rd", "slow")
    assert governor.begin("full", 6.0, "quick") is None
    assert governor.rung.name == "every-3rd"
    assert Governor(FRAME_MS, enabled=False).begin("every-3rd", 5.0, "slow") is None


def test_an_output_may_end_the_ladder_earlier() -> None:
    governor = Governor(FRAME_MS, lowest="no-refinement")
    assert play(governor, [{"seconds": 6, "cost": {"*": 1.5}}])[-1][1] == "no-refinement"
    governor = Governor(FRAME_MS, lowest="no-refinement")
    governor.begin("half-size", 0.0, "slow")
    assert governor.rung.name == "no-refinement"


def test_each_rung_asks_for_less_than_the_one_before() -> None:
    work = [(r.large, 1 / r.every, r.refine, not r.half_size) for r in LADDER]
    assert work == sorted(work, reverse=True)
