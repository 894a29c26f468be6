"""Networks that start from published ones: the same alphas as before, trained, stopped, exported, reloaded."""

from __future__ import annotations

import json
import shutil
import sys
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
from livematte.sources.synthetic import Synthetic  # noqa: E402
from livematte.training import checkpoint, nets  # noqa: E402
from livematte.training import export as ex  # noqa: E402
from livematte.training import net as own  # noqa: E402
from livematte.training.data import Folder  # noqa: E402
from livematte.training.losses import losses  # noqa: E402
from livematte.training.nets import _graph  # noqa: E402
from livematte.training.prune import prune  # noqa: E402
from livematte.training.recipe import Augment, Loss, Recipe, Stage, Views  # noqa: E402
from livematte.training.train import Job, train  # noqa: E402
from livematte.training.validate import Validation  # noqa: E402

PACKAGED = Path(livematte.__file__).parent / "models" / "weights" / "fast" / "livematte-fast-256x144.tflite"
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


@pytest.fixture(params=["packaged", LANDSCAPE, GENERAL])
def selfie(request: pytest.FixtureRequest, shared: Callable[[str], Path]) -> Path:
    return PACKAGED if request.param == "packaged" else shared(request.param)


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
    with pytest.raises(WeightsError, match="livematte models pull mediapipe:landscape"):
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
        nets.begin(f"deeplabv3:{PACKAGED}")
    monkeypatch.setattr(_graph, "find_spec", lambda name: None)
    with pytest.raises(MissingExtra, match=r'pip install "livematte\[train,convert\]"'):
        nets.begin(f"mediapipe:{PACKAGED}")


def test_names_that_do_not_exist_are_answered_with_those_that_do() -> None:
    with pytest.raises(OptionError, match=r"there are fast, base, init .*deeplabv3:\.\.\., mediapipe:\.\.\."):
        nets.begin("fats")
    with pytest.raises(OptionError, match="width and depth are of our own"):
        nets.begin(f"mediapipe:{PACKAGED}", width=0.5)
    with pytest.raises(WeightsError, match="of a network 'unheard'"):
        nets.restore("unheard", {})
    with pytest.raises(WeightsError, match="shape of this mediapipe network cannot be read"):
        nets.restore("mediapipe", {"nodes": [{}]})


# encoders of timm

SMALL = "mobilenetv3_small_100"


@pytest.fixture
def timm() -> Any:
    return pytest.importorskip("timm", reason="timm is no part of the test environment: it brings torchvision")


@pytest.mark.usefixtures("timm")
@pytest.mark.parametrize("name", [SMALL, "tf_efficientnet_lite0"])
def test_an_encoder_of_timm_has_our_decoder(name: str) -> None:
    net = nets.begin(f"timm:{name}:noise")
    rgb, alpha = torch.rand(2, 3, 64, 96), torch.rand(2, 1, 64, 96)
    with torch.autocast("cpu", torch.bfloat16):
        logits, aux = net(rgb)
    assert logits.shape == (2, 1, 64, 96)
    assert aux.shape == (2, 1, 4, 6)
    sum(losses(logits, aux, alpha, torch.ones_like(alpha), Loss()).values()).backward()
    assert all(p.grad is not None for p in net.parameters())  # nothing is carried along that is not used


def test_a_local_checkpoint_of_timm_is_taken(timm: Any, tmp_path: Path) -> None:
    whole = timm.create_model(SMALL, pretrained=False)
    torch.save(whole.state_dict(), tmp_path / "small.pth")
    net = nets.begin(f"timm:{SMALL}:{tmp_path / 'small.pth'}")
    wanted = whole.state_dict()
    assert all(torch.equal(value, wanted[name]) for name, value in net.encoder.state_dict().items())
    with pytest.raises(WeightsError, match=r"no weights for tf_efficientnet_lite0: .* size mismatch"):
        nets.begin(f"timm:tf_efficientnet_lite0:{tmp_path / 'small.pth'}")
    del wanted["conv_stem.weight"]
    torch.save(wanted, tmp_path / "part.pth")
    with pytest.raises(WeightsError, match=r"part\.pth is not of .*: it lacks 1 weights, such as conv_stem\.weight"):
        nets.begin(f"timm:{SMALL}:{tmp_path / 'part.pth'}")
    (tmp_path / "bad.pth").write_bytes(b"no weights")
    with pytest.raises(WeightsError, match=r"bad\.pth holds no weights"):
        nets.begin(f"timm:{SMALL}:{tmp_path / 'bad.pth'}")
    with pytest.raises(WeightsError, match="there is no such file"):
        nets.begin(f"timm:{SMALL}:{tmp_path / 'none.pth'}")


@pytest.mark.usefixtures("timm")
def test_an_encoder_sees_its_own_colours() -> None:
    seen: list[torch.Tensor] = []
    net = nets.begin(f"timm:{SMALL}:noise")
    net.encoder.register_forward_pre_hook(lambda module, given: seen.append(given[0]))
    net(torch.rand(1, 3, 32, 32) * 0 + torch.tensor([0.485, 0.456, 0.406]).view(1, 3, 1, 1))
    assert seen[0].abs().max() < 1e-6  # the mean of ImageNet is nothing to it


def test_encoders_that_cannot_be_are_answered(timm: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(UnknownName, match=f"did you mean {SMALL}"):
        nets.begin("timm:mobilenetv3_smal_100")
    with pytest.raises(OptionError, match="has maps at 1/4, 1/8, 1/16, 1/32"):
        nets.begin("timm:convnext_atto:noise")
    with pytest.raises(OptionError, match="such as timm:mobilenetv3_small_100"):
        nets.begin("timm")

    def offline(*args: object, **options: object) -> None:
        raise OSError("no way to the hub")

    monkeypatch.setattr(timm, "create_model", offline)
    with pytest.raises(WeightsError, match=f"no way to the hub. Write timm:{SMALL}:FILE"):
        nets.begin(f"timm:{SMALL}")


def test_without_timm_the_line_to_install_it_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    from livematte.training.nets import timm as plugin

    monkeypatch.setitem(sys.modules, "timm", None)  # importing it fails
    monkeypatch.setattr(plugin, "find_spec", lambda name: "found")
    with pytest.raises(MissingExtra, match="torchvision and torch must be of one kind"):
        nets.begin(f"timm:{SMALL}")
    monkeypatch.setattr(plugin, "find_spec", lambda name: None)
    with pytest.raises(MissingExtra, match=r'need timm: pip install "livematte\[train,timm\]"'):
        nets.begin(f"timm:{SMALL}")


@pytest.mark.usefixtures("timm")
def test_an_encoder_is_trained_stopped_and_exported(people: Path, tmp_path: Path) -> None:
    job = job_of(f"timm:{SMALL}:noise", people, tmp_path, steps=4)
    train(job)
    parts = replace(job, out=tmp_path / "parts", resume=True)
    train(replace(parts, stop_step=2))
    train(parts)
    first, second = (own.load_weights(run / "weights.pt") for run in (job.out, parts.out))
    assert all(map(torch.equal, first.state_dict().values(), second.state_dict().values()))
    (graph,) = ex.export(job.out, tmp_path, sizes=[Size(64, 32)], formats=["onnx"])
    assert graph.largest_difference < 1e-4


# U2-Net


def u2net_names() -> set[str]:
    """The names in the authors' files, spelt out."""
    units = []
    for stage, height in [(1, 7), (2, 6), (3, 5), (4, 4), (5, 4), (6, 4)]:
        for end in ("", "d") if stage < 6 else ("",):
            inner = ["in", *range(1, height + 1), *(f"{n}d" for n in range(1, height))]
            units += [f"stage{stage}{end}.rebnconv{name}" for name in inner]
    norm = ("weight", "bias", "running_mean", "running_var", "num_batches_tracked")
    names = {f"{unit}.conv_s1.{name}" for unit in units for name in norm[:2]}
    names |= {f"{unit}.bn_s1.{name}" for unit in units for name in norm}
    return names | {f"{side}.{name}" for side in ("outconv", *(f"side{n}" for n in range(1, 7))) for name in norm[:2]}


@pytest.mark.parametrize(("form", "parameters", "size_mb"), [("p", 1_131_181, 4.7), ("full", 44_009_869, 176.3)])
def test_u2net_has_the_names_and_the_size_of_the_published_files(
    form: str, parameters: int, size_mb: float, tmp_path: Path
) -> None:
    net = nets.begin(f"u2net:{form}")
    assert net.state_dict().keys() == u2net_names()
    assert sum(p.numel() for p in net.parameters()) == parameters
    torch.save(net.state_dict(), tmp_path / "u2net.pth")
    assert (tmp_path / "u2net.pth").stat().st_size / 1e6 == pytest.approx(size_mb, rel=0.02)  # as the paper has them


def test_u2net_takes_a_state_under_the_published_names(tmp_path: Path) -> None:
    shapes = {name: value.shape for name, value in nets.begin("u2net:p").state_dict().items()}
    state = {name: torch.rand(shapes[name]) for name in sorted(u2net_names())}
    torch.save(state, tmp_path / "u2netp.pth")
    net = nets.begin(f"u2net:{tmp_path / 'u2netp.pth'}")
    checkpoint.save_weights(tmp_path / "ours.pt", net)
    back = own.load_weights(tmp_path / "ours.pt")
    assert back.describe() == {"form": "p"}
    counts = {name for name in state if name.endswith("num_batches_tracked")}  # whole numbers
    assert all(torch.equal(back.state_dict()[name], state[name]) for name in state.keys() - counts)
    del state["outconv.weight"]
    torch.save(state, tmp_path / "part.pth")
    with pytest.raises(WeightsError, match=r"part\.pth is no whole U2-Net: .*outconv\.weight"):
        nets.begin(f"u2net:{tmp_path / 'part.pth'}")
    torch.save({"other": torch.zeros(1)}, tmp_path / "other.pth")
    with pytest.raises(WeightsError, match=r"other\.pth is no U2-Net"):
        nets.begin(f"u2net:{tmp_path / 'other.pth'}")
    (tmp_path / "bad.pth").write_bytes(b"no weights")
    with pytest.raises(WeightsError, match="not a weights file"):
        nets.begin(f"u2net:{tmp_path / 'bad.pth'}")
    with pytest.raises(WeightsError, match="u2net:full and u2net:p need none"):
        nets.begin("u2net:large")


def test_u2nets_levels_help_training() -> None:
    net = nets.begin("u2net")
    rgb, alpha = torch.rand(2, 3, 48, 80), torch.rand(2, 1, 48, 80)  # odd at 1/32
    with torch.autocast("cpu", torch.bfloat16):
        logits, sides = net(rgb)
    assert logits.shape == (2, 1, 48, 80)
    assert [tuple(side.shape[2:]) for side in sides] == [(48, 80), (24, 40), (12, 20), (6, 10), (3, 5), (2, 3)]
    sum(losses(logits, sides, alpha, torch.ones_like(alpha), Loss()).values()).backward()
    assert all(p.grad is not None for p in net.parameters())


def test_u2net_shrinks_but_where_it_dilates() -> None:
    """The dilated U sees as far without shrinking: all of its maps have the size of the input."""
    net = nets.begin("u2net:p").eval()
    sizes: dict[str, tuple[int, ...]] = {}
    for name, module in net.named_modules():
        if name.count(".") == 1 and name.startswith(("stage1.", "stage5.")):
            module.register_forward_hook(lambda module, given, made, name=name: sizes.update({name: made.shape[2:]}))
    with torch.inference_mode():
        net(torch.rand(1, 3, 64, 128))
    assert {tuple(size) for name, size in sizes.items() if name.startswith("stage5.")} == {(4, 8)}
    assert [tuple(sizes[f"stage1.rebnconv{n}"]) for n in (1, 2, 6, 7)] == [(64, 128), (32, 64), (2, 4), (2, 4)]
    kinds = [net.get_submodule(f"stage5.rebnconv{name}").conv_s1.dilation[0] for name in ("1", "2", "3", "4", "3d")]
    assert kinds == [1, 2, 4, 8, 4]


def test_u2net_is_trained_and_exported(people: Path, tmp_path: Path) -> None:
    job = job_of("u2net:p", people, tmp_path, steps=2)
    train(job)
    (graph,) = ex.export(job.out, tmp_path, sizes=[Size(64, 32)], formats=["onnx"])
    assert graph.largest_difference < 1e-4
    assert own.load_weights(job.out / "weights.pt").size == (320, 320)


def test_the_template_is_a_network() -> None:
    from livematte.training.nets import _template

    net = _template.create("3")
    assert net(torch.rand(1, 3, 32, 48))[0].shape == (1, 1, 32, 48)
    assert _template.restore(net.describe()).describe() == net.describe()
    with pytest.raises(OptionError, match="template:3"):
        _template.create(None)


# runs


@pytest.fixture(scope="module")
def people(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four pictures of the figure, with its true matte."""
    folder = tmp_path_factory.mktemp("people")
    for name in ("images", "masks"):
        (folder / name).mkdir()
    figure = Synthetic(Size(160, 90))
    for index in range(0, 60, 15):
        rgb = figure.frame(index).to_rgb()
        alpha = np.rint(figure.true_alpha(index) * 255).astype(np.uint8)
        cv2.imwrite(str(folder / "images" / f"{index:02}.png"), np.ascontiguousarray(rgb[..., ::-1]))
        cv2.imwrite(str(folder / "masks" / f"{index:02}.png"), alpha)
    return folder


def job_of(net: str, people: Path, tmp_path: Path, size: tuple[int, int] = (64, 48), steps: int = 100) -> Job:
    """A short training by heart."""
    plain = Augment(flip=0, affine=0, paste=0, colour=0, dark=0, noise=0, blur=0, jpeg=0, fourier=0, occlude=0)
    stage = Stage(sizes=(size,), pictures=4 * steps, batch=4, lr=1e-3, consistency=0.1)
    recipe = Recipe(net, (stage,), ema=0.9, bf16=False, views=Views(per_picture=1), augment=plain)
    folders = (Folder(people),)
    return Job(recipe=recipe, folders=folders, out=tmp_path / "run", cache=tmp_path / "cache", device="cpu", threads=1)


def test_it_learns_on_from_where_the_network_was(selfie: Path, people: Path, tmp_path: Path) -> None:
    lines: list[dict[str, Any]] = []
    job = replace(job_of(f"mediapipe:{selfie}", people, tmp_path), dev=people)
    outcome = train(job, lines.append)
    first, last = [line["loss"] for line in lines if "loss" in line]  # means of 50 steps
    assert last < 0.8 * first
    start, end = nets.begin(job.recipe.net).eval(), own.load_weights(job.out / "weights.pt")
    before = Validation(people, [(64, 48)], tmp_path / "cache")(start, torch.device("cpu"))
    assert outcome.figures["mad"] < 0.5 * before["mad"]
    assert outcome.figures["iou"] > max(0.9, before["iou"])
    assert end.describe() == start.describe()
    assert not torch.equal(start.layers.conv00.state_dict().popitem()[1], end.layers.conv00.state_dict().popitem()[1])


def test_a_stopped_run_goes_on_without_the_file_it_started_from(people: Path, tmp_path: Path) -> None:
    file = tmp_path / "start.tflite"
    shutil.copy(PACKAGED, file)
    whole = job_of(f"mediapipe:{file}", people, tmp_path, steps=4)
    parts = replace(whole, out=tmp_path / "parts", resume=True)
    train(whole)
    train(replace(parts, stop_step=2))
    file.unlink()
    train(parts)
    ends = [torch.load(job.out / "checkpoint.pt", weights_only=True) for job in (whole, parts)]
    assert ends[0]["architecture"] == "mediapipe"
    assert all(torch.equal(ends[0]["net"][name], value) for name, value in ends[1]["net"].items())


def test_deeplab_is_trained_at_its_odd_size(people: Path, tmp_path: Path, shared: Callable[[str], Path]) -> None:
    job = job_of(f"deeplabv3:{shared(DEEPLAB)}", people, tmp_path, size=(65, 33), steps=2)
    train(
        replace(job, recipe=replace(job.recipe, augment=Augment(flip=1, affine=1, jpeg=1, fourier=1, noise=1, blur=1)))
    )
    end = own.load_weights(job.out / "weights.pt")
    assert end.architecture == "deeplabv3"
    assert end(torch.rand(1, 3, 65, 65))[0].isfinite().all()


def test_sizes_that_the_network_does_not_take_are_refused(people: Path, tmp_path: Path) -> None:
    with pytest.raises(OptionError, match="multiples of 16, got 100x64"):
        train(job_of(f"mediapipe:{PACKAGED}", people, tmp_path, size=(100, 64)))


def test_weights_of_its_own_and_others_contradict_each_other(people: Path, tmp_path: Path) -> None:
    job = job_of(f"mediapipe:{PACKAGED}", people, tmp_path, steps=1)
    train(job)
    begun = job.out / "weights.pt"
    with pytest.raises(OptionError, match="leave out --init"):
        train(replace(job, out=tmp_path / "other", init=begun))
    again = replace(job, out=tmp_path / "other", init=begun, recipe=replace(job.recipe, net="init"))
    assert train(again).step == 1
    with pytest.raises(WeightsError, match="it has mediapipe"):
        train(replace(again, out=tmp_path / "third", recipe=replace(job.recipe, net="fast")))


def test_only_our_own_networks_are_pruned(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    net = nets.begin(f"mediapipe:{PACKAGED}")
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
        f'net = "mediapipe:{PACKAGED.as_posix()}"\n'
        "[[stages]]\nsizes = [[64, 32], [32, 64]]\npictures = 8\nbatch = 4\nlr = 1e-4\n",
        encoding="utf-8",
    )
    options = ["--recipe", tmp_path / "r.toml", "--data", people, "-o", tmp_path / "run", "--device", "cpu"]
    assert cli.run(["train", *map(str, options)]) == 0
    assert cli.run(["export", str(tmp_path / "run"), "-o", str(tmp_path), "--format", "onnx"]) == 0
    assert "difference from torch at most" in capsys.readouterr().out
    assert cli.run(["prune", str(tmp_path / "run"), "-o", str(tmp_path / "half.pt")]) == 1
    assert "only our own networks are pruned" in capsys.readouterr().err
