"""Files of a run: the checkpoint, weights, and the log. A file is there whole or not at all."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import torch

from livematte._errors import OptionError, WeightsError
from livematte.training import net as nets
from livematte.training.nets import Network

NAME = "checkpoint.pt"
"""The checkpoint in a run's folder."""

FACTS, LOG, CACHE = "run.json", "log.jsonl", "cache"
"""What a run is made of, what it says, and the scaled pictures, unless they are kept elsewhere."""


def save(path: Path, held: Any) -> None:
    """Write a file in one go: whoever reads it finds the old one or the new one."""
    part = path.with_suffix(".part")
    with part.open("wb") as file:
        torch.save(held, file)
        file.flush()
        os.fsync(file.fileno())
    part.replace(path)


def save_weights(path: Path, net: Network) -> None:
    """Write weights with the shape of their network."""
    save(path, nets.weights(net))


def load(out: Path, resume: bool) -> dict[str, Any] | None:
    """The checkpoint of a run, if it is to be gone on with and there is one.

    Raises:
        OptionError: there is one, and nobody asked to go on with it.
        WeightsError: it cannot be read.
    """
    path = out / NAME
    if not path.exists():
        return None
    if not resume:
        raise OptionError(f"{out} holds a run already: pass --resume to go on with it, or another --out")
    try:
        held: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as exc:  # unpickling damaged bytes raises anything
        raise WeightsError(f"cannot read {path}: {' '.join(str(exc).split())}") from exc
    return held


@contextmanager
def begun(out: Path) -> Iterator[None]:
    """The folder of a run. One that is made here, and whose run fails before it has anything to keep, goes again."""
    made = [folder for folder in (out, *out.parents) if not folder.exists()]
    out.mkdir(parents=True, exist_ok=True)
    try:
        yield
    except BaseException:
        log = out / LOG
        if made and not (out / NAME).exists() and not (log.exists() and log.stat().st_size):
            for name in (LOG, FACTS):
                (out / name).unlink(missing_ok=True)
            shutil.rmtree(out / "tensorboard", ignore_errors=True)
            with suppress(OSError):  # pictures that were read already stay, and the folder with them
                for folder in (out / CACHE, *made):
                    if folder.exists():
                        folder.rmdir()
        raise


class Log:
    """The log: JSON lines in `log.jsonl`, and TensorBoard's files if that is installed.

    Args:
        out: folder of the run.
        step: where the run goes on; what the log says of later steps is dropped.
        report: called with each line.
    """

    def __init__(self, out: Path, step: int, report: Callable[[dict[str, Any]], None] | None) -> None:
        self._path = out / LOG
        self._report = report
        lines = self._path.read_text(encoding="utf-8").splitlines() if self._path.exists() else []
        kept = [line for line in lines if json.loads(line)["step"] <= step] if step else []
        self._path.write_text("".join(f"{line}\n" for line in kept), encoding="utf-8")
        self._board: Any = None
        if find_spec("tensorboard") is not None:
            from torch.utils.tensorboard import SummaryWriter

            self._board = SummaryWriter(str(out / "tensorboard"), purge_step=step)

    def write(self, line: dict[str, Any]) -> None:
        """Add a line."""
        with self._path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(line) + "\n")
        if self._board is not None:
            for name, value in line.items():
                if isinstance(value, (int, float)) and name not in ("step", "steps"):
                    self._board.add_scalar(name, value, line["step"])
        if self._report is not None:
            self._report(line)

    def close(self) -> None:
        """Write out what waits."""
        if self._board is not None:
            self._board.close()
