"""Mattes: what they refuse, and who they stand for."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest

from livematte._errors import FrameError
from livematte._frame import Frame, PixelFormat, Size
from livematte._matte import Matte


@pytest.mark.parametrize(
    ("alpha", "message"),
    [
        (np.zeros((4, 6)), r"float32 \(0-1\) or uint8 \(0-255\).*got float64 \(4, 6\)"),
        (np.zeros((4, 6), bool), r"got bool \(4, 6\)"),
        (np.zeros((4, 6, 1), np.float32), r"shape \(h, w\), got float32 \(4, 6, 1\)"),
        (np.zeros(24, np.uint8), r"got uint8 \(24,\)"),
    ],
)
def test_alpha_is_checked(alpha: Any, message: str) -> None:
    with pytest.raises(FrameError, match=message):
        Matte(alpha, 0)


@pytest.mark.parametrize("dtype", [np.float32, np.uint8])
def test_repr_tells_size_and_time_and_no_pixels(dtype: Any) -> None:
    matte = Matte(np.ones((4, 6), dtype), 12)
    assert matte.size == Size(6, 4)
    assert repr(matte) == f"<Matte 6x4 {np.dtype(dtype)} pts=12>"


def test_mattes_are_frozen_and_equal_to_themselves_alone() -> None:
    matte, twin = Matte(np.ones((4, 6), np.uint8), 1), Matte(np.ones((4, 6), np.uint8), 1)
    assert matte == matte  # noqa: PLR0124
    assert matte != twin
    assert len({matte, twin}) == 2
    with pytest.raises(dataclasses.FrozenInstanceError):
        matte.pts = 2  # type: ignore[misc]


@pytest.mark.parametrize("format", PixelFormat)
def test_the_empty_matte_covers_its_frame(format: PixelFormat) -> None:
    frame = Frame.from_rgb(np.zeros((5, 7, 3), np.uint8), format, pts=33)
    matte = Matte.empty(frame)
    assert matte.size == frame.size
    assert matte.pts == 33
    assert matte.alpha.dtype == np.uint8
    assert not matte.alpha.any()
    assert matte.foreground is None


def test_alpha_of_any_memory_order_is_laid_out_for_the_kernels() -> None:
    for alpha in (
        np.zeros((6, 4), np.uint8).T,
        np.zeros((4, 12), np.float32)[:, ::2],
        np.zeros((4, 6), np.uint8)[::-1],
    ):
        assert Matte(alpha, 0).alpha.flags.c_contiguous
