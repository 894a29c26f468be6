"""`livematte live`: the switches that it shares with `blur`, the picture of the room, and mirror."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from livematte import Frame, OptionError, _loader
from livematte._preset_file import PresetFile
from livematte._weights import PACKAGED
from livematte.cli._live_look import LiveLook, settings_of
from livematte.cli._options import LookOptions
from livematte.sinks import open_sink

CLIP = "synthetic:64x36@30*10"
Run = Callable[..., tuple[int, str, str]]

PRESETS = """
[presets.soft]
effect = "blur:0.4"
softness = 0.7

[presets.sea]
effect = "color:blue"
mirror = true
room = "room.png"
"""


@pytest.fixture
def presets(tmp_path: Path) -> PresetFile:
    (tmp_path / "presets.toml").write_text(PRESETS)
    return PresetFile(tmp_path / "presets.toml")


def picture(path: Path, width: int = 64, height: int = 36) -> Path:
    with open_sink(path) as sink:
        sink.write(Frame.from_rgb(np.full((height, width, 3), 90, np.uint8)))
    return path


def chosen(presets: PresetFile, name: str | None = None, effect: str | None = None, **given: Any) -> Any:
    said = {"effect": effect, "model": given.pop("model", None), "match": None}
    return settings_of(presets, name, said, LookOptions(), LiveLook(**given))


def test_strength_and_bokeh_are_those_of_the_blur(presets: PresetFile) -> None:
    assert chosen(presets, strength=0.3).effect == "blur:0.3"
    assert chosen(presets, effect="blur", strength=0.3).effect == "blur:0.3"
    assert chosen(presets, effect="blur:0.30", strength=0.3).effect == "blur:0.3"
    assert chosen(presets, bokeh=True).painter().bokeh
    beside = chosen(presets, "soft", strength=0.9)
    assert (beside.effect, beside.softness) == ("blur:0.9", 0.7)  # the rest of the preset's look stays


@pytest.mark.parametrize(
    ("words", "says"),
    [
        ({"effect": "blur:0.6", "strength": 0.8}, "--effect blur:0.6 and --strength 0.8 are two strengths"),
        ({"effect": "color:green", "strength": 0.8}, "--strength belongs to the effect blur, and color:green is"),
        ({"effect": "off", "bokeh": True}, "--bokeh belongs to the effect blur, and off is"),
        ({"name": "sea", "strength": 0.8}, "--strength belongs to the effect blur, and color:blue is"),
        ({"classes": "person"}, "livematte:fast tells no classes apart"),
        ({"model": "deeplabv3:voc:person", "classes": "cat"}, "two lists of classes"),
    ],
)
def test_what_does_not_go_together(presets: PresetFile, words: dict[str, Any], says: str) -> None:
    with pytest.raises(OptionError, match=says):
        chosen(presets, **words)


def test_classes_are_part_of_the_network_s_name(presets: PresetFile) -> None:
    assert chosen(presets, model="deeplabv3", classes="person,cat").model == "deeplabv3::person,cat"
    assert chosen(presets, model="deeplabv3::cat", classes="cat").model == "deeplabv3::cat"
    assert chosen(presets).model == "livematte:fast"


def test_a_preset_names_room_and_mirror(presets: PresetFile, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    sea = chosen(presets, "sea")
    assert (sea.room, sea.mirror) == (str(tmp_path / "room.png"), True)
    beside = chosen(presets, "sea", room="other.png", mirror=False)
    assert (beside.room, beside.mirror) == (str(tmp_path / "other.png"), False)
    presets.save("again", sea)
    assert 'mirror = true\nroom = "room.png"\n' in presets.path.read_text()  # beside the file: counts from there
    assert PresetFile(presets.path).presets["again"] == sea


def test_the_command_takes_them(livematte: Run, tmp_path: Path) -> None:
    room = picture(tmp_path / "room.png")
    words = ("live", "--input", CLIP, "-o", "null:", "--json", "--strength", 0.3, "--bokeh", "--mirror", "--room", room)
    code, shown, said = livematte(*words)
    assert (code, said) == (0, "")
    figures = json.loads(shown)
    assert (figures["effect"], figures["mirror"], figures["error"]) == ("blur:0.3", True, None)
    assert figures["room"] == {"source": str(room), "taking": None, "refused": None}


def test_weights_of_the_user_s_own(livematte: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    words = ("live", "--input", CLIP, "-o", "null:", "--json", "--model", "livematte:base", "--weights")
    code, shown, said = livematte(*words, tmp_path / "none.onnx")
    assert (code, shown, said.count("\n")) == (1, "", 1)
    assert "none.onnx" in said

    asked: list[Any] = []
    load = _loader.loading
    monkeypatch.setattr(_loader, "loading", lambda *given: asked.append(given) or load())
    path = str(next((PACKAGED / "base").glob("*.onnx")))
    assert livematte(*words, path)[0] == 0
    assert asked == [("auto", None, {"livematte:base": path})]  # of this network, and of none that comes after it


@pytest.mark.parametrize(
    ("name", "size", "says"),
    [
        ("room.png", (64, 64), "the picture of the room is 64x64, the camera's are 64x36"),
        (None, (0, 0), "cannot read the image"),
    ],
)
def test_a_room_that_cannot_be(
    livematte: Run, tmp_path: Path, name: str | None, size: tuple[int, int], says: str
) -> None:
    room = picture(tmp_path / name, *size) if name else tmp_path / "none.png"
    code, shown, said = livematte("live", "--input", CLIP, "-o", "null:", "--room", room)
    assert (code, shown, said.count("\n")) == (1, "", 1)
    assert says in said
