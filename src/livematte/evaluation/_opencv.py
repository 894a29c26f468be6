"""The one place where OpenCV is imported."""

from __future__ import annotations

from typing import Any

from livematte._errors import MissingExtra


def opencv() -> Any:
    """The module `cv2`.

    Raises:
        MissingExtra: OpenCV is not installed.
    """
    try:
        import cv2
    except ImportError as exc:
        raise MissingExtra('evaluation needs OpenCV: pip install "livematte[bench]"') from exc
    return cv2
