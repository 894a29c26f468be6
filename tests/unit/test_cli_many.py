"""The command line with many files, and with others at work in the same place."""

from __future__ import annotations

import contextlib
import errno
import json
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest

from livematte import LivematteError, _registry, cli
from livematte.cli import _job

CLIP = "synthetic:96x64@25*2"


@pytest.mark.parametrize("leave", [(), ("-y",)])
def test_a_name_that_another_job_takes_meanwhile(
    leave: tuple[str, ...], livematte: Callable, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "out.mp4"

    @contextmanager
    def progress(label: str, frames: int | None) -> Iterator[Callable]:
        yield lambda stats: out.write_bytes(b"theirs")

    monkeypatch.setattr(_job, "progress", progress)
    code, _, err = livematte("blur", CLIP, "-o", out, *leave)
    if leave:
        assert (code, err) == (0, "")
        assert out.read_bytes() != b"theirs"
        assert [path.name for path in tmp_path.iterdir()] == ["out.mp4"]
        return
    assert code == cli.FAILED
    assert err.endswith(f"what was finished here is in {tmp_path / 'out-2.mp4'}\n")
    assert out.read_bytes() == b"theirs"
    assert (tmp_path / "out-2.mp4").stat().st_size > 1000


@pytest.fixture
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with two short videos and two pictures, in which the commands are run."""
    import cv2

    from livematte._pipeline import run
    from livematte._session import build_stages
    from livematte.effects.off import Off
    from livematte.sinks import open_sink
    from livematte.sources import open_source

    monkeypatch.chdir(tmp_path)
    source = open_source(CLIP)
    run(source, build_stages(effect=Off()), open_sink("a.mp4", source_info=source.info))
    Path("b.MOV").write_bytes(Path("a.mp4").read_bytes())
    for name in ("c.jpg", "d.bmp"):
        cv2.imwrite(name, np.full((48, 64, 3), 90, np.uint8))
    return tmp_path


def names(folder: str) -> list[str]:
    return sorted(path.name for path in Path(folder).iterdir())


@pytest.mark.parametrize(
    ("words", "made"),
    [
        (["blur"], ["a.mp4", "b.MOV", "c.jpg", "d.png"]),
        (["replace", "--with", "color:blue"], ["a.mp4", "b.MOV", "c.jpg", "d.png"]),
        (["remove"], ["a.mov", "b.MOV", "c.png", "d.png"]),
        (["matte"], ["a.mp4", "b.MOV", "c.png", "d.png"]),
    ],
)
def test_many_inputs_become_files_of_the_same_names(
    words: list[str], made: list[str], files: Path, livematte: Callable, monkeypatch: pytest.MonkeyPatch
) -> None:
    loaded = []
    create = _registry.create
    monkeypatch.setattr(_registry, "create", lambda kind, *a, **k: loaded.append(kind) or create(kind, *a, **k))
    assert livematte(words[0], "a.mp4", "b.MOV", "c.jpg", "d.bmp", "-o", "out/", *words[1:]) == (0, "", "")
    assert names("out") == made
    assert loaded.count("models") == 1


@pytest.mark.parametrize("there", [True, False])
def test_one_input_into_a_folder_keeps_its_name(there: bool, files: Path, livematte: Callable) -> None:
    if there:
        Path("out").mkdir()
        Path("out/mine.txt").touch()
    assert livematte("blur", "a.mp4", "-o", "out" if there else "out/") == (0, "", "")
    assert names("out") == (["a.mp4", "mine.txt"] if there else ["a.mp4"])


@pytest.mark.parametrize("output", ["out/%05d.png", "folder:out"])
def test_frames_only_where_they_are_asked_for(output: str, files: Path, livematte: Callable) -> None:
    assert livematte("blur", "a.mp4", "-o", output) == (0, "", "")
    assert names("out") == ["00001.png", "00002.png"]


def test_photos_of_a_folder_keep_their_names(files: Path, livematte: Callable) -> None:
    Path("photos").mkdir()
    Path("c.jpg").rename("photos/alice.jpg")
    Path("d.bmp").rename("photos/bob.bmp")
    assert livematte("blur", "photos/", "-o", "one/") == (0, "", "")
    assert names("one") == ["alice.jpg", "bob.png"]
    assert livematte("blur", "photos", "a.mp4", "-o", "two/") == (0, "", "")
    assert names("two") == ["a.mp4", "photos"]
    assert names("two/photos") == ["alice.jpg", "bob.png"]
    (files / "photos/alice.png").touch()
    code, _, err = livematte("blur", "photos/", "-o", "three/")
    assert (code, Path("three").exists()) == (cli.FAILED, False)
    assert err.startswith("livematte: error: alice.jpg and alice.png might both become alice.png; rename")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["a.mp4", "c.jpg", "-o", "out.mp4"], "2 inputs want a folder as their output, as in -o out/; got out.mp4"),
        (["a.mp4", "c.jpg", "-o", "-"], "2 inputs want a folder"),
        (["a.mp4", "x/A.mp4", "-o", "out/"], "a.mp4 and x/A.mp4 would both become out/A.mp4; rename"),
        (["a.mp4", "a.mp4", "-o", "out/"], "a.mp4 and a.mp4 would both become"),
        (["a.mp4", "-", "-o", "out/"], "- has no name for its output to take"),
        (["a.mp4", "camera:0", "-o", "out/"], "camera:0 is live"),
        (["a.mp4", "-o", "out.mp4", "--format", "rgb24:64x48@25"], "--format says what a pipe carries, and neither"),
        (["a.mp4", "c.jpg", "-o", "no/out/"], "no does not exist; make it first"),
        (["a.mp4", "c.jpg", "-o", "out/", "--model", "nobody"], "no model is called 'nobody'"),
    ],
)
def test_what_cannot_be_is_said_before_any_work(
    words: list[str], message: str, files: Path, livematte: Callable
) -> None:
    before = names(".")
    code, out, err = livematte("blur", *words)
    assert (code, out, err.count("\n")) == (cli.FAILED, "", 1)
    assert message in err
    assert names(".") == before


def test_one_that_fails_does_not_stop_the_others(files: Path, livematte: Callable) -> None:
    Path("b.MOV").write_bytes(b"no video")
    Path("out").mkdir()
    Path("out/c.jpg").write_bytes(b"mine")
    code, out, err = livematte("blur", "b.MOV", "a.mp4", "c.jpg", "no.png", "d.bmp", "-o", "out", "--json")
    first, second, third, last = err.splitlines()
    assert code == cli.FAILED
    assert first.startswith("livematte: error: b.MOV: ")
    assert second.startswith("livematte: error: c.jpg: out/c.jpg exists; choose another name, or pass -y")
    assert third.startswith("livematte: error: no.png: ")
    assert last == "livematte: error: 3 of 5 inputs failed: b.MOV, c.jpg, no.png"
    figures = [json.loads(line) for line in out.splitlines()]
    assert [(one["input"], "error" in one) for one in figures] == [
        ("b.MOV", True), ("a.mp4", False), ("c.jpg", True), ("no.png", True), ("d.bmp", False)
    ]  # fmt: skip
    assert names("out") == ["a.mp4", "c.jpg", "d.png"]
    assert Path("out/c.jpg").read_bytes() == b"mine"


def breaking(monkeypatch: pytest.MonkeyPatch, name: str, error: Exception) -> None:
    """Let something happen in the middle of the file `name` that nobody foresaw."""

    @contextmanager
    def progress(label: str, frames: int | None) -> Iterator[Callable]:
        def shown(stats: object) -> None:
            if name in label:
                raise error

        yield shown

    monkeypatch.setattr(_job, "progress", progress)


def test_one_that_fails_as_nobody_foresaw_does_not_stop_the_others(
    files: Path, livematte: Callable, monkeypatch: pytest.MonkeyPatch
) -> None:
    breaking(monkeypatch, "b.MOV", ZeroDivisionError("by\nnothing"))
    code, out, err = livematte("blur", "a.mp4", "b.MOV", "c.jpg", "-o", "out/", "--json")
    why = "ZeroDivisionError: by nothing (not expected: run again with --debug and report what it prints)"
    assert code == cli.FAILED
    assert err.splitlines() == [
        f"livematte: error: b.MOV: {why}", "livematte: error: 1 of 3 inputs failed: b.MOV"
    ]  # fmt: skip
    assert ["error" in json.loads(line) for line in out.splitlines()] == [False, True, False]
    assert sorted(str(path.relative_to("out")) for path in Path("out").rglob("*")) == ["a.mp4", "c.jpg"]
    Path("again").mkdir()
    with pytest.raises(LivematteError, match="1 of 2 inputs failed"):
        cli.run(["blur", "b.MOV", "a.mp4", "-o", "again/", "--debug"])
    assert names("again") == ["a.mp4"]


def test_debug_shows_where_it_failed(
    files: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    breaking(monkeypatch, "b.MOV", ZeroDivisionError("by nothing"))
    with pytest.raises(LivematteError):
        cli.run(["blur", "b.MOV", "a.mp4", "-o", "out/", "--debug"])
    assert "Traceback (most recent call last)" in capsys.readouterr().err


@pytest.mark.parametrize("error", [OSError(errno.ENOSPC, "no space"), BrokenPipeError(errno.EPIPE, "nobody reads")])
def test_a_standard_output_that_is_gone_ends_the_job(
    error: OSError,
    files: Path,
    livematte: Callable,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    breaking(monkeypatch, "a.mp4", error)
    monkeypatch.setattr("sys.stdout", sys.stdout)  # it is put back
    with contextlib.suppress(SystemExit):  # of typer, where nobody reads
        assert livematte("blur", "a.mp4", "b.MOV", "-o", "out/")[0] == cli.FAILED
    assert "failed" not in capsys.readouterr().err
    assert not Path("out").exists()


def test_a_folder_made_for_nothing_goes_again(files: Path, livematte: Callable) -> None:
    assert livematte("blur", "no.mp4", "-o", "out/")[0] == cli.FAILED
    assert not Path("out").exists()


def test_ctrl_c_keeps_what_is_finished(files: Path, livematte: Callable, monkeypatch: pytest.MonkeyPatch) -> None:
    labels = []

    @contextmanager
    def progress(label: str, frames: int | None) -> Iterator[Callable]:
        def shown(stats: object) -> None:
            if "b.MOV" in label:
                raise cli.Stopped(2)

        labels.append(label)
        yield shown

    monkeypatch.setattr(_job, "progress", progress)
    code, _, err = livematte("blur", "a.mp4", "b.MOV", "c.jpg", "-o", "out/")
    assert code == cli.SIGNALED + 2
    assert err == "livematte: error: stopped by SIGINT; 1 of 3 are done, of b.MOV nothing was written\n"
    assert names("out") == ["a.mp4"]
    assert labels == ["blur 1 of 3, a.mp4", "blur 2 of 3, b.MOV"]


class TestBatch:
    def test_a_tree_of_folders(self, files: Path, livematte: Callable) -> None:
        Path("all/deep/er").mkdir(parents=True)
        for name, place in (("a.mp4", "all"), ("b.MOV", "all/deep"), ("c.jpg", "all/deep/er"), ("d.bmp", "all")):
            Path(name).rename(Path(place, name))
        Path("all/notes.txt").touch()
        Path("all/.hidden.jpg").touch()
        command = ["batch", "all", "-o", "all/out", "--effect", "color:blue"]
        assert livematte(*command) == (0, "", "")
        made = {path: path.stat().st_mtime_ns for path in Path("all/out").rglob("*") if path.is_file()}
        assert sorted(map(str, made)) == [
            "all/out/a.mp4", "all/out/d.png", "all/out/deep/b.MOV", "all/out/deep/er/c.jpg"
        ]  # fmt: skip

        Path("all/out/a.mp4").unlink()
        assert livematte(*command) == (0, "", "livematte: note: 3 of 4 are there already\n")
        assert Path("all/out/a.mp4").exists()
        assert all(path.stat().st_mtime_ns == at for path, at in made.items() if path.name != "a.mp4")
        assert livematte(*command)[2] == "livematte: note: 4 of 4 are there already\n"
        assert livematte(*command, "-y") == (0, "", "")
        assert Path("all/out/d.png").stat().st_mtime_ns > made[Path("all/out/d.png")]

    def test_alpha_has_a_suffix_that_holds_it(self, files: Path, livematte: Callable) -> None:
        assert livematte("batch", "a.mp4", "c.jpg", "-o", "out", "--effect", "transparent") == (0, "", "")
        assert names("out") == ["a.mov", "c.png"]

    def test_one_that_fails(self, files: Path, livematte: Callable) -> None:
        Path("b.MOV").write_bytes(b"no video")
        code, _, err = livematte("batch", ".", "-o", "out")
        assert code == cli.FAILED
        assert err.splitlines()[-1] == "livematte: error: 1 of 4 inputs failed: b.MOV"
        assert names("out") == ["a.mp4", "c.jpg", "d.png"]

    @pytest.mark.parametrize(
        ("words", "message"),
        [
            (["none", "-o", "out"], "there is no none; a batch takes files and folders"),
            (["empty", "-o", "out"], "there is no video or picture in empty"),
            (["a.mp4", "-o", "c.jpg"], "c.jpg is a file; the output of a batch is a folder"),
            (["a.mp4", ".", "-o", "out"], "would both become out/a.mp4"),
            (["a.mp4", "-o", "out", "--effect", "smear"], "smear"),
        ],
    )
    def test_what_cannot_be(self, words: list[str], message: str, files: Path, livematte: Callable) -> None:
        Path("empty").mkdir()
        code, _, err = livematte("batch", *words)
        assert (code, err.count("\n")) == (cli.FAILED, 1)
        assert message in err
        assert not Path("out").exists()
