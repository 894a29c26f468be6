"""Labels: soft mattes with confidence for unlabelled pictures, made by an ensemble of teachers.

The output is a data folder: `images/` (hard links, or copies), `masks/` (8-bit alpha PNG),
`weights/` (8-bit confidence PNG, 255 = sure), and `labels.json` with where they come from:
teachers, checksums, settings, versions, and for each picture what was found or why it was
dropped. A picture is dropped if nobody is found in it or the teachers see different people; where a
student is asked as well, if it sees others than they do.

Work that stopped goes on where it was: what `labels.json` lists, under the same settings,
is not done again. Files appear under their names only when they are complete.
"""

from __future__ import annotations

import os
import shutil
import signal
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np

import livematte
from livematte._alike import alike
from livematte._errors import InferenceError, OpenError, OptionError, SinkError, SourceError
from livematte._frame import F32, U8, Frame, PixelFormat, Size
from livematte._stages import Segmenter
from livematte.sinks._partial import PartialFile, write_whole
from livematte.sinks._still import encode_image
from livematte.sources._still import read_image
from livematte.training import edges, ensemble, matting, record, student, teachers, views
from livematte.training.ensemble import Teacher
from livematte.training.folder import mask_of, picture_files
from livematte.training.record import Outcome, Report
from livematte.training.teachers import TEACHERS

AGREEMENT = 0.6
"""Least agreement of the teachers, as `Estimate` defines it. On fashion photographs, of which
each teacher finds the person, 97 % have more."""

LEAST_AREA = 0.002
"""Part of a picture below which nobody was found."""

FLUSH_EVERY = 50
"""Pictures after which `labels.json` is brought up to date: what a crash costs at most."""

AHEAD = 4
"""Pictures waiting for each process: enough to keep it busy, few to throw away on Ctrl-C."""

BLAS_THREADS = "OPENBLAS_NUM_THREADS"
"""Variable that NumPy's own OpenBLAS heeds when it is loaded."""

VERSION = 1
"""Of the method: raise it when the labels change."""

Loading = Callable[[], AbstractContextManager[None]]
"""Something to enter while engines load, such as one that lets none of them greet its users."""

Progress = Callable[[int, int], None]
"""Called with the pictures done and those in all."""


@dataclass(frozen=True, slots=True)
class Settings:
    """How labels are made.

    Args:
        teachers: `NAME=WEIGHT`, or `NAME` for weight 1.
        weights: folder with the teachers' files, laid out as in the cache; None is the cache.
        agreement: least agreement of the teachers, 0-1.
        matting: solve the edge by closed-form matting.
        jobs: processes.
        students: networks trained on such labels, which settle what the teachers doubt.

    Raises:
        OptionError: out of range.
    """

    teachers: tuple[str, ...] = TEACHERS
    weights: Path | None = None
    agreement: float = AGREEMENT
    matting: bool = False
    jobs: int = 2
    students: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if not self.teachers:
            raise OptionError("labels need at least one teacher")
        for text in self.teachers:
            teachers.parse_teacher(text)
        if not 0 <= self.agreement <= 1:
            raise OptionError(f"agreement must be from 0 to 1, got {self.agreement}")
        if self.jobs < 1:
            raise OptionError(f"jobs must be 1 or more, got {self.jobs}")


@dataclass(frozen=True, slots=True)
class _Task:
    """One picture, for another process."""

    image: Path
    mask: Path | None
    output: Path
    settings: Settings


def label(
    images: Path,
    output: Path,
    settings: Settings | None = None,
    *,
    masks: Path | None = None,
    progress: Progress | None = None,
    loading: Loading = nullcontext,
) -> Report:
    """Label all pictures of a folder.

    Args:
        images: folder of pictures, or a data folder with `images/` in it.
        output: data folder to make, or to go on with.
        settings: how.
        masks: folder of masks by the same stems that are right about the people they show,
            and may lack others: they become the alpha, and where the teachers see somebody
            else the confidence is low.
        progress: called after each picture.
        loading: around the loading of the teachers, in each process: a function of a module.

    Raises:
        OptionError: no such folder, `output` holds labels made by other settings, or students
            beside masks, which are right already.
        SourceError: no pictures, two with one stem, a mask is missing, or none can be read.
        UnknownName, MissingExtra, WeightsError, LoadError: a teacher cannot be loaded.
        SinkError: `output` cannot be written.
    """
    settings = settings or Settings()
    if settings.matting:
        matting.require_pymatting()
    if settings.students and masks is not None:
        raise OptionError("a student settles what teachers doubt: masks are kept as they are, so pass one or the other")
    found = pictures(images)
    paired = [(path, None if masks is None else mask_of(path, masks)) for path in found]
    origin = origin_of(settings, masks is not None)
    _make_folders(output)
    report = Report(record.load(output, origin))
    names = {path.name for path in found}
    report.outcomes = {name: outcome for name, outcome in report.outcomes.items() if name in names}
    tasks = [_Task(path, mask, output, settings) for path, mask in paired if not _is_done(path, output, report)]
    done = len(found) - len(tasks)
    if progress:
        progress(done, len(found))
    try:
        for outcome in _run(tasks, settings, loading):
            report.outcomes[outcome.image] = outcome
            report.done_now += 1
            if progress:
                progress(done + report.done_now, len(found))
            if report.done_now % FLUSH_EVERY == 0:
                record.save(output, origin, report)
    finally:
        record.save(output, origin, report)
    if all(outcome.unreadable for outcome in report.outcomes.values()):
        raise SourceError(f"none of the {len(found)} pictures in {images} can be read; see {output / record.NAME}")
    return report


def pictures(images: Path) -> list[Path]:
    """The pictures of a folder, by name.

    Raises:
        OptionError: no such folder.
        SourceError: no pictures, or two with one stem; see `alike`.
    """
    if not images.is_dir():
        raise OptionError(f"{images} is no folder of pictures")
    found = picture_files(images)
    if two := alike(found, lambda path: path.stem):
        raise SourceError(f"{two[1].name} and {two[0].name} in {images} would share one mask: rename one")
    return found


def origin_of(settings: Settings, masks: bool) -> dict[str, Any]:
    """Everything that decides a label, as plain values.

    Raises:
        UnknownName, WeightsError, OptionError: see `teachers.describe`.
    """
    asked = teachers.describe(settings.teachers, settings.weights)
    students = student.describe(settings.students) or None
    return {
        "method": VERSION,
        "livematte": livematte.__version__,
        "teachers": asked,
        "teachers_commercial": all(teacher["commercial"] for teacher in [*asked, *(students or ())]),
        "students": students,
        "masks": masks,
        "agreement": settings.agreement,
        "matting": settings.matting,
        "thresholds": {
            "least_area": LEAST_AREA,
            "side_px": edges.SIDE_PX,
            "softness": edges.SOFTNESS,
            "sharpness": ensemble.SHARPNESS,
            "deviation": [ensemble.LOW, ensemble.HIGH],
            "mask_difference": [edges.MASK_LOW, edges.MASK_HIGH],
            "coarse": ensemble.COARSE,
            "margin": views.MARGIN,
            "long": views.LONG,
            "most_people": ensemble.MOST,
            "views": {"whole": ensemble.WHOLE, "close": ensemble.CLOSE, "square": ensemble.SQUARE},
        },
    }


# one picture


def one(task: _Task, asked: Sequence[Teacher], students: Sequence[Segmenter] = ()) -> Outcome:
    """Label one picture and write its files.

    Raises:
        SinkError: they cannot be written.
    """
    name, stem = task.image.name, task.image.stem
    try:
        frame = read_image(task.image)
        mask = None if task.mask is None else _read_mask(task.mask, frame.size)
        estimate = ensemble.estimate(edges.reduced(frame), asked)
        said = student.ask(frame, students) if students else None
    except (OpenError, SourceError, InferenceError) as exc:
        return Outcome(name, f"{record.UNREADABLE}: {' '.join(str(exc).split())}")
    agreement, area = round(estimate.agreement, 4), round(estimate.area, 4)
    if mask is None:
        if estimate.area < LEAST_AREA:
            return Outcome(name, "nobody was found", agreement, area)
        if said is None and estimate.agreement < task.settings.agreement:
            return Outcome(name, f"the teachers disagree: {estimate.agreement:.3f}", agreement, area)
        alpha, confidence = edges.refine(frame, estimate)
        if said is not None:
            settled = student.settle(alpha, confidence, said)
            if settled is None:
                return Outcome(name, "teachers and student see different people", agreement, area)
            alpha, confidence = settled
    else:
        alpha, confidence = edges.refine_mask(frame, mask, estimate)
        area = round(float((mask > 0.5).mean()), 4)
    if task.settings.matting:
        alpha = edges.to_bytes(matting.closed_form(frame.to_rgb(), alpha / np.float32(255)))
    _write_grey(task.output / "masks" / f"{stem}.png", alpha)
    _write_grey(task.output / "weights" / f"{stem}.png", confidence)
    _link(task.image, task.output / "images" / name)
    return Outcome(name, None, agreement, area, round(float(confidence.mean()) / 255, 4))


def _read_mask(path: Path, size: Size) -> F32:
    frame = read_image(path)
    if frame.size != size:
        raise SourceError(f"{path} is {frame.size}, its picture {size}: they must be alike")
    alpha: F32 = frame.planes[1] / np.float32(255)
    return alpha


def _write_grey(path: Path, values: U8) -> None:
    frame = Frame((values, values, values), PixelFormat.I444)
    write_whole(path, encode_image(frame, "png", "gray", {}))


def _link(source: Path, target: Path) -> None:
    """A hard link, or a copy where the file systems differ."""
    part = PartialFile(target)
    try:
        part.hidden.unlink()
        try:
            os.link(source.resolve(), part.hidden)
        except OSError:
            shutil.copyfile(source, part.hidden)
        part.keep()
    except OSError as exc:
        raise SinkError(f"cannot write {target}: {exc.strerror or exc}") from exc
    finally:
        part.drop()


# many


_teachers: list[Teacher] = []
_students: list[Segmenter] = []
"""Of a working process, loaded once by `_start`; empty in the process that asks."""


def _start(settings: Settings, loading: Loading) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the whole group: the parent ends its processes
    with loading():
        _teachers[:] = teachers.load_teachers(settings.teachers, settings.weights)
        _students[:] = student.load(settings.students)


def _work(task: _Task) -> Outcome:
    return one(task, _teachers, _students)


def _run(tasks: Sequence[_Task], settings: Settings, loading: Loading) -> Iterator[Outcome]:
    """Outcomes in the order in which they are done."""
    if not tasks:
        return
    with loading():  # with several processes too: an error here is clearer than one from a pool
        asked = teachers.load_teachers(settings.teachers, settings.weights)
        students = student.load(settings.students)
    try:
        if settings.jobs == 1:
            yield from (one(task, asked, students) for task in tasks)
            return
    finally:
        for segmenter in (*(teacher.segmenter for teacher in asked), *students):
            segmenter.close()
    with _one_thread_each():
        yield from _in_processes(tasks, settings, loading)


@contextmanager
def _one_thread_each() -> Iterator[None]:
    """Let processes that start meanwhile multiply matrices on one thread: the processes are what works side by side.

    Threads of OpenBLAS wait for each other by spinning; with more of them than cores a product of two small
    matrices was seen to take a minute.
    """
    before = os.environ.get(BLAS_THREADS)
    os.environ[BLAS_THREADS] = "1"
    try:
        yield
    finally:
        if before is None:
            del os.environ[BLAS_THREADS]
        else:
            os.environ[BLAS_THREADS] = before


def _in_processes(tasks: Sequence[_Task], settings: Settings, loading: Loading) -> Iterator[Outcome]:
    pool = ProcessPoolExecutor(settings.jobs, get_context("spawn"), _start, (settings, loading))
    waiting: set[Future[Outcome]] = set()
    rest = iter(tasks)
    try:
        while True:
            for task in rest:
                waiting.add(pool.submit(_work, task))
                if len(waiting) >= settings.jobs * AHEAD:
                    break
            if not waiting:
                return
            done, waiting = wait(waiting, return_when=FIRST_COMPLETED)
            for future in done:
                yield future.result()
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


# files


def _make_folders(output: Path) -> None:
    for name in ("images", "masks", "weights"):
        try:
            (output / name).mkdir(parents=True, exist_ok=True)
        except OSError as exc:
            raise SinkError(f"cannot make {output / name}: {exc.strerror or exc}") from exc


def _is_done(path: Path, output: Path, report: Report) -> bool:
    outcome = report.outcomes.get(path.name)
    if outcome is None or outcome.unreadable:
        return False
    files = (output / "images" / path.name, *(output / folder / f"{path.stem}.png" for folder in ("masks", "weights")))
    return outcome.dropped is not None or all(file.is_file() for file in files)
