"""The command line: what it says, what it returns, what it leaves; jobs run for real on small clips."""

from __future__ import annotations

import importlib
import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from livematte import cli
from livematte.cli import _app, doctor

CLIP = "synthetic:96x64@25*6"
FRAMES = 6


def decoded(path: Path) -> list[tuple[Fraction, np.ndarray]]:
    """Time and RGB of every frame of a file."""
    import av

    with av.open(str(path)) as container:
        return [(f.pts * f.time_base, f.to_ndarray(format="rgb24")) for f in container.decode(video=0)]


def test_version(livematte: Callable) -> None:
    from livematte import __version__

    assert livematte("--version") == (0, f"livematte {__version__}\n", "")


def test_the_commands_of_the_design_are_there() -> None:
    wanted = ["blur", "replace", "remove", "matte", "live", "ctl", "serve", "models", "doctor", "bench", "tune"]
    assert [name for name in _app.commands() if name in wanted] == wanted


@pytest.mark.parametrize("command", _app.commands())
def test_every_help_has_an_example(command: str, livematte: Callable) -> None:
    module = importlib.import_module(f"livematte.cli.{command}")
    # `models` has commands of its own; `blur` is one.
    app = getattr(module, "app", None)
    below = [info.name or info.callback.__name__ for info in app.registered_commands] if app else [""]
    for name in below:
        words = [command, name] if name else [command]
        code, out, _ = livematte(*words, "--help")
        assert code == 0
        assert f"Example: livematte {' '.join(words)}" in out


def test_no_arguments_show_the_help(livematte: Callable) -> None:
    code, _, err = livematte()
    assert code == cli.USAGE
    assert err.startswith("Usage: livematte")


def test_blur_of_a_clip_keeps_frames_and_times(livematte: Callable, tmp_path: Path) -> None:
    out = tmp_path / "out.mp4"
    assert livematte("blur", CLIP, "-o", out) == (0, "", "")
    frames = decoded(out)
    assert [time for time, _ in frames] == [Fraction(i, 25) for i in range(FRAMES)]
    assert frames[0][1].shape == (64, 96, 3)


def test_json_holds_the_figures_and_stdout_nothing_else(livematte: Callable, tmp_path: Path) -> None:
    out = tmp_path / "out.mp4"
    code, stdout, stderr = livematte("blur", CLIP, "-o", out, "--json")
    figures = json.loads(stdout)
    assert (code, stderr) == (0, "")
    assert (figures["command"], figures["frames"], figures["covered"]) == ("blur", FRAMES, 0)
    assert figures["output"] == str(out)
    assert figures["seconds"] > 0
    assert set(figures["stages"]) >= {"segment", "refine", "effect", "composite"}
    assert all(set(times) == {"p50_ms", "p95_ms", "p99_ms"} for times in figures["stages"].values())


def test_strength_of_blur_shows(
    livematte: Callable, tmp_path: Path, astronaut: np.ndarray, astronaut_path: Path
) -> None:
    left_roughness = []
    for strength in ("0.1", "1"):
        out = tmp_path / f"{strength}.png"
        assert livematte("blur", astronaut_path, "-o", out, "--strength", strength)[0] == 0
        flag = decoded(out)[0][1][:250, :80].astype(int)
        left_roughness.append(np.abs(np.diff(flag, axis=1)).mean())
    sharp = np.abs(np.diff(astronaut[:250, :80].astype(int), axis=1)).mean()
    assert sharp > left_roughness[0] > left_roughness[1]


def test_bokeh_is_another_blur(livematte: Callable, tmp_path: Path, astronaut_path: Path) -> None:
    plain, disc = tmp_path / "plain.png", tmp_path / "disc.png"
    assert livematte("blur", astronaut_path, "-o", plain)[0] == 0
    assert livematte("blur", astronaut_path, "-o", disc, "--bokeh")[0] == 0
    difference = np.abs(decoded(plain)[0][1].astype(int) - decoded(disc)[0][1])
    assert difference[:250, :80].mean() > 1, "the room"
    assert difference[80:160, 200:260].max() <= 2, "the face"


@pytest.mark.parametrize("background", ["color:blue", "color:Blue", "#0000ff", "color:#0000FF"])
def test_replace_by_a_colour(background: str, livematte: Callable, tmp_path: Path, astronaut_path: Path) -> None:
    out = tmp_path / "out.png"
    assert livematte("replace", astronaut_path, "-o", out, "--with", background)[0] == 0
    picture = decoded(out)[0][1]
    assert picture[20, 500].tolist() == [0, 0, 255]
    assert picture[130, 225, 0] > 150  # the face


def test_replace_by_a_picture_and_by_a_video(
    livematte: Callable, tmp_path: Path, astronaut_path: Path, carphone: Path
) -> None:
    for name, background in (("picture.mp4", astronaut_path), ("video.mp4", carphone)):
        assert livematte("replace", CLIP, "-o", tmp_path / name, "--with", background) == (0, "", "")
        assert len(decoded(tmp_path / name)) == FRAMES


def test_a_bare_colour_is_told_how_it_is_written(livematte: Callable, tmp_path: Path) -> None:
    code, _, err = livematte("replace", CLIP, "-o", tmp_path / "out.mp4", "--with", "green")
    assert (code, err) == (
        cli.FAILED,
        "livematte: error: there is no file green; for the colour write --with color:green\n",
    )


@pytest.mark.parametrize("command", ["blur", "matte", "parts"])
@pytest.mark.parametrize("live", ["camera:0", "screen:", "pipewire:x", "rtsp://user:secret@127.0.0.1:9/a"])
def test_what_never_ends_is_for_live(command: str, live: str, livematte: Callable, tmp_path: Path) -> None:
    code, _, err = livematte(command, live, "-o", tmp_path / "out.mp4")
    assert code == cli.FAILED
    assert "is live and has no end of its own; record it by `livematte live --input" in err
    assert "secret" not in err


def test_replace_refuses_other_effects(livematte: Callable, tmp_path: Path) -> None:
    code, _, err = livematte("replace", CLIP, "-o", tmp_path / "out.mp4", "--with", "blur:0.5")
    assert code == cli.FAILED
    assert "use `livematte blur`" in err


def test_the_person_in_the_light_of_a_dark_background(
    livematte: Callable, tmp_path: Path, astronaut_path: Path
) -> None:
    shown = []
    for options in ([], ["--match", "1"]):
        out = tmp_path / f"{len(options)}.png"
        assert livematte("replace", astronaut_path, "-o", out, "--with", "color:#101418", *options)[0] == 0
        shown.append(decoded(out)[0][1][90:140, 205:245].mean())
    assert shown[1] < 0.95 * shown[0]


@pytest.mark.parametrize("command", ["blur", "remove", "replace"])
def test_framing_shows_the_person_larger_at_the_same_size(
    command: str, livematte: Callable, tmp_path: Path, astronaut: np.ndarray
) -> None:
    import cv2

    scene = np.full((360, 640, 3), 128, np.uint8)
    scene[104:, 20:276] = cv2.resize(astronaut, (256, 256), interpolation=cv2.INTER_AREA)
    cv2.imwrite(str(tmp_path / "scene.png"), scene[..., ::-1])
    options = ["--with", "color:blue"] if command == "replace" else []
    shown = []
    for framing in ([], ["--framing"]):
        out = tmp_path / f"{len(framing)}.png"
        assert livematte(command, tmp_path / "scene.png", "-o", out, *options, *framing)[0] == 0
        shown.append(decoded(out)[0][1].astype(int))
    plain, framed = shown
    assert framed.shape == plain.shape
    suit = [((p[..., 0] > 180) & (p[..., 1] < 120) & (p[..., 2] < 90)).sum() for p in shown]
    assert suit[1] > 1.5 * suit[0]


def test_remove_writes_alpha(livematte: Callable, tmp_path: Path, astronaut_path: Path) -> None:
    import av

    out = tmp_path / "out.png"
    assert livematte("remove", astronaut_path, "-o", out)[0] == 0
    with av.open(str(out)) as container:
        rgba = next(container.decode(video=0)).to_ndarray(format="rgba")
    assert rgba[130, 225, 3] == 255
    assert rgba[20, 500].tolist() == [0, 0, 0, 0]


def test_matte_is_grey_and_full_range(livematte: Callable, tmp_path: Path, astronaut_path: Path) -> None:
    out = tmp_path / "out.png"
    assert livematte("matte", astronaut_path, "-o", out)[0] == 0
    matte = decoded(out)[0][1]
    assert (matte.min(), matte.max()) == (0, 255)
    assert (matte[..., 0] == matte[..., 1]).all()
    assert matte[130, 225, 0] == 255


def test_an_existing_output_is_not_touched_without_leave(livematte: Callable, tmp_path: Path) -> None:
    out = tmp_path / "out.mp4"
    out.write_bytes(b"mine")
    code, _, err = livematte("blur", CLIP, "-o", out)
    assert code == cli.FAILED
    assert re.fullmatch(r"livematte: error: .*out\.mp4 exists.* -y .*\n", err)
    assert out.read_bytes() == b"mine"
    assert livematte("blur", CLIP, "-o", out, "-y")[0] == 0
    assert len(decoded(out)) == FRAMES


@pytest.mark.parametrize("leave", [(), ("-y",)])
def test_a_folder_with_files_is_never_replaced_nor_said_to_be(
    leave: tuple[str, ...], livematte: Callable, tmp_path: Path
) -> None:
    (tmp_path / "mine.png").write_bytes(b"mine")
    code, _, err = livematte("blur", CLIP, "-o", f"{tmp_path}/", *leave)
    assert code == cli.FAILED
    assert err == f"livematte: error: {tmp_path}/ is a folder that holds files; name a new or an empty one\n"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["blur"], "missing argument 'INPUT'"),
        (["blur", CLIP], "missing option '--output'"),
        (["blur", CLIP, "-o", "x.mp4", "--sharpen"], "no such option: --sharpen"),
        (["blur", CLIP, "-o", "x.mp4", "--threads", "many"], "invalid value for '--threads'"),
        (["smear", CLIP], "no such command 'smear'"),
    ],
)
def test_usage_errors_are_one_line_and_exit_with_2(arguments: list[str], message: str, livematte: Callable) -> None:
    code, out, err = livematte(*arguments)
    assert (code, out) == (cli.USAGE, "")
    assert err.startswith(f"livematte: error: {message}")
    assert err.count("\n") == 1
    assert "--help`" in err


def test_debug_raises(livematte: Callable, tmp_path: Path) -> None:
    from livematte import OpenError

    with pytest.raises(OpenError):
        livematte("blur", tmp_path / "no.mp4", "-o", tmp_path / "out.mp4", "--debug")


def test_pictures_of_a_folder_are_taken_alone(
    livematte: Callable, tmp_path: Path, astronaut: np.ndarray, astronaut_path: Path
) -> None:
    """An empty room after a portrait must not keep the ghost of the person's matte."""
    import cv2

    photos = tmp_path / "photos"
    photos.mkdir()
    (photos / "1.png").write_bytes(astronaut_path.read_bytes())
    cv2.imwrite(str(photos / "2.png"), np.ascontiguousarray(astronaut[:, ::-1, ::-1]))
    together, alone = tmp_path / "together", tmp_path / "alone.png"
    assert livematte("matte", photos, "-o", f"{together}/")[0] == 0
    assert livematte("matte", photos / "2.png", "-o", alone)[0] == 0
    second = sorted(together.iterdir())[1]
    assert np.array_equal(decoded(second)[0][1], decoded(alone)[0][1])


def test_doctor_proves_the_default_path(livematte: Callable) -> None:
    code, out, _ = livematte("doctor", "--json")
    facts = json.loads(out)
    assert (code, facts["problems"]) == (0, [])
    assert facts["engines"]["onnxruntime"]["ms"] > 0
    assert facts["engines"]["onnxruntime"]["runs_on"] == "CPUExecutionProvider"
    assert set(facts["engines"]) >= {"litert", "onnxruntime", "openvino", "torch"}
    assert facts["tuned"] == {}
    assert facts["kernels"]["variant"]
    assert facts["ffmpeg"]["encoders"]["h264"]
    assert facts["live"]["begins"][-1].startswith("begins at ")
    assert facts["live"]["virtual"]


def test_doctor_tells_engines_that_are_missing_or_wrong(monkeypatch: pytest.MonkeyPatch) -> None:
    from livematte import _doctor
    from livematte.engines import litert, onnxruntime

    def wrong(self: Any, inputs: Any) -> list[np.ndarray]:
        return [np.full(tensor.shape, 7, np.float32) for tensor in self.outputs]

    monkeypatch.setattr(litert, "installed", lambda: False)
    monkeypatch.setattr(onnxruntime.OnnxRuntime, "run", wrong)
    assert 'pip install "livematte[litert]"' in _doctor.engine("litert")["missing"]
    assert _doctor.engine("onnxruntime")["error"] == "its alpha lies between 7.000 and 7.000, not 0 and 1"
    assert "has no" in _doctor.engine("onnxruntime:qnn")["error"]


def test_doctor_shows_what_was_tuned(livematte: Callable, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from livematte import _doctor, _tune

    monkeypatch.setenv("LIVEMATTE_CACHE", str(tmp_path))
    monkeypatch.setattr(_doctor, "engines", dict)
    _tune._remember(_tune.spec_of("livematte:fast"), _tune.Choice("litert", 2, 1.25))
    assert re.search(r"^tuned livematte:fast +litert, 2 thread\(s\), 1.25 ms$", livematte("doctor")[1], re.MULTILINE)


def test_what_the_doctor_says_fits_a_terminal() -> None:
    assert doctor.wrapped("kernels", "avx2", 80) == ["kernels              avx2"]
    lines = doctor.wrapped("camera", "/dev/video0: " + "a word " * 20 + "| then | /" + "path" * 30, 80)
    assert max(map(len, lines[:-1])) <= 80
    assert [line.split()[0] for line in lines[:2]] == ["camera", "word"]
    assert lines[-2:] == [" " * 21 + "then", " " * 21 + "/" + "path" * 30]  # paths stay whole
    assert doctor.wrapped("CPU", "", 80) == ["CPU                  "]


def test_doctor_fails_when_the_kernels_do_not_load(livematte: Callable, monkeypatch: pytest.MonkeyPatch) -> None:
    from livematte import _doctor

    monkeypatch.setattr(_doctor, "kernels", lambda: {"error": "no library"})
    code, out, _ = livematte("doctor")
    assert code == cli.FAILED
    assert "PROBLEM: kernels: no library" in out
    assert re.search(r"^live +begins at \S+$", out, re.MULTILINE)
    assert re.search(r"^virtual camera +\S", out, re.MULTILINE)


def test_engines_do_not_greet_their_users(tmp_path: Path, shared: Callable[[str], Path]) -> None:
    weights = shared("weights/mediapipe/selfie_segmentation_landscape.tflite")
    command = ["blur", "synthetic:64x36@30*3", "-o", str(tmp_path / "out.mp4"), "--model", "mediapipe"]
    done = subprocess.run(
        [sys.executable, "-m", "livematte", *command, "--weights", str(weights)],
        capture_output=True, text=True, check=True, timeout=120,
    )  # fmt: skip
    assert (done.stdout, done.stderr) == ("", "")


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such signals")
def test_ctrl_c_while_numpy_loads(tmp_path: Path) -> None:
    (tmp_path / "numpy.py").write_text("import os, signal, time\nos.kill(os.getpid(), signal.SIGINT)\ntime.sleep(60)\n")
    command = [sys.executable, "-m", "livematte", "blur", CLIP, "-o", "out.mp4"]
    environment = {**os.environ, "PYTHONPATH": f"{tmp_path}{os.pathsep}{os.environ.get('PYTHONPATH', '')}"}
    done = subprocess.run(
        command, capture_output=True, text=True, check=False, timeout=60, cwd=tmp_path, env=environment
    )
    assert done.returncode == cli.SIGNALED + signal.SIGINT
    assert done.stderr == "livematte: error: stopped by SIGINT; nothing was written\n"


def shell(line: str, folder: Path) -> tuple[int, str, str]:
    """A command line of sh, in which `livematte` is this one."""
    script = f'livematte() {{ "{sys.executable}" -m livematte "$@"; }}\n{line}'
    done = subprocess.run(["sh", "-c", script], capture_output=True, text=True, cwd=folder, timeout=120, check=False)
    return done.returncode, done.stdout, done.stderr


@pytest.mark.skipif(sys.platform == "win32", reason="no sh")
class TestStreamsThatAreNotThere:
    """What a cron job, a service manager or a full disk leaves of stdin, stdout and stderr."""

    def test_files_are_made_all_the_same(self, tmp_path: Path) -> None:
        assert shell(f"livematte blur {CLIP} -o a.mp4 <&- >&- 2>&-", tmp_path)[0] == 0
        assert len(decoded(tmp_path / "a.mp4")) == FRAMES

    def test_frames_from_a_stdin_that_is_closed(self, tmp_path: Path) -> None:
        code, _, err = shell("livematte blur - -o a.mp4 --format rgb24:64x48@30 <&-", tmp_path)
        assert (code, err) == (cli.FAILED, "livematte: error: no frame was written, so there is no a.mp4\n")

    @pytest.mark.parametrize(
        ("where", "why"), [(">&-", "Bad file descriptor"), (">/dev/full", "No space left on device")]
    )
    def test_a_result_that_nobody_gets_is_no_success(self, where: str, why: str, tmp_path: Path) -> None:
        if "full" in where and not Path("/dev/full").exists():
            pytest.skip("this system has no /dev/full")
        code, _, err = shell(f"livematte models list {where}", tmp_path)
        assert (code, err) == (cli.FAILED, f"livematte: error: cannot write to standard output: {why}\n")
