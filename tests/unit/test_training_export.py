"""Exports: the same alphas as torch, nothing of this machine inside, and a model.json that is right."""

from __future__ import annotations

import hashlib
import json
from importlib.util import find_spec
from pathlib import Path

import cv2
import numpy as np
import pytest

import livematte

torch = pytest.importorskip("torch")
torch.set_num_threads(1)  # two threads wait for each other by the second where other programs want the cores

from livematte import cli  # noqa: E402
from livematte._errors import MissingExtra, OpenError, WeightsError  # noqa: E402
from livematte._frame import Size  # noqa: E402
from livematte.training import export as ex  # noqa: E402
from livematte.training import net as nets  # noqa: E402

has_litert_torch = find_spec("litert_torch") is not None


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small network with weights as noise has them; its alphas are not flat."""
    torch.manual_seed(3)
    net = nets.Net(nets.CONFIGS["fast"].scaled(width=0.5))
    with torch.inference_mode():
        for _ in range(20):  # statistics of batch normalisation as training leaves them
            net(torch.rand(4, 3, 32, 64))
    path = tmp_path_factory.mktemp("weights") / "weights.pt"
    torch.save(nets.weights(net), path)
    return path


def test_onnx_is_what_torch_computes(weights: Path, tmp_path: Path) -> None:
    terms = ex.Terms("Apache-2.0", True)
    (graph,) = ex.export(weights.parent, tmp_path, sizes=[Size(64, 32)], formats=["onnx"], name="tiny", terms=terms)
    assert graph.path == "tiny.onnx"
    assert graph.largest_difference < 1e-4
    data = (tmp_path / "tiny.onnx").read_bytes()
    assert str(Path(ex.__file__).parent.parent).encode() not in data
    assert b"site-packages" not in data
    known = json.loads((tmp_path / "model.json").read_text())
    assert known["files"] == [
        {
            "path": "tiny.onnx",
            "format": "onnx",
            "layout": "NCHW",
            "precision": "float32",
            "width": 64,
            "height": 32,
            "size_bytes": len(data),
            "sha256": hashlib.sha256(data).hexdigest(),
            "largest_difference": graph.largest_difference,
            "mean_difference": graph.mean_difference,
        }
    ]
    assert (known["input"]["width"], known["input"]["height"], known["input"]["scale"]) == (64, 32, 1 / 255)
    assert (known["licence"], known["commercial"]) == ("Apache-2.0", True)
    assert nets.NetConfig(**{k: tuple(v) if isinstance(v, list) else v for k, v in known["network"].items()})


def test_an_export_is_a_model_of_the_product(weights: Path, tmp_path: Path, astronaut: np.ndarray) -> None:
    ex.export(weights, tmp_path, sizes=[Size(64, 32)], formats=["onnx"])
    with livematte.Session(weights=tmp_path / "livematte.onnx", temporal=False) as session:
        alpha = session.matte(astronaut)
    assert alpha.shape == astronaut.shape[:2]


def test_weights_in_float16_are_near_and_half_as_large(weights: Path, tmp_path: Path) -> None:
    exact, half = ex.export(weights, tmp_path, sizes=[Size(64, 32)], formats=["onnx", "onnx-fp16"])
    assert exact.largest_difference < half.largest_difference < 0.01
    parameters = json.loads((tmp_path / "model.json").read_text())["parameters"]
    assert exact.size_bytes - half.size_bytes > 1.5 * parameters


def test_each_size_has_graphs_of_its_own(weights: Path, tmp_path: Path) -> None:
    sizes = [Size(64, 32), Size(32, 64), Size(48, 48)]
    graphs = ex.export(weights, tmp_path, sizes=sizes, formats=["onnx"], name="tiny")
    assert [graph.path for graph in graphs] == ["tiny-64x32.onnx", "tiny-32x64.onnx", "tiny-48x48.onnx"]
    assert [(graph.width, graph.height) for graph in graphs] == sizes
    assert max(graph.largest_difference for graph in graphs) < 1e-4
    known = json.loads((tmp_path / "model.json").read_text())
    assert (known["input"]["width"], known["input"]["height"]) == sizes[0]


def test_int8_is_smaller_and_near(weights: Path, tmp_path: Path) -> None:
    exact, small = ex.export(weights, tmp_path, sizes=[Size(64, 32)], formats=["onnx", "onnx-int8"])
    assert small.mean_difference < 0.1
    assert small.precision == "int8"
    assert small.sha256 != exact.sha256


@pytest.mark.skipif(not has_litert_torch, reason="litert-torch is no part of the test environment: 2 GB")
def test_tflite_is_what_torch_computes(weights: Path, tmp_path: Path) -> None:
    formats = ["tflite", "tflite-fp16", "tflite-dynamic", "tflite-int8"]
    exact, half, dynamic, eighth = ex.export(weights, tmp_path, sizes=[Size(64, 32)], formats=formats)
    assert exact.largest_difference < 1e-4
    assert half.largest_difference < 0.05
    assert half.size_bytes < exact.size_bytes
    assert dynamic.size_bytes < half.size_bytes
    assert dynamic.mean_difference < 0.1
    assert eighth.mean_difference < 0.1


@pytest.mark.skipif(has_litert_torch, reason="litert-torch is here")
def test_without_litert_torch_the_line_to_install_it_is_said(weights: Path, tmp_path: Path) -> None:
    with pytest.raises(MissingExtra, match=r'pip install "livematte\[train,tflite\]"'):
        ex.export(weights, tmp_path, formats=["tflite"])


def test_a_graph_that_is_wrong_is_not_written(weights: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ex, "fuse", lambda net: nets.Matting(nets.Net(net.config)).eval())
    with pytest.raises(WeightsError, match="differs from torch"):
        ex.export(weights, tmp_path, sizes=[Size(64, 32)], formats=["onnx"])
    assert list(tmp_path.iterdir()) == []


def test_pictures_of_a_folder_are_spread(tmp_path: Path) -> None:
    for index in range(40):
        cv2.imwrite(str(tmp_path / f"{index:02}.png"), np.full((8, 8, 3), index, np.uint8))
    seen = [round(float(p.max()) * 255) for p in ex.pictures_at(Size(32, 32), tmp_path)]
    assert seen == [index * 40 // 16 for index in range(16)]
    with pytest.raises(OpenError, match="cannot read the folder"):
        ex.pictures_at(Size(32, 32), tmp_path / "none")


def test_the_command(weights: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    options = [str(weights), "-o", str(tmp_path), "--size", "64x32", "--format", "onnx"]
    assert cli.run(["export", *options]) == 0
    assert "difference from torch at most" in capsys.readouterr().out
    assert cli.run(["export", *options, "--json", "--no-commercial"]) == 0
    assert json.loads(capsys.readouterr().out)[0]["format"] == "onnx"
    assert json.loads((tmp_path / "model.json").read_text())["commercial"] is False
    for wrong, told in ((["--format", "pdf"], "there are onnx"), (["--size", "50x50"], "multiples of 16")):
        assert cli.run(["export", *options, *wrong]) == 1
        assert told in capsys.readouterr().err
