"""The others: what tutorials do, and the best that OpenCV does.

Each is a function from an I420 picture (h * 3 / 2, w) uint8 to one, as ours is. The
network is the same for all of them, run by LiteRT without a wrapper around it.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from livematte import Size

U8 = npt.NDArray[np.uint8]
F32 = npt.NDArray[np.float32]
Network = Callable[[F32], F32]
"""RGB (h, w, 3) in 0-1 to alpha (h, w) in 0-1."""
Pipeline = Callable[[U8], Any]

TO_RGB, TO_I420 = cv2.COLOR_YUV2RGB_I420, cv2.COLOR_RGB2YUV_I420

RADIUS_PX, EPSILON = 2, 4e-3
"""Of the guided filter on luma that the refined pipeline has."""

REDUCE = 4
"""The careful pipelines blur at a quarter of the size."""


class LiteRTNetwork:
    """A network in a LiteRT interpreter.

    Args:
        weights: a .tflite file, RGB 0-1 in and alpha out, channels last.
        threads: of the interpreter.
    """

    def __init__(self, weights: Path, threads: int = 1) -> None:
        from ai_edge_litert.interpreter import Interpreter

        self._interpreter = Interpreter(str(weights), num_threads=threads)
        self._interpreter.allocate_tensors()
        details = self._interpreter.get_input_details()[0]
        _, height, width, _ = details["shape"]
        self.size = Size(int(width), int(height))
        self._input, self._output = details["index"], self._interpreter.get_output_details()[0]["index"]

    def __call__(self, rgb: F32) -> F32:
        self._interpreter.set_tensor(self._input, rgb[None])
        self._interpreter.invoke()
        alpha: F32 = self._interpreter.get_tensor(self._output).reshape(self.size.height, self.size.width)
        return alpha


def tutorial(network: Network, size: Size, net: Size) -> Pipeline:
    """What MediaPipe's examples do: all at full size, blended by NumPy in float.

    The blur is the examples' own (55, 55), which is weaker and so cheaper than the blur
    of the others at 720p and above.
    """

    def process(i420: U8) -> U8:
        rgb = cv2.cvtColor(i420, TO_RGB)
        small = cv2.resize(rgb, net).astype(np.float32) / 255
        mask = cv2.resize(network(small), size)
        mask3 = np.stack((mask,) * 3, axis=-1)
        blurred = cv2.GaussianBlur(rgb, (55, 55), 0)
        out = rgb * mask3 + blurred * (1 - mask3)
        return cv2.cvtColor(out.astype(np.uint8), TO_I420)

    return process


def box_side(size: Size, reduce: int) -> int:
    """Side of a box filter that thrice over has our blur's sigma at strength 0.6."""
    sigma = 0.6 * 0.05 * min(size) / reduce
    return round((4 * sigma**2 + 1) ** 0.5) | 1  # 3 (side^2 - 1) / 12 = sigma^2; odd


def thrice(picture: Any, side: int) -> Any:
    """Three box filters: 5 times as fast here as a Gaussian of this sigma, and as smooth."""
    for _ in range(3):
        picture = cv2.blur(picture, (side, side))
    return picture


def careful(network: Network, size: Size, net: Size) -> Pipeline:
    """OpenCV in RGB, as fast as it gets: no refinement, no memory, blur through the person.

    What was measured to get here, 720p, one thread: two halvings by area 0.35 ms and one
    quartering 1.28 ms; network's picture from the quarter 0.34 ms and from the full
    picture 1.21 ms; 8-bit multiplications with a mask of three channels 1.9 ms for the
    whole blend, blendLinear 3.6 ms, 16-bit differences 5.9 ms, NumPy 11-13 ms. Memory is
    allocated once.
    """
    height, width = size.height, size.width
    half, quarter = (width // 2, height // 2), (width // REDUCE, height // REDUCE)
    rgb, plate, mask3, inverse = (np.empty((height, width, 3), np.uint8) for _ in range(4))
    halved = np.empty((height // 2, width // 2, 3), np.uint8)
    mask, out = np.empty((height, width), np.uint8), np.empty((height * 3 // 2, width), np.uint8)
    side = box_side(size, REDUCE)

    def process(i420: U8) -> U8:
        cv2.cvtColor(i420, TO_RGB, dst=rgb)
        cv2.resize(rgb, half, dst=halved, interpolation=cv2.INTER_AREA)
        small = cv2.resize(halved, quarter, interpolation=cv2.INTER_AREA)
        seen = cv2.resize(small, net, interpolation=cv2.INTER_AREA)
        alpha = network(np.multiply(seen, np.float32(1 / 255), dtype=np.float32))
        blend(np.multiply(alpha, 255).astype(np.uint8), thrice(small, side))
        return cv2.cvtColor(rgb, TO_I420, dst=out)

    def blend(alpha: U8, blurred: U8) -> None:
        cv2.resize(blurred, size, dst=plate, interpolation=cv2.INTER_LINEAR)
        cv2.resize(alpha, size, dst=mask, interpolation=cv2.INTER_LINEAR)
        cv2.merge((mask, mask, mask), dst=mask3)
        cv2.bitwise_not(mask3, dst=inverse)
        cv2.multiply(rgb, mask3, dst=rgb, scale=1 / 255)
        cv2.multiply(plate, inverse, dst=plate, scale=1 / 255)
        cv2.add(rgb, plate, dst=rgb)

    return process


def guided(luma: F32, alpha: F32) -> tuple[F32, F32]:
    """Slope and offset of the guided filter at the network's size (He and Sun 2015)."""
    box = (2 * RADIUS_PX + 1, 2 * RADIUS_PX + 1)
    mean_i, mean_p = cv2.blur(luma, box), cv2.blur(alpha, box)
    covariance = cv2.blur(luma * alpha, box) - mean_i * mean_p
    variance = cv2.blur(luma * luma, box) - mean_i * mean_i
    slope = covariance / (variance + EPSILON)
    return cv2.blur(slope, box), cv2.blur(mean_p - slope * mean_i, box)


def refined(network: Network, size: Size, net: Size) -> Pipeline:
    """The careful pipeline with what ours does besides: edges follow the picture (guided
    filter), the matte is steadied over time, the person is left out of the blur.
    """
    height, width = size.height, size.width
    half, quarter = (width // 2, height // 2), (width // REDUCE, height // REDUCE)
    rgb, plate, mask3, inverse = (np.empty((height, width, 3), np.uint8) for _ in range(4))
    halved = np.empty((height // 2, width // 2, 3), np.uint8)
    slope_full, offset_full = (np.empty((height, width), np.float32) for _ in range(2))
    mask, out = np.empty((height, width), np.uint8), np.empty((height * 3 // 2, width), np.uint8)
    side = box_side(size, REDUCE)
    before: list[F32] = []

    def process(i420: U8) -> U8:
        cv2.cvtColor(i420, TO_RGB, dst=rgb)
        cv2.resize(rgb, half, dst=halved, interpolation=cv2.INTER_AREA)
        small = cv2.resize(halved, quarter, interpolation=cv2.INTER_AREA)
        seen = np.multiply(cv2.resize(small, net, interpolation=cv2.INTER_AREA), np.float32(1 / 255), dtype=np.float32)
        alpha = steady(np.maximum(network(seen), np.float32(1e-4)))  # denormal numbers would cost 0.3 ms
        slope, offset = guided(cv2.cvtColor(seen, cv2.COLOR_RGB2GRAY), alpha)
        # for limited-range luma 16-235 in, and a mask of 0-255 out
        cv2.resize(slope * (255 / 219), size, dst=slope_full, interpolation=cv2.INTER_LINEAR)
        cv2.resize(offset * 255 - slope * (16 * 255 / 219), size, dst=offset_full, interpolation=cv2.INTER_LINEAR)
        cv2.multiply(slope_full, i420[:height], dst=slope_full, dtype=cv2.CV_32F)
        cv2.add(slope_full, offset_full, dst=mask, dtype=cv2.CV_8U)  # rounds and saturates
        blend(room(small, cv2.resize(alpha, quarter, interpolation=cv2.INTER_LINEAR)))
        return cv2.cvtColor(rgb, TO_I420, dst=out)

    def steady(alpha: F32) -> F32:
        if before:
            cv2.addWeighted(alpha, 0.7, before[0], 0.3, 0, dst=alpha)
        before[:] = [alpha]
        return alpha

    def room(small: U8, person: F32) -> U8:
        weight = cv2.subtract(1.0, person)
        weight3 = cv2.merge((weight, weight, weight))
        seen = thrice(cv2.multiply(small, weight3, dtype=cv2.CV_32F), side)
        known = cv2.max(thrice(weight, side), 1e-3)
        return cv2.divide(seen, cv2.merge((known, known, known)), dtype=cv2.CV_8U)

    def blend(blurred: U8) -> None:
        cv2.resize(blurred, size, dst=plate, interpolation=cv2.INTER_LINEAR)
        cv2.merge((mask, mask, mask), dst=mask3)
        cv2.bitwise_not(mask3, dst=inverse)
        cv2.multiply(rgb, mask3, dst=rgb, scale=1 / 255)
        cv2.multiply(plate, inverse, dst=plate, scale=1 / 255)
        cv2.add(rgb, plate, dst=rgb)

    return process


def planar(network: Network, size: Size, net: Size) -> Pipeline:
    """The careful pipeline without RGB: OpenCV on the planes, which is our own idea. Not asked
    for, but without it the table would not tell the idea from the kernels.
    """
    height, width = size.height, size.width
    chroma = (height // 2, width // 2)
    mask, inverse = (np.empty((height, width), np.uint8) for _ in range(2))
    side = box_side(size, REDUCE)
    plates = [np.empty((height, width), np.uint8), np.empty(chroma, np.uint8), np.empty(chroma, np.uint8)]
    out = np.empty((height * 3 // 2, width), np.uint8)
    small = (width // REDUCE, height // REDUCE)

    def planes(i420: U8) -> tuple[U8, U8, U8]:
        flat = i420[height:].reshape(-1)
        middle = flat.size // 2
        return i420[:height], flat[:middle].reshape(chroma), flat[middle:].reshape(chroma)

    def process(i420: U8) -> U8:
        luma, u, v = planes(i420)
        halved = cv2.resize(luma, chroma[::-1], interpolation=cv2.INTER_AREA)
        reduced = [cv2.resize(plane, small, interpolation=cv2.INTER_AREA) for plane in (halved, u, v)]
        yuv = cv2.merge([cv2.resize(plane, net, interpolation=cv2.INTER_AREA) for plane in reduced])
        alpha = network(to_rgb(yuv))
        cv2.resize(np.multiply(alpha, 255).astype(np.uint8), size, dst=mask, interpolation=cv2.INTER_LINEAR)
        cv2.bitwise_not(mask, dst=inverse)
        half_mask = cv2.resize(mask, chroma[::-1], interpolation=cv2.INTER_AREA)
        masks = ((mask, inverse), (half_mask, cv2.bitwise_not(half_mask)), (half_mask, cv2.bitwise_not(half_mask)))
        for source, cells, plate, (on, off), to in zip((luma, u, v), reduced, plates, masks, planes(out), strict=True):
            cv2.resize(thrice(cells, side), plate.shape[::-1], dst=plate, interpolation=cv2.INTER_LINEAR)
            cv2.multiply(plate, off, dst=plate, scale=1 / 255)
            cv2.multiply(source, on, dst=to, scale=1 / 255)
            cv2.add(to, plate, dst=to)
        return out

    return process


def to_rgb(yuv: U8) -> F32:
    """Limited-range BT.601 YUV (h, w, 3) as RGB float32 0-1; what is out of range is not cut off."""
    return cv2.transform(yuv.astype(np.float32), _FROM_YUV)


_SCALE_Y, _SCALE_C = 1 / 219, 1 / 224
_WEIGHTS = np.array(
    [
        [_SCALE_Y, 0, 1.402 * _SCALE_C],
        [_SCALE_Y, -0.344136 * _SCALE_C, -0.714136 * _SCALE_C],
        [_SCALE_Y, 1.772 * _SCALE_C, 0],
    ]
)
_FROM_YUV = np.hstack((_WEIGHTS, -_WEIGHTS @ np.array([[16.0], [128.0], [128.0]]))).astype(np.float32)
