"""Law 1: not one frame of the raw room leaves, whatever breaks and whenever.

A marker hangs in the room of the synthetic source. Every part is killed at every frame,
and every picture that reached the sink is searched for the marker.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from fractions import Fraction
from types import TracebackType
from typing import Any

import numpy as np
import pytest

from livematte import (
    Blur,
    Color,
    Frame,
    FrameError,
    Image,
    InferenceError,
    Matte,
    PixelFormat,
    Session,
    Size,
    Transparent,
    latest,
    run,
)
from livematte._pipeline import Stages, StreamState, render
from livematte._session import build_refiners
from livematte._stats import Stats
from livematte.engines import Tensor
from livematte.models._picture import PictureSegmenter
from livematte.sources.synthetic import MARKER_BITS, Synthetic, marker_box

SIZE = Size(320, 180)
FRAMES = 6
NETWORK = Size(64, 36)

RAW_SHOWS = 0.95
"""Part of the marker's contrast that a picture of the raw room has, at least."""

PLATE_SHOWS = 0.02
"""Part that a plate without the room may have: noise."""

BLUR_SHOWS = 0.1
"""Part that a covering blur may leave: coarse patches, not the bits."""


def contrast_shown(luma: np.ndarray) -> float:
    """How much of the marker's contrast a picture has: 1 in the raw room, 0 without it."""
    left, top, right, bottom = marker_box(Size(luma.shape[1], luma.shape[0]))
    seen = luma[top:bottom, left:right].astype(np.float64)
    rows = np.arange(bottom - top) * MARKER_BITS.shape[0] // (bottom - top)
    columns = np.arange(right - left) * MARKER_BITS.shape[1] // (right - left)
    bits = MARKER_BITS[np.ix_(rows, columns)] * 175.0
    seen, bits = seen - seen.mean(), bits - bits.mean()
    return float((seen * bits).sum() / (bits * bits).sum())


class Truth:
    """A segmenter that knows the figure, and fails where it is told to."""

    name = "truth"
    size = NETWORK

    def __init__(self, source: Synthetic, fail_at: tuple[int, ...] = (), error: Exception | None = None) -> None:
        self._source, self._fail_at = source, fail_at
        self._error = error or InferenceError("killed by the test")

    def segment(self, frame: Frame, state: Any) -> tuple[Matte, Any]:
        if frame.pts in self._fail_at:
            raise self._error
        alpha = self._source.true_alpha(frame.pts)
        rows = np.arange(NETWORK.height) * alpha.shape[0] // NETWORK.height
        columns = np.arange(NETWORK.width) * alpha.shape[1] // NETWORK.width
        return Matte(np.ascontiguousarray(alpha[np.ix_(rows, columns)]), frame.pts), (state or 0) + 1

    def close(self) -> None:
        pass


class Recording:
    """A sink that keeps what it was given, and how it was left."""

    def __init__(self) -> None:
        self.frames: list[Frame] = []
        self.left_by: type[BaseException] | None = None

    def __enter__(self) -> Recording:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.left_by = kind

    def write(self, frame: Frame) -> None:
        self.frames.append(frame)


def stages(segmenter: Any, effect: Any, lookahead: bool = False) -> Stages:
    return Stages(segmenter, build_refiners(effect, temporal=True, refine=True), effect, lookahead=lookahead)


def beach() -> Image:
    return Image(np.full((90, 160, 3), (230, 200, 120), np.uint8))


EFFECTS: dict[str, Callable[[], Any]] = {
    "blur": Blur,
    "weakest blur": lambda: Blur(0.1),
    "blur of a lens": lambda: Blur(bokeh=True),
    "weakest blur of a lens": lambda: Blur(0.1, bokeh=True),
    "color": lambda: Color("green"),
    "image": beach,
    "image whose light is matched": lambda: Image(np.full((90, 160, 3), (230, 200, 120), np.uint8), match=1.0),
    "transparent": Transparent,
}


def assert_covered(frame: Frame, effect: str) -> None:
    limit = BLUR_SHOWS if "blur" in effect else PLATE_SHOWS
    assert abs(contrast_shown(frame.planes[0])) < limit


def test_the_marker_is_found_where_it_is_shown() -> None:
    source = Synthetic(SIZE, frames=2)
    for frame in source:
        assert contrast_shown(frame.planes[0]) > RAW_SHOWS
    shown = Session(Truth(source), "off", temporal=False).process_frame(source.frame(0))
    assert contrast_shown(shown.planes[0]) > RAW_SHOWS  # `off` is asked for by name


@pytest.mark.parametrize("effect", EFFECTS)
@pytest.mark.parametrize("index", range(FRAMES))
@pytest.mark.parametrize("lookahead", [False, True], ids=["at once", "look-ahead"])
def test_a_frame_without_a_matte_is_covered(effect: str, index: int, lookahead: bool) -> None:
    source, sink = Synthetic(SIZE, frames=FRAMES), Recording()
    stats = run(source, stages(Truth(source, (index,)), EFFECTS[effect](), lookahead), sink)
    assert [frame.pts for frame in sink.frames] == list(range(FRAMES))
    assert (stats.frames, stats.covered) == (FRAMES, 1)
    assert sink.left_by is None
    for frame in sink.frames:
        if "weakest" not in effect or frame.pts == index:
            assert_covered(frame, effect)
    covered, whole = sink.frames[index], sink.frames[(index + 1) % FRAMES]
    person = (slice(150, 175), slice(130, 190))
    if effect == "transparent":
        assert not covered.alpha.any()
        assert whole.alpha[person].min() > 200
        assert all((plane == value).all() for plane, value in zip(covered.planes, (16, 128, 128), strict=True))
    elif "blur" not in effect:
        assert np.ptp(covered.planes[0]) <= 2  # the plate alone: nobody in it
        assert np.ptp(whole.planes[0]) > 20


@pytest.mark.parametrize("effect", EFFECTS)
def test_all_frames_without_a_matte(effect: str) -> None:
    source, sink = Synthetic(SIZE, frames=FRAMES), Recording()
    failing = Truth(source, tuple(range(FRAMES)))
    with pytest.raises(InferenceError):
        run(source, stages(failing, EFFECTS[effect]()), sink, max_failures=FRAMES)
    assert sink.left_by is InferenceError
    assert 1 <= len(sink.frames) < FRAMES  # what still waits for the sink when the stream fails is let go
    for frame in sink.frames:
        assert_covered(frame, effect)


class DyingEngine:
    """A loaded graph that breaks in a chosen way at a chosen run."""

    name = "dying"
    inputs = (Tensor("rgb", (1, NETWORK.height, NETWORK.width, 3)),)
    outputs = (Tensor("alpha", (1, NETWORK.height, NETWORK.width, 1)),)

    def __init__(self, die_at: int, way: str) -> None:
        self._runs, self._die_at, self._way = 0, die_at, way

    def run(self, inputs: Any) -> list[np.ndarray]:
        self._runs += 1
        alpha = np.zeros(self.outputs[0].shape, np.float32)
        if self._runs - 1 == self._die_at:
            if self._way == "raises":
                raise InferenceError("killed by the test")
            alpha[:] = np.nan
        return [alpha]

    def close(self) -> None:
        pass


@pytest.mark.parametrize("way", ["raises", "gives NaN"])
@pytest.mark.parametrize("index", range(FRAMES))
def test_an_engine_that_dies(way: str, index: int) -> None:
    source, sink = Synthetic(SIZE, frames=FRAMES), Recording()
    segmenter = PictureSegmenter("dying", DyingEngine(index, way))
    run(source, stages(segmenter, Color("green")), sink)
    assert len(sink.frames) == FRAMES
    for frame in sink.frames:
        assert_covered(frame, "color")


@pytest.mark.parametrize("index", range(FRAMES))
@pytest.mark.parametrize("error", [RuntimeError("boom"), MemoryError(), FrameError("bad"), KeyboardInterrupt()])
def test_a_model_that_breaks_in_any_other_way_stops_the_stream(index: int, error: Exception) -> None:
    source, sink = Synthetic(SIZE, frames=FRAMES), Recording()
    with pytest.raises(type(error)):
        run(source, stages(Truth(source, (index,), error), Blur()), sink)
    assert sink.left_by is type(error)
    assert len(sink.frames) <= index
    for frame in sink.frames:
        assert_covered(frame, "blur")


class DyingEffect:
    """An effect that fails at a chosen frame."""

    light_wrap = 0.0

    def __init__(self, die_at: int) -> None:
        self._die_at = die_at

    def plate(self, frame: Frame, matte: Matte, state: Any) -> tuple[Frame, Any]:
        if frame.pts == self._die_at:
            raise RuntimeError("killed by the test")
        return Color("green").plate(frame, matte, state)


@pytest.mark.parametrize("index", range(FRAMES))
def test_an_effect_that_dies_stops_the_stream(index: int) -> None:
    source, sink = Synthetic(SIZE, frames=FRAMES), Recording()
    with pytest.raises(RuntimeError, match="killed"):
        run(source, stages(Truth(source), DyingEffect(index)), sink)
    assert sink.left_by is RuntimeError
    assert len(sink.frames) <= index
    for frame in sink.frames:
        assert_covered(frame, "color")


class DyingRefiner:
    """A refiner that fails at a chosen frame."""

    def __init__(self, die_at: int, error: Exception) -> None:
        self._die_at, self._error = die_at, error

    def refine(self, frame: Frame, matte: Matte, state: Any) -> tuple[Matte, Any]:
        if frame.pts == self._die_at:
            raise self._error
        return matte, None


@pytest.mark.parametrize("index", range(FRAMES))
@pytest.mark.parametrize("error", [InferenceError("no"), RuntimeError("boom")])
def test_a_refiner_that_dies(index: int, error: Exception) -> None:
    source, sink = Synthetic(SIZE, frames=FRAMES), Recording()
    whole = stages(Truth(source), Color("green"))
    broken = Stages(whole.segmenter, (*whole.refiners, DyingRefiner(index, error)), whole.effect)
    if isinstance(error, InferenceError):
        run(source, broken, sink)
        assert len(sink.frames) == FRAMES
    else:
        with pytest.raises(RuntimeError):
            run(source, broken, sink)
        assert len(sink.frames) <= index
    for frame in sink.frames:
        assert_covered(frame, "color")


class Stale(Truth):
    """A segmenter that hands out the matte of the frame before, or of the one after."""

    def __init__(self, source: Synthetic, by: int) -> None:
        super().__init__(source)
        self._by = by

    def segment(self, frame: Frame, state: Any) -> tuple[Matte, Any]:
        matte, state = super().segment(frame, state)
        return Matte(matte.alpha, frame.pts + self._by), state


@pytest.mark.parametrize("by", [-1, 1])
def test_a_matte_of_another_frame_is_refused(by: int) -> None:
    source, sink = Synthetic(SIZE, frames=FRAMES), Recording()
    with pytest.raises(FrameError, match="segment this frame first"):
        run(source, stages(Stale(source, by), Color("green")), sink)
    assert sink.frames == []


def test_a_new_size_in_mid_stream_stays_covered() -> None:
    small, large = Synthetic(SIZE, frames=3), Synthetic(Size(480, 270), frames=3)

    class Both(Truth):
        def segment(self, frame: Frame, state: Any) -> tuple[Matte, Any]:
            self._source = small if frame.size == SIZE else large
            return super().segment(frame, state)

    state, picture_stages = StreamState(), stages(Both(small, (1,)), Color("green"))
    for source in (small, large, small):
        for frame in source:
            shown = render(picture_stages, frame, state, Stats())
            assert shown.size == frame.size
            assert_covered(shown, "color")


def test_the_first_frame_of_a_live_stream_is_covered_until_there_is_a_matte() -> None:
    source, sink = Synthetic(SIZE, frames=FRAMES), Recording()
    run(source, stages(Truth(source, (0, 1, 2)), Blur()), sink, frames=latest)
    assert sink.frames
    for frame in sink.frames:
        assert_covered(frame, "blur")


def test_rgb_pictures_are_covered_too() -> None:
    source = Synthetic(SIZE, frames=FRAMES)
    rgb = source.frame(0).to_rgb()

    class Dead(Truth):
        def segment(self, frame: Frame, state: Any) -> tuple[Matte, Any]:
            raise InferenceError("killed by the test")

    for effect in EFFECTS.values():
        session = Session(Dead(source), effect(), max_failures=5)
        for _ in range(4):
            shown = session.process(rgb)
            assert abs(contrast_shown(shown[..., 1])) < BLUR_SHOWS
        with pytest.raises(InferenceError):
            session.process(rgb)
        assert session.stats.covered == 5


def test_nothing_of_the_room_hides_under_transparency() -> None:
    source = Synthetic(SIZE, frames=1)
    for format in PixelFormat:
        frame = Frame.from_rgb(source.frame(0).to_rgb(), format, pts=0, time_base=Fraction(1, 30))
        shown = Session(Truth(source), Transparent()).process_frame(frame)
        assert shown.alpha is not None
        hidden = shown.to_rgb()[shown.alpha == 0][:, :3]
        assert hidden.size
        if format is PixelFormat.I420:  # chroma is shared with visible neighbours, luma is not
            assert (shown.planes[0][shown.alpha == 0] == 16).all()
        else:
            assert not hidden.any()


def test_a_broken_source_abandons_the_output() -> None:
    class Breaking(Synthetic):
        def __iter__(self) -> Iterator[Frame]:
            yield from list(super().__iter__())[:3]
            raise OSError("the cable was pulled")

    source, sink = Breaking(SIZE, frames=FRAMES), Recording()
    with pytest.raises(OSError, match="cable"):
        run(source, stages(Truth(source), Blur()), sink)
    assert sink.left_by is OSError
    for frame in sink.frames:
        assert_covered(frame, "blur")
