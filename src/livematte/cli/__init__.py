"""The command line: one file per command, each a thin call into the library.

A file of this folder is a command. It offers `command`, a function that typer reads the
options from, or `app`, a typer application with commands of its own (`models pull`).
"""

from __future__ import annotations

import errno
import os
import signal
import sys
from collections.abc import Sequence
from types import FrameType
from typing import NoReturn, TypeGuard

from livematte._errors import LivematteError

FAILED = 1
"""Exit code of a job that could not be done."""

USAGE = 2
"""Exit code of a command line that cannot be understood."""

SIGNALED = 128
"""Added to a signal's number: the exit code of a job that was stopped (130: Ctrl-C)."""


UNWRITABLE = (errno.ENOSPC, errno.EDQUOT, errno.EBADF, errno.EIO)
"""What printing can meet. Files are written by adapters, which say what they were writing."""


class Stopped(BaseException):
    """A signal asked the process to end; unwinds every `with`, so that no half file stays."""

    def __init__(self, signum: int) -> None:
        super().__init__(signum)
        self.signum = signum
        self.left = "nothing was written"  # what a job of several parts left behind, if it says so


def main() -> NoReturn:
    """Entry point of the `livematte` command."""
    _unwind_on_signals()
    _open_missing_streams()
    sys.exit(run(sys.argv[1:]))


def run(arguments: Sequence[str]) -> int:
    """Run one command line.

    Args:
        arguments: without the program's name.

    Returns:
        The exit code: 0 done, 1 failed, 2 not understood, 128 + n stopped by signal n.
        Failures print one line on stderr, and raise instead if `--debug` is given.
    """
    debug = "--debug" in arguments
    try:
        from livematte.cli import _app

        code = _app.build()(list(arguments), prog_name="livematte", standalone_mode=False)
        sys.stdout.flush()
        return code if isinstance(code, int) else 0
    except LivematteError as exc:
        if debug:
            raise
        return _fail(str(exc), FAILED)
    except Stopped as exc:
        return _fail(f"stopped by {signal.Signals(exc.signum).name}; {exc.left}", SIGNALED + exc.signum)
    except BrokenPipeError:
        # Whoever read our output has gone: `livematte doctor | head` is no failure to report.
        sys.stdout = None
        return FAILED
    except Exception as exc:
        if debug:
            raise
        if is_unwritable(exc):
            sys.stdout = None  # or Python would try once more at its end
            return _fail(f"cannot write to standard output: {exc.strerror}", FAILED)
        if type(exc).__name__ == "NoArgsIsHelpError":
            sys.stderr.write(f"{exc}\n")
            return USAGE
        if hasattr(exc, "format_message"):  # typer's usage errors share no base class over its versions
            return _fail(_usage(exc), USAGE)
        return _fail(unexpected(exc), FAILED)


def is_unwritable(exc: Exception) -> TypeGuard[OSError]:
    """Whether standard output cannot be written to, or nobody reads it any more."""
    return isinstance(exc, OSError) and exc.filename is None and exc.errno in (*UNWRITABLE, errno.EPIPE)


def unexpected(exc: Exception) -> str:
    """What is said of an exception that is none of ours."""
    text = f"{type(exc).__name__}: {exc}".strip(": ")
    return f"{text} (not expected: run again with --debug and report what it prints)"


def _usage(exc: Exception) -> str:
    context = getattr(exc, "ctx", None)
    path = context.command_path if context is not None else "livematte"
    message = exc.format_message().strip().rstrip(".")  # type: ignore[attr-defined]
    return f"{message[:1].lower()}{message[1:]}; see `{path} --help`"


def _fail(message: str, code: int) -> int:
    complain(message)
    return code


def complain(message: str) -> None:
    """Tell of an error, in one line on stderr."""
    sys.stderr.write(f"livematte: error: {' '.join(message.split())}\n")


def _open_missing_streams() -> None:
    """Put something in the place of standard streams that the caller has closed (`<&-`, `>&-`, `2>&-`).

    Else the first files that are opened take their numbers, and what is meant for the
    terminal goes into the video. Stdin is empty then, stderr goes nowhere, and stdout cannot
    be written to, so that a result that nobody gets is no success.
    """
    for number, (name, mode, flags) in enumerate(
        (("stdin", "r", os.O_RDWR), ("stdout", "w", os.O_RDONLY), ("stderr", "w", os.O_RDWR))
    ):
        if getattr(sys, name) is None:
            opened = os.open(os.devnull, flags)
            if opened != number:
                os.dup2(opened, number)
                os.close(opened)
            setattr(sys, name, os.fdopen(number, mode, encoding="utf-8", closefd=False))


def _unwind_on_signals() -> None:
    """Turn the signals that end a process into `Stopped`, once."""
    names = ("SIGINT", "SIGTERM", "SIGHUP")
    signals = [getattr(signal, name) for name in names if hasattr(signal, name)]

    def stop(signum: int, frame: FrameType | None) -> None:
        # A second Ctrl-C must not cut short the removal of the half-written file.
        for number in signals:
            signal.signal(number, signal.SIG_IGN)
        raise Stopped(signum)

    for number in signals:
        if signal.getsignal(number) is not signal.SIG_IGN:  # `nohup` stays in force
            signal.signal(number, stop)
