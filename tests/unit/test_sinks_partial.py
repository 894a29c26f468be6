"""Outputs appear only when they are complete: nothing is left where writing failed."""

from __future__ import annotations

import contextlib
import errno
import importlib.util
import os
import subprocess
from pathlib import Path

import pytest

from livematte._errors import SinkError
from livematte.sinks import open_sink
from livematte.sinks._partial import PartialFile, PartialFolder
from livematte.sources import open_source

spec = importlib.util.spec_from_file_location("media_make", Path(__file__).parents[1] / "media" / "make.py")
make = importlib.util.module_from_spec(spec)
spec.loader.exec_module(make)

read = make.read
write = make.write
synthetic = make.synthetic
left_in = make.left_in


def broken_off(after, error=RuntimeError, before=lambda: None):
    """A stream that fails after so many frames."""
    if after:
        yield from synthetic(frames=after)
    before()
    raise error


class TestNothingIsLeft:
    @pytest.mark.parametrize("name", ["a.mp4", "a.webm", "a.mov", "a.mkv"])
    @pytest.mark.parametrize("after", [0, 1, 7])
    @pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt])
    def test_after_an_abort(self, tmp_path, name, after, error):
        seen = []
        with pytest.raises(error):
            write(tmp_path / name, broken_off(after, error, lambda: seen.extend(left_in(tmp_path))))
        assert [hidden.startswith(".a.") for hidden in seen] == [True]
        assert left_in(tmp_path) == []

    def test_an_abort_leaves_the_older_file(self, tmp_path):
        (tmp_path / "a.mp4").write_bytes(b"older")
        with pytest.raises(RuntimeError):
            write(tmp_path / "a.mp4", broken_off(1))
        assert (tmp_path / "a.mp4").read_bytes() == b"older"
        write(tmp_path / "a.mp4", synthetic(frames=2))
        assert len(read(tmp_path / "a.mp4")) == 2

    def test_the_input_is_not_written_over(self, tmp_path):
        path = make.clip(tmp_path / "a.mp4", frames=3)
        before = path.read_bytes()
        (tmp_path / "b.mp4").symlink_to(path)
        film = open_source(path)
        for name in ("a.mp4", "b.mp4", "../" + tmp_path.name + "/a.mp4"):
            with (
                pytest.raises(SinkError, match="is the input itself"),
                open_sink(tmp_path / name, source_info=film.info),
            ):
                pass
        assert path.read_bytes() == before
        still = open_source(make.still(tmp_path / "s.png", make.picture(0, 8, 8)))
        with (
            pytest.raises(SinkError, match="is the input itself"),
            open_sink(tmp_path / "s.png", source_info=still.info),
        ):
            pass

    def test_a_link_is_followed(self, tmp_path):
        (tmp_path / "real").mkdir()
        (tmp_path / "link.mp4").symlink_to(tmp_path / "real" / "a.mp4")
        write(tmp_path / "link.mp4", synthetic(frames=2))
        assert (tmp_path / "link.mp4").is_symlink()
        assert left_in(tmp_path / "real") == ["a.mp4"]

    def test_places_that_cannot_be_written_to(self, tmp_path):
        (tmp_path / "file").touch()
        for path, message in (
            (tmp_path / "none" / "a.mp4", "does not exist; make it first"),
            (tmp_path / "file" / "a.mp4", "is not a folder"),
            (Path("/dev/null"), "is not a regular file"),
        ):
            with pytest.raises(SinkError, match=message):
                PartialFile(path)
        with pytest.raises(SinkError, match="does not exist"):
            PartialFolder(tmp_path / "none" / "out")

    def test_a_folder_without_permission(self, tmp_path):
        if not hasattr(os, "geteuid") or os.geteuid() == 0:
            pytest.skip("root may write everywhere; test_a_folder_that_nobody_may_write_to stands in")
        tmp_path.chmod(0o500)
        with pytest.raises(SinkError, match="Permission denied"), open_sink(tmp_path / "a.mp4"):
            pass

    def test_a_folder_that_nobody_may_write_to(self):
        if not Path("/proc/self").is_dir():
            pytest.skip("uses /proc, which takes no new files even from root, and this system has none")
        with pytest.raises(SinkError, match=r"cannot write /proc/.*a\.mp4: "), open_sink("/proc/self/a.mp4"):
            pass

    @pytest.mark.parametrize("name", ["a.mp4", "a.mkv", "a.webm", "out/"])
    def test_a_disk_that_is_full(self, tmp_path, name):
        if not hasattr(os, "geteuid") or os.geteuid() != 0:
            pytest.skip("needs root to mount a small tmpfs; test_no_room_for_more stands in")
        disk = tmp_path / "disk"
        disk.mkdir()
        mounted = subprocess.run(
            ["mount", "-t", "tmpfs", "-o", "size=128k", "tmpfs", str(disk)], capture_output=True, check=False
        )
        if mounted.returncode:
            pytest.skip(f"this system mounts no tmpfs: {mounted.stderr.decode().strip()}")
        try:
            with pytest.raises(SinkError, match="No space left on device"):
                write(f"{disk}/{name}", synthetic((320, 180), 60), **({} if name == "out/" else {"crf": 0}))
            assert left_in(disk) == []
        finally:
            subprocess.run(["umount", str(disk)], check=True)

    @pytest.mark.parametrize("name", ["a.mp4", "a.mkv", "out/"])
    def test_no_room_for_more(self, tmp_path, name):
        """A limit on file sizes fails writes as a full disk does, without privileges."""
        resource = pytest.importorskip("resource", reason="limits on file sizes are a Unix matter")
        soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, hard))
        try:
            with pytest.raises(SinkError, match="File too large"):
                write(f"{tmp_path}/{name}", synthetic((320, 180), 60), **({} if name == "out/" else {"crf": 0}))
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        assert left_in(tmp_path) == []

    def test_long_names(self, tmp_path):
        name = "é" * 120 + ".mp4"
        write(tmp_path / name, synthetic(frames=1))
        assert left_in(tmp_path) == [name]


class TestTwoThatWantOneName:
    """Without leave to replace, the first to finish has the name; no finished work of either is lost."""

    @pytest.mark.parametrize("links", [True, False], ids=["links", "no hard links"])
    def test_a_file(self, tmp_path, monkeypatch, links):
        def refused(*args):
            raise OSError(errno.EPERM, "Operation not permitted")

        if not links:
            monkeypatch.setattr(os, "link", refused)
        parts = [PartialFile(tmp_path / "a.mp4", overwrite=False) for _ in range(3)]
        for number, part in enumerate(parts):
            part.hidden.write_bytes(bytes([number]))
        parts[0].keep()
        for part, name in zip(parts[1:], ("a-2.mp4", "a-3.mp4"), strict=True):
            with pytest.raises(SinkError, match=rf"written by somebody else meanwhile .* is in .*{name}$"):
                part.keep()
            part.drop()
        assert [(tmp_path / name).read_bytes() for name in left_in(tmp_path)] == [b"\1", b"\2", b"\0"]
        assert left_in(tmp_path) == ["a-2.mp4", "a-3.mp4", "a.mp4"]

    @pytest.mark.parametrize("name", ["a.mp4", "a.png", "a/"])
    def test_what_sinks_write(self, tmp_path, name):
        options = {} if name == "a/" else {"overwrite": False}
        path = f"{tmp_path}/{name}"

        def between():
            yield from synthetic(frames=1)
            write(path, synthetic(frames=1), **options)

        with pytest.raises(SinkError, match="meanwhile"):
            write(path, between(), **options)
        assert len(left_in(tmp_path)) == 2

    def test_with_leave_the_last_one_wins(self, tmp_path):
        parts = [PartialFile(tmp_path / "a.mp4") for _ in range(2)]
        for number, part in enumerate(parts):
            part.hidden.write_bytes(bytes([number]))
            part.keep()
        assert left_in(tmp_path) == ["a.mp4"]
        assert (tmp_path / "a.mp4").read_bytes() == b"\1"

    def test_what_is_there_at_the_start_is_refused_at_the_start(self, tmp_path):
        (tmp_path / "a.mp4").touch()
        with pytest.raises(SinkError, match="exists; choose another name"):
            PartialFile(tmp_path / "a.mp4", overwrite=False)


def test_partial_file_is_dropped_twice_without_complaint(tmp_path):
    partial = PartialFile(tmp_path / "a.bin")
    partial.drop()
    partial.drop()
    with contextlib.suppress(SinkError):
        partial.keep()
    assert left_in(tmp_path) == []
