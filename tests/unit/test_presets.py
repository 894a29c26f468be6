"""Presets: one file, checked to the line, read again when it changes, written without losing what else is in it."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from livematte import Blur, Color, Image, OptionError
from livematte._preset_file import MOST_BYTES, PresetFile, config_dir, parse, written
from livematte._presets import Preset, preset

FULL = """\
# mine
[presets.office]
effect = "blur:0.6"        # or "image:PATH", "color:#00ff00", "transparent", "off"
model = "livematte:fast"
light_wrap = 0.3
softness = 0.2
despill = true
match = 0.0
who = "everyone"
zones = [[[0.1,0.1],[0.9,0.1],[0.5,0.9]]]
framing = false
bokeh = false
"""


def touch(path: Path, text: str) -> None:
    """Write a file so that its time is another one, however coarse the clock of the disk."""
    before = path.stat().st_mtime_ns if path.exists() else 0
    path.write_text(text, encoding="utf-8")
    os.utime(path, ns=(before + 10**9, before + 10**9))


@pytest.fixture
def file(tmp_path: Path) -> PresetFile:
    path = tmp_path / "presets.toml"
    touch(path, FULL)
    return PresetFile(path)


def test_every_key_is_read(file: PresetFile) -> None:
    assert file.error is None
    assert file.presets == {
        "office": Preset(
            effect="blur:0.6",
            model="livematte:fast",
            light_wrap=0.3,
            softness=0.2,
            despill=True,
            match=0.0,
            who="everyone",
            zones=(((0.1, 0.1), (0.9, 0.1), (0.5, 0.9)),),
            framing=False,
            bokeh=False,
        )
    }


def test_the_sample_that_the_web_app_reads_too() -> None:
    """tests/web/presets.test.mjs asks the same of the app, and sends generated ones both ways."""
    golden = Path(__file__).parents[1] / "golden"
    expected = json.loads((golden / "presets.json").read_text(encoding="utf-8"))
    for values in expected.values():  # a path counts from the file's folder
        kind, colon, argument = values.get("effect", "").partition(":")
        if kind in ("image", "video"):
            values["effect"] = f"{kind}{colon}{golden / argument}"
        if values.get("room"):
            values["room"] = str(golden / values["room"])
    found = PresetFile(golden / "presets.toml")
    assert found.error is None
    assert json.loads(json.dumps(found.as_dict()["presets"])) == expected


def test_a_painter_has_the_look(file: PresetFile) -> None:
    painter = file.find("office").painter()
    assert isinstance(painter, Blur)
    assert (painter.strength, painter.softness, painter.light_wrap) == (0.6, 0.2, 0.3)


def test_switches_of_another_effect_are_left_aside() -> None:
    shared = Preset(effect="blur", match=0.5, bokeh=True)
    assert shared.painter() == Blur(bokeh=True)
    other = Preset(effect="color:#00ff00", match=0.5, bokeh=True).painter()
    assert isinstance(other, Color)
    assert other.match == 0.5


def test_what_is_not_named_stays_but_the_look_of_another_effect() -> None:
    before = Preset(effect="blur:0.4", model="livematte", softness=0.9, framing=True)
    assert Preset(softness=0.1).after(before) == Preset(
        effect="blur:0.4", model="livematte", softness=0.1, framing=True
    )
    assert Preset(effect="off").after(before) == Preset(effect="off", model="livematte", framing=True)


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("sofness = 0.2", "line 4.*'office'.*sofness: unknown; did you mean softness"),
        ("softness = 2", "line 4.*softness: .*from 0 to 1, got 2"),
        ("softness = true", "line 4.*softness"),
        ("softness = nan", "line 4.*softness"),
        ('despill = "yes"', "line 4.*despill: must be true or false"),
        ('who = "nobody"', "line 4.*who: must be 'everyone' or 'nearest'"),
        ('effect = "blurr:0.6"', "line 4.*effect: no effect is called 'blurr'; did you mean blur"),
        ("effect = 3", "line 4.*effect: must be text"),
        ('model = "livemate"', "line 4.*model: no model is called 'livemate'; did you mean livematte"),
        ("zones = [[[0.1,0.1],[2,0.1],[0.5,0.9]]]", "line 4.*zones: .*from 0 to 1"),
        ("zones = 1", "line 4.*zones"),
        (f"zones = [[[1{'0' * 400},0.1],[0.2,0.1],[0.5,0.9]]]", "line 4.*zones"),
        ("softness = = 1", "line 4"),
        ("softness = 0.1\nsoftness = 0.2", "line 5"),
        ("[preset.x]", "line 4: 'preset' is unknown; did you mean presets"),
        ("[presets]\nname = 1", "presets are tables"),
    ],
)
def test_a_mistake_is_found_with_its_line(line: str, says: str, tmp_path: Path) -> None:
    text = f"# a comment\n[presets.office]\n\n{line}\n"
    if line.startswith("[presets]"):
        text = line
    with pytest.raises(OptionError, match=f"presets.toml.*{says}") as caught:
        parse(text, tmp_path / "presets.toml")
    assert "\n" not in str(caught.value)


def test_paths_count_from_the_files_folder(tmp_path: Path, astronaut_path: Path) -> None:
    (tmp_path / "beach.png").write_bytes(astronaut_path.read_bytes())
    kept = parse('[presets.b]\neffect = "image:beach.png"\n', tmp_path / "presets.toml")["b"]
    assert kept.effect == f"image:{tmp_path / 'beach.png'}"
    assert isinstance(kept.painter(), Image)
    assert 'effect = "image:beach.png"' in written("b", kept, tmp_path)
    absolute = parse(f'[presets.b]\neffect = "image:{astronaut_path}"\n', tmp_path / "presets.toml")["b"]
    assert absolute.effect == f"image:{astronaut_path}"


def test_a_broken_file_leaves_the_presets_and_says_where(file: PresetFile) -> None:
    before = file.presets
    touch(file.path, FULL + "\n[presets.two]\nsoftness = 7\n")
    assert file.refresh() is False
    assert file.presets == before
    assert "line 15" in str(file.error)
    touch(file.path, FULL + "\n[presets.two]\nsoftness = 0.7\n")
    assert file.refresh() is True
    assert file.error is None
    assert file.presets["two"] == Preset(softness=0.7)


def test_a_file_that_has_not_changed_is_not_read(file: PresetFile, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("livematte._preset_file.parse", None)
    assert file.refresh() is False


def test_a_file_that_is_gone_keeps_its_presets(file: PresetFile) -> None:
    before = file.presets
    file.path.unlink()
    assert file.refresh() is False
    assert file.presets == before
    assert "is gone" in str(file.error)


def test_a_file_that_was_never_there_is_no_error(tmp_path: Path) -> None:
    none = PresetFile(tmp_path / "none.toml")
    assert (none.presets, none.error) == ({}, None)
    with pytest.raises(OptionError, match="holds none"):
        none.find("office")


def test_the_nearest_name_is_told(file: PresetFile) -> None:
    with pytest.raises(OptionError, match="no preset is called 'ofice'; did you mean office"):
        file.find("ofice")


def test_a_file_of_nonsense_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "presets.toml"
    path.write_bytes(b"#\n\xff\xfe")
    assert "line 2: this is not text" in str(PresetFile(path).error)
    path.write_bytes(b"#" * (MOST_BYTES + 1))
    assert "larger than" in str(PresetFile(path).error)
    path.write_text(f"x = {'[' * 50_000}", encoding="utf-8")
    assert str(path) in str(PresetFile(path).error)
    path.write_text("".join(f"[presets.p{i}]\n" for i in range(201)), encoding="utf-8")
    assert "at most 200" in str(PresetFile(path).error)


@pytest.mark.parametrize("name", ["office", "my desk", 'a "quoted" one', "Büro", "a.b", "a\\b"])
def test_what_is_saved_is_read(name: str, file: PresetFile) -> None:
    kept = Preset(effect="color:#00ff00", softness=0.25, zones=(((0, 0), (1, 0), (1, 1)),), framing=True, despill=False)
    file.save(name, kept)
    assert PresetFile(file.path).presets[name] == kept
    file.save(name, Preset(effect="off"))
    assert PresetFile(file.path).presets[name] == Preset(effect="off")
    file.delete(name)
    assert name not in PresetFile(file.path).presets


def test_saving_keeps_the_rest_of_the_file(file: PresetFile) -> None:
    touch(file.path, FULL + "\n# of the kitchen\n[presets.kitchen] # mind the lamp\nsoftness = 0.5\n")
    file.save("office", Preset(effect="off"))
    text = file.path.read_text(encoding="utf-8")
    kitchen = "# of the kitchen\n[presets.kitchen] # mind the lamp\nsoftness = 0.5\n"
    assert text == f'# mine\n[presets.office]\neffect = "off"\n\n{kitchen}'
    file.delete("office")
    assert "# of the kitchen" in file.path.read_text(encoding="utf-8")
    assert list(file.presets) == ["kitchen"]
    assert [path.name for path in file.path.parent.iterdir()] == ["presets.toml"]


def test_rows_of_zones_are_not_taken_for_tables(file: PresetFile) -> None:
    zones = "zones = [\n  [[0.1, 0.1],\n  [0.9, 0.1],\n  [0.5, 0.9]],\n]\n"
    touch(file.path, f'[presets.a]\n{zones}softness = 0.1\n\n[presets.b]\nwho = "nearest"\n')
    file.save("a", Preset(softness=0.2))
    assert file.presets == {"a": Preset(softness=0.2), "b": Preset(who="nearest")}


def test_another_way_of_writing_is_left_alone(file: PresetFile) -> None:
    touch(file.path, "presets = {office = {softness = 0.1}}\n")
    with pytest.raises(OptionError, match="edit the file by hand"):
        file.save("office", Preset(softness=0.2))
    assert file.path.read_text(encoding="utf-8") == "presets = {office = {softness = 0.1}}\n"


def test_a_broken_file_is_not_written_over(file: PresetFile) -> None:
    touch(file.path, "[presets.office\n")
    with pytest.raises(OptionError, match="cannot be changed"):
        file.save("office", Preset(softness=0.2))
    assert file.path.read_text(encoding="utf-8") == "[presets.office\n"


@pytest.mark.parametrize("name", ["", " x", "x" * 65, "a\nb", "a\x00"])
def test_names_that_cannot_be_shown(name: str, file: PresetFile) -> None:
    with pytest.raises(OptionError, match="a preset's name is"):
        file.save(name, Preset())


def test_plain_values_of_other_kinds_are_refused() -> None:
    with pytest.raises(OptionError, match="softness"):
        preset({"softness": "0.2"})
    with pytest.raises(OptionError, match="effect"):
        preset({"effect": ["blur"]})
    with pytest.raises(OptionError, match="effect: must be text"):
        preset({"effect": "blur\n"})


def test_the_folder_can_be_chosen(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("LIVEMATTE_CONFIG", str(tmp_path))
    assert config_dir() == tmp_path
    assert PresetFile().path == tmp_path / "presets.toml"
