"""A V4L2 camera that hangs is lost and opened again: FFmpeg's own reading, of a camera in place of the kernel's."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent


@pytest.fixture(scope="module")
def camera(tmp_path_factory):
    """A library to be loaded before all others, and a named pipe that is a camera for who has it."""
    if sys.platform != "linux" or not Path("/usr/include/linux/videodev2.h").exists():
        pytest.skip("needs Linux and its headers")
    if shutil.which("cc") is None:
        pytest.skip("needs a C compiler, cc")
    folder = tmp_path_factory.mktemp("camera")
    library, device = folder / "fake.so", folder / "video9"
    command = ["cc", "-Wall", "-Werror", "-O1", "-shared", "-fPIC", "-o", str(library)]
    subprocess.run([*command, str(HERE / "fake_v4l2.c"), "-ldl"], check=True)
    os.mkfifo(device)
    return library, device


def test_it_is_lost_and_opened_again(camera):
    library, device = camera
    environment = os.environ | {"LD_PRELOAD": str(library), "PYTHONPATH": os.pathsep.join(sys.path)}
    command = [sys.executable, "-W", "error", str(HERE / "v4l2_program.py"), str(device)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=False)
    assert done.stdout.splitlines() == [
        "frames {120}",
        "lost the camera gave no picture for 0.3 s",
        "pulled the camera is gone after 0 packets: No such device",
        "open the camera gave no picture for 0.3 s",
        *["opening True"] * 3,
        "left open 0",
    ], done.stderr
    assert (done.returncode, done.stderr) == (0, "")
