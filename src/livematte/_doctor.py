"""What a bug report needs, and proof that each part runs: the facts behind `livematte doctor`."""

from __future__ import annotations

import os
import platform
import re
import subprocess
import sys
import tempfile
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import numpy as np

import livematte
from livematte import _registry
from livematte._clock import monotonic
from livematte._errors import LivematteError, MissingExtra
from livematte._frame import Frame

Facts = dict[str, Any]

PROOF_RUNS = 5
"""Inferences timed for each engine after the first, which also sets the engine up."""

PROOF_CLIP = "synthetic:640x360@30*10"
"""A generated clip: ten frames show a working pipeline in well under a second."""

DISTRIBUTIONS = {"onnxruntime": "onnxruntime", "litert": "ai-edge-litert", "openvino": "openvino", "torch": "torch"}
"""Package that each engine's version is read from."""

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
        `livematte`, `python`, `os`, `cpu`, `kernels`, `engines`, `ffmpeg`, `weights`,
        `proof` (a clip blurred the way a user would), and `problems`: what keeps that from
        working, empty if nothing does.
    """
    facts: Facts = {
        "livematte": livematte.__version__,
        "python": f"{platform.python_version()} ({platform.python_implementation()}, {sys.executable})",
        "os": f"{platform.system()} {platform.release()} {platform.machine()}",
        "cpu": cpu(),
        "numpy": np.__version__,
        "kernels": kernels(),
        "engines": {name: engine(name) for name in _registry.names("engines")},
        "ffmpeg": ffmpeg(),
        "weights": weights(),
        "proof": proof(),
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


def engine(name: str) -> Facts:
    """One engine, proved by the packaged network on one picture.

    Returns:
        `version`, and `ms` of one inference on one thread, `missing` with the pip line, or `error`.
    """
    facts: Facts = {}
    try:
        facts["version"] = version(DISTRIBUTIONS.get(name, name))
    except PackageNotFoundError:
        facts["version"] = None
    try:
        segmenter = _registry.create("models", "livematte", engine=name, threads=1)
    except MissingExtra as exc:
        return {"missing": str(exc)}
    except LivematteError as exc:
        return {**facts, "error": str(exc)}
    try:
        frame = Frame.from_rgb(np.full((180, 320, 3), 128, np.uint8))
        times_ns = []
        for _ in range(1 + PROOF_RUNS):
            start_ns = monotonic()
            segmenter.segment(frame, None)
            times_ns.append(monotonic() - start_ns)
        facts["ms"] = round(float(np.median(times_ns[1:])) / 1e6, 2)
    except LivematteError as exc:
        facts["error"] = str(exc)
    finally:
        segmenter.close()
    return facts


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
