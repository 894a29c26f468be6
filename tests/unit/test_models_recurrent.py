"""Graphs that take the previous alpha: what goes round, when it is forgotten, and who is asked to forget."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
import onnx
import pytest
from onnx import TensorProto, helper

import livematte
from livematte import _registry, cli
from livematte._errors import InferenceError, LoadError
from livematte._frame import Frame, Size
from livematte._matte import Matte
from livematte._pipeline import Stages, StreamState, estimate, render, run
from livematte._session import build_stages
from livematte._stages import Segmenter
from livematte._stats import Stats
from livematte.engines import Tensor
from livematte.evaluation.score import Model
from livematte.models._aspect import AspectSegmenter
from livematte.models._picture import PictureSegmenter
from livematte.refine.guided import Upsample
from livematte.sources.synthetic import Synthetic

F32 = npt.NDArray[np.float32]
Shape = tuple[int, ...]

WHITE, DARK = np.full((32, 64, 3), 255, np.uint8), np.zeros((32, 64, 3), np.uint8)

PLANAR, LAST = ((1, 3, 8, 16), (1, 1, 8, 16)), ((1, 8, 16, 3), (1, 8, 16, 1))


class Echo:
    """An engine whose alpha is a quarter of the picture's mean and half of the previous alpha."""

    name = "echo"

    def __init__(self, inputs: tuple[Shape, ...] = PLANAR, output: Shape | None = None) -> None:
        self.inputs = tuple(Tensor(f"in{i}", shape) for i, shape in enumerate(inputs))
        self.outputs = (Tensor("alpha", output or next(s for s in inputs if 1 in (s[1], s[3]))),)
        self.seen: list[F32] = []
        self.closed, self.fails = 0, False

    def run(self, inputs: Any) -> list[F32]:
        assert [(a.shape, a.dtype) for a in inputs] == [(t.shape, np.float32) for t in self.inputs]
        if self.fails:
            raise InferenceError("no matte")
        (picture,) = (a for a in inputs if 3 in (a.shape[1], a.shape[3]))
        (previous,) = (a for a in inputs if a is not picture)
        self.seen.append(previous.copy())
        return [(0.25 * picture.mean() + 0.5 * previous).reshape(self.outputs[0].shape).astype(np.float32)]

    def close(self) -> None:
        self.closed += 1


@pytest.fixture
def graph(tmp_path: Path) -> Path:
    """The same as an ONNX file."""
    value = lambda name, *shape: helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)  # noqa: E731
    nodes = [
        helper.make_node("ReduceMean", ["rgb"], ["mean"], axes=[1, 2, 3], keepdims=1),
        helper.make_node("Mul", ["mean", "quarter"], ["new"]),
        helper.make_node("Mul", ["previous", "half"], ["old"]),
        helper.make_node("Add", ["new", "old"], ["alpha"]),
    ]
    numbers = [
        helper.make_tensor(name, TensorProto.FLOAT, (), [value]) for name, value in (("quarter", 0.25), ("half", 0.5))
    ]
    inputs, outputs = [value("rgb", 1, 3, 8, 16), value("previous", 1, 1, 8, 16)], [value("alpha", 1, 1, 8, 16)]
    made = helper.make_graph(nodes, "echo", inputs, outputs, numbers)
    model = helper.make_model(made, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.save(model, str(tmp_path / "echo.onnx"))
    return tmp_path / "echo.onnx"


def frame(rgb: npt.NDArray[np.uint8] = WHITE, pts: int = 0) -> Frame:
    return Frame.from_rgb(rgb, pts=pts)


def level(matte: Matte) -> float:
    """The value that it has everywhere."""
    assert np.ptp(matte.alpha) < 1e-6
    return float(matte.alpha.flat[0])


@pytest.mark.parametrize("inputs", [PLANAR, PLANAR[::-1], LAST, LAST[::-1], (PLANAR[0], LAST[1]), (LAST[0], PLANAR[1])])
@pytest.mark.parametrize("output", [PLANAR[1], LAST[1]])
def test_the_alpha_goes_round(inputs: tuple[Shape, ...], output: Shape) -> None:
    segmenter = PictureSegmenter("test", Echo(inputs, output))
    assert segmenter.size == Size(16, 8)
    state, levels = None, []
    for pts in range(3):
        matte, state = segmenter.segment(frame(pts=pts), state)
        assert matte.pts == pts
        levels.append(level(matte))
    assert levels == pytest.approx([0.25, 0.375, 0.4375], abs=1e-3)


def test_what_is_fed_back_is_in_range() -> None:
    class Beyond(Echo):
        def run(self, inputs: Any) -> list[F32]:
            return [a + np.float32(1.0) for a in super().run(inputs)]

    engine = Beyond()
    segmenter = PictureSegmenter("test", engine)
    _, state = segmenter.segment(frame(), None)
    segmenter.segment(frame(), state)
    assert np.all(engine.seen[1] == 1)


def test_streams_do_not_see_each_other() -> None:
    segmenter = PictureSegmenter("test", Echo())
    _, bright = segmenter.segment(frame(), None)
    dark, _ = segmenter.segment(frame(DARK), None)
    assert level(dark) == 0
    assert level(segmenter.segment(frame(), bright)[0]) == pytest.approx(0.375, abs=1e-3)


@pytest.mark.parametrize("state", [None, np.ones((1, 1, 16, 8), np.float32), np.ones((8, 16), np.float32)])
def test_nobody_was_there_before_the_first_frame_or_at_another_size(state: Any) -> None:
    engine = Echo()
    matte, _ = PictureSegmenter("test", engine).segment(frame(), state)
    assert not engine.seen[0].any()
    assert level(matte) == pytest.approx(0.25, abs=1e-3)


def test_a_picture_of_another_aspect_starts_anew() -> None:
    engines = {Size(16, 8): Echo(), Size(8, 16): Echo(((1, 3, 16, 8), (1, 1, 16, 8)))}
    segmenter = AspectSegmenter(tuple(engines), lambda size: PictureSegmenter("test", engines[size]))
    _, state = segmenter.segment(frame(), None)
    segmenter.segment(frame(np.full((64, 32, 3), 255, np.uint8)), state)
    assert not engines[Size(8, 16)].seen[0].any()


def test_a_graph_of_one_input_has_no_memory() -> None:
    class Plain(Echo):
        def run(self, inputs: Any) -> list[F32]:
            assert [a.shape for a in inputs] == [(1, 3, 8, 16)]
            return [np.full((1, 1, 8, 16), 0.5, np.float32)]

    segmenter = PictureSegmenter("test", Plain((PLANAR[0],), PLANAR[1]))
    assert segmenter.segment(frame(), np.ones((1, 1, 8, 16), np.float32))[1] is None


@pytest.mark.parametrize(
    "inputs",
    [
        (*PLANAR, PLANAR[1]),
        (PLANAR[0], (1, 1, 4, 8)),
        (PLANAR[0], (1, 2, 8, 16)),
        (PLANAR[0], (8, 16)),
        (PLANAR[1], PLANAR[1]),
    ],
)
def test_other_second_inputs_are_refused_and_closed(inputs: tuple[Shape, ...]) -> None:
    engine = Echo(inputs, PLANAR[1])
    with pytest.raises(LoadError, match="beside it at most one for the previous alpha"):
        PictureSegmenter("test", engine)
    assert engine.closed == 1


def test_after_a_failure_nothing_is_remembered() -> None:
    engine = Echo()
    stages = Stages(PictureSegmenter("test", engine), (Upsample(),), livematte.Color("#00ff00"))
    state, stats = StreamState(), Stats()
    render(stages, frame(), state, stats)
    assert state.segmenter is not None
    engine.fails = True
    render(stages, frame(), state, stats)
    assert (state.segmenter, stats.covered) == (None, 1)
    engine.fails = False
    render(stages, frame(), state, stats)
    assert not engine.seen[-1].any()


def means(session: livematte.Session, count: int = 3) -> list[float]:
    return [float(session.matte(WHITE).mean()) for _ in range(count)]


def test_a_session_runs_such_a_file(graph: Path) -> None:
    with livematte.Session(weights=graph, refine=False) as session:
        first = means(session)
        assert first == sorted(first)
        assert first[2] > first[0] + 0.05
        session.reset()
        assert means(session) == first
        assert session.matte(np.full((64, 32, 3), 255, np.uint8)).mean() == pytest.approx(first[0], abs=1e-6)
        assert means(session) == first  # the size went back


def test_without_temporal_there_is_no_memory(graph: Path) -> None:
    with livematte.Session(weights=graph, refine=False, temporal=False) as session:
        assert len(set(means(session))) == 1


class Kept:
    """A sink that keeps the mean of what it is given."""

    def __init__(self) -> None:
        self.means: list[float] = []

    def __enter__(self) -> Kept:
        return self

    def __exit__(self, *exc: Any) -> None:
        pass

    def write(self, frame: Frame) -> None:
        self.means.append(float(frame.to_rgb()[..., 3].mean()))


@pytest.mark.parametrize("temporal", [True, False])
def test_a_film_is_remembered_unless_its_pictures_stand_alone(graph: Path, temporal: bool) -> None:
    class Still(Synthetic):
        """The same picture again and again."""

        def frame(self, index: int) -> Frame:
            return Frame.from_rgb(super().frame(0).to_rgb(), pts=index)

    stages = build_stages("livematte", "transparent", weights=graph, temporal=temporal, refine=False)
    sink = Kept()
    run(Still(Size(64, 32), frames=3), stages, sink)
    assert len(sink.means) == 3
    assert (sink.means[2] > sink.means[0] + 5) is temporal
    assert (sink.means[2] == sink.means[0]) is not temporal


def test_a_folder_of_pictures_has_no_memory(graph: Path, tmp_path: Path) -> None:
    for folder in ("in", "alone", "film"):
        (tmp_path / folder).mkdir()
    for index in range(3):
        cv2.imwrite(str(tmp_path / "in" / f"{index}.png"), WHITE)
    options = ["matte", str(tmp_path / "in"), "--weights", str(graph), "--no-refine"]
    for out, more, different in (("alone", [], 1), ("film", ["--temporal"], 3)):
        assert cli.run([*options, "-o", str(tmp_path / out), *more]) == 0
        assert len({path.read_bytes() for path in (tmp_path / out).iterdir()}) == different


@pytest.mark.parametrize("raw", [True, False])
def test_evaluation_remembers_within_a_clip_and_never_between_pictures(graph: Path, raw: bool) -> None:
    model = Model("livematte", weights=graph, raw=raw)
    alone = [model.matte(frame()).mean() for _ in range(2)]
    stream = StreamState()
    clip = [model.matte(frame(pts=pts), stream).mean() for pts in range(3)]
    model.close()
    assert alone[0] == alone[1] == clip[0]
    assert clip[2] > clip[1] > clip[0]


def test_memory_is_of_the_stages_not_of_the_model(graph: Path) -> None:
    segmenter: Segmenter = _registry.create("models", "livematte", weights=graph)
    alone, film = (build_stages(segmenter, "off", temporal=temporal, refine=False) for temporal in (False, True))
    states = [StreamState(), StreamState()]
    for stages, state in zip((alone, film), states, strict=True):
        estimate(stages, frame(), state, Stats())
    assert states[0].segmenter is None
    previous, _light = states[1].segmenter
    assert previous.shape == (1, 1, 8, 16)
    segmenter.close()
