"""scripts/gallery: rows of a user's clip, and the committed ones with what is said about them."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np

ROOT = Path(__file__).parents[2]
GALLERY = ROOT / "docs" / "gallery"
MOST_BYTES = 1_500_000


def gallery(*arguments: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-W", "error", str(ROOT / "scripts" / "gallery"), *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)


def test_rows_of_a_clip(carphone: Path, tmp_path: Path) -> None:
    done = gallery(carphone, "-o", tmp_path / "rows", "--rows", 3)
    assert done.returncode == 0, done.stderr
    files = sorted((tmp_path / "rows").iterdir())
    assert [str(file) for file in files] == done.stdout.split()
    assert [file.name for file in files] == ["frame-00020.jpg", "frame-00060.jpg", "frame-00100.jpg"]
    row = cv2.imread(str(files[0])).astype(int)
    assert row.shape == (22 + round(320 * 144 / 176), 4 * 320 + 3 * 4, 3)
    picture, alone, everything, blurred = (row[22:, left : left + 320] for left in range(0, 4 * 324, 324))
    green = [np.abs(panel - (64, 177, 0)).sum(axis=2) < 60 for panel in (picture, alone, everything, blurred)]
    parts = [part.mean() for part in green]
    assert parts[0] == parts[3] == 0
    assert 0.1 < parts[1] < 0.9
    assert 0.1 < parts[2] < 0.9
    # blurred: the person stays, what was green is smooth
    person = ~green[2]
    assert np.abs(blurred - picture)[person].mean() < 0.5 * np.abs(blurred - picture)[green[2]].mean()


def test_one_clear_line_on_a_mistake(tmp_path: Path) -> None:
    done = gallery(tmp_path / "missing.mp4", "-o", tmp_path / "rows")
    assert done.returncode != 0
    assert "missing.mp4" in done.stderr
    assert done.stderr.count("\n") == 1


def test_every_picture_is_on_the_page_and_they_are_small() -> None:
    page = (GALLERY / "README.md").read_text(encoding="utf-8")
    pictures = {path.name for path in GALLERY.iterdir()} - {"README.md"}
    assert set(re.findall(r"!\[[^]]+\]\(([^)]+)\)", page)) == pictures
    sections = page.split("\n## ")[1:]
    assert len(sections) == len(pictures)
    assert all(re.search(r"\*\*(Still fails|Fails):\*\* \w", section) for section in sections)
    assert sum(path.stat().st_size for path in GALLERY.iterdir()) < MOST_BYTES
