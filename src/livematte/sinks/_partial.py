"""Outputs that appear under their name only when they are complete."""

from __future__ import annotations

import contextlib
import errno
import itertools
import os
import secrets
import shutil
from collections.abc import Callable
from pathlib import Path

from livematte._errors import SinkError

NAME_LETTERS = 60
"""Of the name, what its hidden form keeps: 240 bytes at most in UTF-8, where 255 are allowed."""

TAKEN = (errno.EEXIST, errno.ENOTEMPTY, errno.ENOTDIR)
"""How systems say that a folder cannot have a name because something has it."""


class PartialFile:
    """A file in the making, hidden beside its final place.

    Args:
        path: where it will be; a link is followed, so that what it points to is replaced.
        source: path of the input, which is never written over.
        overwrite: replace what has the name by the time this is complete; else it stays, and
            the finished file goes beside it.

    Raises:
        SinkError: the folder is missing or not writable, or the place is taken by the
            input, a folder or a device.
    """

    def __init__(self, path: str | Path, source: str | None = None, *, overwrite: bool = True) -> None:
        self.path, self._overwrite = Path(os.path.realpath(path)), overwrite
        if self.path.exists():
            if source is not None and Path(source).exists() and self.path.samefile(source):
                raise SinkError(f"{path} is the input itself; write to another name")
            if not self.path.is_file():
                raise SinkError(f"{path} is not a regular file; name a file to be written")
            if not overwrite:
                raise SinkError(f"{path} exists; choose another name, or let it be replaced (-y, overwrite=True)")
        check_folder(self.path.parent)
        self.hidden = self.path.with_name(_name(self.path))
        try:
            self.hidden.open("xb").close()
        except OSError as exc:
            raise SinkError(f"cannot write {path}: {exc.strerror}") from exc

    def keep(self) -> None:
        """Give the file its name.

        Raises:
            SinkError: it cannot be renamed; or the name was taken meanwhile, and the message
                says which one the file has now.
        """
        try:
            if self._overwrite:
                self.hidden.replace(self.path)
            else:
                _keep_apart(self.path, self._take)
        except OSError as exc:
            self.drop()
            raise SinkError(f"cannot write {self.path}: {exc.strerror}") from exc

    def _take(self, path: Path) -> None:
        """Give the file a name that nobody has.

        Raises:
            FileExistsError: somebody has.
        """
        try:
            os.link(self.hidden, path)
        except FileExistsError:
            raise
        except OSError:  # no hard links here (FAT, some network drives), or gone altogether
            if not self.hidden.exists():
                raise
            # An empty file keeps others off the name until the whole one is there.
            os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY))
            self.hidden.replace(path)
        self.drop()

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
            SinkError: it cannot be renamed; or the name was taken meanwhile, and the message
                says which one the folder has now.
        """
        try:
            _keep_apart(self.path, self._take)
        except OSError as exc:
            self.drop()
            raise SinkError(f"cannot write {self.path}: {exc.strerror}") from exc

    def _take(self, path: Path) -> None:
        """Give the folder a name that nobody has, or only an empty folder.

        Raises:
            FileExistsError: somebody has.
        """
        try:
            with contextlib.suppress(OSError):  # not there, or not empty: then renaming says so
                path.rmdir()
            self.hidden.rename(path)
        except OSError as exc:
            if exc.errno in TAKEN:
                raise FileExistsError(exc.errno, exc.strerror, str(path)) from exc
            raise

    def drop(self) -> None:
        """Leave nothing behind; twice is fine."""
        shutil.rmtree(self.hidden, ignore_errors=True)


def _keep_apart(path: Path, take: Callable[[Path], None]) -> None:
    """Take the name, or the first free one beside it (`talk-2.mp4`), so that no finished work is lost.

    Raises:
        SinkError: it is another name than was asked for.
    """
    try:
        return take(path)
    except FileExistsError as exc:
        for number in itertools.count(2):
            free = path.with_name(f"{path.stem[:NAME_LETTERS]}-{number}{path.suffix}")
            with contextlib.suppress(FileExistsError):
                take(free)
                raise SinkError(
                    f"{path} was written by somebody else meanwhile and stays as it is; what was finished here is "
                    f"in {free}"
                ) from exc


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
