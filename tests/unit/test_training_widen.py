"""Widening: the same alphas from more channels, and copies that part ways once they are trained."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from pathlib import Path

import pytest

torch = pytest.importorskip("torch")
torch.set_num_threads(1)  # two threads wait for each other by the second where other programs want the cores

from livematte import cli  # noqa: E402
from livematte._errors import OptionError, WeightsError  # noqa: E402
from livematte.training import checkpoint, nets  # noqa: E402
from livematte.training import net as own  # noqa: E402
from livematte.training.nets import _graph  # noqa: E402
from livematte.training.nets.recurrent import Recurrent  # noqa: E402
from livematte.training.widen import widen  # noqa: E402

TFLITE = Path(__file__).parents[1] / "golden" / "network-256x144.tflite"

NOISE = torch.Generator().manual_seed(1)
PICTURE = torch.rand(1, 3, 96, 128, generator=NOISE)
PREVIOUS = torch.rand(1, 1, 96, 128, generator=NOISE)


@pytest.fixture(scope="module", params=["livematte:base", "plain"])
def net(request: pytest.FixtureRequest) -> nets.Network:
    """The shipped network, which is recurrent, and what it is made of."""
    shipped = own.load_weights(Path("livematte:base")).eval()
    return shipped if request.param != "plain" else shipped.core


def logits(net: nets.Network) -> torch.Tensor:
    previous = (PREVIOUS,) if isinstance(net, Recurrent) else ()
    with torch.inference_mode():
        made: torch.Tensor = net.eval()(PICTURE, *previous)[0]
        return made


@pytest.mark.parametrize("factor", [1.0, 1.5, 2.0])
def test_more_channels_and_the_same_alphas(net: nets.Network, factor: float) -> None:
    wide = widen(net, factor)
    assert logits(net).std() > 0.5
    assert torch.allclose(logits(wide), logits(net), atol=1e-3)
    ratio = own.multiply_adds(wide) / own.multiply_adds(net)
    assert ratio == 1 if factor == 1 else factor < ratio <= factor**2


def test_a_seed_makes_one_network_and_another_seed_another(net: nets.Network) -> None:
    first, same, other = (widen(net, 1.5, seed=seed).state_dict() for seed in (1, 1, 2))
    assert all(torch.equal(value, same[name]) for name, value in first.items())
    assert any(not torch.equal(value, other[name]) for name, value in first.items())


def test_copies_part_ways_in_training(net: nets.Network) -> None:
    """A copy and its original start with one filter each, alike; a step of training makes them differ."""
    wide = widen(net, 2.0).train()
    stem = next(module for module in wide.core.modules() if isinstance(module, torch.nn.Conv2d))
    old = stem.out_channels // 2
    pairs = [
        (new, stem.weight[:old].sub(stem.weight[new]).abs().flatten(1).sum(1).argmin()) for new in range(old, 2 * old)
    ]
    assert all(torch.equal(stem.weight[new], stem.weight[source]) for new, source in pairs)
    optimizer = torch.optim.SGD(wide.parameters(), lr=0.1)
    wide(PICTURE)[0].square().mean().backward()
    optimizer.step()
    assert not any(torch.equal(stem.weight[new], stem.weight[source]) for new, source in pairs)


def test_a_wider_network_is_saved_and_read_back(net: nets.Network, tmp_path: Path) -> None:
    checkpoint.save_weights(tmp_path / "wide.pt", widen(net, 1.5))
    again = own.load_weights(tmp_path / "wide.pt").eval()
    assert torch.allclose(logits(again), logits(net), atol=1e-3)


@pytest.mark.parametrize("factor", [0.5, -1.0, 4.5, float("nan")])
def test_a_factor_that_cannot_be(net: nets.Network, factor: float) -> None:
    with pytest.raises(OptionError, match="between 1 and 4"):
        widen(net, factor)


def test_networks_of_other_kinds_are_refused() -> None:
    with pytest.raises(OptionError, match=r"not one of livematte; our own are made wider, from noise"):
        widen(nets.begin("fast"), 1.5)


def test_a_graph_whose_channels_meet_constants_is_refused() -> None:
    """What a constant does to a channel is not known of a copy of it."""
    net = nets.begin(f"mediapipe:{TFLITE.as_posix()}")
    assert isinstance(net, _graph.Graph)
    constant = _graph.Node("Constant", (), "c", {"layer": "constant00", "dims": (1, 16, 1, 1)})
    net.shape = replace(net.shape, nodes=(constant, *net.shape.nodes))
    with pytest.raises(OptionError, match="can be widened"):
        widen(net, 1.5)


def test_the_command_starts_from_what_ships(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "wide.pt"
    assert cli.run(["widen", "livematte:fast", "-o", str(out), "--factor", "1.5", "--json"]) == 0
    figures = json.loads(capsys.readouterr().out)
    assert figures["multiply_adds"] == own.multiply_adds(own.load_weights(out)) > 1.5 * figures["before"]


@pytest.mark.parametrize("tag", ["fast", "base"])
def test_shipped_weights_are_those_that_the_graphs_were_made_of(tag: str) -> None:
    path = own.find_weights(Path(f"livematte:{tag}"))
    facts = json.loads((path.parent / "model.json").read_text(encoding="utf-8"))
    assert hashlib.sha256(path.read_bytes()).hexdigest() == facts["weights_sha256"]


def test_names_without_weights_to_train_on() -> None:
    with pytest.raises(WeightsError, match="livematte:research: there are those of livematte:base, livematte:fast"):
        own.load_weights(Path("livematte:research"))
