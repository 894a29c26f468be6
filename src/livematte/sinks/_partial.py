"""Outputs that appear under their name only when they are complete."""

from __future__ import annotations

import contextlib
import os
import secrets
import shutil
from pathlib import Path

from livematte._errors import SinkError

NAME_LETTERS = 60
"""Of the name, what its hidden form keeps: 240 bytes at most in UTF-8, where 255 are allowed."""


class PartialFile:
    """A file in the making, hidden beside its final place.

    Args:
        path: where it will be; a link is followed, so that what it points to is replaced.
        source: path of the input, which is never written over.

    Raises:
        SinkError: the folder is missing or not writable, or the place is taken by the
            input, a folder or a device.
    """

    def __init__(self, path: str | Path, source: str | None = None) -> None:
        self.path = Path(os.path.realpath(path))
        if self.path.exists():
            if source is not None and Path(source).exists() and self.path.samefile(source):
                raise SinkError(f"{path} is the input itself; write to another name")
            if not self.path.is_file():
                raise SinkError(f"{path} is not a regular file; name a file to be written")
        check_folder(self.path.parent)
        self.hidden = self.path.with_name(_name(self.path))
        try:
            self.hidden.open("xb").close()
        except OSError as exc:
            raise SinkError(f"cannot write {path}: {exc.strerror}") from exc

    def keep(self) -> None:
        """Give the file its name.

        Raises:
            SinkError: it cannot be renamed.
        """
        try:
            self.hidden.replace(self.path)
        except OSError as exc:
            self.drop()
            raise SinkError(f"cannot write {self.path}: {exc.strerror}") from exc

    def drop(self) -> None:
        """Leave nothing behind; twice is fine."""
        with contextlib.suppress(OSError):
            self.hidden.unlink(missing_ok=True)


def write_whole(path: Path, data: bytes) -> None:
    """Write a file that appears under its name only when it is complete.

    Raises:
        SinkError: it cannot be written.
    """
    part = PartialFile(path)
    try:
        part.hidden.write_bytes(data)
        part.keep()
    except OSError as exc:
        raise SinkError(f"cannot write {path}: {exc.strerror or exc}") from exc
    finally:
        part.drop()


class PartialFolder:
    """A folder in the making; like `PartialFile`, and never mixed into one that holds files.

    Raises:
        SinkError: the place is taken, or cannot be written to.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(os.path.realpath(path))
        if self.path.exists() and (not self.path.is_dir() or any(self.path.iterdir())):
            raise SinkError(f"{path} exists and is not an empty folder; name a new one")
        check_folder(self.path.parent)
        self.hidden = self.path.with_name(_name(self.path))
        try:
            self.hidden.mkdir()
        except OSError as exc:
            raise SinkError(f"cannot write {path}: {exc.strerror}") from exc

    def keep(self) -> None:
        """Give the folder its name.

        Raises:
            SinkError: it cannot be renamed.
        """
        try:
            if self.path.exists():
                self.path.rmdir()
            self.hidden.rename(self.path)
        except OSError as exc:
            self.drop()
            raise SinkError(f"cannot write {self.path}: {exc.strerror}") from exc

    def drop(self) -> None:
        """Leave nothing behind; twice is fine."""
        shutil.rmtree(self.hidden, ignore_errors=True)


def check_folder(folder: Path) -> None:
    """Refuse a folder that does not exist.

    Raises:
        SinkError: missing, or not a folder.
    """
    if not folder.is_dir():
        what = "is not a folder" if folder.exists() else "does not exist"
        raise SinkError(f"the folder {folder} {what}; make it first")


def _name(path: Path) -> str:
    return f".{path.stem[:NAME_LETTERS]}.{secrets.token_hex(4)}{path.suffix}"
