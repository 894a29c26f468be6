"""Mixing weights: both ends are the networks themselves, and strangers are refused."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

torch = pytest.importorskip("torch")
torch.set_num_threads(1)  # two threads wait for each other by the second where other programs want the cores

from livematte import cli  # noqa: E402
from livematte._errors import OptionError  # noqa: E402
from livematte.training import net as nets  # noqa: E402
from livematte.training.mix import mix  # noqa: E402
from livematte.training.nets.recurrent import recurrent  # noqa: E402

PICTURE = torch.rand(1, 3, 64, 96, generator=torch.Generator().manual_seed(1))


def network(seed: int, name: str = "fast") -> nets.Net:
    torch.manual_seed(seed)
    return nets.Net(nets.CONFIGS[name]).eval()


def test_both_ends_are_the_networks_themselves() -> None:
    for share, same in ((0.0, network(1)), (1.0, network(2))):
        mixed = mix(network(1), network(2), share)
        assert torch.equal(mixed(PICTURE)[0], same(PICTURE)[0])


def test_weights_and_statistics_lie_between() -> None:
    first, second = network(1), network(2)
    second.train()(torch.cat([PICTURE, PICTURE]))  # statistics of their own
    expected = {name: 0.25 * first.state_dict()[name] + 0.75 * value for name, value in second.state_dict().items()}
    mixed = mix(first, second, 0.75).state_dict()
    for name, value in mixed.items():
        if value.is_floating_point():
            assert torch.allclose(value, expected[name], atol=1e-6), name


def test_the_start_need_not_know_the_previous_matte() -> None:
    end = recurrent(network(2))
    with torch.no_grad():
        for parameter in end.parameters():
            parameter.add_(0.01)
    mixed = mix(network(1), end, 0.5)
    assert mixed.architecture == "recurrent"
    assert mixed(PICTURE, torch.zeros(1, 1, 64, 96))[0].isfinite().all()


def test_what_cannot_be_mixed_is_refused() -> None:
    with pytest.raises(OptionError, match=r"between 0 and 1, got 1\.5"):
        mix(network(1), network(2), 1.5)
    with pytest.raises(OptionError, match="not of one shape"):
        mix(network(1), network(2, "base"), 0.5)


def test_the_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for seed in (1, 2):
        run = tmp_path / str(seed)
        run.mkdir()
        torch.save(nets.weights(network(seed)), run / "weights.pt")
        (run / "run.json").write_text(json.dumps({"seed": seed}))
        (run / "log.jsonl").write_text("{}\n")
    arguments = ["mix", *(str(tmp_path / name) for name in "12"), "--share", "0.75", "-o", str(tmp_path / "mixed")]
    assert cli.run(arguments) == 0
    assert "75% of" in capsys.readouterr().out
    mixed = nets.load_weights(tmp_path / "mixed" / "weights.pt").eval()
    assert torch.equal(mixed(PICTURE)[0], mix(network(1), network(2), 0.75)(PICTURE)[0])
    facts = json.loads((tmp_path / "mixed" / "run.json").read_text())
    assert facts == {"seed": 2, "mixed": {"share": 0.75, "start": "1"}}
    assert (tmp_path / "mixed" / "log.jsonl").read_text() == "{}\n"
    arguments[1:3] = [str(tmp_path / name / "weights.pt") for name in "12"]  # of bare weights nothing else is known
    assert cli.run([*arguments[:-1], str(tmp_path / "bare")]) == 0
    assert [path.name for path in (tmp_path / "bare").iterdir()] == ["weights.pt"]
    assert cli.run(["mix", *(str(tmp_path / name) for name in "12"), "-o", str(tmp_path / "2")]) == 1
    assert "would be written over" in capsys.readouterr().err
