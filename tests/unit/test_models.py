"""Models: their specs, which engine they get, and that their mattes are the networks' own."""

from __future__ import annotations

import hashlib
import json
import re
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
import numpy.typing as npt
import pytest

from livematte import _registry, _weights
from livematte._errors import LoadError, MissingExtra, UnknownName, WeightsError
from livematte._frame import Frame, PixelFormat, Size
from livematte._stages import Segmenter
from livematte.engines import Tensor, litert, onnxruntime
from livematte.models import livematte as packaged
from livematte.models import mediapipe
from livematte.models._picture import PictureSegmenter
from livematte.models._spec import ModelSpec

F32 = npt.NDArray[np.float32]
U8 = npt.NDArray[np.uint8]
Shared = Callable[[str], Path]

ENGINES = ("onnxruntime", "litert")
SPECS = [*packaged.SPECS.values(), *(spec for spec in mediapipe.SPECS.values() if not spec.classes)]
LOCAL = {
    "mediapipe:landscape": "weights/mediapipe/selfie_segmentation_landscape.tflite",
    "mediapipe:general": "weights/mediapipe/selfie_segmentation.tflite",
}
"""Where the shared folder has the weights that the package may not download in a test."""


def create(model: str, **options: Any) -> Segmenter:
    segmenter: Segmenter = _registry.create("models", model, **options)
    return segmenter


def weights_of(spec: ModelSpec, shared: Shared) -> Path | None:
    return shared(LOCAL[spec.name]) if spec.name in LOCAL else None


# specs


@pytest.mark.parametrize("spec", SPECS, ids=lambda s: s.name)
def test_spec_describes_its_files(spec: ModelSpec, shared: Shared) -> None:
    local = weights_of(spec, shared)
    for file in spec.files:
        data = (local or _weights.place(file)).read_bytes()
        assert (len(data), hashlib.sha256(data).hexdigest()) == (file.size_bytes, file.sha256)


@pytest.mark.parametrize("spec", SPECS, ids=lambda s: s.name)
def test_names_and_sizes_are_those_of_the_graph(spec: ModelSpec, shared: Shared) -> None:
    segmenter = create(spec.name, weights=weights_of(spec, shared))
    assert (segmenter.name, segmenter.size) == (spec.name, spec.size)


def test_first_tag_is_the_default(shared: Shared) -> None:
    assert create("livematte").name == "livematte:base"
    assert create("mediapipe", weights=shared(LOCAL["mediapipe:landscape"])).name == "mediapipe:landscape"


def test_unknown_tag_is_answered_with_the_list() -> None:
    with pytest.raises(UnknownName, match=r"mediapipe has no 'square'; .*mediapipe:landscape, mediapipe:general"):
        create("mediapipe:square")


def test_addresses_are_official_and_encrypted() -> None:
    urls = [file.url for spec in mediapipe.SPECS.values() for file in spec.files]
    official = tuple(f"https://storage.googleapis.com/mediapipe-{bucket}/" for bucket in ("assets", "models"))
    assert all(url and url.startswith(official) for url in urls)


# weights


@pytest.mark.parametrize("tag", ["landscape", "general"])
def test_missing_weights_say_how_to_get_them(tag: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LIVEMATTE_CACHE", str(tmp_path))
    with pytest.raises(WeightsError, match=rf"run `livematte models pull mediapipe:{tag}` or pass --weights FILE"):
        create(f"mediapipe:{tag}")


def test_pulled_weights_are_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, shared: Shared) -> None:
    monkeypatch.setenv("LIVEMATTE_CACHE", str(tmp_path))
    place = _weights.place(mediapipe.SPECS["landscape"].files[0])
    place.parent.mkdir(parents=True)
    shutil.copy(shared(LOCAL["mediapipe:landscape"]), place)
    assert create("mediapipe").size == Size(256, 144)


def test_local_weights_that_are_not_there() -> None:
    with pytest.raises(WeightsError, match=r"--weights: there is no file nowhere/net\.onnx"):
        create("livematte", weights="nowhere/net.onnx")


@pytest.mark.parametrize("name", ["net.pt", "net"])
@pytest.mark.parametrize("engine", ["auto", *ENGINES])
def test_local_weights_of_another_format(name: str, engine: str, tmp_path: Path) -> None:
    path = tmp_path / name
    path.write_bytes(b"PK")
    with pytest.raises(LoadError, match=r"pass an \.onnx or \.tflite file"):
        create("livematte", weights=path, engine=engine)


def test_weights_of_another_tag_are_refused(shared: Shared) -> None:
    with pytest.raises(LoadError, match="mediapipe:landscape takes pictures of 256x144, this file of 256x256"):
        create("mediapipe:landscape", weights=shared(LOCAL["mediapipe:general"]))


def test_the_default_model_takes_local_weights_of_any_size(shared: Shared) -> None:
    assert create("livematte", weights=shared(LOCAL["mediapipe:general"])).size == Size(256, 256)


def test_litert_with_onnx_weights_is_refused_with_the_reason() -> None:
    onnx = _weights.place(packaged.SPECS["base"].files[0])
    with pytest.raises(
        LoadError, match=r"litert reads \.tflite, and these weights are \.onnx: use --engine onnxruntime"
    ):
        create("livematte", weights=onnx, engine="litert")


# which engine


def engine_of(segmenter: Any) -> str:
    return str(segmenter.engine)


def test_auto_takes_onnxruntime_where_both_formats_exist() -> None:
    assert engine_of(create("livematte")) == "onnxruntime"


def test_auto_takes_the_engine_of_the_format(shared: Shared) -> None:
    assert engine_of(create("mediapipe", weights=shared(LOCAL["mediapipe:landscape"]))) == "litert"


def test_auto_takes_litert_where_onnxruntime_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(onnxruntime, "installed", lambda: False)
    assert engine_of(create("livematte")) == "litert"


def test_auto_converts_where_litert_is_missing(monkeypatch: pytest.MonkeyPatch, shared: Shared) -> None:
    monkeypatch.setattr(litert, "installed", lambda: False)
    assert engine_of(create("mediapipe", weights=shared(LOCAL["mediapipe:landscape"]))) == "onnxruntime"


def test_auto_with_nothing_installed_names_a_pip_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(onnxruntime, "installed", lambda: False)
    monkeypatch.setattr(litert, "installed", lambda: False)
    with pytest.raises(MissingExtra, match="pip install"):
        create("livematte")


def test_unknown_engine_is_answered_with_the_list() -> None:
    with pytest.raises(UnknownName, match=r"no engine is called 'tensorrt'; there are: .*onnxruntime"):
        create("livematte", engine="tensorrt")


# graphs of another kind


class FakeEngine:
    """An engine with any shapes, that gives one value everywhere."""

    name = "fake"

    def __init__(self, inputs: list[tuple[int, ...]], outputs: list[tuple[int, ...]], value: float = 0.5) -> None:
        self.inputs = tuple(Tensor(f"in{i}", shape) for i, shape in enumerate(inputs))
        self.outputs = tuple(Tensor(f"out{i}", shape) for i, shape in enumerate(outputs))
        self.value, self.closed = value, 0

    def run(self, inputs: Any) -> list[F32]:
        assert [a.shape for a in inputs] == [t.shape for t in self.inputs]
        return [np.full(t.shape, self.value, np.float32) for t in self.outputs]

    def close(self) -> None:
        self.closed += 1


@pytest.mark.parametrize(
    ("inputs", "outputs"),
    [
        ([], []),
        ([(1, 3, 8, 16), (1, 3, 8, 16)], [(1, 1, 8, 16)]),
        ([(2, 3, 8, 16)], [(2, 1, 8, 16)]),
        ([(1, 1, 8, 16)], [(1, 1, 8, 16)]),
        ([(1, 3, 8, 16)], [(1, 21, 8, 16)]),
        ([(1, 3, 8, 16)], [(1, 1, 4, 8)]),
        ([(1, 8, 16, 3)], []),
        ([(3, 8, 16)], [(8, 16)]),
    ],
)
def test_other_graphs_are_refused_and_closed(inputs: list[tuple[int, ...]], outputs: list[tuple[int, ...]]) -> None:
    engine = FakeEngine(inputs, outputs)
    with pytest.raises(LoadError, match=r"test needs a graph with one input \(1, 3, h, w\)"):
        PictureSegmenter("test", engine)
    assert engine.closed == 1


@pytest.mark.parametrize("picture", [(1, 3, 8, 16), (1, 8, 16, 3)])
@pytest.mark.parametrize("alpha", [(1, 1, 8, 16), (1, 8, 16, 1)])
@pytest.mark.parametrize(("value", "expected"), [(0.5, 0.5), (1.0000001, 1.0), (-1e-9, 0.0)])
def test_either_layout_gives_an_alpha_in_range(
    picture: tuple[int, ...], alpha: tuple[int, ...], value: float, expected: float
) -> None:
    segmenter = PictureSegmenter("test", FakeEngine([picture], [alpha], value))
    assert segmenter.size == Size(16, 8)
    matte, _ = segmenter.segment(Frame.from_rgb(np.zeros((4, 4, 3), np.uint8), pts=7), None)
    assert (matte.alpha.shape, matte.pts) == ((8, 16), 7)
    assert np.all(matte.alpha == np.float32(expected))


# the matte is the network's own: acceptance 5


def block_mean(rgb: U8, size: Size) -> F32:
    """RGB 0-1 averaged over areas, written without the kernels: rows, then columns.

    Each output pixel is the mean of the input it covers, parts of pixels weighted by
    their covered length: the integral of the picture, taken between two edges.
    """

    def along_first(values: npt.NDArray[np.float64], n: int) -> npt.NDArray[np.float64]:
        total = np.concatenate([np.zeros((1, *values.shape[1:])), np.cumsum(values, axis=0)])
        edges = np.linspace(0, len(values), n + 1)
        left = np.minimum(edges.astype(int), len(values) - 1)
        weight = (edges - left).reshape(-1, *[1] * (values.ndim - 1))
        integral = total[left] * (1 - weight) + total[left + 1] * weight
        return np.diff(integral, axis=0) * (n / len(values))

    rows = along_first(rgb.astype(np.float64), size.height)
    return (along_first(rows.swapaxes(0, 1), size.width).swapaxes(0, 1) / 255).astype(np.float32)


def own_run(engine: str, path: Path, picture: F32, previous: F32 | None = None) -> F32:
    """The engine's own interface on an RGB picture (h, w, 3), without our adapters; no previous alpha is zeros."""
    previous = np.zeros(picture.shape[:2], np.float32) if previous is None else previous.reshape(picture.shape[:2])
    if engine == "litert":
        from ai_edge_litert.interpreter import Interpreter

        interpreter = Interpreter(str(path))
        interpreter.allocate_tensors()
        for place in interpreter.get_input_details():
            values = picture if place["shape"][3] == 3 else previous[..., None]
            interpreter.set_tensor(place["index"], values[None])
        interpreter.invoke()
        alpha: F32 = interpreter.get_tensor(interpreter.get_output_details()[0]["index"])
        return alpha[0, :, :, 0]
    import onnxruntime as ort

    session = ort.InferenceSession(str(path))
    planes = {3: picture.transpose(2, 0, 1)[None], 1: previous[None, None]}
    alpha = session.run(None, {place.name: planes[place.shape[1]] for place in session.get_inputs()})[0]
    return alpha[0, 0]


def reference_alpha(spec: ModelSpec, engine: str, shared: Shared, picture: F32, previous: F32 | None = None) -> F32:
    """The network on a picture, by the engine where it reads the published file, else by LiteRT."""
    local = weights_of(spec, shared)
    if local is not None:
        return own_run("litert", local, picture, previous)
    suffix = {"litert": ".tflite", "onnxruntime": ".onnx"}[engine]
    return own_run(engine, next(_weights.place(f) for f in spec.files if f.suffix == suffix), picture, previous)


def video_frames(path: Path, every: int = 25) -> Iterator[Any]:
    with av.open(str(path)) as container:
        for index, frame in enumerate(container.decode(video=0)):
            if index % every == 0:
                yield frame


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("spec", SPECS, ids=lambda s: s.name)
class TestMatteIsTheNetworksOwn:
    """By our path, planes in and our downscale, as by the engine on a plain downscale."""

    TOLERANCE = 1 / 255
    COARSE_COLOUR = 1.5 / 255
    """Where the frame has half the colour of the picture it is compared with, and the network is in doubt."""

    def check(self, spec: ModelSpec, engine: str, shared: Shared, rgb: U8, frames: list[Frame]) -> None:
        if engine == "litert" and all(file.suffix == ".onnx" for file in spec.files):
            pytest.skip(f"{spec.name} comes as ONNX only")
        segmenter = create(spec.name, engine=engine, weights=weights_of(spec, shared))
        nearest = frames[0].size.nearest(shape.size for shape in spec.shapes)
        spec = next(shape for shape in spec.shapes if shape.size == nearest)
        plain = block_mean(rgb, spec.size)
        if rgb.shape[0] >= spec.size.height and rgb.shape[1] >= spec.size.width:
            other = cv2.resize(rgb, spec.size, interpolation=cv2.INTER_AREA) / np.float32(255)
            assert np.abs(plain - other).mean() < self.TOLERANCE / 2, "the reference itself is wrong"
        expected = reference_alpha(spec, engine, shared, plain)
        assert expected.max() > 0.9, "nobody was found: the comparison would say nothing"
        for frame in frames:
            matte, state = segmenter.segment(frame, None)
            tolerance = self.COARSE_COLOUR if len(frames) > 1 and frame.format is PixelFormat.I420 else self.TOLERANCE
            assert np.abs(matte.alpha - expected).mean() <= tolerance, frame
            recurrent = state[0] is not None if isinstance(state, tuple) else state is not None
            if recurrent:  # the same frame again, with what it gave before
                again = reference_alpha(spec, engine, shared, plain, matte.alpha.copy())
                matte, _ = segmenter.segment(frame, state)
                assert np.abs(matte.alpha - again).mean() <= tolerance, frame
                assert np.abs(again - expected).max() > 0.01, "the previous alpha makes no difference"
        segmenter.close()

    def test_portrait(self, spec: ModelSpec, engine: str, shared: Shared, astronaut: U8) -> None:
        rgb = np.ascontiguousarray(astronaut[:287, :511])  # odd, and about 16:9
        self.check(spec, engine, shared, rgb, [Frame.from_rgb(rgb, kind) for kind in PixelFormat])

    def test_carphone(self, spec: ModelSpec, engine: str, shared: Shared, carphone: Path) -> None:
        for frame in video_frames(carphone, every=40):
            self.check(spec, engine, shared, *planes_and_rgb(frame))

    @pytest.mark.parametrize("name", ["office-720p.h264", "sign-again.mkv", "sign-want.mkv"])
    def test_shared_video(self, spec: ModelSpec, engine: str, name: str, shared: Shared) -> None:
        for frame in video_frames(shared(f"media/{name}")):
            self.check(spec, engine, shared, *planes_and_rgb(frame))


def planes_and_rgb(frame: Any) -> tuple[U8, list[Frame]]:
    """A decoded frame as RGB by the textbook, and as our frame."""
    ours = Frame.from_av(frame)
    y, u, v = (p.astype(np.float64) for p in ours.planes)
    u, v = (np.repeat(np.repeat(p, 2, axis=0), 2, axis=1)[: y.shape[0], : y.shape[1]] - 128 for p in (u, v))
    kr, kb = (0.299, 0.114) if ours.matrix.name == "BT601" else (0.2126, 0.0722)
    offset, luma, chroma = (16, 255 / 219, 255 / 224) if ours.range.name == "LIMITED" else (0, 1, 1)
    y, u, v = (y - offset) * luma, u * chroma, v * chroma
    red, blue = y + 2 * (1 - kr) * v, y + 2 * (1 - kb) * u
    green = (y - kr * red - kb * blue) / (1 - kr - kb)
    return np.clip(np.rint(np.dstack((red, green, blue))), 0, 255).astype(np.uint8), [ours]


# the same network in the browser


def test_the_browser_knows_the_same_files() -> None:
    """Names, checksums and sizes in the SDK are those of model.json, in its order."""
    root = Path(__file__).parents[2]
    wanted = []
    for tag in ("fast", "base"):
        facts = json.loads((_weights.PACKAGED / tag / "model.json").read_text(encoding="utf-8"))
        wanted += [(f["path"], f["sha256"], f["width"], f["height"]) for f in facts["files"] if f["layout"] == "NHWC"]
        assert (facts["input"]["scale"], facts["input"]["mean"]) == (1 / 255, [0, 0, 0])  # what the SDK's kernels do
    source = (root / "web" / "src" / "segmenter" / "models.ts").read_text(encoding="utf-8")
    landscape = "{ width: 256, height: 144 }"
    entry = re.compile(r'file: "models/(livematte[^"]+)", sha256: "(\w+)", size: \{ width: (\d+), height: (\d+) \}')
    found = [
        (f, sha, int(w), int(h))
        for f, sha, w, h in entry.findall(source.replace("size: LANDSCAPE", f"size: {landscape}"))
    ]
    assert f"LANDSCAPE: Size = {landscape};" in source
    assert found == wanted
