"""The virtual cameras of OBS and Unity Capture on Windows and macOS, through pyvirtualcam.

pyvirtualcam is under the GPL-2.0 and no part of this package: the extra `virtualcam` brings it.
"""

from __future__ import annotations

from fractions import Fraction
from types import TracebackType
from typing import Any

import numpy as np

from livematte._errors import MissingExtra, SinkError
from livematte._frame import Frame
from livematte._stages import StreamInfo
from livematte.sinks._camera import Steady, planar_bytes

DEFAULT_FPS = Fraction(30)
"""Told to readers where the source knows no rate."""


class PyVirtualCam:
    """A camera that pyvirtualcam finds, of the first frame's size.

    Args:
        device: as pyvirtualcam names it ("OBS Virtual Camera"); None is the first.
        source_info: of the source, for the rate.

    Raises:
        MissingExtra: pyvirtualcam is not installed.
    """

    def __init__(self, device: str | None = None, *, source_info: StreamInfo | None = None) -> None:
        try:
            import pyvirtualcam
        except ImportError as exc:
            raise MissingExtra(
                'this camera needs pyvirtualcam; run: pip install "livematte[virtualcam]" (it is under the GPL-2.0)'
            ) from exc
        self._module: Any = pyvirtualcam
        self._device = device
        self._fps = (source_info.fps if source_info else None) or DEFAULT_FPS
        self._steady = Steady()
        self._camera: Any = None
        self._open = False
        self.address: str | None = None
        self.notes: list[str] = []

    def __enter__(self) -> PyVirtualCam:
        self._open = True
        return self

    def __exit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._open = False
        if self._camera is not None:
            camera, self._camera = self._camera, None
            camera.close()

    def write(self, frame: Frame) -> None:
        if not self._open:
            raise SinkError("the camera is not open: write inside `with`")
        picture = self._steady(frame)
        width, height = picture.size
        try:
            if self._camera is None:
                self._camera = self._module.Camera(
                    width, height, float(self._fps), fmt=self._module.PixelFormat.I420, device=self._device
                )
                self.address = f"the camera {self._camera.device!r}"
                self.notes.append(f"the camera was {self._camera.device}")
            self._camera.send(np.frombuffer(planar_bytes(picture), np.uint8).reshape(height * 3 // 2, width))
        except (RuntimeError, ValueError, OSError) as exc:
            reason = str(exc).strip().replace("\n", "; ")
            raise SinkError(
                f"pyvirtualcam cannot offer a camera: {reason}; install OBS Studio, start its virtual camera once, "
                "and stop it again"
            ) from exc


def create(argument: str | None, *, source_info: StreamInfo | None = None) -> PyVirtualCam:
    """`pyvirtualcam:`, or `pyvirtualcam:DEVICE`."""
    return PyVirtualCam(argument or None, source_info=source_info)
