"""Bad input through the real command: one clear line, the right exit code, nothing left behind."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

COMMAND = [sys.executable, "-W", "error", "-m", "livematte"]
FAILED, USAGE = 1, 2
CLIP = "synthetic:96x64@25*6"
POLLS = 3000
"""Looks, 10 ms apart, for what a job makes before it is stopped: 30 s on a busy machine."""


def livematte(*arguments: object) -> subprocess.CompletedProcess[str]:
    command = [*COMMAND, *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)


def refused(done: subprocess.CompletedProcess[str], *words: str, code: int = FAILED) -> None:
    """The job ended with `code` and one line on stderr that holds `words`."""
    assert done.returncode == code, done.stderr
    assert done.stdout == ""
    assert done.stderr.startswith("livematte: error: ")
    assert done.stderr.count("\n") == 1, done.stderr
    missing = [word for word in words if word not in done.stderr]
    assert missing == [], done.stderr


@pytest.fixture
def out(tmp_path: Path) -> Iterator[Path]:
    """A place for the output, in a folder that must be empty again at the end."""
    folder = tmp_path / "out"
    folder.mkdir()
    yield folder / "out.mp4"
    assert list(folder.iterdir()) == []


def clip(path: Path, width: int, height: int, pixels: str = "yuv420p", codec: str = "libx264", frames: int = 6) -> Path:
    """A small noisy video."""
    random = np.random.default_rng(1)
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=25)
        stream.width, stream.height, stream.pix_fmt = width, height, pixels
        for _ in range(frames):
            rgb = random.integers(0, 255, (height, width, 3), np.uint8)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(rgb, "rgb24").reformat(format=pixels)))
        container.mux(stream.encode(None))
    return path


def probe(path: Path) -> tuple[int, int, int]:
    """Width, height and number of frames."""
    with av.open(str(path)) as container:
        frames = list(container.decode(video=0))
    return frames[0].width, frames[0].height, len(frames)


def test_missing_file(tmp_path: Path, out: Path) -> None:
    refused(livematte("blur", tmp_path / "no.mp4", "-o", out), "no.mp4")


def test_truncated_mp4(tmp_path: Path, out: Path) -> None:
    whole = clip(tmp_path / "whole.mp4", 320, 180, frames=25).read_bytes()
    for part in (0.5, 0.9):
        cut = tmp_path / "cut.mp4"
        cut.write_bytes(whole[: int(len(whole) * part)])
        refused(livematte("blur", cut, "-o", out), "cut.mp4")


def test_truncated_mp4_with_its_index_in_front(tmp_path: Path, out: Path) -> None:
    """Such a file opens and plays up to the cut; a short output would look like success."""
    path = tmp_path / "cut.mp4"
    random = np.random.default_rng(1)
    with av.open(str(path), "w", options={"movflags": "faststart"}) as container:
        stream = container.add_stream("libx264", rate=25)
        stream.width, stream.height, stream.pix_fmt = 160, 96, "yuv420p"
        for _ in range(25):
            rgb = random.integers(0, 255, (96, 160, 3), np.uint8)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(rgb, "rgb24")))
        container.mux(stream.encode(None))
    whole = path.read_bytes()
    assert whole.index(b"moov") < whole.index(b"mdat")
    path.write_bytes(whole[: int(len(whole) * 0.6)])
    refused(livematte("blur", path, "-o", out), "cut.mp4")


def test_audio_only(tmp_path: Path, out: Path) -> None:
    path = tmp_path / "sound.m4a"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("aac", rate=48000, layout="mono")
        for index in range(10):
            frame = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), "fltp", "mono")
            frame.sample_rate, frame.pts, frame.time_base = 48000, index * 1024, Fraction(1, 48000)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    refused(livematte("blur", path, "-o", out), "sound.m4a", "no video")


@pytest.mark.parametrize("size", [(1, 1), (2, 2), (35, 33), (96, 1), (1, 64)])
def test_tiny_and_odd_videos_come_out_whole(size: tuple[int, int], tmp_path: Path) -> None:
    source = clip(tmp_path / "in.mov", *size, pixels="rgb24", codec="png")
    done = livematte("blur", source, "-o", tmp_path / "out.mp4")
    assert done.returncode == 0, done.stderr
    width, height, frames = probe(tmp_path / "out.mp4")
    assert frames == 6
    # H.264 in 4:2:0 needs even sides: at most the last row and column are repeated.
    assert width - size[0] in (0, 1)
    assert height - size[1] in (0, 1)


@pytest.mark.parametrize(("pixels", "codec"), [("gray", "ffv1"), ("gray16le", "ffv1"), ("yuv420p16le", "ffv1")])
def test_grey_and_16_bit_videos(pixels: str, codec: str, tmp_path: Path) -> None:
    source = clip(tmp_path / "in.mkv", 64, 48, pixels, codec)
    done = livematte("blur", source, "-o", tmp_path / "out.mp4")
    assert done.returncode == 0, done.stderr
    assert probe(tmp_path / "out.mp4") == (64, 48, 6)


@pytest.mark.parametrize("pixels", ["gray", "gray16be", "rgb48be", "rgba"])
def test_grey_16_bit_and_transparent_pictures(pixels: str, tmp_path: Path) -> None:
    source = clip(tmp_path / "in.png", 64, 48, pixels, "png", frames=1)
    done = livematte("blur", source, "-o", tmp_path / "out.png")
    assert done.returncode == 0, done.stderr
    assert probe(tmp_path / "out.png") == (64, 48, 1)


def test_no_picture_at_all(tmp_path: Path, out: Path) -> None:
    for name in ("noise.mp4", "noise.png"):
        (tmp_path / name).write_bytes(bytes(range(256)) * 40)
        refused(livematte("blur", tmp_path / name, "-o", out), name)


def test_empty_folder(tmp_path: Path, out: Path) -> None:
    (tmp_path / "empty").mkdir()
    refused(livematte("blur", tmp_path / "empty", "-o", out), "empty")


def test_output_in_a_folder_that_is_not_there(tmp_path: Path) -> None:
    refused(livematte("blur", CLIP, "-o", tmp_path / "no" / "out.mp4"), "no does not exist")
    assert not (tmp_path / "no").exists()


def test_output_below_a_file(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"mine")
    refused(livematte("blur", CLIP, "-o", tmp_path / "file" / "out.mp4"), "file is not a folder")
    assert (tmp_path / "file").read_bytes() == b"mine"


def test_output_in_a_read_only_folder(tmp_path: Path) -> None:
    folder = tmp_path / "locked"
    folder.mkdir(mode=0o500)
    if os.access(folder, os.W_OK):  # root writes through permissions, but not to a read-only file system
        with mounted(folder, "ro"):
            refused(livematte("blur", CLIP, "-o", folder / "out.mp4"), "out.mp4")
    else:
        refused(livematte("blur", CLIP, "-o", folder / "out.mp4"), "out.mp4")
    assert list(folder.iterdir()) == []


def test_output_of_an_unknown_kind(out: Path) -> None:
    refused(livematte("blur", CLIP, "-o", out.with_suffix(".xyz")), ".xyz")


def test_output_over_the_input(tmp_path: Path) -> None:
    source = clip(tmp_path / "in.mp4", 64, 48)
    before = source.read_bytes()
    refused(livematte("blur", source, "-o", source, "-y"), "in.mp4")
    assert source.read_bytes() == before


def test_transparent_output_to_mp4(out: Path) -> None:
    refused(livematte("remove", CLIP, "-o", out), ".mov", ".webm")


@contextmanager
def mounted(folder: Path, options: str) -> Iterator[None]:
    """A tmpfs over `folder`, or a skip where this user cannot mount one."""
    mount = shutil.which("mount")
    if mount is None or not hasattr(os, "geteuid") or os.geteuid() != 0:
        pytest.skip("a tmpfs can be mounted by root on Linux only")
    command = [mount, "-t", "tmpfs", "-o", options, "tmpfs", str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.skip(f"a tmpfs cannot be mounted here: {done.stderr.strip()}")
    try:
        yield
    finally:
        subprocess.run(["umount", str(folder)], check=True)


def test_full_disk(tmp_path: Path) -> None:
    source = clip(tmp_path / "in.mp4", 320, 240, frames=30)
    disk = tmp_path / "disk"
    disk.mkdir()
    with mounted(disk, "size=64k"):
        done = livematte("replace", source, "--with", source, "-o", disk / "out.mp4", "--crf", 1)
        refused(done, "out.mp4", "space")
        assert list(disk.iterdir()) == []


def test_corrupt_weights(tmp_path: Path, out: Path) -> None:
    for name in ("weights.onnx", "weights.tflite"):
        (tmp_path / name).write_bytes(b"these are no weights")
        refused(livematte("blur", CLIP, "-o", out, "--weights", tmp_path / name), name)


def test_missing_weights(tmp_path: Path, out: Path) -> None:
    refused(livematte("blur", CLIP, "-o", out, "--weights", tmp_path / "no.onnx"), "no.onnx")
    refused(livematte("blur", CLIP, "-o", out, "--model", "mediapipe:landscape"), "livematte models pull", "--weights")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["blur", "--model", "livemate"], ["livemate", "did you mean livematte", "mediapipe"]),
        (["blur", "--model", "mediapipe:portrait"], ["portrait", "landscape", "general"]),
        (["blur", "--engine", "onxruntime"], ["onxruntime", "did you mean onnxruntime"]),
        (["replace", "--with", "color:mauvish"], ["mauvish", "green"]),
        (["replace", "--with", "nowhere.jpg"], ["nowhere.jpg"]),
        (["replace", "--with", "nowhere.mp4"], ["nowhere.mp4"]),
        (["blur", "--codec", "h266"], ["h266", "h264"]),
        (["blur", "--who", "me"], ["who must be", "'me'"]),
        (["blur", "--room", "nowhere.png"], ["cannot read the image nowhere.png"]),
    ],
)
def test_unknown_names(arguments: list[str], words: list[str], out: Path) -> None:
    refused(livematte(arguments[0], CLIP, "-o", out, *arguments[1:]), *words)


def test_a_room_of_another_shape(out: Path, tmp_path: Path) -> None:
    from livematte import Frame
    from livematte.sinks import open_sink

    room = tmp_path / "room.png"
    with open_sink(str(room)) as sink:
        sink.write(Frame.from_rgb(np.zeros((48, 48, 3), np.uint8)))
    refused(livematte("blur", CLIP, "-o", out, "--room", room), "room is 48x48", "frames are 96x64")


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--strength", "7"], ["strength", "7", "0.1 to 1"]),
        (["--strength", "nan"], ["strength", "nan"]),
        (["--lookahead", "--no-temporal"], ["lookahead", "temporal"]),
        (["--zone", "0,0 1,1"], ["zone", "3 to 64 points", "got 2"]),
        (["--zone", "0,0 1,0 1,1.5"], ["zone", "from 0 to 1", "1,1.5"]),
        (["--softness", "-1"], ["softness", "-1"]),
        (["--light-wrap", "1e9"], ["light_wrap"]),
        (["--threads", "0"], ["threads", "1 to 256", "0"]),
        (["--threads", "100000"], ["threads", "100000"]),
        (["--crf", "999"], ["crf", "999"]),
        (["--preset", "warp"], ["preset", "warp"]),
    ],
)
def test_absurd_options(options: list[str], words: list[str], out: Path) -> None:
    refused(livematte("blur", CLIP, "-o", out, *options), *words)


@pytest.mark.parametrize("source", ["synthetic:0x0", "synthetic:99999x99999", "synthetic:96x64@0*6"])
def test_absurd_sizes(source: str, out: Path) -> None:
    refused(livematte("blur", source, "-o", out))


@pytest.mark.parametrize("format", ["rgb24:0x0@30", "rgb24:99999x9@30", "rgb24", "p010:64x64@30"])
def test_absurd_raw_formats(format: str, out: Path) -> None:
    refused(livematte("blur", "-", "-o", out, "--format", format))


def test_raw_input_that_breaks_off(out: Path) -> None:
    command = [*COMMAND, "blur", "-", "-o", str(out), "--format", "rgb24:64x48@25"]
    done = subprocess.run(command, input=bytes(64 * 48 * 3 + 100), capture_output=True, check=False, timeout=120)
    assert done.returncode == FAILED
    assert b"livematte: error: the raw stream ended inside frame 2" in done.stderr


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such signals")
@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM"])
def test_a_stopped_job_leaves_no_half_file(name: str, out: Path) -> None:
    signum = getattr(signal, name)
    command = [*COMMAND, "blur", "synthetic:640x360@30*100000", "-o", str(out)]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True, start_new_session=True) as job:
        try:
            wait_for(lambda: any(out.parent.iterdir()), job)
            job.send_signal(signum)
            _, err = job.communicate(timeout=60)
        finally:
            job.kill()
    assert job.returncode == 128 + signum
    assert err == f"livematte: error: stopped by {name}; nothing was written\n"


def wait_for(seen: Callable[[], bool], job: subprocess.Popen[str]) -> None:
    """Look until the job has made something; fail if it ends first or never does."""
    for _ in range(POLLS):
        if seen():
            return
        try:
            job.wait(timeout=0.01)
        except subprocess.TimeoutExpired:
            continue
        pytest.fail(f"the job ended by itself with {job.returncode}: {job.communicate()[1]}")
    pytest.fail("the job made no file")


@pytest.mark.skipif(os.name == "nt", reason="no such pipes on Windows")
def test_reader_of_the_raw_output_goes_away() -> None:
    command = [*COMMAND, "blur", "synthetic:320x180@30*100000", "-o", "-", "--format", "rgb24"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as job:
        assert job.stdout is not None
        assert len(job.stdout.read(320 * 180 * 3)) == 320 * 180 * 3
        job.stdout.close()
        assert job.stderr is not None
        err = job.stderr.read().decode()
        assert job.wait(timeout=60) == FAILED
    assert "Traceback" not in err
