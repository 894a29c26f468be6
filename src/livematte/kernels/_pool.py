"""Arrays whose memory comes back.

A frame's planes are larger than what malloc keeps: freed, they go back to the system,
and the next frame pays for fresh pages (500 faults, a seventh of a 720p frame's time).
So buffers are kept and lent again once nobody holds an array of theirs.
"""

from __future__ import annotations

import sys
import threading
from typing import Any

import numpy as np
import numpy.typing as npt

SMALL_BYTES = 1 << 16
"""Below this malloc keeps memory by itself."""

MOST = 64
"""Buffers kept by a thread: the planes of all frames between decoder and encoder, twice."""


COUNTED = sys.implementation.name == "cpython" and getattr(sys, "_is_gil_enabled", lambda: True)()
"""Whether reference counts tell that nobody holds an array."""


class Pool(threading.local):
    """Lends buffers on the thread that it is used on; any thread may drop the arrays."""

    def __init__(self) -> None:
        self._buffers: list[npt.NDArray[np.uint8]] = [np.empty(0, np.uint8)]
        for candidate in self._buffers:  # how the count of an unused one reads in just such a loop
            self._unused = sys.getrefcount(candidate) if COUNTED else -1
        self._buffers.clear()

    def empty(self, shape: tuple[int, ...], dtype: Any = np.uint8) -> npt.NDArray[Any]:
        """Like `np.empty`: an array with any content, C-contiguous."""
        dtype = np.dtype(dtype)
        size = dtype.itemsize
        for side in shape:
            size *= side
        if size < SMALL_BYTES or not COUNTED:
            return np.empty(shape, dtype)
        for candidate in self._buffers:
            if size <= candidate.size <= 2 * size and sys.getrefcount(candidate) == self._unused:
                return _lend(candidate, shape, dtype)
        fresh = np.empty(size, np.uint8)
        if len(self._buffers) == MOST:
            del self._buffers[0]
        self._buffers.append(fresh)
        return _lend(fresh, shape, dtype)


def _lend(buffer: npt.NDArray[np.uint8], shape: tuple[int, ...], dtype: np.dtype[Any]) -> npt.NDArray[Any]:
    array: npt.NDArray[Any] = np.ndarray(shape, dtype, buffer)
    return array
