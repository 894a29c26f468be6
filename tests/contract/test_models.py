"""Every registered model, with every engine that is here, keeps the promises of `Segmenter`."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from livematte import _registry, _weights
from livematte._errors import InferenceError, UnknownName, WeightsError
from livematte._frame import Frame, PixelFormat
from livematte._stages import Segmenter
from livematte.engines import _trial

U8 = npt.NDArray[np.uint8]
Shared = Callable[[str], Path]

_spec = importlib.util.spec_from_file_location("model_graphs", Path(__file__).parents[1] / "model_graphs.py")
assert _spec is not None
assert _spec.loader is not None
model_graphs = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(model_graphs)

NAMES = _registry.names("models")
FAMILIES = [name for name in NAMES if name != "custom"]
"""`custom` has no models of its own: tests/unit/test_models_custom.py."""
ENGINES = _registry.names("engines")
SPECS = {s.name: s for name in NAMES for s in getattr(_registry.load("models", name), "SPECS", {}).values()}
ODD_SIZES = [(1, 1), (1, 7), (7, 1), (2, 3), (145, 257), (719, 1279)]
"""Heights and widths of frames: the least, odd ones, and a little off the network's own."""
ROUNDS = 6


def is_here(model: str) -> bool:
    """Whether a model's weights are in the package or the shared folder."""
    folder = Path(os.environ.get("LIVEMATTE_SHARED") or Path(__file__).parents[3] / "shared") / "weights"
    return any(file.packaged or (folder / file.path).is_file() for file in SPECS[model].files)


def engines_for(model: str) -> list[str]:
    """Engines that read a format of the model's weights, or convert one."""
    suffixes = {file.suffix for file in SPECS[model].files}
    modules = {engine: _registry.load("engines", engine) for engine in ENGINES}
    return [engine for engine, module in modules.items() if suffixes & {*module.READS, *module.CONVERTS}]


@pytest.fixture(scope="module", autouse=True)
def cache(pulled: Path) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LIVEMATTE_CACHE", str(pulled))
        patch.setattr(_trial, "prove", lambda *words: None)  # of stand-ins, which are our own
        yield


def load(model: str, engine: str, folder: Path) -> Segmenter:
    options = {}
    if not is_here(model):
        pytest.importorskip("onnx")
        options = {"weights": model_graphs.STAND_INS[model](folder / f"{model.replace(':', '-')}.onnx")}
    elif not _registry.load("engines", engine).installed():
        pytest.skip(f"the runtime of {engine} is not installed")
    segmenter: Segmenter = _registry.create("models", model, engine=engine, **options)
    return segmenter


LOADED = [(m, e) for m in SPECS if is_here(m) for e in engines_for(m)]
STANDING_IN = [(m, "onnxruntime") for m in SPECS if not is_here(m) and m in model_graphs.STAND_INS]


@pytest.fixture(scope="module", params=[*LOADED, *STANDING_IN], ids="-".join)
def segmenter(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Segmenter]:
    """One for all tests, as one serves many streams: what it remembers is in the state that it gives."""
    segmenter = load(*request.param, tmp_path_factory.mktemp("graphs"))
    yield segmenter
    segmenter.close()
    segmenter.close()
    with pytest.raises(InferenceError):
        segmenter.segment(noise(8, 8), None)


@pytest.mark.parametrize("model", [m for m in SPECS if not is_here(m) and m not in model_graphs.STAND_INS])
def test_a_model_whose_weights_are_missing_is_not_tried(model: str, shared: Shared) -> None:
    shared(f"weights/{SPECS[model].files[0].path}")  # skips, and says which file it is


def noise(height: int, width: int, kind: PixelFormat = PixelFormat.I420, pts: int = 0) -> Frame:
    rgb = np.random.default_rng(height * 10_000 + width).integers(0, 256, (height, width, 3), np.uint8)
    return Frame.from_rgb(rgb, kind, pts=pts)


def test_every_model_has_specs() -> None:
    assert {
        "bodypix",
        "custom",
        "deeplabv3",
        "livematte",
        "mediapipe",
        "modnet",
        "pphumanseg",
        "rvm",
        "sinet",
        "u2net",
    } <= set(NAMES)
    assert {name.partition(":")[0] for name in SPECS} == set(FAMILIES)


def test_importing_the_modules_loads_no_engine() -> None:
    code = (
        "import sys\n"
        "import numpy.typing\n"
        "from livematte import _registry\n"
        f"for name in {NAMES!r}:\n"
        "    before = set(sys.modules)\n"
        "    _registry.load('models', name)\n"
        "    new = {m.partition('.')[0] for m in set(sys.modules) - before} - {'livematte'}\n"
        "    print(name, sorted(new - sys.stdlib_module_names))\n"
    )
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert out.splitlines() == [f"{name} []" for name in NAMES]


@pytest.mark.parametrize("spec", SPECS.values(), ids=SPECS)
def test_spec_says_what_users_must_know(spec: Any) -> None:
    assert spec.licence
    assert spec.source
    assert spec.summary
    assert spec.commercial in (True, False, None)
    assert all(shape.files for shape in spec.shapes)
    for file in spec.all_files:
        assert file.sha256 is None or len(file.sha256) == 64
        assert file.md5 is None or len(file.md5) == 32
        assert file.size_bytes is None or file.size_bytes > 0
        assert file.url is None or file.url.startswith("https://")
        assert file.published or file.url is None


@pytest.mark.parametrize("name", FAMILIES)
def test_unknown_tag_is_answered_with_the_list(name: str) -> None:
    tags = [s for s in SPECS if s.startswith(f"{name}:")]
    with pytest.raises(UnknownName, match=f"there are: .*{tags[-1]}"):
        _registry.create("models", f"{name}:no-such-tag")


@pytest.mark.parametrize("spec", [s for s in SPECS.values() if not s.files[0].packaged], ids=lambda s: s.name)
def test_missing_weights_name_the_command(spec: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LIVEMATTE_CACHE", str(tmp_path))
    official = any(file.url for file in spec.files)
    remedy = f"livematte models pull {spec.name}" if official else "no official address: pass --weights FILE"
    with pytest.raises(WeightsError, match=remedy):
        _registry.create("models", spec.name)


@pytest.mark.parametrize("spec", [s for s in SPECS.values() if s.files[0].packaged], ids=lambda s: s.name)
def test_packaged_weights_are_the_published_ones(spec: Any) -> None:
    for file in spec.all_files:
        _weights.verify(_weights.place(file), file)


def test_segmenter_keeps_the_protocol(segmenter: Segmenter) -> None:
    assert isinstance(segmenter, Segmenter)
    assert segmenter.name in SPECS
    assert segmenter.size == SPECS[segmenter.name].size


@pytest.mark.parametrize("kind", PixelFormat)
def test_matte_has_shape_type_range_and_time(segmenter: Segmenter, kind: PixelFormat) -> None:
    matte, _ = segmenter.segment(noise(90, 160, kind, pts=42), None)
    assert matte.alpha.dtype == np.float32
    assert matte.size == segmenter.size
    assert matte.pts == 42
    assert matte.foreground is None
    assert matte.alpha.min() >= 0
    assert matte.alpha.max() <= 1


@pytest.mark.parametrize(("height", "width"), ODD_SIZES)
def test_any_frame_size_is_taken(segmenter: Segmenter, height: int, width: int) -> None:
    frame = noise(height, width)
    matte, _ = segmenter.segment(frame, None)
    assert matte.size == frame.size.nearest(shape.size for shape in SPECS[segmenter.name].shapes)
    assert np.isfinite(matte.alpha).all()


def test_person_is_one_and_room_is_zero(segmenter: Segmenter, astronaut: U8) -> None:
    matte, _ = segmenter.segment(Frame.from_rgb(astronaut), None)
    height, width = matte.alpha.shape
    face = matte.alpha[round(height * 0.2), round(width * 0.43)]
    corner = matte.alpha[: height // 8, -width // 8 :]  # dark wall, right above the model of a rocket
    assert face > 0.8
    assert corner.mean() < 0.1


def test_frame_is_left_alone(segmenter: Segmenter) -> None:
    frame = noise(90, 160)
    kept = [p.copy() for p in frame.planes]
    segmenter.segment(frame, None)
    assert all(np.array_equal(a, b) for a, b in zip(frame.planes, kept, strict=True))


def test_fresh_state_forgets_everything(segmenter: Segmenter, astronaut: U8) -> None:
    """The same frames from state None give the same mattes, whatever ran in between."""
    frames = [Frame.from_rgb(np.roll(astronaut, shift, axis=1), pts=shift) for shift in (0, 5, 10)]

    def stream() -> list[Any]:
        state, alphas = None, []
        for frame in frames:
            matte, state = segmenter.segment(frame, state)
            alphas.append(matte.alpha)
        return alphas

    first = stream()
    segmenter.segment(noise(90, 160), None)
    assert all(np.array_equal(a, b) for a, b in zip(first, stream(), strict=True))


def test_mattes_are_not_overwritten(segmenter: Segmenter, astronaut: U8) -> None:
    matte, state = segmenter.segment(Frame.from_rgb(astronaut), None)
    kept = matte.alpha.copy()
    segmenter.segment(noise(90, 160), state)
    assert np.array_equal(matte.alpha, kept)


def test_two_streams_at_once(segmenter: Segmenter, astronaut: U8) -> None:
    streams = [Frame.from_rgb(astronaut), Frame.from_rgb(np.ascontiguousarray(astronaut[:, ::-1]))]
    expected = [segmenter.segment(frame, None)[0].alpha for frame in streams]
    wrong: list[Any] = []
    start = threading.Barrier(len(streams))

    def work(index: int) -> None:
        start.wait()
        try:
            for _ in range(ROUNDS):
                alpha = segmenter.segment(streams[index], None)[0].alpha
                if not np.array_equal(alpha, expected[index]):
                    wrong.append(f"stream {index} got another matte")
        except Exception as exc:  # shown by the test's own thread
            wrong.append(exc)

    threads = [threading.Thread(target=work, args=(index,)) for index in range(len(streams))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []
