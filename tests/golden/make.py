"""Golden vectors: what every build of the kernels must give, bit for bit.

    python tests/golden/make.py          write vectors.json and vectors.bin beside this file

The inputs are made from integers alone, so that no generator of another NumPy changes
them; the outputs come from `livematte.kernels.reference`. `vectors.json` has a case a
line: the kernel, its small arguments, and where in `vectors.bin` its arrays lie. An array
is `[type, place in bytes, height, width, padding, rows]`: `padding` bytes of rubbish are
to be laid between rows of an input (not stored), and `rows`, if not 0, repeats a single
stored row that often with a stride of 0. Types are u8, i16 and f32, little endian.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from livematte._frame import Size
from livematte.kernels import reference

HERE = Path(__file__).resolve().parent
INDEX, ARRAYS = HERE / "vectors.json", HERE / "vectors.bin"

sys.path.insert(0, str(HERE))
from golden_cases import cases  # noqa: E402  beside this file, wherever it is run from
from golden_inputs import COLOURS, LAYOUTS, Array, Given, padded  # noqa: E402

TYPES = {"u8": np.dtype("<u1"), "i16": np.dtype("<i2"), "f32": np.dtype("<f4")}


def call(backend: Any, kernel: str, args: dict[str, Any], given: Given) -> list[Array]:
    """Run one case on `reference` or on a `compiled` module."""
    layout = LAYOUTS[args.get("layout", 0)]
    colour = COLOURS[args.get("colour", 0)]
    size = Size(*args["size"]) if "size" in args else Size(1, 1)
    planes: Any = tuple(given.get("planes", ()))
    alpha = given.get("alpha", [None])[0]
    if kernel == "lm_rgb_to_planes":
        height, width = given["rgb"][0].shape
        return list(backend.rgb_to_planes(given["rgb"][0].reshape(height, width // 3, 3), layout, *colour))
    if kernel == "lm_rgba_to_planes":
        height, width = given["rgba"][0].shape
        rgba = np.lib.stride_tricks.as_strided(
            given["rgba"][0], (height, width // 4, 4), (given["rgba"][0].strides[0], 4, 1)
        )
        return list(backend.rgba_to_planes(rgba, bool(args["order"]), layout, *colour))
    if kernel == "lm_split_chroma":
        return list(backend.split_chroma(given["uv"][0]))
    if kernel == "lm_halve":
        return [backend.halve(planes[0])]
    if kernel == "lm_planes_to_rgb":
        rgb = backend.planes_to_rgb(planes, layout, *colour)
        return [rgb.reshape(rgb.shape[0], -1)]
    if kernel == "lm_luma":
        return [backend.luma(planes)]
    if kernel == "lm_relight":
        return list(backend.relight(planes, layout, *colour, tuple(args["gains"])))
    if kernel == "lm_downscale":
        return [backend.downscale(planes[0], size)]
    if kernel == "lm_downscale_rgb":
        rgb, small = backend.downscale_rgb(planes, layout, *colour, size, bool(args["planar"]))
        return [rgb.reshape(-1, size.width if args["planar"] else 3 * size.width), small.reshape(-1, size.width)]
    if kernel == "lm_gain":
        height, width = given["rgb"][0].shape
        shape = (3, height // 3, width) if args["planar"] else (height, width // 3, 3)
        return [backend.gain(given["rgb"][0].reshape(shape), bool(args["planar"]))]
    if kernel == "lm_temporal":
        return list(backend.temporal(alpha, *(given[name][0] for name in ("luma", "before", "luma_before", "moved"))))
    if kernel == "lm_who_stays":
        before = tuple(given["before"]) if "before" in given else None
        return list(backend.who_stays(alpha, before, args["step"], args["leave"], args["enter"]))
    if kernel == "lm_zone":
        return [backend.zone(given["corners"][0], size, args["inset"], args["soft"])]
    if kernel == "lm_room":
        height, width = alpha.shape
        rgb, room = (given[name][0].reshape(height, width, 3) for name in ("rgb", "room"))
        return list(backend.room(rgb, room, alpha, args["before"], args["step"]))
    if kernel == "lm_guided":
        small = given["small"][0].reshape(3, *alpha.shape)
        lines = backend.guided(small, layout, alpha, *(args[name] for name in ("reduce", "radius", "epsilon", "gain")))
        return [lines.reshape(-1, lines.shape[2])]
    if kernel == "lm_apply_guided":
        lines = given["lines"][0]
        return [backend.apply_guided(lines.reshape(4, -1, lines.shape[1]), planes, layout)]
    if kernel == "lm_upsample":
        return [backend.upsample(alpha, size)]
    if kernel == "lm_blur_plate":
        return list(backend.blur_plate(planes, layout, alpha, args["reduce"], args["sigma"]))
    if kernel == "lm_bokeh_plate":
        return list(backend.bokeh_plate(planes, layout, alpha, args["reduce"], args["radius"]))
    if kernel == "lm_foreground":
        return list(backend.foreground(planes, layout, alpha, args["reduce"], args["sigma"]))
    if kernel == "lm_crop":
        return [backend.crop(planes[0], *args["window"])]
    if kernel == "lm_wrap_map":
        light, share = backend.wrap_map(planes, layout, alpha, args["reduce"], args["sigma"], args["strength"])
        return [*light, share]
    if kernel == "lm_composite":
        light = (tuple(given["light"]), given["wrap"][0]) if "light" in given else None
        return list(backend.composite(planes, layout, alpha, tuple(given["plate"]), light))
    raise ValueError(f"no kernel {kernel}")


@dataclass
class _Store:
    """Bytes of arrays, equal ones once."""

    parts: list[bytes] = field(default_factory=list)
    places: dict[bytes, int] = field(default_factory=dict)
    end: int = 0

    def add(self, array: Array) -> list[Any]:
        kind = next(name for name, dtype in TYPES.items() if dtype == array.dtype)
        height, width = array.shape
        repeated = height > 1 and array.strides[0] == 0
        padding = 0 if repeated or height == 1 else array.strides[0] // array.itemsize - width
        samples = np.ascontiguousarray(array[:1] if repeated else array, TYPES[kind]).tobytes()
        if samples not in self.places:
            self.places[samples] = self.end
            self.parts.append(samples + b"\0" * (-len(samples) % 4))
            self.end += len(self.parts[-1])
        return [kind, self.places[samples], 1 if repeated else height, width, padding, height if repeated else 0]


def make() -> tuple[str, bytes]:
    """The index and the arrays as they are committed."""
    store = _Store()
    lines = []
    for kernel, about, args, given in cases():
        out = call(reference, kernel, args, given)
        case = {
            "kernel": kernel,
            "about": about,
            "args": args,
            "in": {name: [store.add(a) for a in arrays] for name, arrays in given.items()},
            "out": [store.add(np.ascontiguousarray(a)) for a in out],
        }
        lines.append(json.dumps(case, separators=(",", ":")))
    return "[\n" + ",\n".join(lines) + "\n]\n", b"".join(store.parts)


def _array(place: list[Any], data: bytes) -> Array:
    kind, at, height, width, padding, rows = place
    array = np.frombuffer(data, TYPES[kind], height * width, at).reshape(height, width)
    if rows:
        return np.broadcast_to(array, (rows, width))
    return padded(array, padding) if padding else array


def read() -> Iterator[tuple[str, str, dict[str, Any], Given, list[Array]]]:
    """The committed cases: kernel, what it is about, arguments, inputs, outputs."""
    data = ARRAYS.read_bytes()
    for case in json.loads(INDEX.read_text(encoding="utf-8")):
        given = {name: [_array(a, data) for a in arrays] for name, arrays in case["in"].items()}
        yield case["kernel"], case["about"], case["args"], given, [_array(a, data) for a in case["out"]]


if __name__ == "__main__":
    index, arrays = make()
    INDEX.write_text(index, encoding="utf-8", newline="\n")
    ARRAYS.write_bytes(arrays)
    print(f"{index.count(chr(10)) - 2} cases, {len(index) + len(arrays)} bytes")
