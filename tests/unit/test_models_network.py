"""Networks of one picture: what each is shown, and how its scores are read."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from livematte._errors import LoadError, OptionError, UnknownName
from livematte._frame import Frame, Size
from livematte.engines import Tensor
from livematte.models import deeplabv3, mediapipe
from livematte.models._logits import by_area, stretch
from livematte.models._network import IMAGENET, NetworkSegmenter, Picture, Scores
from livematte.models._spec import choose

F32 = npt.NDArray[np.float32]


class Recorder:
    """An engine that keeps what it is given and answers what it is told to."""

    name = "recorder"

    def __init__(self, given: Sequence[int], *answers: F32, names: Sequence[str] = ()) -> None:
        self.inputs = (Tensor("x", tuple(given)),)
        self.outputs = tuple(
            Tensor(name, answer.shape)
            for name, answer in zip(names or [f"y{n}" for n in range(len(answers))], answers, strict=True)
        )
        self.answers, self.seen, self.closed = answers, [], False

    def run(self, inputs: Sequence[F32]) -> list[F32]:
        self.seen.append(inputs[0].copy())
        return [answer.copy() for answer in self.answers]

    def close(self) -> None:
        self.closed = True


def picture(height: int = 6, width: int = 8) -> Frame:
    return Frame.from_rgb(np.random.default_rng(3).integers(0, 256, (height, width, 3), np.uint8))


def shown(wants: Picture, frame: Frame, *, planar: bool = True, side: tuple[int, int] = (6, 8)) -> F32:
    shape = (1, 3, *side) if planar else (1, *side, 3)
    engine = Recorder(shape, np.zeros((1, 1, *side), np.float32))
    NetworkSegmenter("test", engine, None, picture=wants).segment(frame, None)
    seen: F32 = engine.seen[0][0]
    return seen if planar else seen.transpose(2, 0, 1)


@pytest.mark.parametrize("planar", [True, False])
def test_colours_are_normalised_in_the_networks_order(planar: bool) -> None:
    frame = picture()
    rgb = frame.to_rgb().transpose(2, 0, 1) / 255
    wants = Picture((0.1, 0.2, 0.3), (0.5, 0.6, 0.7))
    expected = (rgb - np.array(wants.mean)[:, None, None]) / np.array(wants.std)[:, None, None]
    assert np.abs(shown(wants, frame, planar=planar) - expected).max() < 1e-5
    backwards = shown(Picture(wants.mean, wants.std, bgr=True), frame, planar=planar)
    assert np.abs(backwards - expected[::-1]).max() < 1e-5


def test_colours_over_the_brightest() -> None:
    dark = Frame.from_rgb(np.full((6, 8, 3), 51, np.uint8))
    assert np.allclose(shown(Picture(by_brightest=True), dark), 1)
    assert np.allclose(shown(Picture(by_brightest=True), Frame.from_rgb(np.zeros((6, 8, 3), np.uint8))), 0)


def test_a_picture_that_keeps_its_aspect_fills_the_left_or_the_top() -> None:
    white = np.full((4, 8, 3), 255, np.uint8)
    wide = shown(Picture(keep_aspect=True), Frame.from_rgb(white), side=(8, 8))
    assert (wide[:, :4] == 1).all()
    assert (wide[:, 4:] == 0).all()
    upright = shown(Picture((0.5,) * 3, keep_aspect=True), Frame.from_rgb(white.transpose(1, 0, 2).copy()), side=(8, 8))
    assert (upright[..., :4] == 0.5).all()
    assert (upright[..., 4:] == 0).all()  # padding is 0 after the normalisation


def test_the_alpha_is_that_of_the_part_the_frame_fills() -> None:
    answer = np.zeros((1, 1, 8, 8), np.float32)
    answer[..., :4, 4:] = 1
    engine = Recorder((1, 3, 8, 8), answer)
    segmenter = NetworkSegmenter("test", engine, None, picture=Picture(keep_aspect=True))
    alpha = segmenter.segment(picture(4, 8), None)[0].alpha
    assert alpha.shape == (8, 8)
    assert (alpha[:, 5:] == 1).all()
    assert (alpha[:, :3] == 0).all()


def test_softmax_of_several_classes_is_their_sum() -> None:
    logits = np.random.default_rng(1).normal(0, 30, (1, 5, 6, 8)).astype(np.float32)
    names = ("background", "a", "b", "c", "d")
    scores = Scores(names, ("a", "d"), "softmax")
    engine = Recorder((1, 3, 6, 8), logits)
    segmenter = NetworkSegmenter("test", engine, Size(8, 6), picture=IMAGENET, scores=scores)
    alpha = segmenter.segment(picture(), None)[0].alpha
    exp = np.exp(logits[0].astype(np.float64) - logits[0].max(axis=0))
    assert np.abs(alpha - (exp / exp.sum(axis=0))[[1, 4]].sum(axis=0)).max() < 1e-5
    assert np.array_equal(segmenter.labels(picture()), logits[0].argmax(axis=0))


def test_all_classes_are_everything() -> None:
    scores = Scores(("a", "b"), ("a", "b"), "softmax")
    engine = Recorder((1, 3, 6, 8), np.zeros((1, 2, 6, 8), np.float32))
    segmenter = NetworkSegmenter("test", engine, None, picture=Picture(), scores=scores)
    assert (segmenter.segment(picture(), None)[0].alpha == 1).all()


@pytest.mark.parametrize("layout", ["first", "last"])
def test_scores_in_either_layout(layout: str) -> None:
    maps = np.random.default_rng(2).random((2, 6, 8), np.float32)
    answer = maps[None] if layout == "first" else maps.transpose(1, 2, 0)[None]
    engine = Recorder((1, 3, 6, 8), np.ascontiguousarray(answer))
    scores = Scores(("background", "person"))
    segmenter = NetworkSegmenter("test", engine, None, picture=Picture(), scores=scores)
    assert np.array_equal(segmenter.segment(picture(), None)[0].alpha, maps[1])


@pytest.mark.parametrize("planar", [True, False])
def test_of_several_outputs_that_with_a_channel_for_each_class_counts(planar: bool) -> None:
    """The grid has as many rows as there are classes, so that the layout has to tell."""
    maps = [np.random.default_rng(seed).random((channels, 2, 3), np.float32) for seed, channels in ((1, 34), (2, 2))]
    answers = [made[None] if planar else np.ascontiguousarray(made.transpose(1, 2, 0))[None] for made in maps]
    engine = Recorder((1, 3, 2, 3) if planar else (1, 2, 3, 3), *answers)
    scores = Scores(("background", "person"))
    segmenter = NetworkSegmenter("test", engine, Size(3, 2), picture=Picture(), scores=scores)
    assert np.array_equal(segmenter.segment(picture(), None)[0].alpha, maps[1][1])


def test_labels_of_a_coarse_grid_are_the_likeliest_class() -> None:
    logits = np.random.default_rng(4).normal(0, 3, (1, 5, 3, 4)).astype(np.float32)
    names = ("background", "a", "b", "c", "d")
    engine = Recorder((1, 3, 9, 16), logits)
    segmenter = NetworkSegmenter("test", engine, None, picture=Picture(), scores=Scores(names, ("a",)))
    expected = stretch(logits[0], by_area(3, 9), by_area(4, 16)).argmax(axis=0)
    labels = segmenter.labels(picture())
    assert labels.dtype == np.int64
    assert np.array_equal(labels, expected)
    assert set(np.unique(labels)) == set(range(5))


def test_coarse_scores_have_their_corners_where_the_network_has_them() -> None:
    answer = np.zeros((1, 1, 2, 2), np.float32)
    answer[..., 1] = 1

    def alpha(corners: bool) -> F32:
        engine = Recorder((1, 3, 5, 5), answer)
        scores = Scores(corners=corners)
        return (
            NetworkSegmenter("test", engine, None, picture=Picture(), scores=scores).segment(picture(), None)[0].alpha
        )

    assert np.allclose(alpha(True)[2], [0, 0.25, 0.5, 0.75, 1])
    assert np.allclose(alpha(False)[2], [0, 0.1, 0.5, 0.9, 1])


def test_a_named_output_is_taken_where_there_is_one() -> None:
    answers = [np.full((1, 1, 6, 8), value, np.float32) for value in (0.25, 0.75)]
    for name, value in (("d0", 0.75), ("gone", 0.25)):
        engine = Recorder((1, 3, 6, 8), *answers, names=("first", "d0"))
        segmenter = NetworkSegmenter("test", engine, None, picture=Picture(), scores=Scores(output=name))
        assert (segmenter.segment(picture(), None)[0].alpha == value).all()


@pytest.mark.parametrize(
    ("given", "answer", "size", "reason"),
    [
        ((1, 4, 6, 8), (1, 1, 6, 8), None, "one input"),
        ((1, 3, 6, 8), (1, 2, 6, 8), None, "1 channels"),
        ((1, 3, 6, 8), (1, 1, 6, 8), Size(6, 8), "of another model"),
    ],
)
def test_graphs_of_another_kind_are_refused(
    given: tuple[int, ...], answer: tuple[int, ...], size: Size | None, reason: str
) -> None:
    engine = Recorder(given, np.zeros(answer, np.float32))
    with pytest.raises(LoadError, match=reason):
        NetworkSegmenter("test", engine, size, picture=Picture())
    assert engine.closed


def test_scores_that_mean_nothing_are_refused() -> None:
    with pytest.raises(OptionError, match="among"):
        Scores(("background", "person"), ("dog",))
    with pytest.raises(OptionError, match="activation"):
        Scores(activation="tanh")


# classes by name


def test_classes_follow_the_tag() -> None:
    spec, name, stay = choose(deeplabv3.SPECS, "deeplabv3", "voc:Dining table, dog,dog")
    assert (spec.name, name, stay) == (
        "deeplabv3:voc", "deeplabv3:voc:dining-table,dog", ("dining-table", "dog"),
    )  # fmt: skip
    assert choose(deeplabv3.SPECS, "deeplabv3", ":cat")[1:] == ("deeplabv3:voc:cat", ("cat",))
    assert choose(deeplabv3.SPECS, "deeplabv3", None)[2] == ("person",)
    assert choose(mediapipe.SPECS, "mediapipe", "multiclass:hair")[2] == ("hair",)


@pytest.mark.parametrize(
    ("specs", "argument", "message"),
    [
        (deeplabv3.SPECS, "voc:persn", "did you mean person"),
        (deeplabv3.SPECS, "voc:", "no class ''"),
        (deeplabv3.SPECS, "coco:person", "there are: deeplabv3:voc"),
        (mediapipe.SPECS, "landscape:hair", "tells no classes apart"),
    ],
)
def test_unknown_classes_are_answered_with_the_list(specs: Any, argument: str, message: str) -> None:
    with pytest.raises(UnknownName, match=message):
        choose(specs, "family", argument)


def test_class_names_are_as_many_as_channels() -> None:
    assert [len(spec.classes) for spec in deeplabv3.SPECS.values()] == [21, 21, 151]
    for spec in deeplabv3.SPECS.values():
        assert len(set(spec.classes)) == len(spec.classes)
        assert spec.classes[0] == "background"
    assert deeplabv3.SPECS["ade20k"].classes[13] == "person"  # the 13th of the 150, from 1
