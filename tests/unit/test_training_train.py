"""The loop: what is learnt, what a stopped run does, many processes."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

torch = pytest.importorskip("torch")
torch.set_num_threads(1)  # two threads wait for each other by the second where other programs want the cores

from livematte import cli  # noqa: E402
from livematte._errors import LivematteError, OptionError, WeightsError  # noqa: E402
from livematte.training import net as nets  # noqa: E402
from livematte.training.data import Folder  # noqa: E402
from livematte.training.recipe import Recipe, Stage, Views, read_recipe  # noqa: E402
from livematte.training.train import Job, average, learning_rate, train  # noqa: E402

RECIPE = """\
net = "fast"
width = 0.5
ema = 0.9
[[stages]]
sizes = [[64, 32]]
pictures = 12
batch = 4
lr = 1e-3
[[stages]]
sizes = [[64, 32], [32, 64]]
pictures = 12
batch = 4
lr = 1e-3
consistency = 0.5
"""
"""Six steps with everything in them."""


@pytest.fixture
def recipe(tmp_path: Path) -> Recipe:
    path = tmp_path / "tiny.toml"
    path.write_text(RECIPE, encoding="utf-8")
    return read_recipe(str(path))


@pytest.fixture
def job(recipe: Recipe, people: Path, tmp_path: Path) -> Job:
    out, cache = tmp_path / "run", tmp_path / "cache"
    return Job(recipe=recipe, folders=(Folder(people),), out=out, cache=cache, device="cpu", threads=1)


def held(out: Path) -> dict[str, Any]:
    return torch.load(out / "checkpoint.pt", weights_only=True)


def log(out: Path) -> list[dict[str, Any]]:
    """The log without its clock."""
    lines = [json.loads(line) for line in (out / "log.jsonl").read_text().splitlines()]
    return [{key: value for key, value in line.items() if key != "pictures_per_s"} for line in lines]


def test_a_stopped_run_goes_on_bit_for_bit(job: Job, tmp_path: Path, same: Callable[[Any, Any], bool]) -> None:
    whole = replace(job, out=tmp_path / "whole", dev=job.folders[0].path)
    parts = replace(job, out=tmp_path / "parts", dev=job.folders[0].path, resume=True)
    assert train(whole).step == 6
    assert train(replace(parts, stop_step=3)).step == 3  # in the middle of the recipe, where the stages meet
    assert train(replace(parts, stop_step=5)).step == 5
    assert train(parts).step == 6
    assert same(held(whole.out), held(parts.out))
    assert log(whole.out) == log(parts.out)


def test_a_run_is_not_begun_over_another(job: Job) -> None:
    train(replace(job, stop_step=1))
    with pytest.raises(OptionError, match="pass --resume"):
        train(job)
    with pytest.raises(OptionError, match="another recipe"):
        train(replace(job, recipe=replace(job.recipe, seed=2), resume=True))
    (job.out / "checkpoint.pt").write_bytes(b"torn")
    with pytest.raises(WeightsError, match=r"checkpoint\.pt"):
        train(replace(job, resume=True))


def test_a_run_of_a_version_that_knew_less_goes_on(job: Job) -> None:
    train(replace(job, stop_step=1))
    old = held(job.out)
    del old["recipe"]["augment"]["denoise"]
    torch.save(old, job.out / "checkpoint.pt")
    noisy = replace(job.recipe, augment=replace(job.recipe.augment, denoise=0.5))
    with pytest.raises(OptionError, match="another recipe"):
        train(replace(job, recipe=noisy, resume=True))
    assert train(replace(job, resume=True)).step == 6


def test_a_run_starts_from_given_weights(job: Job, tmp_path: Path) -> None:
    config = nets.CONFIGS["fast"].scaled(width=0.5)
    torch.save(nets.weights(nets.Net(config)), tmp_path / "init.pt")
    still = replace(job.recipe, stages=(replace(job.recipe.stages[0], lr=0.0, lr_end=0.0),))
    train(replace(job, recipe=still, init=tmp_path / "init.pt"))
    before, after = (nets.load_weights(p) for p in (tmp_path / "init.pt", job.out / "weights.pt"))
    assert torch.equal(before.out.weight, after.out.weight)
    torch.save(nets.weights(nets.Net(nets.CONFIGS["base"])), tmp_path / "base.pt")
    with pytest.raises(WeightsError, match="another shape"):
        train(replace(job, out=tmp_path / "other", init=tmp_path / "base.pt"))


def test_a_signal_ends_a_run_after_a_step_with_a_checkpoint(job: Job) -> None:
    before = signal.getsignal(signal.SIGTERM)
    long = replace(job.recipe, stages=(replace(job.recipe.stages[0], pictures=40_000),))
    fired = []

    def report(line: dict[str, Any]) -> None:
        if not fired:
            fired.append(line["step"])
            os.kill(os.getpid(), signal.SIGTERM)

    outcome = train(replace(job, recipe=long), report)
    assert outcome.signum == signal.SIGTERM
    assert held(job.out)["step"] == outcome.step
    assert fired[0] <= outcome.step < outcome.steps
    assert signal.getsignal(signal.SIGTERM) == before


def test_a_loss_that_is_no_number_ends_the_run(job: Job) -> None:
    wild = replace(job.recipe, clip=1e30, stages=(replace(job.recipe.stages[0], lr=1e30, pictures=400),))
    with pytest.raises(LivematteError, match="lower the learning rate"):
        train(replace(job, recipe=wild))
    assert not (job.out / "checkpoint.pt").exists()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"folders": ()}, "pass --data"),
        ({"device": "tpu"}, "auto, cpu or cuda"),
    ],
)
def test_options_that_cannot_be(job: Job, change: dict[str, Any], message: str) -> None:
    with pytest.raises(OptionError, match=message):
        train(replace(job, **change))


@pytest.mark.parametrize("fault", ["no data", "no mask", "no picture", "too large for the net"])
def test_a_run_that_cannot_begin_leaves_no_folder(job: Job, people: Path, tmp_path: Path, fault: str) -> None:
    broken = tmp_path / "broken"
    shutil.copytree(people, broken)
    if fault == "no mask":
        (broken / "masks" / "15.png").unlink()
    if fault == "no picture":  # only seen when all are read
        (broken / "images" / "15.png").write_bytes(b"no picture")
    stages = (replace(job.recipe.stages[0], sizes=((100, 50),)),) if "too" in fault else job.recipe.stages
    folders = () if fault == "no data" else (Folder(broken),)
    recipe = replace(job.recipe, stages=stages)
    with pytest.raises(LivematteError):
        train(replace(job, recipe=recipe, folders=folders, out=tmp_path / "runs" / "s", cache=None))
    assert not (tmp_path / "runs").exists()


def test_a_run_that_cannot_begin_leaves_a_folder_that_was_there(job: Job, tmp_path: Path) -> None:
    (tmp_path / "runs" / "s").mkdir(parents=True)
    with pytest.raises(OptionError):
        train(replace(job, folders=(), out=tmp_path / "runs" / "s"))
    assert (tmp_path / "runs" / "s").is_dir()


def test_a_size_or_network_that_cannot_be(job: Job) -> None:
    bad = replace(job.recipe.stages[0], sizes=((100, 50),))
    with pytest.raises(OptionError, match="multiples of 16"):
        train(replace(job, recipe=replace(job.recipe, stages=(bad,))))
    with pytest.raises(OptionError, match="there are fast, base"):
        train(replace(job, recipe=replace(job.recipe, net="huge")))
    with pytest.raises(OptionError, match="pass --init"):
        train(replace(job, recipe=replace(job.recipe, net="init")))


def test_the_learning_rate_goes_up_and_down() -> None:
    stage = Stage(sizes=((64, 32),), pictures=1000, batch=10, lr=1.0, lr_end=0.1, warmup=100)
    rates = [learning_rate(stage, step) for step in range(stage.steps)]
    assert rates[0] == pytest.approx(0.1)
    assert max(rates) == rates[9] == rates[10] == 1.0
    assert rates[10:] == sorted(rates[10:], reverse=True)
    assert rates[-1] == pytest.approx(0.1, abs=0.01)


def test_averaging_draws_weights_and_statistics() -> None:
    config = nets.CONFIGS["fast"].scaled(width=0.5)
    slow, quick = nets.Net(config), nets.Net(config)
    quick.stem[1].running_mean.fill_(1.0)
    expected = torch.lerp(slow.out.weight, quick.out.weight, 0.25)
    average(slow, quick, 0.75)
    assert torch.allclose(slow.out.weight, expected)
    assert torch.allclose(slow.stem[1].running_mean, torch.tensor(0.25))


def test_it_learns(job: Job, people: Path) -> None:
    stage = replace(job.recipe.stages[0], sizes=((64, 48),), pictures=1600, batch=8, lr=3e-3)
    lines: list[dict[str, Any]] = []
    recipe = replace(read_recipe("smoke"), stages=(stage,), views=Views(per_picture=1), bf16=False)
    outcome = train(replace(job, recipe=recipe, dev=people), lines.append)
    losses = [line["loss"] for line in lines if "loss" in line]
    assert losses[-1] < 0.6 * losses[0]
    assert outcome.figures["iou"] > 0.8
    assert (job.out / "best.pt").exists()
    assert json.loads((job.out / "run.json").read_text())["data"][0]["pictures"] == 4


@pytest.fixture
def cut_outs(people: Path, tmp_path: Path) -> Path:
    """The same figures without their room."""
    (tmp_path / "cut").mkdir()
    for image in (people / "images").iterdir():
        bgr, alpha = cv2.imread(str(image)), cv2.imread(str(people / "masks" / image.name), cv2.IMREAD_GRAYSCALE)
        cv2.imwrite(str(tmp_path / "cut" / image.name), np.dstack([bgr, alpha]))
    return tmp_path / "cut"


def test_cut_outs_are_trained_on_before_backgrounds_bit_for_bit(
    job: Job, cut_outs: Path, tmp_path: Path, same: Callable[[Any, Any], bool]
) -> None:
    folders = (Folder(cut_outs, kind="cutouts"), Folder(job.folders[0].path / "images", 0.2, empty=True))
    whole, parts = (replace(job, folders=folders, out=tmp_path / name) for name in ("whole", "parts"))
    assert train(whole).step == 6
    assert train(replace(parts, stop_step=3)).step == 3
    assert train(replace(parts, resume=True)).step == 6
    assert same(held(whole.out), held(parts.out))
    with pytest.raises(OptionError, match="pass --backgrounds"):
        train(replace(job, folders=folders[:1], out=tmp_path / "alone"))


def test_cut_outs_and_made_up_rooms_in_one_command(
    tmp_path: Path, cut_outs: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "tiny.toml").write_text(RECIPE, encoding="utf-8")
    options = ["--recipe", str(tmp_path / "tiny.toml"), "-o", str(tmp_path / "run"), "--json"]
    assert cli.run(["train", *options, "--data", f"cutouts:{cut_outs}", "--backgrounds", "procedural:3:0.2"]) == 0
    assert json.loads(capsys.readouterr().out) == {"step": 6, "steps": 6}
    cut, rooms = json.loads((tmp_path / "run" / "run.json").read_text())["data"]
    assert (cut["kind"], cut["pictures"]) == ("cutouts", 4)
    assert rooms == {"folder": "3", "kind": "procedural", "share": 0.2, "empty": True, "pictures": 3}


def test_the_help_names_the_kinds(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.run(["train", "--help"]) == 0
    shown = capsys.readouterr().out
    assert "[KIND:]DIR[:SHARE]" in shown
    assert all(kind in shown for kind in ("coco", "supervisely", "procedural:N"))


def test_two_processes_train_one_network(tmp_path: Path, people: Path) -> None:
    (tmp_path / "tiny.toml").write_text(RECIPE, encoding="utf-8")
    command = [
        *(sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"),
        *("-m", "livematte", "train", "--recipe", str(tmp_path / "tiny.toml"), "--data", str(people)),
        *("--dev", str(people), "-o", str(tmp_path / "run"), "--device", "cpu", "--threads", "1", "--json"),
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["step"] == 6
    assert json.loads((tmp_path / "run" / "run.json").read_text())["processes"] == 2


def test_the_command(tmp_path: Path, people: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "tiny.toml").write_text(RECIPE, encoding="utf-8")
    options = ["--recipe", str(tmp_path / "tiny.toml"), "--data", f"{people}:2", "-o", str(tmp_path / "run")]
    assert cli.run(["train", *options, "--backgrounds", f"{people / 'images'}:0.5", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == {"step": 6, "steps": 6}
    assert cli.run(["train", *options]) == 1
    assert "--resume" in capsys.readouterr().err


def test_without_torch_the_line_to_install_it_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("livematte.training.find_spec", lambda name: None)
    for arguments in (["train", "-o", str(tmp_path)], ["export", str(tmp_path), "-o", str(tmp_path)]):
        assert cli.run(arguments) == 1
        assert 'pip install "livematte[train]"' in capsys.readouterr().err
