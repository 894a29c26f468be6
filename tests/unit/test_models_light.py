"""Dark pictures: how bright the network sees them, that nobody else does, and that it follows slowly."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from livematte import Color, Frame, Session, Size, kernels
from livematte.engines import Tensor
from livematte.models._light import SETTLED_S
from livematte.models._picture import PictureSegmenter

F32 = npt.NDArray[np.float32]
U8 = npt.NDArray[np.uint8]


class Watcher:
    """An engine that notes what it is shown and sees nobody."""

    name = "watcher"

    def __init__(self) -> None:
        self.inputs, self.outputs = (Tensor("rgb", (1, 3, 8, 16)),), (Tensor("alpha", (1, 1, 8, 16)),)
        self.seen: list[F32] = []

    def run(self, inputs: Any) -> list[F32]:
        self.seen.append(inputs[0].copy())
        return [np.zeros((1, 1, 8, 16), np.float32)]

    def close(self) -> None: ...


def picture(level: float) -> U8:
    """RGB (80, 160, 3) of noise from 0.7 of `level` of white on up to it."""
    return (np.random.default_rng(5).uniform(0.7, 1, (80, 160, 3)) * 255 * level).astype(np.uint8)


@pytest.mark.parametrize("planar", [False, True])
def test_the_gain_brings_the_bright_end_to_where_it_is_in_other_pictures(planar: bool) -> None:
    for level, gain in ((1.0, 1.0), (0.6, 1.0), (0.3, 2.0), (0.2, 3.0), (0.15, 4.0), (0.01, 4.0), (0.0, 4.0)):
        rgb = np.full((6, 10, 3), level, np.float32)
        rgb[0, :2] = 1  # a lamp, a thirtieth of the picture
        shown = np.ascontiguousarray(rgb.transpose(2, 0, 1)) if planar else rgb
        assert kernels.gain(shown, planar) == pytest.approx(gain, rel=0.01)


def test_a_bright_picture_is_shown_as_it_is_and_a_dark_one_brighter() -> None:
    for level, gain in ((1.0, 1.0), (0.25, None), (0.05, 4.0)):
        engine = Watcher()
        frame = Frame.from_rgb(picture(level))
        matte, (_, light) = PictureSegmenter("test", engine, lighten=True).segment(frame, None)
        plain = frame.rgb(Size(16, 8), planar=True)
        assert (engine.seen[0][0] == np.minimum(plain * np.float32(light.gain), 1)).all()
        if gain is not None:
            assert light.gain == gain
        assert np.percentile(engine.seen[0], 95) > 0.1
        assert matte.pts == frame.pts


def test_networks_that_did_not_ask_see_the_picture_as_it_is() -> None:
    engine = Watcher()
    _, state = PictureSegmenter("test", engine).segment(Frame.from_rgb(picture(0.1)), None)
    assert state is None
    assert (engine.seen[0][0] == Frame.from_rgb(picture(0.1)).rgb(Size(16, 8), planar=True)).all()


@pytest.mark.parametrize("fps", [15, 30, 60])
def test_the_gain_follows_in_time(fps: int) -> None:
    """The light goes out: after `SETTLED_S` about two thirds of the way, with no jump on it."""
    segmenter = PictureSegmenter("test", Watcher(), lighten=True)
    state, gains = None, []
    for index in range(2 + 3 * fps):
        frame = Frame.from_rgb(picture(1.0 if index < 2 else 0.05), pts=index, time_base=Fraction(1, fps))
        _, state = segmenter.segment(frame, state)
        gains.append(state[1].gain)
    assert gains[:2] == [1, 1]
    steps = np.diff(gains[1:])
    assert (steps >= 0).all()
    assert steps.max() <= 3.01 / (SETTLED_S * fps)
    assert 1 + 3 * 0.6 < gains[1 + round(SETTLED_S * fps)] < 1 + 3 * 0.75
    assert gains[-1] > 3.9


def test_streams_have_a_light_each() -> None:
    segmenter = PictureSegmenter("test", Watcher(), lighten=True)
    _, dark = segmenter.segment(Frame.from_rgb(picture(0.05)), None)
    _, bright = segmenter.segment(Frame.from_rgb(picture(1.0)), None)
    assert (dark[1].gain, bright[1].gain) == (4, 1)


@pytest.mark.parametrize("model", ["livematte:base", "livematte:fast"])
def test_a_person_in_the_dark_is_found_and_comes_out_as_dark_as_they_were(
    model: str, astronaut: U8, monkeypatch: pytest.MonkeyPatch
) -> None:
    rng = np.random.default_rng(6)
    dark = np.clip(np.rint(astronaut / 10 + rng.normal(0, 1.5, astronaut.shape)), 0, 255).astype(np.uint8)
    with Session(model, Color("green", despill=False), temporal=False) as session:
        by_day, by_night = session.matte(astronaut) > 0.5, session.matte(dark) > 0.5
        assert (session.process(dark)[70:130, 200:255] == dark[70:130, 200:255]).all()
        monkeypatch.setattr(kernels, "gain", lambda rgb, planar: 1.0)
        unlit = session.matte(dark) > 0.5
    lit_iou, unlit_iou = ((by_day & found).sum() / (by_day | found).sum() for found in (by_night, unlit))
    assert lit_iou > unlit_iou + 0.02
