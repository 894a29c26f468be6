"""What is secret in an address for FFmpeg's program, kept out of its arguments: those are for all to see."""

from __future__ import annotations

import contextlib
import os
import tempfile
from pathlib import Path

SECRETS = {"passphrase": "passphrase", "streamid": "srt_streamid"}
"""What is secret in an SRT address, and FFmpeg's option for it."""

UNREAD = "unread"
"""A passphrase that SRT refuses, as shorter than 10 characters. It is an argument, and gives way to the one that is
read. Without it FFmpeg 9.0, which drops what it reads in such a file, would send without any encryption."""

PIPES = os.name == "posix"
"""Whether a program can be given a pipe that it opens by a name."""


def apart(url: str) -> tuple[str, str]:
    """An SRT address without its secrets, and these as FFmpeg's options, a line each."""
    where, _, query = url.partition("?")  # all the rest, for FFmpeg knows no fragment: stream names begin with #
    if not where.lower().startswith("srt://"):
        return url, ""
    fields = [field.partition("=") for field in query.split("&")]
    # a plus is a space in FFmpeg's query; nothing else is decoded there
    secrets = [(SECRETS[name], value.replace("+", " ")) for name, _, value in fields if name in SECRETS and value]
    rest = "&".join(name + equals + value for name, equals, value in fields if name not in SECRETS)
    return where + (rest and f"?{rest}"), "".join(f"{option}={value}\n" for option, value in secrets)


class Handed:
    """Options of FFmpeg's protocols, to be read as its presets of encoders are.

    They go through a pipe. Where a program cannot be given one (Windows) they go through a file in the user's own
    folder for temporary ones, which nobody else may read, and which is gone after `over()`.

    Args:
        options: a line each; none is fine.
        pipes: see `PIPES`.

    Attributes:
        arguments: for FFmpeg, before the output that they are for.
        files: descriptors that the program is to have.

    Raises:
        OSError: the file cannot be written.
    """

    def __init__(self, options: str, *, pipes: bool = PIPES) -> None:
        self.arguments: list[str] = []
        self.files: tuple[int, ...] = ()
        self._path: Path | None = None
        if options and pipes:
            file, feed = os.pipe()
            self.files = (file,)
            with os.fdopen(feed, "wb") as pipe:
                pipe.write(options.encode())  # a pipe takes 64 KiB at once, and an option has 512 bytes at most
            self.arguments = [*_guard(options), "-fpre", f"/dev/fd/{file}"]
        elif options:
            number, name = tempfile.mkstemp(prefix="livematte-", suffix=".ffpreset")  # mode 0600
            self._path = Path(name)
            try:
                with os.fdopen(number, "wb") as written:
                    written.write(options.encode())
            except OSError:
                self.over()
                raise
            self.arguments = [*_guard(options), "-fpre", name]

    def started(self) -> None:
        """The program has its own descriptors now, or will never have any."""
        for file in self.files:
            os.close(file)
        self.files = ()

    def over(self) -> None:
        """The program has read them, or will never do so; twice is fine."""
        self.started()
        if self._path is not None:
            with contextlib.suppress(OSError):  # Windows keeps what is open; it is tried again at the end
                self._path.unlink()
                self._path = None


def _guard(options: str) -> list[str]:
    return ["-passphrase", UNREAD] if any(line.startswith("passphrase=") for line in options.split("\n")) else []
