"""Names that are one on a system that knows no capitals."""

from __future__ import annotations

import pytest

from livematte._alike import alike


@pytest.mark.parametrize(
    ("names", "two"),
    [
        ([], None),
        (["a", "b", "ab"], None),
        (["a", "b", "A", "B"], ("a", "A")),
        (["a", "a"], ("a", "a")),
        (["Stra\u00dfe", "STRASSE"], ("Stra\u00dfe", "STRASSE")),
        (["caf\u00e9", "cafe\u0301"], ("caf\u00e9", "cafe\u0301")),
        (["cafe", "caf\u00e9"], None),
    ],
)
def test_the_first_two_that_are_one(names: list[str], two: tuple[str, str] | None) -> None:
    assert alike(names, str) == two


def test_the_name_is_what_the_item_says() -> None:
    assert alike([1, 22, 3, 4], lambda number: "x" * len(str(number))) == (1, 3)
