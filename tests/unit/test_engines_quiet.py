"""Engines report to nobody: no identifier is made, no telemetry of a runtime is loaded."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

from livematte import _registry

RUN_ALL = """
import json, os, sys
from importlib.util import find_spec
import numpy as np
from livematte import Session, _registry
ran = []
for engine in _registry.names("engines"):
    if _registry.load("engines", engine).installed():
        with Session("livematte:fast", engine=engine) as session:
            session.matte(np.zeros((36, 64, 3), np.uint8))
        ran.append(engine)
loaded = "openvino_telemetry" in sys.modules
there = find_spec("openvino_telemetry") is not None  # for whoever wants it
print(json.dumps([ran, loaded, there, os.environ.get("ORT_DISABLE_TELEMETRY")]))
"""


TELEMETRY = """
class Telemetry:
    def __init__(self, *args, **kwargs): pass
    def send_event(self, *args): pass
"""
"""What OpenVINO uses of it when it is imported."""


def test_engines_leave_no_trace(tmp_path: Path) -> None:
    """ONNX Runtime's telemetry begins with an identifier below the home folder, OpenVINO's with an import."""
    home, modules = tmp_path / "home", tmp_path / "modules"
    (modules / "openvino_telemetry" / "backend").mkdir(parents=True)
    for name, text in (("__init__.py", TELEMETRY), ("backend/__init__.py", ""), ("backend/backend_ga4.py", "")):
        (modules / "openvino_telemetry" / name).write_text(text)
    home.mkdir()
    kept = {k: v for k, v in os.environ.items() if k not in {"CI", "TF_BUILD", "JENKINS_URL"} and k[:4] != "ORT_"}
    places = dict.fromkeys(("HOME", "USERPROFILE", "LOCALAPPDATA", "XDG_CACHE_HOME", "XDG_DATA_HOME"), str(home))
    path = os.pathsep.join((str(modules), *sys.path))
    environment = {**kept, **places, "PYTHONPATH": path, "LIVEMATTE_CACHE": str(tmp_path / "cache")}
    done = subprocess.run(
        [sys.executable, "-c", RUN_ALL], env=environment, capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stderr
    ran, loaded, there, told = json.loads(done.stdout.splitlines()[-1])
    assert set(ran) == {name for name in _registry.names("engines") if _registry.load("engines", name).installed()}
    assert [p.relative_to(home).as_posix() for p in home.rglob("*")] == []
    assert (loaded, there) == (False, True)
    assert told == "1" or "onnxruntime" not in ran
