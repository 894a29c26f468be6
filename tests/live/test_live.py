"""`livematte live`, whole: a clip in a camera node, the command, its virtual camera, and GStreamer that looks at it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import av
import numpy as np
import pytest

from livematte import Session
from livematte._av import fit, from_av
from livematte._frame import ColorMatrix, ColorRange, Frame, PixelFormat, Size
from livematte.sinks.pipewire import PipeWire as Camera
from livematte.sources.pipewire import cameras

SIZE = Size(640, 480)
CLIP_FRAMES = 30
PLATE = "#00b140"
SHOWN = 45
"""Frames that are looked at."""

pytestmark = pytest.mark.usefixtures("pipewire")


def shared_or_packaged(carphone) -> Path:
    """A person in front of a camera: the shared clip, or the one that a package ships."""
    folder = Path(os.environ.get("LIVEMATTE_SHARED") or Path(__file__).parents[3] / "shared")
    clip = folder / "media" / "sign-again.mkv"
    return clip if clip.exists() else carphone


@pytest.fixture(scope="module")
def clip(carphone):
    """The first second of a clip, as a camera would give it."""
    with av.open(str(shared_or_packaged(carphone))) as video:
        pictures = [from_av(picture) for picture, _ in zip(video.decode(video=0), range(CLIP_FRAMES), strict=False)]
    return [fit(frame, SIZE, PixelFormat.I420, ColorMatrix.BT601, ColorRange.LIMITED) for frame in pictures]


class Room(threading.Thread):
    """The clip, over and over, in a camera node called `room`."""

    def __init__(self, clip):
        super().__init__()
        self.clip, self.stop = clip, threading.Event()

    def run(self):
        with Camera("room") as camera:
            index = 0
            while not self.stop.wait(1 / 30):
                camera.write(self.clip[index % len(self.clip)])
                index += 1

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *args):
        self.stop.set()
        self.join()


def looked_at(name, count, path, environment):
    """Frames of a camera, as GStreamer gets them: I420 arrays."""
    command = ["gst-launch-1.0", "-q", "pipewiresrc", f"target-object={name}", f"num-buffers={count}", "!"]
    command += ["videoconvert", "!", "video/x-raw,format=I420", "!", "filesink", f"location={path}"]
    subprocess.run(command, env=environment, check=True, timeout=60, capture_output=True)
    y, c = SIZE.width * SIZE.height, SIZE.width * SIZE.height // 4
    frames = []
    for data in np.fromfile(path, np.uint8).reshape(-1, y + 2 * c):
        half = (SIZE.height // 2, SIZE.width // 2)
        planes = (data[:y].reshape(SIZE.height, SIZE.width), data[y : y + c].reshape(half), data[y + c :].reshape(half))
        frames.append(Frame(planes, matrix=ColorMatrix.BT601))
    return frames


def test_a_virtual_camera_shows_the_person_and_never_the_room(clip, pipewire, tmp_path, wait_until):
    session = Session(model="livematte:fast", temporal=False)
    alphas = np.stack([session.matte(frame.to_rgb()) for frame in clip[::5]])
    nobody, person = alphas.max(axis=0) < 0.01, alphas.min(axis=0) > 0.99
    # far from every edge: refinement and light wrap do not reach there
    import cv2

    kernel = np.ones((65, 65), np.uint8)
    far = cv2.erode(nobody.astype(np.uint8), kernel, borderValue=1).astype(bool)[::2, ::2]
    near = cv2.erode(person.astype(np.uint8), np.ones((25, 25), np.uint8), borderValue=1).astype(bool)[::2, ::2]
    assert far.sum() > 1000
    assert near.sum() > 1000

    command = [sys.executable, "-m", "livematte", "live", "--input", "pipewire:room", "--out", "pipewire:out"]
    command += ["--effect", f"color:{PLATE}", "--model", "livematte:fast", "--no-governor", "--json"]
    environment = pipewire | {"PYTHONPATH": os.pathsep.join(sys.path)}
    with Room(clip):
        wait_until(lambda: any(node.name == "room" for node in cameras()), "the room's camera")
        process = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        try:
            wait_until(
                lambda: any(node.name == "out" for node in cameras()) or process.poll() is not None, "the output"
            )
            shown = looked_at("out", SHOWN + 30, tmp_path / "shown.yuv", environment)
        finally:
            process.send_signal(signal.SIGINT)
            said, complaints = process.communicate(timeout=30)
    assert process.returncode == 0, complaints

    rgb = tuple(int(PLATE[at : at + 2], 16) for at in (1, 3, 5))
    colour = Frame.from_rgb(np.full((2, 2, 3), rgb, np.uint8), PixelFormat.I420, ColorMatrix.BT601)
    for index, frame in enumerate(shown):  # the first ones included: covered until there is a matte
        for plane, want in zip((frame.planes[0][::2, ::2], *frame.planes[1:]), colour.planes, strict=True):
            assert (plane[far] == want[0, 0]).all(), f"frame {index} shows something of the room"

    def distance(frame):
        """To the nearest frame of the clip, in code values of luma, where the person is all the time."""
        luma = frame.planes[0][::2, ::2][near].astype(int)
        return min(abs(luma - true.planes[0][::2, ::2][near]).mean() for true in clip)

    kept = [distance(frame) for frame in shown]
    assert max(kept[-SHOWN // 3 :]) < 2, kept  # the person, as in the clip
    assert '"frames"' in said
