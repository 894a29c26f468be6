"""Which engine, with how many threads and in which precision, is fastest for a model on this device.

Measured once by `livematte tune`, kept in the cache, and used by `engine="auto"` from then on, until the
model's weights, a runtime's version or the processor are others.
"""

from __future__ import annotations

import contextlib
import json
import math
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from livematte import _registry, _weights
from livematte._clock import Clock, monotonic
from livematte._errors import LivematteError, LoadError, OptionError
from livematte._frame import F32, Frame
from livematte._stages import Segmenter
from livematte.models._spec import ModelSpec, pick

SECONDS = 18.0
"""Time for one model, loading and all; the last step under way and the start of Python come on top."""

FORMAT = 1
"""Of the file; others are ignored."""

REFERENCE = "onnxruntime"
"""What the others' mattes are compared with: float32, always installed, and what the models were checked on."""

TOLERANCE = 1 / 255
"""Largest mean difference of a matte to the reference's: one step of 8 bits."""

LARGEST = 16 / 255
"""Largest difference of one pixel: a precision that moves contours by more makes them flicker."""

BLOCK = 5
"""Inferences in a row; the first is not counted, it finds the caches full of another's data."""

MIN_ROUNDS = 4
"""Rounds before the slower half is dropped."""

HOPELESS = 2.0
"""A candidate that takes this many times the fastest's time in its first block is not raced."""

WORTH_A_CORE = 0.75
"""Part of the time that twice as many threads may take to be chosen, of whatever engine: decoding, drawing and
encoding want the other cores."""

CLEARLY = 0.95
"""Part of the usual engine's time that another must stay under to take its place: less is noise."""

PICTURES = ("640x360@30*1", "640x360@30*40", "360x640@30*1", "640x360@30*90")
"""Generated clips whose last frame is compared: wide and upright, the figure at different places."""


@dataclass(frozen=True)
class Choice:
    """What `auto` means for a model: an engine's spelling, its threads, and milliseconds of one inference."""

    engine: str
    threads: int
    ms: float


@dataclass
class Candidate:
    """One engine with one number of threads, in the race or out of it.

    Attributes:
        difference: mean difference of its mattes to the reference's, the largest of all pictures.
        largest: the same of a single pixel.
        ms: median of an inference.
        why: it is out of the race, and why; empty for those that were measured to the end.
    """

    engine: str
    threads: int
    difference: float | None = None
    largest: float | None = None
    ms: float | None = None
    why: str = ""
    blocks: list[float] = field(default_factory=list, repr=False)

    @property
    def name(self) -> str:
        return f"{self.engine} x{self.threads}"


def tune(
    model: str, seconds: float = SECONDS, *, progress: Callable[[str], None] = lambda text: None
) -> tuple[Choice, list[Candidate]]:
    """Race every engine that runs a model here, and remember the winner.

    Args:
        model: registry name; its weights must be here.
        seconds: how long it may take; the last step under way is finished.
        progress: called with what is being done.

    Returns:
        The winner, and all candidates, the fastest first.

    Raises:
        UnknownName, WeightsError; LoadError: no engine here runs the model.
        OptionError: a time without sense.
    """
    if not 1 <= seconds <= 600:
        raise OptionError(f"seconds must be from 1 to 600, got {seconds:g}")
    spec = spec_of(model)
    end_ns = monotonic() + int(seconds * 1e9)
    frames = [_last_frame(text) for text in PICTURES]
    with contextlib.ExitStack() as stack:
        candidates: list[Candidate] = []
        runners: dict[str, Callable[[], Any]] = {}
        expected: list[F32] = []
        for engine, threads in _entries(spec, monotonic, end_ns, candidates):
            candidate = Candidate(engine, threads)
            candidates.append(candidate)
            progress(f"loading {candidate.name}")
            try:
                segmenter: Segmenter = _registry.create("models", spec.name, engine=engine, threads=threads)
                stack.callback(segmenter.close)
                mattes = [segmenter.segment(frame, None)[0].alpha for frame in frames]
            except (LivematteError, ImportError) as exc:
                candidate.why = str(exc)
                continue
            expected = expected or mattes
            mean, largest = candidate.difference, candidate.largest = _difference(mattes, expected)
            if not (mean <= TOLERANCE and largest <= LARGEST):
                candidate.why = f"its matte is another, by up to {largest * 255:.0f} of 255"
                continue
            runner = _runner(segmenter, frames[0])
            candidate.blocks.append(_block(runner, monotonic, np.min))
            candidate.ms = candidate.blocks[0] / 1e6
            runners[candidate.name] = runner
        racing = [c for c in candidates if c.name in runners]
        if not racing:
            reasons = "; ".join(f"{c.engine}: {c.why}" for c in candidates[:1])
            raise LoadError(f"no engine here runs {spec.name}: {reasons or 'none is installed that reads its weights'}")
        progress(f"racing {len(racing)}")
        race(racing, runners, end_ns, monotonic)
    winner = choose(racing)
    choice = Choice(winner.engine, winner.threads, round(winner.ms or 0.0, 3))
    _remember(spec, choice)
    return choice, sorted(candidates, key=lambda c: (bool(c.why), c.ms or math.inf))


def race(
    racing: Sequence[Candidate], runners: Mapping[str, Callable[[], Any]], end_ns: int, clock: Clock = monotonic
) -> None:
    """Blocks in turns, each round in another order; every few rounds the slower half is out.

    What disturbs the machine for a while then disturbs everybody. The last two run until the time is up.

    Args:
        racing: those that take part; their `ms` and `why` are written.
        runners: an inference of each, by name.
        end_ns: when to stop, on the clock.
    """
    best = min(c.blocks[0] for c in racing)
    left = [c for c in racing if c.blocks[0] <= HOPELESS * best]
    for candidate in racing:
        if candidate not in left:
            candidate.why = f"takes {candidate.blocks[0] / best:.1f} times as long"
        candidate.blocks.clear()  # the first block follows loading, and is no measurement
    turn = 0
    while clock() < end_ns and (len(left) > 1 or turn < MIN_ROUNDS):
        at = turn % len(left)
        for candidate in left[at:] + left[:at]:
            candidate.blocks.append(_block(runners[candidate.name], clock))
        turn += 1
        if turn % MIN_ROUNDS == 0 and len(left) > 2:
            left.sort(key=lambda c: float(np.median(c.blocks)))
            for candidate in left[max(2, math.ceil(len(left) / 2)) :]:
                candidate.why = "slower than half of the others"
            left = [c for c in left if not c.why]
    for candidate in racing:
        if candidate.blocks:
            candidate.ms = float(np.median(candidate.blocks)) / 1e6


def choose(racing: Sequence[Candidate]) -> Candidate:
    """The winner: the best engine on one thread, unless one on more threads, whichever it is, is worth the cores."""
    counts = sorted({c.threads for c in racing})
    winner, *others = (_best([c for c in racing if c.threads == threads]) for threads in counts)
    for candidate in others:
        limit = WORTH_A_CORE ** math.log2(candidate.threads / winner.threads)
        if (candidate.ms or math.inf) <= limit * (winner.ms or math.inf):
            winner = candidate
    return winner


def _best(alike: Sequence[Candidate]) -> Candidate:
    """Of candidates with as many threads the fastest, if it is clearly faster than the usual engine.

    Those that left the race stand for their number of threads where all of it did.
    """
    fastest = min([c for c in alike if not c.why] or alike, key=lambda c: c.ms or math.inf)
    usual = next((c for c in alike if c.engine == REFERENCE and c.ms is not None), fastest)
    return usual if (fastest.ms or 0.0) > CLEARLY * (usual.ms or 0.0) else fastest


def spec_of(model: str) -> ModelSpec:
    """The spec of `family` or `family:tag`.

    Raises:
        UnknownName: no such model.
        OptionError: a model of a package that describes none.
    """
    name, tag = _registry.split(model)
    specs: dict[str, ModelSpec] = getattr(_registry.load("models", name), "SPECS", {})
    if not specs:
        raise OptionError(f"{model} does not say which weights it has: it cannot be tuned")
    # what follows the tag, such as the classes that stay, changes what is made of the network's output alone
    return pick(specs, name, re.split("[:?]", tag)[0] or None if tag else None)


def remembered(spec: ModelSpec) -> Choice | None:
    """What was measured for a model, or for one of its shapes, unless something has changed since."""
    entry = _entries_kept().get(spec.name)
    if entry is None:
        return None
    try:
        known = set(entry["weights"])
        fresh = {name: entry[name] for name in ("packages", "machine")} == {**_surroundings()}
        choice = Choice(str(entry["engine"]), int(entry["threads"]), float(entry["ms"]))
    except (KeyError, TypeError, ValueError):
        return None  # written by another version, or by hand
    return choice if fresh and known.issuperset(_identities(spec)) else None


def known_ms(name: str) -> float | None:
    """Milliseconds of one inference of a model on this device, if `livematte tune` has measured it."""
    try:
        choice = remembered(spec_of(name))
    except LivematteError:
        return None
    return None if choice is None else choice.ms


def all_remembered() -> dict[str, Choice]:
    """Every model with a measurement that still holds."""
    found = {}
    for name in _entries_kept():
        with contextlib.suppress(LivematteError):
            if (choice := remembered(spec_of(name))) is not None:
                found[name] = choice
    return found


def forget(model: str | None = None) -> list[str]:
    """Forget one model's measurement, or all; returns the names that had one."""
    kept = _entries_kept()
    name = None if model is None else spec_of(model).name
    gone = [known for known in kept if name in (None, known)]
    if gone:
        _write({known: entry for known, entry in kept.items() if known not in gone})
    return gone


def _entries(spec: ModelSpec, clock: Clock, end_ns: int, candidates: Sequence[Candidate]) -> Iterator[tuple[str, int]]:
    """Engines on one thread, the reference first; then more threads for those that are not hopeless.

    Half of the time is left for the race: what was not loaded by then is not tried.
    """
    half_ns = clock() + (end_ns - clock()) // 2
    names = sorted(_registry.names("engines"), key=lambda name: (name != REFERENCE, name == "torch", name))
    suffixes = {file.suffix for file in spec.files if _weights.place(file).is_file()}
    for name in names:
        module = _registry.load("engines", name)
        if not suffixes.intersection((*module.READS, *module.CONVERTS)) or not module.installed():
            continue
        if candidates and clock() > half_ns:
            return
        yield name, 1
        for variant in getattr(module, "variants", tuple)():
            yield variant, 1
    best = min((c.ms for c in candidates if c.ms is not None), default=math.inf)
    good = [c.engine for c in candidates if c.ms is not None and not c.why and c.ms <= HOPELESS * best]
    threads = 2
    while threads <= min(_cores(), 8):
        for engine in good:
            if clock() > half_ns:
                return
            yield engine, threads
        threads *= 2


def _runner(segmenter: Segmenter, frame: Frame) -> Callable[[], Any]:
    return lambda: segmenter.segment(frame, None)  # the frame keeps its small picture: the network alone is timed


def _block(run: Callable[[], Any], clock: Clock, of: Callable[[Sequence[int]], Any] = np.median) -> float:
    """Nanoseconds of an inference: the median of a block, or the least, which a busy machine disturbs less."""
    times = []
    for _ in range(BLOCK):
        start_ns = clock()
        run()
        times.append(clock() - start_ns)
    return float(of(times[1:]))


def _difference(mattes: Sequence[F32], expected: Sequence[F32]) -> tuple[float, float]:
    """Mean over a matte and at a pixel, the largest of all mattes."""
    if any(a.shape != b.shape for a, b in zip(mattes, expected, strict=True)):
        return math.inf, math.inf
    apart = [np.abs(a - b) for a, b in zip(mattes, expected, strict=True)]
    return max(float(a.mean()) for a in apart), max(float(a.max()) for a in apart)


def _last_frame(clip: str) -> Frame:
    from livematte.sources.synthetic import create

    with create(clip) as source:
        *_, last = source
    return last


def _cores() -> int:
    from livematte import _doctor

    return int(_doctor.cpu()["cores"] or 1)


def _surroundings() -> dict[str, Any]:
    """What a measurement depends on besides the weights."""
    from livematte import _doctor
    from livematte.engines import version_of

    cpu = _doctor.cpu()
    return {
        "packages": {name: version_of(name) for name in _registry.names("engines")},
        "machine": {"cpu": cpu["name"], "cores": cpu["cores"]},
    }


def _identities(spec: ModelSpec) -> list[str]:
    """Checksums of the files of one shape, as published; of what lies here where nobody published one."""
    return [file.sha256 or _digest(_weights.place(file)) for file in spec.files]


def _digest(path: Path) -> str:
    import hashlib

    return hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else "absent"


def _remember(spec: ModelSpec, choice: Choice) -> None:
    weights = [identity for shape in spec.shapes for identity in _identities(shape)]
    entries = _entries_kept()
    entries[spec.name] = {**asdict(choice), "weights": weights, **_surroundings()}
    _write(entries)


def _file() -> Path:
    return _weights.cache_dir() / "tune.json"


def _entries_kept() -> dict[str, Any]:
    """What the file holds; nothing if it is not there, harmed, or of another format."""
    try:
        kept = json.loads(_file().read_text(encoding="utf-8"))
        return dict(kept["models"]) if kept["format"] == FORMAT else {}
    except (OSError, ValueError, KeyError, TypeError):
        return {}


def _write(entries: Mapping[str, Any]) -> None:
    from livematte.engines._file import write_atomically

    text = json.dumps({"format": FORMAT, "models": entries}, indent=1)
    try:
        write_atomically(_file(), text.encode())
    except OSError as exc:
        raise OptionError(
            f"cannot write {_file()}: {exc.strerror or exc}; LIVEMATTE_CACHE names another folder"
        ) from exc
