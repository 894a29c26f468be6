"""Still images, read by FFmpeg from memory: a name is never taken for a pattern or an address."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

from livematte._av import SPC_SMPTE170M, SPC_UNSPECIFIED, convert, from_av, orientation, reason, to_av, turn
from livematte._errors import OpenError
from livematte._frame import Frame, PixelFormat
from livematte.sources._exif import exif_orientation


def read_image(path: str | Path, *, keep_broken: bool = False) -> Frame:
    """A still image as an RGB frame, upright by its EXIF orientation.

    The first picture of an animation; alpha is composed over black.

    Args:
        path: of the file.
        keep_broken: take what a damaged file still shows.

    Raises:
        OpenError: missing, unreadable, damaged, or not an image.
    """
    try:
        data = Path(path).read_bytes()
    except OSError as exc:
        raise OpenError(f"cannot read the image {path}: {reason(exc)}") from exc
    return decode_image(data, str(path), keep_broken=keep_broken)


def decode_image(
    data: bytes, what: str, max_pixels: int | None = None, format: str | None = None, *, keep_broken: bool = False
) -> Frame:
    """A still image that is in memory, as `read_image` gives it.

    Args:
        data: bytes of a file of any format FFmpeg reads.
        what: it is, for the message.
        max_pixels: FFmpeg refuses a larger one before it takes memory for it.
        format: FFmpeg's demuxer; None lets it find out.
        keep_broken: take what a damaged file still shows.

    Raises:
        OpenError: not an image, damaged, or too large a one.
    """
    import av
    from av.error import FFmpegError

    limit: dict[str, str] = {"max_pixels": str(max_pixels)} if max_pixels else {}
    # Without it FFmpeg fills what is missing of a JPEG with one colour and calls it a success.
    strict: dict[str, str] = {} if keep_broken else {"err_detect": "explode"}
    options: Any = [limit] if limit else None
    try:
        opened: Any = av.open(io.BytesIO(data), format=format, stream_options=options)
        with opened as container:
            for stream in container.streams.video:
                stream.codec_context.options = {**limit, **strict}
            decoded = next(container.decode(video=0))
            if decoded.colorspace == SPC_UNSPECIFIED and container.format.name.startswith(("webp", "jpeg")):
                decoded.colorspace = SPC_SMPTE170M  # both are BT.601 at any size (JFIF; RFC 9649)
            upright = exif_orientation(data) or orientation(decoded)
            frame = from_av(decoded)
    except (FFmpegError, StopIteration, IndexError) as exc:
        most = f", of up to {max_pixels / 1e6:g} million pixels" if max_pixels else ""
        raise OpenError(f"{what} is not an image FFmpeg can read{most}, or is damaged: {reason(exc)}") from exc
    if frame.format is not PixelFormat.RGB:
        frame = from_av(convert(to_av(frame), "gbrp", frame.matrix, frame.range))
    return turn(Frame(frame.planes, PixelFormat.RGB), upright)
