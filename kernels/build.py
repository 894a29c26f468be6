"""Compile the kernels with the Zig toolchain's C compiler (PyPI package `ziglang`).

    python kernels/build.py [--target native] [--out DIR]

Targets are machines to build for; a native build goes where the package looks for it.
"""

from __future__ import annotations

import argparse
import platform
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
PACKAGED = HERE.parent / "src" / "livematte" / "kernels" / "lib"

SOURCES = (
    "common.c", "colour.c", "downscale.c", "matte.c", "people.c", "room.c", "light.c", "blur.c", "composite.c",
    "crop.c",
)  # fmt: skip

FLAGS = ("-std=c11", "-O3", "-Wall", "-Wextra", "-ffp-contract=off", "-fno-math-errno", "-fvisibility=hidden")
"""No contraction: with fused multiply-adds every machine would round differently."""

X86_VARIANTS = {
    "baseline": ("-mcpu=x86_64_v2",),
    "avx2": ("-mcpu=x86_64_v3",),
    "avx512": ("-mcpu=x86_64_v4", "-mprefer-vector-width=512"),
}
"""Chosen at load by lm_cpu_level()."""

TARGETS: dict[str, tuple[str, str, dict[str, tuple[str, ...]]]] = {
    "x86_64-linux": ("x86_64-linux-gnu.2.17", ".so", X86_VARIANTS),
    "aarch64-linux": ("aarch64-linux-gnu.2.17", ".so", {"baseline": ()}),
    "x86_64-macos": ("x86_64-macos.11.0", ".dylib", X86_VARIANTS),
    "aarch64-macos": ("aarch64-macos.11.0", ".dylib", {"baseline": ()}),
    "x86_64-windows": ("x86_64-windows-gnu", ".dll", X86_VARIANTS),
}
"""Name: (Zig target, suffix, variants and their flags)."""

WASM_FLAGS = ("-target", "wasm32-freestanding", "-mcpu=generic+simd128+bulk_memory", "-nostdlib")


def native_target() -> str:
    """The target this machine is, by name."""
    machine = {"amd64": "x86_64", "arm64": "aarch64"}.get(platform.machine().lower(), platform.machine().lower())
    system = {"darwin": "macos", "win32": "windows"}.get(sys.platform, "linux")
    name = f"{machine}-{system}"
    if name not in TARGETS:
        raise SystemExit(f"no kernels for {name}; there are: {', '.join(TARGETS)}")
    return name


def build(target: str, out: Path) -> list[Path]:
    """Compile for `target` (a name of TARGETS, `native` or `wasm`) into the folder `out`."""
    out.mkdir(parents=True, exist_ok=True)
    sources = [str(HERE / name) for name in SOURCES]
    if target == "wasm":
        module = out / "livematte.wasm"
        exports = ["-Wl,--no-entry", "-Wl,--export-dynamic", "-Wl,--export=__heap_base", "-Wl,-z,stack-size=131072"]
        _compile([*WASM_FLAGS, *FLAGS, *exports, *sources, str(HERE / "wasm.c"), "-o", str(module)])
        return [module]
    triple, suffix, variants = TARGETS[native_target() if target == "native" else target]
    built = []
    for variant, flags in variants.items():
        library = out / f"livematte-{variant}{suffix}"
        _compile(["-target", triple, "-shared", "-fPIC", *FLAGS, *flags, *sources, "-o", str(library)])
        built.append(library)
    return built


def _compile(arguments: list[str]) -> None:
    subprocess.run([sys.executable, "-m", "ziglang", "cc", *arguments], check=True)


def main() -> None:
    parser = argparse.ArgumentParser(description="Compile the kernels.")
    parser.add_argument("--target", default="native", choices=["native", "wasm", *TARGETS])
    parser.add_argument("--out", type=Path, default=PACKAGED)
    options = parser.parse_args()
    for path in build(options.target, options.out):
        print(path)


if __name__ == "__main__":
    main()
