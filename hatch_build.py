"""Build hook: compiles the C kernels into the wheel, or in place for an editable install.

The environment variable LIVEMATTE_TARGET names another platform to build the wheel for;
the compiler (`python -m ziglang cc`) crosses to all of them. Without it the wheel is for
this machine.
"""

from __future__ import annotations

import importlib.util
import os
import platform
import shutil
import sys
import tempfile
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

TAGS = {
    "x86_64-linux": "manylinux2014_x86_64.manylinux_2_17_x86_64",
    "aarch64-linux": "manylinux2014_aarch64.manylinux_2_17_aarch64",
    "x86_64-macos": "macosx_11_0_x86_64",
    "aarch64-macos": "macosx_11_0_arm64",
    "x86_64-windows": "win_amd64",
}
"""Platform tag of the wheel for each target of kernels/build.py. The libraries need no C
library, so the oldest Linux that packages are still built for is a safe promise."""

LIBRARIES = "livematte/kernels/lib"
"""Where the package looks for its libraries."""


class KernelsHook(BuildHookInterface):  # type: ignore[type-arg]
    """Adds the compiled kernels and the platform tag to a wheel."""

    PLUGIN_NAME = "custom"

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Compile; called by hatchling before it packs.

        Args:
            version: `standard`, or `editable` where the package stays in the tree.
            build_data: what the wheel will hold, changed here.
        """
        self._made: Path | None = None
        if self.target_name != "wheel":
            return
        target = os.environ.get("LIVEMATTE_TARGET", "native")
        if target != "native" and target not in TAGS:
            raise ValueError(f"LIVEMATTE_TARGET must be one of {', '.join(TAGS)}, or not set; got {target!r}")
        build_data["pure_python"] = False
        build_data["tag"] = f"py3-none-{TAGS.get(target) or native_tag()}"
        root = Path(self.root)
        if version == "editable":
            build(root)("native", root / "src" / LIBRARIES)
            return
        self._made = Path(tempfile.mkdtemp(prefix="livematte-kernels-"))
        for library in build(root)(target, self._made):
            build_data["force_include"][str(library)] = f"{LIBRARIES}/{library.name}"

    def finalize(self, version: str, build_data: dict[str, Any], artifact_path: str) -> None:
        """Remove the libraries once the wheel holds them."""
        if getattr(self, "_made", None):
            shutil.rmtree(self._made)  # type: ignore[arg-type]


def build(root: Path) -> Any:
    """`build(target, folder) -> list[Path]` of kernels/build.py, which is no package."""
    path = root / "kernels" / "build.py"
    spec = importlib.util.spec_from_file_location("livematte_kernels_build", path)
    if spec is None or spec.loader is None or not path.is_file():
        raise FileNotFoundError(f"{path} is missing: build from a complete checkout or from the source package")
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module.build


def native_tag() -> str:
    """Platform tag of this machine: plain, since the wheel stays here."""
    machine = platform.machine().lower()
    if sys.platform == "darwin":
        return f"macosx_11_0_{machine}"
    if sys.platform == "win32":
        return {"amd64": "win_amd64", "arm64": "win_arm64"}.get(machine, "win32")
    return f"linux_{machine}"
