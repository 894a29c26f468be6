"""Devices and programs that a test machine lacks, as far as the outputs of a live stream know them."""

from __future__ import annotations

import errno
import json
import struct
import types

FAKE_NODES = [
    {
        "id": 40,
        "type": "PipeWire:Interface:Node",
        "info": {
            "props": {
                "media.class": "Video/Source",
                "node.name": "fake",
                "node.description": "A fake",
                "object.serial": 77,
            },
            "params": {"EnumFormat": [{"mediaType": "video", "mediaSubtype": "raw"}]},
        },
    }
]


def fake_programs(folder, size=(64, 48), frames=4):
    """gst-launch-1.0 and what goes with it, as shell scripts: one camera called `fake` that ends, and a camera node
    that takes everything. What was taken, and with which arguments, is in `taken` and `arguments` of the folder."""
    width, height = size
    clip = f"YUV4MPEG2 C420 W{width} H{height} Ip F30:1 A1:1\n".encode()
    for index in range(frames):
        clip += b"FRAME\n" + bytes([16 + index]) * (width * height) + b"\x80" * (2 * ((width // 2) * (height // 2)))
    (folder / "clip").write_bytes(clip)
    (folder / "graph").write_text(json.dumps(FAKE_NODES))
    scripts = {
        "gst-launch-1.0": f"""
            printf '%s\\n' "$@" > "{folder}/arguments"
            case "$*" in
                *fdsrc*) exec cat > "{folder}/taken" ;;
                *) exec cat "{folder}/clip" ;;
            esac""",
        "gst-inspect-1.0": "exit 0",
        "pw-dump": f'exec cat "{folder}/graph"',
    }
    for name, script in scripts.items():
        (folder / name).write_text("#!/bin/sh\n" + script)
        (folder / name).chmod(0o755)


class FakeKernel:
    """A v4l2loopback device as the kernel's header describes the calls; records them in order.

    Args:
        formats: pixel formats it takes.
        size: the one it insists on; None takes what is asked for.
        padding: bytes it wants at the end of each row.
        capabilities: of the node; 2 is V4L2_CAP_VIDEO_OUTPUT, 1 a camera.
        errors: by call (`open`, or the number of an ioctl), what it raises.
    """

    QUERYCAP, G_FMT, S_FMT, S_PARM = 0x80685600, 0xC0D05604, 0xC0D05605, 0xC0CC5616

    def __init__(
        self, formats=(b"YU12", b"YUYV"), size=None, padding=0, capabilities=2, driver=b"v4l2 loopback", errors=None
    ):
        self.formats, self.size, self.padding = formats, size, padding
        self.capabilities, self.driver, self.errors = capabilities, driver, errors or {}
        self.calls, self.pictures = [], []
        self.format = None
        self.full = False

    def fail(self, call):
        if call in self.errors:
            number = self.errors[call]
            raise OSError(number, errno.errorcode[number])

    def open(self, path):
        self.calls.append(("open", path))
        self.fail("open")
        return 5

    def close(self, file):
        assert file == 5
        self.calls.append(("close",))

    def ioctl(self, file, request, argument):
        assert file == 5
        self.calls.append(("ioctl", request, bytes(argument)))
        assert len(argument) == request >> 16 & 0x3FFF  # the size that is part of the number
        self.fail(request)
        if request == self.QUERYCAP:
            argument[0:104] = struct.pack(
                "<16s32s32sIII12x", self.driver, b"Livematte", b"platform", 0x60000, 0x85200003, self.capabilities
            )
        elif request == self.S_FMT:
            kind, width, height, code = struct.unpack_from("<I4xIII", argument)[0:4]
            assert kind == 2
            code = struct.pack("<I", code)
            if code not in self.formats:
                raise OSError(errno.EINVAL, "EINVAL")
            width, height = self.size or (width, height)
            self.set_format(argument, width, height, code)
        elif request == self.G_FMT:
            self.set_format(argument, *(self.size or (64, 48)), self.formats[0])

    def set_format(self, argument, width, height, code):
        stride = width * (2 if code == b"YUYV" else 1) + self.padding
        self.format = (width, height, code, stride)
        struct.pack_into("<II4sIII", argument, 8, width, height, code, 1, stride, stride * height * 3 // 2)

    def write(self, file, data):
        assert file == 5
        assert self.format is not None  # the driver refuses pictures before S_FMT
        self.calls.append(("write", len(data)))
        self.fail("write")
        if self.full:
            raise BlockingIOError(errno.EAGAIN, "EAGAIN")
        self.pictures.append(bytes(data))
        return len(data)


class FakeCamera:
    """pyvirtualcam.Camera, as its documentation has it."""

    made: list = []  # noqa: RUF012

    def __init__(self, width, height, fps, *, fmt, device=None, backend=None):
        self.width, self.height, self.fps, self.fmt = width, height, fps, fmt
        self.device = device or "OBS Virtual Camera"
        self.sent, self.closed = [], False
        FakeCamera.made.append(self)

    def send(self, frame):
        if frame.shape != (self.height * 3 // 2, self.width):
            raise ValueError(f"unexpected frame shape: {frame.shape}")
        self.sent.append(frame.copy())

    def close(self):
        self.closed = True


def fake_pyvirtualcam():
    """The module."""
    module = types.ModuleType("pyvirtualcam")
    module.Camera = FakeCamera
    module.PixelFormat = types.SimpleNamespace(I420="I420")
    FakeCamera.made = []
    return module
