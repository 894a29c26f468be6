"""Control: what is shown of the output, on the socket too, and that nobody ever gets to see the room."""

from __future__ import annotations

import json
import sys
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from livematte import Color, DownloadError, OptionError, Size
from livematte._clock import ManualClock
from livematte._live import Live
from livematte._preset_file import PresetFile
from livematte._presets import Preset
from livematte.control import _answer
from livematte.control._desk import Desk
from livematte.control._door import MOST_SOCKETS
from livematte.control._preview import PERIOD_NS, WATCHED_NS, Preview, encoded
from livematte.sources.synthetic import Synthetic

sys.path.insert(0, str(Path(__file__).parent))

import control_parts
from control_parts import PATIENCE_S, Stream, after_change, connected, contrast_shown, decoded, near, parts, reply

stream = control_parts.stream


class TestRoom:
    @pytest.mark.parametrize("effect", ["blur", "blur:0.1", "color:green"])
    def test_no_answer_shows_the_room(self, stream: Stream, effect: str) -> None:
        assert contrast_shown(Synthetic(parts.SIZE).frame(0).to_rgb()) > 0.9
        stream.do("PATCH", "/api/settings", {"effect": effect})
        after_change(stream)
        number = 0
        for dead in (False, True, False):
            stream.network.dead = dead
            for command in ("pause", "resume"):
                stream.do("POST", f"/api/{command}")
                stream.out.wait_for(2)
                picture, number = stream.shown(number)
                weak = effect == "blur:0.1" and not dead  # behind a person it is what was asked for
                assert weak or abs(contrast_shown(picture)) < 0.15

    def test_after_the_end_there_is_no_picture(self, stream: Stream) -> None:
        stream.shown()
        stream.do("POST", "/api/stop")
        stream.thread.join(PATIENCE_S)
        status, _, body = stream.ask("GET", "/api/preview.jpg")
        assert (status, body) == (204, b"")


class TestPreview:
    def test_frames_are_kept_only_while_somebody_looks(self) -> None:
        clock, out = ManualClock(), parts.Output()
        frame = Synthetic(parts.SIZE).frame(0)
        with Preview(out, clock) as preview:
            preview.write(frame)
            assert preview._frame is None
            assert preview.shot(0, 0) is None
            preview.write(frame)
            shot = preview.shot(0, 0)
            assert decoded(shot.jpeg).shape == (180, 320, 3)
            assert preview.shot(0, 0) is shot
            assert preview.shot(shot.number, 0) is None
            preview.write(frame)
            assert preview.shot(shot.number, 0) is None  # ten a second are enough
            clock.advance_ms(PERIOD_NS / 1e6)
            assert preview.shot(shot.number, 0).number > shot.number
            clock.advance_ms(WATCHED_NS / 1e6)
            assert not preview.watched
        assert preview.shot(0, 0) is None
        assert len(out.frames) == 3

    def test_who_looks_is_a_reader(self) -> None:
        clock = ManualClock()
        out = parts.Output()
        assert Preview(out, clock).readers() is None
        out.readers = lambda: 2
        preview = Preview(out, clock)
        assert preview.readers() == 2
        preview.shot(0, 0)
        assert preview.readers() == 3

    def test_what_the_sink_can_do_is_passed_on(self) -> None:
        out = parts.Output()
        assert (Preview(out).resizes, Preview(out).ended, Preview(out).notes) == (False, False, [])
        out.resizes, out.ended, out.notes = True, True, ["a note"]
        assert (Preview(out).resizes, Preview(out).ended, Preview(out).notes) == (True, True, ["a note"])

    def test_a_wide_picture_is_made_small(self) -> None:
        assert decoded(encoded(Synthetic(Size(1280, 720)).frame(0))).shape == (360, 640, 3)
        assert decoded(encoded(Synthetic(Size(3, 2001)).frame(0))).shape == (640, 2, 3)

    def test_transparency_shows_a_board(self) -> None:
        frame = Synthetic(parts.SIZE).frame(0)
        clear = frame.with_planes(frame.planes, np.zeros((180, 320), np.uint8))
        seen = decoded(encoded(clear))
        assert abs(contrast_shown(seen)) < 0.05
        assert {round(int(value), -1) for value in seen[4::12, 4::12, 0].ravel()} == {170, 200}


class TestSocket:
    def test_figures_previews_and_commands(self, stream: Stream) -> None:
        with connected(stream) as page:
            told = json.loads(page.recv(PATIENCE_S))
            assert told["status"]["settings"]["effect"] == "color:green"
            page.send(json.dumps({"preview": True}))
            picture = next(said for said in iter(lambda: page.recv(PATIENCE_S), None) if isinstance(said, bytes))
            assert near(decoded(picture), (0, 177, 64))
            page.send(json.dumps({"id": 7, "method": "PATCH", "path": "api/settings", "body": {"effect": "blur:0.4"}}))
            assert reply(page, 7)["body"]["settings"]["effect"] == "blur:0.4"
            page.send(json.dumps({"id": 8, "method": "PATCH", "path": "api/settings", "body": {"effect": "blur:7"}}))
            assert reply(page, 8)["status"] == 400
            page.send(json.dumps({"id": 9, "method": "POST", "path": "api/picture", "body": {}}))
            assert reply(page, 9)["status"] == 400
            page.send("nonsense")
            assert reply(page, None)["status"] == 400

    def test_the_preview_of_a_stream_that_was_started_again(self, stream: Stream) -> None:
        """It counts its frames from the beginning."""
        with connected(stream) as page, Preview(parts.Output()) as preview:
            said = (page.recv(PATIENCE_S) for _ in range(30))  # figures come all the time
            pictures = (one for one in said if isinstance(one, bytes))
            page.send(json.dumps({"preview": True}))
            for _ in range(3):
                next(pictures)
            stream.desk.preview = preview
            while not preview.watched:
                stream.out.wait_for(1)
            preview.write(Synthetic(parts.SIZE).frame(0))
            assert any(not near(decoded(picture), (0, 177, 64)) for picture in pictures)

    def test_a_long_message_ends_it(self, stream: Stream) -> None:
        from websockets.exceptions import ConnectionClosed

        with connected(stream) as page:
            page.send("x" * (_answer.MOST_JSON_BYTES + 1))
            with pytest.raises(ConnectionClosed) as caught:
                reply(page, "never")
            assert caught.value.rcvd.code == 1009

    def test_it_ends_with_the_stream(self, tmp_path: Path) -> None:
        from websockets.exceptions import ConnectionClosed

        with Stream(tmp_path) as stream:
            page = connected(stream).__enter__()
        with pytest.raises(ConnectionClosed) as caught:
            reply(page, "never")
        assert caught.value.rcvd.code == 1001

    def test_only_so_many_pages(self, stream: Stream) -> None:
        from websockets.exceptions import InvalidStatus

        with ExitStack() as pages:
            for _ in range(MOST_SOCKETS):
                pages.enter_context(connected(stream))
            with pytest.raises(InvalidStatus) as caught, connected(stream):
                pass
        assert caught.value.response.status_code == 503

    def test_without_the_token_or_from_elsewhere(self, stream: Stream) -> None:
        from websockets.exceptions import InvalidStatus

        for options, status in (({"token": "wrong"}, 401), ({"origin": "http://evil.example"}, 403)):
            with pytest.raises(InvalidStatus) as caught, connected(stream, **options):
                pass
            assert caught.value.response.status_code == status

    def test_without_the_package_the_rest_works(self, stream: Stream, monkeypatch: pytest.MonkeyPatch) -> None:
        import sys

        monkeypatch.setitem(sys.modules, "websockets.server", None)
        headers = {"Sec-WebSocket-Protocol": f"livematte, token.{stream.token}"}
        status, reason = stream.refused("GET", "/api/socket", headers=headers)
        assert (status, reason) == (501, 'WebSockets need an extra: pip install "livematte[control]"')
        assert stream.do("GET", "/api/status")["running"]


class TestStarting:
    """A desk that starts and ends its stream itself, as `livematte serve --live` has it."""

    def test_start_stop_start(self, tmp_path: Path) -> None:
        out = parts.Output()

        def start(desk: Desk) -> Live:
            return Live(
                lambda: parts.Room(out), desk.watch(out), model=parts.Figure(), effect=desk.painter, size=parts.SIZE
            )

        with Desk(Preset(effect="blur", model="figure"), PresetFile(tmp_path / "p.toml"), start) as desk:
            assert not desk.status()["running"]
            with pytest.raises(OptionError, match="start it first"):
                desk.pause()
            desk.change({"effect": "color:blue"})
            for _ in range(2):
                desk.start()
                with pytest.raises(OptionError, match="running already"):
                    desk.start()
                out.wait_for(2)
                assert desk.status()["live"]["effect"] == "color:#0000ff"
                desk.stop()
                assert not desk.status()["running"]

    def test_why_it_ended_is_told(self, tmp_path: Path) -> None:
        def start(desk: Desk) -> Live:
            def load(name: str) -> Any:
                raise DownloadError("no weights")

            return Live(lambda: parts.Room(out), desk.watch(out), load=load, effect=Color("green"), size=parts.SIZE)

        out = parts.Output()
        with Desk(Preset(effect="blur", model="figure"), PresetFile(tmp_path / "p.toml"), start) as desk:
            desk.start()
            desk._thread.join(PATIENCE_S)
            assert desk.status()["error"] == "no weights"
            assert not desk.status()["running"]
