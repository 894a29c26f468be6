"""RVM's memory: four states go out and come back in."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from livematte import Session
from livematte._errors import LoadError, OptionError, WeightsError
from livematte._frame import Frame
from livematte._stages import Segmenter
from livematte.models import rvm

pytest.importorskip("onnx")

_spec = importlib.util.spec_from_file_location("model_graphs", Path(__file__).parents[1] / "model_graphs.py")
assert _spec is not None
assert _spec.loader is not None
model_graphs = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(model_graphs)


@pytest.fixture
def graph(tmp_path: Path) -> Path:
    path: Path = model_graphs.recurrent(tmp_path / "rvm.onnx", rvm.CHANNELS["mobilenetv3"])
    return path


@pytest.fixture
def segmenter(graph: Path) -> Iterator[Segmenter]:
    segmenter = rvm.create(None, weights=graph)
    yield segmenter
    segmenter.close()


def frame(red: int, height: int = 90, width: int = 160, pts: int = 0) -> Frame:
    rgb = np.zeros((height, width, 3), np.uint8)
    rgb[..., 0] = red
    return Frame.from_rgb(rgb, pts=pts)


def test_a_frame_remembers_those_before(segmenter: Segmenter) -> None:
    warm, state = frame(40), None
    alphas = []
    for _ in range(4):
        matte, state = segmenter.segment(warm, state)
        alphas.append(float(matte.alpha.mean()))
    logits = np.log(np.array(alphas) / (1 - np.array(alphas)))
    # each state is half of the picture's and half of itself: 1/2, 3/4, 7/8, ... of the whole
    whole = model_graphs.GAIN * (40 / 255 - model_graphs.MIDDLE)
    assert np.allclose(logits, whole * (1 - 0.5 ** np.arange(1, 5)), atol=1e-3)


def test_the_states_are_those_of_the_reduced_picture(segmenter: Segmenter) -> None:
    _, state = segmenter.segment(frame(40), None)
    shapes = {name: held.shape for name, held in state.items()}
    assert shapes == {"r1i": (1, 16, 135, 240), "r2i": (1, 20, 68, 120), "r3i": (1, 40, 34, 60), "r4i": (1, 64, 17, 30)}


def test_the_larger_encoder_has_wider_states(tmp_path: Path) -> None:
    path = model_graphs.recurrent(tmp_path / "rvm.onnx", rvm.CHANNELS["resnet50"])
    _, state = rvm.create("resnet50", weights=path).segment(frame(40, 100, 100), None)
    assert [held.shape[1:] for held in state.values()] == [(16, 256, 256), (32, 128, 128), (64, 64, 64), (128, 32, 32)]


def test_a_restart_forgets(segmenter: Segmenter) -> None:
    first, state = segmenter.segment(frame(40), None)
    segmenter.segment(frame(200), state)
    again, _ = segmenter.segment(frame(40), None)
    assert np.array_equal(first.alpha, again.alpha)


def test_a_state_of_another_aspect_is_not_used(segmenter: Segmenter) -> None:
    _, state = segmenter.segment(frame(200), None)
    upright = frame(40, 160, 90)
    fresh, _ = segmenter.segment(upright, None)
    after, kept = segmenter.segment(upright, state)
    assert np.array_equal(fresh.alpha, after.alpha)
    assert kept["r1i"].shape == (1, 16, 240, 135)
    square, _ = segmenter.segment(frame(40, 100, 100), state)
    assert square.alpha.shape == (512, 512)


def test_a_session_starts_anew_where_the_size_changes(graph: Path) -> None:
    with Session("rvm", weights=graph, refine=False) as session:
        wide, upright = (frame(40, *size).to_rgb() for size in ((90, 160), (160, 90)))
        first = session.matte(wide)
        assert session.matte(wide).mean() != first.mean()
        session.matte(upright)
        assert np.array_equal(session.matte(wide), first)


def test_streams_do_not_share_their_memory(segmenter: Segmenter) -> None:
    states: list[Any] = [None, None]
    alone, _ = segmenter.segment(frame(40), segmenter.segment(frame(40), None)[1])
    for _ in range(2):
        for index, red in enumerate((40, 220)):
            matte, states[index] = segmenter.segment(frame(red), states[index])
            if index == 0:
                last = matte.alpha
    assert np.array_equal(last, alone.alpha)


def test_a_graph_of_another_kind_is_refused(tmp_path: Path) -> None:
    other = model_graphs.STAND_INS["u2net:small"](tmp_path / "u2net.onnx")
    with pytest.raises(LoadError, match="expected src"):
        rvm.create(None, weights=other)
    wrong = model_graphs.recurrent(tmp_path / "wrong.onnx", (16, 16, 16, 16))
    with pytest.raises(LoadError):
        rvm.create("resnet50", weights=wrong)


def test_the_licence_is_to_be_agreed_to(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from livematte import _weights

    monkeypatch.setenv("LIVEMATTE_CACHE", str(tmp_path))
    with pytest.raises(WeightsError, match=r"pull rvm:mobilenetv3 --accept-licence GPL-3\.0"):
        rvm.create(None)
    with pytest.raises(OptionError, match=r"--accept-licence GPL-3\.0"):
        _weights.pull(rvm.SPECS["mobilenetv3"].files[0])
