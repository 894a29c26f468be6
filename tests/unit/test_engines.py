"""Engines: what they refuse, what they say about it, and how they are chosen."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
import pytest
from onnx import TensorProto, helper

from livematte import _registry
from livematte._errors import InferenceError, LoadError, MissingExtra, OptionError, UnknownName
from livematte.engines import Engine, _tflite_to_onnx, litert, onnxruntime

F32 = npt.NDArray[np.float32]

ONNX, TFLITE = (Path(__file__).parents[1] / "golden" / f"network-256x144.{suffix}" for suffix in ("onnx", "tflite"))
"""One network in both formats: a picture in, an alpha out."""


def create(engine: str, graph: Path, **options: Any) -> Engine:
    loaded: Engine = _registry.create("engines", engine, graph=graph, **options)
    return loaded


def write_graph(
    path: Path,
    nodes: list[Any],
    shape: list[int | str],
    kind: int = TensorProto.FLOAT,
    outputs: tuple[str, ...] = ("out",),
) -> Path:
    """An ONNX file with one input `in` and outputs of its shape."""
    graph = helper.make_graph(
        nodes,
        "test",
        [helper.make_tensor_value_info("in", kind, shape)],
        [helper.make_tensor_value_info(name, kind, shape) for name in outputs],
    )
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), str(path))
    return path


@pytest.fixture
def log(tmp_path: Path) -> Path:
    """A graph whose output is NaN for negative inputs, and minus infinity for zero."""
    return write_graph(tmp_path / "log.onnx", [helper.make_node("Log", ["in"], ["out"])], [1, 4])


def nan_tflite(path: Path) -> Path:
    """The network with NaN as the bias of its last layer."""
    import tflite

    data = bytearray(TFLITE.read_bytes())
    model = tflite.Model.GetRootAs(data, 0)
    graph = model.Subgraphs(0)
    last = graph.Operators(graph.OperatorsLength() - 2)  # TRANSPOSE_CONV, before LOGISTIC
    bias = model.Buffers(graph.Tensors(int(last.InputsAsNumpy()[3])).Buffer()).DataAsNumpy()
    bias[:] = np.frombuffer(np.array(np.nan, np.float32).tobytes(), np.uint8)
    path.write_bytes(data)
    return path


@pytest.mark.parametrize("value", [-1.0, 0.0], ids=["NaN", "infinity"])
def test_onnxruntime_refuses_outputs_that_are_not_finite(log: Path, value: float) -> None:
    engine = create("onnxruntime", log)
    with pytest.raises(InferenceError, match="output out holds values that are not finite"):
        engine.run([np.full((1, 4), value, np.float32)])
    assert np.allclose(engine.run([np.ones((1, 4), np.float32)])[0], 0)  # and goes on


def test_litert_refuses_outputs_that_are_not_finite(tmp_path: Path) -> None:
    engine = create("litert", nan_tflite(tmp_path / "nan.tflite"))
    with pytest.raises(InferenceError, match="not finite"):
        engine.run([np.zeros((1, 144, 256, 3), np.float32)])


@pytest.mark.parametrize(("engine", "graph"), [("onnxruntime", ONNX), ("onnxruntime", TFLITE), ("litert", TFLITE)])
@pytest.mark.parametrize("keep", [0, 4, 100, 50_000, 200_000])
def test_truncated_weights_are_named(engine: str, graph: Path, keep: int, tmp_path: Path) -> None:
    broken = tmp_path / f"broken{graph.suffix}"
    broken.write_bytes(graph.read_bytes()[:keep])
    with pytest.raises(LoadError, match=rf"broken\{graph.suffix}"):
        create(engine, broken)


@pytest.mark.parametrize(
    ("engine", "suffix"), [("onnxruntime", ".onnx"), ("onnxruntime", ".tflite"), ("litert", ".tflite")]
)
def test_other_content_is_named(engine: str, suffix: str, tmp_path: Path) -> None:
    text = tmp_path / f"text{suffix}"
    text.write_text("<html>404 not found</html>\n" * 100)
    with pytest.raises(LoadError, match=rf"text\{suffix}"):
        create(engine, text)


@pytest.mark.parametrize(
    ("engine", "suffix"), [("onnxruntime", ".onnx"), ("onnxruntime", ".tflite"), ("litert", ".tflite")]
)
def test_a_file_that_cannot_be_read_is_named(engine: str, suffix: str, tmp_path: Path) -> None:
    with pytest.raises(LoadError, match=rf"cannot read .*absent\{suffix}: No such file"):
        create(engine, tmp_path / f"absent{suffix}")


def test_litert_refuses_onnx_and_says_what_to_do() -> None:
    with pytest.raises(LoadError, match=r"256x144\.onnx: use --engine onnxruntime, or the \.tflite file"):
        create("litert", ONNX)


def test_open_shapes_are_refused(tmp_path: Path) -> None:
    path = write_graph(tmp_path / "open.onnx", [helper.make_node("Relu", ["in"], ["out"])], [1, "width"])
    with pytest.raises(LoadError, match=r"in has the shape \[1, 'width'\].*fixed"):
        create("onnxruntime", path)


def test_integer_graphs_are_refused(tmp_path: Path) -> None:
    nodes = [helper.make_node("Identity", ["in"], ["out"])]
    path = write_graph(tmp_path / "int.onnx", nodes, [1, 4], TensorProto.INT64)
    with pytest.raises(LoadError, match=r"tensor\(int64\), expected tensor\(float\)"):
        create("onnxruntime", path)


def test_outputs_come_in_the_graphs_order(tmp_path: Path) -> None:
    nodes = [helper.make_node("Neg", ["in"], ["b"]), helper.make_node("Abs", ["in"], ["a"])]
    engine = create("onnxruntime", write_graph(tmp_path / "two.onnx", nodes, [1, 4], outputs=("b", "a")))
    assert [t.name for t in engine.outputs] == ["b", "a"]
    b, a = engine.run([np.ones((1, 4), np.float32)])
    assert b.max() == -1
    assert a.min() == 1


@pytest.mark.parametrize(
    ("engine", "words"),
    [
        ("litert", "litert takes no argument, got litert:gpu"),
        ("onnxruntime", "onnxruntime:gpu: there are cuda, "),
        ("openvino", "openvino:gpu: there are f32, bf16, int8"),
        ("torch", "torch:gpu does not work here"),
    ],
)
def test_an_unknown_argument_is_refused(engine: str, words: str) -> None:
    with pytest.raises(OptionError, match=words):
        create(f"{engine}:gpu", TFLITE)


@pytest.mark.parametrize(
    ("engine", "package", "line"),
    [("onnxruntime", "onnxruntime", "onnxruntime"), ("litert", "ai_edge_litert", r"livematte\[litert\]")],
)
def test_a_missing_runtime_names_the_pip_line(
    engine: str, package: str, line: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    hide(monkeypatch, package)
    with pytest.raises(MissingExtra, match=f'pip install "{line}'):
        create(engine, TFLITE)


@pytest.mark.parametrize("package", ["onnx", "tflite"])
def test_a_missing_converter_names_the_pip_lines(package: str, monkeypatch: pytest.MonkeyPatch) -> None:
    hide(monkeypatch, package)
    with pytest.raises(MissingExtra, match=r'pip install "livematte\[convert\]".*pip install "livematte\[litert\]"'):
        _tflite_to_onnx.convert(TFLITE.read_bytes())


def hide(monkeypatch: pytest.MonkeyPatch, package: str) -> None:
    """Let a package look as if it were not installed."""

    def absent(name: str) -> Any:
        return None if name == package else find_spec(name)

    monkeypatch.setattr(onnxruntime, "find_spec", absent)
    monkeypatch.setattr(litert, "find_spec", absent)
    monkeypatch.setitem(sys.modules, package, None)


def test_unknown_engines_are_answered_with_the_list() -> None:
    with pytest.raises(UnknownName, match=r"did you mean onnxruntime.*litert, onnxruntime, openvino, torch"):
        create("onnx-runtime", ONNX)


def test_the_three_ways_agree() -> None:
    picture = np.random.default_rng(3).random((1, 144, 256, 3), np.float32)
    planar = np.ascontiguousarray(picture.transpose(0, 3, 1, 2))
    reference = create("onnxruntime", ONNX).run([planar])[0].reshape(144, 256)
    converted = create("onnxruntime", TFLITE).run([planar])[0].reshape(144, 256)
    native = create("litert", TFLITE).run([picture])[0].reshape(144, 256)
    assert reference.std() > 0.001
    assert np.abs(converted - reference).max() < 1e-4
    assert np.abs(native - reference).max() < 1e-4


class TestConversionCache:
    """The ONNX form of a .tflite file, kept between sessions."""

    @pytest.fixture
    def cache(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
        monkeypatch.setenv("LIVEMATTE_CACHE", str(tmp_path / "cache"))
        return tmp_path / "cache" / "converted"

    @pytest.fixture
    def conversions(self, monkeypatch: pytest.MonkeyPatch) -> list[str]:
        done: list[str] = []
        convert: Callable[..., bytes] = _tflite_to_onnx.convert

        def counted(data: bytes, source: str) -> bytes:
            done.append(source)
            return convert(data, source)

        monkeypatch.setattr(_tflite_to_onnx, "convert", counted)
        return done

    def test_converts_once(self, cache: Path, conversions: list[str]) -> None:
        create("onnxruntime", TFLITE)
        create("onnxruntime", TFLITE)
        assert conversions == [str(TFLITE)]
        assert [p.suffix for p in cache.iterdir()] == [".onnx"]

    def test_other_content_is_converted_anew(self, cache: Path, conversions: list[str], tmp_path: Path) -> None:
        create("onnxruntime", TFLITE)
        create("onnxruntime", nan_tflite(tmp_path / "livematte.tflite"))
        assert len(conversions) == 2
        assert len(list(cache.iterdir())) == 2

    def test_works_without_a_cache(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        blocked = tmp_path / "a file"
        blocked.write_bytes(b"")
        monkeypatch.setenv("LIVEMATTE_CACHE", str(blocked))
        assert create("onnxruntime", TFLITE).inputs[0].shape == (1, 3, 144, 256)

    def test_a_harmed_entry_is_made_again(self, cache: Path, conversions: list[str]) -> None:
        create("onnxruntime", TFLITE)
        (entry,) = cache.iterdir()
        entry.write_bytes(entry.read_bytes()[:1000])
        create("onnxruntime", TFLITE)
        assert len(conversions) == 2
        create("onnxruntime", TFLITE)
        assert len(conversions) == 2


def test_engine_modules_load_no_runtime() -> None:
    code = (
        "import sys\n"
        "from livematte import _registry\n"
        "for name in _registry.names('engines'): _registry.load('engines', name)\n"
        "print([m for m in ('onnxruntime', 'ai_edge_litert', 'onnx', 'tflite') if m in sys.modules])\n"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "[]\n"


SIGNALLED = """
import gc, os, signal, sys
from pathlib import Path

from livematte import _registry

heard = []
signal.signal(signal.SIGTERM, lambda *given: heard.append(given))
first, second = (_registry.create("engines", sys.argv[1], graph=Path(sys.argv[2])) for _ in range(2))
for engine in (first, second):
    engine.close()
del engine, first
gc.collect()
del second
gc.collect()
os.kill(os.getpid(), signal.SIGTERM)
sys.exit(0 if heard else 1)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="no such signals")
@pytest.mark.parametrize("engine", _registry.names("engines"))
def test_a_signal_is_heard_after_engines_have_gone(engine: str) -> None:
    if not _registry.load("engines", engine).installed():
        pytest.skip(f"{engine} is not installed")
    graph = TFLITE if engine == "litert" else ONNX
    found = subprocess.run([sys.executable, "-c", SIGNALLED, engine, str(graph)], capture_output=True, check=False)
    assert found.returncode == 0, found.stderr.decode()
