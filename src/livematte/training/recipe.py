"""The recipe: what is trained for how long, at what size, with what done to the pictures; one TOML file.

Needs no torch: a recipe can be read, checked and printed on any machine.
"""

from __future__ import annotations

import sys
from dataclasses import asdict, dataclass, field, fields, is_dataclass
from pathlib import Path
from types import UnionType
from typing import Any, Union, get_args, get_origin, get_type_hints

from livematte._errors import OptionError

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

RECIPES = Path(__file__).parent / "recipes"
"""The recipes by name."""


@dataclass(frozen=True, slots=True)
class Stage:
    """A part of the training at one size, or at several in turn.

    Args:
        sizes: (width, height) of the pictures; step after step the next one is taken.
        pictures: how many are seen.
        batch: pictures of a step, of all processes together.
        lr: learning rate after the warm-up.
        lr_end: learning rate at the end; between them half a cosine.
        warmup: pictures until the learning rate is there.
        consistency: weight of the loss that asks for the same alpha under a small change.
    """

    sizes: tuple[tuple[int, int], ...]
    pictures: int
    batch: int
    lr: float
    lr_end: float = 1e-5
    warmup: int = 0
    consistency: float = 0.0

    @property
    def steps(self) -> int:
        """Steps of the optimiser."""
        return max(1, self.pictures // self.batch)


@dataclass(frozen=True, slots=True)
class Views:
    """How a picture is cut before it is kept for training.

    Args:
        per_picture: views of each picture; the first is the whole of it, or as much as `stretch` allows.
        area: smallest and largest part of the picture in a window.
        stretch: largest factor by which a view is stretched to the aspect of the network's input; those
            of windows lie evenly on both sides of none.
    """

    per_picture: int = 4
    area: tuple[float, float] = (0.25, 0.9)
    stretch: float = 1.4


@dataclass(frozen=True, slots=True)
class Augment:
    """What is done to pictures: the part of them that each step is done to, 0 switches it off.

    Args:
        flip: left and right exchanged.
        affine: scale, aspect, rotation and place.
        scale: smallest and largest factor.
        aspect: largest factor of width over height.
        rotate_deg: largest turn to either side.
        paste: a person of the batch before another picture of the batch, in its light.
        colour: brightness, contrast, saturation, gamma and white balance.
        dark: little light, with the noise that goes with it.
        noise: of a sensor.
        denoise: smoothed but for edges, noise or not, as cameras and preprocessing do it.
        blur: out of focus.
        jpeg: blocks and lost colour.
        fourier: coarse amplitudes of another picture.
        occlude: a thing before the person.
    """

    flip: float = 0.5
    affine: float = 0.7
    scale: tuple[float, float] = (0.75, 1.6)
    aspect: float = 1.25
    rotate_deg: float = 12.0
    paste: float = 0.15
    colour: float = 0.8
    dark: float = 0.1
    noise: float = 0.3
    blur: float = 0.2
    jpeg: float = 0.2
    fourier: float = 0.1
    occlude: float = 0.05
    denoise: float = 0.0


@dataclass(frozen=True, slots=True)
class Loss:
    """Weights of the losses.

    Args:
        bce: cross-entropy.
        iou: one minus the soft intersection over union.
        edge: cross-entropy in a band along the outline.
        edge_px: half the width of the band.
        l1: mean absolute difference of the alpha.
        aux: cross-entropy at 1/16, or of each side output that the network has.
    """

    bce: float = 1.0
    iou: float = 1.0
    edge: float = 0.5
    edge_px: int = 2
    l1: float = 0.0
    aux: float = 0.3


@dataclass(frozen=True, slots=True)
class Recipe:
    """Everything that decides the weights but the pictures.

    Args:
        net: a name of `net.CONFIGS`, `NAME:ARGUMENT` for a network of others (`nets/NAME.py`), or
            `init` for the network of the weights it starts from.
        stages: one after the other.
        seed: of every random number.
        width, depth: multipliers of our own networks.
        weight_decay: of AdamW.
        clip: largest norm of the gradient.
        ema: part of the averaged weights that a step keeps.
        bf16: whether convolutions run in bfloat16.
        recurrent: whether the network takes the previous matte as well; one whose weights take it does so anyway.
        doubt: part of the previous mattes that tell nothing or something wrong, half of them each; the more
            there are, the less the network leans on its past.
    """

    net: str
    stages: tuple[Stage, ...]
    seed: int = 1
    width: float = 1.0
    depth: float = 1.0
    weight_decay: float = 0.01
    clip: float = 5.0
    ema: float = 0.999
    bf16: bool = True
    recurrent: bool = False
    doubt: float = 0.5
    views: Views = field(default_factory=Views)
    augment: Augment = field(default_factory=Augment)
    loss: Loss = field(default_factory=Loss)

    @property
    def steps(self) -> int:
        """Steps of all stages."""
        return sum(stage.steps for stage in self.stages)

    def at(self, step: int) -> tuple[Stage, int]:
        """The stage that a step lies in, and the step's number there."""
        for stage in self.stages:
            if step < stage.steps:
                return stage, step
            step -= stage.steps
        raise OptionError(f"the recipe ends {step + 1} steps before this one")


def read_recipe(name: str) -> Recipe:
    """A recipe by its name (`fast`, `base`) or from a TOML file.

    Raises:
        OptionError: no such recipe, or a value that cannot be.
    """
    path = Path(name) if name.endswith(".toml") else RECIPES / f"{name}.toml"
    if not path.is_file():
        known = ", ".join(sorted(p.stem for p in RECIPES.glob("*.toml")))
        raise OptionError(f"no recipe {name!r}: there are {known}, or pass a .toml file")
    try:
        values = tomllib.loads(path.read_text(encoding="utf-8"))
    except (UnicodeDecodeError, tomllib.TOMLDecodeError) as exc:
        raise OptionError(f"{path} is not TOML: {exc}") from exc
    recipe: Recipe = _build(Recipe, values, str(path))
    for stage in recipe.stages:
        if stage.batch < 1 or stage.pictures < stage.batch or not stage.sizes:
            raise OptionError(f"{path}: a stage needs sizes, a batch of 1 or more, and as many pictures as that")
    if not recipe.stages:
        raise OptionError(f"{path}: a recipe needs stages")
    return recipe


def same(held: dict[str, Any], recipe: Recipe) -> bool:
    """Whether a checkpoint's recipe is this one; what it is too old to know of must be at its default.

    Args:
        held: the fields of the checkpoint's recipe.
        recipe: the one to go on with.
    """
    defaults = {item.name: item.default for item in fields(Recipe) if item.name in ("recurrent", "doubt")}
    known = {**defaults, **held, "augment": {**asdict(Augment()), **held["augment"]}}
    return known == asdict(recipe)


def _build(kind: Any, value: Any, place: str) -> Any:
    """`value` of a TOML file as `kind`, checked."""
    if is_dataclass(kind):
        if not isinstance(value, dict):
            raise OptionError(f"{place} must be a table, got {value!r}")
        hints = get_type_hints(kind)
        if unknown := value.keys() - hints.keys():
            names = ", ".join(item.name for item in fields(kind))
            raise OptionError(f"{place} has no {', '.join(sorted(unknown))}; there are: {names}")
        given = {key: _build(hints[key], held, f"{place}, {key}") for key, held in value.items()}
        try:
            return kind(**given)  # type: ignore[operator]
        except TypeError as exc:
            raise OptionError(f"{place}: {exc}") from exc
    if get_origin(kind) is tuple:
        if not isinstance(value, list):
            raise OptionError(f"{place} must be a list, got {value!r}")
        kinds = get_args(kind)
        if kinds[-1] is Ellipsis:
            kinds = (kinds[0],) * len(value)
        if len(kinds) != len(value):
            raise OptionError(f"{place} must have {len(kinds)} values, got {value!r}")
        return tuple(_build(k, v, place) for k, v in zip(kinds, value, strict=True))
    if kind is float and type(value) is int:
        return float(value)
    if get_origin(kind) in (Union, UnionType) or type(value) is not kind:
        raise OptionError(f"{place} must be {kind.__name__}, got {value!r}")
    return value
