"""Names to plugins."""

from __future__ import annotations

import subprocess
import sys

import pytest

from livematte import UnknownName, _registry

FOLDERS = {
    "effects": {"blur", "color", "image", "off", "transparent", "video"},
    "engines": {"litert", "onnxruntime"},
    "models": {"livematte", "mediapipe"},
    "sinks": {
        "file",
        "folder",
        "image",
        "null",
        "pipewire",
        "preview",
        "pyvirtualcam",
        "raw",
        "stream",
        "v4l2",
        "virtual",
    },
    "sources": {"file", "folder", "image", "pipewire", "raw", "synthetic"},
    "training.datasets": {"aisegment", "aps", "coco", "cutouts", "hsd", "pairs", "procedural", "supervisely"},
}


@pytest.mark.parametrize("folder", FOLDERS)
def test_every_file_is_a_name(folder: str) -> None:
    assert set(_registry.names(folder)) >= FOLDERS[folder]
    assert not any(name.startswith("_") for name in _registry.names(folder))


@pytest.mark.parametrize("folder", FOLDERS)
def test_every_plugin_offers_create_and_a_docstring(folder: str) -> None:
    for name in _registry.names(folder):
        module = _registry.load(folder, name)
        assert callable(module.create)
        assert module.__doc__


def test_names_are_listed_without_importing() -> None:
    code = (
        "import sys; from livematte import _registry; _registry.names('engines'); print('onnxruntime' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


def test_spellings() -> None:
    assert _registry.split("blur") == ("blur", None)
    assert _registry.split("blur:0.6") == ("blur", "0.6")
    assert _registry.split("file:a:b") == ("file", "a:b")


def test_an_unknown_name_gets_the_nearest_and_the_list() -> None:
    with pytest.raises(UnknownName, match="no effect is called 'blurr'; did you mean blur") as caught:
        _registry.load("effects", "blurr")
    assert "transparent" in str(caught.value)
    with pytest.raises(LookupError):
        _registry.load("models", "x")
