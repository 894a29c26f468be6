"""Networks are loaded beside the stream, on a thread of their own; the stream goes on meanwhile."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from livematte import _session
from livematte._stages import Segmenter

LEAVE_S = 5.0
"""Longest wait at the end for a network that is being loaded: most take a quarter of a second, a driver or a network
drive that hangs takes for ever."""


@dataclass(frozen=True, slots=True)
class Loaded:
    """What became of a wish.

    Args:
        purpose: as it was asked for.
        spec: name of the network.
        segmenter: None if it could not be loaded.
        error: why not.
    """

    purpose: str
    spec: str
    segmenter: Segmenter | None
    error: BaseException | None = None


class Loader:
    """Loads one network after another. Of each purpose the newest wish counts.

    Args:
        load: makes a segmenter from its name, ready to run; what it raises is handed on.
    """

    def __init__(self, load: Callable[[str], Segmenter]) -> None:
        self._load = load
        self._lock = threading.Lock()
        self._wishes: dict[str, str] = {}
        self._done: dict[str, Loaded] = {}
        self._thread: threading.Thread | None = None
        self._busy: tuple[str, str] | None = None  # purpose and name
        self._closed = False

    def request(self, purpose: str, spec: str) -> None:
        """Ask for a network; `poll` will have it, or the reason why not."""
        with self._lock:
            if self._closed:
                return
            self._wishes[purpose] = spec
            if self._thread is None:
                self._thread = threading.Thread(target=self._work, name="livematte-load", daemon=True)
                self._thread.start()

    def waits_for(self, purpose: str) -> bool:
        """Whether a network for this purpose is on its way."""
        with self._lock:
            return purpose in self._wishes or purpose in self._done or (self._busy or ("",))[0] == purpose

    def poll(self) -> list[Loaded]:
        """What has been loaded since the last call; the caller closes the segmenters."""
        if not self._done:  # asked once a frame
            return []
        with self._lock:
            done, self._done = list(self._done.values()), {}
        return done

    def close(self) -> str | None:
        """Drop what nobody took; a network that is being loaded is closed when it is there.

        Returns:
            Name of the network whose load did not end within `LEAVE_S`; its thread closes it whenever it is there,
            and does not keep the process from ending.
        """
        with self._lock:
            self._closed = True
            self._wishes.clear()
            thread = self._thread
        if thread is not None:
            thread.join(LEAVE_S)
        for loaded in self.poll():
            if loaded.segmenter is not None:
                loaded.segmenter.close()
        with self._lock:
            return None if self._busy is None else self._busy[1]

    def _work(self) -> None:
        while True:
            with self._lock:
                if not self._wishes:
                    self._thread = self._busy = None
                    return
                purpose, spec = self._busy = self._wishes.popitem()
            try:
                loaded = Loaded(purpose, spec, self._load(spec))
            except BaseException as exc:  # the loop raises or reports it
                loaded = Loaded(purpose, spec, None, exc)
            with self._lock:
                older = loaded if purpose in self._wishes or self._closed else self._done.get(purpose)
                if older is not loaded:
                    self._done[purpose] = loaded
            if older is not None and older.segmenter is not None:
                older.segmenter.close()


def loading(
    engine: str = "auto", threads: int | None = None, weights: Mapping[str, str | None] | None = None
) -> Callable[[str], Segmenter]:
    """What loads networks by name; local weights belong to the one they were given with."""

    def load(spec: str) -> Segmenter:
        return _session.load(spec, engine=engine, threads=threads, weights=(weights or {}).get(spec))

    return load
