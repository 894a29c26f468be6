"""Control: the empty room taken, refused, dropped and kept; mirror."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from livematte import Frame, _empty_room, cli
from livematte.sinks import open_sink

sys.path.insert(0, str(Path(__file__).parent))

import control_parts
from control_parts import Stream, near, png

stream = control_parts.stream
Run = Callable[..., tuple[int, str, str]]


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody has to step out of a synthetic picture, and its figure counts though it stands still."""
    monkeypatch.setattr(_empty_room, "COUNTDOWN_NS", 0)
    monkeypatch.setattr(_empty_room, "WATCH_NS", 50_000_000)
    monkeypatch.setattr(_empty_room, "moving", lambda seen, pictures: True)


def nobody(stream: Stream) -> None:
    stream.network._alpha[:] = 0


def settled(stream: Stream) -> dict[str, Any]:
    found: dict[str, Any] = stream.until(lambda found: found["live"]["room"]["taking"] is None)["live"]["room"]
    return found


def room_file(path: Path) -> Path:
    with open_sink(path) as sink:
        sink.write(Frame.from_rgb(np.full((90, 160, 3), 90, np.uint8)))
    return path


class TestApi:
    def test_taken_and_dropped(self, stream: Stream, tmp_path: Path) -> None:
        nobody(stream)
        assert stream.do("POST", "/api/room")["live"]["room"]["taking"] == 0
        assert settled(stream)["source"] == "taken"
        stream.do("DELETE", "/api/room")
        assert stream.until(lambda found: found["live"]["room"]["source"] is None)["error"] is None
        assert sorted(path.name for path in tmp_path.rglob("*") if path.is_file()) == ["live.json"]  # not written

    def test_refused_while_somebody_is_seen(self, stream: Stream) -> None:
        stream.do("POST", "/api/room")
        found = settled(stream)
        assert found["source"] is None
        assert "somebody is in the picture" in found["refused"]

    def test_a_preset_holds_a_path_and_never_a_picture(self, stream: Stream, tmp_path: Path) -> None:
        room = room_file(tmp_path / "room.png")
        (tmp_path / "presets.toml").write_text('[presets.desk]\nroom = "room.png"\nmirror = true\n')
        assert stream.do("POST", "/api/presets/desk")["settings"]["mirror"]
        assert stream.until(lambda found: found["live"]["room"]["source"] == str(room))["live"]["mirror"]
        stream.do("PUT", "/api/presets/copy")
        nobody(stream)
        stream.do("POST", "/api/room")
        assert settled(stream)["source"] == "taken"
        stream.do("PUT", "/api/presets/taken")
        listed = stream.do("GET", "/api/presets")["presets"]
        assert listed["copy"]["room"] == str(room)
        assert "room" not in listed["taken"]
        stream.do("POST", "/api/presets/desk")  # names it again: it takes the place of the one that was taken
        stream.until(lambda found: found["live"]["room"]["source"] == str(room))

    def test_a_broken_one_changes_nothing(self, stream: Stream, tmp_path: Path) -> None:
        text = '[presets.a]\neffect = "color:blue"\nroom = "none.png"\n[presets.b]\nmirror = true\nroom = "long.png"\n'
        (tmp_path / "presets.toml").write_text(text)
        with open_sink(tmp_path / "long.png") as sink:
            sink.write(Frame.from_rgb(np.zeros((20, 160, 3), np.uint8)))
        assert "cannot read the image" in stream.refused("POST", "/api/presets/a")[1]
        assert "160x20, the camera's are 320x180" in stream.refused("POST", "/api/presets/b")[1]
        found = stream.do("GET", "/api/status")
        assert (found["settings"]["effect"], found["settings"]["mirror"]) == ("color:green", False)

    def test_no_file_is_named_from_outside(self, stream: Stream, tmp_path: Path) -> None:
        room = room_file(tmp_path / "room.png")
        assert "cannot be named from outside" in stream.refused("PATCH", "/api/settings", {"room": str(room)})[1]
        assert stream.refused("GET", "/api/room")[0] == 405

    def test_mirror(self, stream: Stream) -> None:
        sides = np.zeros((90, 160, 3), np.uint8)
        sides[:, 80:] = (220, 30, 40)
        stream.do("POST", "/api/picture", png(sides))
        assert near(control_parts.after_change(stream), (220, 30, 40))
        assert stream.do("PATCH", "/api/settings", {"mirror": True})["settings"]["mirror"]
        assert near(control_parts.after_change(stream), (0, 0, 0))
        assert stream.refused("PATCH", "/api/settings", {"mirror": "yes"})[0] == 400


class TestCtl:
    def test_room(self, stream: Stream, livematte: Run) -> None:
        code, shown, said = livematte("ctl", "room")
        assert (code, shown) == (cli.FAILED, "")
        assert said.splitlines()[-1].startswith("livematte: error: the room was not taken: somebody is in the picture")
        nobody(stream)
        assert livematte("ctl", "room")[:2] == (0, "the room is taken\n")
        assert "room      taken" in livematte("ctl", "status")[1]
        assert livematte("ctl", "room", "--drop")[:2] == (0, "the room is forgotten\n")
        stream.until(lambda found: found["live"]["room"]["source"] is None)
        assert "room " not in livematte("ctl", "status")[1]

    def test_it_counts_aloud(self, stream: Stream, livematte: Run, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(_empty_room, "COUNTDOWN_NS", 1_200_000_000)
        nobody(stream)
        code, _, said = livematte("ctl", "room")
        lines = [*(f"{left}: step out of the picture" for left in (2, 1)), "0: taking the room"]
        assert code == 0
        assert said.startswith(f"{lines[0]}\n")  # on a busy machine the others may be over before they are seen
        assert set(said.splitlines()) <= set(lines)

    def test_a_stream_that_ends_meanwhile(
        self, stream: Stream, livematte: Run, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        from livematte.control._client import Client

        stream.do("POST", "/api/room")
        ended = {**stream.do("GET", "/api/status"), "running": False}
        monkeypatch.setattr(Client, "_ask", lambda self, *request: ended)
        code, _, said = livematte("ctl", "room")
        assert code == cli.FAILED
        assert "the stream ended before" in said

    def test_mirror(self, stream: Stream, livematte: Run) -> None:
        assert "mirror    on" in livematte("ctl", "mirror", "on")[1]
        assert not json.loads(livematte("ctl", "mirror", "off", "--json")[1])["settings"]["mirror"]
        assert "mirror is on or off, got 'yes'" in livematte("ctl", "mirror", "yes")[2]


def test_the_settings_of_a_stream_that_is_started_again(tmp_path: Path) -> None:
    """`serve --live` begins with what is chosen, room and mirror too."""
    from livematte._presets import Preset
    from livematte.cli import serve
    from livematte.control._desk import Desk

    room = room_file(tmp_path / "room.png")
    live = serve._started(Desk(Preset(effect="blur", room=str(room), mirror=True)), "synthetic:160x90*3", "null:")
    assert live.status()["room"]["source"] == str(room)
    assert live.status()["mirror"]
