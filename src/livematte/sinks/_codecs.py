"""Which encoder makes what, and in which file it fits."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from livematte._errors import OptionError, SinkError


@dataclass(frozen=True, slots=True)
class Codec:
    """One way to encode video.

    Args:
        encoder: FFmpeg's name.
        format: pixel format; `alpha_format` with alpha, None where it has none.
        crf: quality if none is asked for, and the worst that can be asked for.
        preset: name of the option that trades time for size, its value if none is
            asked for, and the values it takes.
        even: 4:2:0 in this encoder needs even sides.
        options: always given.
    """

    encoder: str
    format: str
    alpha_format: str | None
    crf: tuple[int, int] | None
    preset: tuple[str, str, tuple[str, ...]] | None
    even: bool
    options: dict[str, str]


_X26_PRESETS = ("ultrafast", "superfast", "veryfast", "faster", "fast", "medium", "slow", "slower", "veryslow")

CODECS = {
    "h264": Codec("libx264", "yuv420p", None, (20, 51), ("preset", "veryfast", _X26_PRESETS), True, {}),
    "h265": Codec(
        "libx265",
        "yuv420p",
        None,
        (24, 51),
        ("preset", "veryfast", _X26_PRESETS),
        True,
        {"x265-params": "log-level=error"},
    ),
    "vp9": Codec(
        "libvpx-vp9",
        "yuv420p",
        "yuva420p",
        (30, 63),
        ("cpu-used", "6", tuple(map(str, range(9)))),
        False,
        # constant quality, all cores; without alternate reference frames, which lose alpha
        {"b": "0", "deadline": "realtime", "row-mt": "1", "auto-alt-ref": "0", "lag-in-frames": "0"},
    ),
    "av1": Codec("libsvtav1", "yuv420p", None, (32, 63), ("preset", "10", tuple(map(str, range(14)))), True, {}),
    "prores": Codec(
        "prores_ks", "yuv444p10le", "yuva444p10le", None, None, False, {"profile": "4444", "alpha_bits": "16"}
    ),
}
"""By the names users know. Presets are fast ones: the file is made while the person waits."""

CONTAINERS = {
    ".mp4": ("mp4", ("h264", "h265", "av1", "vp9")),
    ".m4v": ("mp4", ("h264", "h265", "av1")),
    ".mov": ("mov", ("h264", "h265", "prores")),
    ".mkv": ("matroska", ("h264", "h265", "av1", "vp9", "prores")),
    ".webm": ("webm", ("vp9", "av1")),
}
"""By suffix: FFmpeg's muxer and the codecs it may hold, the default first."""

ALPHA = {".mov": "prores", ".webm": "vp9"}
"""What holds transparency, by suffix."""


def choose(suffix: str, codec: str | None, *, alpha: bool) -> tuple[str, Codec]:
    """Name and codec for a file.

    Raises:
        OptionError: no such suffix or codec, or one does not hold the other.
    """
    _, fitting = CONTAINERS[suffix]
    if codec is not None and codec not in CODECS:
        raise OptionError(f"codec must be one of {', '.join(CODECS)}; got {codec!r}")
    if codec is not None and codec not in fitting:
        raise OptionError(f"a {suffix} file cannot hold {codec}; it holds {', '.join(fitting)}")
    if not alpha:
        name = codec or fitting[0]
        return name, CODECS[name]
    name = codec or ALPHA.get(suffix, "")
    if ALPHA.get(suffix) != name:
        given = f"{codec} in a {suffix} file" if codec else f"a {suffix} file"
        raise OptionError(
            f"{given} cannot hold transparency; write .mov (ProRes 4444), .webm (VP9), or a folder of PNGs"
        )
    return name, CODECS[name]


def encoder_options(name: str, codec: Codec, crf: int | None, preset: str | None) -> dict[str, str]:
    """FFmpeg options for the quality and speed asked for.

    Raises:
        OptionError: out of range, or the codec has no such setting.
    """
    options = dict(codec.options)
    if codec.crf is not None:
        default, worst = codec.crf
        crf = default if crf is None else crf
        if not 0 <= crf <= worst:
            raise OptionError(f"crf of {name} must be from 0 (best) to {worst}, got {crf}")
        options["crf"] = str(crf)
    elif crf is not None:
        raise OptionError(f"{name} has no crf: its quality is fixed")
    if codec.preset is not None:
        key, default_preset, known = codec.preset
        preset = preset or default_preset
        if preset not in known:
            raise OptionError(f"preset of {name} must be one of {', '.join(known)}; got {preset!r}")
        options[key] = preset
    elif preset is not None:
        raise OptionError(f"{name} has no presets")
    return options


def check_encoder(name: str, codec: Codec) -> None:
    """Refuse what this build of FFmpeg cannot encode.

    Raises:
        SinkError: names the codecs that it can.
    """
    if not available(codec.encoder):
        there = [other for other, item in CODECS.items() if available(item.encoder)]
        raise SinkError(
            f"this build of FFmpeg has no {codec.encoder} to write {name}; it can write {', '.join(there) or 'none'}"
        )


def available(encoder: str) -> bool:
    """Whether this build of FFmpeg has the encoder."""
    import av

    try:
        found: Any = av.Codec(encoder, "w")
    except ValueError:  # UnknownCodecError
        return False
    return bool(found)
