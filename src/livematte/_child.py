"""Programs that work for us beside us: fed or read through a pipe, ended in order, heard when they fail."""

from __future__ import annotations

import subprocess
import threading
import weakref
from collections import deque
from typing import IO, Any

STOP_S = 2.0
"""Given to a program to end before it is killed."""

LAST_WORDS = 8
"""Lines of its errors that are kept."""


class Child:
    """A running program, and what it complains of.

    Args:
        command: the program and its arguments.
        feed: whether it reads what we write to `stdin`; otherwise we read its `stdout`.

    Raises:
        OSError: it cannot be started.
    """

    def __init__(self, command: list[str], *, feed: bool) -> None:
        self._process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE if feed else subprocess.DEVNULL,
            stdout=subprocess.DEVNULL if feed else subprocess.PIPE,
            stderr=subprocess.PIPE,
            bufsize=0,
            start_new_session=True,  # Ctrl-C is for us; we end it in order
        )
        self.stdin, self.stdout = self._process.stdin, self._process.stdout
        self._words: deque[str] = deque(maxlen=LAST_WORDS)
        self._listener = threading.Thread(
            target=_listen, args=(self._process.stderr, self._words), name="livematte-words", daemon=True
        )
        self._listener.start()
        self._forgotten = weakref.finalize(self, _end, self._process)

    @property
    def running(self) -> bool:
        """Whether it has not ended."""
        return self._process.poll() is None

    def failed(self) -> bool:
        """Whether it ended by an error; waits a moment for it to end."""
        try:
            return self._process.wait(STOP_S) != 0
        except subprocess.TimeoutExpired:
            return False

    def last_words(self) -> str:
        """Why it ended, on one line."""
        self._listener.join(STOP_S)
        said = next((line for line in self._words if "ERROR" in line or "erroneous" in line), None)
        return said or next(iter(self._words), None) or f"exit code {self._process.poll()}"

    def send(self, data: Any) -> None:
        """Write all bytes of a buffer to its standard input.

        Raises:
            OSError, ValueError: it has ended.
        """
        left = memoryview(data).cast("B")
        while self.stdin is not None and len(left):
            left = left[self.stdin.write(left) or 0 :]

    def finish(self) -> None:
        """Nothing more comes: let it work off what it has, and end it."""
        if self.stdin is not None:
            self.stdin.close()
        self.failed()
        self.close()

    def close(self) -> None:
        """End it; twice is fine."""
        if self.running:
            self._process.terminate()
            try:
                self._process.wait(STOP_S)
            except subprocess.TimeoutExpired:
                pass  # killed below
        self._forgotten()
        self._listener.join(STOP_S)


def _listen(pipe: IO[bytes] | None, words: deque[str]) -> None:
    """On a thread; holds no reference to the Child, which may go first."""
    if pipe is not None:
        with pipe:
            for line in pipe:
                words.append(line.decode(errors="replace").strip())


def _end(process: subprocess.Popen[bytes]) -> None:
    """Kill what still runs, and close what it was fed and read through."""
    process.kill()
    process.wait()
    for pipe in (process.stdin, process.stdout):
        if pipe is not None:
            pipe.close()
