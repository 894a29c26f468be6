"""The compiled kernels through ctypes, which releases the GIL. Same functions as `reference.py`."""

from __future__ import annotations

import ctypes
import os
import sys
import threading
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from livematte._errors import LoadError, OptionError
from livematte._frame import F32, U8, ColorMatrix, ColorRange, PixelFormat, Planes, Size
from livematte.kernels._pool import Pool

I16 = npt.NDArray[np.int16]

FOLDER = Path(__file__).parent / "lib"
LEVELS = ("baseline", "avx2", "avx512")
"""Builds by lm_cpu_level()."""

LAYOUTS = {PixelFormat.I420: 0, PixelFormat.I444: 1, PixelFormat.RGB: 2}


class _Plane(ctypes.Structure):
    _fields_ = (("data", ctypes.c_void_p), ("stride", ctypes.c_ssize_t), ("w", ctypes.c_int32), ("h", ctypes.c_int32))


class _Out(ctypes.Structure):
    _fields_ = (("data", ctypes.c_void_p), ("w", ctypes.c_int32), ("h", ctypes.c_int32))


_PLANE, _OUT = ctypes.POINTER(_Plane), ctypes.POINTER(_Out)
_P, _I, _F = ctypes.c_void_p, ctypes.c_int32, ctypes.c_float

SIGNATURES: dict[str, tuple[Any, ...]] = {
    "lm_rgb_to_planes": (_P, _I, _I, _I, _I, _P, _P, _P),
    "lm_planes_to_rgb": (_PLANE, _I, _I, _P),
    "lm_rgba_to_planes": (_P, _I, _I, _I, _I, _I, _I, _P, _P, _P),
    "lm_split_chroma": (_PLANE, _P, _P),
    "lm_halve": (_PLANE, _P),
    "lm_luma": (_PLANE, _P),
    "lm_relight": (_PLANE, _I, _I, _I, _I, _I, ctypes.POINTER(_P), _P),
    "lm_downscale": (_PLANE, _P, _I, _I, _P),
    "lm_downscale_rgb": (_PLANE, _I, _I, _P, _I, _I, _I, _P, _P),
    "lm_gain": (_P, _I, _I, _P),
    "lm_temporal": (_P, _P, _P, _P, _P, _I, _I, _P, _P, _P),
    "lm_who_stays": (_P, _P, _P, _I, _I, _F, _F, _F, _P, _P, _P, _P),
    "lm_zone": (_P, _I, _I, _I, _F, _F, _P, _P),
    "lm_room": (_P, _P, _P, _I, _I, _F, _F, _P, _P, _P),
    "lm_guided": (_P, _I, _P, _I, _I, _I, _I, _F, _F, _P, _P),
    "lm_apply_guided": (_P, _I, _I, _PLANE, _I, _P, _P),
    "lm_upsample": (_P, _I, _I, _Out, _P),
    "lm_blur_plate": (_PLANE, _I, _P, _I, _F, _OUT, _P),
    "lm_bokeh_plate": (_PLANE, _I, _P, _I, _F, _OUT, _P),
    "lm_foreground": (_PLANE, _I, _P, _I, _F, ctypes.POINTER(_P), _P),
    "lm_wrap_map": (_PLANE, _I, _P, _I, _I, _F, _F, _OUT, _P, _P),
    "lm_crop": (_PLANE, _I, _I, _I, _P, _P),
    "lm_composite": (_PLANE, _I, _P, _PLANE, _PLANE, _PLANE, ctypes.POINTER(_P), _P),
}


def _open() -> tuple[ctypes.CDLL, str]:
    suffix = {"darwin": ".dylib", "win32": ".dll"}.get(sys.platform, ".so")
    found = {name: path for name in LEVELS if (path := FOLDER / f"livematte-{name}{suffix}").exists()}
    if "baseline" not in found:
        raise LoadError(
            f"the compiled kernels are missing from {FOLDER}; install a wheel of livematte for this platform, "
            f"or run `python kernels/build.py` in a checkout"
        )
    try:
        baseline = ctypes.CDLL(str(found["baseline"]))
        runnable = [name for name in LEVELS[: baseline.lm_cpu_level() + 1] if name in found]
        variant = os.environ.get("LIVEMATTE_KERNELS") or runnable[-1]
        if variant not in runnable:
            raise OptionError(
                f"LIVEMATTE_KERNELS must be one of {', '.join([*runnable, 'reference'])} on this processor, "
                f"got {variant!r}"
            )
        library = baseline if variant == "baseline" else ctypes.CDLL(str(found[variant]))
    except OSError as exc:
        raise LoadError(f"the compiled kernels in {FOLDER} do not load on this machine: {exc}") from exc
    for name, arguments in SIGNATURES.items():
        function = getattr(library, name)
        function.argtypes, function.restype = arguments, None
    library.lm_scratch_bytes.argtypes = (_I, _I)
    library.lm_scratch_bytes.restype = ctypes.c_size_t
    return library, variant


_lib, VARIANT = _open()
_pool = Pool()


class _Scratch(threading.local):
    """Working memory of a thread: not state, nothing in it outlives a call."""

    memory = np.empty(0, np.uint8)
    size = (0, 0)
    address = 0


_scratch = _Scratch()


def _work(width: int, height: int) -> int:
    """Address of enough scratch for pictures of this size."""
    if _scratch.size != (width, height):
        needed = _lib.lm_scratch_bytes(width, height) + 64
        if _scratch.memory.size < needed:
            _scratch.memory = np.empty(needed, np.uint8)
        _scratch.size = (width, height)
        _scratch.address = (_address(_scratch.memory) + 63) & ~63
    return _scratch.address


def _address(array: npt.NDArray[Any]) -> int:
    if array.flags.writeable and array.flags.c_contiguous:  # three times as quick as asking NumPy
        return ctypes.addressof(ctypes.c_char.from_buffer(array))  # type: ignore[arg-type,unused-ignore]
    return array.__array_interface__["data"][0]  # type: ignore[no-any-return]


def _plane(array: U8) -> _Plane:
    height, width = array.shape
    return _Plane(_address(array), array.strides[0], width, height)


def _planes(planes: Planes) -> Any:
    return (_Plane * 3)(*map(_plane, planes))


def _pointers(planes: Planes) -> Any:
    return (_P * 3)(*map(_address, planes))


def _outs(planes: Planes) -> Any:
    return (_Out * 3)(*(_Out(_address(p), p.shape[1], p.shape[0]) for p in planes))


def _like(planes: Planes) -> Planes:
    return tuple(_pool.empty(p.shape) for p in planes)  # type: ignore[return-value]


def _colour(matrix: ColorMatrix, range: ColorRange) -> int:
    return 2 * (matrix is ColorMatrix.BT709) + (range is ColorRange.FULL)


def rgb_to_planes(rgb: U8, format: PixelFormat, matrix: ColorMatrix, range: ColorRange) -> Planes:
    height, width, _ = rgb.shape
    shift = format.chroma_shift
    chroma = ((height + shift) >> shift, (width + shift) >> shift)
    planes: Planes = (_pool.empty((height, width)), _pool.empty(chroma), _pool.empty(chroma))
    _lib.lm_rgb_to_planes(_address(rgb), width, height, LAYOUTS[format], _colour(matrix, range), *map(_address, planes))
    return planes


def rgba_to_planes(rgba: U8, bgra: bool, format: PixelFormat, matrix: ColorMatrix, range: ColorRange) -> Planes:
    height, width, _ = rgba.shape
    shift = format.chroma_shift
    chroma = ((height + shift) >> shift, (width + shift) >> shift)
    planes: Planes = (_pool.empty((height, width)), _pool.empty(chroma), _pool.empty(chroma))
    _lib.lm_rgba_to_planes(
        _address(rgba), rgba.strides[0], width, height, bgra, LAYOUTS[format], _colour(matrix, range),
        *map(_address, planes),
    )  # fmt: skip
    return planes


def split_chroma(uv: U8) -> tuple[U8, U8]:
    height, width = uv.shape[0], uv.shape[1] // 2
    u, v = _pool.empty((height, width)), _pool.empty((height, width))
    plane = _Plane(_address(uv), uv.strides[0], width, height)
    _lib.lm_split_chroma(ctypes.byref(plane), _address(u), _address(v))
    return u, v


def halve(plane: U8) -> U8:
    out = _pool.empty(((plane.shape[0] + 1) // 2, (plane.shape[1] + 1) // 2))
    _lib.lm_halve(ctypes.byref(_plane(plane)), _address(out))
    return out


def planes_to_rgb(planes: Planes, format: PixelFormat, matrix: ColorMatrix, range: ColorRange) -> U8:
    rgb = _pool.empty((*planes[0].shape, 3), np.uint8)
    _lib.lm_planes_to_rgb(_planes(planes), LAYOUTS[format], _colour(matrix, range), _address(rgb))
    return rgb


def luma(planes: Planes) -> U8:
    out = _pool.empty(planes[0].shape, np.uint8)
    _lib.lm_luma(_planes(planes), _address(out))
    return out


def relight(
    planes: Planes, format: PixelFormat, matrix: ColorMatrix, range: ColorRange, gains: tuple[int, int, int]
) -> Planes:
    height, width = planes[0].shape
    out = _like(planes)
    _lib.lm_relight(
        _planes(planes), LAYOUTS[format], _colour(matrix, range), *gains, _pointers(out), _work(width, height)
    )
    return out


def downscale(plane: U8, size: Size) -> F32:
    out = _pool.empty((size.height, size.width), np.float32)
    work = _work(max(size.width, plane.shape[1]), max(size.height, plane.shape[0]))
    _lib.lm_downscale(ctypes.byref(_plane(plane)), _address(out), size.width, size.height, work)
    return out


def downscale_rgb(
    planes: Planes, format: PixelFormat, matrix: ColorMatrix, range: ColorRange, size: Size, planar: bool
) -> tuple[F32, F32]:
    out = _pool.empty((3, size.height, size.width) if planar else (size.height, size.width, 3), np.float32)
    height, width = planes[0].shape
    small = _pool.empty((3, size.height, size.width), np.float32)
    _lib.lm_downscale_rgb(
        _planes(planes), LAYOUTS[format], _colour(matrix, range), _address(out), size.width, size.height, planar,
        _address(small), _work(max(2 * size.width, width), max(2 * size.height, height)),
    )  # fmt: skip
    return out, small


def gain(rgb: F32, planar: bool) -> F32:
    out = _pool.empty((1, 1), np.float32)
    _lib.lm_gain(_address(rgb), rgb.size // 3, planar, _address(out))
    return out


def temporal(alpha: F32, luma: F32, before: F32, luma_before: F32, moved: F32) -> tuple[F32, F32]:
    out, motion = _pool.empty(alpha.shape, np.float32), _pool.empty(alpha.shape, np.float32)
    height, width = alpha.shape
    _lib.lm_temporal(
        _address(alpha), _address(luma), _address(before), _address(luma_before), _address(moved), width, height,
        _address(out), _address(motion), _work(2 * width, 2 * height),
    )  # fmt: skip
    return out, motion


def who_stays(
    alpha: F32, before: tuple[F32, F32] | None, step: float, leave: float, enter: float
) -> tuple[F32, F32, F32]:
    out, of, shown = (_pool.empty(alpha.shape, np.float32) for _ in range(3))
    height, width = alpha.shape
    of_before, shown_before = map(_address, before) if before else (None, None)
    _lib.lm_who_stays(
        _address(alpha), of_before, shown_before, width, height, step, leave, enter,
        _address(out), _address(of), _address(shown), _work(2 * width, 2 * height),
    )  # fmt: skip
    return out, of, shown


def zone(corners: F32, size: Size, inset_px: float, soft_px: float) -> F32:
    out = _pool.empty((size.height, size.width), np.float32)
    work = _work(2 * size.width, 2 * size.height)
    _lib.lm_zone(_address(corners), len(corners), size.width, size.height, inset_px, soft_px, _address(out), work)
    return out


def room(rgb: F32, room: F32, alpha: F32, before: float, step: float) -> tuple[F32, F32]:
    height, width = alpha.shape
    out, weight = _pool.empty(alpha.shape, np.float32), _pool.empty((1, 1), np.float32)
    _lib.lm_room(
        _address(rgb), _address(room), _address(alpha), width, height, before, step, _address(out), _address(weight),
        _work(2 * width, 2 * height),
    )  # fmt: skip
    return out, weight


def guided(small: F32, format: PixelFormat, alpha: F32, reduce: int, radius: int, epsilon: float, gain: float) -> I16:
    height, width = alpha.shape
    lines = _pool.empty((4, height // reduce, width // reduce), np.int16)
    _lib.lm_guided(
        _address(small), LAYOUTS[format], _address(alpha), width, height, reduce, radius, epsilon, gain,
        _address(lines), _work(2 * width, 2 * height),
    )  # fmt: skip
    return lines


def apply_guided(lines: I16, planes: Planes, format: PixelFormat) -> U8:
    _, height, width = lines.shape
    out = _pool.empty(planes[0].shape, np.uint8)
    _lib.lm_apply_guided(
        _address(lines), width, height, _planes(planes), LAYOUTS[format], _address(out),
        _work(max(out.shape[1], 2 * width), max(out.shape[0], 2 * height)),
    )  # fmt: skip
    return out


def upsample(alpha: F32, size: Size) -> U8:
    height, width = alpha.shape
    out = _pool.empty((size.height, size.width), np.uint8)
    work = _work(max(size.width, 2 * width), max(size.height, 2 * height))
    _lib.lm_upsample(_address(alpha), width, height, _Out(_address(out), size.width, size.height), work)
    return out


def crop(plane: U8, left: int, top: int, side: int) -> U8:
    height, width = plane.shape
    out = _pool.empty(plane.shape)
    _lib.lm_crop(ctypes.byref(_plane(plane)), left, top, side, _address(out), _work(width, height))
    return out


def blur_plate(planes: Planes, format: PixelFormat, alpha: U8, reduce: int, sigma: float) -> Planes:
    return _plate(_lib.lm_blur_plate, planes, format, alpha, reduce, sigma)


def bokeh_plate(planes: Planes, format: PixelFormat, alpha: U8, reduce: int, radius: float) -> Planes:
    return _plate(_lib.lm_bokeh_plate, planes, format, alpha, reduce, radius)


def _plate(kernel: Any, planes: Planes, format: PixelFormat, alpha: U8, reduce: int, width_cells: float) -> Planes:
    height, width = alpha.shape
    cells = (-(-height // reduce), -(-width // reduce))
    out: Planes = tuple(_pool.empty(cells, np.uint8) for _ in range(3))  # type: ignore[assignment]
    kernel(_planes(planes), LAYOUTS[format], _address(alpha), reduce, width_cells, _outs(out), _work(width, height))
    return out


def foreground(planes: Planes, format: PixelFormat, alpha: U8, reduce: int, sigma: float) -> Planes:
    height, width = alpha.shape
    out = _like(planes)
    _lib.lm_foreground(
        _planes(planes), LAYOUTS[format], _address(alpha), reduce, sigma, _pointers(out), _work(width, height)
    )
    return out


def wrap_map(
    plate: Planes, format: PixelFormat, alpha: U8, reduce: int, sigma: float, strength: float
) -> tuple[Planes, U8]:
    height, width = alpha.shape
    cells = (-(-height // reduce), -(-width // reduce))
    light: Planes = tuple(_pool.empty(cells, np.uint8) for _ in range(3))  # type: ignore[assignment]
    share = _pool.empty(cells, np.uint8)
    _lib.lm_wrap_map(
        _planes(plate), LAYOUTS[format], _address(alpha), width, height, sigma, strength, _outs(light),
        _address(share), _work(width, height),
    )  # fmt: skip
    return light, share


def composite(
    foreground: Planes, format: PixelFormat, alpha: U8, plate: Planes, light: tuple[Planes, U8] | None
) -> Planes:
    height, width = alpha.shape
    out = _like(foreground)
    glow, share = (_planes(light[0]), ctypes.byref(_plane(light[1]))) if light else (None, None)
    _lib.lm_composite(
        _planes(foreground), LAYOUTS[format], _address(alpha), _planes(plate), glow, share, _pointers(out),
        _work(width, height),
    )  # fmt: skip
    return out
