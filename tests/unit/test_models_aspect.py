"""A network in several shapes: which graph a frame goes to, and when it is loaded."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from livematte._errors import InferenceError, LoadError
from livematte._frame import Frame, PixelFormat, Size
from livematte._matte import Matte
from livematte.models._aspect import AspectSegmenter

SIZES = (Size(64, 36), Size(36, 64), Size(48, 48))


class Shape:
    """A segmenter of one size that knows whether it was closed."""

    name, engine = "test:net", "none"

    def __init__(self, size: Size) -> None:
        self.size, self.closed = size, 0

    def segment(self, frame: Frame, state: Any) -> tuple[Matte, Any]:
        return Matte(np.zeros((self.size.height, self.size.width), np.float32), frame.pts), None

    def close(self) -> None:
        self.closed += 1


def frame(width: int, height: int) -> Frame:
    return Frame.from_rgb(np.zeros((height, width, 3), np.uint8), PixelFormat.I420)


@pytest.fixture
def made() -> list[Shape]:
    return []


@pytest.fixture
def segmenter(made: list[Shape]) -> AspectSegmenter:
    def load(size: Size) -> Any:
        made.append(Shape(size))
        return made[-1]

    return AspectSegmenter(SIZES, load)


def test_each_frame_goes_to_the_nearest_aspect(segmenter: AspectSegmenter) -> None:
    wide, upright, square = range(3)
    wanted = {
        (1280, 720): wide,
        (640, 480): wide,
        (9000, 1): wide,
        (500, 500): square,
        (600, 500): square,
        (1, 1): square,
    }
    wanted |= {(720, 1280): upright, (480, 640): upright, (300, 450): upright}
    for size, index in wanted.items():
        matte, _ = segmenter.segment(frame(*size), None)
        assert matte.size == SIZES[index], size


def test_a_graph_is_loaded_when_it_is_needed_and_once(segmenter: AspectSegmenter, made: list[Shape]) -> None:
    assert [shape.size for shape in made] == [SIZES[0]]
    for _ in range(2):
        segmenter.segment(frame(90, 160), None)
    assert [shape.size for shape in made] == [SIZES[0], SIZES[1]]
    assert (segmenter.name, segmenter.engine, segmenter.size) == ("test:net", "none", SIZES[0])


def test_closing_closes_all_that_was_loaded_and_loads_no_more(segmenter: AspectSegmenter, made: list[Shape]) -> None:
    segmenter.segment(frame(90, 160), None)
    segmenter.close()
    segmenter.close()
    assert all(shape.closed for shape in made)
    with pytest.raises(InferenceError, match="closed"):
        segmenter.segment(frame(100, 100), None)
    assert len(made) == 2


def test_a_graph_that_cannot_be_loaded_is_an_error_and_leaves_the_others(made: list[Shape]) -> None:
    def load(size: Size) -> Any:
        if size == SIZES[1]:
            raise LoadError("not this one")
        made.append(Shape(size))
        return made[-1]

    segmenter = AspectSegmenter(SIZES, load)
    with pytest.raises(LoadError, match="not this one"):
        segmenter.segment(frame(90, 160), None)
    assert segmenter.segment(frame(160, 90), None)[0].size == SIZES[0]
