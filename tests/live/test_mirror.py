"""The output with left and right turned round: person, background and alpha alike."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from livematte import Image, Transparent

sys.path.insert(0, str(Path(__file__).parent))

from timed import GREEN, steps, timed

RAMP = np.repeat(np.linspace(0, 255, 320).astype(np.uint8)[None, :, None], 180, 0).repeat(3, 2)
EFFECTS = {"color": lambda: GREEN, "image": lambda: Image(RAMP), "transparent": Transparent}


@pytest.mark.parametrize("effect", EFFECTS)
def test_everything_is_turned_round(effect: str) -> None:
    live, out, _, _ = timed(EFFECTS[effect](), mirror=True)
    other, usual, _, _ = timed(EFFECTS[effect]())
    turned, straight = steps(live, out, 3)[-1], steps(other, usual, 3)[-1]
    assert live.status()["mirror"]
    for one, same in zip(turned.planes, straight.planes, strict=True):
        np.testing.assert_array_equal(one, same[:, ::-1])
        assert one.flags.c_contiguous
    if effect == "transparent":
        np.testing.assert_array_equal(turned.alpha, straight.alpha[:, ::-1])
        assert not np.array_equal(straight.alpha, straight.alpha[:, ::-1])


def test_it_is_switched_between_two_frames() -> None:
    live, out, _, _ = timed(Image(RAMP))
    first: Any = steps(live, out, 2)[-1]
    live.set_mirror(True)
    turned = steps(live, out, 1)[-1]
    live.set_mirror(False)
    again = steps(live, out, 1)[-1]
    np.testing.assert_array_equal(turned.planes[0], first.planes[0][:, ::-1])
    np.testing.assert_array_equal(again.planes[0], first.planes[0])
