"""Effects that need no file: what they paint, and what they refuse."""

from __future__ import annotations

import dataclasses
import json
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from livematte import (
    Blur,
    Color,
    ColorMatrix,
    ColorRange,
    Frame,
    Matte,
    Off,
    OptionError,
    PixelFormat,
    Size,
    Transparent,
    _registry,
)
from livematte._stages import Effect
from livematte.effects._anyone import anyone
from livematte.effects.blur import COVER_STRENGTH, sigma_px
from livematte.effects.grey import Grey
from livematte.sources.synthetic import Synthetic

FRAME = Synthetic(Size(640, 360)).frame(3)

ANYONE = json.loads((Path(__file__).parents[1] / "golden" / "anyone.json").read_text(encoding="utf-8"))


def matte_of(frame: Frame, alpha: int) -> Matte:
    return Matte(np.full(frame.planes[0].shape, alpha, np.uint8), frame.pts)


@pytest.mark.parametrize("effect", [Blur(), Color("white"), Off(), Transparent()])
def test_effects_are_frozen_and_of_the_protocol(effect: Effect) -> None:
    assert isinstance(effect, Effect)
    with pytest.raises(dataclasses.FrozenInstanceError):
        effect.light_wrap = 1.0  # type: ignore[misc]


@pytest.mark.parametrize("format", list(PixelFormat))
@pytest.mark.parametrize("effect", [Blur(), Color("white"), Off()])
def test_plates_have_the_frames_colour_and_time(format: PixelFormat, effect: Effect) -> None:
    frame = Frame.from_rgb(FRAME.to_rgb(), format, ColorMatrix.BT601, ColorRange.FULL, 9, Fraction(1, 25))
    plate, _ = effect.plate(frame, matte_of(frame, 0), None)
    assert plate is not None
    assert (plate.matrix, plate.range, plate.pts, plate.time_base) == (
        frame.matrix, frame.range, 9, Fraction(1, 25)
    )  # fmt: skip
    assert (plate.format is PixelFormat.RGB) == (format is PixelFormat.RGB)


def test_a_weak_blur_covers_strongly_where_it_stands_alone() -> None:
    weak, _ = Blur(0.1).plate(FRAME, matte_of(FRAME, 0), None)
    strong, _ = Blur(COVER_STRENGTH).plate(FRAME, matte_of(FRAME, 0), None)
    assert all((a == b).all() for a, b in zip(weak.planes, strong.planes, strict=True))
    specks = matte_of(FRAME, 0)
    specks.alpha[40:60, 60:70] = 255
    beside_specks, _ = Blur(0.1).plate(FRAME, specks, None)
    assert beside_specks.size == strong.size
    somebody = matte_of(FRAME, 0)
    somebody.alpha[40:80, 60:90] = 255
    asked, _ = Blur(0.1).plate(FRAME, somebody, None)
    assert asked.size.width > strong.size.width


def test_grey_shows_the_room_behind_somebody_alone() -> None:
    specks, somebody = matte_of(FRAME, 0), matte_of(FRAME, 0)
    specks.alpha[40:60, 60:70] = 255
    somebody.alpha[40:80, 60:90] = 255
    plain, _ = Grey().plate(FRAME, specks, None)
    assert all(len(np.unique(plane)) == 1 for plane in plain.planes)
    room, _ = Grey().plate(FRAME, somebody, None)
    assert (room.planes[0] == FRAME.planes[0]).all()


@pytest.mark.parametrize("case", ANYONE, ids=lambda case: case["about"])
def test_somebody_is_who_takes_up_enough_of_the_picture(case: dict[str, Any]) -> None:
    """The same cases as tests/web/anyone.test.mjs."""
    alpha = np.zeros(case["size"][::-1], np.uint8)
    for left, top, width, height, value in case["patches"]:
        alpha[top : top + height, left : left + width] = value
    assert anyone(alpha) is case["anyone"]


def test_strength_is_relative_to_the_picture() -> None:
    assert sigma_px(Size(1280, 720), 0.5) == 2 * sigma_px(Size(640, 360), 0.5)
    assert sigma_px(Size(720, 1280), 0.5) == sigma_px(Size(1280, 720), 0.5)


@pytest.mark.parametrize(
    ("spelling", "rgb"),
    [("green", (0, 177, 64)), ("#ff8000", (255, 128, 0)), ("ff8000", (255, 128, 0)), ((1, 2, 3), (1, 2, 3))],
)
def test_colours(spelling: object, rgb: tuple[int, int, int]) -> None:
    assert Color(spelling).rgb == rgb  # type: ignore[arg-type]


@pytest.mark.parametrize("colour", ["gren", "#ff80", (1, 2), (1, 2, 256), (0.5, 0, 0), 7, None])
def test_what_is_no_colour_is_refused(colour: object) -> None:
    with pytest.raises(OptionError, match="a colour is three numbers"):
        Color(colour)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("spec", "says"),
    [
        ("blur:strong", "strength from 0.1 to 1"),
        ("blur:0", "from 0.1 to 1, got 0"),
        ("blur:1.5", "from 0.1 to 1"),
        ("blur:nan", "from 0.1 to 1"),
        ("off:1", "takes no argument"),
        ("transparent:1", "takes no argument"),
        ("color:gren", "a colour is"),
    ],
)
def test_bad_spellings(spec: str, says: str) -> None:
    with pytest.raises(OptionError, match=says):
        _registry.create("effects", spec)


@pytest.mark.parametrize(
    "options", [{"light_wrap": 2}, {"light_wrap": "much"}, {"softness": -0.1}, {"who": "me"}, {"softness": True}]
)
def test_switches_are_checked(options: dict[str, object]) -> None:
    with pytest.raises(OptionError):
        Blur(**options)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("name", "rgb"),
    [
        ("red", (255, 0, 0)),
        ("RebeccaPurple", (102, 51, 153)),
        ("grey", (128, 128, 128)),
        ("tomato", (255, 99, 71)),
        ("green", (0, 177, 64)),  # of chroma-key paint, not CSS's
    ],
)
def test_named_colours(name: str, rgb: tuple[int, int, int]) -> None:
    assert Color(name).rgb == rgb


def test_all_colours_of_css_have_names() -> None:
    from livematte.effects._css_colors import css_colors

    colours = css_colors()
    assert len(colours) == 148
    assert list(colours) == sorted(colours)
    assert {(*colours[name],) for name in ("gray", "grey")} == {(128, 128, 128)}
    pairs = [name for name in colours if "grey" in name]
    assert all(colours[name] == colours[name.replace("grey", "gray")] for name in pairs)


def test_a_colour_that_is_nearly_one() -> None:
    with pytest.raises(
        OptionError, match=r"a name of CSS such as red, green or navy; got 'tomatoe'; did you mean tomato"
    ):
        Color("tomatoe")
