"""custom: any network of one picture, from a file, with a `model.json` that says how it wants its picture.

`custom:PATH` names the .onnx or .tflite file, with `model.json` beside it, or the `model.json` itself; of a
`model.json` that lists the network in several sizes each picture goes to the one it is stretched to least.
Its keys are those that `livematte export` writes; `docs/models.md` lists them. What is left out means
what it means there: RGB from 0 to 1, stretched, and an alpha as the first output.
"""

from __future__ import annotations

from pathlib import Path

from livematte._errors import OptionError, WeightsError
from livematte._frame import Size
from livematte._stages import Segmenter
from livematte.models import _facts
from livematte.models._aspect import AspectSegmenter
from livematte.models._load import load_engine
from livematte.models._network import NetworkSegmenter, Picture
from livematte.models._picture import PictureSegmenter
from livematte.models._spec import ModelSpec

SPECS: dict[str, ModelSpec] = {}
"""None: every file is a model of its own."""


def create(
    argument: str | None, *, engine: str = "auto", threads: int | None = None, weights: str | Path | None = None
) -> Segmenter:
    """`custom:PATH`.

    Args:
        argument: path of the network, or of its `model.json`.
        engine: `auto`, or an engine's name.
        threads: None leaves the number to the engine.
        weights: another file of the same network.

    Raises:
        OptionError: no path, or a `model.json` that says what cannot be done.
        MissingExtra, WeightsError, LoadError.
    """
    if not argument:
        raise OptionError(f"custom takes a path, as in custom:net.onnx, with {_facts.FACTS} beside the file")
    given = Path(argument)
    if weights is None and not given.exists():
        raise WeightsError(f"custom: there is no file {given}")
    path = given if given.suffix == ".json" else given.with_name(_facts.FACTS)
    facts = _facts.read(path)
    picture = _facts.section(facts, "input", path)
    size = _facts.size_of(picture, path)
    if weights is not None:
        net = Path(weights)
    else:
        net = _facts.network_of(facts, path, size) if given.suffix == ".json" else given
    name = f"custom:{_facts.name_of(facts) or net.stem}"
    wants, means = _facts.picture_of(picture, path), _facts.scores_of(_facts.section(facts, "output", path), path)

    dim = picture.get("lighten", False)
    apart = bool(facts.get("recurrent")) or dim is True
    if not isinstance(dim, bool) or (apart and wants != Picture()):
        raise OptionError(
            f"{path}: lighten is true or false; it, and recurrent, go with a stretched picture in RGB from 0 to 1, "
            f"got lighten {dim!r:.40} and {wants}"
        )

    def load(net: Path, size: Size | None) -> NetworkSegmenter | PictureSegmenter:
        known = ModelSpec(
            name, size or Size(1, 1), (), "", None, "", "", open_size=size is not None and net.suffix == ".onnx"
        )
        if apart:
            return PictureSegmenter(name, load_engine(known, engine, threads, net), size, lighten=dim)
        return NetworkSegmenter(name, load_engine(known, engine, threads, net), size, picture=wants, scores=means)

    shapes = _facts.shapes_of(facts, path) if given.suffix == ".json" and weights is None else {}
    if len(shapes) < 2 or size not in shapes:
        return load(net, size)
    usual = [size, *(shape for shape in shapes if shape != size)]
    return AspectSegmenter(usual, lambda shape: load(shapes[shape], shape))
