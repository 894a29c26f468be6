"""Clips that are made: their alpha is true, their motion is as told, and a wrong matte scores worse."""

from __future__ import annotations

import itertools
import json
import weakref
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import cv2
import numpy as np
import pytest

from livematte import cli
from livematte._errors import OpenError, OptionError
from livematte._frame import Size
from livematte.evaluation import cutout, datasets, motion, score
from livematte.evaluation.motion import END, MOTIONS, START, MotionClip

SIZE = Size(320, 180)
FRAMES = 24


@pytest.fixture
def clip(people: Path, tmp_path: Path) -> Callable[..., MotionClip]:
    """`clip("slide-9")`: the figure before a grey wall."""
    cv2.imwrite(str(tmp_path / "wall.png"), np.full((90, 160, 3), 128, np.uint8))
    (person, *_) = datasets.find(people)

    def make(name: str, frames: int = FRAMES, seed: int = 1) -> MotionClip:
        return MotionClip(name, person, tmp_path / "wall.png", None, name, SIZE, frames, seed)

    return make


def centre(alpha: np.ndarray) -> float:
    """Column of the centre of gravity."""
    return float((alpha.sum(axis=0) * np.arange(alpha.shape[1])).sum() / alpha.sum())


@pytest.mark.parametrize("name", MOTIONS)
def test_people_move_as_is_known(name: str, clip: Callable[..., MotionClip]) -> None:
    columns = [centre(alpha[: SIZE.height // 2]) for _, alpha in clip(name).read(1280)]
    times = [min(max(0, index - START), FRAMES - START - END) for index in range(FRAMES)]
    scale = SIZE.width / motion.DRAWN_AT
    expected = [scale * (MOTIONS[name](time)[0] - MOTIONS[name](0)[0]) for time in times]
    moved = np.subtract(columns, columns[0])
    side = 1 if np.dot(moved, expected) > 0 else -1
    # a nod lets other rows into the upper half: not more than a pixel's worth
    assert np.allclose(side * moved, expected, atol=1.0 if "sway" in name else 0.02)
    assert np.ptp(moved) > 2
    assert columns[0] == columns[START] != columns[START + 1]
    assert len(set(columns[-END:])) == 1


def test_stop_and_go_has_phases_of_rest() -> None:
    places = [motion.stop_and_go(10, 5)(time)[0] for time in range(21)]
    assert np.diff(places).tolist() == ([10] * 5 + [0] * 5) * 2


def test_slides_turn_round_and_stay_in_the_picture() -> None:
    reach = motion.WANDER * motion.DRAWN_AT
    places = np.array([motion.slide(20)(time)[0] for time in range(400)])
    assert places[0] == -reach
    assert np.abs(places).max() <= reach
    assert np.ptp(places) > 2 * reach - 20
    assert np.abs(np.diff(places)).max() == pytest.approx(20)


def test_the_frame_is_alpha_of_the_figure_and_the_rest_of_the_room(clip: Callable[..., MotionClip]) -> None:
    cut = cutout.cut_out(datasets.find(clip("slide-9").person.image.parents[1])[0], SIZE, 0.8)
    assert cut is not None
    painted = cutout.Figure(np.full_like(cut.rgb, (255, 0, 0)), cut.alpha, cut.cut)
    room = np.full((SIZE.height, SIZE.width, 3), (0, 0, 255), np.uint8)
    scene = painted.over(room, 10.3, 0)
    picture, alpha = scene.rgb, scene.alpha
    assert np.abs(picture[..., 0] - 255 * alpha).max() <= 0.51
    assert np.abs(picture[..., 2] - 255 * (1 - alpha)).max() <= 0.51
    assert 0 < np.count_nonzero((alpha > 0.1) & (alpha < 0.9)) < 0.05 * alpha.size
    assert (scene.foreground[alpha > 0] == (255, 0, 0)).all()
    assert (room == (0, 0, 255)).all()


def test_where_nobody_is_there_is_the_room_and_a_little_noise(clip: Callable[..., MotionClip]) -> None:
    frames = list(clip("slide-9").read(1280))
    rooms = [frame.to_rgb()[..., 1][alpha == 0].astype(float) for frame, alpha in frames]
    assert all(abs(room.mean() - 128) < 0.5 for room in rooms)
    luma = [frame.planes[0].astype(float) for frame, _ in frames]
    noise = np.std((luma[1] - luma[0])[frames[0][1] == 0])
    # that of two frames, rounded on the way
    assert noise == pytest.approx(motion.NOISE * np.sqrt(2), abs=0.2)


def test_the_same_seed_makes_the_same_clip_and_another_does_not(clip: Callable[..., MotionClip]) -> None:
    def pixels(seed: int) -> list[bytes]:
        return [frame.planes[0].tobytes() + alpha.tobytes() for frame, alpha in clip("sway-40", seed=seed).read(1280)]

    assert pixels(1) == pixels(1)
    assert not set(pixels(1)) & set(pixels(2))


def test_memory_does_not_grow_with_the_clip(clip: Callable[..., MotionClip]) -> None:
    alive: list[weakref.ref] = []
    for _, alpha in itertools.islice(clip("slide-3", frames=1_000_000).read(1280), 60):
        alive = [ref for ref in alive if ref() is not None]
        assert len(alive) <= 1
        alive.append(weakref.ref(alpha))
    assert datasets.frames([clip("slide-3", frames=1_000_000)]) == 1_000_000


def test_clips_are_scored_at_the_side_asked_for(clip: Callable[..., MotionClip]) -> None:
    frame, alpha = next(clip("slide-3").read(160))
    assert frame.size == (160, 90)
    assert alpha.shape == (90, 160)


def picture(folder: Path, mask: np.ndarray, rgb: np.ndarray | None = None) -> datasets.Picture:
    for name, pixels in (("images", np.full((*mask.shape, 3), 90, np.uint8) if rgb is None else rgb), ("masks", mask)):
        (folder / name).mkdir(exist_ok=True, parents=True)
        assert cv2.imwrite(str(folder / name / "a.png"), pixels)
    return datasets.Picture("a", folder / "images/a.png", folder / "masks/a.png")


def block(top: int = 20, left: int = 60, bottom: int = 100, right: int = 100) -> np.ndarray:
    mask = np.zeros((100, 160), np.uint8)
    mask[top:bottom, left:right] = 255
    return mask


def test_one_bit_masks_get_an_edge_of_a_pixel_and_soft_ones_keep_theirs(tmp_path: Path) -> None:
    hard = cutout.cut_out(picture(tmp_path, block()), Size(160, 80), 1.0)
    assert hard is not None
    row = hard.alpha[40]
    profile = row[(row > 0.001) & (row < 0.999)]
    # left and right, each as a Gaussian of a pixel makes it: 2 to 3 pixels on both sides of the edge
    assert 8 <= len(profile) <= 14
    assert row.sum() == pytest.approx(40, abs=0.05)
    soft = cv2.blur(block(bottom=90), (9, 9))
    kept = cutout.cut_out(picture(tmp_path, soft), Size(160, 78), 1.0)
    assert kept is not None
    assert sorted(set(kept.alpha[40].tolist())) == sorted(set((soft[50] / np.float32(255)).tolist()))


def test_the_rim_shows_no_old_background(tmp_path: Path) -> None:
    mask = block()
    rgb = np.where(cv2.erode(mask, np.ones((3, 3), np.uint8))[..., None] > 0, (30, 30, 200), (0, 255, 0))
    figure = cutout.cut_out(picture(tmp_path, mask, rgb.astype(np.uint8)), Size(160, 80), 1.0)
    assert figure is not None
    seen = figure.rgb[figure.alpha > 0.02].astype(int)
    assert seen[:, 1].max() < 60
    assert seen[:, 0].min() > 150


@pytest.mark.parametrize(
    "mask",
    [block(bottom=20), block(top=60), block(left=0), block(right=160), block(top=0)],
    ids=["nobody", "too small", "cut off left", "cut off right", "cut off above"],
)
def test_who_is_not_whole_or_too_small_is_not_taken(mask: np.ndarray, tmp_path: Path) -> None:
    # enlarged by 1.6 a block of 40 pixels is 64 of 160 pixels high, less than 0.55 of them
    assert cutout.cut_out(picture(tmp_path, mask), Size(284, 160), 0.9) is None


@pytest.mark.parametrize(("left", "right", "beside"), [(90, 150, "left"), (10, 60, "right")])
def test_backgrounds_are_parts_without_people(left: int, right: int, beside: str) -> None:
    truth = block(top=0, left=left, right=right).astype(np.float32) / 255
    part = cutout.free_part(truth, Size(160, 90))
    assert part is not None
    x, y, end, bottom = part
    assert truth[y:bottom, x:end].max() == 0
    assert (end <= left) if beside == "left" else (x >= right)
    assert (end - x) / (bottom - y) == pytest.approx(16 / 9, rel=0.05)
    assert end - x > 60


def test_no_part_without_people_is_none() -> None:
    assert cutout.free_part(block(top=0, left=20, right=140).astype(np.float32), Size(320, 180)) is None


def test_clips_of_a_folder(people: Path) -> None:
    clips = datasets.find(f"motion:{people},160x90*20")
    assert [clip.motion for clip in clips] == list(MOTIONS) * 2
    assert {(clip.size, clip.frames) for clip in clips} == {((160, 90), 20)}
    assert len({clip.name for clip in clips}) == 12
    for clip in clips:
        assert clip.background != clip.person.image
        assert clip.hidden is not None
    assert datasets.find(f"motion:{people},160x90*20", 3) == clips[:3]


def test_clips_before_pictures_of_a_folder(people: Path, tmp_path: Path) -> None:
    for name in "ab":
        cv2.imwrite(str(tmp_path / f"{name}.png"), np.full((50, 40, 3), 77, np.uint8))
    clips = datasets.find(f"motion:{people},{tmp_path},160x90*20", 4)
    assert {clip.background.parent for clip in clips} == {tmp_path}
    assert {clip.hidden for clip in clips} == {None}
    frame, alpha = next(clips[0].read(1280))
    assert abs(frame.to_rgb()[alpha == 0].mean() - 77) < 2


def bad_folders(tmp_path: Path) -> dict[str, Callable[[], str]]:
    def filled() -> str:
        picture(tmp_path, block(top=0, left=20, right=140))
        return f"motion:{tmp_path},160x90"

    def crowded() -> str:
        picture(tmp_path, block(left=30, right=130))
        return f"motion:{tmp_path},160x90"

    def clips() -> str:
        for name in ("clips/a", "alphas/a"):
            (tmp_path / name).mkdir(parents=True)
        return f"motion:{tmp_path}"

    return {
        "no picture in .* shows people whole": filled,
        "name a folder of backgrounds": crowded,
        "holds clips": clips,
        "there is no folder or video": lambda: f"motion:{tmp_path}/none",
    }


@pytest.mark.parametrize("message", bad_folders(Path()))
def test_folders_that_do_not_do_are_refused(message: str, tmp_path: Path) -> None:
    spec = bad_folders(tmp_path)[message]()
    with pytest.raises(OpenError, match=message):
        datasets.find(spec)


@pytest.mark.parametrize(
    ("argument", "message"),
    [
        ("", "motion takes a folder"),
        (",rooms", "motion takes a folder"),
        ("a,b,c", "motion takes a folder"),
        ("a,8x8", "64x64 to"),
        ("a,160x90*12", "more than 12 frames"),
    ],
)
def test_spellings_that_mean_nothing_are_refused(argument: str, message: str) -> None:
    with pytest.raises(OptionError, match=message):
        datasets.find(f"motion:{argument}")


def test_a_late_matte_trails_and_a_narrow_one_does_not(clip: Callable[..., MotionClip]) -> None:
    truths = [alpha for _, alpha in clip("slide-20").read(1280)]
    kernel = np.ones((5, 5), np.uint8)

    def told(alphas: list[np.ndarray]) -> SimpleNamespace:
        alpha = iter(alphas)
        return SimpleNamespace(name="told", engine="none", weights=None, matte=lambda frame, stream=None: next(alpha))

    mattes = {
        "exact": truths,
        "late": truths[:1] + truths[:-1],
        "later": truths[:1] * 3 + truths[:-3],
        "narrow": [cv2.erode(alpha, kernel) for alpha in truths],
    }
    results = score.evaluate([clip("slide-20")], [told(alphas) for alphas in mattes.values()], side_px=1280)
    scores = {name: result.clips[0][1].scores() for name, result in zip(mattes, results, strict=True)}
    assert scores["exact"]["trailing"] == scores["exact"]["dtssd"] == scores["exact"]["mad"] == 0
    assert scores["exact"]["boundary_f"] == 1
    assert scores["narrow"]["trailing"] == 0 < scores["narrow"]["mad"]
    # 5 and 15 pixels at this size, but slanting edges are longer than they are high, and soft ones begin further in
    assert 1 < scores["late"]["trailing"] < 5
    assert 3 * scores["late"]["trailing"] < scores["later"]["trailing"] < 15


def test_the_command_scores_made_clips(livematte: Callable, people: Path) -> None:
    code, out, err = livematte(
        "evaluate", "--data", f"motion:{people},160x90*30", "--data", "synthetic:96x64*8", "--limit", 2, "--json"
    )
    assert (code, err) == (0, "")
    figures = json.loads(out)
    clips = figures["models"][0]["clips"]
    assert [clip["frames"] for clip in clips] == [30, 30, 8]
    assert clips[2]["name"] == "synthetic:96x64*8"
    assert all(set(clip) >= {"trailing", "dtssd", "flicker", "boundary_f"} for clip in clips[:2])
    assert figures["scale"]["trailing"] == 1


def test_the_command_names_what_is_wrong(livematte: Callable) -> None:
    for data, message in (("motion:", "motion takes a folder"), ("synthetic:big", "synthetic takes a size")):
        code, out, err = livematte("evaluate", "--data", data)
        assert (code, out) == (cli.FAILED, "")
        assert message in err
