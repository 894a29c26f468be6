"""composite(): the only door from camera pixels to an output.

No other function of this package puts a frame's pixels into a picture that leaves.
Without a matte of the same frame nothing of the frame passes: alpha 0 gives the plate
alone, and there is no branch that returns the frame itself.
"""

from __future__ import annotations

from fractions import Fraction

import numpy as np

from livematte import kernels
from livematte._errors import FrameError
from livematte._frame import Frame, PixelFormat, Planes, Size, plane_sizes
from livematte._matte import Matte


def composite(
    frame: Frame,
    plate: Frame | None,
    matte: Matte,
    *,
    light_wrap: float = 0.0,
    max_matte_age_s: Fraction | int = 0,
) -> Frame:
    """Put the person over a background plate.

    out = a F + (1 - a) B in code values, rounded to nearest, plane by plane: a = 1
    gives F bit for bit, a = 0 gives B bit for bit. F is the estimated foreground if the
    matte has one, else the frame. Chroma uses the mean alpha of its 2x2 pixels.

    Args:
        frame: camera frame.
        plate: background B of the frame's colour; smaller plates are stretched with
            bilinear interpolation. None makes the background transparent: the output
            has `alpha`, and black where it is 0, so that nothing of the room hides
            under it.
        matte: alpha uint8 at frame size, made from this frame.
        light_wrap: how much of a bright plate falls on the person's rim, 0-1.
        max_matte_age_s: how much older than the frame the matte may be, in seconds.

    Returns:
        A new frame with the format, colour and time of `frame`. Inputs are not modified.

    Raises:
        FrameError: the matte is of another frame or size, or the plate of other colour.

    Source: Porter and Duff 1984, "over"; docs/spec/compositing.md.
    """
    _check_matte(frame, matte, max_matte_age_s)
    foreground: Planes = frame.planes if matte.foreground is None else matte.foreground
    if plate is None:
        black = _black(frame)
        shown = np.where(matte.alpha > 0, np.uint8(255), np.uint8(0))
        planes = kernels.composite(foreground, frame.format, shown, black, 0.0)
        return frame.with_planes(planes, matte.alpha)
    _check_plate(frame, plate)
    planes = kernels.composite(foreground, frame.format, matte.alpha, plate.planes, light_wrap)
    return frame.with_planes(planes)


def _check_matte(frame: Frame, matte: Matte, max_age_s: Fraction | int) -> None:
    age = frame.pts - matte.pts
    if age and not 0 <= age * frame.time_base <= max_age_s:
        raise FrameError(
            f"the matte was made at pts {matte.pts} for a frame of pts {frame.pts}; "
            f"it may be at most {float(max_age_s):g} s old and never younger: segment this frame first"
        )
    if matte.alpha.dtype != np.uint8 or matte.size != frame.size:
        raise FrameError(
            f"composite() takes a uint8 alpha of the frame's size {frame.size}, got {matte.alpha.dtype} "
            f"{matte.size}: refine it first"
        )
    if matte.foreground is not None:
        try:
            frame.with_planes(matte.foreground)
        except FrameError as exc:
            raise FrameError(f"the matte's foreground is no {frame.format.value} picture: {exc}") from exc
        got = Size(*matte.foreground[0].shape[::-1])
        if got != frame.size:
            raise FrameError(f"the matte's foreground must have the frame's size {frame.size}, got {got}")


def _check_plate(frame: Frame, plate: Frame) -> None:
    if (plate.format is PixelFormat.RGB) != (frame.format is PixelFormat.RGB):
        raise FrameError(f"a plate for a {frame.format.value} frame cannot be {plate.format.value}")
    if (plate.matrix, plate.range) != (frame.matrix, frame.range):
        raise FrameError(
            f"the plate must have the frame's colour {frame.matrix.value} {frame.range.value}, "
            f"got {plate.matrix.value} {plate.range.value}"
        )
    for size, (h, w) in zip(plane_sizes(frame.size, frame.format), (p.shape for p in plate.planes), strict=True):
        if w > size.width or h > size.height:
            raise FrameError(f"a plate must not be larger than its frame {frame.size}, got a plane of {w}x{h}")


def _black(frame: Frame) -> Planes:
    """Black of the frame's colour, as three 1x1 planes to be stretched."""
    luma, chroma = kernels.black(frame.format, frame.range)
    return tuple(np.full((1, 1), v, np.uint8) for v in (luma, chroma, chroma))  # type: ignore[return-value]
