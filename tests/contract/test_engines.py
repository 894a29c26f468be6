"""Every registered engine runs a network of ours, and keeps the promises of `Engine`."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from livematte import _registry
from livematte._errors import InferenceError, LoadError
from livematte.engines import Engine, version_of

F32 = npt.NDArray[np.float32]

NAMES = _registry.names("engines")
GOLDEN = Path(__file__).parents[1] / "golden"
ROUNDS = 8
"""Runs of each thread in the test of threads: enough for them to overlap."""


def graph_for(name: str) -> Path:
    """A network in a format that the engine takes: one picture in, one alpha out."""
    module = _registry.load("engines", name)
    for suffix in (*module.READS, *module.CONVERTS):
        path = GOLDEN / f"network-256x144{suffix}"
        if path.is_file():
            return path
    pytest.fail(f"there is no golden network that {name} takes: it reads {module.READS}")


def load(name: str, **options: Any) -> Engine:
    if not _registry.load("engines", name).installed():
        pytest.skip(f"the runtime of {name} is not installed")
    engine: Engine = _registry.create("engines", name, graph=graph_for(name), **options)
    return engine


@pytest.fixture(params=NAMES)
def engine(request: pytest.FixtureRequest) -> Iterator[Engine]:
    engine = load(request.param)
    yield engine
    engine.close()


def pictures(engine: Engine, seed: int = 0) -> list[F32]:
    random = np.random.default_rng(seed)
    return [random.random(t.shape, np.float32) for t in engine.inputs]


def test_there_are_engines() -> None:
    assert {"litert", "onnxruntime", "openvino", "torch"} <= set(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_module_says_what_it_reads(name: str) -> None:
    module = _registry.load("engines", name)
    assert module.READS
    assert all(suffix.startswith(".") for suffix in (*module.READS, *module.CONVERTS))
    assert isinstance(module.installed(), bool)
    assert version_of(name) or not module.installed()


@pytest.mark.parametrize("name", NAMES)
def test_every_variant_runs_and_says_where(name: str) -> None:
    plain = load(name)
    for variant in getattr(_registry.load("engines", name), "variants", tuple)():
        engine: Engine = _registry.create("engines", variant, graph=graph_for(name))
        assert engine.name == name
        assert engine.runs_on != plain.runs_on
        np.testing.assert_allclose(engine.run(pictures(engine))[0], plain.run(pictures(plain))[0], atol=0.2)
        engine.close()
    plain.close()


@pytest.mark.parametrize("name", NAMES)
def test_importing_the_module_loads_no_runtime(name: str) -> None:
    code = (
        "import sys\n"
        "import numpy.typing\n"
        "from livematte import _registry\n"
        "before = set(sys.modules)\n"
        f"module = _registry.load('engines', {name!r}); module.installed()\n"
        "new = {m.partition('.')[0] for m in set(sys.modules) - before} - {'livematte'}\n"
        "print(sorted(new - sys.stdlib_module_names))\n"
    )
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert out == "[]\n"


def test_engine_keeps_the_protocol(engine: Engine) -> None:
    assert isinstance(engine, Engine)
    assert engine.name in NAMES
    assert engine.runs_on
    for tensor in (*engine.inputs, *engine.outputs):
        assert tensor.name
        assert all(isinstance(n, int) and n > 0 for n in tensor.shape)


def test_outputs_have_the_promised_shapes(engine: Engine) -> None:
    outputs = engine.run(pictures(engine))
    assert [o.shape for o in outputs] == [t.shape for t in engine.outputs]
    assert {o.dtype for o in outputs} == {np.dtype(np.float32)}
    assert outputs[0].std() > 0


def test_inputs_are_left_alone_and_outputs_are_new(engine: Engine) -> None:
    inputs = pictures(engine)
    kept = [a.copy() for a in inputs]
    first = engine.run(inputs)
    first_kept = first[0].copy()
    engine.run(pictures(engine, seed=1))
    assert all(np.array_equal(a, b) for a, b in zip(inputs, kept, strict=True))
    assert np.array_equal(first[0], first_kept)
    first[0][:] = 0  # the caller's own


def test_same_input_same_output(engine: Engine) -> None:
    first = engine.run(pictures(engine))[0]
    engine.run(pictures(engine, seed=1))
    assert np.array_equal(engine.run(pictures(engine))[0], first)


def test_read_only_inputs_are_taken(engine: Engine) -> None:
    inputs = pictures(engine)
    expected = engine.run(inputs)[0]
    for array in inputs:
        array.flags.writeable = False
    assert np.array_equal(engine.run(inputs)[0], expected)


@pytest.mark.parametrize("wrong", ["none", "two", "shape", "float64"])
def test_wrong_inputs_are_refused(engine: Engine, wrong: str) -> None:
    (good,) = pictures(engine)
    inputs: dict[str, list[Any]] = {
        "none": [], "two": [good, good], "shape": [good[:, :-1]], "float64": [good.astype(np.float64)],
    }  # fmt: skip
    with pytest.raises(InferenceError, match="the graph takes"):
        engine.run(inputs[wrong])
    engine.run([good])  # and goes on


@pytest.mark.parametrize("name", NAMES)
def test_threads_do_not_change_the_result(name: str) -> None:
    one, two = load(name, threads=1), load(name, threads=2)
    np.testing.assert_allclose(two.run(pictures(two))[0], one.run(pictures(one))[0], atol=1e-5)


def test_several_threads_at_once(engine: Engine) -> None:
    seeds = range(3)
    expected = [engine.run(pictures(engine, seed))[0] for seed in seeds]
    wrong: list[Any] = []
    start = threading.Barrier(len(seeds))

    def work(seed: int) -> None:
        inputs = pictures(engine, seed)
        start.wait()
        try:
            same = [np.array_equal(engine.run(inputs)[0], expected[seed]) for _ in range(ROUNDS)]
            if not all(same):
                wrong.append(f"another thread's result for seed {seed}")
        except Exception as exc:  # shown by the test's own thread
            wrong.append(exc)

    threads = [threading.Thread(target=work, args=(seed,)) for seed in seeds]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []


def test_close_twice_then_refuse(engine: Engine) -> None:
    inputs = pictures(engine)
    engine.close()
    engine.close()
    with pytest.raises(InferenceError, match="closed"):
        engine.run(inputs)


@pytest.mark.parametrize("name", NAMES)
def test_damaged_graph_is_named(name: str, tmp_path: Path) -> None:
    good = graph_for(name)
    load(name).close()
    bad = tmp_path / f"bad{good.suffix}"
    bad.write_bytes(good.read_bytes()[:1000])
    with pytest.raises(LoadError, match=r"bad\."):
        _registry.create("engines", name, graph=bad)
