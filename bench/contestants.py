"""Who takes part, and what each is called in the figures. What a contestant needs is imported
when it is made, so that its memory is its own."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from livematte import Blur, Frame, Session, Size

U8 = npt.NDArray[np.uint8]
Process = Callable[[U8], Any]
"""An I420 picture (h * 3 / 2, w) in memory to one, or to a frame."""

STRENGTH = 0.6
"""Of the blur: `livematte blur` without options."""


@dataclass(frozen=True)
class Network:
    """The network that everybody runs.

    Args:
        model: its name with us.
        weights: the .tflite file.
    """

    model: str
    weights: Path


@dataclass(frozen=True)
class Contestant:
    """One way from a frame to a frame with a blurred room.

    Args:
        label: in tables.
        make: for a size, a network and a number of threads.
    """

    label: str
    make: Callable[[Size, Network, int], Process]


def frame_of(i420: U8, pts: int = 0) -> Frame:
    """The same memory as a frame; nothing is copied."""
    rows, width = i420.shape
    height = rows * 2 // 3
    chroma = i420[height:].reshape(2, height // 2, width // 2)
    return Frame((i420[:height], chroma[0], chroma[1]), pts=pts, time_base=Fraction(1, 30))


def _session(session: Session) -> Process:
    session.reset()
    return lambda i420: session.process_frame(frame_of(i420))


def _ours(size: Size, network: Network, threads: int) -> Process:
    return _session(Session(network.model, Blur(STRENGTH), engine="litert", threads=threads, weights=network.weights))


def _default(size: Size, network: Network, threads: int) -> Process:
    return _session(Session("livematte", Blur(STRENGTH), threads=threads))


def _pipeline(name: str) -> Callable[[Size, Network, int], Process]:
    def make(size: Size, network: Network, threads: int) -> Process:
        import cv2

        import pipelines

        cv2.setNumThreads(threads)
        litert = pipelines.LiteRTNetwork(network.weights, threads)
        process: Process = getattr(pipelines, name)(litert, size, litert.size)
        return process

    return make


def _network(size: Size, network: Network, threads: int) -> Process:
    from pipelines import LiteRTNetwork

    litert = LiteRTNetwork(network.weights, threads)
    noise = np.random.default_rng(1).random((litert.size.height, litert.size.width, 3), np.float32)
    return lambda i420: litert(noise)


def _floor(size: Size, network: Network, threads: int) -> Process:
    out = np.zeros((size.height * 3 // 2, size.width), np.uint8)
    return lambda i420: np.copyto(out, i420)


CONTESTANTS = {
    "ours": Contestant("livematte", _ours),
    "tutorial": Contestant("tutorial: full-size blur, NumPy blend in float", _pipeline("tutorial")),
    "careful": Contestant("careful OpenCV in RGB, matte as it is", _pipeline("careful")),
    "refined": Contestant("careful OpenCV in RGB, refined as ours", _pipeline("refined")),
    "planar": Contestant("OpenCV on YUV planes, matte as it is", _pipeline("planar")),
    "default": Contestant("livematte with its own network", _default),
    "network": Contestant("the network alone", _network),
    "floor": Contestant("reading and writing the planes alone", _floor),
}
"""By key, in the order of the table; ratios are to the first."""
