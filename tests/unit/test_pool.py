"""The pool never lends what somebody holds."""

from __future__ import annotations

import gc
import threading

import numpy as np
import pytest

from livematte.kernels._pool import COUNTED, MOST, Pool

SHAPE = (300, 400)

pytestmark = pytest.mark.skipif(
    not COUNTED, reason="this Python does not count references; the pool lends nothing twice"
)


def address(array: np.ndarray) -> int:
    return int(array.__array_interface__["data"][0])


def test_memory_comes_back() -> None:
    pool = Pool()
    first = address(pool.empty(SHAPE))
    assert address(pool.empty(SHAPE)) == first
    assert address(pool.empty((150, 200), np.float32)) == first
    floats = pool.empty((3, 100, 100), np.float32)
    assert (floats.shape, floats.dtype, floats.flags.c_contiguous) == ((3, 100, 100), np.float32, True)


@pytest.mark.parametrize(
    "hold",
    [
        lambda array: array,
        lambda array: array[::2, 5:],
        lambda array: array.reshape(-1).view(np.int16),
        memoryview,
        lambda array: np.frombuffer(memoryview(array).cast("B"), np.uint8),
    ],
)
def test_what_is_held_stays(hold: object) -> None:
    pool = Pool()
    array = pool.empty(SHAPE)
    array[:] = 7
    held = hold(array)  # type: ignore[operator]
    del array
    gc.collect()
    for _ in range(5):
        pool.empty(SHAPE)[:] = 9
    assert (
        (np.asarray(held).reshape(-1).view(np.uint8) == 7).all()
        if np.asarray(held).flags.c_contiguous
        else (np.asarray(held) == 7).all()
    )


def test_no_more_is_kept_than_said() -> None:
    pool = Pool()
    held = [pool.empty(SHAPE) for _ in range(3 * MOST)]
    assert len({address(array) for array in held}) == 3 * MOST
    assert len(pool._buffers) == MOST


def test_another_thread_has_its_own() -> None:
    pool, seen = Pool(), []
    mine = pool.empty(SHAPE)
    thread = threading.Thread(target=lambda: seen.append(pool.empty(SHAPE)))
    thread.start()
    thread.join()
    assert address(seen[0]) != address(mine)
