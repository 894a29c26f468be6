"""The training loop: steps, averaged weights, checkpoints; on one process or on many under torchrun.

What a step sees is drawn from the recipe's seed and the step's number, so that the number is all
the state that chance has: a run that was stopped goes on as if it had not been.

A run is a folder:

    run.json         recipe, data, sizes, versions
    log.jsonl        a line now and then: losses, learning rate, pictures a second; a line each validation
    checkpoint.pt    everything that is needed to go on
    weights.pt       averaged weights, as of the last checkpoint
    best.pt          averaged weights of the best validation
"""

from __future__ import annotations

import hashlib
import json
import math
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor, nn

import livematte
from livematte._errors import LivematteError, OptionError
from livematte._frame import Size
from livematte.training import checkpoint, data
from livematte.training.augment import Random, augment, compose
from livematte.training.data import Folder, Pool
from livematte.training.losses import consistency, losses, second_look
from livematte.training.net import multiply_adds
from livematte.training.nets import RECURRENT
from livematte.training.previous import previous_matte
from livematte.training.processes import joined, signals
from livematte.training.recipe import Recipe, Stage
from livematte.training.state import State, start
from livematte.training.validate import Validation

LOG_STEPS = 50
"""Steps whose mean makes a line of the log."""

TWICE = 4
"""One of so many pictures of a batch is looked at twice."""

Report = Callable[[dict[str, Any]], None]
"""Called with each line of the log as it is written."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """One training.

    Args:
        recipe: what decides the weights.
        folders: the pictures.
        out: folder of the run.
        dev: pictures for validation; never trained on.
        init: weights to start from; None starts from noise.
        resume: go on from the checkpoint in `out`, if there is one.
        threads: of the processor; None leaves the number to torch.
        device: `auto`, `cpu` or `cuda`.
        cache: folder for the views; None keeps them in `out`.
        save_s: seconds between checkpoints.
        validate_steps: steps between validations.
        stop_step: end here, as if a signal had come.
    """

    recipe: Recipe
    folders: tuple[Folder, ...]
    out: Path
    dev: Path | None = None
    init: Path | None = None
    resume: bool = False
    threads: int | None = None
    device: str = "auto"
    cache: Path | None = None
    save_s: float = 300.0
    validate_steps: int = 1000
    stop_step: int | None = None


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a training ended.

    Args:
        step: steps done.
        steps: steps of the recipe.
        signum: the signal that ended it early, if one did.
        figures: of the last validation.
    """

    step: int
    steps: int
    signum: int | None = None
    figures: dict[str, float] = field(default_factory=dict)


def train(job: Job, report: Report | None = None, reading: data.Progress | None = None) -> Outcome:
    """Run a recipe to its end, or until SIGINT, SIGTERM or SIGHUP; then a checkpoint is written.

    Args:
        job: what to do.
        report: called with each line of the log.
        reading: called while pictures are read.

    Raises:
        OptionError: options that contradict each other or a run that is already there.
        SourceError, OpenError: pictures that cannot be read.
        WeightsError: weights that do not fit the recipe.
        LivematteError: the loss is no longer finite.
    """
    with joined(job.device, job.threads) as (device, rank, world), signals() as stop, checkpoint.begun(job.out):
        for stage in job.recipe.stages:
            if stage.batch % world:
                raise OptionError(f"a batch of {stage.batch} cannot be shared evenly by {world} processes")
        data.check_folders(job.folders)
        state = start(job.recipe, job.init, checkpoint.load(job.out, job.resume), device)
        for width, height in {size for stage in job.recipe.stages for size in stage.sizes}:
            state.net.check_size(width, height)
        run = _Run(job, state, device, rank, world, report, reading)
        return run.to_the_end(stop)


class _Run:
    def __init__(
        self,
        job: Job,
        state: State,
        device: torch.device,
        rank: int,
        world: int,
        report: Report | None,
        reading: data.Progress | None,
    ) -> None:
        self._job, self._state, self._device, self._rank, self._world = job, state, device, rank, world
        self._reading = reading if rank == 0 else None
        self._pools: dict[tuple[int, int], Pool] = {}
        self._log = checkpoint.Log(job.out, state.step, report) if rank == 0 else None
        self._since = time.monotonic()
        self._saved = time.monotonic()
        self._figures: dict[str, float] = {}
        self._validation: Validation | None = None
        if job.dev and rank == 0:
            self._validation = Validation(job.dev, job.recipe.stages[-1].sizes, self._cache)
        self._model: nn.Module = state.net
        if world > 1:
            self._model = nn.parallel.DistributedDataParallel(state.net)

    @property
    def _cache(self) -> Path:
        return self._job.cache or self._job.out / checkpoint.CACHE

    def to_the_end(self, stop: list[int]) -> Outcome:
        job, state = self._job, self._state
        steps = job.recipe.steps
        end = min(steps, job.stop_step or steps)
        if self._rank == 0:
            self._describe()
        while state.step < end and not self._asked_to_stop(stop):
            stage, inside = job.recipe.at(state.step)
            self._pool(stage.sizes[inside % len(stage.sizes)])  # read before the clock runs
            self._add(self._step(stage, inside))
            state.step += 1
            if self._log is None:
                continue
            if state.step % LOG_STEPS == 0 or state.step == steps:
                self._log_losses(stage, inside)
            if state.step % job.validate_steps == 0 or state.step == steps:
                self._validate()
            if time.monotonic() - self._saved >= job.save_s:
                self._save()
        if self._log is not None:
            self._save()
            self._log.close()
        return Outcome(state.step, steps, stop[0] if stop else None, self._figures)

    def _step(self, stage: Stage, inside: int) -> dict[str, Tensor]:
        """One step of the optimiser; the losses it saw."""
        recipe, state = self._job.recipe, self._state
        rgb, alpha, weight = self._batch(stage, inside)
        count = len(rgb)
        dx = dy = 0
        seen = rgb if state.net.architecture != RECURRENT else torch.cat([rgb, self._previous(rgb, alpha)], 1)
        if stage.consistency:
            generator = _generator(recipe.seed, state.step, self._rank, self._device, "second look")
            again, dx, dy = second_look(seen[: max(1, count // TWICE)], generator)
            seen = torch.cat([seen, again])
        given = [part.contiguous(memory_format=torch.channels_last) for part in torch.split(seen, 3, 1)]
        self._model.train()
        with torch.autocast(self._device.type, torch.bfloat16, enabled=recipe.bf16):
            logits, aux = self._model(*given)
        sides = [aux] if isinstance(aux, Tensor) else aux
        found = losses(logits[:count], [side[:count] for side in sides], alpha, weight, recipe.loss)
        if stage.consistency:
            guess = torch.sigmoid(logits.float())
            found["consistency"] = stage.consistency * consistency(guess[: len(seen) - count], guess[count:], dx, dy)
        loss = torch.stack(list(found.values())).sum()
        for group in state.optimizer.param_groups:
            group["lr"] = learning_rate(stage, inside)
        state.optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(state.net.parameters(), recipe.clip)
        state.optimizer.step()
        average(state.averaged, state.net, min(recipe.ema, (1 + state.step) / (10 + state.step)))
        return {"loss": loss.detach(), **{name: value.detach() for name, value in found.items()}}

    def _batch(self, stage: Stage, inside: int) -> tuple[Tensor, Tensor, Tensor]:
        """RGB, alpha and weight of this step and process, on the device."""
        recipe, step = self._job.recipe, self._state.step
        pool = self._pool(stage.sizes[inside % len(stage.sizes)])
        drawn = pool.draw(
            stage.batch // self._world, _generator(recipe.seed, step, self._rank, torch.device("cpu"), "draw")
        )
        batch, behind = (
            part.to(self._device, non_blocking=True).float() / 255 for part in (drawn.pictures, drawn.behind)
        )
        light = Random(_generator(recipe.seed, step, self._rank, self._device, "compose"))
        batch = compose(batch, drawn.cut_outs.to(self._device), behind, light)
        batch = augment(batch, recipe.augment, _generator(recipe.seed, step, self._rank, self._device, "augment"))
        return batch[:, :3], batch[:, 3:4], batch[:, 4:5]

    def _previous(self, rgb: Tensor, alpha: Tensor) -> Tensor:
        """The matte of the frame before, as it may have been."""
        recipe, state = self._job.recipe, self._state
        generator = _generator(recipe.seed, state.step, self._rank, self._device, "previous")
        with torch.autocast(self._device.type, torch.bfloat16, enabled=recipe.bf16):
            return previous_matte(rgb, alpha, state.averaged, recipe.doubt, generator)

    def _pool(self, size: tuple[int, int]) -> Pool:
        if size not in self._pools:
            job = self._job
            self._pools = {
                kept: pool for kept, pool in self._pools.items() if kept in job.recipe.at(self._state.step)[0].sizes
            }
            cut, seed = job.recipe.views, job.recipe.seed
            also = [Size(*other) for other in job.recipe.at(self._state.step)[0].sizes if other != size]
            if self._rank:
                dist.barrier()  # the first process writes the caches, the others map them
            arrays = [data.views(f, Size(*size), cut, seed, self._cache, self._reading, also) for f in job.folders]
            if self._world > 1 and self._rank == 0:
                dist.barrier()
            self._pools[size] = Pool(arrays, job.folders)
            self._since = time.monotonic()
        return self._pools[size]

    def _asked_to_stop(self, stop: list[int]) -> bool:
        """Whether a signal came to any process: all stop after the same step."""
        if self._world == 1:
            return bool(stop)
        flag = torch.tensor([stop[0] if stop else 0], device=self._device)
        dist.all_reduce(flag, dist.ReduceOp.MAX)
        if flag.item() and not stop:
            stop.append(int(flag.item()))
        return bool(stop)

    def _add(self, found: dict[str, Tensor]) -> None:
        for name, value in found.items():
            self._state.sums[name] = self._state.sums.get(name, torch.zeros_like(value)) + value

    def _log_losses(self, stage: Stage, inside: int) -> None:
        assert self._log is not None
        steps = (self._state.step - 1) % LOG_STEPS + 1
        means = {name: round(value.item() / steps, 5) for name, value in self._state.sums.items()}
        seconds = time.monotonic() - self._since
        if not math.isfinite(means["loss"]):
            raise LivematteError(
                f"the loss is {means['loss']} before step {self._state.step}: lower the learning rate, "
                f"and go on from the last checkpoint in {self._job.out} with --resume"
            )
        self._log.write(
            {
                "step": self._state.step,
                "steps": self._job.recipe.steps,
                "size": "x".join(map(str, stage.sizes[inside % len(stage.sizes)])),
                "lr": round(learning_rate(stage, inside), 7),
                **means,
                "pictures_per_s": round(steps * stage.batch / seconds, 1),
            }
        )
        self._state.sums, self._since = {}, time.monotonic()

    def _validate(self) -> None:
        if self._validation is None:
            return
        assert self._log is not None
        state = self._state
        began = time.monotonic()
        self._figures = self._validation(state.averaged, self._device)
        self._log.write({"step": state.step, **{f"dev_{k}": round(v, 5) for k, v in self._figures.items()}})
        if self._figures["iou"] > state.best_iou:
            state.best_iou = self._figures["iou"]
            checkpoint.save_weights(self._job.out / "best.pt", state.averaged)
        self._since += time.monotonic() - began

    def _save(self) -> None:
        began = time.monotonic()
        job, state = self._job, self._state
        checkpoint.save(job.out / checkpoint.NAME, state.held(job.recipe))
        checkpoint.save_weights(job.out / "weights.pt", state.averaged)
        self._saved = time.monotonic()
        self._since += self._saved - began

    def _describe(self) -> None:
        """Write what this run is made of."""
        job, net = self._job, self._state.net
        facts = {
            "livematte": livematte.__version__,
            "torch": torch.__version__,
            "device": self._device.type,
            "processes": self._world,
            "init": job.init.name if job.init else None,
            "parameters": sum(p.numel() for p in net.parameters()),
            "multiply_adds_256x144": multiply_adds(self._state.averaged),
            "data": [
                {
                    "folder": f.path.name,
                    "kind": f.kind,
                    "share": f.share,
                    "empty": f.empty,
                    "pictures": len(data.pictures(f)),
                }
                for f in job.folders
            ],
            "recipe": asdict(job.recipe),
        }
        (job.out / checkpoint.FACTS).write_text(json.dumps(facts, indent=2) + "\n", encoding="utf-8")


def learning_rate(stage: Stage, inside: int) -> float:
    """Of a step within a stage: a line up, then half a cosine down."""
    warm = min(stage.steps, stage.warmup // stage.batch)
    if inside < warm:
        return stage.lr * (inside + 1) / warm
    part = (inside - warm) / max(1, stage.steps - warm)
    return stage.lr_end + (stage.lr - stage.lr_end) * 0.5 * (1 + math.cos(math.pi * part))


def average(averaged: nn.Module, net: nn.Module, keep: float) -> None:
    """Draw the averaged weights, and the statistics of batch normalisation, towards `net`."""
    with torch.no_grad():
        ours, theirs = averaged.state_dict(), net.state_dict()
        floats = [name for name, value in ours.items() if value.is_floating_point()]
        torch._foreach_lerp_([ours[name] for name in floats], [theirs[name] for name in floats], 1 - keep)


def _generator(seed: int, step: int, rank: int, device: torch.device, purpose: str) -> torch.Generator:
    """The source of chance for one purpose of one step of one process."""
    digest = hashlib.sha256(f"{seed}/{step}/{rank}/{purpose}".encode()).digest()
    return torch.Generator(device).manual_seed(int.from_bytes(digest[:7], "little"))
