"""`livematte live`: options, the line on the terminal, signals and keys."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import av
import pytest

from livematte import Blur, OpenError, OptionError, Size, _pipewire
from livematte._pipewire import Node
from livematte.cli import _live_line
from livematte.cli import live as live_command
from livematte.cli._job import heard
from livematte.cli._keys import keys
from livematte.cli._options import parse_size
from livematte.sources._cameras import spec_of
from livematte.sources._v4l2 import Camera, Mode

CLIP = "synthetic:64x36@30*15"
Run = Callable[..., tuple[int, str, str]]


def test_a_clip_becomes_a_file_and_figures(livematte: Run, tmp_path: Path) -> None:
    out = tmp_path / "out.mp4"
    code, shown, said = livematte("live", "--input", CLIP, "--effect", "color:green", "-o", out, "--json")
    assert (code, said) == (0, "")
    figures = json.loads(shown)
    assert figures["input"] == CLIP
    assert figures["camera"] == "ended"
    assert figures["size"] == [64, 36]
    assert figures["latency"]["p95_ms"] > 0
    with av.open(str(out)) as clip:
        times = [frame.pts * frame.time_base * 30 for frame in clip.decode(video=0)]
    assert times == list(range(len(times)))  # a constant rate
    assert abs(len(times) - figures["frames"]) <= 2


def test_what_exists_is_only_replaced_if_asked_for(livematte: Run, tmp_path: Path) -> None:
    out = tmp_path / "out.mp4"
    out.write_bytes(b"a recording")
    for spelling in (out, f"file:{out}"):
        code, _, said = livematte("live", "--input", CLIP, "-o", spelling)
        assert code != 0
        assert "exists; choose another name, or pass -y" in said
    assert out.read_bytes() == b"a recording"
    assert livematte("live", "--input", CLIP, "-o", out, "-y", "--seconds", 0.2)[0] == 0
    written = out.read_bytes()
    code, _, said = livematte("live", "--input", out, "-o", out, "-y")
    assert code != 0
    assert "is the input itself" in said
    assert out.read_bytes() == written


def test_it_ends_after_the_time_that_was_given(livematte: Run) -> None:
    code, shown, _ = livematte("live", "--input", "synthetic:64x36@30*900", "-o", "null:", "--seconds", 0.3, "--json")
    assert code == 0
    assert 0.3 <= json.loads(shown)["seconds"] < 10


def test_switches_reach_the_effect(livematte: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[Any] = []
    from livematte import _live

    monkeypatch.setattr(_live, "make_effect", lambda spec, **look: made.append((spec, look)) or _live.Transparent())
    code, _, _ = livematte(
        "live",
        "--input",
        CLIP,
        "-o",
        "null:",
        "--effect",
        "blur:0.4",
        "--softness",
        0.7,
        "--who",
        "nearest",
        "--framing",
    )
    assert code == 0
    assert made[0] == (Blur(0.4, softness=0.7, who="nearest"), {})


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("--input", "none.mp4", "-o", "null:"), "there is no file none.mp4"),
        (("--camera", "nobody's", "-o", "null:"), "camera"),
        (("--input", CLIP, "--camera", "0"), "not both"),
        (("--input", CLIP, "-o", "null:", "--effect", "blurr"), "did you mean blur?"),
        (("--input", CLIP, "-o", "null:", "--effect", "green"), "did you mean color:green?"),
        (("--input", CLIP, "-o", "null:", "--effect", "#102030"), "did you mean color:#102030?"),
        (("--input", CLIP, "-o", "null:", "--effect", "beach.jpg"), "did you mean image:beach.jpg?"),
        (("--input", CLIP, "-o", "null:", "--effect", "sea/film.mp4"), "did you mean video:sea/film.mp4?"),
        (("--input", CLIP, "-o", "null:", "--size", "big"), "as in 1280x720"),
        (("--input", CLIP, "-o", "null:", "--pixels", "nv12"), "is for cameras"),
        (("--input", CLIP, "-o", "null:", "--model", "nothing"), "no model is called 'nothing'"),
        (("--input", "rtsp://127.0.0.1:9/x", "-o", "null:"), "Connection refused"),
    ],
)
def test_what_cannot_be_is_one_line(livematte: Run, words: tuple[str, ...], says: str) -> None:
    code, shown, said = livematte("live", *words)
    assert (code, shown) == (1, "")
    assert says in said
    assert said.count("\n") == 1


@pytest.mark.skipif(sys.platform != "linux", reason="PipeWire is Linux's")
def test_cameras_are_listed(livematte: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    from livematte.sources import camera

    there = [Camera(0, "/dev/video0", "HD Webcam", (Mode("MJPG", Size(1280, 720), None),))]
    nodes = [
        Node(1, "41", "v4l2_input.usb", "HD Webcam", device="/dev/video0"),
        Node(2, "42", "livematte", "Livematte", ours=True),
        Node(3, "43", "libcamera_input", "Built-in Front Camera"),
        Node(4, "44", "room", "Room"),
    ]
    monkeypatch.setattr(camera, "found", lambda: there)
    monkeypatch.setattr(_pipewire, "cameras", lambda: nodes)
    code, shown, _ = livematte("live", "--list")
    assert code == 0
    assert shown == (
        "camera:0  HD Webcam  (/dev/video0)\n    MJPG   1280x720\n"
        "pipewire:libcamera_input  Built-in Front Camera  (PipeWire)\npipewire:room  Room  (PipeWire)\n"
    )
    listed = json.loads(livematte("live", "--list", "--json")[1])
    assert [one["spec"] for one in listed] == ["camera:0", "pipewire:libcamera_input", "pipewire:room"]
    assert listed[0]["modes"] == [{"pixels": "MJPG", "size": [1280, 720], "fps": None}]

    assert [spec_of(named) for named in (None, "0", "webcam", "/dev/video0", "front", "Room", "room")] == [
        *("camera:", "camera:0", "camera:webcam", "camera:/dev/video0"),
        *("pipewire:libcamera_input", "pipewire:room", "pipewire:room"),
    ]
    with pytest.raises(OpenError, match="several cameras are called 'r': libcamera_input, room"):
        spec_of("r")
    with pytest.raises(OpenError, match=r"no camera is called '9'; there are: 0 \(HD Webcam\); PipeWire has libcam"):
        spec_of("9")
    monkeypatch.setattr(camera, "found", list)
    del nodes[0]
    assert spec_of(None) == "pipewire:libcamera_input"

    def none() -> list[Node]:
        raise _pipewire.NoPipeWire("no daemon")

    monkeypatch.setattr(_pipewire, "cameras", none)
    assert (spec_of(None), spec_of("x")) == ("camera:", "camera:x")
    code, shown, said = livematte("live", "--list")
    assert (code, shown) == (0, "")
    assert "no camera is plugged in" in said


STATUS: dict[str, Any] = {
    "paused": False,
    "camera": "open",
    "readers": None,
    "loading": False,
    "model": "livematte:fast",
    "effect": "blur:0.6",
    "size": [1280, 720],
    "fps": 29.97,
    "latency": {"p50_ms": 9.4, "p95_ms": 20.6, "p99_ms": 31.0},
    "dropped": 2,
    "covered": 11,
    "rung": "full",
    "error": None,
}


def test_the_line() -> None:
    text = _live_line.line(STATUS)
    assert text == (
        "open 1280x720 30.0 fps | p50 9 p95 21 p99 31 ms | dropped 2 | covered 11 | full | blur:0.6 | livematte:fast"
    )
    assert text.index("full") < 80
    unseen = _live_line.line({**STATUS, "readers": 0, "camera": "closed"})
    assert unseen.startswith("nobody looks 1280x720 30.0 fps")
    nothing = {**STATUS, "paused": True, "loading": True, "latency": dict.fromkeys(STATUS["latency"]), "error": "gone"}
    assert _live_line.line(nothing).startswith("paused 1280x720 30.0 fps | gone | - ms | ")
    assert _live_line.line(nothing).endswith(" | loading livematte:fast")


def test_the_line_is_drawn_now_and_then(capsys: pytest.CaptureFixture[str]) -> None:
    from livematte._clock import ManualClock

    clock = ManualClock()
    shown = _live_line.StatusLine(clock)
    for _ in range(30):  # a second of frames
        shown.draw(lambda: STATUS)
        clock.advance_ms(1000 / 30)
    shown.clear()
    drawn = capsys.readouterr().err
    assert drawn.count("open 1280x720") == 5
    assert drawn.endswith("\r\x1b[K")


def test_a_size_is_two_numbers() -> None:
    assert parse_size("640x360") == parse_size("360p") == Size(640, 360)
    assert parse_size("1080p") == Size(1920, 1080)
    for wrong in ("640", "700p", "p", "x", "0x360", "640x-1", "axb"):
        with pytest.raises(OptionError):
            parse_size(wrong)


@pytest.fixture
def running(tmp_path: Path) -> Iterator[Callable[..., subprocess.Popen[bytes]]]:
    """Start the command beside the test."""
    started: list[subprocess.Popen[bytes]] = []

    def start(*words: str, **options: Any) -> subprocess.Popen[bytes]:
        environment = {**os.environ, "PYTHONPATH": ":".join(sys.path)}
        command = [sys.executable, "-m", "livematte", "live", "--input", "synthetic:64x36@30*9000", *words]
        started.append(subprocess.Popen(command, cwd=tmp_path, env=environment, **options))
        return started[-1]

    yield start
    for process in started:
        process.kill()
        process.wait()
        for pipe in (process.stdout, process.stderr, process.stdin):
            if pipe is not None:
                pipe.close()


def metrics_of(process: subprocess.Popen[bytes]) -> Callable[[str], float]:
    """Reads a figure of the running command."""
    import urllib.request

    assert process.stderr is not None
    address = process.stderr.readline().decode().split()[-1].replace("localhost", "127.0.0.1")

    def read(name: str) -> float:
        with urllib.request.urlopen(address, timeout=10) as answer:
            lines = answer.read().decode().splitlines()
        return float(next(line.rsplit(" ", 1)[1] for line in lines if line.startswith(name)))

    return read


def wait_until(true: Callable[[], bool]) -> None:
    for _ in range(300):
        if true():
            return
        time.sleep(0.1)
    pytest.fail("it did not happen within half a minute")


@pytest.mark.skipif(not hasattr(signal, "SIGUSR1"), reason="this system has no SIGUSR1")
def test_signals_pause_and_end_in_order(running: Callable[..., Any], tmp_path: Path) -> None:
    process = running("-o", "out.mp4", "--metrics", "0", stderr=subprocess.PIPE)
    read = metrics_of(process)
    wait_until(lambda: read("livematte_frames_total") > 3)
    process.send_signal(signal.SIGUSR1)
    wait_until(lambda: read("livematte_paused") == 1)
    wait_until(lambda: read('livematte_camera_state{name="closed"}') == 1)
    process.send_signal(signal.SIGUSR1)
    wait_until(lambda: read('livematte_camera_state{name="open"}') == 1)
    process.send_signal(signal.SIGINT)
    assert process.wait(30) == 0
    with av.open(str(tmp_path / "out.mp4")) as clip:  # a whole file
        times = [frame.pts * frame.time_base * 30 for frame in clip.decode(video=0)]
    assert times == list(range(len(times)))
    assert len(times) > 3


def test_keys_of_a_terminal(running: Callable[..., Any]) -> None:
    pty = pytest.importorskip("pty", reason="this system has no pseudo-terminals")
    ours, theirs = pty.openpty()
    process = running("-o", "null:", "--metrics", "0", stdin=theirs, stderr=subprocess.PIPE)
    os.close(theirs)
    try:
        read = metrics_of(process)
        wait_until(lambda: read("livematte_frames_total") > 3)
        os.write(ours, b"p")
        wait_until(lambda: read("livematte_paused") == 1)
        os.write(ours, b" ")
        wait_until(lambda: read("livematte_paused") == 0)
        os.write(ours, b"q")
        assert process.wait(30) == 0
    finally:
        os.close(ours)


BEHIND = """
import os
from livematte.cli._job import heard
from livematte.cli._keys import keys
child = os.fork()
if child == 0:
    os.setpgid(0, 0)
    with keys(print) as there:
        os._exit(9 if there else 0)
_, status = os.waitpid(child, os.WUNTRACED)
os._exit(status >> 8)  # of one that was stopped: the signal
"""
"""What a shell does for a program with `&`."""


def test_behind_the_shell_the_terminal_is_left_alone() -> None:
    pty = pytest.importorskip("pty", reason="this system has no pseudo-terminals")
    ours, theirs = pty.openpty()
    login = "import os, pty, sys; sys.exit(os.waitstatus_to_exitcode(pty.spawn(sys.argv[1:])))"
    command = [sys.executable, "-c", login, sys.executable, "-c", BEHIND]
    try:
        environment = {**os.environ, "PYTHONPATH": ":".join(sys.path)}
        done = subprocess.run(
            command, stdin=theirs, stdout=theirs, stderr=theirs, env=environment, timeout=30, check=False
        )
        assert done.returncode == 0
    finally:
        os.close(ours)
        os.close(theirs)


def test_without_a_terminal_there_are_no_keys() -> None:
    with keys(lambda key: None) as there:
        assert not there


def test_what_is_said_at_the_end_is_heard_though_a_load_hangs(capfd: pytest.CaptureFixture[str]) -> None:
    begun, goes_on = threading.Event(), threading.Event()

    def hang(spec: str) -> Any:
        begun.set()
        goes_on.wait(60)

    thread = threading.Thread(target=live_command._quietly(hang), args=("a",))
    with heard():
        thread.start()
        assert begun.wait(30)
        os.write(2, b"an engine's greeting\n")
    os.write(2, b"livematte: error: no room on the disk\n")
    assert capfd.readouterr().err == "livematte: error: no room on the disk\n"
    goes_on.set()
    thread.join(30)
    os.write(2, b"still\n")
    assert capfd.readouterr().err == "still\n"
