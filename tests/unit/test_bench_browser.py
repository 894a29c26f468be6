"""docs/bench-browser.md says what web/bench/results.json holds."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
RESULTS = ROOT / "web" / "bench" / "results.json"
FIGURES = ("fps", "cpu_ms", "main_percent", "first_warm_ms", "first_cold_ms", "rss_mb", "load")


@pytest.fixture(scope="module")
def results() -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads(RESULTS.read_text(encoding="utf-8"))
    return loaded


def test_the_page_holds_the_table_of_the_results() -> None:
    node = shutil.which("node")
    assert node, "Node 20+ is needed"
    command = [node, str(ROOT / "web" / "bench" / "table.mjs")]
    table = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    page = (ROOT / "docs" / "bench-browser.md").read_text(encoding="utf-8")
    assert table in page, "run `node web/bench/table.mjs --write`"


def test_every_row_has_its_figures(results: dict[str, Any]) -> None:
    assert {row["browser"] for row in results["rows"]} == {"chromium", "firefox"}
    assert {row["size"] for row in results["rows"]} == {"720p30", "360p60"}
    for row in results["rows"]:
        if "failed" in row:
            assert "livematte" not in row["contestant"], row
            continue
        for figure in FIGURES:
            assert row[figure]["lowest"] <= row[figure]["median"] <= row[figure]["highest"], (row["contestant"], figure)


def test_the_results_name_what_was_measured(results: dict[str, Any]) -> None:
    packages = json.loads((ROOT / "web" / "bench" / "package.json").read_text(encoding="utf-8"))["dependencies"]
    assert results["packages"].items() <= packages.items()
    assert results["machine"]["cpu"]
    assert results["rounds"] >= 3
