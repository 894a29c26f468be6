"""`import livematte` is light: NumPy, and modules of our own that load nothing else.

How long it takes is measured in bench/, where numbers belong to a machine.
"""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

# Every third-party package that some part of livematte imports.
HEAVY = {
    "PIL",
    "ai_edge_litert",
    "av",
    "cv2",
    "flatbuffers",
    "onnx",
    "onnxruntime",
    "openvino",
    "pydantic",
    "rich",
    "scipy",
    "torch",
    "typer",
}

# `concurrent.futures`, `asyncio` and friends cost more than the whole of our own modules.
SLOW_STDLIB = {"asyncio", "http", "multiprocessing", "sqlite3", "unittest", "xml"}

LIST_MODULES = "import json, sys; print(json.dumps(sorted(sys.modules)))"


def modules_after(statement: str) -> set[str]:
    """Names of the modules a fresh interpreter holds after a statement."""
    code = f"{statement}; {LIST_MODULES}"
    shown = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout
    return set(json.loads(shown))


@pytest.fixture(scope="module")
def added() -> set[str]:
    """What the whole of the public API loads beyond NumPy."""
    return modules_after("from livematte import *") - modules_after("import numpy, json")


def test_no_heavy_package_is_loaded(added: set[str]) -> None:
    assert {name.partition(".")[0] for name in added} & HEAVY == set()


def test_no_slow_part_of_the_standard_library_is_loaded(added: set[str]) -> None:
    assert {name.partition(".")[0] for name in added} & SLOW_STDLIB == set()


def test_nothing_but_the_standard_library_and_our_own_is_added(added: set[str]) -> None:
    foreign = {name.partition(".")[0] for name in added} - set(sys.stdlib_module_names) - {"livematte", "numpy"}
    assert {name for name in foreign if not name.startswith("_")} == set()


def test_no_plugin_is_loaded_but_the_effects_of_the_public_api(added: set[str]) -> None:
    ours = {name for name in added if name.startswith("livematte.")}
    plugins = {name for name in ours if name.count(".") >= 2 and name.split(".")[1] not in ("effects", "kernels")}
    assert plugins == set()


def test_the_public_api_is_what_all_says() -> None:
    import livematte

    assert sorted(livematte.__all__) == livematte.__all__
    assert {name for name in livematte.__all__ if not hasattr(livematte, name)} == set()


def test_numpy_is_loaded_when_it_is_needed() -> None:
    """Before that, what the command line does on Ctrl-C is in force."""
    assert "numpy" not in modules_after("import livematte.cli")
    assert "numpy" in modules_after("from livematte import Session")


def test_every_name_has_a_home_and_no_other_is_there() -> None:
    import livematte

    assert set(livematte._HOME_OF) == set(livematte.__all__) <= set(dir(livematte))
    with pytest.raises(AttributeError, match="'livematte' has no attribute 'Sesion'"):
        livematte.Sesion  # noqa: B018


def test_the_command_line_starts_without_engine_and_decoder() -> None:
    loaded = modules_after("from livematte.cli import _app; _app.build()")
    assert {"av", "onnxruntime", "ai_edge_litert", "cv2", "torch"} & loaded == set()
