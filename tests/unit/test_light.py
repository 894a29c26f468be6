"""The person's light follows the new background: how far, how fast, and where not."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from typing import Any

import numpy as np
import pytest

from livematte import Blur, Color, Frame, Image, Matte, Off, OptionError, PixelFormat, Size, Transparent, Video
from livematte._pipeline import Stages, StreamState, render
from livematte._stats import Stats
from livematte.refine.light import LEAST, MOST, SETTLING_S, match_light

SIZE = Size(160, 90)
PERSON = (120, 100, 80)
FPS = 30


def camera(pts: int = 0, format: PixelFormat = PixelFormat.RGB, person: tuple[int, int, int] = PERSON) -> Frame:
    rgb = np.full((SIZE.height, SIZE.width, 3), 40, np.uint8)
    rgb[20:, 50:110] = person
    return Frame.from_rgb(rgb, format, pts=pts, time_base=Fraction(1, FPS))


def matte_of(frame: Frame) -> Matte:
    alpha = np.zeros((SIZE.height, SIZE.width), np.uint8)
    alpha[20:, 50:110] = 255
    return Matte(alpha, frame.pts)


def plate_of(frame: Frame, rgb: tuple[int, int, int]) -> Frame:
    plate, _ = Color(rgb).plate(frame, matte_of(frame), None)
    return plate


def gains(rgb: tuple[int, int, int], amount: float = 1.0, format: PixelFormat = PixelFormat.RGB) -> np.ndarray:
    """Linear gains of a single picture, measured on its pixels."""
    frame = camera(format=format)
    matte, _ = match_light(frame, plate_of(frame, rgb), matte_of(frame), amount, None)
    assert matte.foreground is not None
    shown = frame.with_planes(matte.foreground).to_rgb()[50, 80].astype(float)
    return (shown / PERSON) ** 2


@pytest.mark.parametrize("format", list(PixelFormat))
def test_the_person_follows_the_plate(format: PixelFormat) -> None:
    assert (gains((200, 200, 200), format=format) > 1.1).all()
    assert (gains((20, 20, 20), format=format) < 0.9).all()
    red, _, blue = gains((140, 100, 60), format=format)
    assert red > blue * 1.02, "warmer"
    red, _, blue = gains((60, 100, 140), format=format)
    assert blue > red * 1.02, "colder"


@pytest.mark.parametrize("rgb", [(0, 0, 0), (255, 255, 255), (255, 0, 0), (0, 0, 255), (0, 177, 64)])
def test_gains_are_bounded(rgb: tuple[int, int, int]) -> None:
    got = gains(rgb)
    assert (got > LEAST - 0.02).all()
    assert (got < MOST + 0.02).all()


def test_the_amount_counts() -> None:
    none, some, all_ = (gains((200, 200, 200), amount).mean() for amount in (0.0, 0.5, 1.0))
    assert none == pytest.approx(1, abs=0.01)
    assert none + 0.05 < some < all_ - 0.05


def test_a_plate_of_the_persons_own_light_changes_nothing() -> None:
    assert gains(PERSON) == pytest.approx([1, 1, 1], abs=0.02)


def test_light_adapts_slowly_and_a_new_stream_at_once() -> None:
    state: Any = None
    seen = []
    for pts in range(6 * FPS):
        frame = camera(pts)
        plate = plate_of(frame, (20, 20, 20) if pts < FPS else (220, 220, 220))
        matte, state = match_light(frame, plate, matte_of(frame), 1.0, state)
        assert matte.foreground is not None
        seen.append(np.exp(state.gains.mean()))
    dark, bright = seen[0], gains((220, 220, 220)).mean()
    assert seen[:FPS] == pytest.approx([dark] * FPS), "still light does not move"
    steps = np.abs(np.diff(np.log(seen)))
    assert steps.max() < 1.05 * np.log(bright / dark) / (FPS * SETTLING_S), "no jump"
    assert np.log(seen[int(FPS * (1 + SETTLING_S))] / dark) == pytest.approx(0.63 * np.log(bright / dark), rel=0.1)
    fresh, _ = match_light(camera(), plate_of(camera(), (220, 220, 220)), matte_of(camera()), 1.0, None)
    assert fresh.foreground is not None
    assert (fresh.foreground[0][50, 80] / PERSON[0]) ** 2 == pytest.approx(bright, rel=0.05)


def test_nobody_leaves_everything_as_it_was() -> None:
    frame = camera()
    empty = Matte.empty(frame)
    _, state = match_light(frame, plate_of(frame, (220, 220, 220)), matte_of(frame), 1.0, None)
    matte, after = match_light(frame, plate_of(frame, (0, 0, 0)), empty, 1.0, state)
    assert matte is empty
    assert after is state


def test_the_estimated_foreground_is_what_is_changed() -> None:
    frame = camera()
    own = tuple(np.full_like(p, 100) for p in frame.planes)
    matte = replace(matte_of(frame), foreground=own)
    lit, _ = match_light(frame, plate_of(frame, (220, 220, 220)), matte, 1.0, None)
    assert lit.foreground is not None
    assert all(np.ptp(plane) == 0 and plane[0, 0] > 100 for plane in lit.foreground)
    assert all((p == 100).all() for p in own), "not written to"


class Known:
    """A segmenter that knows where the figure is."""

    name, size = "known", SIZE

    def segment(self, frame: Frame, state: Any) -> tuple[Matte, Any]:
        return Matte(matte_of(frame).alpha.astype(np.float32) / np.float32(255), frame.pts), None

    def close(self) -> None:
        pass


def test_a_stream_shows_it_and_the_plate_stays() -> None:
    from livematte._session import build_refiners

    def shown(match: float) -> np.ndarray:
        effect = Image(np.full((90, 160, 3), 220, np.uint8), match=match, light_wrap=0.0)
        stages = Stages(Known(), build_refiners(effect, temporal=False, refine=False), effect)
        return render(stages, camera(), StreamState(), Stats()).to_rgb().astype(int)

    plain, lit = shown(0.0), shown(1.0)
    assert (lit[50, 80] > plain[50, 80]).all()
    assert np.array_equal(lit[:10], plain[:10])


@pytest.mark.parametrize("effect", [Blur, Off, Transparent])
def test_effects_without_a_new_background_refuse_it(effect: Any) -> None:
    with pytest.raises(OptionError, match="match takes its light from a new background"):
        effect(match=0.5)
    effect(match=0)


@pytest.mark.parametrize("value", [-0.1, 1.1, "much", None, True, float("nan")])
def test_what_is_no_part_is_refused(value: Any) -> None:
    with pytest.raises(OptionError, match="match must be a number from 0 to 1"):
        Color("white", match=value)
    assert Video.new_background
