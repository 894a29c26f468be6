"""Networks that take the previous matte: they start as they were, go on bit for bit, are exported, and recover."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
import onnxruntime
import pytest

torch = pytest.importorskip("torch")
torch.set_num_threads(1)  # two threads wait for each other by the second where other programs want the cores

import livematte  # noqa: E402
from livematte._errors import OptionError, WeightsError  # noqa: E402
from livematte._frame import Size  # noqa: E402
from livematte.sources.synthetic import Synthetic  # noqa: E402
from livematte.training import export as ex  # noqa: E402
from livematte.training import net as own  # noqa: E402
from livematte.training import nets  # noqa: E402
from livematte.training.data import Folder  # noqa: E402
from livematte.training.nets.recurrent import Recurrent, recurrent  # noqa: E402
from livematte.training.prune import prune  # noqa: E402
from livematte.training.recipe import Recipe, Stage, Views, read_recipe  # noqa: E402
from livematte.training.state import start  # noqa: E402
from livematte.training.train import Job, train  # noqa: E402
from livematte.training.validate import Validation, iou  # noqa: E402

SIZE = Size(64, 48)

TFLITE = Path(__file__).parents[1] / "golden" / "network-256x144.tflite"

SELFIE = f"mediapipe:{TFLITE.as_posix()}"

STAGE = Stage(sizes=((64, 48), (48, 64)), pictures=24, batch=4, lr=1e-3, consistency=0.5)

TINY = Recipe(net="fast", width=0.5, ema=0.9, stages=(STAGE,), recurrent=True)


@pytest.fixture
def job(people: Path, tmp_path: Path) -> Job:
    out, cache = tmp_path / "run", tmp_path / "cache"
    return Job(recipe=TINY, folders=(Folder(people),), out=out, cache=cache, device="cpu", threads=1)


def family(spec: str) -> str:
    """The name of a test's network, without the place of its file."""
    return spec.partition(":")[0]


def held(out: Path) -> dict[str, Any]:
    return torch.load(out / "checkpoint.pt", weights_only=True)


# the network


@pytest.mark.parametrize("spec", ["fast", "base", SELFIE, "u2net:p"], ids=family)
@pytest.mark.parametrize("bf16", [False, True])
def test_it_starts_out_exactly_as_it_was(spec: str, bf16: bool) -> None:
    net = nets.begin(spec)
    with_input = recurrent(net)
    rgb, previous = torch.rand(2, 3, 48, 64), torch.rand(2, 1, 48, 64)
    for mode in (True, False):
        net.train(mode), with_input.train(mode)
        with torch.inference_mode(), torch.autocast("cpu", torch.bfloat16, enabled=bf16):
            logits, sides = net(rgb)
            for given in ((rgb,), (rgb, previous)):
                again, others = with_input(*given)
                assert torch.equal(again, logits)
                assert all(torch.equal(a, b) for a, b in zip(sides, others, strict=True))
    assert recurrent(with_input) is with_input
    assert (with_input.size, with_input.rounding, with_input.facts()) == (net.size, net.rounding, net.facts())


@pytest.mark.parametrize("spec", ["fast", SELFIE, "u2net:p"], ids=family)
def test_the_new_weights_learn_from_the_first_step(spec: str) -> None:
    net = recurrent(nets.begin(spec))
    net(torch.rand(2, 3, 48, 64), torch.rand(2, 1, 48, 64))[0].square().mean().backward()
    assert all(weight.grad is not None and weight.grad.any() for weight in net.previous.parameters())
    net.eval()
    rgb = torch.rand(1, 3, 48, 64)
    with torch.no_grad():
        for weight in net.previous.parameters():
            weight.add_(0.1)
        nobody, none, everybody = (net(rgb, *given)[0] for given in ((torch.zeros(1, 1, 48, 64),), (), (rgb[:, :1],)))
    assert torch.equal(nobody, none)
    assert not torch.allclose(nobody, everybody)


def test_it_costs_little() -> None:
    net = own.Net(own.CONFIGS["fast"])
    more = own.multiply_adds(recurrent(net)) - own.multiply_adds(net)
    assert 0 < more < own.multiply_adds(net) / 29


@pytest.mark.parametrize("stems", [0, 2])
def test_a_network_that_it_does_not_fit_is_named(stems: int) -> None:
    class Odd(nets.Network):
        architecture = "odd"

        def __init__(self) -> None:
            super().__init__()
            self.stems = torch.nn.ModuleList(torch.nn.Conv2d(3, 8, 3) for _ in range(stems))

    with pytest.raises(OptionError, match=f"this odd network has {stems} of them"):
        recurrent(Odd())


def test_there_is_one_way_to_say_it() -> None:
    with pytest.raises(OptionError, match=r"write net = 'mediapipe:landscape', and recurrent = true"):
        nets.begin("recurrent:mediapipe:landscape")
    with pytest.raises(OptionError) as error:
        nets.begin("huge")
    assert "recurrent" not in str(error.value)
    with pytest.raises(OptionError, match="only inverted residuals are pruned"):
        prune(recurrent(own.Net(own.CONFIGS["fast"])), 0.5)


@pytest.mark.parametrize("spec", ["fast", SELFIE], ids=family)
def test_weights_come_back(spec: str, tmp_path: Path, settled: Callable[[nets.Network], nets.Network]) -> None:
    net = settled(recurrent(nets.begin(spec)))
    torch.save(own.weights(net), tmp_path / "w.pt")
    back = own.load_weights(tmp_path / "w.pt").eval()
    assert isinstance(back, Recurrent)
    rgb, previous = torch.rand(1, 3, 48, 64), torch.rand(1, 1, 48, 64)
    with torch.inference_mode():
        assert torch.equal(back(rgb, previous)[0], net(rgb, previous)[0])


def test_where_a_run_starts(
    tmp_path: Path, settled: Callable[[nets.Network], nets.Network], same: Callable[[Any, Any], bool]
) -> None:
    device = torch.device("cpu")
    plain = settled(own.Net(own.CONFIGS["fast"].scaled(width=0.5)))
    known = settled(recurrent(own.Net(own.CONFIGS["fast"].scaled(width=0.5))))
    for name, net in (("plain", plain), ("known", known)):
        torch.save(own.weights(net), tmp_path / f"{name}.pt")
    for net_name in ("fast", "init"):
        recipe = replace(TINY, net=net_name)
        grown = start(recipe, tmp_path / "plain.pt", None, device).net
        assert isinstance(grown, Recurrent)
        assert same(dict(grown.net.state_dict()), dict(plain.state_dict()))
        assert not any(weight.any() for weight in grown.previous.parameters())
        kept = start(recipe, tmp_path / "known.pt", None, device).net
        assert same(dict(kept.state_dict()), dict(known.state_dict()))
    plain_recipe = replace(TINY, net="init", recurrent=False)
    assert isinstance(start(plain_recipe, tmp_path / "known.pt", None, device).net, Recurrent)
    assert isinstance(start(plain_recipe, tmp_path / "plain.pt", None, device).net, own.Net)
    with pytest.raises(WeightsError, match="another shape"):
        start(replace(TINY, width=1.0), tmp_path / "known.pt", None, device)


# runs


def test_a_stopped_run_goes_on_bit_for_bit(job: Job, tmp_path: Path, same: Callable[[Any, Any], bool]) -> None:
    whole = replace(job, out=tmp_path / "whole", dev=job.folders[0].path)
    parts = replace(job, out=tmp_path / "parts", dev=job.folders[0].path, resume=True)
    assert train(whole).step == 6
    for stop in (2, 3, 6):
        assert train(replace(parts, stop_step=stop)).step == stop
    assert same(held(whole.out), held(parts.out))
    assert held(whole.out)["net"]["previous.weight"].any()
    assert json.loads((whole.out / "run.json").read_text())["recipe"]["doubt"] == 0.5


def test_runs_without_the_input_see_what_they_always_saw(
    job: Job, tmp_path: Path, same: Callable[[Any, Any], bool]
) -> None:
    plain = replace(job.recipe, recurrent=False)
    train(replace(job, recipe=plain))
    train(replace(job, recipe=replace(plain, doubt=0.9), out=tmp_path / "other"))
    assert same(held(job.out)["net"], held(tmp_path / "other")["net"])
    old = held(job.out)
    for later in ("recurrent", "doubt"):
        del old["recipe"][later]
    torch.save(old, job.out / "checkpoint.pt")
    with pytest.raises(OptionError, match="another recipe"):
        train(replace(job, resume=True))
    assert train(replace(job, recipe=plain, resume=True)).step == 6


def test_a_recipe_says_it(
    job: Job, people: Path, tmp_path: Path, settled: Callable[[nets.Network], nets.Network]
) -> None:
    init = settled(nets.begin(SELFIE))
    torch.save(own.weights(init), tmp_path / "init.pt")
    (tmp_path / "r.toml").write_text(
        'net = "init"\nrecurrent = true\ndoubt = 0.4\n'
        "[[stages]]\nsizes = [[64, 48]]\npictures = 4\nbatch = 4\nlr = 0.0\nlr_end = 0.0\n",
        encoding="utf-8",
    )
    recipe = read_recipe(str(tmp_path / "r.toml"))
    assert (recipe.recurrent, recipe.doubt) == (True, 0.4)
    outcome = train(replace(job, recipe=recipe, init=tmp_path / "init.pt", dev=people))
    validation = Validation(people, [SIZE], tmp_path / "cache")
    assert outcome.figures == validation(init, torch.device("cpu"))  # pictures alone: nobody before them
    assert isinstance(own.load_weights(job.out / "weights.pt"), Recurrent)


@pytest.fixture(scope="module")
def learnt(people: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of a few seconds that knows the four pictures."""
    folder = tmp_path_factory.mktemp("learnt")
    stage = replace(STAGE, sizes=((64, 48),), pictures=2400, batch=8, lr=3e-3, consistency=0.0)
    smoke = read_recipe("smoke")
    recipe = replace(smoke, stages=(stage,), views=Views(per_picture=1), bf16=False, recurrent=True)
    train(Job(recipe=recipe, folders=(Folder(people),), out=folder, device="cpu", threads=1))
    return folder


def test_it_recovers_from_a_wrong_past_and_leans_on_a_right_one(
    learnt: Path, batch: tuple[torch.Tensor, torch.Tensor]
) -> None:
    matting = own.Matting(own.load_weights(learnt / "weights.pt")).eval()
    rgb, alpha = batch
    nobody = torch.zeros_like(alpha)
    wrongs = {"nobody": nobody, "the room": nobody + 1, "another": alpha.roll(8, 0).flip(3), "inverted": 1 - alpha}
    grain = torch.randn(rgb.shape, generator=torch.Generator().manual_seed(1))
    with torch.inference_mode():
        alone = iou(matting(rgb, nobody), alpha).mean().item()
        assert alone > 0.7
        dim = (rgb + 0.2 * grain).clamp(0, 1)  # too noisy for the picture alone
        assert iou(matting(dim, alpha), alpha).mean() > iou(matting(dim, nobody), alpha).mean()
        ends = []
        for wrong in wrongs.values():
            end = wrong
            for _ in range(12):
                end = matting(rgb, end)
            ends.append(end)
    for name, end in zip(wrongs, ends, strict=True):
        assert iou(end, alpha).mean() > alone - 0.04, name
        assert (end - ends[0]).abs().mean() < 0.01, name  # wherever a stream began


# export


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory, settled: Callable[[nets.Network], nets.Network]) -> Path:
    """A small network whose alphas are not flat, and which listens to the previous one."""
    net = settled(recurrent(own.Net(own.CONFIGS["fast"].scaled(width=0.5))))
    path = tmp_path_factory.mktemp("weights") / "weights.pt"
    torch.save(own.weights(net), path)
    return path


def alphas(weights: Path, picture: npt.NDArray[np.float32], previous: npt.NDArray[np.float32]) -> Any:
    with torch.inference_mode():
        matting = own.Matting(own.load_weights(weights)).eval()
        return matting(torch.from_numpy(picture), torch.from_numpy(previous)).numpy()


@pytest.mark.parametrize("spec", ["fast", SELFIE], ids=family)
def test_onnx_is_what_torch_computes(
    spec: str, tmp_path: Path, astronaut: npt.NDArray[np.uint8], settled: Callable[[nets.Network], nets.Network]
) -> None:
    torch.save(own.weights(settled(recurrent(nets.begin(spec)))), tmp_path / "w.pt")
    (graph,) = ex.export(tmp_path / "w.pt", tmp_path, sizes=[SIZE], formats=["onnx"], name="tiny")
    assert graph.largest_difference < 1e-4
    session = onnxruntime.InferenceSession(tmp_path / "tiny.onnx", providers=["CPUExecutionProvider"])
    shapes = {value.name: value.shape for value in session.get_inputs()}
    assert shapes == {"rgb": [1, 3, 48, 64], "previous": [1, 1, 48, 64]}
    small = cv2.resize(astronaut, SIZE, interpolation=cv2.INTER_AREA).astype(np.float32) / np.float32(255)
    picture = np.ascontiguousarray(small.transpose(2, 0, 1)[None])
    nobody, someone = np.zeros((1, 1, 48, 64), np.float32), np.ascontiguousarray(picture[:, :1])
    made = []
    for previous in (nobody, someone):
        made.append(session.run(None, {"rgb": picture, "previous": previous})[0])
        assert np.abs(made[-1] - alphas(tmp_path / "w.pt", picture, previous)).max() < 1e-4
    assert np.abs(made[0] - made[1]).max() > 0.01


def test_the_product_runs_the_export(weights: Path, tmp_path: Path) -> None:
    ex.export(weights, tmp_path, sizes=[SIZE], formats=["onnx"])
    known = json.loads((tmp_path / "model.json").read_text())
    assert known["recurrent"] is True
    assert (known["previous"]["name"], known["previous"]["range"]) == ("previous", [0, 1])
    frames = [Synthetic(SIZE).frame(index) for index in (0, 1)]
    with livematte.Session(weights=tmp_path / "livematte.onnx") as session:
        state, previous = None, np.zeros((1, 1, 48, 64), np.float32)
        for frame in frames:
            matte, state = session.stages.segmenter.segment(frame, state)
            previous = alphas(weights, frame.rgb(SIZE, planar=True)[None], previous)
            assert np.abs(matte.alpha - previous[0, 0]).max() < 1e-4


def test_others_say_that_they_are_not(tmp_path: Path, settled: Callable[[nets.Network], nets.Network]) -> None:
    torch.save(own.weights(settled(own.Net(own.CONFIGS["fast"].scaled(width=0.5)))), tmp_path / "w.pt")
    ex.export(tmp_path / "w.pt", tmp_path, sizes=[SIZE], formats=["onnx"])
    known = json.loads((tmp_path / "model.json").read_text())
    assert known["recurrent"] is False
    assert "previous" not in known


def test_graphs_are_compared_with_and_without_a_past(weights: Path, tmp_path: Path, monkeypatch: Any) -> None:
    """The first convolution's batch normalisation left out of the new one: right for nobody, wrong for a past."""
    monkeypatch.setattr(Recurrent, "fold", lambda self, norm: None)
    with pytest.raises(WeightsError, match="differs from torch"):
        ex.export(weights, tmp_path, sizes=[SIZE], formats=["onnx"])


@pytest.mark.parametrize("format", ["onnx-fp16", "onnx-int8", "tfjs"])
def test_other_formats(weights: Path, tmp_path: Path, format: str) -> None:
    graph, *_ = ex.export(weights, tmp_path, sizes=[SIZE], formats=[format])
    assert graph.mean_difference < (1e-5 if format == "tfjs" else 0.02)


@pytest.mark.skipif(find_spec("litert_torch") is None, reason="litert_torch is no part of the test environment: 2 GB")
def test_tflite_is_what_torch_computes(weights: Path, tmp_path: Path) -> None:
    exact, eighth = ex.export(weights, tmp_path, sizes=[SIZE], formats=["tflite", "tflite-int8"])
    assert exact.largest_difference < 1e-4
    assert eighth.mean_difference < 0.1
    segmenter = livematte.Session(weights=tmp_path / exact.path, engine="litert").stages.segmenter
    state, previous = None, np.zeros((1, 1, 48, 64), np.float32)
    for index in range(2):
        frame = Synthetic(SIZE).frame(index)
        matte, state = segmenter.segment(frame, state)
        previous = alphas(weights, frame.rgb(SIZE, planar=True)[None], previous)
        assert np.abs(matte.alpha - previous[0, 0]).max() < 1e-4
    segmenter.close()
