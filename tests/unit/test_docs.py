"""What README, docs and examples show is run: a page that lies fails here."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
EXAMPLES = sorted((ROOT / "examples").glob("*.py"))
LONGEST_EXAMPLE_LINES = 40


def blocks(page: Path, language: str) -> list[tuple[int, str]]:
    """Fenced blocks of a page: line number and text."""
    text = page.read_text(encoding="utf-8")
    found = re.finditer(rf"^```{language}\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    return [(text.count("\n", 0, match.start()) + 2, match[1]) for match in found]


def snippets(language: str) -> list[object]:
    """Every block of a language as a test parameter named after its place."""
    return [
        pytest.param(text, id=f"{page.relative_to(ROOT)}:{line}")
        for page in PAGES
        for line, text in blocks(page, language)
    ]


def python(arguments: list[str], folder: Path) -> subprocess.CompletedProcess[str]:
    """Run this interpreter in a folder, warnings as errors."""
    command = [sys.executable, "-W", "error", *arguments]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False, timeout=120)


@pytest.mark.parametrize("code", snippets("python"))
def test_python_snippet_runs(code: str, tmp_path: Path) -> None:
    done = python(["-c", code], tmp_path)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("block", snippets("console"))
def test_commands_of_the_docs_exist(block: str, options_of: dict[str, set[str]]) -> None:
    for line in re.split(r"[\n|]", block):
        words = shlex.split(line, comments=True)
        if words[:1] != ["livematte"]:
            continue
        command = next((name for name in (" ".join(words[1:3]), words[1]) if name in options_of), None)
        assert command is not None, f"no such command: {line}"
        for word in words:
            assert not word.startswith("-") or word == "-" or word in options_of[command], f"{word} in: {line}"


@pytest.fixture(scope="module")
def options_of() -> dict[str, set[str]]:
    """Every command (`blur`, `models pull`) and its options, from the parser itself."""
    from livematte.cli import _app

    def walk(command: object, path: str) -> dict[str, set[str]]:
        found = {path: {"-h", "--help", *(o for p in command.params for o in (*p.opts, *p.secondary_opts))}}
        for name, child in getattr(command, "commands", {}).items():
            found |= walk(child, f"{path} {name}".strip())
        return found

    return walk(_app.build(), "")


def test_links_between_pages_lead_somewhere() -> None:
    broken = [
        f"{page.relative_to(ROOT)} -> {target}"
        for page in PAGES
        for target in re.findall(r"\]\((?!https?://|#)([^)#]+)", page.read_text(encoding="utf-8"))
        if not (page.parent / target).exists()
    ]
    assert broken == []


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda path: path.name)
def test_examples_stay_short(example: Path) -> None:
    assert len(example.read_text(encoding="utf-8").splitlines()) <= LONGEST_EXAMPLE_LINES


def test_portrait_clip(astronaut_path: Path, tmp_path: Path) -> None:
    import av

    done = python([str(ROOT / "examples" / "portrait_clip.py"), str(astronaut_path), "clip.mp4"], tmp_path)
    assert done.returncode == 0, done.stderr
    with av.open(str(tmp_path / "clip.mp4")) as clip:
        assert sum(1 for _ in clip.decode(video=0)) == 90


def test_live_loop(carphone: Path, tmp_path: Path) -> None:
    done = python([str(ROOT / "examples" / "live_loop.py"), str(carphone)], tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("120 frames, 0 covered, ")


def test_batch_images_goes_on_after_a_bad_file(astronaut_path: Path, tmp_path: Path) -> None:
    photos = tmp_path / "photos"
    photos.mkdir()
    (photos / "a-broken.png").write_bytes(b"no picture")
    (photos / "b.png").write_bytes(astronaut_path.read_bytes())
    done = python([str(ROOT / "examples" / "batch_images.py"), "photos", "cut"], tmp_path)
    assert done.returncode == 0, done.stderr
    assert "a-broken.png" in done.stderr
    assert [path.name for path in (tmp_path / "cut").iterdir()] == ["b.png"]


def test_custom_effect(carphone: Path, tmp_path: Path) -> None:
    import av

    done = python([str(ROOT / "examples" / "custom_effect.py"), str(carphone), "out.mp4"], tmp_path)
    assert done.returncode == 0, done.stderr
    with av.open(str(tmp_path / "out.mp4")) as clip:
        frame = next(clip.decode(video=0))
    # A corner of the room has lost its colour: both chroma planes are neutral there.
    corner = frame.to_ndarray(format="yuv444p")[1:, :12, -12:]
    assert abs(corner.astype(int) - 128).max() <= 4
