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
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from livematte._frame import ColorMatrix, ColorRange, PixelFormat, Planes, Size, plane_sizes
from livematte.kernels import reference

HERE = Path(__file__).resolve().parent
INDEX, ARRAYS = HERE / "vectors.json", HERE / "vectors.bin"

TYPES = {"u8": np.dtype("<u1"), "i16": np.dtype("<i2"), "f32": np.dtype("<f4")}
LAYOUTS = (PixelFormat.I420, PixelFormat.I444, PixelFormat.RGB)
COLOURS = tuple((matrix, range_) for matrix in ColorMatrix for range_ in ColorRange)
"""In the order of enum lm_colour."""

Array = npt.NDArray[Any]
Given = dict[str, list[Array]]


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


# --- inputs ------------------------------------------------------------------------------------


def noise(height: int, width: int, seed: int) -> npt.NDArray[np.uint8]:
    """White noise 0-255, from an integer hash (the finaliser of MurmurHash3)."""
    v = np.arange(height * width, dtype=np.uint64) + np.uint64(seed * 0x9E3779B1)
    for shift, factor in ((16, 0x85EBCA6B), (13, 0xC2B2AE35), (16, 1)):
        v = ((v ^ (v >> np.uint64(shift))) * np.uint64(factor)) & np.uint64(0xFFFFFFFF)
    return (v >> np.uint64(24)).astype(np.uint8).reshape(height, width)


def picture(height: int, width: int, seed: int) -> npt.NDArray[np.uint8]:
    """A ramp, a block and a little noise: what planes of a video look like."""
    y, x = np.mgrid[:height, :width]
    ramp = (200 * x // max(width, 2) + 90 * y // max(height, 2) + 40 * seed) % 256
    block = (x > width // 3) & (x < 2 * width // 3) & (y > height // 4)
    level = np.where(block, 255 - ramp, ramp) + (noise(height, width, seed).astype(np.int64) >> 4)
    return np.clip(level, 0, 255).astype(np.uint8)


def planes_of(size: Size, layout: PixelFormat, seed: int = 1, wild: bool = False) -> Planes:
    make = noise if wild else picture
    return tuple(make(s.height, s.width, seed + k) for k, s in enumerate(plane_sizes(size, layout)))  # type: ignore[return-value]


def person(height: int, width: int) -> npt.NDArray[np.uint8]:
    """An ellipse of 255 with a soft rim in 0, uint8; single pixels have 128."""
    y, x = np.mgrid[:height, :width]
    far = (400 * (2 * x - width + 1) ** 2) // width**2 + (300 * (2 * y - height + 1) ** 2) // height**2
    return np.clip(128 + (120 - far) * (1 if min(height, width) == 1 else 3), 0, 255).astype(np.uint8)


def unit(values: Array) -> npt.NDArray[np.float32]:
    """Bytes as float32 in 0-1."""
    return values.astype(np.float32) / np.float32(255)


def padded(array: Array, padding: int = 5) -> Array:
    """The same samples with rubbish between the rows."""
    height, width = array.shape
    wide = np.full((height, width + padding), 0xA5, array.dtype)
    wide[:, :width] = array
    return wide[:, :width]


def every_padded(planes: Planes) -> list[Array]:
    return [padded(p, 5 + 2 * k) for k, p in enumerate(planes)]


# --- cases -------------------------------------------------------------------------------------

Case = tuple[str, str, dict[str, Any], Given]
"""Kernel, what is odd about the case, arguments, arrays."""

TINY = (Size(1, 1), Size(2, 2), Size(3, 5), Size(7, 1), Size(1, 6))
SMALL, ODD, WIDE = Size(16, 10), Size(51, 27), Size(300, 2)
"""WIDE fills the longest vectors several times over and leaves a rest."""


def colour_cases() -> Iterator[Case]:
    corners = np.array([[r, g, b] for r in (0, 255) for g in (0, 255) for b in (0, 255)], np.uint8).reshape(2, 12)
    extremes = [
        np.array(np.meshgrid((0, 16, 128, 235, 255), (0, 16, 128, 240, 255), (0, 16, 128, 240, 255)), np.uint8)[k]
        .transpose(2, 0, 1)
        .reshape(5, 25)
        .copy()
        for k in (1, 0, 2)
    ]
    for k in range(4):
        for layout in (0, 1):
            args = {"layout": layout, "colour": k}
            yield "lm_rgb_to_planes", "corners of the cube", args, {"rgb": [corners]}
            yield "lm_rgb_to_planes", "odd", args, {"rgb": [noise(5, 3 * 33, 2)]}
            planes = every_padded(planes_of(Size(33, 5), LAYOUTS[layout], 3, True))
            yield "lm_planes_to_rgb", "odd", args, {"planes": planes}
        yield "lm_planes_to_rgb", "every extreme", {"layout": 1, "colour": k}, {"planes": extremes}
    for size in (*TINY, WIDE):
        for layout in range(3):
            args = {"layout": layout, "colour": size.width % 4}
            yield "lm_rgb_to_planes", str(size), args, {"rgb": [noise(size.height, 3 * size.width, 5)]}
            yield "lm_planes_to_rgb", str(size), args, {"planes": list(planes_of(size, LAYOUTS[layout], 6, True))}
            for order in range(2):
                yield (
                    "lm_rgba_to_planes",
                    str(size),
                    {**args, "order": order},
                    {"rgba": [padded(noise(size.height, 4 * size.width, 8))]},
                )
        yield "lm_split_chroma", str(size), {}, {"uv": [padded(noise(size.height, 2 * size.width, 9))]}
        yield "lm_halve", str(size), {}, {"planes": [padded(noise(size.height, size.width, 10))]}
        yield "lm_luma", str(size), {}, {"planes": every_padded(planes_of(size, PixelFormat.RGB, 7, True))}


def relight_cases() -> Iterator[Case]:
    for layout, format in enumerate(LAYOUTS):
        for colour, gains in enumerate(((4096, 4096, 4096), (4847, 4300, 3427), (3427, 3800, 4847), (0, 32767, 9000))):
            args = {"layout": layout, "colour": colour, "gains": gains}
            yield "lm_relight", "odd", args, {"planes": every_padded(planes_of(Size(33, 5), format, 3, True))}
        for size in (Size(1, 1), Size(3, 5), WIDE):
            args = {"layout": layout, "colour": size.width % 4, "gains": (4500, 4096, 3600)}
            yield "lm_relight", str(size), args, {"planes": list(planes_of(size, format, 6, True))}


def downscale_cases() -> Iterator[Case]:
    pairs = [
        (ODD, SMALL),
        (SMALL, Size(23, 14)),
        (SMALL, SMALL),
        (ODD, Size(1, 1)),
        (WIDE, Size(64, 2)),
        (Size(1, 1), SMALL),
    ]
    for source, to in (*pairs, *((s, Size(4, 3)) for s in TINY)):
        plane = padded(noise(source.height, source.width, 8))
        yield "lm_downscale", f"{source} to {to}", {"size": to}, {"planes": [plane]}
    white = np.full((27, 51), 255, np.uint8)
    yield "lm_downscale", "white", {"size": SMALL}, {"planes": [white]}
    long = np.broadcast_to(noise(1, 4099, 9), (2053, 4099))
    yield "lm_downscale", "sums beyond 32 bits", {"size": Size(9, 4)}, {"planes": [long]}
    for layout in range(3):
        for colour in range(4 if layout < 2 else 1):
            args = {"layout": layout, "colour": colour, "size": Size(8, 5), "planar": colour & 1}
            given = {"planes": every_padded(planes_of(Size(33, 17), LAYOUTS[layout], 10, True))}
            yield "lm_downscale_rgb", "odd", args, given
        for size, to in ((Size(1, 1), Size(3, 2)), (Size(3, 5), Size(2, 2)), (WIDE, Size(35, 2))):
            args = {"layout": layout, "colour": 2, "size": to, "planar": 1}
            yield "lm_downscale_rgb", str(size), args, {"planes": list(planes_of(size, LAYOUTS[layout], 11))}


def temporal_cases() -> Iterator[Case]:
    alpha, before = unit(noise(3, 67, 12)), unit(noise(3, 67, 13))
    before[1] = alpha[1] + (before[1] - np.float32(0.5)) / np.float32(8)
    before[2, :20] = alpha[2, :20]
    luma, moved = picture(3, 67, 70).astype(np.float32), np.float32(2) * unit(noise(3, 67, 71))
    for name, change in (("still", 0), ("moving", 4), ("another scene", 64)):
        then = luma + (noise(3, 67, 72).astype(np.float32) - np.float32(128)) * np.float32(change / 32)
        given = {"alpha": [alpha], "luma": [luma], "before": [before], "luma_before": [then], "moved": [moved]}
        yield "lm_temporal", name, {}, given
        yield "lm_temporal", f"{name}, one pixel", {}, {k: [v[0][:1, :1].copy()] for k, v in given.items()}
    odd = np.array([[np.nan, np.inf, 1e-9], [1.0, 0.0, np.nan]], np.float32)
    one = np.ones((2, 3), np.float32)
    given = {"alpha": [odd], "luma": [one], "before": [one * np.float32(0.5)], "luma_before": [one], "moved": [one]}
    yield "lm_temporal", "NaN and infinity", {}, given


def matte_cases() -> Iterator[Case]:
    soft = unit(person(10, 18))
    small = [np.concatenate([picture(10, 18, 16 + k) for k in range(3)]).astype(np.float32)]
    for layout in range(3):
        every = ((1, 1, 1.0), (2, 2, 1.84), (1, 3, 2.2), (2, 4, 1.5), (1, 16, 1.0))
        for reduce, radius, gain in every[1 if layout else 0 : 2 if layout == 1 else None]:
            args = {"layout": layout, "reduce": reduce, "radius": radius, "epsilon": 4e-3, "gain": gain}
            yield "lm_guided", f"radius {radius}", args, {"small": small, "alpha": [soft]}
    flat = np.float32(100) + soft * np.float32(2)
    args = {"layout": 1, "reduce": 1, "radius": 3, "epsilon": 1e-7, "gain": 2.2}
    for name, light in (("steepest", flat), ("steepest down", np.float32(255) - flat)):
        yield "lm_guided", name, args, {"small": [np.concatenate([light, light, flat])], "alpha": [soft]}
    for height, width in ((1, 1), (5, 3), (1, 9), (6, 1)):
        wild = noise(3 * height, width, 17).astype(np.float32)
        given = {"small": [wild], "alpha": [unit(noise(height, width, 18))]}
        args = {"layout": width % 3, "reduce": 1, "radius": 3, "epsilon": 1e-3, "gain": 1.5}
        yield "lm_guided", f"{width}x{height}", args, given
    missing = np.where(noise(10, 18, 19) > 128, soft, np.float32(np.nan))
    args = {"layout": 0, "reduce": 2, "radius": 2, "epsilon": 4e-3, "gain": 1.84}
    yield "lm_guided", "NaN", args, {"small": small, "alpha": [missing]}

    extreme = np.where(noise(12, 5, 19) & 1, np.int16(8191), np.int16(-8191)).astype(np.int16)
    usual = ((noise(24, 11, 21).astype(np.int16) - 128) * 20).astype(np.int16)
    for layout, format in enumerate(LAYOUTS):
        lines = reference.guided(small[0].reshape(3, 10, 18), format, soft, 2, 2, 4e-3, 1.84).reshape(-1, 9)
        for size in (Size(1, 1), Size(3, 5), ODD):
            given = {"lines": [extreme], "planes": every_padded(planes_of(size, format, 23, True))}
            yield "lm_apply_guided", f"extreme slopes {size}", {"layout": layout}, given
        given = {"lines": [lines], "planes": every_padded(planes_of(ODD, format, 16))}
        yield "lm_apply_guided", "of a guided filter", {"layout": layout}, given
        for size in (Size(11, 6), Size(11, 9), Size(5, 4), WIDE):
            given = {"lines": [usual], "planes": list(planes_of(size, format, 24, True))}
            yield "lm_apply_guided", f"{size}", {"layout": layout}, given

    soft = unit(person(18, 30))
    odd = np.array([[np.nan, np.inf, -np.inf, 2.0], [0.5, np.nan, -1.0, 1e-9]], np.float32)
    yield "lm_upsample", "NaN and infinity", {"size": Size(9, 5)}, {"alpha": [odd]}
    yield "lm_upsample", "NaN and infinity, same size", {"size": Size(4, 2)}, {"alpha": [odd]}
    yield "lm_upsample", "NaN alone", {"size": Size(7, 5)}, {"alpha": [np.full((2, 3), np.nan, np.float32)]}
    for name, value in (("nobody", 0.0), ("all person", 1.0)):
        yield "lm_upsample", name, {"size": Size(21, 9)}, {"alpha": [np.full((4, 6), value, np.float32)]}
    for size in (*TINY, ODD, WIDE, Size(30, 18), Size(30, 23), Size(13, 18)):
        yield "lm_upsample", str(size), {"size": size}, {"alpha": [soft]}
    yield "lm_upsample", "from one pixel", {"size": Size(9, 4)}, {"alpha": [np.full((1, 1), 0.3, np.float32)]}
    yield "lm_upsample", "far", {"size": WIDE}, {"alpha": [unit(noise(2, 2, 25))]}


def people_cases() -> Iterator[Case]:
    islands = np.where(noise(9, 13, 14) > 150, unit(noise(9, 13, 15)), np.float32(0)).astype(np.float32)
    checks = (np.indices((5, 7)).sum(0) % 2).astype(np.float32)
    two = np.zeros((12, 20), np.float32)
    two[2:10, 2:8], two[3:9, 12:17], two[1:11, 11], two[0, 19] = 1.0, 0.75, 0.05, 0.09
    joined, alone, nobody = two.copy(), two.copy(), np.zeros_like(two)
    joined[5:7, 8:12], alone[:, 9:] = 0.5, 0
    moved, far = np.roll(two, 3, 1), np.roll(two, 9, 1)
    sick = np.where(islands > 0.9, np.float32(np.nan), islands).astype(np.float32)
    limits = {"step": 0.125, "leave": 0.5, "enter": 0.75}

    pixel = np.full((1, 1), 0.5, np.float32)
    for name, alpha in (("islands", islands), ("NaN", sick)):
        yield "lm_who_stays", name, {"step": 1.0, "leave": 0.3, "enter": 0.4}, {"alpha": [alpha]}
    yield "lm_who_stays", "one pixel", limits, {"alpha": [pixel]}
    for name, clip in (
        ("comes and moves", (alone, two, moved, far)),
        ("comes beside a smaller one", (two - alone, two)),
        ("touches and parts", (two, joined, two)),
        ("disappears for a frame", (two, nobody, two)),
        ("islands after islands", (islands, np.roll(islands, 1, 0))),
        ("checks after checks", (checks, 1 - checks, np.ones_like(checks))),
    ):
        before = None
        for index, alpha in enumerate(clip):
            given = {"alpha": [alpha], **({} if before is None else {"before": list(before)})}
            yield "lm_who_stays", f"{name}, frame {index}", limits, given
            before = reference.who_stays(alpha, before, *limits.values())[1:]

    star = [(0.5, 0.05), (0.2, 0.95), (0.95, 0.35), (0.05, 0.35), (0.8, 0.95)]
    for name, corners in (
        ("left half, along the border", [(0, 0), (0.5, 0), (0.5, 1), (0, 1)]),
        ("whole picture", [(0, 0), (1, 0), (1, 1), (0, 1)]),
        ("star", star),
        ("double point", [(0.1, 0.1), (0.1, 0.1), (0.9, 0.2), (0.4, 0.9)]),
        ("a line", [(0.1, 0.1), (0.9, 0.9), (0.5, 0.5)]),
        ("many corners", [(k % 7 / 8 + 0.05, k % 11 / 12 + 0.05) for k in range(64)]),
    ):
        for size in (Size(1, 1), Size(9, 13)):
            args = {"size": size, "inset": 1.0, "soft": 2.0}
            yield "lm_zone", f"{name} {size}", args, {"corners": [np.array(corners, np.float32)]}


def light_cases() -> Iterator[Case]:
    for about, rgb in (
        ("ramp", unit(picture(6, 33, 70))),
        ("dark", unit(noise(6, 33, 71)) * np.float32(0.4)),
        ("darkest", unit(noise(3, 33, 72)) * np.float32(0.02)),
        ("black but for a lamp", np.where(np.arange(99).reshape(3, 33) < 6, np.float32(1), np.float32(0))),
        ("white", np.ones((3, 3), np.float32)),
    ):
        for planar in (0, 1):
            yield "lm_gain", about, {"planar": planar}, {"rgb": [rgb]}


def room_cases() -> Iterator[Case]:
    height, width = 13, 17
    room = unit(np.dstack([picture(height, width, 60 + k) for k in range(3)]).reshape(height, 3 * width))
    body = unit(person(height, width))
    unsure = np.clip(body * np.float32(0.9) + unit(noise(height, width, 63)) * np.float32(0.3), 0, 1).astype(np.float32)
    unsure[body == 0] *= np.float32(0.1)
    unsure[0, 0] = np.nan
    light = room * np.float32(0.75) + np.float32(0.05)
    shown = np.repeat(body, 3, 1)
    frame = light + shown * (unit(noise(height, 3 * width, 64)) - light)
    moved = np.roll(frame, 9, 1)
    for name, rgb, before in (
        ("first", frame, -1.0),
        ("rising", frame, 0.5),
        ("off, and still", frame, 0.0),
        ("moved", moved, 1.0),
        ("moved a little, and off", np.where(shown > 0, frame, frame * np.float32(0.5) + moved * np.float32(0.5)), 0.0),
    ):
        given = {"rgb": [rgb.astype(np.float32)], "room": [room], "alpha": [unsure]}
        yield "lm_room", name, {"before": before, "step": 0.125}, given
    plain = np.full((height, 3 * width), 0.5, np.float32)
    yield "lm_room", "plain wall", {"before": 1.0, "step": 1.0}, {"rgb": [frame], "room": [plain], "alpha": [unsure]}
    for name, alpha in (("all person", 1.0), ("nobody", 0.0)):
        given = {"rgb": [room], "room": [room], "alpha": [np.full((height, width), alpha, np.float32)]}
        yield "lm_room", name, {"before": -1.0, "step": 1.0}, given
    one, other = room[:1, :3].copy(), room[1:2, :3].copy()
    for value in (0.0, 0.5):
        given = {"rgb": [one], "room": [other], "alpha": [np.full((1, 1), value, np.float32)]}
        yield "lm_room", "one pixel", {"before": -1.0, "step": 1.0}, given


def alphas(size: Size) -> dict[str, npt.NDArray[np.uint8]]:
    shape = (size.height, size.width)
    return {
        "person": person(*shape),
        "nobody": np.zeros(shape, np.uint8),
        "all person": np.full(shape, 255, np.uint8),
        "noise": noise(*shape, 26),
    }


def plate_cases() -> Iterator[Case]:
    for layout, format in enumerate(LAYOUTS):
        planes = every_padded(planes_of(ODD, format, 30))
        for name, alpha in alphas(ODD).items():
            args = {"layout": layout, "reduce": 4, "sigma": 1.7}
            yield "lm_blur_plate", name, args, {"planes": planes, "alpha": [alpha]}
            if layout == 0:
                disc = {"layout": layout, "reduce": 4, "radius": 5.2}
                yield "lm_bokeh_plate", name, disc, {"planes": planes, "alpha": [alpha]}
            if layout == 0 or name == "person":
                yield "lm_foreground", name, args, {"planes": planes, "alpha": [alpha]}
        for reduce, sigma in ((2, 0.2), (2, 2.9), (8, 1.6), (16, 1.1), (4, 20.0)):
            args = {"layout": layout, "reduce": reduce, "sigma": sigma}
            yield "lm_blur_plate", "grid", args, {"planes": planes, "alpha": [person(27, 51)]}
        for reduce, radius in ((2, 0.4), (4, 3.4), (8, 9.0), (16, 40.0)):
            args = {"layout": layout, "reduce": reduce, "radius": radius}
            yield "lm_bokeh_plate", "grid", args, {"planes": planes, "alpha": [person(27, 51)]}
        for size in (*TINY, WIDE):
            small = list(planes_of(size, format, 33, True))
            alpha = person(size.height, size.width)
            args = {"layout": layout, "reduce": 2 if size.width % 2 else 16, "sigma": 1.3}
            yield "lm_blur_plate", str(size), args, {"planes": small, "alpha": [alpha]}
            disc = {"layout": layout, "reduce": 2, "radius": 2.6}
            yield "lm_bokeh_plate", str(size), disc, {"planes": small, "alpha": [alpha]}
            yield "lm_foreground", str(size), args, {"planes": small, "alpha": [alpha]}
        for reduce in (2, 8):
            args = {"layout": layout, "reduce": reduce, "sigma": 0.8}
            wild = list(planes_of(Size(35, 19), format, 36, True))
            yield "lm_foreground", "noise", args, {"planes": wild, "alpha": [noise(19, 35, 37)]}


def composite_cases() -> Iterator[Case]:
    for layout, format in enumerate(LAYOUTS):
        full = PixelFormat.RGB if format is PixelFormat.RGB else PixelFormat.I444
        size = Size(33, 17)
        own = every_padded(planes_of(size, format, 40, True))
        plates = {
            "a plate of the same size": every_padded(planes_of(size, format, 43, True)),
            "a small plate": every_padded(planes_of(Size(9, 5), full, 46, True)),
            "a plate of one pixel": list(planes_of(Size(1, 1), full, 49, True)),
        }
        for name, alpha in alphas(size).items():
            given = {"planes": own, "alpha": [alpha], "plate": plates["a small plate"]}
            yield "lm_composite", name, {"layout": layout}, given
        for name, plate in plates.items():
            alpha = person(size.height, size.width)
            args = {"layout": layout, "reduce": 4, "sigma": 0.9, "strength": 0.7}
            yield "lm_wrap_map", name, args, {"planes": plate, "alpha": [alpha]}
            light, share = reference.wrap_map(tuple(plate), format, alpha, 4, 0.9, 0.7)  # type: ignore[arg-type]
            given = {"planes": own, "alpha": [alpha], "plate": plate}
            yield "lm_composite", name, {"layout": layout}, given
            given = {**given, "light": list(light), "wrap": [share]}
            yield "lm_composite", f"{name}, wrapped light", {"layout": layout}, given
        for small in (*TINY, WIDE):
            alpha = noise(small.height, small.width, 52)
            plate = list(planes_of(Size(min(small.width, 2), min(small.height, 2)), full, 53, True))
            args = {"layout": layout, "reduce": 2, "sigma": 0.5, "strength": 1.0}
            yield "lm_wrap_map", str(small), args, {"planes": plate, "alpha": [alpha]}
            light, share = reference.wrap_map(tuple(plate), format, alpha, 2, 0.5, 1.0)  # type: ignore[arg-type]
            planes = list(planes_of(small, format, 56, True))
            given = {"planes": planes, "alpha": [alpha], "plate": plate, "light": list(light), "wrap": [share]}
            yield "lm_composite", str(small), {"layout": layout}, given


def crop_cases() -> Iterator[Case]:
    for left, top, side in ((0, 0, 32768), (32768, 32768, 32768), (9876, 12345, 50000), (0, 1, 65535), (0, 0, 65536)):
        yield "lm_crop", "odd", {"window": (left, top, side)}, {"planes": [padded(noise(9, 25, 60))]}
    for size in (*TINY, WIDE):
        args = {"window": (20000, 7000, 40001)}
        yield "lm_crop", str(size), args, {"planes": [noise(size.height, size.width, 61)]}


def cases() -> Iterator[Case]:
    yield from colour_cases()
    yield from relight_cases()
    yield from downscale_cases()
    yield from temporal_cases()
    yield from matte_cases()
    yield from people_cases()
    yield from light_cases()
    yield from room_cases()
    yield from plate_cases()
    yield from composite_cases()
    yield from crop_cases()


# --- the files ---------------------------------------------------------------------------------


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
