"""Recipes: the ones in the package, and what a wrong one is told. No torch is needed."""

from __future__ import annotations

from pathlib import Path

import pytest

from livematte._errors import OptionError
from livematte.training.recipe import RECIPES, Recipe, Stage, read_recipe

STAGE = "[[stages]]\nsizes = [[144, 80]]\npictures = 64\nbatch = 16\nlr = 1e-3\n"


@pytest.mark.parametrize("name", sorted(path.stem for path in RECIPES.glob("*.toml")))
def test_recipes_of_the_package(name: str) -> None:
    recipe = read_recipe(name)
    assert recipe.net in ("fast", "base", "init", "mediapipe:landscape", "timm:tf_efficientnet_lite0")
    assert recipe.steps == sum(stage.steps for stage in recipe.stages)


def test_stages_follow_each_other() -> None:
    first, second = (Stage(sizes=((144, 80),), pictures=n, batch=10, lr=0.1) for n in (30, 50))
    recipe = Recipe(net="fast", stages=(first, second))
    assert [recipe.at(step) for step in (0, 2, 3, 7)] == [(first, 0), (first, 2), (second, 0), (second, 4)]
    with pytest.raises(OptionError):
        recipe.at(8)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("net = 'fast'\nwhat = 1\n" + STAGE, "has no what; there are: net, stages"),
        ("net = 1\n" + STAGE, "net must be str, got 1"),
        ("net = 'fast'\nstages = []\n", "needs stages"),
        ("net = 'fast'\n", "stages"),
        ("net = 'fast'\n" + STAGE.replace("64", "8"), "as many pictures"),
        ("net = 'fast'\n" + STAGE.replace("[[144, 80]]", "[[144]]"), "must have 2 values"),
        ("net = 'fast'\n" + STAGE + "[augment]\nflip = 'yes'\n", "flip must be float, got 'yes'"),
        ("net = 'fast'\n" + STAGE + "[loss]\nedge_px = 1.5\n", "edge_px must be int"),
        ("net = ", "is not TOML"),
    ],
)
def test_a_wrong_recipe_is_told_where(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "r.toml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(OptionError, match=message):
        read_recipe(str(path))


def test_an_unknown_recipe_is_answered_with_the_list() -> None:
    with pytest.raises(
        OptionError,
        match=r"there are base, base-recurrent, .*, research, research-fast, smoke, student",
    ):
        read_recipe("none")
