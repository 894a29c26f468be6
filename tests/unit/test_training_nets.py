"""Networks that start from published ones: the same alphas as before, trained, stopped, exported, reloaded."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
import pytest

torch = pytest.importorskip("torch")
torch.set_num_threads(1)  # two threads wait for each other by the second where other programs want the cores

from ai_edge_litert.interpreter import Interpreter  # noqa: E402

import livematte  # noqa: E402
from livematte import _weights, cli  # noqa: E402
from livematte._errors import LoadError, MissingExtra, OptionError, UnknownName, WeightsError  # noqa: E402
from livematte._frame import Size  # noqa: E402
from livematte.models.deeplabv3 import PERSON  # noqa: E402
from livematte.models.mediapipe import SPECS  # noqa: E402
from livematte.training import checkpoint, nets  # noqa: E402
from livematte.training import export as ex  # noqa: E402
from livematte.training import net as own  # noqa: E402
from livematte.training.losses import losses  # noqa: E402
from livematte.training.nets import _graph  # noqa: E402
from livematte.training.prune import prune  # noqa: E402
from livematte.training.recipe import Augment, Loss  # noqa: E402
from livematte.training.train import Job, train  # noqa: E402
from livematte.training.validate import Validation  # noqa: E402

TFLITE = Path(__file__).parents[1] / "golden" / "network-256x144.tflite"
"""In every checkout, and read like any other network that ends in a sigmoid."""

LANDSCAPE = "weights/mediapipe/selfie_segmentation_landscape.tflite"
GENERAL = "weights/mediapipe/selfie_segmentation.tflite"
DEEPLAB = "weights/deeplabv3/deeplabv3_257_mv_gpu.tflite"


def views(rgb: npt.NDArray[np.uint8], size: tuple[int, int]) -> list[npt.NDArray[np.float32]]:
    """A picture whole, mirrored and cropped: (1, h, w, 3) in 0-1."""
    cuts = (rgb, rgb[:, ::-1], rgb[:256], rgb[100:400, 50:300])
    resized = [cv2.resize(np.ascontiguousarray(cut), size, interpolation=cv2.INTER_AREA) for cut in cuts]
    return [small[None].astype(np.float32) / np.float32(255) for small in resized]


def litert(path: Path, picture: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    interpreter = Interpreter(str(path), num_threads=1)
    interpreter.allocate_tensors()
    interpreter.set_tensor(interpreter.get_input_details()[0]["index"], picture)
    interpreter.invoke()
    return interpreter.get_tensor(interpreter.get_output_details()[0]["index"])


def alpha_of(net: nets.Network, picture: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """(h, w)."""
    with torch.inference_mode():
        planes = torch.from_numpy(picture).permute(0, 3, 1, 2).contiguous()
        return own.Matting(net).eval()(planes)[0, 0].numpy()


@pytest.fixture(params=["ours", LANDSCAPE, GENERAL])
def selfie(request: pytest.FixtureRequest, shared: Callable[[str], Path]) -> Path:
    return TFLITE if request.param == "ours" else shared(request.param)


def test_a_tflite_network_gives_the_alpha_that_litert_gives(selfie: Path, astronaut: npt.NDArray[np.uint8]) -> None:
    net = nets.begin(f"mediapipe:{selfie}")
    for picture in views(astronaut, net.size):
        expected = litert(selfie, picture)[0, :, :, 0]
        assert expected.std() > 0.01
        assert np.abs(alpha_of(net, picture) - expected).max() < 1e-4


def test_deeplabs_alpha_is_the_softmax_of_the_person(
    shared: Callable[[str], Path], astronaut: npt.NDArray[np.uint8]
) -> None:
    path = shared(DEEPLAB)
    net = nets.begin(f"deeplabv3:{path}")
    for picture in views(astronaut, net.size):
        logits = litert(path, picture * 2 - 1)[0].astype(np.float64)
        expected = (np.exp(logits) / np.exp(logits).sum(-1, keepdims=True))[..., PERSON]
        assert expected.std() > 0.01
        assert np.abs(alpha_of(net, picture) - expected).max() < 1e-4


@pytest.mark.parametrize("path", [LANDSCAPE, GENERAL])
def test_other_sizes_are_what_the_graph_would_do_there(path: str, shared: Callable[[str], Path]) -> None:
    """Both selfie networks have one shape: the weights of one, run at the size of the other."""
    small, square = nets.begin(f"mediapipe:{shared(LANDSCAPE)}"), nets.begin(f"mediapipe:{shared(GENERAL)}")
    net, other = (small, square) if path == LANDSCAPE else (square, small)
    other.load_state_dict(net.state_dict())
    picture = np.random.default_rng(1).random((1, *net.size[::-1], 3), np.float32)
    assert np.array_equal(alpha_of(net, picture), alpha_of(other, picture))
    for width, height in ((256, 144), (144, 256), (64, 32)):
        net.check_size(width, height)
        assert net(torch.rand(1, 3, height, width))[0].shape == (1, 1, height, width)
    with pytest.raises(OptionError, match="multiples of 16, got 100x64"):
        net.check_size(100, 64)


def test_deeplab_takes_sides_that_keep_its_corners(shared: Callable[[str], Path]) -> None:
    net = nets.begin(f"deeplabv3:{shared(DEEPLAB)}")
    net.check_size(257, 145)
    assert net(torch.rand(1, 3, 145, 257))[0].shape == (1, 1, 145, 257)
    with pytest.raises(OptionError, match="a width of 1 and a height of 1 over 8s, got 256x256"):
        net.check_size(256, 256)


def test_names_of_the_state_come_from_the_file_alone(selfie: Path) -> None:
    first, second = (nets.begin(f"mediapipe:{selfie}") for _ in range(2))
    assert list(first.state_dict()) == list(second.state_dict())
    assert first.describe() == second.describe()
    names = [name for name, _ in first.named_parameters()]
    assert names[0].startswith("layers.conv00.")
    assert all(p.requires_grad and p.dtype == torch.float32 for p in first.parameters())


@pytest.mark.parametrize("bf16", [False, True])
def test_every_weight_has_a_gradient(selfie: Path, bf16: bool) -> None:
    net = nets.begin(f"mediapipe:{selfie}")
    rgb, alpha = torch.rand(2, 3, 64, 96), torch.rand(2, 1, 64, 96)
    with torch.autocast("cpu", torch.bfloat16, enabled=bf16):
        logits, aux = net(rgb)
    found = losses(logits, aux, alpha, torch.ones_like(alpha), Loss())
    assert "aux" not in found
    sum(found.values()).backward()
    assert all(p.grad is not None and p.grad.isfinite().all() for p in net.parameters())
    moved = sum(bool(p.grad.any()) for p in net.parameters())  # some units are silent on noise
    assert moved > 0.8 * len(list(net.parameters()))


def test_a_tag_is_found_where_pulled_weights_lie(shared: Callable[[str], Path]) -> None:
    with pytest.raises(WeightsError, match=r"run `livematte models pull mediapipe:landscape`$"):
        nets.begin("mediapipe")
    place = _weights.place(SPECS["landscape"].files[0])
    place.parent.mkdir(parents=True, exist_ok=True)
    try:
        shutil.copy(shared(LANDSCAPE), place)
        assert nets.begin("mediapipe").describe() == nets.begin(f"mediapipe:{shared(LANDSCAPE)}").describe()
    finally:
        place.unlink(missing_ok=True)
    with pytest.raises(UnknownName, match="mediapipe:general"):
        nets.begin("mediapipe:sideways")


def test_files_that_are_no_such_network_are_named(
    tmp_path: Path, shared: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(WeightsError, match=r"cannot read weights from .*none\.tflite"):
        nets.begin(f"mediapipe:{tmp_path / 'none.tflite'}")
    (tmp_path / "bad.tflite").write_bytes(b"no graph at all")
    with pytest.raises(LoadError, match="not a TFLite file"):
        nets.begin(f"mediapipe:{tmp_path / 'bad.tflite'}")
    with pytest.raises(LoadError, match="makes 1 planes, DeepLabV3 makes 21"):
        nets.begin(f"deeplabv3:{TFLITE}")
    monkeypatch.setattr(_graph, "find_spec", lambda name: None)
    with pytest.raises(MissingExtra, match=r'pip install "livematte\[train,convert\]"'):
        nets.begin(f"mediapipe:{TFLITE}")


def test_names_that_do_not_exist_are_answered_with_those_that_do() -> None:
    with pytest.raises(OptionError, match=r"there are fast, base, init .*deeplabv3:\.\.\., mediapipe:\.\.\."):
        nets.begin("fats")
    with pytest.raises(OptionError, match="width and depth are of our own"):
        nets.begin(f"mediapipe:{TFLITE}", width=0.5)
    with pytest.raises(WeightsError, match="of a network 'unheard'"):
        nets.restore("unheard", {})
    with pytest.raises(WeightsError, match="shape of this mediapipe network cannot be read"):
        nets.restore("mediapipe", {"nodes": [{}]})


def test_the_template_is_a_network() -> None:
    from livematte.training.nets import _template

    net = _template.create("3")
    assert net(torch.rand(1, 3, 32, 48))[0].shape == (1, 1, 32, 48)
    assert _template.restore(net.describe()).describe() == net.describe()
    with pytest.raises(OptionError, match="template:3"):
        _template.create(None)


# runs


def test_it_learns_on_from_where_the_network_was(
    selfie: Path, short_job: Callable[..., Job], people: Path, tmp_path: Path
) -> None:
    lines: list[dict[str, Any]] = []
    job = replace(short_job(f"mediapipe:{selfie}"), dev=people)
    outcome = train(job, lines.append)
    first, last = [line["loss"] for line in lines if "loss" in line]  # means of 50 steps
    assert last < 0.8 * first
    start, end = nets.begin(job.recipe.net).eval(), own.load_weights(job.out / "weights.pt")
    before = Validation(people, [(64, 48)], tmp_path / "cache")(start, torch.device("cpu"))
    assert outcome.figures["mad"] < 0.5 * before["mad"]
    assert outcome.figures["iou"] > max(0.9, before["iou"])
    assert end.describe() == start.describe()
    assert not torch.equal(start.layers.conv00.state_dict().popitem()[1], end.layers.conv00.state_dict().popitem()[1])


def test_a_stopped_run_goes_on_without_the_file_it_started_from(short_job: Callable[..., Job], tmp_path: Path) -> None:
    file = tmp_path / "start.tflite"
    shutil.copy(TFLITE, file)
    whole = short_job(f"mediapipe:{file}", steps=4)
    parts = replace(whole, out=tmp_path / "parts", resume=True)
    train(whole)
    train(replace(parts, stop_step=2))
    file.unlink()
    train(parts)
    ends = [torch.load(job.out / "checkpoint.pt", weights_only=True) for job in (whole, parts)]
    assert ends[0]["architecture"] == "mediapipe"
    assert all(torch.equal(ends[0]["net"][name], value) for name, value in ends[1]["net"].items())


def test_deeplab_is_trained_at_its_odd_size(short_job: Callable[..., Job], shared: Callable[[str], Path]) -> None:
    job = short_job(f"deeplabv3:{shared(DEEPLAB)}", size=(65, 33), steps=2)
    train(
        replace(job, recipe=replace(job.recipe, augment=Augment(flip=1, affine=1, jpeg=1, fourier=1, noise=1, blur=1)))
    )
    end = own.load_weights(job.out / "weights.pt")
    assert end.architecture == "deeplabv3"
    assert end(torch.rand(1, 3, 65, 65))[0].isfinite().all()


def test_sizes_that_the_network_does_not_take_are_refused(short_job: Callable[..., Job]) -> None:
    with pytest.raises(OptionError, match="multiples of 16, got 100x64"):
        train(short_job(f"mediapipe:{TFLITE}", size=(100, 64)))


def test_weights_of_its_own_and_others_contradict_each_other(short_job: Callable[..., Job], tmp_path: Path) -> None:
    job = short_job(f"mediapipe:{TFLITE}", steps=1)
    train(job)
    begun = job.out / "weights.pt"
    with pytest.raises(OptionError, match="leave out --init"):
        train(replace(job, out=tmp_path / "other", init=begun))
    again = replace(job, out=tmp_path / "other", init=begun, recipe=replace(job.recipe, net="init"))
    assert train(again).step == 1
    with pytest.raises(WeightsError, match="it has mediapipe"):
        train(replace(again, out=tmp_path / "third", recipe=replace(job.recipe, net="fast")))


def test_only_inverted_residuals_are_pruned(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    net = nets.begin(f"mediapipe:{TFLITE}")
    with pytest.raises(OptionError, match="these weights are of mediapipe"):
        prune(net, 0.5)


def test_a_trained_network_is_exported(selfie: Path, tmp_path: Path, astronaut: npt.NDArray[np.uint8]) -> None:
    net = nets.begin(f"mediapipe:{selfie}")
    checkpoint.save_weights(tmp_path / "w.pt", net)
    (graph,) = ex.export(tmp_path / "w.pt", tmp_path, formats=["onnx"])
    assert graph.largest_difference < net.rounding
    assert graph.mean_difference < 1e-5
    known = json.loads((tmp_path / "model.json").read_text())
    assert (known["input"]["width"], known["input"]["height"]) == net.size
    assert known["network"]["source"] == selfie.name
    with livematte.Session(weights=tmp_path / "livematte.onnx", temporal=False) as session:
        assert session.matte(astronaut).shape == astronaut.shape[:2]


def test_deeplab_is_exported(tmp_path: Path, shared: Callable[[str], Path]) -> None:
    checkpoint.save_weights(tmp_path / "w.pt", nets.begin(f"deeplabv3:{shared(DEEPLAB)}"))
    (graph,) = ex.export(tmp_path / "w.pt", tmp_path, sizes=[Size(65, 65)], formats=["onnx"])
    assert graph.largest_difference < 1e-4
    with pytest.raises(OptionError, match="over 8s"):
        ex.export(tmp_path / "w.pt", tmp_path, sizes=[Size(64, 64)], formats=["onnx"])


def test_the_commands(people: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "r.toml").write_text(
        f'net = "mediapipe:{TFLITE.as_posix()}"\n'
        "[[stages]]\nsizes = [[64, 32], [32, 64]]\npictures = 8\nbatch = 4\nlr = 1e-4\n",
        encoding="utf-8",
    )
    options = ["--recipe", tmp_path / "r.toml", "--data", people, "-o", tmp_path / "run", "--device", "cpu"]
    assert cli.run(["train", *map(str, options)]) == 0
    assert cli.run(["export", str(tmp_path / "run"), "-o", str(tmp_path), "--format", "onnx"]) == 0
    assert "difference from torch at most" in capsys.readouterr().out
    assert cli.run(["prune", str(tmp_path / "run"), "-o", str(tmp_path / "half.pt")]) == 1
    assert "only inverted residuals are pruned" in capsys.readouterr().err
