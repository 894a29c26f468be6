"""`livematte ctl`, and the options of `live` and `serve` that belong to it, against streams that run."""

from __future__ import annotations

import importlib.util
import json
import os
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from livematte import LoadError, OptionError, cli
from livematte._live import Live
from livematte._preset_file import PresetFile
from livematte._presets import Preset
from livematte.control import Control
from livematte.control._desk import Desk
from livematte.control._running import NotRunning, announce, pick, running, runtime_dir, withdraw

spec = importlib.util.spec_from_file_location("live_parts", Path(__file__).parents[1] / "live" / "parts.py")
parts = importlib.util.module_from_spec(spec)
spec.loader.exec_module(parts)

Run = Callable[..., tuple[int, str, str]]
CLIP = "synthetic:64x36@30*100000"


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("LIVEMATTE_RUNTIME", str(tmp_path / "run"))
    monkeypatch.setenv("LIVEMATTE_CONFIG", str(tmp_path))
    return tmp_path


def load(name: str) -> Any:
    if name == "livematte:research":
        raise LoadError("broken on purpose")
    return parts.Figure(name)


@pytest.fixture
def live(folder: Path) -> Iterator[Live]:
    out = parts.Output()
    desk = Desk(Preset(effect="blur:0.6", model="livematte:fast"), PresetFile(folder / "presets.toml"))
    stream = Live(
        lambda: parts.Room(out),
        desk.watch(out),
        model=parts.Figure("livematte:fast"),
        effect=desk.painter,
        size=parts.SIZE,
        load=load,
    )
    desk.attach(stream)
    thread = threading.Thread(target=stream.run)
    with Control(desk):
        thread.start()
        out.wait_for(2)
        yield stream
        stream.stop()
        thread.join()


def test_status(live: Live, livematte: Run) -> None:
    code, shown, said = livematte("ctl", "status")
    assert (code, said) == (0, "")
    for part in ("camera    open", "320x180", "p95", "livematte:fast", "effect    blur:0.6"):
        assert part in shown
    found = json.loads(livematte("ctl", "status", "--json")[1])
    assert found["live"]["size"] == [320, 180]


def test_effect_and_strength(live: Live, livematte: Run) -> None:
    assert "color:blue" in livematte("ctl", "effect", "color:blue")[1]
    code, _, said = livematte("ctl", "strength", "0.4")
    assert (code, said.count("\n")) == (cli.FAILED, 1)
    assert "belongs to the effect blur" in said
    assert livematte("ctl", "effect", "blur")[0] == 0
    assert "blur:0.4" in livematte("ctl", "strength", "0.4")[1]


def test_a_wrong_effect_is_said_in_one_line(live: Live, livematte: Run) -> None:
    code, shown, said = livematte("ctl", "effect", "blurr")
    assert (code, shown) == (cli.FAILED, "")
    assert said == "livematte: error: effect: no effect is called 'blurr'; did you mean blur?\n"


@pytest.mark.parametrize("words", [("picture", "{}"), ("effect", "image:{}")])
def test_a_picture_is_sent(live: Live, livematte: Run, words: tuple[str, str], astronaut_path: Path) -> None:
    code, shown, _ = livematte("ctl", words[0], words[1].format(astronaut_path))
    assert code == 0
    assert "effect    astronaut.png" in shown


def test_pictures_that_cannot_be(live: Live, livematte: Run, tmp_path: Path) -> None:
    assert "cannot read" in livematte("ctl", "picture", tmp_path / "none.png")[2]
    (tmp_path / "large.png").write_bytes(bytes(21 * 2**20))
    assert "larger than 20 MB" in livematte("ctl", "picture", tmp_path / "large.png")[2]
    (tmp_path / "text.png").write_text("no picture")
    assert "no PNG, JPEG or WebP" in livematte("ctl", "picture", tmp_path / "text.png")[2]


def test_a_network_is_waited_for(live: Live, livematte: Run) -> None:
    code, shown, _ = livematte("ctl", "model", "livematte:base")
    assert code == 0
    assert "model     livematte:base" in shown
    code, _, said = livematte("ctl", "model", "livematte:research")
    assert code == cli.FAILED
    assert said == "livematte: error: livematte:research: broken on purpose; livematte:base goes on\n"
    assert livematte("ctl", "model", "livematte:fast")[0] == 0


def test_framing_pause_and_resume(live: Live, livematte: Run) -> None:
    assert livematte("ctl", "framing", "on")[0] == 0
    assert "on or off" in livematte("ctl", "framing", "maybe")[2]
    assert livematte("ctl", "pause")[:2] == (0, "paused\n")
    assert livematte("ctl", "resume")[:2] == (0, "goes on\n")


def test_presets(live: Live, livematte: Run, folder: Path) -> None:
    code, shown, said = livematte("ctl", "preset")
    assert (code, shown) == (0, "")
    assert "no presets yet" in said
    assert livematte("ctl", "preset", "office", "--save")[1] == "office saved\n"
    assert livematte("ctl", "effect", "off")[0] == 0
    assert "effect    blur:0.6 (preset office)" in livematte("ctl", "preset", "office")[1]
    assert "office  effect blur:0.6, model livematte:fast" in livematte("ctl", "preset")[1]
    assert "did you mean office?" in livematte("ctl", "preset", "ofice")[2]
    assert livematte("ctl", "preset", "office", "--delete")[1] == "office deleted\n"
    assert "one of them" in livematte("ctl", "preset", "--save")[2]
    assert livematte("ctl", "preset", "--list")[1] == ""
    (folder / "presets.toml").write_text("[presets.a]\nsofness = 1\n")
    assert "line 2" in livematte("ctl", "preset")[2]


def test_presets_are_listed_without_a_stream(livematte: Run, folder: Path) -> None:
    code, shown, said = livematte("ctl", "preset", "--list")
    assert (code, shown) == (0, "")
    assert f"writes them to {folder / 'presets.toml'}" in said
    (folder / "presets.toml").write_text('[presets.a]\nwho = "nearest"\nzones = [[[0, 0], [1, 0], [1, 1]]]\n')
    assert livematte("ctl", "preset", "--list") == (0, "a  who nearest, zones 1\n", "")
    assert livematte("ctl", "preset") == (0, "a  who nearest, zones 1\n", "")
    listed = json.loads(livematte("ctl", "preset", "--list", "--json")[1])["presets"]
    assert listed == {"a": {"who": "nearest", "zones": [[[0, 0], [1, 0], [1, 1]]]}}
    (folder / "presets.toml").write_text("[presets.a\n")
    assert "line 1" in livematte("ctl", "preset", "--list")[2]
    assert "leave out 'a'" in livematte("ctl", "preset", "a", "--list")[2]
    assert "one of them" in livematte("ctl", "preset", "--list", "--save")[2]
    assert "no stream" in livematte("ctl", "preset", "--list", "--name", "x")[2]
    assert "no stream that can be steered" in livematte("ctl", "preset", "a")[2]


def test_the_address_of_the_page(live: Live, livematte: Run) -> None:
    code, shown, _ = livematte("ctl", "page")
    assert code == 0
    assert shown.startswith("http://127.0.0.1:")
    assert f"#token={pick(None).token}" in shown


def test_stop(live: Live, livematte: Run) -> None:
    assert livematte("ctl", "stop")[:2] == (0, "stopped\n")
    assert live._stopped


def test_none_is_running(livematte: Run) -> None:
    code, _, said = livematte("ctl", "status")
    assert code == cli.FAILED
    assert said == (
        "livematte: error: no stream that can be steered is running; start one: livematte live --control 0\n"
    )


def test_several_are_running(livematte: Run) -> None:
    first = announce("live", "http://127.0.0.1:1/", "a")
    second = announce("live", "http://127.0.0.1:2/", "b")
    assert [one.name for one in running()] == ["live", "live-2"]
    assert "several streams are running: live, live-2; say which with --name" in livematte("ctl", "status")[2]
    assert "no stream is called 'x'; running: live, live-2" in livematte("ctl", "status", "--name", "x")[2]
    assert "the stream 'live-2' does not answer" in livematte("ctl", "status", "--name", "live-2")[2]
    withdraw(*first)
    assert pick(None).name == "live-2"
    withdraw(*second)
    assert running() == []


def test_files_of_others_stay(folder: Path) -> None:
    """LIVEMATTE_RUNTIME may name a folder that is used for something else, too."""
    theirs = folder / "run" / "package.json"
    withdraw(*announce("live", "http://127.0.0.1:1/", "a"))
    theirs.write_text('{"name": "mine"}')
    assert running() == []
    assert theirs.exists()


def test_a_stream_that_died_is_forgotten(folder: Path) -> None:
    _, path = announce("live", "http://127.0.0.1:1/", "a")
    told = json.loads(path.read_text()) | {"pid": 2**22 + 1}  # beyond what Linux gives out
    path.write_text(json.dumps(told))
    assert running() == []
    assert not path.exists()
    for junk in ("", "[]", "{}", '{"name": "../x", "pid": 1, "url": "http://x", "token": "t"}', "[" * 4000):
        (folder / "run" / "junk.json").write_text(junk)
        with pytest.raises(NotRunning):
            pick(None)


def test_a_name_that_others_have_taken_is_not_withdrawn(folder: Path) -> None:
    found, path = announce("live", "http://127.0.0.1:1/", "a")
    path.unlink()
    announce("live", "http://127.0.0.1:2/", "b")
    withdraw(found, path)
    assert pick(None).url == "http://127.0.0.1:2/"


@pytest.mark.skipif(os.name == "nt", reason="modes are POSIX's")
def test_a_folder_that_others_can_look_into_is_not_trusted(folder: Path) -> None:
    (folder / "run").mkdir(mode=0o755)
    (folder / "run").chmod(0o755)
    with pytest.raises(OptionError, match="chmod 700"):
        runtime_dir()
    (folder / "run").rmdir()
    (folder / "elsewhere").mkdir(mode=0o700)
    (folder / "run").symlink_to(folder / "elsewhere")
    with pytest.raises(OptionError, match="is not a folder"):
        runtime_dir()


def test_live_with_control(livematte: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """The whole command: it is found, steered and ended by `ctl`."""
    done: list[Any] = []
    words = ("live", "--input", CLIP, "-o", "null:", "--control", "0", "--effect", "color:green", "--softness", "0.4")
    thread = threading.Thread(target=lambda: done.append(cli.run(list(words))))
    thread.start()
    try:
        while not running():
            thread.join(0.05)
            assert thread.is_alive()
        found = json.loads(livematte("ctl", "effect", "color:blue", "--json")[1])
        assert (found["settings"]["effect"], found["settings"]["softness"]) == ("color:blue", 0.4)
    finally:
        livematte("ctl", "stop")
        thread.join(30)
    assert done == [0]
    assert running() == []


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("--control", "x"), "a control address is a port"),
        (("--control", "nowhere.invalid:0"), "cannot listen on nowhere.invalid"),
        (("--preset", "none"), "no preset is called 'none'"),
        (("--match", "0.5"), "--match takes its light from a new background, and the effect blur has none"),
        (("--match", "0.5", "--effect", "transparent"), "the effect transparent has none; leave it out, or choose"),
    ],
)
def test_live_refuses(livematte: Run, words: tuple[str, str], says: str) -> None:
    code, _, said = livematte("live", "--input", CLIP, "-o", "null:", "--seconds", "1", *words)
    assert (code, said.count("error:")) == (cli.FAILED, 1)
    assert says in said


def test_live_begins_with_a_preset(livematte: Run, folder: Path) -> None:
    text = '[presets.a]\neffect = "color:blue"\nmodel = "livematte:base"\nframing = true\n'
    (folder / "presets.toml").write_text(text)
    words = ("live", "--input", "synthetic:64x36@30*10", "-o", "null:", "--json", "--preset", "a")
    figures = json.loads(livematte(*words)[1])
    assert (figures["effect"], figures["model"], figures["framing"]) == ("color:#0000ff", "livematte:base", True)
    figures = json.loads(livematte(*words, "--effect", "off", "--model", "livematte:fast")[1])
    assert (figures["effect"], figures["model"], figures["framing"]) == ("off", "livematte:fast", True)


def test_serve_live_is_for_this_machine(livematte: Run) -> None:
    code, _, said = livematte("serve", "--live", "--host", "0.0.0.0")
    assert code == cli.FAILED
    assert "--live is for this machine alone" in said


def test_starting_again_does_not_write_over_the_recording(folder: Path) -> None:
    from livematte.cli import serve

    (folder / "rec.mp4").write_bytes(b"of the time before")
    with pytest.raises(OptionError, match="exists; move it away"):
        serve._started(
            Desk(Preset(effect="blur", model="livematte:fast")), "synthetic:64x36*3", str(folder / "rec.mp4")
        )


def test_one_server_for_both_ways(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import http.client

    from livematte import _serve
    from livematte.control import Announced
    from livematte.control._door import Door
    from livematte.control._serve import BothServer

    app = folder / "web"
    app.mkdir()
    (app / "index.html").write_text("<header></header>", encoding="utf-8")
    (app / "app.js").write_text("export {};", encoding="utf-8")
    monkeypatch.setattr(_serve, "APP", app)
    out = parts.Output()

    def start(desk: Desk) -> Live:
        return Live(
            lambda: parts.Room(out), desk.watch(out), model=parts.Figure(), effect=desk.painter, size=parts.SIZE
        )

    desk = Desk(Preset(effect="color:green", model="livematte:fast"), start=start)
    with BothServer("127.0.0.1", 0, desk, Door("127.0.0.1")) as server, Announced(desk, server) as announced:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()

        def ask(method: str, path: str, **headers: str) -> tuple[int, bytes]:
            connection = http.client.HTTPConnection("127.0.0.1", server.server_address[1], timeout=30)
            connection.request(method, path, headers=headers)
            answer = connection.getresponse()
            data = answer.read()
            connection.close()
            return answer.status, data

        token = {"Authorization": f"Bearer {announced.running.token}"}
        assert b'href="/live/"' in ask("GET", "/")[1]
        assert ask("GET", "/app.js") == (200, b"export {};")
        assert ask("GET", "/missing")[0] == 404
        assert ask("POST", "/app.js", **token)[0] == 501
        assert ask("GET", "/app.js", Host="evil.example")[0] == 403
        assert b"livematte: live" in ask("GET", "/live/")[1]
        assert ask("POST", "/live/api/start")[0] == 401
        assert ask("GET", "/api/status", **token)[0] == 404
        assert ask("POST", "/live/api/start", **token)[0] == 200
        out.wait_for(2)
        assert pick(None).url.endswith("/live/")
        assert cli.run(["ctl", "effect", "color:blue"]) == 0
        assert json.loads(ask("GET", "/live/api/status", **token)[1])["running"]
        assert ask("POST", "/live/api/stop", **token)[0] == 200
        assert not desk.status()["running"]
        server.shutdown()
        thread.join()
    assert np.asarray(out.frames[-1].planes[0]).size
