#!/usr/bin/env python3
"""What JavaScript's engines have to find again: pictures, and what Python makes of them.

    python tests/web/networks.py FOLDER

pictures.json, pictures.bin   whole pictures (h, w, 3); for each network the small ones it is given, and its alphas
model.json, fast-tfjs/        what `livematte export --format tfjs` writes; only where torch is installed

The networks are `tfjs`, the `fast` one with random weights, as torch computes it, and `packaged`, that of the package,
by ONNX Runtime and LiteRT.
"""

from __future__ import annotations

import json
import sys
import tempfile
from collections.abc import Callable, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from material import U8, person, portrait

import livematte
from livematte import _registry
from livematte._frame import Frame, Size

Array = npt.NDArray[Any]

SIZE = Size(160, 96)
"""Of the exported network: neither square nor that of the package, and quick without vectors."""

ENGINES = {"onnxruntime": "livematte-fast-256x144.onnx", "litert": "livematte-fast-256x144.tflite"}
WEIGHTS = Path(livematte.__file__).parent / "models" / "weights" / "fast"


def main(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    blob = bytearray()

    def stored(array: Array) -> dict[str, Any]:
        blob.extend(bytes(-len(blob) % array.itemsize))
        blob.extend(np.ascontiguousarray(array).tobytes())
        return {"at": len(blob) - array.nbytes, "shape": array.shape}

    def known(size: Size, engines: dict[str, Callable[[Array], Array]]) -> dict[str, Any]:
        small = [Frame.from_rgb(picture).rgb(size) for picture in whole]
        alphas = {name: [stored(run(picture[None])) for picture in small] for name, run in engines.items()}
        return {"width": size.width, "height": size.height, "small": [stored(s) for s in small], "alphas": alphas}

    whole = pictures()
    found = {"whole": [stored(picture) for picture in whole], "packaged": known(*shipped())}
    if find_spec("torch") is not None:
        found["tfjs"] = known(SIZE, {"torch": exported(folder, whole)})
    (folder / "pictures.bin").write_bytes(bytes(blob))
    (folder / "pictures.json").write_text(json.dumps(found), encoding="utf-8")


def pictures() -> Sequence[U8]:
    """A square one, one of a camera, one of odd sides, and one that is made larger."""
    rgb = portrait()
    return rgb, next(iter(person())), rgb[100:461, 90:399], rgb[60:130, 180:280]


def shipped() -> tuple[Size, dict[str, Callable[[Array], Array]]]:
    """The package's network: its picture's size, and it by each engine, (1, h, w, 3) in, (1, h, w, 1) out.

    A recurrent one is given the alpha of the call before as well, at first zeros.
    """

    def by(engine: Any) -> Callable[[Array], Array]:
        apart = any(place.shape[1] == 3 for place in engine.inputs)
        order, back = ((0, 3, 1, 2), (0, 2, 3, 1)) if apart else ((0, 1, 2, 3), (0, 1, 2, 3))
        last = np.zeros(engine.outputs[0].shape, np.float32)

        def run(rgb: Array) -> Array:
            nonlocal last
            picture = np.ascontiguousarray(rgb.transpose(order))
            last = engine.run([picture if place.shape == picture.shape else last for place in engine.inputs])[0].copy()
            return last.transpose(back)

        return run

    engines = {
        name: _registry.create("engines", name, graph=WEIGHTS / file, threads=1) for name, file in ENGINES.items()
    }
    _, height, width, _ = engines["litert"].outputs[0].shape
    return Size(width, height), {name: by(engine) for name, engine in engines.items()}


def exported(folder: Path, whole: Sequence[U8]) -> Callable[[Array], Array]:
    """Export a network whose weights are noise, its statistics those of the pictures; returns it as torch runs it."""
    import torch

    from livematte.training import net as nets
    from livematte.training.export import export

    torch.set_num_threads(1)
    torch.manual_seed(7)
    net = nets.Net(nets.CONFIGS["fast"])
    small = torch.from_numpy(np.stack([Frame.from_rgb(picture).rgb(SIZE, planar=True) for picture in whole]))
    with torch.inference_mode():
        for _ in range(20):
            net(small)
        logits, _ = net.eval()(small)
        net.out.bias -= logits.mean()
        scale = 2 / logits.std()  # alphas from near 0 to near 1
        net.out.weight *= scale
        net.out.bias *= scale
    with tempfile.TemporaryDirectory() as held:
        weights = Path(held) / "weights.pt"
        torch.save(nets.weights(net), weights)
        export(weights, folder, sizes=[SIZE], formats=["tfjs"], name="fast")
    matting = nets.Matting(net).eval()

    def run(rgb: Array) -> Array:
        with torch.inference_mode():
            alpha: Array = matting(torch.from_numpy(rgb.transpose(0, 3, 1, 2).copy())).numpy()
        return alpha.transpose(0, 2, 3, 1)

    return run


if __name__ == "__main__":
    main(Path(sys.argv[1]))
