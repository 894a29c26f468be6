"""`livematte remove`: the person alone."""

from __future__ import annotations

from livematte.cli._job import process
from livematte.cli._options import Job, LookOptions, expand

EXAMPLE = "Example: livematte remove talk.mp4 -o talk.mov (also .webm, a .png, or frames/%05d.png)"


@expand
def command(job: Job, look: LookOptions) -> None:
    """Remove the background; the output has an alpha channel."""
    from livematte.effects.transparent import Transparent

    process(job, "remove", Transparent(**look.given()), framing=look.framing)
