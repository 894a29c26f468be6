"""Runtimes that report their use to their makers, imported so that they do not.

What livematte computes stays on the machine, and what was computed, when and how long is part of that. Both
runtimes decide when they are first imported; a program that imported one itself has decided for it.
"""

from __future__ import annotations

import os
import sys
import threading
from typing import Any

TELEMETRY = "openvino_telemetry"
"""Package that comes with OpenVINO's wheel, which does without where it is not installed."""

_importing = threading.Lock()


def onnxruntime() -> Any:
    """ONNX Runtime without its telemetry.

    Since 1.29 its official builds give the machine an identifier and send Microsoft names, hashes and run times of
    models unless this variable is set before they start; those for Windows apps know only the call (Privacy.md in
    its wheel).
    """
    os.environ["ORT_DISABLE_TELEMETRY"] = "1"
    import onnxruntime as runtime

    runtime.disable_telemetry_events()
    return runtime


def openvino() -> Any:
    """OpenVINO without its telemetry.

    Its Python package sends an event to Google Analytics whenever it is imported, without having asked
    (openvino/tools/ovc). None among the modules makes that one import fail, which OpenVINO expects.
    """
    with _importing:
        missing = object()
        before: Any = sys.modules.get(TELEMETRY, missing)
        sys.modules[TELEMETRY] = None  # type: ignore[assignment]
        try:
            import openvino as runtime
        finally:
            if before is missing:
                del sys.modules[TELEMETRY]
            else:
                sys.modules[TELEMETRY] = before
    return runtime
