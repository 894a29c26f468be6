"""`livematte grey`: the room without its colours."""

from __future__ import annotations

from livematte.cli._job import process
from livematte.cli._options import Job, LookOptions, expand

EXAMPLE = "Example: livematte grey talk.mp4 -o talk-grey.mp4"


@expand
def command(job: Job, look: LookOptions) -> None:
    """Take the colour off the background; frames without a person become plain grey."""
    from livematte.effects.grey import Grey

    process(job, "grey", Grey(**look.given()), framing=look.framing)
