#!/usr/bin/env python3
"""What the browser tests look at: clips for the fake camera, and what Python's Session makes of single frames.

    python tests/web/material.py FOLDER

person.y4m, person.webm    a real person in front of a camera, 640x480: shared media, or else the portrait
striped.y4m, striped.webm  the portrait before a wall of stripes, 640x360: whatever shows a stripe shows the room
plate.png                  a picture for backgrounds
pair.png                   somebody near the camera and somebody far from it
stills.json, stills.bin    frames, effects, and the planes that Session.process_frame gives for them
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
import numpy.typing as npt
import skimage

from livematte import Blur, Color, Image, Off, Session, Transparent
from livematte._frame import ColorMatrix, ColorRange, Frame, PixelFormat

U8 = npt.NDArray[np.uint8]

MODEL = "livematte:fast"
"""What the SDK calls `livematte`."""

FRAMES = 60
FPS = 30
ROW = (0, 3, 6, 9, 12)
"""Frames of the clip that are looked at one after the other."""
COMING_PX = (100, 200, 240, 240, 240, 240, 240, 120, 120, 120)
"""Height of somebody beside a person of 300 px, frame by frame: they come near and go away again."""
ZONES = [[(0.1, 0.05), (0.55, 0.2), (0.5, 0.9), (0.15, 1)], [(0.6, 0), (1, 0), (1, 0.5)]]
"""What stays in one of the effects."""
STEP_MS = 90
"""Time from one picture to the next where a window follows somebody; a frame's unit of time is 1 ms."""
STRIPE_PX = 8
"""Width of a stripe; pages/kit.js looks for it."""
STRIPES = (20, 235)
PORTRAIT = Path(skimage.__file__).parent / "data" / "astronaut.png"
SHARED = Path(os.environ.get("LIVEMATTE_SHARED") or Path(__file__).parents[3] / "shared")

Pictures = Iterable[U8]


def main(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name, pictures in (("person", list(person())), ("striped", list(striped()))):
        write(folder / f"{name}.y4m", pictures)
        write(folder / f"{name}.webm", pictures)
    cv2.imwrite(str(folder / "plate.png"), plate()[..., ::-1])
    pair = list(beside())
    cv2.imwrite(str(folder / "pair.png"), pair[-1][..., ::-1])
    write_stills(folder, list(person()), pair)


def portrait() -> U8:
    """RGB (512, 512, 3): Eileen Collins, NASA, public domain."""
    return np.ascontiguousarray(cv2.imread(str(PORTRAIT))[..., ::-1])


def person() -> Pictures:
    """RGB (480, 640, 3), a second or two of somebody who moves."""
    clip = SHARED / "media" / "sign-want.mkv"
    if clip.exists():
        with av.open(str(clip)) as container:
            for count, frame in enumerate(container.decode(video=0)):
                if count < FRAMES:
                    yield frame.reformat(width=640, height=480, format="rgb24").to_ndarray()
        return
    print(f"no {clip}: the portrait stands in", file=sys.stderr)
    yield from moved(portrait(), 640, 480)


def striped() -> Pictures:
    """RGB (360, 640, 3): the person of the portrait moves before stripes that stand still."""
    rgb = portrait()
    with Session(MODEL, temporal=False) as session:
        alpha = session.matte(rgb)
    cut = np.dstack((rgb, np.rint(alpha * 255).astype(np.uint8)))
    x = np.arange(640) // STRIPE_PX % 2
    wall = np.broadcast_to(np.where(x, *STRIPES)[None, :, None], (360, 640, 3)).astype(np.float32)
    for picture in moved(cut, 360, 360):
        frame = wall.copy()
        part = picture[..., 3:].astype(np.float32) / 255
        frame[:, 140:500] = part * picture[..., :3] + (1 - part) * frame[:, 140:500]
        yield np.rint(frame).astype(np.uint8)


def beside() -> Pictures:
    """RGB (360, 640, 3): the portrait twice before a grey wall, the second one smaller, of `COMING_PX`."""
    rgb = portrait()
    with Session(MODEL, temporal=False) as session:
        cut = np.dstack((rgb, np.rint(session.matte(rgb) * 255).astype(np.uint8)))
    for height in COMING_PX:
        frame = np.full((360, 640, 3), 150, np.float32)
        for side, left in ((300, 10), (height, 370)):
            small = cv2.resize(cut, (side, side), interpolation=cv2.INTER_AREA).astype(np.float32)
            place, part = frame[360 - side :, left : left + side], small[..., 3:] / 255
            place[:] = part * small[..., :3] + (1 - part) * place
        yield np.rint(frame).astype(np.uint8)


def in_room() -> Pictures:
    """RGB (360, 640, 3): the portrait before the hills in another light, until the camera moves."""
    rgb = portrait()
    with Session(MODEL, temporal=False) as session:
        cut = np.dstack((rgb, np.rint(session.matte(rgb) * 255).astype(np.uint8)))
    small = cv2.resize(cut, (320, 320), interpolation=cv2.INTER_AREA).astype(np.float32)
    for moved_px in (0, 0, 0, 90, 90, 0, 0, 0):
        frame = np.roll(plate().astype(np.float32) * 0.8 + 10, moved_px, 1)
        place, part = frame[40:, 150:470], small[..., 3:] / 255
        place[:] = part * small[..., :3] + (1 - part) * place
        yield np.rint(frame).astype(np.uint8)


def moved(picture: U8, width: int, height: int) -> Pictures:
    """The picture's middle, cut to size, that sways a little."""
    scale = max(width / picture.shape[1], height / picture.shape[0]) * 1.06
    for index in range(FRAMES):
        sway = np.sin(2 * np.pi * index / FRAMES) * 0.02 * width
        left = width / 2 - scale * picture.shape[1] / 2 + sway
        top = height - scale * picture.shape[0] * 0.98
        matrix = np.array([[scale, 0, left], [0, scale, top]], np.float32)
        yield cv2.warpAffine(picture, matrix, (width, height), flags=cv2.INTER_AREA)


def write(path: Path, pictures: list[U8]) -> None:
    """A y4m of I420 planes, or a WebM in VP8."""
    height, width, _ = pictures[0].shape
    if path.suffix == ".y4m":
        with path.open("wb") as file:
            file.write(f"YUV4MPEG2 W{width} H{height} F{FPS}:1 Ip A1:1 C420jpeg\n".encode())
            for rgb in pictures:
                planes = av.VideoFrame.from_ndarray(rgb, format="rgb24").reformat(format="yuv420p").to_ndarray()
                file.write(b"FRAME\n" + planes.tobytes())
        return
    with av.open(str(path), "w") as container:
        stream: Any = container.add_stream("libvpx", rate=FPS, options={"deadline": "realtime", "cpu-used": "8"})
        stream.width, stream.height, stream.pix_fmt, stream.bit_rate = width, height, "yuv420p", 4_000_000
        for rgb in pictures:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(rgb, format="rgb24")))
        container.mux(stream.encode())


def plate() -> U8:
    """RGB (360, 640, 3): hills at dusk."""
    y, x = np.mgrid[0:360, 0:640].astype(np.float32)
    sky = np.stack((255 - 0.3 * y, 170 - 0.2 * y, 90 + 0.3 * y), axis=2)
    hill = 230 + 40 * np.sin(x / 70) + 15 * np.sin(x / 23)
    return np.clip(np.where((y > hill)[..., None], (40, 70, 60), sky), 0, 255).astype(np.uint8)


def write_stills(folder: Path, clip: list[U8], pair: list[U8]) -> None:
    """Frames alone, some in a row, and what Python makes of them, as planes in one file; offsets in the other."""
    picture = clip[0]
    blob = bytearray()
    shape = cv2.resize(picture, (1280, 720), interpolation=cv2.INTER_LINEAR)
    frames = {
        "480p": i420(picture, ColorMatrix.BT601, ColorRange.LIMITED),
        "720p": i420(shape, ColorMatrix.BT709, ColorRange.LIMITED),
        "full range": i420(picture, ColorMatrix.BT601, ColorRange.FULL),
        "odd": i420(np.ascontiguousarray(picture[100:461, 90:569]), ColorMatrix.BT709, ColorRange.LIMITED),
        "upright": i420(np.ascontiguousarray(picture[:, 185:455]), ColorMatrix.BT601, ColorRange.LIMITED),
        "square": i420(np.ascontiguousarray(picture[:, 80:560]), ColorMatrix.BT601, ColorRange.LIMITED),
    }
    background = plate()
    effects: list[tuple[dict[str, Any], Any]] = [
        ({"type": "blur", "strength": 0.6}, Blur(0.6)),
        ({"type": "blur", "strength": 1}, Blur(1.0)),
        ({"type": "blur", "strength": 0.2, "softness": 1}, Blur(0.2, softness=1.0)),
        ({"type": "blur", "bokeh": True}, Blur(0.6, bokeh=True)),
        ({"type": "blur", "who": "nearest"}, Blur(0.6, who="nearest")),
        (
            {"type": "color", "rgb": "#00b140", "zones": ZONES},
            Color((0, 177, 64), zones=ZONES),
        ),
        ({"type": "color", "rgb": "#00b140"}, Color((0, 177, 64))),
        (
            {"type": "color", "rgb": [200, 30, 90], "despill": False, "softness": 0},
            Color((200, 30, 90), despill=False, softness=0.0),
        ),
        ({"type": "image", "src": "/material/plate.png"}, Image(background)),
        (
            {"type": "image", "src": "/material/plate.png", "lightWrap": 0.8, "despill": False},
            Image(background, light_wrap=0.8, despill=False),
        ),
        ({"type": "image", "src": "/material/plate.png", "match": 1}, Image(background, match=1.0)),
        ({"type": "color", "rgb": "#101418", "match": 0.7}, Color((16, 20, 24), match=0.7)),
        ({"type": "transparent"}, Transparent()),
        ({"type": "off"}, Off()),
    ]
    cases = []
    for effect, painter in effects:
        for name, frame in frames.items():
            if name != "480p" and effect["type"] in ("transparent", "off"):
                continue
            with Session(MODEL, painter, temporal=False) as session:
                out = session.process_frame(frame)
            planes = [*out.planes, *([out.alpha] if out.alpha is not None else [])]
            cases.append({"frame": name, "effect": effect, "planes": stored(blob, planes)})
    framed = []
    for name in ("480p", "720p", "odd", "upright"):
        for effect, painter in (
            effects[0],
            effects[4],
            next(each for each in effects if each[0]["type"] == "transparent"),
        ):
            with Session(MODEL, painter, temporal=False, framing=True) as session:
                out = session.process_frame(frames[name])
            planes = [*out.planes, *([out.alpha] if out.alpha is not None else [])]
            framed.append({"frame": name, "effect": effect, "planes": stored(blob, planes)})
    rows: dict[str, tuple[dict[str, Any], Any, list[U8]]] = {
        "steadied": ({"type": "blur", "strength": 0.6}, Blur(0.6), [clip[at] for at in ROW]),
        "nearest": ({"type": "color", "rgb": "#00b140", "who": "nearest"}, Color(who="nearest"), pair),
    }
    dark = [(clip[0] * level).astype(np.uint8) for level in (0.1, 0.1, 1, 1, 0.1, 0.1, 0.1)]
    rows["dark"] = ({"type": "color", "rgb": "#00b140"}, Color(), dark)
    rows["room"] = ({"type": "color", "rgb": "#00b140"}, Color(), list(in_room()))
    streams: dict[str, Any] = {}
    for name, (effect, painter, pictures) in rows.items():
        streams[name] = {"effect": effect, "frames": []}
        room = {"room": plate()} if name == "room" else {}
        if room:
            streams[name]["room"] = "/material/plate.png"
        with Session(MODEL, painter, **room) as session:
            for n, rgb in enumerate(pictures):
                frames[f"{name} {n}"] = frame = i420(rgb, ColorMatrix.BT601, ColorRange.LIMITED)
                out = session.process_frame(frame)
                streams[name]["frames"].append({"frame": f"{name} {n}", "planes": stored(blob, out.planes)})
    frames["nobody"] = i420(np.full_like(clip[0], 90), ColorMatrix.BT601, ColorRange.LIMITED)
    followed = []
    with Session(MODEL, Color((30, 60, 90)), framing=True) as session:
        for n, name in enumerate(("nobody", *(f"steadied {n}" for n in range(len(ROW))), *["steadied 0"] * 6)):
            out = session.process_frame(replace(frames[name], pts=n * STEP_MS))
            followed.append({"frame": name, "planes": stored(blob, out.planes)})
    inputs = {
        name: {
            "matrix": frame.matrix.value,
            "fullRange": frame.range is ColorRange.FULL,
            "planes": stored(blob, frame.planes),
        }
        for name, frame in frames.items()
    }
    known = {
        "frames": inputs,
        "cases": cases,
        "streams": streams,
        "framed": framed,
        "followed": followed,
        "stepMs": STEP_MS,
    }
    (folder / "stills.json").write_text(json.dumps(known), encoding="utf-8")
    (folder / "stills.bin").write_bytes(bytes(blob))


def stored(blob: bytearray, planes: Iterable[U8]) -> list[dict[str, int]]:
    """Put planes behind one another into `blob`; where each lies."""
    places = []
    for plane in planes:
        places.append({"at": len(blob), "width": plane.shape[1], "height": plane.shape[0]})
        blob.extend(plane.tobytes())
    return places


def i420(rgb: U8, matrix: ColorMatrix, range: ColorRange) -> Frame:
    """An RGB picture as a planar frame of this matrix and range."""
    from livematte import kernels

    planes = kernels.rgb_to_planes(rgb, PixelFormat.I420, matrix, range)
    return Frame(planes, PixelFormat.I420, matrix, range)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
