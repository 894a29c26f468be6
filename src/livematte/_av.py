"""Frames to and from PyAV: the only file, beside sources and sinks, that knows FFmpeg's frames.

What comes in as 8-bit planar 4:2:0, 4:4:4 or RGB is looked at where it lies; everything
else goes through FFmpeg's scaler once. `docs/formats.md` has the table.
"""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import av
import numpy as np
from av.error import FFmpegError
from av.video.reformatter import Colorspace, VideoReformatter

from livematte._errors import FrameError
from livematte._frame import MAX_SIDE_PX, U8, ColorMatrix, ColorRange, Frame, PixelFormat, Planes, Size

# AVColorSpace, AVColorRange, AVColorTransferCharacteristic, AVColorPrimaries (libavutil/pixfmt.h)
SPC_BT709, SPC_UNSPECIFIED, SPC_SMPTE170M, SPC_YCGCO = 1, 2, 6, 8
SPC_BT601 = (4, 5, 6)
SPC_BT2020 = (9, 10)
RANGE_LIMITED, RANGE_FULL = 1, 2
TRC_BT709, TRC_HDR = 1, (16, 18)  # PQ and HLG
PRI_BT709, PRI_BT2020 = 1, 9

HD_HEIGHT_PX = 720
"""Untagged video of this height or more is BT.709, below BT.601: what encoders and players assume."""

DIRECT = {
    "yuv420p": PixelFormat.I420,
    "yuvj420p": PixelFormat.I420,
    "yuv444p": PixelFormat.I444,
    "yuvj444p": PixelFormat.I444,
    "gbrp": PixelFormat.RGB,
}
"""Pixel formats whose planes are used where they lie."""

NATIVE = {PixelFormat.I420: "yuv420p", PixelFormat.I444: "yuv444p", PixelFormat.RGB: "gbrp"}
NATIVE_ALPHA = {PixelFormat.I420: "yuva420p", PixelFormat.I444: "yuva444p", PixelFormat.RGB: "gbrap"}

_MATRIX = {ColorMatrix.BT601: Colorspace.ITU601, ColorMatrix.BT709: Colorspace.ITU709}
SWS_BT2020 = 9
"""SWS_CS_BT2020; PyAV names it only from version 18 on."""

# SWS_BICUBIC, _FULL_CHR_H_INT, _FULL_CHR_H_INP, _ACCURATE_RND, _BITEXACT (libswscale/swscale.h);
# as numbers, because PyAV names the last four only from version 18 on
_EXACT = 4 | 0x2000 | 0x4000 | 0x40000 | 0x80000
"""Interpolated chroma, rounding to nearest and the same result on every processor."""

_QUICK = 2
"""SWS_BILINEAR: for cameras, whose every frame is converted, at a quarter of the exact one's time."""

_GBR = (2, 0, 1)
"""Where FFmpeg's G, B, R planes hold R, G and B."""

QUARTER_TURNS = (5, 6, 7, 8)
"""Orientations that swap width and height."""


def from_av(frame: av.VideoFrame) -> Frame:
    """A frame from PyAV, not copied where its pixel format is one of `DIRECT`.

    The views hold on to the decoder's buffer and are read-only. 4:4:4 of more bits
    becomes I444, any other YUV I420, grey I420 with neutral chroma, RGB and palettes RGB;
    alpha is composed over black. HDR (PQ, HLG) and BT.2020 become BT.709: what is
    brighter than its white is clipped.

    Raises:
        FrameError: YCgCo, or larger than `MAX_SIDE_PX`.
    """
    if not (1 <= frame.width <= MAX_SIDE_PX and 1 <= frame.height <= MAX_SIDE_PX):
        raise FrameError(f"a frame must be 1x1 to {MAX_SIDE_PX}x{MAX_SIDE_PX}, got {frame.width}x{frame.height}")
    matrix, range = _color(frame)
    pts = 0 if frame.pts is None else frame.pts
    unit: Any = frame.time_base  # a Fraction, or from PyAV 19 on much like one
    time_base = Fraction(unit.numerator, unit.denominator) if unit else Fraction(1, 1000)
    name = frame.format.name
    if name.startswith("gray") and name[4:5] != "f":
        planes = _grey_planes(frame, full=frame.color_range != RANGE_LIMITED)
        range = ColorRange.LIMITED if frame.color_range == RANGE_LIMITED else ColorRange.FULL
        return Frame(planes, PixelFormat.I420, matrix, range, pts, time_base)
    if _is_wide(frame):
        frame, matrix, range = _to_bt709(frame), ColorMatrix.BT709, ColorRange.LIMITED
    elif name not in DIRECT:
        frame = convert(frame, _nearest(frame), matrix, range)
    if frame.format.name == "gbrap":
        return Frame(_over_black(frame), PixelFormat.RGB, matrix, ColorRange.FULL, pts, time_base)
    format = DIRECT[frame.format.name]
    order = _GBR if format is PixelFormat.RGB else (0, 1, 2)
    y, u, v = (view(frame, index) for index in order)
    return Frame((y, u, v), format, matrix, range, pts, time_base)


def from_camera(frame: av.VideoFrame, reformatter: VideoReformatter) -> Frame:
    """An I420 frame of limited range and the matrix that its size suggests, in one quick pass.

    Raises:
        FrameError: as `from_av`.
    """
    matrix, range = _color(frame)
    wanted = ColorMatrix.BT709 if frame.height >= HD_HEIGHT_PX else ColorMatrix.BT601
    plain = frame.format.name == "yuv420p" and (matrix, range) == (wanted, ColorRange.LIMITED)
    if plain or _is_wide(frame) or frame.format.name.startswith("gray"):
        return from_av(frame)
    to: dict[str, Any] = {"to_matrix": wanted, "to_range": ColorRange.LIMITED}
    return from_av(convert(frame, "yuv420p", matrix, range, reformatter=reformatter, interpolation=_QUICK, **to))


def to_av(frame: Frame, format: str | None = None) -> av.VideoFrame:
    """A frame for PyAV; every plane is copied once.

    Args:
        frame: its alpha, if any, becomes an alpha plane.
        format: FFmpeg pixel format; None is yuv420p, yuv444p or gbrp, with alpha
            yuva420p, yuva444p or gbrap. RGB becomes limited-range YUV of the frame's
            matrix, full-range in the `yuvj` formats. A format without alpha drops it.
    """
    names = NATIVE if frame.alpha is None else NATIVE_ALPHA
    native = names[frame.format]
    out = av.VideoFrame(frame.size.width, frame.size.height, native)
    order = _GBR if frame.format is PixelFormat.RGB else (0, 1, 2)
    for index, plane in zip(order, frame.planes, strict=True):
        _fill(out, index, plane)
    if frame.alpha is not None:
        _fill(out, 3, frame.alpha)
    out.pts = frame.pts
    out.time_base = frame.time_base
    _tag(out, frame.matrix, frame.range)
    if format is None or format == native:
        return out
    to_rgb = av.VideoFormat(format).is_rgb
    range = frame.range
    if to_rgb or format.startswith("yuvj"):
        range = ColorRange.FULL
    elif frame.format is PixelFormat.RGB:
        range = ColorRange.LIMITED
    out = convert(out, format, frame.matrix, frame.range, to_range=range)
    if frame.alpha is not None:
        _fill_deep_alpha(out, frame.alpha)
    return out


def convert(
    frame: av.VideoFrame,
    format: str,
    matrix: ColorMatrix,
    range: ColorRange,
    *,
    size: Size | None = None,
    to_matrix: ColorMatrix | None = None,
    to_range: ColorRange | None = None,
    reformatter: VideoReformatter | None = None,
    interpolation: int = _EXACT,
) -> av.VideoFrame:
    """FFmpeg's scaler with every colour named, so that it guesses nothing.

    Args:
        frame: whatever it is tagged, the next two count.
        format: pixel format of the result.
        matrix: of the frame's code values.
        range: of the frame's code values.
        size: None keeps the size.
        to_matrix: of the result; None keeps the matrix.
        to_range: of the result; None keeps the range. RGB is always full.
        reformatter: one to use again for frames of the same kind.
        interpolation: SWS flags.
    """
    to_matrix = to_matrix or matrix
    to_range = ColorRange.FULL if av.VideoFormat(format).is_rgb else to_range or range
    out = (reformatter or VideoReformatter()).reformat(
        frame,
        width=size.width if size else None,
        height=size.height if size else None,
        format=format,
        src_colorspace=_MATRIX[matrix],
        dst_colorspace=_MATRIX[to_matrix],
        interpolation=interpolation,
        src_color_range=RANGE_FULL if range is ColorRange.FULL else RANGE_LIMITED,
        dst_color_range=RANGE_FULL if to_range is ColorRange.FULL else RANGE_LIMITED,
    )
    _tag(out, to_matrix, to_range)
    return out


def view(frame: av.VideoFrame, index: int, dtype: Any = np.uint8) -> Any:
    """One plane as an array (h, w), read-only, that keeps the frame alive."""
    plane = frame.planes[index]
    rows = _rows(plane, dtype)[:, : plane.width]
    if plane.line_size < 0:  # a picture stored bottom-up
        rows = rows[::-1]
    rows.flags.writeable = False
    return rows


def orientation(frame: av.VideoFrame) -> int:
    """How a decoded frame has to be turned to stand upright, as EXIF numbers it (1, 3, 6 or 8).

    Mirroring is not told: that would take `frame.side_data`, which in PyAV up to 18.1
    frees the items' metadata a second time and so crashes on pictures with a colour
    profile, and keeps frames alive until the garbage collector comes round.
    """
    return {0: 1, -90: 6, 90: 8, 180: 3, -180: 3}.get(frame.rotation, 1)


def turn(frame: Frame, orientation: int) -> Frame:
    """The frame upright; a copy unless `orientation` (EXIF, 1-8) is 1.

    With an odd side and I420 the last chroma sample changes sides: half a pixel of shift.
    """
    if orientation == 1:
        return frame
    y, u, v = (_turned(plane, orientation) for plane in frame.planes)
    return frame.with_planes((y, u, v), None if frame.alpha is None else _turned(frame.alpha, orientation))


def fit(
    frame: Frame,
    size: Size,
    format: PixelFormat,
    matrix: ColorMatrix,
    range: ColorRange,
    reformatter: VideoReformatter | None = None,
) -> Frame:
    """The frame's middle, scaled to cover `size`, in the layout and colour asked for.

    What the wider side has too much of is cut off equally on both ends (to 2 pixels
    where chroma is half size). Alpha is dropped.
    """
    cropped = to_av(_crop(frame, size))
    out = convert(
        cropped,
        NATIVE[format],
        frame.matrix,
        frame.range,
        size=size,
        to_matrix=matrix,
        to_range=range,
        reformatter=reformatter,
    )
    fitted = from_av(out)
    return Frame(fitted.planes, format, matrix, range, frame.pts, frame.time_base)


def alpha_frame(alpha: U8, pts: int, time_base: Fraction) -> Frame:
    """An alpha (h, w) as a grey picture: luma is the alpha, full range, no colour.

    Written as PNG the code values are the alpha's. In a video they are tagged full
    range and are what the encoder's loss leaves of them.
    """
    height, width = alpha.shape
    neutral = np.full(((height + 1) // 2, (width + 1) // 2), 128, np.uint8)
    return Frame((alpha, neutral, neutral), PixelFormat.I420, ColorMatrix.BT709, ColorRange.FULL, pts, time_base)


def grey_av(frame: Frame) -> av.VideoFrame:
    """The first plane alone, as FFmpeg's `gray`."""
    out = av.VideoFrame(frame.size.width, frame.size.height, "gray")
    _fill(out, 0, frame.planes[0])
    out.color_range = RANGE_FULL
    return out


def reason(exc: BaseException) -> str:
    """Why, in the words of the system or FFmpeg, on one line."""
    if isinstance(exc, StopIteration):
        return "it holds no picture"
    if isinstance(exc, IndexError):
        return "it holds no video"
    return str(getattr(exc, "strerror", None) or exc).strip().replace("\n", " ")


def _color(frame: av.VideoFrame) -> tuple[ColorMatrix, ColorRange]:
    if frame.colorspace == SPC_YCGCO:
        raise FrameError("the video is YCgCo, which is not supported; convert it first, as with ffmpeg -vf format=gbrp")
    if frame.colorspace in SPC_BT601:
        matrix = ColorMatrix.BT601
    elif frame.colorspace == SPC_BT709:
        matrix = ColorMatrix.BT709
    else:
        matrix = ColorMatrix.BT709 if frame.height >= HD_HEIGHT_PX else ColorMatrix.BT601
    full = frame.color_range == RANGE_FULL or frame.format.name.startswith("yuvj") or frame.format.is_rgb
    return matrix, ColorRange.FULL if full else ColorRange.LIMITED


def _is_wide(frame: av.VideoFrame) -> bool:
    if frame.format.is_rgb or frame.format.has_palette:
        return False
    return frame.colorspace in SPC_BT2020 or frame.color_trc in TRC_HDR or frame.color_primaries == PRI_BT2020


def _to_bt709(frame: av.VideoFrame) -> av.VideoFrame:
    """BT.2020, PQ and HLG as 8-bit BT.709, by FFmpeg's colour management.

    Builds of FFmpeg whose scaler has none (before 7.1) change the matrix only: such
    video looks pale, but right in form.
    """
    range = RANGE_FULL if frame.color_range == RANGE_FULL else RANGE_LIMITED
    target = "yuv444p" if _nearest(frame) == "yuv444p" else "yuv420p"
    common: dict[str, Any] = {
        "format": target,
        "src_colorspace": SWS_BT2020 if frame.colorspace in SPC_BT2020 else Colorspace.ITU709,
        "dst_colorspace": Colorspace.ITU709,
        "src_color_range": range,
        "dst_color_range": RANGE_LIMITED,
        "interpolation": _EXACT,
    }
    try:
        out = VideoReformatter().reformat(frame, **common, dst_color_trc=TRC_BT709, dst_color_primaries=PRI_BT709)
    except (FFmpegError, TypeError):
        out = VideoReformatter().reformat(frame, **common)
    return out


def _nearest(frame: av.VideoFrame) -> str:
    format = frame.format
    components = format.components
    if any(component.is_alpha for component in components) or format.name == "pal8":
        return "gbrap"
    if format.is_rgb or format.is_bayer or format.has_palette:
        return "gbrp"
    whole_chroma = len(components) >= 3 and (format.chroma_width(8), format.chroma_height(8)) == (8, 8)
    return "yuv444p" if whole_chroma else "yuv420p"


def _grey_planes(frame: av.VideoFrame, *, full: bool) -> Planes:
    """Grey of 8 to 16 bits, rounded to 8 without dither."""
    bits = frame.format.components[0].bits
    if bits == 8:
        luma = view(frame, 0)
    else:
        deep = view(frame, 0, np.dtype(">u2" if frame.format.name.endswith("be") else "<u2")).astype(np.uint32)
        top = (1 << bits) - 1
        luma = (deep * 255 + top // 2) // top if full else np.minimum((deep + (1 << (bits - 9))) >> (bits - 8), 255)
        luma = luma.astype(np.uint8)
    neutral = np.full(((frame.height + 1) // 2, (frame.width + 1) // 2), 128, np.uint8)
    return luma, neutral, neutral


def _over_black(frame: av.VideoFrame) -> Planes:
    alpha = view(frame, 3).astype(np.uint16)
    r, g, b = (((view(frame, i) * alpha + 127) // 255).astype(np.uint8) for i in _GBR)
    return r, g, b


def _tag(frame: av.VideoFrame, matrix: ColorMatrix, range: ColorRange) -> None:
    if frame.format.is_rgb:
        frame.colorspace, frame.color_range = 0, RANGE_FULL
        return
    frame.colorspace = SPC_BT709 if matrix is ColorMatrix.BT709 else SPC_SMPTE170M
    frame.color_range = RANGE_FULL if range is ColorRange.FULL else RANGE_LIMITED


def _fill(frame: av.VideoFrame, index: int, plane: Any) -> None:
    rows = _rows(frame.planes[index], plane.dtype)
    np.copyto(rows[:, : plane.shape[1]], plane)


def _rows(plane: Any, dtype: Any) -> Any:
    """A plane's memory with the padding of its rows; holds on to the plane and its frame."""
    return np.frombuffer(plane, dtype).reshape(plane.height, -1)


def _fill_deep_alpha(frame: av.VideoFrame, alpha: U8) -> None:
    """Alpha of more than 8 bits with 255 as its very top; the scaler would leave 1020 of 1023."""
    components = frame.format.components
    bits = components[-1].bits
    if len(frame.planes) == 4 and 8 < bits <= 16 and frame.format.name.endswith("le"):
        deep = alpha.astype(np.uint16)
        _fill(frame, 3, (deep << (bits - 8)) | (deep >> (16 - bits)))


def _turned(plane: U8, orientation: int) -> U8:
    if orientation in QUARTER_TURNS:
        plane = plane.T
    if orientation in (2, 3, 6, 7):
        plane = plane[:, ::-1]
    if orientation in (3, 4, 7, 8):
        plane = plane[::-1]
    return np.ascontiguousarray(plane)


def _crop(frame: Frame, size: Size) -> Frame:
    """The largest middle part of the aspect of `size`, as views."""
    width, height = frame.size
    shift = frame.format.chroma_shift
    wide = width * size.height > height * size.width
    keep_w = min(width, max(1, round(height * size.width / size.height))) if wide else width
    keep_h = height if wide else min(height, max(1, round(width * size.height / size.width)))
    left = (width - keep_w) // 2 >> shift << shift
    top = (height - keep_h) // 2 >> shift << shift
    parts = []
    for index, plane in enumerate(frame.planes):
        s = shift if index else 0
        x, y = left >> s, top >> s
        parts.append(plane[y : y + ((keep_h + s) >> s), x : x + ((keep_w + s) >> s)])
    return Frame((parts[0], parts[1], parts[2]), frame.format, frame.matrix, frame.range, frame.pts, frame.time_base)
