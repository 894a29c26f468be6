"""The record of a labelled folder, `labels.json`: where the labels come from, and each picture's outcome."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from livematte._errors import OptionError
from livematte.sinks._partial import write_whole

NAME = "labels.json"

UNREADABLE = "unreadable"
"""First word of the reason for pictures that could not be read."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one picture.

    Args:
        image: its file name.
        dropped: why there is no label; None if there is one.
        agreement: of the teachers.
        area: part of the picture that is person.
        confidence: mean over the picture.
    """

    image: str
    dropped: str | None = None
    agreement: float = 0.0
    area: float = 0.0
    confidence: float = 0.0

    @property
    def unreadable(self) -> bool:
        """Whether another try may do better."""
        return (self.dropped or "").startswith(UNREADABLE)


@dataclass(slots=True)
class Report:
    """A finished job: every picture's outcome, and how many were done now."""

    outcomes: dict[str, Outcome] = field(default_factory=dict)
    done_now: int = 0

    @property
    def kept(self) -> int:
        """Pictures with a label."""
        return sum(outcome.dropped is None for outcome in self.outcomes.values())

    @property
    def dropped(self) -> int:
        """Pictures without one."""
        return len(self.outcomes) - self.kept


def load(output: Path, origin: dict[str, Any]) -> dict[str, Outcome]:
    """Outcomes of earlier runs by image; none if there were none.

    Args:
        output: the data folder.
        origin: everything that decides a label, as plain values.

    Raises:
        OptionError: they were made in another way, or this is no such record.
    """
    path = output / NAME
    if not path.is_file():
        return {}
    try:
        record = json.loads(path.read_text("utf-8"))
        outcomes = {entry["image"]: Outcome(**entry) for entry in record["pictures"]}
    except (OSError, ValueError, KeyError, TypeError) as exc:
        raise OptionError(f"{path} is no record of labels ({exc}): choose another folder") from exc
    wanted = json.loads(json.dumps(origin))
    if other := [key for key in wanted if record.get(key) != wanted[key]]:
        raise OptionError(
            f"{output} holds labels made by other settings ({', '.join(other)}): choose another folder, or remove it"
        )
    return outcomes


def save(output: Path, origin: dict[str, Any], report: Report) -> None:
    """Write the record.

    Raises:
        SinkError: it cannot be written.
    """
    outcomes = [report.outcomes[name] for name in sorted(report.outcomes)]
    record = {**origin, "kept": report.kept, "dropped": report.dropped, "pictures": [asdict(o) for o in outcomes]}
    write_whole(output / NAME, f"{json.dumps(record, indent=1)}\n".encode())
