"""What is secret in an address is in no message, report or traceback."""

from __future__ import annotations

import json
import socket
import traceback
from collections.abc import Callable
from typing import Any

import pytest

from livematte import OpenError, OptionError, Size
from livematte._address import without_secrets
from livematte._errors import SinkError
from livematte.sinks import open_sink
from livematte.sources import open_source
from livematte.sources.synthetic import Synthetic

KEY, PASSWORD = "live_8f3a", "hunter2"


@pytest.mark.parametrize(
    ("spec", "shown"),
    [
        ("rtmp://me:pw@host:1935/app/secret?auth=1", "rtmp://host:1935/app/..."),
        ("RTMPS://host/app/instance/secret", "rtmps://host/app/instance/..."),
        ("stream:rtmp://host/app/secret", "rtmp://host/app/..."),
        ("srt://host:9000?passphrase=secret", "srt://host:9000"),
        ("srt://host:9000?streamid=#!::r=secret", "srt://host:9000"),
        ("rtsp://me:p@ss@host/room/1?key=secret", "rtsp://host/room/1"),
        ("rtpm://host/app/secret", "rtpm://host/app/..."),
        ("talk.mp4", "talk.mp4"),
        ("synthetic:64x36@30*5", "synthetic:64x36@30*5"),
        ("C:\\talk?.mp4", "C:\\talk?.mp4"),
        ("-", "-"),
    ],
)
def test_only_where_and_not_who(spec: str, shown: str) -> None:
    assert without_secrets(spec) == shown


def told(exc: BaseException) -> str:
    """All that a log could hold of an error."""
    return "".join(traceback.format_exception(exc))


@pytest.mark.parametrize("spec", [f"rtmpz://host/live/{KEY}", f"stream:rtmpz://me:{PASSWORD}@host/live/{KEY}?a={KEY}"])
def test_a_scheme_that_is_none(spec: str) -> None:
    for opened in (open_sink, open_source):
        with pytest.raises(OptionError, match=r"address begins with .*; got 'rtmpz://host/live/\.\.\.'") as caught:
            opened(spec)
        assert KEY not in str(caught.value)
        assert PASSWORD not in str(caught.value)


@pytest.fixture
def nobody() -> Any:
    """A port at which connections are refused."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        yield taken.getsockname()[1]


def test_an_input_that_does_not_answer(nobody: int) -> None:
    with pytest.raises(OpenError, match=rf"cannot open rtsp://127\.0\.0\.1:{nobody}/room: ") as caught:
        open_source(f"rtsp://me:{PASSWORD}@127.0.0.1:{nobody}/room?key={KEY}")
    assert PASSWORD not in told(caught.value)
    assert KEY not in told(caught.value)


def test_an_output_that_does_not_answer(nobody: int) -> None:
    def push() -> None:
        with sink:
            for _ in range(10_000):
                sink.write(frame)

    frame = Synthetic(Size(64, 48)).frame(0)
    sink = open_sink(f"rtmp://me:{PASSWORD}@127.0.0.1:{nobody}/live/{KEY}")
    with pytest.raises(SinkError, match=r"cannot push to rtmp://127\.0\.0\.1:\d+/live/\.\.\.: ") as caught:
        push()
    assert PASSWORD not in told(caught.value)
    assert KEY not in told(caught.value)


def test_reports(livematte: Callable[..., tuple[int, str, str]], monkeypatch: pytest.MonkeyPatch) -> None:
    from livematte.sinks import null, stream

    monkeypatch.setattr(stream, "create", lambda argument, **options: null.create(None))
    out = f"rtmp://me:{PASSWORD}@host/live/{KEY}"
    clip = "synthetic:64x36@30*3"
    for command in (("live", "--input", clip), ("blur", clip)):
        code, shown, said = livematte(*command, "-o", out, "--json")
        assert (code, json.loads(shown)["output"]) == (0, "rtmp://host/live/...")
        assert KEY not in shown + said
        assert KEY not in "".join(livematte(*command, "-o", out)[1:])
