"""What is secret in an address reaches FFmpeg through a pipe, or a file of the user's own, and then is gone."""

from __future__ import annotations

import stat
import subprocess
import sys
from pathlib import Path

import pytest

from livematte.sinks import _connection
from livematte.sinks._connection import Broken, Connection, Push
from livematte.sinks._secrets import UNREAD, Handed

OPTIONS = "passphrase=a b=c\nsrt_streamid=#!::r=x\n"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where temporary files go."""
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    return tmp_path


def read_by_a_program(handed: Handed) -> str:
    """What a program finds under the name that it was given."""
    code = "import sys; sys.stdout.write(open(sys.argv[2]).read())"
    command = [sys.executable, "-c", code, *handed.arguments[2:]]
    return subprocess.run(command, pass_fds=handed.files, capture_output=True, text=True, check=True).stdout


@pytest.mark.parametrize("pipes", [True, False])
def test_a_program_reads_it_and_nothing_stays(pipes: bool, folder: Path) -> None:
    before = len(list(Path("/dev/fd").iterdir()))
    handed = Handed(OPTIONS, pipes=pipes)
    assert handed.arguments[:3] == ["-passphrase", UNREAD, "-fpre"]  # without it one that is not read is none at all
    assert "a b" not in " ".join(handed.arguments)
    assert read_by_a_program(handed) == OPTIONS
    handed.started()
    assert len(list(folder.iterdir())) == (0 if pipes else 1)
    for file in folder.iterdir():
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
    handed.over()
    handed.over()
    assert list(folder.iterdir()) == []
    assert len(list(Path("/dev/fd").iterdir())) == before


@pytest.mark.parametrize("pipes", [True, False])
def test_without_secrets_there_is_nothing(pipes: bool, folder: Path) -> None:
    handed = Handed("", pipes=pipes)
    assert (handed.arguments, handed.files, list(folder.iterdir())) == ([], (), [])


def test_a_name_alone_wants_no_passphrase(folder: Path) -> None:
    handed = Handed("srt_streamid=passphrase=x\n", pipes=False)
    assert handed.arguments[0] == "-fpre"
    handed.over()


def test_a_passphrase_that_ffmpeg_did_not_take_is_told_so(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    words = "[srt @ 0x1] failed to set option SRTO_PASSPHRASE on socket: Operation not supported: Bad parameters"
    program = folder / "ffmpeg"
    program.write_text(f"#!/bin/sh\necho '{words}' >&2\nexit 251\n")
    program.chmod(0o755)
    monkeypatch.setattr(_connection.shutil, "which", lambda name: str(program))
    connection = Connection(Push("srt://h:9?passphrase=secret", "srt://h:9", "mpegts", {}, 25, {}, 50), by_ffmpeg=True)
    with pytest.raises(Broken, match="FFmpeg has taken no passphrase: one has 10 to 79 characters"):
        connection.established(30)
    connection.close()


@pytest.mark.parametrize("starts", [True, False])
def test_a_connection_that_ends_early_leaves_no_file(
    starts: bool, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_connection, "Handed", lambda options: Handed(options, pipes=False))
    program = sys.executable if starts else str(folder / "nowhere")
    monkeypatch.setattr(_connection.shutil, "which", lambda name: program)
    push = Push("srt://h:9?passphrase=secret", "srt://h:9", "mpegts", {}, 25, {}, 50)
    if not starts:
        with pytest.raises(Broken, match="no process can be started"):
            Connection(push, by_ffmpeg=True)
    else:
        connection = Connection(push, by_ffmpeg=True)  # it reads no options and ends at once
        assert len(list(folder.iterdir())) == 1
        connection.close()
    assert list(folder.iterdir()) == []
