"""Still images as bytes: which encoder makes what."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

from livematte._av import convert, grey_av, reason, to_av
from livematte._errors import OptionError, SinkError
from livematte._frame import ColorMatrix, ColorRange, Frame, PixelFormat

KINDS = {
    ".png": ("png", "rgb24", "rgba"),
    ".jpg": ("mjpeg", "yuvj444p", None),
    ".jpeg": ("mjpeg", "yuvj444p", None),
    ".webp": ("libwebp", "bgra", "bgra"),
}
"""By suffix: FFmpeg's encoder, its pixel format, and the one with alpha; None where there is none."""

WORST_QSCALE, BEST_QSCALE = 31, 2
"""Ends of mjpeg's quantiser scale."""


def check_kind(suffix: str, quality: int) -> None:
    """Refuse a suffix that is no image, or a quality out of range.

    Raises:
        OptionError: says what there is.
    """
    if suffix not in KINDS:
        raise OptionError(f"an image is written as {', '.join(KINDS)}; got {suffix!r}")
    if not 1 <= quality <= 100:
        raise OptionError(f"quality must be from 1 to 100, got {quality}")


def own_suffix(suffix: str, *, alpha: bool, grey: bool) -> str:
    """What a picture that was read under `suffix` is written as: the same where that is written and holds it, else PNG.

    Args:
        alpha: the picture is transparent, which JPEG cannot hold.
        grey: it is a matte, whose code values only PNG keeps.
    """
    kind = KINDS.get(suffix.lower())
    return ".png" if grey or kind is None or (alpha and kind[2] is None) else suffix


def image_bytes(frame: Frame, suffix: str, *, quality: int, grey: bool) -> bytes:
    """A frame as the bytes of an image file.

    Args:
        frame: its alpha is kept by PNG and WebP.
        suffix: one of `KINDS`.
        quality: of JPEG and WebP, 1-100.
        grey: write luma alone, code value for code value (PNG).

    Raises:
        OptionError: JPEG and alpha.
        SinkError: the encoder refuses.
    """
    codec, format, alpha_format = KINDS[suffix]
    if grey and suffix == ".png":
        format = "gray"
    elif frame.alpha is not None:
        if alpha_format is None:
            raise OptionError(f"a {suffix} image cannot hold transparency; write .png or .webp")
        format = alpha_format
    if codec == "mjpeg":
        qscale = round(WORST_QSCALE + (BEST_QSCALE - WORST_QSCALE) * quality / 100)
        return encode_image(frame, codec, "yuvj420p" if frame.format is PixelFormat.I420 else format, {}, qscale)
    return encode_image(frame, codec, format, {"quality": str(quality)} if codec == "libwebp" else {})


def encode_image(frame: Frame, codec: str, format: str, options: dict[str, str], quality: int | None = None) -> bytes:
    """A still as the bytes of a file.

    Args:
        frame: the picture.
        codec: FFmpeg encoder: `png`, `mjpeg` or `libwebp`.
        format: pixel format the encoder gets; `yuvj` formats become BT.601, as JPEG is,
            and `gray` is the luma as it stands.
        options: of the encoder.
        quality: quantiser scale of mjpeg, 2 (best) to 31.

    Raises:
        SinkError: the encoder refuses.
    """
    import av
    from av.error import FFmpegError

    if format == "gray":
        picture = grey_av(frame)
    elif format.startswith("yuvj"):
        picture = convert(
            to_av(frame), format, frame.matrix, frame.range, to_matrix=ColorMatrix.BT601, to_range=ColorRange.FULL
        )
    else:
        picture = to_av(frame, format)
    try:
        encoder: Any = av.CodecContext.create(codec, "w")
        encoder.width, encoder.height, encoder.pix_fmt = picture.width, picture.height, format
        encoder.time_base = Fraction(1, 25)  # an encoder wants one; a still has no time
        encoder.options = options
        if quality is not None:
            encoder.qmin = encoder.qmax = quality
        picture.pts, picture.time_base = 0, encoder.time_base
        return b"".join(bytes(packet) for packet in (*encoder.encode(picture), *encoder.encode(None)))
    except (FFmpegError, ValueError) as exc:
        raise SinkError(f"FFmpeg's {codec} encoder refused a {frame.size} picture: {reason(exc)}") from exc
