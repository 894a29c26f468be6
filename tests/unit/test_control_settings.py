"""Control: backgrounds, settings and presets, asked for over HTTP."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any
from urllib.parse import quote

import numpy as np
import pytest

from livematte import Frame, LoadError
from livematte.control import _answer
from livematte.control._desk import _file_name
from livematte.sinks import open_sink

sys.path.insert(0, str(Path(__file__).parent))

import control_parts
from control_parts import PATIENCE_S, Stream, after_change, bomb, near, parts, png

stream, still = control_parts.stream, control_parts.still


class TestPicture:
    def test_a_picture_becomes_the_background(self, stream: Stream, tmp_path: Path) -> None:
        red = np.full((90, 160, 3), (220, 30, 40), np.uint8)
        _, _, said = stream.ask("POST", "/api/picture", png(red), headers={"X-Name": "Red%20wall.png"})
        assert json.loads(said)["picture"] == "Red wall.png"
        assert json.loads(said)["settings"]["effect"] == "image"
        assert near(after_change(stream), (220, 30, 40))
        stream.do("PATCH", "/api/settings", {"softness": 0.9})
        stream.do("PATCH", "/api/settings", {"effect": "blur"})
        stream.do("PATCH", "/api/settings", {"effect": "image"})
        assert near(after_change(stream), (220, 30, 40))
        assert sorted(path.name for path in tmp_path.rglob("*") if path.is_file()) == ["live.json"]

    @pytest.mark.parametrize("kind", [".jpg", ".webp"])
    def test_other_kinds_of_pictures(self, stream: Stream, kind: str) -> None:
        from livematte import Frame
        from livematte.sinks._still import image_bytes

        blue = Frame.from_rgb(np.full((90, 160, 3), (20, 40, 200), np.uint8))
        stream.do("POST", "/api/picture", image_bytes(blue, kind, quality=95, grey=False))
        assert near(after_change(stream), (20, 40, 200))

    def test_a_large_picture_is_kept_small(self, stream: Stream) -> None:
        stream.do("POST", "/api/picture", png(np.zeros((30, 4000, 3), np.uint8)))
        assert stream.desk._picture.shape == (14, 1920, 3)

    @pytest.mark.parametrize(
        "data",
        [
            b"",
            b"no picture",
            b"\x89PNG\r\n\x1a\nbroken",
            b"\xff\xd8\xff",
            b"RIFF\x00\x00\x00\x00WEBPx",
            b"\xff\xd8\xff\xe0moov" + bytes(500),  # a film, to who looks further than the first three bytes
            b"GIF89a" + bytes(50),
            b"#EXTM3U\n#EXTINF:1,\nfile:///etc/passwd\n",
            b"<svg xmlns='http://www.w3.org/2000/svg'/>",
            b"ffconcat version 1.0\nfile x\n",
        ],
    )
    def test_what_is_no_picture_changes_nothing(self, still: Stream, data: bytes) -> None:
        status, reason = still.refused("POST", "/api/picture", data)
        assert status == 400
        assert "what was sent is" in reason
        found = still.do("GET", "/api/status")
        assert (found["settings"]["effect"], found["picture"]) == ("color:green", None)
        assert sorted(path.name for path in still.desk.presets.path.parent.rglob("*") if path.is_file()) == [
            "live.json"
        ]

    def test_a_picture_of_too_many_pixels(self, still: Stream) -> None:
        data = bomb(7000)
        assert len(data) < 200_000
        status, reason = still.refused("POST", "/api/picture", data)
        assert status == 400
        assert "of up to 40 million pixels" in reason

    def test_one_picture_at_a_time(self, stream: Stream) -> None:
        with stream.control._server.door.one_picture():
            assert stream.refused("POST", "/api/picture", png(np.zeros((4, 4, 3), np.uint8)))[0] == 503
        assert stream.ask("POST", "/api/picture", png(np.zeros((4, 4, 3), np.uint8)))[0] == 200

    def test_a_picture_that_was_not_sent(self, still: Stream) -> None:
        assert "no picture has been sent" in still.refused("PATCH", "/api/settings", {"effect": "image"})[1]


class TestSettings:
    def test_the_effect_is_seen_in_the_output(self, stream: Stream) -> None:
        assert near(stream.shown()[0], (0, 177, 64))
        stream.do("PATCH", "/api/settings", {"effect": "color:#3040c0"})
        assert near(after_change(stream), (0x30, 0x40, 0xC0))
        frame = stream.out.frames[-1].to_rgb()
        assert near(frame, (0x30, 0x40, 0xC0))

    def test_strength_is_of_a_blur(self, stream: Stream) -> None:
        assert "blur" in stream.refused("PATCH", "/api/settings", {"strength": 0.5})[1]
        found = stream.do("PATCH", "/api/settings", {"effect": "blur", "strength": 0.5})
        assert found["settings"]["effect"] == "blur:0.5"
        assert stream.do("PATCH", "/api/settings", {"strength": 0.3})["settings"]["effect"] == "blur:0.3"
        for wrong in (2, 10**400, "x", True, None, [1]):
            assert stream.refused("PATCH", "/api/settings", {"strength": wrong})[0] == 400
        assert stream.do("GET", "/api/status")["settings"]["effect"] == "blur:0.3"

    def test_everything_at_once(self, stream: Stream) -> None:
        wanted = {
            "effect": "color:blue",
            "softness": 0.7,
            "light_wrap": 0.2,
            "despill": False,
            "match": 0.1,
            "who": "nearest",
            "zones": [[[0.1, 0.1], [0.9, 0.1], [0.5, 0.9]]],
            "framing": True,
            "bokeh": True,
        }
        found = stream.do("PATCH", "/api/settings", wanted)["settings"]
        assert {key: found[key] for key in wanted} == wanted
        assert stream.until(lambda found: found["live"]["framing"])["live"]["effect"] == "color:#0000ff"

    @pytest.mark.parametrize(
        "wrong",
        [
            {"sofness": 1},
            {"softness": 2},
            {"effect": "blurr"},
            {"effect": "blur:9"},
            {"effect": 3},
            {"model": "none"},
            {"model": 3},
            {"who": "me"},
            {"zones": [[[0, 0]]]},
            {"framing": "yes"},
            {"effect": "transparent"},
        ],
    )
    def test_one_wrong_value_changes_nothing(self, still: Stream, wrong: dict[str, Any]) -> None:
        before = still.do("GET", "/api/status")["settings"]
        status, reason = still.refused("PATCH", "/api/settings", {"light_wrap": 0.9, **wrong})
        assert status == 400
        assert len(reason) <= _answer.LONGEST_ERROR
        assert still.do("GET", "/api/status")["settings"] == before

    @pytest.mark.parametrize(
        "wanted",
        [
            {"effect": "image:/etc/hostname"},
            {"effect": "image:beach.jpg"},
            {"effect": "video:film.mp4"},
            {"effect": "image:"},
            {"model": "custom:/tmp/net.onnx"},
            {"model": "livematte:../x"},
            {"model": "livematte:/x"},
        ],
    )
    def test_nobody_outside_names_a_file(self, still: Stream, wanted: dict[str, str]) -> None:
        assert still.refused("PATCH", "/api/settings", wanted)[0] == 400

    def test_pause_and_resume(self, stream: Stream) -> None:
        stream.do("POST", "/api/pause")
        stream.until(lambda found: found["live"]["paused"] and found["live"]["camera"] == "closed")
        stream.do("POST", "/api/resume")
        stream.until(lambda found: found["live"]["camera"] == "open")

    def test_stop(self, stream: Stream) -> None:
        stream.do("POST", "/api/stop")
        stream.thread.join(PATIENCE_S)
        assert not stream.thread.is_alive()

    def test_a_stream_that_was_started_elsewhere(self, still: Stream) -> None:
        assert "started elsewhere" in still.refused("POST", "/api/start")[1]

    def test_networks_that_are_here(self, still: Stream) -> None:
        names = [one["name"] for one in still.do("GET", "/api/models")]
        assert "livematte:fast" in names
        assert "mediapipe:landscape" not in names  # not pulled

    def test_figures_for_prometheus(self, still: Stream) -> None:
        status, headers, text = still.ask("GET", "/metrics")
        assert status == 200
        assert headers["content-type"].startswith("text/plain; version=0.0.4")
        assert b"livematte_frames_total" in text


def test_a_network_that_cannot_be_loaded_leaves_the_old_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LIVEMATTE_RUNTIME", str(tmp_path / "run"))
    new = parts.Figure("livematte:base")

    def load(name: str) -> Any:
        if name == "mediapipe:landscape":
            raise LoadError("the weights are not here")
        return new

    with Stream(tmp_path, load=load) as stream:
        stream.do("PATCH", "/api/settings", {"model": "mediapipe:landscape"})
        found = stream.until(lambda found: found["error"] is not None)
        assert found["error"] == "mediapipe:landscape: the weights are not here"
        assert found["live"]["model"] == "livematte:fast"
        before = stream.network.runs
        stream.out.wait_for(3)
        assert stream.network.runs > before
        assert not stream.network.closed
        assert found["settings"]["model"] == "mediapipe:landscape"
        assert stream.refused("PATCH", "/api/settings", {"softness": 5})[0] == 400
        assert stream.do("GET", "/api/status")["error"] == found["error"]  # nothing else was chosen
        later = stream.do("PATCH", "/api/settings", {"softness": 0.5})
        assert (later["error"], later["settings"]["model"]) == (None, "livematte:fast")
        stream.do("PATCH", "/api/settings", {"model": "mediapipe:landscape"})  # tried again, and told again
        assert stream.until(lambda state: state["error"] is not None)["error"] == found["error"]
        stream.do("PATCH", "/api/settings", {"model": "livematte:base"})
        assert stream.until(lambda found: found["live"]["model"] == "livematte:base")["error"] is None


def test_a_preset_whose_network_cannot_be_loaded_tells_so_each_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LIVEMATTE_RUNTIME", str(tmp_path / "run"))

    def load(name: str) -> Any:
        raise LoadError("the weights are not here")

    def told(found: dict[str, Any]) -> bool:
        return found["error"] == "mediapipe:landscape: the weights are not here"

    path = tmp_path / "presets.toml"
    with Stream(tmp_path, load=load) as stream:
        path.write_text('[presets.desk]\nmodel = "mediapipe:landscape"\n[presets.other]\neffect = "color:blue"\n')
        stream.do("POST", "/api/presets/desk")
        stream.until(told)
        path.write_text('[presets.desk]\nmodel = "mediapipe:landscape"\nsoftness = 0.4\n')
        stream.desk.keep_up()
        assert stream.until(told)["settings"]["softness"] == 0.4
        path.write_text('[presets.other]\neffect = "color:blue"\n')
        assert stream.do("POST", "/api/presets/other")["error"] is None


class TestPresets:
    def test_saved_listed_chosen_deleted(self, stream: Stream) -> None:
        stream.do("PATCH", "/api/settings", {"effect": "color:#3040c0", "softness": 0.4})
        assert stream.do("PUT", "/api/presets/my%20desk")["preset"] == "my desk"
        stream.do("PATCH", "/api/settings", {"effect": "color:green"})
        listed = stream.do("GET", "/api/presets")
        assert listed["presets"]["my desk"]["softness"] == 0.4
        found = stream.do("POST", "/api/presets/my%20desk")
        assert (found["preset"], found["presets"]) == ("my desk", ["my desk"])
        assert near(after_change(stream), (0x30, 0x40, 0xC0))
        assert stream.do("DELETE", "/api/presets/my%20desk")["presets"] == []
        assert stream.refused("POST", "/api/presets/my%20desk")[0] == 400

    @pytest.mark.parametrize("name", ["..%2f..%2fevil", "%00", "a%0ab", "x" * 65])
    def test_names_lead_nowhere(self, stream: Stream, name: str, tmp_path: Path) -> None:
        stream.do("POST", "/api/picture", png(np.zeros((4, 4, 3), np.uint8)))
        stream.ask("PUT", f"/api/presets/{name}")
        found = {str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*") if path.is_file()}
        assert found <= {"run/live.json", "presets.toml", f"pictures/{_file_name('../../evil')}.png"}
        assert not (tmp_path.parent / "evil.png").exists()

    def test_a_picture_is_kept_beside_them(self, stream: Stream, tmp_path: Path) -> None:
        stream.do("POST", "/api/picture", png(np.full((8, 8, 3), (220, 30, 40), np.uint8)))
        stream.do("PUT", "/api/presets/wall")
        assert (tmp_path / "pictures" / "wall.png").is_file()
        assert 'effect = "image:pictures/wall.png"' in (tmp_path / "presets.toml").read_text()
        stream.do("PATCH", "/api/settings", {"effect": "blur"})
        assert (
            stream.do("POST", "/api/presets/wall")["settings"]["effect"]
            == f"image:{tmp_path / 'pictures' / 'wall.png'}"
        )
        assert near(after_change(stream), (220, 30, 40))

    def test_two_presets_never_share_a_picture(self, stream: Stream, tmp_path: Path) -> None:
        names = ["\u65e5\u672c", "\u4e2d\u56fd", "a b", "a/b", "a-b", "A-B"]
        for name in names:
            stream.do("POST", "/api/picture", png(np.full((8, 8, 3), (220, 30, 40), np.uint8)))
            stream.do("PUT", f"/api/presets/{quote(name, safe='')}")
        files = [path.name.lower() for path in (tmp_path / "pictures").iterdir()]
        assert len(set(files)) == len(names)  # where a file system knows no capitals, too

    def test_a_film_that_was_gone_is_tried_again(self, stream: Stream, tmp_path: Path) -> None:
        """Its plate has become a plain one meanwhile; settings name the film still."""
        (tmp_path / "presets.toml").write_text('[presets.film]\neffect = "video:film.mkv"\n')
        film, away = tmp_path / "film.mkv", tmp_path / "away"
        with open_sink(film) as sink:  # of one frame: it is opened again at each round
            sink.write(Frame.from_rgb(np.full((36, 64, 3), 90, np.uint8)))
        stream.do("POST", "/api/presets/film")
        film.rename(away)
        found = stream.until(lambda found: found["live"]["effect"] == "color:#808080")
        assert "there is no file" in found["error"]
        away.rename(film)
        stream.do("POST", "/api/presets/film")
        assert stream.until(lambda found: found["live"]["effect"].startswith("video:"))["error"] is None

    def test_the_chosen_one_follows_its_file(self, stream: Stream, tmp_path: Path) -> None:
        stream.do("PUT", "/api/presets/desk")
        path = tmp_path / "presets.toml"
        path.write_text('[presets.desk]\neffect = "color:#3040c0"\n')
        stream.desk.keep_up()
        assert stream.do("GET", "/api/status")["settings"]["effect"] == "color:#3040c0"
        assert near(after_change(stream), (0x30, 0x40, 0xC0))
        path.write_text('[presets.desk]\neffect = "color:#nothing"\n')
        stream.desk.keep_up()
        found = stream.do("GET", "/api/status")
        assert "preset 'desk'" in found["error"]
        assert found["settings"]["effect"] == "color:#3040c0"
        found = stream.do("PATCH", "/api/settings", {"softness": 0.4})  # something else is chosen
        assert (found["error"], found["preset"]) == (None, None)
        path.write_text("[presets.desk\n")
        stream.desk.keep_up()
        assert "line 1" in stream.do("GET", "/api/status")["presets_error"]

    def test_the_thread_looks_by_itself(self, stream: Stream, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        (tmp_path / "presets.toml").write_text("[presets.new]\nsoftness = 0.1\n")
        assert stream.until(lambda found: found["presets"] == ["new"])
