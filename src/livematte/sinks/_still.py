"""Still images as bytes."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

from livematte._av import convert, reason, to_av
from livematte._errors import SinkError
from livematte._frame import ColorMatrix, ColorRange, Frame


def encode_image(frame: Frame, codec: str, format: str, options: dict[str, str], quality: int | None = None) -> bytes:
    """A still as the bytes of a file.

    Args:
        frame: the picture.
        codec: FFmpeg encoder: `png`, `mjpeg` or `libwebp`.
        format: pixel format the encoder gets; `yuvj` formats become BT.601, as JPEG is.
        options: of the encoder.
        quality: quantiser scale of mjpeg, 2 (best) to 31.

    Raises:
        SinkError: the encoder refuses.
    """
    import av
    from av.error import FFmpegError

    picture = to_av(frame, format)
    if format.startswith("yuvj"):
        picture = convert(
            to_av(frame), format, frame.matrix, frame.range, to_matrix=ColorMatrix.BT601, to_range=ColorRange.FULL
        )
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
