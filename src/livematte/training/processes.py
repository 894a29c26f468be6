"""The processes of a training, and the signals that end it."""

from __future__ import annotations

import contextlib
import os
import signal
import threading
from collections.abc import Iterator
from types import FrameType

import torch
import torch.distributed as dist

from livematte._errors import OptionError


@contextlib.contextmanager
def joined(name: str, threads: int | None) -> Iterator[tuple[torch.device, int, int]]:
    """Device, rank and number of processes; under torchrun they are joined.

    Args:
        name: `auto`, `cpu` or `cuda`.
        threads: of the processor; None leaves the number to torch.

    Raises:
        OptionError: no such device here.
    """
    if threads:
        torch.set_num_threads(threads)
    has_cuda = torch.cuda.is_available()
    if name not in ("auto", "cpu", "cuda") or (name == "cuda" and not has_cuda):
        raise OptionError(f"--device is auto, cpu or cuda{'' if has_cuda else ', and no CUDA is here'}; got {name}")
    cuda = has_cuda and name != "cpu"
    world, rank = int(os.environ.get("WORLD_SIZE", "1")), int(os.environ.get("RANK", "0"))
    device = torch.device("cuda", int(os.environ.get("LOCAL_RANK", "0"))) if cuda else torch.device("cpu")
    if cuda:
        torch.cuda.set_device(device)
    if world == 1:
        yield device, 0, 1
        return
    dist.init_process_group("nccl" if cuda else "gloo")
    try:
        yield device, rank, world
    finally:
        dist.destroy_process_group()


@contextlib.contextmanager
def signals() -> Iterator[list[int]]:
    """A list that receives the signal which asks the process to end; the step in hand is finished first."""
    came: list[int] = []
    names = ("SIGINT", "SIGTERM", "SIGHUP")
    numbers = [getattr(signal, name) for name in names if hasattr(signal, name)]
    if threading.current_thread() is not threading.main_thread():
        yield came
        return

    def note(signum: int, frame: FrameType | None) -> None:
        came.append(signum)
        for number, handler in before.items():  # a second one is not waited for
            signal.signal(number, handler)

    before = {number: signal.getsignal(number) for number in numbers}
    for number in numbers:
        if before[number] is not signal.SIG_IGN:  # `nohup` stays in force
            signal.signal(number, note)
    try:
        yield came
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
