"""`livematte label`: pictures in, a data folder out; teachers are synthetic where no weights are needed."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
import pytest

from livematte import _registry, cli
from livematte._errors import InferenceError, LivematteError, MissingExtra, OptionError, SourceError, WeightsError
from livematte._frame import Frame, Size
from livematte._matte import Matte
from livematte._weights import WeightsFile
from livematte.models._spec import ModelSpec
from livematte.training import label, matting, record, student, teachers

U8 = npt.NDArray[np.uint8]
Shared = Callable[[str], Path]

ORANGE = (240, 140, 20)
"""The colour of a person, RGB."""


class Eye:
    """A teacher that takes orange for a person; with a `flaw`, it errs in its own way."""

    size = Size(64, 48)

    def __init__(self, name: str, flaw: str | None = None) -> None:
        self.name, self.flaw = name, flaw
        self.seen = 0

    def segment(self, frame: Frame, state: Any) -> tuple[Matte, Any]:
        self.seen += 1
        if self.flaw == "fails":
            raise InferenceError("the network's output holds values that are not finite")
        red, _, blue = np.moveaxis(frame.rgb(self.size), 2, 0)
        alpha = ((red > 0.6) & (blue < 0.4)).astype(np.float32)
        if self.flaw == "blind":
            alpha[:] = 0
        if self.flaw == "upside down":
            alpha = 1 - alpha
        return Matte(alpha, frame.pts), None

    def close(self) -> None:
        pass


@pytest.fixture
def families(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> dict[str, Any]:
    """Model families `eye`, `blind`, `contrary` and `broken`, with weights in the cache of the test."""
    monkeypatch.setenv("LIVEMATTE_CACHE", str(tmp_path / "cache"))
    data = b"weights"
    folder = tmp_path / "cache" / "weights"
    folder.mkdir(parents=True)
    (folder / "eye.onnx").write_bytes(data)
    file = WeightsFile("eye.onnx", hashlib.sha256(data).hexdigest(), len(data), published=False)
    flaws = {"eye": None, "blind": "blind", "contrary": "upside down", "broken": "fails"}

    def module(name: str) -> Any:
        spec = ModelSpec(f"{name}:test", Eye.size, (file,), "Apache-2.0", name != "blind", "nowhere", "a test")
        return SimpleNamespace(SPECS={"test": spec}, create=lambda argument, **options: Eye(name, flaws[name]))

    modules = {name: module(name) for name in flaws}
    load = _registry.load
    monkeypatch.setattr(_registry, "load", lambda folder, name: modules.get(name) or load(folder, name))
    return modules


def picture(*people: tuple[int, int, int, int], size: tuple[int, int] = (120, 160)) -> U8:
    """A grey RGB picture (h, w, 3) with orange rectangles (left, top, right, bottom)."""
    rgb = np.full((*size, 3), 90, np.uint8)
    for left, top, right, bottom in people:
        rgb[top:bottom, left:right] = ORANGE
    return rgb


def write(path: Path, rgb: U8) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    assert cv2.imwrite(str(path), np.ascontiguousarray(rgb[..., ::-1]))


def grey(path: Path) -> U8:
    values = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
    assert values is not None
    assert (values.dtype, values.ndim) == (np.uint8, 2)
    return np.asarray(values, np.uint8)


PERSON = (50, 30, 100, 120)
SETTINGS = label.Settings(("eye=2", "eye"), jobs=1)


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    folder = tmp_path / "photos"
    write(folder / "one.png", picture(PERSON))
    write(folder / "two.png", picture((10, 20, 50, 110), (90, 40, 140, 120)))
    write(folder / "nobody.png", picture())
    return folder


@pytest.mark.usefixtures("families")
class TestFolder:
    def test_masks_weights_images_and_record(self, photos: Path, tmp_path: Path) -> None:
        output = tmp_path / "out"
        calls: list[tuple[int, int]] = []
        report = label.label(photos, output, SETTINGS, progress=lambda *done: calls.append(done))
        assert (report.kept, report.dropped, report.done_now) == (2, 1, 3)
        assert calls == [(0, 3), (1, 3), (2, 3), (3, 3)]
        assert sorted(p.name for p in (output / "masks").iterdir()) == ["one.png", "two.png"]
        assert sorted(p.name for p in (output / "weights").iterdir()) == ["one.png", "two.png"]
        assert (output / "images" / "one.png").read_bytes() == (photos / "one.png").read_bytes()
        truth = np.zeros((120, 160), bool)
        truth[30:120, 50:100] = True
        alpha = grey(output / "masks" / "one.png")
        assert ((alpha > 127) == truth).mean() > 0.98
        assert grey(output / "weights" / "one.png").min() > 250
        kept = json.loads((output / "labels.json").read_text("utf-8"))
        assert (kept["kept"], kept["dropped"], kept["teachers_commercial"]) == (2, 1, True)
        assert [t["sha256"] for t in kept["teachers"]] == [hashlib.sha256(b"weights").hexdigest()] * 2
        outcomes = {p["image"]: p for p in kept["pictures"]}
        assert outcomes["nobody.png"]["dropped"] == "nobody was found"
        assert outcomes["one.png"]["area"] == pytest.approx(truth.mean(), rel=0.05)
        assert not list(output.rglob(".*"))

    def test_a_student_settles_what_the_teachers_doubt(
        self, families: dict[str, Any], photos: Path, tmp_path: Path
    ) -> None:
        """One teacher sees the person, one sees nobody there: a doubt of which nothing is asked, until a student is."""
        teachers_ = ("eye", "blind")
        doubting = label.label(photos, tmp_path / "doubting", label.Settings(teachers_, agreement=0, jobs=1))
        settings = label.Settings(teachers_, jobs=1, students=("eye", "eye"))
        settled = label.label(photos, tmp_path / "settled", settings)
        assert settled.kept == doubting.kept == 2  # as for agreement, the student decides
        person = np.zeros((120, 160), bool)
        person[34:116, 54:96] = True
        for name, least in (("doubting", 0), ("settled", 140)):
            assert grey(tmp_path / name / "weights" / "one.png")[person].max() <= (20 if not least else 255)
            assert grey(tmp_path / name / "weights" / "one.png")[person].min() >= least
        assert ((grey(tmp_path / "settled" / "masks" / "one.png")[person]) > 240).all()
        record_ = json.loads((tmp_path / "settled" / "labels.json").read_text("utf-8"))
        assert [student["name"] for student in record_["students"]] == ["eye:test"] * 2
        assert record_["teachers_commercial"] is False  # `blind` is not
        with pytest.raises(OptionError, match="students"):
            label.label(photos, tmp_path / "settled", label.Settings(teachers_, jobs=1))

    def test_where_teachers_are_sure_the_student_says_nothing(self, photos: Path, tmp_path: Path) -> None:
        label.label(photos, tmp_path / "alone", SETTINGS)
        label.label(photos, tmp_path / "settled", label.Settings(("eye=2", "eye"), jobs=1, students=("eye",)))
        for name in ("one.png", "two.png"):
            alone, settled = (grey(tmp_path / out / "masks" / name).astype(int) for out in ("alone", "settled"))
            assert abs(alone - settled).max() <= 1

    def test_a_picture_is_dropped_if_the_student_sees_others(self, photos: Path, tmp_path: Path) -> None:
        report = label.label(photos, tmp_path / "out", label.Settings(("eye",), jobs=1, students=("contrary",)))
        assert report.kept == 0
        assert report.outcomes["one.png"].dropped == "teachers and student see different people"

    def test_students_and_masks_exclude_each_other(self, photos: Path, tmp_path: Path) -> None:
        with pytest.raises(OptionError, match="one or the other"):
            label.label(photos, tmp_path / "out", label.Settings(("eye",), students=("eye",)), masks=photos)

    def test_a_student_of_ones_own_is_an_export(self, photos: Path, tmp_path: Path) -> None:
        net = Path(str(teachers.__file__)).parents[1] / "models" / "weights" / "fast" / "model.json"
        (described,) = student.describe([f"custom:{net}"])
        assert (described["commercial"], len(described["files"])) == (True, 6 // 2)
        with pytest.raises(OptionError, match=r"custom:EXPORT/model\.json"):
            student.describe([f"custom:{net.with_suffix('.onnx')}"])

    def test_goes_on_where_it_was(self, photos: Path, tmp_path: Path) -> None:
        output = tmp_path / "out"
        label.label(photos, output, SETTINGS)
        assert label.label(photos, output, SETTINGS).done_now == 0
        (output / "masks" / "one.png").unlink()
        write(photos / "three.png", picture(PERSON))
        (photos / "two.png").unlink()
        report = label.label(photos, output, SETTINGS)
        assert report.done_now == 2
        assert set(report.outcomes) == {"one.png", "three.png", "nobody.png"}

    def test_stopped_half_way(self, photos: Path, tmp_path: Path) -> None:
        class Stop(BaseException):
            pass

        def stop(done: int, total: int) -> None:
            if done == 2:
                raise Stop

        with pytest.raises(Stop):
            label.label(photos, tmp_path / "out", SETTINGS, progress=stop)
        assert label.label(photos, tmp_path / "out", SETTINGS).done_now == 1

    def test_other_settings_do_not_mix(self, photos: Path, tmp_path: Path) -> None:
        label.label(photos, tmp_path / "out", SETTINGS)
        other = label.Settings(("eye",), agreement=0.9, jobs=1)
        with pytest.raises(OptionError, match=r"made by other settings \(teachers, agreement\): choose another folder"):
            label.label(photos, tmp_path / "out", other)
        (tmp_path / "out" / record.NAME).write_text("[]")
        with pytest.raises(OptionError, match="is no record of labels"):
            label.label(photos, tmp_path / "out", SETTINGS)

    def test_disagreement_drops_the_picture(self, photos: Path, tmp_path: Path) -> None:
        report = label.label(photos, tmp_path / "out", label.Settings(("eye=2", "contrary"), jobs=1))
        dropped = report.outcomes["one.png"].dropped
        assert dropped is not None
        assert dropped.startswith("the teachers disagree: 0.")
        assert not list((tmp_path / "out" / "masks").iterdir())

    def test_a_blind_teacher_costs_confidence(self, photos: Path, tmp_path: Path) -> None:
        label.label(photos, tmp_path / "out", label.Settings(("eye=3", "blind"), agreement=0.4, jobs=1))
        weights = grey(tmp_path / "out" / "weights" / "one.png")
        assert weights[60:100, 65:85].max() < 100
        assert weights[:20].min() > 250
        kept = json.loads((tmp_path / "out" / record.NAME).read_text("utf-8"))
        assert kept["teachers_commercial"] is False

    def test_given_masks_stay_and_passers_by_are_in_doubt(self, tmp_path: Path) -> None:
        write(tmp_path / "data" / "images" / "a.png", picture(PERSON, (115, 40, 150, 120)))
        mask = np.zeros((120, 160), np.uint8)
        mask[30:120, 50:100] = 255
        write(tmp_path / "data" / "masks" / "a.png", np.dstack([mask] * 3))
        label.label(tmp_path / "data", tmp_path / "out", SETTINGS, masks=tmp_path / "data" / "masks")
        alpha, weights = (grey(tmp_path / "out" / name / "a.png") for name in ("masks", "weights"))
        assert alpha[50:110, 60:90].min() > 240
        assert alpha[50:110, 120:145].max() < 15
        assert weights[50:110, 122:143].max() < 15
        assert weights[50:110, 60:90].min() > 240

    def test_large_pictures_keep_their_size(self, tmp_path: Path) -> None:
        write(tmp_path / "photos" / "a.png", picture((300, 200, 700, 801), size=(801, 1001)))
        label.label(tmp_path / "photos", tmp_path / "out", SETTINGS)
        alpha, weights = (grey(tmp_path / "out" / name / "a.png") for name in ("masks", "weights"))
        assert alpha.shape == weights.shape == (801, 1001)
        assert alpha[300:700, 350:650].min() > 240
        assert alpha[:150].max() < 15

    def test_unreadable_pictures_are_dropped_and_tried_again(self, photos: Path, tmp_path: Path) -> None:
        (photos / "broken.jpg").write_bytes(b"no picture")
        report = label.label(photos, tmp_path / "out", SETTINGS)
        assert (report.outcomes["broken.jpg"].dropped or "").startswith("unreadable: ")
        assert label.label(photos, tmp_path / "out", SETTINGS).done_now == 1

    def test_nothing_can_be_read(self, photos: Path, tmp_path: Path) -> None:
        with pytest.raises(SourceError, match=r"none of the 3 pictures in .* can be read; see .*labels\.json"):
            label.label(photos, tmp_path / "out", label.Settings(("broken",), jobs=1))


@pytest.mark.usefixtures("families")
class TestBadInput:
    @pytest.mark.parametrize(
        ("options", "message"),
        [
            ({"teachers": ()}, "at least one teacher"),
            ({"teachers": ("eye=none",)}, "a positive number, as in mediapipe:general=2; got 'eye=none'"),
            ({"teachers": ("eye=-1",)}, "a positive number"),
            ({"agreement": 1.5}, "agreement must be from 0 to 1, got 1.5"),
            ({"jobs": 0}, "jobs must be 1 or more"),
        ],
    )
    def test_settings(self, options: dict[str, Any], message: str) -> None:
        with pytest.raises(OptionError, match=message):
            label.Settings(**options)

    def test_no_folder(self, tmp_path: Path) -> None:
        with pytest.raises(OptionError, match="is no folder of pictures"):
            label.label(tmp_path / "nowhere", tmp_path / "out", SETTINGS)

    def test_no_pictures(self, tmp_path: Path) -> None:
        with pytest.raises(SourceError, match="holds no pictures"):
            label.label(tmp_path, tmp_path / "out", SETTINGS)

    @pytest.mark.parametrize("other", ["one.jpg", "ONE.jpg"])
    def test_two_pictures_of_one_stem(self, other: str, photos: Path, tmp_path: Path) -> None:
        write(photos / other, picture(PERSON))
        with pytest.raises(SourceError, match=r"(?i)one\.\w+ and one\.\w+ in .* would share one mask"):
            label.label(photos, tmp_path / "out", SETTINGS)

    def test_a_mask_is_missing_or_of_another_size(self, photos: Path, tmp_path: Path) -> None:
        with pytest.raises(SourceError, match=r"nobody\.png has no mask: expected .*nobody\.png"):
            label.label(photos, tmp_path / "out", SETTINGS, masks=tmp_path)
        for name in ("one", "two", "nobody"):
            write(tmp_path / "masks" / f"{name}.png", picture(size=(120, 160 if name == "one" else 100)))
        report = label.label(photos, tmp_path / "out", SETTINGS, masks=tmp_path / "masks")
        assert "is 100x120, its picture 160x120" in (report.outcomes["two.png"].dropped or "")

    def test_weights_that_are_not_there(self, photos: Path, tmp_path: Path) -> None:
        with pytest.raises(OptionError, match=r"--weights: .* lacks eye\.onnx, the weights of eye:test"):
            label.label(photos, tmp_path / "out", label.Settings(("eye",), weights=tmp_path, jobs=1))
        (tmp_path / "cache" / "weights" / "eye.onnx").write_bytes(b"harmed")
        with pytest.raises(WeightsError, match="SHA-256"):
            label.label(photos, tmp_path / "out", SETTINGS)

    def test_command_prints_one_line(self, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        assert cli.run(["label", str(tmp_path / "nowhere"), "-o", str(tmp_path / "out")]) == 1
        assert capsys.readouterr().err.startswith("livematte: error: ")

    def test_command_reports(self, photos: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        arguments = ["label", str(photos), "-o", str(tmp_path / "out"), "--teacher", "eye", "--jobs", "1"]
        assert cli.run([*arguments, "--json"]) == 0
        assert json.loads(capsys.readouterr().out) == {
            "kept": 2,
            "dropped": 1,
            "done_now": 3,
            "output": str(tmp_path / "out"),
        }
        assert cli.run(arguments) == 0
        assert "2 labelled, 1 dropped" in capsys.readouterr().out


# matting


def test_trimap_is_undecided_around_edges() -> None:
    alpha = np.zeros((100, 200), np.float32)
    alpha[:, 100:] = 1
    known = matting.trimap(alpha)
    assert set(np.unique(known)) == {0.0, 0.5, 1.0}
    assert np.flatnonzero(known[0] == 0.5).tolist() == list(range(98, 102))


def test_matting_without_its_package(monkeypatch: pytest.MonkeyPatch, photos: Path, tmp_path: Path) -> None:
    monkeypatch.setattr(matting, "find_spec", lambda name: None)
    with pytest.raises(MissingExtra, match=r'pip install "livematte\[label\]"'):
        label.label(photos, tmp_path / "out", label.Settings(matting=True))


def test_matting_solves_the_band() -> None:
    pytest.importorskip("pymatting", reason="pymatting is not installed: pip install '.[label]'")
    rgb = picture((20, 10, 44, 48), size=(48, 64))
    alpha = np.zeros((48, 64), np.float32)
    alpha[9:48, 21:45] = 1  # a pixel off
    solved = matting.closed_form(rgb, alpha)
    truth = (rgb[..., 0] > 200).astype(np.float32)
    assert np.abs(solved - truth).mean() < np.abs(alpha - truth).mean() / 2
    assert np.array_equal(matting.closed_form(rgb, np.zeros_like(alpha)), np.zeros_like(alpha))


# the real teachers


@pytest.fixture
def shared_weights(shared: Shared) -> Path:
    for text in teachers.TEACHERS:
        name, _ = teachers.parse_teacher(text)
        family, tag = _registry.split(name)
        shared(f"weights/{_registry.load('models', family).SPECS[tag].files[0].path}")
    return shared("weights")


def test_portrait_in_two_processes(shared_weights: Path, astronaut: U8, tmp_path: Path) -> None:
    write(tmp_path / "photos" / "a.png", astronaut)
    write(tmp_path / "photos" / "b.png", np.ascontiguousarray(astronaut[::2, ::2]))
    settings = label.Settings(weights=shared_weights, jobs=2)
    report = label.label(tmp_path / "photos", tmp_path / "out", settings)
    assert report.kept == 2
    for name, outcome in report.outcomes.items():
        assert outcome.agreement > 0.8
        alpha = grey(tmp_path / "out" / "masks" / name)
        height, width = alpha.shape
        assert alpha[round(height * 0.2), round(width * 0.43)] > 240
        assert alpha[: height // 8, -width // 8 :].max() < 15
    assert json.loads((tmp_path / "out" / record.NAME).read_text("utf-8"))["teachers_commercial"] is True


def test_no_teacher_without_weights(photos: Path, tmp_path: Path) -> None:
    with pytest.raises(LivematteError, match=r"run `livematte models pull mediapipe:general` or pass --weights DIR$"):
        label.label(photos, tmp_path / "out")
