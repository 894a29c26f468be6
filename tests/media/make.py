"""Small clips and stills for tests, made when they are needed: no binary file lies in the repository."""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import numpy.typing as npt

from livematte._frame import Frame, Size
from livematte._stages import StreamInfo
from livematte.sinks import open_sink
from livematte.sources import open_source
from livematte.sources.synthetic import Synthetic

U8 = npt.NDArray[np.uint8]


def picture(index: int, width: int, height: int) -> U8:
    """RGB (h, w, 3): a gradient with a bright square that moves to the right with `index`."""
    y, x = np.mgrid[0:height, 0:width]
    rgb = np.stack((x * 255 // max(1, width - 1), y * 255 // max(1, height - 1), (x + y) % 256), axis=2)
    side = max(1, height // 4)
    left = index * 4 % max(1, width - side)
    rgb[:side, left : left + side] = 255
    return rgb.astype(np.uint8)


def clip(
    path: Path,
    *,
    frames: int = 12,
    size: tuple[int, int] = (64, 48),
    codec: str = "libx264",
    pix_fmt: str = "yuv420p",
    time_base: Fraction = Fraction(1, 30),
    pts: Sequence[int] | None = None,
    options: dict[str, str] | None = None,
    container_options: dict[str, str] | None = None,
    rotation: float | None = None,
    hflip: bool = False,
    aspect: Fraction | None = None,
    audio: Sequence[str] = (),
    audio_s: float = 0.5,
    tags: dict[str, int] | None = None,
) -> Path:
    """A video of `picture()`; sound is a sine, one stream for each codec in `audio`."""
    with av.open(str(path), "w", container_options=container_options or {}) as container:
        stream: Any = container.add_stream(codec, rate=30, options=options or {})
        stream.width, stream.height, stream.pix_fmt = *size, pix_fmt
        stream.codec_context.time_base = stream.time_base = time_base
        for name, value in (tags or {}).items():
            setattr(stream.codec_context, name, value)
        if aspect is not None:
            stream.codec_context.sample_aspect_ratio = aspect
        if rotation is not None or hflip:
            stream.set_display_rotation(rotation or 0, hflip=hflip)
        sounds = [container.add_stream(name, rate=48_000) for name in audio]
        for index in range(frames):
            frame = av.VideoFrame.from_ndarray(picture(index, *size), "rgb24").reformat(
                format=pix_fmt, dst_colorspace="ITU601", dst_color_range="MPEG"
            )
            frame.pts = pts[index] if pts else index
            frame.time_base = time_base
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
        for sound in sounds:
            _sine(container, sound, audio_s)
    return path


def sound_only(path: Path, codec: str = "aac") -> Path:
    """A file without video."""
    with av.open(str(path), "w") as container:
        _sine(container, container.add_stream(codec, rate=48_000), 0.3)
    return path


def still(path: Path, rgb: U8, codec: str = "png", pix_fmt: str = "rgb24", array: Any = None) -> Path:
    """A still image; `array` in place of `rgb` gives samples of `pix_fmt` as they are."""
    if array is not None:
        frame = av.VideoFrame.from_ndarray(array, pix_fmt)
    else:
        frame = av.VideoFrame.from_ndarray(rgb, "rgb24").reformat(format=pix_fmt)
    encoder: Any = av.CodecContext.create(codec, "w")
    encoder.width, encoder.height, encoder.pix_fmt = frame.width, frame.height, pix_fmt
    encoder.time_base = Fraction(1, 25)
    frame.pts = 0
    path.write_bytes(b"".join(bytes(packet) for packet in (*encoder.encode(frame), *encoder.encode(None))))
    return path


def with_exif(jpeg: bytes, orientation: int, order: str = "<") -> bytes:
    """A JPEG with an EXIF block that holds nothing but the orientation."""
    mark = b"II*\0" if order == "<" else b"MM\0*"
    tiff = mark + struct.pack(order + "IHHHIHHI", 8, 1, 0x0112, 3, 1, orientation, 0, 0)
    body = b"Exif\0\0" + tiff
    return jpeg[:2] + b"\xff\xe1" + struct.pack(">H", len(body) + 2) + body + jpeg[2:]


def read(path: Any, **options: Any) -> list[Frame]:
    """All frames of a source."""
    with open_source(path, **options) as source:
        return list(source)


def write(path: Any, frames: Iterable[Frame], info: StreamInfo | None = None, **options: Any) -> Any:
    """Frames into a sink, which is returned."""
    sink = open_sink(path, source_info=info, **options)
    with sink:
        for frame in frames:
            sink.write(frame)
    return sink


def times(frames: Iterable[Frame]) -> list[Fraction]:
    """Seconds, exactly."""
    return [frame.pts * frame.time_base for frame in frames]


def synthetic(
    size: tuple[int, int] = (64, 48), frames: int = 12, *, alpha: bool = False, fps: int = 30
) -> Iterator[Frame]:
    """Frames of the synthetic source, with their true matte as alpha if asked for."""
    source = Synthetic(Size(*size), frames=frames, fps=fps)
    for index in range(frames):
        extra = np.rint(source.true_alpha(index) * 255).astype(np.uint8) if alpha else None
        yield replace(source.frame(index), alpha=extra)


def psnr(one: U8, two: U8) -> float:
    """Peak signal to noise in dB."""
    error = np.mean((one.astype(float) - two) ** 2)
    return float(10 * np.log10(255**2 / max(error, 1e-9)))


def left_in(folder: Path) -> list[str]:
    """Names of what lies in a folder, hidden ones too."""
    return sorted(path.name for path in folder.iterdir())


def _sine(container: Any, stream: Any, seconds: float) -> None:
    chunk, rate = 960, 48_000  # 960: a frame of Opus
    for start in range(0, int(seconds * rate), chunk):
        wave = np.sin(np.arange(start, start + chunk) * 2 * np.pi * 440 / rate) * 8000
        samples = np.repeat(wave.astype(np.int16), 2)[None]
        frame = av.AudioFrame.from_ndarray(samples, format="s16", layout="stereo")
        frame.sample_rate, frame.pts, frame.time_base = rate, start, Fraction(1, rate)
        container.mux(stream.encode(frame))
    container.mux(stream.encode(None))
