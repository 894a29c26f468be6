"""What every source and every sink must do. A new file is found by its name; tell here how to make one."""

from __future__ import annotations

import importlib.util
import inspect
import io
import itertools
import subprocess
import sys
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from livematte import _registry
from livematte._errors import LivematteError, OpenError, OptionError, SinkError
from livematte._frame import Frame, PixelFormat, Size
from livematte._stages import Sink, Source, StreamInfo
from livematte.sources.synthetic import Synthetic

spec = importlib.util.spec_from_file_location("media_make", Path(__file__).parents[1] / "media" / "make.py")
make = importlib.util.module_from_spec(spec)
spec.loader.exec_module(make)

fakes_spec = importlib.util.spec_from_file_location("fakes", Path(__file__).parent / "fakes.py")
fakes = importlib.util.module_from_spec(fakes_spec)
fakes_spec.loader.exec_module(fakes)

FRAMES = 4

SOURCES = {
    "file": lambda folder: (str(make.clip(folder / "in.mp4", frames=FRAMES)), {}),
    "folder": lambda folder: (str(images(folder / "in")), {}),
    "image": lambda folder: (str(make.still(folder / "in.png", make.picture(0, 64, 48))), {}),
    "pipewire": lambda folder: ("fake", {}),
    "raw": lambda folder: (None, {"format": "rgb24:64x48@30", "file": io.BytesIO(bytes(64 * 48 * 3 * FRAMES))}),
    "synthetic": lambda folder: ("64x48@30", {"frames": FRAMES}),
}
"""Argument and options of a source that works, in a folder of its own."""

STAMPED = ("pipewire",)
"""Sources whose frames have the time at which they came."""

LIVE = {"camera", "screen", "stream"}
"""Sources that never end, and need a device or a network: see tests/unit/test_sources_live.py."""

SINKS = {
    "file": lambda folder: (str(folder / "out.mp4"), {}, FRAMES),
    "folder": lambda folder: (str(folder / "out"), {}, FRAMES),
    "image": lambda folder: (str(folder / "out.png"), {}, 1),
    "null": lambda folder: (None, {}, FRAMES),
    "pipewire": lambda folder: (None, {}, FRAMES),
    "preview": lambda folder: ("page:0", {}, FRAMES),
    "pyvirtualcam": lambda folder: (None, {}, FRAMES),
    "raw": lambda folder: (None, {"file": io.BytesIO()}, FRAMES),
    "stream": lambda folder: ("udp://127.0.0.1:9", {}, FRAMES),
    "v4l2": lambda folder: ("/dev/video9", {"kernel": fakes.FakeKernel()}, FRAMES),
    "virtual": lambda folder: (None, {}, FRAMES),
}
"""Argument and options of a sink that works, and the frames it takes."""

OPAQUE = ("pipewire", "pyvirtualcam", "stream", "v4l2", "virtual")
"""Sinks that refuse transparency: a camera and a live stream have none."""

ON_DISK = ("file", "folder", "image")
"""Sinks that leave a file or folder."""


@pytest.fixture(autouse=True)
def _devices(monkeypatch, tmp_path_factory):
    """Cameras on a machine that has none: programs of PipeWire and GStreamer, and pyvirtualcam, that play them.
    tests/live has the real ones."""
    import os

    from livematte.sinks import v4l2

    folder = tmp_path_factory.mktemp("programs")
    fakes.fake_programs(folder, frames=FRAMES)
    monkeypatch.setenv("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setitem(sys.modules, "pyvirtualcam", fakes.fake_pyvirtualcam())
    monkeypatch.setattr(v4l2, "SYSFS", folder / "no-devices")


def images(folder):
    folder.mkdir()
    for index in range(FRAMES):
        make.still(folder / f"{index}.png", make.picture(index, 64, 48))
    return folder


def source_of(name, folder):
    argument, options = SOURCES[name](folder)
    return _registry.load("sources", name).create(argument, **options)


def sink_of(name, folder):
    argument, options, frames = SINKS[name](folder)
    module = _registry.load("sinks", name)
    return module.create(argument, source_info=StreamInfo(fps=Fraction(30)), **options), frames


def pictures(count=FRAMES, size=(64, 48)):
    source = Synthetic(Size(*size), frames=count)
    return list(source)


def test_every_name_has_an_example():
    assert set(_registry.names("sources")) == set(SOURCES) | LIVE
    assert set(_registry.names("sinks")) == set(SINKS)


@pytest.mark.parametrize("name", SOURCES)
class TestSource:
    def test_it_is_a_source(self, name, tmp_path):
        source = source_of(name, tmp_path)
        assert isinstance(source, Source)
        assert isinstance(source.info, StreamInfo)
        assert source.info.size == (64, 48)

    def test_frames_come_in_time_and_of_the_size_it_tells(self, name, tmp_path):
        source = source_of(name, tmp_path)
        with source as entered:
            assert entered is source
            frames = list(source)
        assert all(isinstance(frame, Frame) for frame in frames)
        assert {frame.size for frame in frames} == {source.info.size}
        assert {frame.time_base for frame in frames} == {source.info.time_base}
        steps = [b.pts - a.pts for a, b in itertools.pairwise(frames)]
        assert all(step > 0 for step in steps)
        assert source.info.frames in (None, len(frames))

    def test_frames_stay_as_they_were(self, name, tmp_path):
        frames, copies = [], []
        with source_of(name, tmp_path) as source:
            for frame in source:
                frames.append(frame)
                copies.append([plane.copy() for plane in frame.planes])
        for frame, copy in zip(frames, copies, strict=True):
            for plane, before in zip(frame.planes, copy, strict=True):
                np.testing.assert_array_equal(plane, before)

    def test_the_same_twice(self, name, tmp_path):
        argument, options = SOURCES[name](tmp_path)  # made once: x264 does not write the same bytes each time
        streams = []
        for _ in ("one", "two"):
            if name == "raw":
                options = SOURCES[name](tmp_path)[1]  # a pipe is read once
            with _registry.load("sources", name).create(argument, **options) as source:
                streams.append(list(source))
        for one, two in zip(*streams, strict=True):
            assert one.pts == two.pts or name in STAMPED
            assert (one.format, one.matrix, one.range) == (two.format, two.matrix, two.range)
            for a, b in zip(one.planes, two.planes, strict=True):
                np.testing.assert_array_equal(a, b)

    def test_leaving_early_and_twice(self, name, tmp_path):
        source = source_of(name, tmp_path)
        with source:
            next(iter(source))
        source.__exit__(None, None, None)

    def test_nothing_to_read_is_one_clear_line(self, name, tmp_path):
        for argument in (str(tmp_path / "none"), "", None):
            if name == "synthetic" and not argument:
                continue  # it needs no argument
            with pytest.raises((OpenError, OptionError)) as caught:
                _registry.load("sources", name).create(argument)
            assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", SINKS)
class TestSink:
    def test_it_takes_frames_and_says_so_by_being_there(self, name, tmp_path):
        sink, count = sink_of(name, tmp_path)
        assert isinstance(sink, Sink)
        assert list(tmp_path.iterdir()) == []
        with sink as entered:
            assert entered is sink
            for frame in pictures(count):
                sink.write(frame)
            assert not any(path.name.startswith("out") for path in tmp_path.iterdir())
        assert [path.name.startswith("out") for path in tmp_path.iterdir()] == [True] * (name in ON_DISK)

    @pytest.mark.parametrize("written", [0, 1])
    def test_an_exception_abandons_the_output(self, name, tmp_path, written):
        def break_off(sink):
            with sink:
                for frame in pictures()[:written]:
                    sink.write(frame)
                raise KeyboardInterrupt

        sink, _ = sink_of(name, tmp_path)
        with pytest.raises(KeyboardInterrupt):
            break_off(sink)
        assert list(tmp_path.iterdir()) == []

    @pytest.mark.parametrize("size", [(1, 1), (33, 17), (2, 5)])
    def test_any_size(self, name, tmp_path, size):
        sink, _ = sink_of(name, tmp_path)
        with sink:
            sink.write(pictures(1, size)[0])

    @pytest.mark.parametrize("format", PixelFormat)
    def test_any_layout(self, name, tmp_path, format):
        planes = pictures(1)[0].planes
        if format is not PixelFormat.I420:
            planes = (planes[0],) * 3
        sink, _ = sink_of(name, tmp_path)
        with sink:
            sink.write(Frame(planes, format))

    def test_frames_are_not_changed(self, name, tmp_path):
        frame = pictures(1, (33, 17))[0]
        before = [plane.copy() for plane in frame.planes]
        sink, _ = sink_of(name, tmp_path)
        with sink:
            sink.write(frame)
        for plane, copy in zip(frame.planes, before, strict=True):
            np.testing.assert_array_equal(plane, copy)

    def test_leaving_twice(self, name, tmp_path):
        sink, _ = sink_of(name, tmp_path)
        with sink:
            sink.write(pictures(1)[0])
        there = sorted(tmp_path.iterdir())
        sink.__exit__(None, None, None)
        assert sorted(tmp_path.iterdir()) == there

    def test_alpha_is_kept_or_refused_but_never_lost(self, name, tmp_path):
        frame = pictures(1)[0]
        frame = replace(frame, alpha=np.full((48, 64), 100, np.uint8))
        sink, _ = sink_of(name, tmp_path)
        if name == "file" or name in OPAQUE:  # .mp4
            with pytest.raises(LivematteError, match="transparency"), sink:
                sink.write(frame)
            return
        with sink:
            sink.write(frame)


@pytest.mark.parametrize("name", ON_DISK)
def test_no_frame_is_no_output(name, tmp_path):
    sink, _ = sink_of(name, tmp_path)
    with pytest.raises(SinkError, match="no frame was written"), sink:
        pass
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("folder", ["sources", "sinks"])
def test_create_takes_an_argument_and_named_options(folder):
    for name in _registry.names(folder):
        first, *rest = inspect.signature(_registry.load(folder, name).create).parameters.values()
        assert first.name == "argument"
        assert all(option.kind is option.KEYWORD_ONLY and option.default is not option.empty for option in rest)
        assert folder == "sources" or "source_info" in [option.name for option in rest]


@pytest.mark.parametrize("template", ["sources/_template.py", "sinks/_template.py", "effects/_template.py"])
def test_templates_work_as_they_stand(template):
    import livematte

    path = Path(livematte.__file__).parent / template
    spec = importlib.util.spec_from_file_location("template", path)
    module = importlib.util.module_from_spec(spec)
    sys.modules["template"] = module
    try:
        spec.loader.exec_module(module)
        made = module.create(None)
    finally:
        del sys.modules["template"]
    if template.startswith("sources"):
        assert isinstance(made, Source)
        assert len(list(made)) == made.info.frames
    elif template.startswith("sinks"):
        with made as sink:
            for frame in pictures():
                sink.write(frame)
        assert len(made.times_s) == FRAMES
    else:
        from livematte._matte import Matte

        frame = pictures(1)[0]
        plate, _ = made.plate(frame, Matte.empty(frame), None)
        assert (plate.matrix, plate.range) == (frame.matrix, frame.range)


def test_an_interrupted_process_leaves_no_half_file(tmp_path):
    """Ctrl-C of a running writer: the signal, not an exception raised by hand."""
    code = f"""
import itertools, os, signal
from dataclasses import replace
from livematte.sinks import open_sink
from livematte.sources.synthetic import Synthetic
frame = Synthetic().frame(0)
with open_sink({str(tmp_path / "a.mp4")!r}) as sink:
    for index in itertools.count():
        sink.write(replace(frame, pts=index))
        if index == 20:
            os.kill(os.getpid(), signal.SIGINT)
"""
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={"PYTHONPATH": ":".join(sys.path), "PATH": ""},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert "KeyboardInterrupt" in done.stderr
    assert list(tmp_path.iterdir()) == []
