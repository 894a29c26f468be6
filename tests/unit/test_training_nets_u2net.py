"""U2-Net: names and sizes as published, its levels, trained and exported."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

torch = pytest.importorskip("torch")
torch.set_num_threads(1)  # two threads wait for each other by the second where other programs want the cores

from livematte._errors import WeightsError  # noqa: E402
from livematte._frame import Size  # noqa: E402
from livematte.training import checkpoint, nets  # noqa: E402
from livematte.training import export as ex  # noqa: E402
from livematte.training import net as own  # noqa: E402
from livematte.training.losses import losses  # noqa: E402
from livematte.training.recipe import Loss  # noqa: E402
from livematte.training.train import Job, train  # noqa: E402


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


def test_u2net_is_trained_and_exported(short_job: Callable[..., Job], tmp_path: Path) -> None:
    job = short_job("u2net:p", steps=2)
    train(job)
    (graph,) = ex.export(job.out, tmp_path, sizes=[Size(64, 32)], formats=["onnx"])
    assert graph.largest_difference < 1e-4
    assert own.load_weights(job.out / "weights.pt").size == (320, 320)
