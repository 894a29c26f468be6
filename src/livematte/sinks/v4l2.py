"""A camera of Linux by v4l2loopback: its device takes frames, and other programs see a camera.

Source: the kernel's Video for Linux API, include/uapi/linux/videodev2.h, "Video Output Interface": QUERYCAP,
S_FMT, S_PARM and write().
"""

from __future__ import annotations

import contextlib
import errno
import os
import re
import struct
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from types import TracebackType

import numpy as np

from livematte._errors import SinkError
from livematte._frame import U8, ColorMatrix, Frame, Size
from livematte._stages import StreamInfo
from livematte.sinks._camera import Steady, yuyv

LOAD = 'sudo modprobe v4l2loopback devices=1 exclusive_caps=1 card_label="Livematte"'
"""Makes a device; `exclusive_caps` lets browsers take it for a camera."""

SYSFS = Path("/sys/class/video4linux")
"""Where the kernel lists video devices."""

POINTER_BYTES = struct.calcsize("P")

CAPABILITY = struct.Struct("=16s32s32s6I")
"""v4l2_capability: driver, card, bus_info; version, capabilities, device_caps, 3 reserved."""

FORMAT = struct.Struct("=I" + ("4x" if POINTER_BYTES == 8 else "") + "12I152x")
"""v4l2_format: type; a union of 200 bytes, aligned as a pointer, with v4l2_pix_format in it: width, height,
pixelformat, field, bytesperline, sizeimage, colorspace, priv, flags, ycbcr_enc, quantization, xfer_func."""

PARAMETERS = struct.Struct("=I6I4I160x")
"""v4l2_streamparm: type; a union of 200 bytes with v4l2_outputparm in it: capability, outputmode, timeperframe
(numerator, denominator), extendedmode, writebuffers, 4 reserved."""


def _request(direction: int, number: int, size: int) -> int:
    """_IOC(direction, 'V', number, size) of asm-generic/ioctl.h."""
    return direction << 30 | size << 16 | ord("V") << 8 | number


READ, WRITE_READ = 2, 3
QUERYCAP = _request(READ, 0, CAPABILITY.size)
G_FMT = _request(WRITE_READ, 4, FORMAT.size)
S_FMT = _request(WRITE_READ, 5, FORMAT.size)
S_PARM = _request(WRITE_READ, 22, PARAMETERS.size)

OUTPUT = 2
"""V4L2_BUF_TYPE_VIDEO_OUTPUT, and the bit of V4L2_CAP_VIDEO_OUTPUT."""

OF_THIS_NODE = 0x80000000
"""V4L2_CAP_DEVICE_CAPS: `device_caps` tells what this node can do."""

PROGRESSIVE = 1
"""V4L2_FIELD_NONE."""

EXTENDED = 0xFEEDCAFE
"""V4L2_PIX_FMT_PRIV_MAGIC: the fields after `priv` count."""

COLOURS = {ColorMatrix.BT601: (1, 1), ColorMatrix.BT709: (3, 2)}
"""V4L2_COLORSPACE_SMPTE170M and _REC709; V4L2_YCBCR_ENC_601 and _709."""

LIMITED = 2
"""V4L2_QUANTIZATION_LIM_RANGE."""

YU12, YUYV = (int.from_bytes(code, "little") for code in (b"YU12", b"YUYV"))
"""Planar 4:2:0, which most programs take, and packed 4:2:2."""

DEFAULT_FPS = Fraction(30)


class Kernel:
    """The four calls that a video device is driven by."""

    def open(self, path: str) -> int:
        """Open a device; a write to it never waits."""
        return os.open(path, os.O_RDWR | os.O_NONBLOCK)

    def ioctl(self, file: int, request: int, argument: bytearray) -> None:
        """Ask the driver; its answer is left in `argument`."""
        import fcntl

        fcntl.ioctl(file, request, argument, True)

    def write(self, file: int, data: bytes) -> int:
        """Hand over one picture; how many bytes were taken."""
        return os.write(file, data)

    def close(self, file: int) -> None:
        """Give the device back."""
        os.close(file)


@dataclass(frozen=True, slots=True)
class Layout:
    """What the device takes: pixel format, size, and bytes from row to row of its first plane."""

    pixels: int
    size: Size
    stride: int


class V4L2:
    """A v4l2loopback device. `write()` never waits; a frame that the device has no room for is dropped.

    Args:
        device: a path (`/dev/video7`), its number, or the label of its card; None is the first v4l2loopback device.
        source_info: of the source, for the rate.
        kernel: what devices are driven by.

    Raises:
        SinkError: no such device; says how to make one.
    """

    def __init__(
        self, device: str | None = None, *, source_info: StreamInfo | None = None, kernel: Kernel | None = None
    ) -> None:
        self._kernel = kernel or Kernel()
        self.path = find(device, self._kernel)
        self.address = self.path
        self.notes: list[str] = []
        self.dropped = 0
        self._fps = (source_info.fps if source_info else None) or DEFAULT_FPS
        self._file: int | None = None
        self._layout: Layout | None = None
        self._steady = Steady()

    def __enter__(self) -> V4L2:
        try:
            self._file = self._kernel.open(self.path)
            card = capability(self._file, self._kernel)[1]
        except OSError as exc:
            self._close()
            raise SinkError(cannot_open(self.path, exc)) from exc
        except SinkError:
            self._close()
            raise
        self.address = f"the camera {card!r}, {self.path}"
        self.notes.append(f"the camera {card!r} was {self.path}")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._close()

    def write(self, frame: Frame) -> None:
        if self._file is None:
            raise SinkError("the device is not open: write inside `with`")
        picture = self._steady(frame)
        if self._layout is None:
            self._layout = self._agree(picture)
            if self._layout.size != picture.size:
                self._steady = Steady(size=self._layout.size)
                picture = self._steady(frame)
        data = picture_bytes(picture, self._layout)
        try:
            taken = self._kernel.write(self._file, data)
        except BlockingIOError:
            self.dropped += 1
            return
        except OSError as exc:
            raise SinkError(f"{self.path} takes no more frames: {exc.strerror}; was the module unloaded?") from exc
        if taken != len(data):
            raise SinkError(f"{self.path} took {taken} of a picture's {len(data)} bytes; is it a v4l2loopback device?")

    def _agree(self, picture: Frame) -> Layout:
        """Tell the driver what comes; what it makes of that counts."""
        if self._file is None:
            raise SinkError("the device is not open: write inside `with`")
        space, encoding = COLOURS[picture.matrix]
        size = picture.size
        for pixels, stride, image in (
            (YU12, size.width, size.width * size.height * 3 // 2),
            (YUYV, 2 * size.width, 2 * size.width * size.height),
        ):
            wanted = (*size, pixels, PROGRESSIVE, stride, image, space, EXTENDED, 0, encoding, LIMITED, 0)
            answer = bytearray(FORMAT.pack(OUTPUT, *wanted))
            try:
                self._kernel.ioctl(self._file, S_FMT, answer)
            except OSError as exc:
                if exc.errno != errno.EBUSY:  # EINVAL: not this pixel format
                    continue
                answer = bytearray(FORMAT.pack(OUTPUT, *[0] * 12))  # somebody reads it: it stays as it is
                with contextlib.suppress(OSError):
                    self._kernel.ioctl(self._file, G_FMT, answer)
            _, width, height, got, _, rows, *_ = FORMAT.unpack(answer)
            if got in {YU12, YUYV} and width > 0 and height > 0 and width % 2 == height % 2 == 0:
                self._tell_rate()
                return Layout(got, Size(width, height), max(rows, width * (2 if got == YUYV else 1)))
        raise SinkError(
            f"{self.path} takes neither YU12 nor YUYV pictures of {size}; close the programs that use it, or set its "
            f"format free: v4l2loopback-ctl set-caps {self.path} any"
        )

    def _tell_rate(self) -> None:
        answer = bytearray(PARAMETERS.pack(OUTPUT, 0, 0, self._fps.denominator, self._fps.numerator, 0, 0, 0, 0, 0, 0))
        with contextlib.suppress(OSError):  # a driver may not care
            self._kernel.ioctl(self._file or 0, S_PARM, answer)

    def _close(self) -> None:
        if self._file is not None:
            file, self._file = self._file, None
            self._layout = None
            self._kernel.close(file)


def capability(file: int, kernel: Kernel) -> tuple[str, str]:
    """Driver and card of a device that takes pictures.

    Raises:
        SinkError: it takes none.
        OSError: it is no video device.
    """
    answer = bytearray(CAPABILITY.size)
    kernel.ioctl(file, QUERYCAP, answer)
    driver, card, _, _, whole, node, *_ = CAPABILITY.unpack(answer)
    if not (node if whole & OF_THIS_NODE else whole) & OUTPUT:
        raise SinkError(f"{_text(card)!r} is a camera that takes no pictures; a v4l2loopback device does: {LOAD}")
    return _text(driver), _text(card)


def find(device: str | None, kernel: Kernel) -> str:
    """Path of the device that is meant.

    Raises:
        SinkError: there is none, or none may be written; says what to do.
    """
    if device is not None and "/" in device:
        return device
    nodes = sorted(SYSFS.glob("video*"), key=lambda node: int(re.sub(r"\D", "", node.name) or 0))
    if device is not None:
        if device.isdigit():
            return f"/dev/video{device}"
        for node in nodes:
            if _label(node) == device:
                return f"/dev/{node.name}"
        there = ", ".join(filter(None, map(_label, nodes))) or "none"
        raise SinkError(f"no video device is labelled {device!r}; there are: {there}; make one: {LOAD}")
    refused = []
    for node in nodes:
        path = f"/dev/{node.name}"
        try:
            file = kernel.open(path)
        except OSError as exc:
            refused.append(cannot_open(path, exc))
            continue
        try:
            if "loopback" in capability(file, kernel)[0]:
                return path
        except (OSError, SinkError):
            continue  # a camera, or busy
        finally:
            kernel.close(file)
    if refused:
        raise SinkError(refused[0])
    raise SinkError(f"there is no v4l2loopback device; install v4l2loopback-dkms and make one: {LOAD}")


def picture_bytes(picture: Frame, layout: Layout) -> bytes:
    """An I420 frame of the layout's size as the device's bytes."""
    if layout.pixels == YUYV:
        return _rows(yuyv(picture), layout.stride).tobytes()
    strides = (layout.stride, layout.stride // 2, layout.stride // 2)
    return b"".join(_rows(plane, stride).tobytes() for plane, stride in zip(picture.planes, strides, strict=True))


def cannot_open(path: str, exc: OSError) -> str:
    """Why a device cannot be opened, and what to do."""
    if exc.errno in {errno.ENOENT, errno.ENODEV, errno.ENXIO}:
        return f"there is no device {path}; make one: {LOAD}"
    if exc.errno in {errno.EACCES, errno.EPERM}:
        return f"{path} may not be written by this user; join the group video: sudo usermod -aG video $USER, and log in"
    if exc.errno == errno.EBUSY:
        return f"another program writes to {path}; close it, or make a second device with devices=2"
    return f"{path} is no video device: {exc.strerror}"


def _rows(plane: U8, stride: int) -> U8:
    missing = stride - plane.shape[1]
    return np.pad(plane, ((0, 0), (0, missing))) if missing > 0 else plane


def _label(node: Path) -> str:
    try:
        return (node / "name").read_text(encoding="utf-8", errors="replace").strip()
    except OSError:
        return ""


def _text(field: bytes) -> str:
    return field.split(b"\0")[0].decode(errors="replace")


def create(argument: str | None, *, source_info: StreamInfo | None = None, kernel: Kernel | None = None) -> V4L2:
    """`v4l2:`, `v4l2:/dev/video7`, `v4l2:7` or `v4l2:LABEL`."""
    return V4L2(argument or None, source_info=source_info, kernel=kernel)
