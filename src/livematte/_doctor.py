"""What a bug report needs, and proof that each part runs: the facts behind `livematte doctor`."""

from __future__ import annotations

import os
import platform
import re
import subprocess
import sys
import tempfile
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

import livematte
from livematte import _registry
from livematte._clock import monotonic
from livematte._errors import InferenceError, LivematteError, MissingExtra
from livematte.engines import version_of

Facts = dict[str, Any]

PROOF_RUNS = 5
"""Inferences timed for each engine after the first, which also sets the engine up."""

PROOF_CLIP = "synthetic:640x360@30*10"
"""A generated clip: ten frames show a working pipeline in well under a second."""

PROOF_SLACK = 0.01
"""How far rounding may take a probability out of 0 to 1."""

ENCODERS = {
    "h264": ("libx264", "libopenh264", "h264_videotoolbox", "h264_nvenc", "h264_qsv", "h264_mf"),
    "h265": ("libx265", "hevc_videotoolbox", "hevc_nvenc", "hevc_qsv", "hevc_mf"),
    "vp9": ("libvpx-vp9",),
    "av1": ("libsvtav1", "libaom-av1", "librav1e"),
    "prores": ("prores_ks",),
}
"""FFmpeg encoders that can make each codec; the build of FFmpeg decides which are there."""

CPU_FEATURES = ("sse4_1", "sse4_2", "avx", "avx2", "fma", "f16c", "avx512f", "avx512bw", "avx512_vnni", "neon", "asimd")
"""The instruction sets that decide how fast kernels and engines are."""


def examine() -> Facts:
    """All facts as plain values.

    Returns:
        `livematte`, `python`, `os`, `cpu`, `kernels`, `engines`, `tuned`, `ffmpeg`, `weights`,
        `proof` (a clip blurred the way a user would), `live`, and `problems`: what keeps the
        proof from working, empty if nothing does.
    """
    facts: Facts = {
        "livematte": livematte.__version__,
        "python": f"{platform.python_version()} ({platform.python_implementation()}, {sys.executable})",
        "os": f"{platform.system()} {platform.release()} {platform.machine()}",
        "cpu": cpu(),
        "numpy": np.__version__,
        "kernels": kernels(),
        "engines": engines(),
        "tuned": tuned(),
        "ffmpeg": ffmpeg(),
        "weights": weights(),
        "proof": proof(),
        "live": live(),
    }
    facts["problems"] = problems(facts)
    return facts


def problems(facts: Facts) -> list[str]:
    """What keeps `livematte blur in.mp4 -o out.mp4` from working here."""
    parts = ("kernels", "ffmpeg", "proof")
    return [f"{part}: {facts[part]['error']}" for part in parts if "error" in facts[part]]


def proof() -> Facts:
    """A short clip blurred into a file with every default, as a user would.

    Returns:
        `frames`, `fps` and `covered`, or `error`.
    """
    try:
        from livematte._pipeline import run
        from livematte._session import build_stages
        from livematte.sinks import open_sink
        from livematte.sources import open_source

        source = open_source(PROOF_CLIP)
        with tempfile.TemporaryDirectory(prefix="livematte-doctor-") as folder:
            stats = run(source, build_stages(), open_sink(Path(folder) / "proof.mp4", source_info=source.info))
    except (LivematteError, ImportError, OSError) as exc:
        return {"error": str(exc)}
    if stats.covered:
        return {"error": f"{stats.covered} of {stats.frames} frames could not be matted"}
    return {"frames": stats.frames, "fps": round(stats.fps, 1), "covered": stats.covered}


def live() -> Facts:
    """What `livematte live` would find here.

    Returns:
        `begins`: the rung of the quality ladder that it would begin at, and why, a sentence for each reason;
        `cameras`, as `--input` takes them; `virtual`: what a virtual camera would go `through`, or what
        is `missing` for it.
    """
    from livematte import _device
    from livematte.sinks import open_sink
    from livematte.sources._cameras import listed

    try:
        virtual = {"through": type(open_sink("virtual")).__name__}
    except (LivematteError, ImportError) as exc:
        virtual = {"missing": str(exc)}
    return {"begins": _device.explain(), "cameras": [camera.spec for camera in listed()], "virtual": virtual}


def cpu() -> Facts:
    """Name, cores this process may use, and the features that matter here."""
    name, flags = platform.processor() or platform.machine(), ""
    info = Path("/proc/cpuinfo")
    if info.is_file():
        text = info.read_text(errors="replace")
        if match := re.search(r"^model name\s*: (.+)$", text, re.MULTILINE):
            name = match[1].strip()
        if match := re.search(r"^(?:flags|Features)\s*: (.+)$", text, re.MULTILINE):
            flags = match[1]
    elif sys.platform == "darwin":
        command = ["sysctl", "-n", "machdep.cpu.brand_string"]
        name = subprocess.run(command, capture_output=True, text=True, check=False).stdout.strip() or name
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return {"name": name, "cores": cores, "features": [flag for flag in CPU_FEATURES if flag in flags.split()]}


def kernels() -> Facts:
    """The variant that was chosen at load."""
    try:
        from livematte import kernels as loaded

        return {"variant": loaded.variant()}
    except (LivematteError, OSError, ImportError) as exc:
        return {"error": f"{exc}; build them with `python kernels/build.py`, or install a wheel"}


def engines() -> dict[str, Facts]:
    """Every engine, and every other spelling that this machine has the device for, each proved by itself."""
    found: dict[str, Facts] = {}
    for name in _registry.names("engines"):
        found[name] = engine(name)
        if "ms" in found[name]:
            variants: Callable[[], tuple[str, ...]] = getattr(_registry.load("engines", name), "variants", tuple)
            found.update({variant: engine(variant) for variant in variants()})
    return found


def engine(name: str) -> Facts:
    """One engine, proved by a real inference of the packaged network, whose numbers are checked.

    Returns:
        `version`; `ms` of one inference on one thread and `runs_on`, what really computed it as far as the
        runtime tells (ONNX Runtime's providers by its own profile); `missing` with the pip line; or `error`.
    """
    from livematte.models._load import load_engine
    from livematte.models.livematte import SPECS

    facts: Facts = {"version": version_of(name)}
    try:
        loaded = load_engine(next(iter(SPECS.values())), name, threads=1)
    except MissingExtra as exc:
        return {"missing": str(exc)}
    except (LivematteError, ImportError, OSError) as exc:
        return {**facts, "error": str(exc)}
    try:
        grey = [np.full(tensor.shape, 0.5, np.float32) for tensor in loaded.inputs]
        times_ns = []
        for _ in range(1 + PROOF_RUNS):
            start_ns = monotonic()
            (alpha, *_) = loaded.run(grey)
            times_ns.append(monotonic() - start_ns)
        if not (alpha.min() >= -PROOF_SLACK and alpha.max() <= 1 + PROOF_SLACK):
            raise InferenceError(f"its alpha lies between {alpha.min():.3f} and {alpha.max():.3f}, not 0 and 1")
        facts["ms"] = round(float(np.median(times_ns[1:])) / 1e6, 2)
        facts["runs_on"] = getattr(loaded, "runs_on", "not said")
    except LivematteError as exc:
        facts["error"] = str(exc)
    finally:
        loaded.close()
    return facts


def tuned() -> dict[str, Facts]:
    """What `livematte tune` has found on this device, by model."""
    from livematte import _tune

    return {name: asdict(choice) for name, choice in _tune.all_remembered().items()}


def ffmpeg() -> Facts:
    """Versions of PyAV and of the FFmpeg inside it, and the encoders we can use."""
    try:
        import av
        import av.codec
    except ImportError as exc:
        return {"error": f"PyAV cannot be imported ({exc}); run: pip install av"}
    available = av.codec.codecs_available

    def encodes(encoder: str) -> bool:
        try:
            av.codec.Codec(encoder, "w")
        except ValueError:  # av.codec.UnknownCodecError: the build knows the name as a decoder only
            return False
        return True

    found = {codec: [e for e in makers if e in available and encodes(e)] for codec, makers in ENCODERS.items()}
    libavcodec = ".".join(map(str, av.library_versions["libavcodec"]))
    return {"pyav": av.__version__, "ffmpeg": av.ffmpeg_version_info, "libavcodec": libavcodec, "encoders": found}


OURS = (".part", ".etag", ".sha256")
"""Endings of what lies beside weights: half a download, and what is known of a whole one."""


def weights() -> Facts:
    """Where weights are kept, and what lies there."""
    from livematte import _weights

    folder = _weights.cache_dir() / "weights"
    pulled = sorted(
        path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file() and path.suffix not in OURS
    )
    return {"folder": str(folder), "pulled": pulled}
