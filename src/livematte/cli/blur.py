"""`livematte blur`: the room out of focus."""

from __future__ import annotations

from typing import Annotated

import typer

from livematte.cli._job import process
from livematte.cli._options import Bokeh, Job, LookOptions, expand

EXAMPLE = (
    "Example: livematte blur talk.mp4 -o private.mp4 --strength 0.8 (many: livematte blur *.mp4 *.jpg -o private/)"
)


@expand
def command(
    job: Job,
    look: LookOptions,
    strength: Annotated[float, typer.Option(metavar="0.1-1", help="How strongly; the same look at every size.")] = 0.6,
    bokeh: Bokeh = False,
) -> None:
    """Blur the background of a video or picture."""
    from livematte.effects.blur import Blur

    process(job, "blur", Blur(strength, bokeh=bokeh, **look.given()), framing=look.framing)
