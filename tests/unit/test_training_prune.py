"""Pruning: the channels that do something stay."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

torch = pytest.importorskip("torch")
torch.set_num_threads(1)  # two threads wait for each other by the second where other programs want the cores

from livematte import cli  # noqa: E402
from livematte._errors import OptionError  # noqa: E402
from livematte.training import net as nets  # noqa: E402
from livematte.training.prune import _moments, prune  # noqa: E402

PICTURE = torch.rand(1, 3, 64, 96, generator=torch.Generator().manual_seed(1))


@pytest.fixture
def net() -> nets.Net:
    torch.manual_seed(2)
    return nets.Net(nets.CONFIGS["base"]).eval()


def test_keeping_everything_changes_nothing(net: nets.Net) -> None:
    same = prune(net, 1.0)
    assert same.config == net.config
    assert torch.equal(same(PICTURE)[0], net(PICTURE)[0])


def test_channels_that_do_nothing_go_first(net: nets.Net) -> None:
    for block in net.modules():
        if isinstance(block, nets.Residual):
            block.b[1][1].weight.data[1::2] = 0  # every other channel is always 0 or always 1
            block.b[1][1].bias.data[1::4] = 1
            block.b[2][0].weight.data[:, 1::4] *= 1e-3
    small = prune(net, 0.5)
    assert nets.multiply_adds(small) < 0.7 * nets.multiply_adds(net)
    with torch.inference_mode():
        assert torch.allclose(small(PICTURE)[0], net(PICTURE)[0], atol=1e-4)


def test_moments_are_those_of_a_clipped_normal() -> None:
    scale, shift = torch.tensor([1.0, 0.5, 0.0]), torch.tensor([0.0, 3.0, 2.0])
    square, mean = _moments(scale, shift)
    assert torch.allclose(mean, torch.tensor([0.3989, 3.0, 2.0]), atol=0.01)
    assert torch.allclose(square, torch.tensor([0.5, 9.25, 4.0]), atol=0.03)


@pytest.mark.parametrize("keep", [0.0, -1.0, 1.5])
def test_a_part_that_cannot_be(net: nets.Net, keep: float) -> None:
    with pytest.raises(OptionError, match="between 0 and 1"):
        prune(net, keep)


def test_the_command_and_its_weights(net: nets.Net, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    torch.save(nets.weights(net), tmp_path / "weights.pt")
    assert cli.run(["prune", str(tmp_path), "-o", str(tmp_path / "half.pt"), "--keep", "0.5", "--json"]) == 0
    figures = json.loads(capsys.readouterr().out)
    small = nets.load_weights(tmp_path / "half.pt")
    assert figures["multiply_adds"] == nets.multiply_adds(small) < figures["before"]
    assert small.config == replace(net.config, expand=(1.0, 1.5, 2.0), decoder_expand=1.0)
