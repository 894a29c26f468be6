"""The bench: every contestant makes the picture it is timed for, and the pages show what was measured."""

from __future__ import annotations

import contextlib
import importlib
import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from livematte import Blur, Color, Frame, Matte, OptionError, Size, _bench, _quality, cli, kernels
from livematte._pipeline import Stages
from livematte._session import build_refiners

ROOT = Path(__file__).parents[2]
SIZE = Size(320, 180)
NET = Size(256, 144)


@pytest.fixture(scope="module")
def bench() -> Iterator[Callable[[str], ModuleType]]:
    """`bench("table")`: a module of the bench folder, which is no package."""
    before = set(sys.modules)
    sys.path.insert(0, str(ROOT / "bench"))
    yield importlib.import_module
    sys.path.remove(str(ROOT / "bench"))
    for name in set(sys.modules) - before:
        if str(getattr(sys.modules[name], "__file__", "")).startswith(str(ROOT / "bench")):
            del sys.modules[name]


class Known:
    """A segmenter that knows the matte."""

    name, size = "known", NET

    def segment(self, frame: Frame, state: object) -> tuple[Matte, None]:
        frame.rgb(self.size)
        return Matte(person(), frame.pts), None

    def close(self) -> None:
        pass


def person() -> np.ndarray:
    """A block in the middle, soft at the rim."""
    x = np.abs(np.arange(NET.width) - 127.5)
    y = np.abs(np.arange(NET.height) - 71.5)
    return (np.clip((48 - x) / 4, 0, 1) * np.clip((40 - y) / 4, 0, 1)[:, None]).astype(np.float32)


@pytest.fixture(scope="module")
def picture(bench: Callable[[str], ModuleType]) -> np.ndarray:
    """A figure in a room, as the contestants get it."""
    planes = next(iter(_bench.synthetic_frames(SIZE, 1))).planes
    return np.concatenate([plane.reshape(-1) for plane in planes]).reshape(-1, SIZE.width)


@pytest.mark.parametrize("name", ["tutorial", "careful", "refined", "planar"])
def test_contestants_keep_the_person_and_blur_the_room(
    name: str, bench: Callable[[str], ModuleType], picture: np.ndarray
) -> None:
    process = getattr(bench("pipelines"), name)(lambda rgb: person(), SIZE, NET)
    process(picture)
    luma = process(picture)[: SIZE.height].astype(int)
    before = picture[: SIZE.height].astype(int)
    # inside the block nothing changes but the rounding of RGB and back
    inside = np.s_[60:120, 120:200]
    assert np.abs(luma - before)[inside].mean() < 2
    for room in (np.s_[:, :80], np.s_[:, 240:]):
        assert np.abs(np.diff(luma[room], axis=1)).mean() < 0.5 * np.abs(np.diff(before[room], axis=1)).mean()
        assert abs(luma[room].mean() - before[room].mean()) < 6


def test_the_refined_contestant_makes_our_picture(bench: Callable[[str], ModuleType], picture: np.ndarray) -> None:
    """It is only a fair rival if it does what ours does: the same room, nobody glowing into it."""
    refined = bench("pipelines").refined(lambda rgb: person(), SIZE, NET)
    frame = bench("contestants").frame_of(picture)
    effect = Blur(0.6)
    stages = Stages(Known(), build_refiners(effect, temporal=False, refine=True), effect)
    from livematte._pipeline import StreamState, render
    from livematte._stats import Stats

    ours = render(stages, frame, StreamState(), Stats()).planes[0].astype(int)
    theirs = refined(picture)[: SIZE.height].astype(int)
    assert np.abs(ours - theirs).mean() < 4


def test_a_frame_is_a_view_of_the_picture(bench: Callable[[str], ModuleType], picture: np.ndarray) -> None:
    frame = bench("contestants").frame_of(picture)
    assert all(np.shares_memory(plane, picture) for plane in frame.planes)
    assert np.array_equal(np.concatenate([p.reshape(-1) for p in frame.planes]), picture.reshape(-1))


def test_turns_give_everybody_the_same_frames(bench: Callable[[str], ModuleType]) -> None:
    measure = bench("measure")
    seen: dict[str, list[int]] = {"a": [], "b": []}
    order: list[str] = []

    def note(name: str) -> Callable[[int], None]:
        def process(value: int) -> None:
            seen[name].append(value)
            order.append(name)

        return process

    figures = measure.take_turns({name: note(name) for name in seen}, range(100), rounds=2)
    assert seen["a"] == seen["b"] == list(range(2 * measure.BLOCK))
    assert order == ["a"] * 6 + ["b"] * 12 + ["a"] * 6
    assert figures["a"]["ratio"] == {"median": 1.0, "low": 1.0, "high": 1.0}


def test_the_repeated_clip_is_the_clip_again_and_again(bench: Callable[[str], ModuleType], tmp_path: Path) -> None:
    import av

    clips = bench("clips")
    clips.write_clip(tmp_path / "short.mp4", Size(96, 64), 7)
    clips.repeat_clip(tmp_path / "short.mp4", tmp_path / "long.mp4", 3)
    with av.open(str(tmp_path / "long.mp4")) as container:
        times = [frame.time for frame in container.decode(video=0)]
    assert np.allclose(times, np.arange(21) / clips.FPS)


def test_soak_reports_what_it_saw(bench: Callable[[str], ModuleType], tmp_path: Path) -> None:
    command = [sys.executable, str(ROOT / "bench" / "soak.py"), "--only", "session", "--frames", "200"]
    done = subprocess.run(
        [*command, "--clip", "synthetic:64x48*4"], capture_output=True, text=True, check=True, cwd=tmp_path
    )
    figures = json.loads(done.stdout)
    assert figures["frames"] == 200
    assert figures["max_rss_mb"] >= figures["last_rss_mb"] > 10
    assert figures["threads"][0] >= 1


@pytest.mark.parametrize(
    ("page", "maker"),
    [
        ("README.md", "readme"),
        ("docs/bench.md", "tables"),
        ("docs/engines.md", "engines"),
        ("docs/models.md", "models"),
    ],
)
def test_pages_show_the_committed_results(page: str, maker: str, bench: Callable[[str], ModuleType]) -> None:
    table = bench("table")
    text = (ROOT / page).read_text(encoding="utf-8")
    assert table.filled(text, getattr(table, maker)(table.read())) == text, "run python bench/table.py"


def test_the_package_has_the_committed_quality(bench: Callable[[str], ModuleType]) -> None:
    table = bench("table")
    assert _quality.FILE.read_text(encoding="utf-8") == table.package(table.read()), "run python bench/table.py"


def test_pages_without_marks_are_refused(bench: Callable[[str], ModuleType]) -> None:
    with pytest.raises(SystemExit, match="bench:begin"):
        bench("table").filled("# A page", "text")


def test_results_know_their_machine(bench: Callable[[str], ModuleType]) -> None:
    results = bench("table").read()
    assert set(results) >= {"frames", "files", "soak", "startup"}
    for name, figures in results.items():
        machine = figures["machine"]
        assert machine["cpu"]["cores"] >= 1, name
        assert machine["kernels"]["variant"] in ("avx512", "avx2", "baseline"), name
        assert machine["commit"], name


def test_measure_takes_a_frame_apart() -> None:
    effect = Blur(0.6)
    stages = Stages(Known(), build_refiners(effect, temporal=True, refine=True), effect)
    real = kernels.backend()
    figures = _bench.measure(stages, _bench.synthetic_frames(Size(96, 64), 2), 3)
    assert kernels.backend() is real
    assert figures["frames"] == 3
    assert set(figures["stages"]) == {"segment", "refine", "effect", "composite"}
    assert set(figures["parts"]) == {
        "downscale_rgb", "temporal", "guided", "apply_guided", "blur_plate", "composite", "network", "python"
    }  # fmt: skip
    assert all(times["p95_ms"] >= times["p50_ms"] >= 0 for times in figures["parts"].values())


def test_parts_are_those_of_the_stages_that_run() -> None:
    effect = Color("blue")
    stages = Stages(Known(), build_refiners(effect, temporal=False, refine=False), effect)
    figures = _bench.measure(stages, _bench.synthetic_frames(Size(96, 64), 1), 2)
    assert {"upsample", "composite"} <= set(figures["parts"])
    assert {"guided", "apply_guided", "temporal", "blur_plate"} & set(figures["parts"]) == set()


def test_kernels_are_themselves_again_after_a_failure() -> None:
    real = kernels.backend()
    with contextlib.suppress(RuntimeError), _bench.timed_kernels(lambda part: None):
        assert kernels.backend() is not real
        raise RuntimeError
    assert kernels.backend() is real


def test_no_frames_are_no_measurement() -> None:
    stages = Stages(Known(), (), Blur(0.6))
    with pytest.raises(OptionError, match="at least 1 frame, got 0"):
        _bench.measure(stages, [], 3)


def test_command_reports_json(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.run(["bench", "--size", "64x48", "--size", "33x17", "--frames", "2", "--json"]) == 0
    figures = json.loads(capsys.readouterr().out)
    assert (figures["model"], figures["engine"]) == ("livematte:base", "onnxruntime")
    assert list(figures["sizes"]) == ["64x48", "33x17"]
    assert figures["sizes"]["64x48"]["fps"] > 0


def test_command_shows_a_column_for_each_size(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.run(["bench", "--size", "64x48", "--frames", "2", "--no-refine"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("livematte:base on onnxruntime, blur:0.6, ")
    names = [line[:16].strip() for line in lines[4:]]
    assert {"upsample", "network", "python", "whole frame", "frames a second"} <= set(names)


@pytest.mark.parametrize("size", ["big", "0x10", "1280", "99999x2", "12x-3"])
def test_command_refuses_sizes_that_are_none(size: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.run(["bench", "--size", size]) == cli.FAILED
    assert f"as in 1280x720; got '{size}'" in capsys.readouterr().err
