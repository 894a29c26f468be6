"""What OpenVINO, PyTorch and ONNX Runtime's providers promise beyond the contract of all engines."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from livematte import _registry
from livematte._errors import LoadError, MissingExtra, OptionError
from livematte._frame import Size
from livematte.engines import Engine, onnxruntime, openvino, torch

ONNX, TFLITE = (Path(__file__).parents[1] / "golden" / f"network-256x144.{suffix}" for suffix in ("onnx", "tflite"))

with_openvino = pytest.mark.skipif(not openvino.installed(), reason="OpenVINO is not installed")
with_torch = pytest.mark.skipif(not torch.installed(), reason="PyTorch is not installed")

FLOAT, INT64 = TensorProto.FLOAT, TensorProto.INT64


def create(engine: str, graph: Path, **options: Any) -> Engine:
    loaded: Engine = _registry.create("engines", engine, graph=graph, **options)
    return loaded


def saved(path: Path, nodes: list[Any], shape: list[Any], constants: dict[str, Any], opset: int = 18) -> Path:
    """A graph from `in` to `out`."""
    value = helper.make_tensor_value_info
    tensors = [numpy_helper.from_array(np.asarray(array), name) for name, array in constants.items()]
    graph = helper.make_graph(nodes, "t", [value("in", FLOAT, shape)], [value("out", FLOAT, None)], tensors)
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=8), str(path))
    return path


class TestOnnxRuntimeProviders:
    def test_the_cpu_may_be_named(self) -> None:
        assert create("onnxruntime:cpu", ONNX).runs_on == "CPUExecutionProvider"

    def test_one_that_this_build_lacks_is_refused(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setitem(onnxruntime.PROVIDERS, "abacus", "AbacusExecutionProvider")
        with pytest.raises(OptionError, match=r"no AbacusExecutionProvider, but .*CPUExecutionProvider: install"):
            create("onnxruntime:abacus", ONNX)

    def test_one_that_runs_nothing_is_refused(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """ONNX Runtime's wheels list the Azure provider as active, and run everything on the CPU."""
        import onnxruntime as ort

        if "AzureExecutionProvider" not in ort.get_available_providers():
            pytest.skip("this build of ONNX Runtime has no provider that falls back in silence")
        monkeypatch.setitem(onnxruntime.PROVIDERS, "azure", "AzureExecutionProvider")
        with pytest.raises(LoadError, match=r"asked for AzureExecutionProvider and ran .* on CPUExecutionProvider"):
            create("onnxruntime:azure", ONNX)

    def test_one_that_computes_something_else_is_refused(self, monkeypatch: pytest.MonkeyPatch) -> None:
        import onnxruntime as ort

        class Wrong:
            """A session that is half right."""

            def __init__(self, session: Any) -> None:
                self.session = session

            def __getattr__(self, name: str) -> Any:
                return getattr(self.session, name)

            def run(self, names: Any, feed: Any) -> Any:
                return [array + 0.1 for array in self.session.run(names, feed)]

        real = onnxruntime._session

        def session(graph: bytes, source: Path, threads: int, picture: Any, provider: str, profile: Any = None) -> Any:
            made = real(graph, source, threads, picture, "CPUExecutionProvider", profile)
            return Wrong(made) if profile else made

        monkeypatch.setattr(onnxruntime, "_session", session)
        monkeypatch.setattr(onnxruntime, "_providers_of", lambda profile: {"AbacusExecutionProvider": 3})
        monkeypatch.setitem(onnxruntime.PROVIDERS, "abacus", "AbacusExecutionProvider")
        monkeypatch.setattr(ort, "get_available_providers", lambda: ["AbacusExecutionProvider"])
        with pytest.raises(LoadError, match="AbacusExecutionProvider computes another"):
            create("onnxruntime:abacus", ONNX)

    def test_no_profile_is_left(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.chdir(tmp_path)
        create("onnxruntime", ONNX)
        assert list(tmp_path.iterdir()) == []


@with_openvino
class TestOpenVino:
    def test_float32_is_what_really_computes(self) -> None:
        assert create("openvino", ONNX).runs_on == "CPU, f32"

    def test_a_processor_without_the_precision_is_told(self, monkeypatch: pytest.MonkeyPatch) -> None:
        class Core:
            def get_property(self, device: str, name: str) -> list[str]:
                return ["FP32"]

        monkeypatch.setattr(openvino, "_core", Core)
        assert openvino.variants() == ()
        for precision in ("bf16", "int8"):
            with pytest.raises(OptionError, match=f"openvino:{precision}: this processor computes in FP32 only"):
                create(f"openvino:{precision}", ONNX)

    def test_int8_is_for_quantised_networks(self, tmp_path: Path) -> None:
        with pytest.raises(LoadError, match="is a float network, openvino:int8 needs a quantised one"):
            create("openvino:int8", ONNX)
        node, scale = helper.make_node, {"s": np.float32(1 / 255), "z": np.uint8(0)}
        nodes = [node("QuantizeLinear", ["in", "s", "z"], ["q"]), node("DequantizeLinear", ["q", "s", "z"], ["d"]),
                 node("MaxPool", ["d"], ["out"], kernel_shape=[2, 2])]  # fmt: skip
        engine = create("openvino:int8", saved(tmp_path / "q.onnx", nodes, [1, 3, 8, 8], scale))
        (out,) = engine.run([np.full((1, 3, 8, 8), 0.5, np.float32)])
        assert np.abs(out - 0.5).max() <= 1 / 255

    def test_it_reads_what_our_conversion_does_not(self, monkeypatch: pytest.MonkeyPatch) -> None:
        from livematte.engines import _tflite_to_onnx

        planar = create("openvino", TFLITE).inputs[0].shape
        monkeypatch.setattr(_tflite_to_onnx, "_RULES", {})
        monkeypatch.setenv("LIVEMATTE_CACHE", "/nowhere")
        assert (planar, create("openvino", TFLITE).inputs[0].shape) == ((1, 3, 144, 256), (1, 144, 256, 3))

    def test_what_neither_reads_is_told_for_both(self, monkeypatch: pytest.MonkeyPatch) -> None:
        from livematte.engines import _tflite_to_onnx

        class Core:
            def get_property(self, device: str, name: str) -> list[str]:
                return ["FP32"]

            def read_model(self, path: str) -> None:
                raise RuntimeError("Exception from src/core.cpp:1:\nNo translator found for Teleport node.\n")

        monkeypatch.setattr(openvino, "_core", Core)
        monkeypatch.setattr(_tflite_to_onnx, "_RULES", {})
        monkeypatch.setenv("LIVEMATTE_CACHE", "/nowhere")
        with pytest.raises(LoadError, match=r"has no rule here.*own reader: No translator found for Teleport"):
            create("openvino", TFLITE)

    def test_requests_are_as_many_as_threads_need(self) -> None:
        engine: Any = create("openvino", ONNX)
        picture = [np.zeros(engine.inputs[0].shape, np.float32)]
        for _ in range(3):
            engine.run(picture)
        assert len(engine._idle) == 1


@pytest.mark.parametrize("engine", ["onnxruntime", "openvino", "torch"])
@pytest.mark.parametrize("shape", [[1, 3, "h", "w"], [1, "h", "w", 3]], ids=["planar", "packed"])
def test_open_sizes_become_the_pictures(engine: str, shape: list[Any], tmp_path: Path) -> None:
    if not _registry.load("engines", engine).installed():
        pytest.skip(f"the runtime of {engine} is not installed")
    path = saved(tmp_path / "open.onnx", [helper.make_node("Relu", ["in"], ["out"])], shape, {})
    loaded = create(engine, path, picture=Size(20, 10))
    expected = (1, 3, 10, 20) if shape[1] == 3 else (1, 10, 20, 3)
    assert (loaded.inputs[0].shape, loaded.outputs[0].shape) == (expected, expected)
    assert loaded.run([np.ones(expected, np.float32)])[0].shape == expected


@pytest.mark.parametrize("engine", ["openvino", "torch"])
def test_a_missing_runtime_names_the_pip_line(engine: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_registry.load("engines", engine), "find_spec", lambda name: None)
    with pytest.raises(MissingExtra, match=rf'pip install "livematte\[{engine}\]"'):
        create(engine, ONNX)


@with_torch
class TestTorchRules:
    """Every rule against ONNX Runtime."""

    node = staticmethod(helper.make_node)

    def same(self, path: Path, nodes: list[Any], constants: dict[str, Any] | None = None, opset: int = 18,
             shape: tuple[int, ...] = (1, 4, 7, 9), atol: float = 2e-6) -> None:  # fmt: skip
        saved(path / "rule.onnx", nodes, list(shape), constants or {}, opset)
        picture = np.random.default_rng(1).normal(size=shape).astype(np.float32)
        (expected,), (got,) = (create(name, path / "rule.onnx").run([picture]) for name in ("onnxruntime", "torch"))
        assert got.shape == expected.shape
        np.testing.assert_allclose(got, expected, atol=atol)

    @pytest.mark.parametrize(
        ("op", "inputs", "attributes"),
        [
            ("Conv", [(6, 2, 3, 3), (6,)], {"group": 2, "pads": [1, 0, 2, 1], "strides": [2, 1]}),
            ("Conv", [(4, 1, 3, 3)], {"group": 4, "auto_pad": "SAME_UPPER", "strides": [2, 2]}),
            ("Conv", [(4, 4, 3, 3)], {"dilations": [2, 2], "pads": [2, 2, 2, 2]}),
            ("ConvTranspose", [(4, 3, 2, 2), (3,)], {"strides": [2, 2]}),
            ("ConvTranspose", [(4, 3, 3, 3)], {"strides": [2, 2], "pads": [0, 0, 1, 1], "output_padding": [0, 0]}),
            ("MaxPool", [], {"kernel_shape": [3, 3], "strides": [2, 2], "pads": [1, 1, 1, 1]}),
            ("MaxPool", [], {"kernel_shape": [2, 2], "strides": [2, 2], "auto_pad": "SAME_UPPER"}),
            ("AveragePool", [], {"kernel_shape": [3, 3], "pads": [1, 1, 1, 1]}),
            ("AveragePool", [], {"kernel_shape": [2, 2], "strides": [2, 2], "pads": [0, 0, 1, 1]}),
            ("GlobalAveragePool", [], {}),
            ("BatchNormalization", [(4,), (4,), (4,), "variance"], {"epsilon": 1e-3}),
            ("InstanceNormalization", [(4,), (4,)], {}),
            ("PRelu", [(4, 1, 1)], {}),
            ("Softmax", [], {"axis": 1}),
            ("HardSigmoid", [], {"alpha": 0.25}),
            ("LeakyRelu", [], {"alpha": 0.1}),
            ("Elu", [], {}),
            ("DepthToSpace", [], {"blocksize": 2}),
            ("DepthToSpace", [], {"blocksize": 2, "mode": "CRD"}),
            ("Transpose", [], {"perm": [0, 2, 3, 1]}),
            ("Flatten", [], {"axis": 2}),
            *((op, [], {}) for op in ("Abs", "Exp", "HardSwish", "Identity", "Neg", "Relu", "Sigmoid", "Tanh")),
            *((op, [(4, 1, 9)], {}) for op in ("Add", "Sub", "Mul", "Max", "Min")),
        ],
    )  # fmt: skip
    def test_numbers(self, op: str, inputs: list[Any], attributes: dict[str, Any], tmp_path: Path) -> None:
        random = np.random.default_rng(2)
        constants = {
            f"c{n}": random.normal(size=s).astype(np.float32) if s != "variance" else np.ones(4, np.float32)
            for n, s in enumerate(inputs)
        }
        self.same(tmp_path, [self.node(op, ["in", *constants], ["out"], **attributes)], constants)

    @pytest.mark.parametrize(
        ("op", "attributes", "values"),
        [
            ("Reshape", {}, [[0, -1, 9]]),
            ("Slice", {}, [[1, -5], [9, -1], [2, 3]]),
            ("Slice", {}, [[0], [9], [3], [2]]),
            ("Squeeze", {}, [[0]]),
            ("Unsqueeze", {}, [[0, 3]]),
            ("Pad", {}, [[0, 0, 1, 2, 0, 0, 3, 4]]),
            ("Pad", {"mode": "reflect"}, [[0, 0, 1, 2, 0, 0, 3, 4]]),
            ("Gather", {"axis": 2}, [[0, -1, 3]]),
            ("Expand", {}, [[2, 4, 7, 9]]),
            ("ReduceMean", {}, [[2, 3]]),
            ("ReduceMax", {"keepdims": 0}, [[1]]),
        ],
    )
    def test_shapes(self, op: str, attributes: dict[str, Any], values: list[list[int]], tmp_path: Path) -> None:
        constants = {f"c{n}": np.array(v, np.int64) for n, v in enumerate(values)}
        self.same(tmp_path, [self.node(op, ["in", *constants], ["out"], **attributes)], constants)

    @pytest.mark.parametrize("where", ["half_pixel", "pytorch_half_pixel", "align_corners", "asymmetric"])
    @pytest.mark.parametrize("size", [(14, 18), (5, 4), (13, 20)], ids=str)
    @pytest.mark.parametrize("mode", ["linear", "nearest"])
    def test_resize(self, mode: str, where: str, size: tuple[int, int], tmp_path: Path) -> None:
        options = {"mode": mode, "coordinate_transformation_mode": where}
        sizes = {"n": np.array([1, 4, *size], np.int64)}
        self.same(tmp_path, [self.node("Resize", ["in", "", "", "n"], ["out"], **options)], sizes)
        scales = {"n": np.array([1, 1, size[0] / 7, 1.7], np.float32)}
        self.same(tmp_path, [self.node("Resize", ["in", "", "n"], ["out"], **options)], scales, atol=2e-5)

    def test_what_is_computed_from_shapes(self, tmp_path: Path) -> None:
        """As exporters write a resize to the size of another value."""
        nodes = [
            self.node("AveragePool", ["in"], ["small"], kernel_shape=[2, 2], strides=[2, 2]),
            self.node("Shape", ["in"], ["shape"]),
            self.node("Slice", ["shape", "two", "four"], ["sides"]),
            self.node("Concat", ["front", "sides"], ["size"], axis=0),
            self.node("Resize", ["small", "", "", "size"], ["big"], mode="linear"),
            self.node("Clip", ["big", "low", ""], ["out"]),
        ]
        front = {"two": np.array([2]), "four": np.array([4]), "front": np.array([1, 4]), "low": np.float32(0)}
        self.same(tmp_path, nodes, front)

    def test_split_and_gemm_of_older_sets(self, tmp_path: Path) -> None:
        nodes = [
            self.node("Split", ["in"], ["a", "b"], axis=1, split=[1, 3]),
            self.node("ReduceMean", ["b"], ["m"], axes=[2, 3], keepdims=0),
            self.node("Gemm", ["m", "w", "c"], ["out"], transB=1, alpha=0.5),
        ]
        random = np.random.default_rng(0)
        constants = {"w": random.random((5, 3), np.float32), "c": random.random(5, np.float32)}
        self.same(tmp_path, nodes, constants, opset=11)

    def test_a_constant_is_read_in_every_spelling(self, tmp_path: Path) -> None:
        nodes = [
            self.node("Constant", [], ["k"], value_floats=[1.0] * 9),
            self.node("Mul", ["in", "k"], ["a"]),
            self.node("Constant", [], ["t"], value=numpy_helper.from_array(np.float32(2))),
            self.node("Div", ["a", "t"], ["out"]),
        ]
        self.same(tmp_path, nodes)

    def test_an_operator_without_a_rule_is_named(self, tmp_path: Path) -> None:
        path = saved(tmp_path / "x.onnx", [self.node("Erf", ["in"], ["out"])], [1, 4], {})
        with pytest.raises(LoadError, match="uses Erf, for which the torch engine has no rule"):
            create("torch", path)

    def test_it_runs_where_it_says(self) -> None:
        assert create("torch:cpu", ONNX).runs_on == "cpu"
