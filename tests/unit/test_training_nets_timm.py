"""Encoders of timm: our decoder, weights from files, what is said when they cannot be had."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

torch = pytest.importorskip("torch")
torch.set_num_threads(1)  # two threads wait for each other by the second where other programs want the cores

from livematte._errors import MissingExtra, OptionError, UnknownName, WeightsError  # noqa: E402
from livematte._frame import Size  # noqa: E402
from livematte.training import checkpoint, nets  # noqa: E402
from livematte.training import export as ex  # noqa: E402
from livematte.training import net as own  # noqa: E402
from livematte.training.losses import losses  # noqa: E402
from livematte.training.prune import prune  # noqa: E402
from livematte.training.recipe import Loss  # noqa: E402
from livematte.training.train import Job, train  # noqa: E402

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
def test_an_encoder_is_trained_stopped_and_exported(short_job: Callable[..., Job], tmp_path: Path) -> None:
    job = short_job(f"timm:{SMALL}:noise", steps=4)
    train(job)
    parts = replace(job, out=tmp_path / "parts", resume=True)
    train(replace(parts, stop_step=2))
    train(parts)
    first, second = (own.load_weights(run / "weights.pt") for run in (job.out, parts.out))
    assert all(map(torch.equal, first.state_dict().values(), second.state_dict().values()))
    (graph,) = ex.export(job.out, tmp_path, sizes=[Size(64, 32)], formats=["onnx"])
    assert graph.largest_difference < 1e-4


@pytest.mark.usefixtures("timm")
def test_an_encoder_is_pruned_and_read_back(tmp_path: Path) -> None:
    torch.manual_seed(3)
    net = nets.begin("timm:tf_efficientnet_lite0:noise").eval()
    picture = torch.rand(1, 3, 64, 96)
    assert torch.equal(prune(net, 1.0)(picture)[0], net(picture)[0])
    for layers in net.residuals():
        net.get_parameter(f"{layers.second}.weight").data[::2] = 0  # every other channel is always 0
        net.get_parameter(f"{layers.second}.bias").data[::2] = 0
    small = prune(net, 0.5)
    checkpoint.save_weights(tmp_path / "small.pt", small)
    back = own.load_weights(tmp_path / "small.pt").eval()
    with torch.inference_mode():
        assert torch.allclose(back(picture)[0], net(picture)[0], atol=1e-4)
    assert own.multiply_adds(back) < 0.65 * own.multiply_adds(net)


@pytest.mark.usefixtures("timm")
def test_blocks_with_more_inside_are_left_whole() -> None:
    net = nets.begin(f"timm:{SMALL}:noise")  # squeeze and excitation, and the hard swish
    with pytest.raises(OptionError, match="only inverted residuals are pruned"):
        prune(net, 0.5)
