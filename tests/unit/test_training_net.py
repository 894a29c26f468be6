"""The network: budgets, sizes, the seed network's weights."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")
torch.set_num_threads(1)  # two threads wait for each other by the second where other programs want the cores

from livematte._errors import OptionError, WeightsError  # noqa: E402
from livematte.training import net as nets  # noqa: E402
from livematte.training.export import fuse  # noqa: E402

BUDGETS = {"fast": 40e6, "base": 250e6}
"""Multiply-adds at 256x144."""


@pytest.mark.parametrize("name", nets.CONFIGS)
def test_budget(name: str) -> None:
    assert nets.multiply_adds(nets.Net(nets.CONFIGS[name])) <= BUDGETS[name]


def test_multiply_adds_are_counted_by_hand() -> None:
    from torch import nn

    layers = nn.Sequential(
        nn.Conv2d(3, 8, 3, 2, 1),  # 72x128 places, 8 x 3 x 9 each
        nn.Conv2d(8, 8, 5, 1, 2, groups=8),  # 8 x 25
        nn.ConvTranspose2d(8, 1, 2, 2),  # 8 x 4 for each place of its input
    )
    assert nets.multiply_adds(layers) == 72 * 128 * (8 * 27 + 8 * 25 + 8 * 4)


@pytest.mark.parametrize("name", nets.CONFIGS)
@pytest.mark.parametrize(("width", "height"), [(256, 144), (144, 256), (256, 256), (144, 80), (512, 288)])
def test_one_set_of_weights_takes_every_size(name: str, width: int, height: int) -> None:
    net = nets.Net(nets.CONFIGS[name]).eval()
    with torch.inference_mode():
        logits, aux = net(torch.rand(1, 3, height, width))
    assert logits.shape == (1, 1, height, width)
    assert aux.shape == (1, 1, height // 16, width // 16)


def test_multipliers_change_width_and_depth() -> None:
    base = nets.CONFIGS["base"]
    half = base.scaled(width=0.5, depth=0.5)
    assert half.channels == (16, 24, 48)
    assert half.blocks == (0, 2, 3)
    assert base.scaled() == base
    assert base.scaled(depth=0.01).blocks == (0, 1, 1)
    assert nets.multiply_adds(nets.Net(half)) < nets.multiply_adds(nets.Net(base)) / 2


def test_seed_weights_give_the_seed_networks_alpha(shared: Callable[[str], Path]) -> None:
    import onnxruntime

    net = nets.load_weights(shared("weights/seed/seed.pt"), nets.CONFIGS["base"])
    picture = np.random.default_rng(1).random((1, 3, 144, 256), np.float32)
    session = onnxruntime.InferenceSession(shared("weights/seed/seed.onnx"), providers=["CPUExecutionProvider"])
    with torch.inference_mode():
        ours = nets.Matting(net).eval()(torch.from_numpy(picture)).numpy()
    assert np.abs(ours - session.run(None, {"rgb": picture})[0]).max() < 1e-4


def test_folding_batch_normalisation_changes_nothing() -> None:
    net = nets.Net(nets.CONFIGS["fast"])
    for module in net.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.running_mean.uniform_(-1, 1)
            module.running_var.uniform_(0.5, 2)
    fused = fuse(net)
    assert not any(isinstance(module, torch.nn.BatchNorm2d) for module in fused.modules())
    picture = torch.rand(1, 3, 80, 144)
    with torch.inference_mode():
        assert torch.allclose(fused(picture), nets.Matting(net).eval()(picture), atol=1e-5)


def test_weights_come_back(tmp_path: Path) -> None:
    net = nets.Net(nets.CONFIGS["fast"].scaled(width=0.5))
    torch.save(nets.weights(net), tmp_path / "w.pt")
    back = nets.load_weights(tmp_path / "w.pt")
    assert back.config == net.config
    assert all(torch.equal(a, b) for a, b in zip(net.state_dict().values(), back.state_dict().values(), strict=True))


def test_files_that_hold_no_weights_are_named(tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match=r"cannot read weights from .*none\.pt"):
        nets.load_weights(tmp_path / "none.pt")
    (tmp_path / "bad.pt").write_bytes(b"no weights")
    with pytest.raises(WeightsError, match="not a weights file"):
        nets.load_weights(tmp_path / "bad.pt")
    torch.save({"other": 1}, tmp_path / "other.pt")
    with pytest.raises(WeightsError, match="holds no network"):
        nets.load_weights(tmp_path / "other.pt")
    torch.save(nets.weights(nets.Net(nets.CONFIGS["fast"])), tmp_path / "fast.pt")
    with pytest.raises(WeightsError, match="another shape"):
        nets.load_weights(tmp_path / "fast.pt", nets.CONFIGS["base"])


@pytest.mark.parametrize(("width", "height"), [(250, 144), (256, 140), (16, 144), (0, 0)])
def test_sizes_that_do_not_fit_are_refused(width: int, height: int) -> None:
    with pytest.raises(OptionError, match="multiples of 16"):
        nets.check_size(width, height)
