"""The kernels in plain NumPy: what the compiled ones must equal bit for bit.

Slow and short. Floats are float32 and are added in the order that `kernels/*.c` adds
them in. The page docs/spec/kernels.md says the same in words.
"""

from __future__ import annotations

from livematte.kernels._reference_matte import FROM_RGB, apply_guided, guided, room, temporal, upsample, who_stays, zone
from livematte.kernels._reference_planes import (
    KR_KB,
    crop,
    downscale,
    downscale_rgb,
    gain,
    halve,
    luma,
    planes_to_rgb,
    relight,
    rgb_to_planes,
    rgba_to_planes,
    split_chroma,
)
from livematte.kernels._reference_plates import UNSEEN, blur_plate, bokeh_plate, composite, foreground, wrap_map

VARIANT = "reference"

__all__ = [
    "FROM_RGB",
    "KR_KB",
    "UNSEEN",
    "VARIANT",
    "apply_guided",
    "blur_plate",
    "bokeh_plate",
    "composite",
    "crop",
    "downscale",
    "downscale_rgb",
    "foreground",
    "gain",
    "guided",
    "halve",
    "luma",
    "planes_to_rgb",
    "relight",
    "rgb_to_planes",
    "rgba_to_planes",
    "room",
    "split_chroma",
    "temporal",
    "upsample",
    "who_stays",
    "wrap_map",
    "zone",
]
