"""Which files of a folder are pictures."""

from __future__ import annotations

from pathlib import Path

import pytest

from livematte._errors import OpenError, SourceError
from livematte.training.folder import picture_files


def test_pictures_by_name_without_what_is_hidden_or_something_else(tmp_path: Path) -> None:
    for name in ("b.png", "a.JPG", ".c.png.part.png", "notes.txt"):
        (tmp_path / name).touch()
    assert [path.name for path in picture_files(tmp_path)] == ["a.JPG", "b.png"]


def test_the_images_of_a_data_folder(tmp_path: Path) -> None:
    (tmp_path / "images").mkdir()
    (tmp_path / "images" / "a.png").touch()
    (tmp_path / "sheet.png").touch()
    assert picture_files(tmp_path) == [tmp_path / "images" / "a.png"]


def test_no_pictures(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="holds no pictures"):
        picture_files(tmp_path)
    with pytest.raises(OpenError, match="cannot read the folder"):
        picture_files(tmp_path / "missing")
