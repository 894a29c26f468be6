"""BodyPix in use: sizes, masks, parts, key points and people, on maps whose answer is known."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from livematte._errors import OptionError
from livematte._frame import U8, Frame, Size
from livematte.models._bodypix_found import Found
from livematte.models._bodypix_people import assign
from livematte.models._bodypix_poses import Pose, decode
from livematte.models._bodypix_resize import (
    check_resolution,
    enlarge,
    fit,
    frame_columns,
    frame_rows,
    input_size,
    sample,
)
from livematte.models._logits import sigmoid
from livematte.models._parts import PALETTE, PARTS, part_picture, people_picture, tinted

sys.path.insert(0, str(Path(__file__).parent))

from bodypix_scene import FRAME, INNER, STAGE, STRIDE, SURE, UNSURE, maps_of, scene

# the network's picture


@pytest.mark.parametrize(
    ("frame", "resolution", "stride", "expected"),
    [
        (Size(640, 480), "medium", 16, Size(321, 241)),
        (Size(640, 480), "low", 8, Size(161, 121)),
        (Size(1280, 720), "high", 32, Size(961, 513)),
        (Size(514, 514), "medium", 16, Size(257, 257)),  # 257 is on the grid already
        (Size(1280, 720), 0.3, 16, Size(385, 209)),
        (Size(1280, 720), "0.3", 16, Size(385, 209)),
        (Size(1280, 720), 513, 16, Size(513, 273 + 16)),
        (Size(720, 1280), 513, 16, Size(289, 513)),
        (Size(9, 7), 0.5, 16, Size(1, 1)),
    ],
)
def test_internal_resolution(frame: Size, resolution: Any, stride: int, expected: Size) -> None:
    found = input_size(frame, check_resolution(resolution), stride)
    assert found == expected
    assert all((side - 1) % stride == 0 for side in found)


@pytest.mark.parametrize("resolution", ["huge", "", "nan", 0.05, 2.5, 166, 802, -1, None])
def test_resolutions_that_there_are_not(resolution: Any) -> None:
    with pytest.raises(OptionError, match="resolution must be one of low, medium, high, full, a share"):
        check_resolution(resolution)


def test_a_picture_too_large_for_the_network() -> None:
    with pytest.raises(OptionError, match="at most 2049"):
        input_size(Size(4000, 3000), 1.0, 16)


@pytest.mark.parametrize("frame", [Size(640, 480), Size(333, 777), Size(1, 9), Size(9, 1), Size(1, 1)])
def test_a_frame_lies_in_the_middle_of_the_networks_picture(frame: Size) -> None:
    lies = fit(frame, Size(97, 65))
    assert lies.left == 0 or lies.top == 0
    assert abs(lies.padded.width / lies.padded.height - 97 / 65) < 2 / min(lies.padded)
    for places, inner in ((frame_rows(lies), 65), (frame_columns(lies), 97)):
        assert places.min() >= 0
        assert places.max() <= inner - 1
        np.testing.assert_allclose(places + places[::-1], inner - 1, atol=1e-9)


def test_bilinear_interpolation_is_exact_on_a_plane() -> None:
    rows, columns = np.mgrid[0:5, 0:7]
    plane = (2.0 * rows - 3.0 * columns)[..., None].astype(np.float32)
    y, x = np.array([0, 0.25, 3.5, 4]), np.array([0, 1.75, 6])
    np.testing.assert_allclose(sample(plane, y, x)[..., 0], 2 * y[:, None] - 3 * x, atol=1e-5)


# masks and parts


def test_parts_by_bands_are_the_parts_of_the_whole_picture() -> None:
    found, maps = scene()
    lies = fit(FRAME, INNER)
    whole = sample(sigmoid(enlarge(maps["part_heatmaps"], lies)), frame_rows(lies), frame_columns(lies)).argmax(axis=2)
    mask, parts = found.mask(), found.parts()
    assert 0.05 < mask.mean() < 0.95
    assert parts.dtype == np.int8
    assert np.array_equal(parts, np.where(mask, whole, -1))


def test_nobody_is_in_no_part() -> None:
    grid = (8, 13, 1)
    found, _ = scene(segments=np.full(grid, UNSURE, np.float32))
    assert not found.mask().any()
    assert (found.parts() == -1).all()
    assert found.people() == [] or all(not person.mask.any() for person in found.people())


def test_there_are_24_parts_with_colours_of_their_own() -> None:
    assert len(PARTS) == len(set(PARTS)) == 24
    assert len({tuple(colour) for colour in PALETTE.tolist()}) == 24
    assert tuple(PALETTE[0]) == (110, 64, 170)
    assert tuple(PALETTE[23]) == (99, 81, 195)
    picture = part_picture(np.array([[-1, 0], [12, 23]], np.int8), (1, 2, 3))
    assert picture.tolist() == [[[1, 2, 3], PALETTE[0].tolist()], [PALETTE[12].tolist(), PALETTE[23].tolist()]]


# key points


def test_people_are_found_with_all_their_key_points() -> None:
    maps, _, people = maps_of([(80, 60), (230, 50)])
    poses = decode(maps, most=10, least_score=0.4, radius_px=20)
    assert len(poses) == 2
    for pose, person, score in zip(poses, people, (0.9, 0.8), strict=True):
        np.testing.assert_allclose(pose.points, person, atol=1e-4)
        np.testing.assert_allclose(pose.scores, score, atol=1e-6)
        assert pose.score == pytest.approx(score)


def test_the_most_and_the_least_of_people() -> None:
    maps, _, _ = maps_of([(80, 60), (230, 50)])
    assert len(decode(maps, most=1, least_score=0.4, radius_px=20)) == 1
    assert len(decode(maps, most=10, least_score=0.85, radius_px=20)) == 1
    assert decode(maps, most=10, least_score=0.95, radius_px=20) == []
    assert len(decode(maps, most=10, least_score=0.4, radius_px=1000)) == 1  # everybody is the same person


def test_pixels_go_to_the_person_they_point_to() -> None:
    size = STAGE
    maps, offsets, people = maps_of([(80, 60), (230, 50)], size)
    poses = decode(maps, most=10, least_score=0.4, radius_px=20)
    mask = np.zeros((size.height, size.width), bool)
    mask[20:200, 40:120] = mask[20:200, 190:270] = True
    labels = assign(mask, offsets, poses, fit(size, size), STRIDE, 10)
    assert (labels[~mask] == -1).all()
    assert (labels[20:200, 40:120] == 0).mean() > 0.99
    assert (labels[20:200, 190:270] == 1).mean() > 0.99
    assert (assign(mask, offsets, [], fit(size, size), STRIDE, 10) == -1).all()
    unsure = [Pose(0.5, person, np.full(17, 0.2)) for person in people]
    assert (assign(mask, offsets, unsure, fit(size, size), STRIDE, 10) == -1).all()


def test_a_vote_that_leaves_the_picture_counts_for_nobody() -> None:
    size = Size(65, 65)
    offsets = np.full((5, 5, 34), -1000, np.float32)
    pose = Pose(1.0, np.zeros((17, 2)), np.ones(17))
    labels = assign(np.ones((65, 65), bool), offsets, [pose], fit(size, size), STRIDE, 10)
    assert (labels == -1).all()


def test_everybody_has_their_own_mask_and_parts() -> None:
    size = STAGE
    maps, offsets, people = maps_of([(80, 60), (230, 50)], size)
    logits = np.where(maps.scores > 0, np.log(np.maximum(maps.scores, 1e-6) / (1 - maps.scores)), UNSURE)
    segments = np.full((16, 21, 1), UNSURE, np.float32)
    segments[2:13, 3:8] = segments[2:13, 12:17] = SURE
    parts = np.zeros((16, 21, 24), np.float32)
    parts[:, :10, 12], parts[:, 10:, 13] = 1, 1
    found = Found(
        "bodypix:test",
        {
            "segments": segments, "part_heatmaps": parts, "heatmaps": logits.astype(np.float32),
            "short_offsets": maps.offsets, "long_offsets": offsets,
            "displacement_fwd": maps.forward, "displacement_bwd": maps.backward,
        },
        fit(Size(642, 482), size), STRIDE, 0.7,
    )  # fmt: skip
    first, second = found.people()
    np.testing.assert_allclose(first.pose.points, people[0] * 2, atol=0.5)
    assert not (first.mask & second.mask).any()
    assert ((first.mask | second.mask) == found.mask()).mean() > 0.99
    assert set(np.unique(first.parts)) == {-1, 12}
    assert set(np.unique(second.parts)) == {-1, 13}
    assert np.array_equal(first.parts >= 0, first.mask)
    assert found.people(least_person=0.85) == [] or len(found.people(least_person=0.85)) == 1
    picture = people_picture([first, second], Size(642, 482))
    assert len({tuple(c) for c in picture.reshape(-1, 3).tolist()}) == 4  # two people, their rims, nobody


# the room


@pytest.mark.parametrize("opacity", [0.0, 0.5, 1.0])
def test_nothing_of_the_room_passes(opacity: float, astronaut: U8) -> None:
    mask = np.zeros(astronaut.shape[:2], bool)
    mask[100:200, 150:250] = True
    colours = np.full_like(astronaut, 200)
    one = tinted(Frame.from_rgb(astronaut), mask, colours, opacity=opacity, background=(9, 8, 7)).to_rgb()
    other = tinted(
        Frame.from_rgb(np.where(mask[..., None], astronaut, 255 - astronaut)), mask, colours, opacity=opacity,
        background=(9, 8, 7),
    ).to_rgb()  # fmt: skip
    assert np.array_equal(one, other)
    assert (one[~mask] == (9, 8, 7)).all()
    expected = astronaut[mask] * (1 - opacity) + 200 * opacity
    assert np.abs(one[mask] - expected).max() <= 1
