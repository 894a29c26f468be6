"""Which files of a folder are pictures."""

from __future__ import annotations

from pathlib import Path

SUFFIXES = (".png", ".jpg", ".jpeg", ".webp", ".bmp")
"""Endings of pictures."""


def picture_files(folder: Path) -> list[Path]:
    """The pictures of a folder, or of the `images/` in it, by name.

    Hidden files are none: they are what a program that was killed had half written.

    Returns:
        Their paths; none where there is no such folder.
    """
    inside = folder / "images" if (folder / "images").is_dir() else folder
    if not inside.is_dir():
        return []
    return sorted(p for p in inside.iterdir() if p.suffix.lower() in SUFFIXES and not p.name.startswith("."))
