"""The command line with many files, and with others at work in the same place."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from livematte import cli
from livematte.cli import _job

CLIP = "synthetic:96x64@25*2"


@pytest.mark.parametrize("leave", [(), ("-y",)])
def test_a_name_that_another_job_takes_meanwhile(
    leave: tuple[str, ...], livematte: Callable, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "out.mp4"

    @contextmanager
    def progress(label: str, frames: int | None) -> Iterator[Callable]:
        yield lambda stats: out.write_bytes(b"theirs")

    monkeypatch.setattr(_job, "progress", progress)
    code, _, err = livematte("blur", CLIP, "-o", out, *leave)
    if leave:
        assert (code, err) == (0, "")
        assert out.read_bytes() != b"theirs"
        assert [path.name for path in tmp_path.iterdir()] == ["out.mp4"]
        return
    assert code == cli.FAILED
    assert err.endswith(f"what was finished here is in {tmp_path / 'out-2.mp4'}\n")
    assert out.read_bytes() == b"theirs"
    assert (tmp_path / "out-2.mp4").stat().st_size > 1000
