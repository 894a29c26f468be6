"""Programs that work for us beside us: fed or read through a pipe, ended in order, heard when they fail."""

from __future__ import annotations

import subprocess
import threading
import weakref
from collections import deque
from typing import IO, Any

STOP_S = 2.0
"""Given to a program to end before it is killed."""

ABOUT_TO_END_S = 0.5
"""Between the moment in which a program closes its pipes and its end."""

LAST_WORDS = 8
"""Lines of its errors that are kept."""


class Child:
    """A running program, and what it complains of.

    Args:
        command: the program and its arguments.
        feed: whether it reads what we write to `stdin`; otherwise we read its `stdout`.
        answers: whether one that is fed says something on its `stdout` when it is ready; what it says is not kept.
        files: descriptors of ours that it has, too, under the same numbers.

    Raises:
        OSError: it cannot be started.
    """

    def __init__(self, command: list[str], *, feed: bool, answers: bool = False, files: tuple[int, ...] = ()) -> None:
        self._process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE if feed else subprocess.DEVNULL,
            stdout=subprocess.DEVNULL if feed and not answers else subprocess.PIPE,
            stderr=subprocess.PIPE,
            bufsize=0,
            pass_fds=files,
            start_new_session=True,  # Ctrl-C is for us; we end it in order
        )
        self.stdin, self.stdout = self._process.stdin, None if answers else self._process.stdout
        self._words: deque[str] = deque(maxlen=LAST_WORDS)
        self._listener = threading.Thread(
            target=_listen, args=(self._process.stderr, self._words), name="livematte-words", daemon=True
        )
        self._listener.start()
        self._answer = _Answer()
        if answers:
            threading.Thread(
                target=_drain, args=(self._process.stdout, self._answer), name="livematte-answer", daemon=True
            ).start()
        self._forgotten = weakref.finalize(self, _end, self._process, (self.stdin, self.stdout))

    @property
    def running(self) -> bool:
        """Whether it has not ended."""
        return self._process.poll() is None

    def code(self) -> int | None:
        """Its exit code, waiting a moment for one that is about to end; None while it runs."""
        try:
            return self._process.wait(ABOUT_TO_END_S)
        except subprocess.TimeoutExpired:
            return None

    def answered(self, timeout_s: float = 0.0) -> bool | None:
        """Whether it has said that it is ready, waiting so long for that; None if not yet, False if it never will."""
        return self._answer.given if self._answer.over.wait(timeout_s) else None

    def kill(self) -> None:
        """End it at once, without waiting; whoever waits for its pipes wakes up."""
        self._process.kill()

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


class _Answer:
    """Whether a program has said something; `over` when it has, or cannot any more."""

    def __init__(self) -> None:
        self.given, self.over = False, threading.Event()


def _drain(pipe: IO[bytes] | None, answer: _Answer) -> None:
    """On a thread, as `_listen`; reads on, so that the program never waits for us."""
    if pipe is not None:
        with pipe:
            while pipe.read(4096):
                answer.given = True
                answer.over.set()
    answer.over.set()


def _end(process: subprocess.Popen[bytes], pipes: tuple[IO[bytes] | None, ...]) -> None:
    """Kill what still runs, and close what it was fed and read through."""
    process.kill()
    process.wait()
    for pipe in pipes:
        if pipe is not None:
            pipe.close()
