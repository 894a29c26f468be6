"""A thread that does a sink's slow work, so that a stalled device or network never stops the picture."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from livematte._clock import Clock, monotonic

JOIN_S = 3.0
"""Longest wait for a thread that hangs in a driver or a network; it ends with the process."""


class Worker:
    """Works off what is put to it, in order, and forgets the oldest of what waits when there is too much.

    Args:
        work: called on the thread; an exception ends it, and is raised by the next `put()`.
        depth: how many items may wait.
        wait_s: how long `put()` waits for room before it drops; 0 never waits.
        clock: monotonic nanoseconds.
    """

    def __init__(
        self,
        work: Callable[[Any], None],
        *,
        depth: int = 1,
        wait_s: float = 0.0,
        clock: Clock = monotonic,
    ) -> None:
        self.dropped = 0
        self._work, self._wait_s, self._clock = work, wait_s, clock
        self._items: queue.Queue[Any] = queue.Queue(depth)
        self._error: BaseException | None = None
        self._since_ns: int | None = None
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="livematte-out", daemon=True)
        self._thread.start()

    @property
    def hangs(self) -> bool:
        """Whether the thread is still in the work."""
        return self._thread.is_alive()

    @property
    def busy_s(self) -> float:
        """How long it has been at one item; 0 if it is at none."""
        since_ns = self._since_ns
        return 0.0 if since_ns is None else (self._clock() - since_ns) / 1e9

    def put(self, item: Any) -> None:
        """Hand over an item.

        Raises:
            SinkError: the work failed.
        """
        self.check()
        try:
            self._items.put(item, timeout=self._wait_s) if self._wait_s else self._items.put_nowait(item)
        except queue.Full:
            self._drop()
            self._items.put_nowait(item)

    def check(self) -> None:
        """Raise what went wrong.

        Raises:
            SinkError: the work failed.
        """
        if self._error is not None:
            raise self._error

    def finish(self) -> None:
        """Work off what waits, if that takes no longer than `JOIN_S`, and end; twice is fine. Ask `hangs` after it.

        Raises:
            SinkError: the work failed.
        """
        if not self._stop.is_set():
            with suppress(queue.Full):
                self._items.put(None, timeout=JOIN_S)
                self._thread.join(JOIN_S)
            self._stop.set()
            if self._error is not None:
                raise self._error

    def abandon(self) -> None:
        """End without the rest; twice is fine."""
        self._stop.set()
        try:
            self._items.put_nowait(None)
        except queue.Full:
            pass  # the thread finds something, and the sign to stop
        self._thread.join(JOIN_S)

    def _drop(self) -> None:
        try:
            self._items.get_nowait()
            self.dropped += 1
        except queue.Empty:
            pass

    def _run(self) -> None:
        while True:
            item = self._items.get()
            if item is None or self._stop.is_set():
                return
            self._since_ns = self._clock()
            try:
                self._work(item)
            except BaseException as exc:  # raised again by the side that puts
                self._error = exc
                return
            finally:
                self._since_ns = None
