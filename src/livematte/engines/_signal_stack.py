"""The stack on which signals are handled, kept as it is while a library is loaded.

OpenVINO's CPU plugin gives the thread that loads it a stack of its own for signals (so that the kernel lets it
use AMX), and frees that memory with the plugin, on whichever thread that happens. From then on a signal, Ctrl-C
among them, ends the process by a segmentation fault: Python's handlers ask for that stack. Linux alone.
"""

from __future__ import annotations

import ctypes
import sys
from collections.abc import Iterator
from contextlib import contextmanager


class _Stack(ctypes.Structure):
    """`stack_t` of sigaltstack(2)."""

    _fields_ = (("at", ctypes.c_void_p), ("flags", ctypes.c_int), ("size_bytes", ctypes.c_size_t))


@contextmanager
def kept() -> Iterator[None]:
    """This thread's signal stack is the same after the block."""
    if sys.platform != "linux":
        yield
        return
    libc = ctypes.CDLL(None)
    before = _Stack()
    known = libc.sigaltstack(None, ctypes.byref(before)) == 0
    try:
        yield
    finally:
        if known:
            libc.sigaltstack(ctypes.byref(before), None)
