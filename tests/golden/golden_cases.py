"""Golden vectors: what is asked of every kernel, odd sizes and odd values first."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt
from golden_inputs import (
    LAYOUTS,
    ODD,
    SMALL,
    TINY,
    WIDE,
    Case,
    every_padded,
    noise,
    padded,
    person,
    picture,
    planes_of,
    unit,
)

from livematte._frame import PixelFormat, Size
from livematte.kernels import reference


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
