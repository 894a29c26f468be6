"""Cut the people out of every picture of a folder.

python examples/batch_images.py photos/ cut/
"""

from __future__ import annotations

import sys
from pathlib import Path

from livematte import LivematteError, Session, Transparent
from livematte.sinks import open_sink
from livematte.sources import open_source


def batch_images(photos: str, cut: str) -> None:
    """Write `cut/NAME.png` with alpha for every picture in `photos`; go on after a bad one."""
    Path(cut).mkdir(parents=True, exist_ok=True)
    # temporal=False: the pictures are no film, none may be steadied by the one before.
    with Session(effect=Transparent(), temporal=False) as session:
        for path in sorted(Path(photos).iterdir()):
            try:
                source = open_source(path)
                with source, open_sink(Path(cut) / f"{path.stem}.png", source_info=source.info) as sink:
                    for frame in source:
                        sink.write(session.process_frame(frame))
            except LivematteError as error:
                print(f"{path.name}: {error}", file=sys.stderr)


if __name__ == "__main__":
    batch_images(*sys.argv[1:3])
