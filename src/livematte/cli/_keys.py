"""Single keys from the terminal while a command runs."""

from __future__ import annotations

import os
import select
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

LOOK_S = 0.2
"""How often the thread looks whether it is to end."""


@contextmanager
def keys(pressed: Callable[[str], None]) -> Iterator[bool]:
    """Call `pressed` with each key until the block is left; yields whether there is a keyboard.

    The terminal keeps its Ctrl-C and shows what other programs write; it is put back as it was.
    """
    if not sys.stdin.isatty():
        yield False
        return
    try:
        import termios
        import tty
    except ImportError:  # Windows
        with _reading(_windows_key, pressed):
            yield True
        return
    file = sys.stdin.fileno()
    if _is_behind(file):
        yield False
        return
    before = termios.tcgetattr(file)
    tty.setcbreak(file)
    try:
        with _reading(lambda: _key(file), pressed):
            yield True
    finally:
        termios.tcsetattr(file, termios.TCSADRAIN, before)


@contextmanager
def _reading(read: Callable[[], str | None], pressed: Callable[[str], None]) -> Iterator[None]:
    enough = threading.Event()

    def work() -> None:
        while not enough.is_set():
            key = read()
            if key:
                pressed(key)
            elif key == "":  # the terminal has gone
                return

    thread = threading.Thread(target=work, name="livematte-keys", daemon=True)
    thread.start()
    try:
        yield
    finally:
        enough.set()
        thread.join()


def _is_behind(file: int) -> bool:
    """Whether this was started with `&`: to touch the terminal would stop the program."""
    try:
        return os.tcgetpgrp(file) != os.getpgrp()
    except OSError:  # a terminal that controls nobody here
        return False


def _key(file: int) -> str | None:
    """The next key; None if there was none for a while, empty at the end."""
    if not select.select([file], [], [], LOOK_S)[0]:
        return None
    return os.read(file, 1).decode("ascii", errors="replace")


def _windows_key() -> str | None:
    import importlib
    import time

    console: Any = importlib.import_module("msvcrt")
    if console.kbhit():
        return str(console.getwch())
    time.sleep(LOOK_S)
    return None
