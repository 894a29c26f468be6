"""README's figures, the tables of docs/bench.md, docs/engines.md and docs/models.md, and the package's quality.json,
made from results/*.json and web/bench/results.json.

python bench/table.py            write them
python bench/table.py --check    fail if they differ from the results
"""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path
from typing import Any

from contestants import CONTESTANTS
from livematte import _bench_models, _quality

ROOT = Path(__file__).parents[1]
RESULTS = Path(__file__).parent / "results"
BROWSER = ROOT / "web" / "bench" / "results.json"

IN_BROWSER = {"livematte": "livematte:fast", "livematte-mediapipe": "mediapipe:landscape"}
"""Contestants of web/bench and the networks they run."""

BEGIN, END = "<!-- bench:begin -->", "<!-- bench:end -->"

FILE_LABELS = {
    "ends": "decoding and encoding alone",
    "ends_blurred": "the same with the blurred clip, which encodes faster",
    "pyav": "decoding and encoding alone, PyAV in one loop",
    "blur": "`livematte blur`",
    "default": "`livematte blur` with its own network",
    "careful": "careful OpenCV in RGB between PyAV's ends",
}

PART_LABELS = {
    "downscale_rgb": "planes to the network's picture",
    "network": "network",
    "temporal": "steadying over time",
    "guided": "guided filter, network's size",
    "apply_guided": "guided filter, full size",
    "blur_plate": "blur without the person",
    "composite": "composite",
    "python": "Python between them",
}

Results = dict[str, Any]


def main(arguments: list[str]) -> None:
    results = read()
    stale = []
    pages = {"README.md": readme, "docs/bench.md": tables, "docs/engines.md": engines, "docs/models.md": models}
    for page, text in ((ROOT / name, maker(results)) for name, maker in pages.items()):
        old = page.read_text(encoding="utf-8")
        new = filled(old, text)
        if new != old and "--check" in arguments:
            stale.append(page.name)
        elif new != old:
            page.write_text(new, encoding="utf-8")
    data = package(results)
    if data != _quality.FILE.read_text(encoding="utf-8") and "--check" in arguments:
        stale.append(_quality.FILE.name)
    elif "--check" not in arguments:
        _quality.FILE.write_text(data, encoding="utf-8")
    if stale:
        raise SystemExit(f"{' and '.join(stale)} show other figures than bench/results: run python bench/table.py")


def read() -> Results:
    """Every results file by name."""
    return {path.stem: json.loads(path.read_text(encoding="utf-8")) for path in sorted(RESULTS.glob("*.json"))}


def filled(page: str, text: str) -> str:
    """The page with `text` between its marks."""
    marked = re.compile(rf"(?<={re.escape(BEGIN)}\n).*?(?={re.escape(END)})", re.DOTALL)
    if not marked.search(page):
        raise SystemExit(f"the page has no {BEGIN} and {END}, each on a line of its own")
    return marked.sub(lambda _: text, page)


def readme(results: Results) -> str:
    """The short version."""
    frames, files = results["frames"], results["files"]
    soak, startup = results["soak"]["file"], results["startup"]
    return "\n".join(
        [
            "Milliseconds a frame on one core, median and (95th percentile), and **how many times livematte's**, "
            f"measured in turns in one run. {subject(frames)}",
            "",
            *frame_table(frames, "one"),
            "",
            f"Whole files, H.264 to H.264 (x264 veryfast), {len(files['pinned_to']) or 'all'} cores, "
            f"{file_caption(files)}",
            "",
            *file_table(files),
            "",
            f"{soak['frames']:,} frames through files at {results['soak']['size']}: {soak['max_rss_mb']:.0f} MB of "
            f"memory at most, {soak['growth_mb']:.1f} MB more than after 500 frames. "
            f"`from livematte import Blur, Session` takes {startup['beyond_numpy_ms']['median']:.0f} ms beyond NumPy.",
            "",
            f"The machine: {cpu(frames)}; {frames['machine']['date']}, commit {frames['machine']['commit']}. What the "
            "rows are, all threads, stage by stage: [docs/bench.md](docs/bench.md). On your device: `livematte bench`.",
            "",
        ]
    )


def tables(results: Results) -> str:
    """Everything."""
    frames = results["frames"]
    lines = [
        f"{subject(frames)} {machine(frames)}",
        "",
        "One thread, pinned to one core; milliseconds, median (95th percentile), ratio to livematte:",
        "",
        *frame_table(frames, "one"),
        "",
        "All threads, in OpenCV and in the network:",
        "",
        *frame_table(frames, "all", rss=False),
        "",
        "Processor time, one thread: milliseconds, median, and ratio to livematte:",
        "",
        *frame_table(frames, "one", rss=False, clock="cpu"),
        "",
        "A frame of livematte taken apart, one thread, median milliseconds (the clock itself costs some):",
        "",
        *part_table(frames),
        "",
        f"Whole files, {file_caption(results['files'])}",
        "",
        *file_table(results["files"]),
        "",
        f"{results['soak']['frames']:,} frames at {results['soak']['size']}; memory in MB:",
        "",
        *soak_table(results["soak"]),
        "",
        "New interpreters, milliseconds, medians of "
        f"{results['startup']['rounds']}: {startup_line(results['startup'])}",
        "",
        *(graph_table(results["graphs"]) if "graphs" in results else ()),
    ]
    return "\n".join(lines)


def subject(frames: Results) -> str:
    """What everybody did."""
    return (
        f"`{frames['effect']}`, from I420 in memory to I420 in memory, {frames['network']} for everybody but "
        "the row that says otherwise."
    )


def machine(figures: Results) -> str:
    """The machine and what ran on it, in one sentence."""
    it = figures["machine"]
    packages = ", ".join(f"{name} {version}" for name, version in it["packages"].items() if version)
    return f"{cpu(figures)}, {it['os']}, Python {it['python']}, {packages}; {it['date']}, commit {it['commit']}."


def cpu(figures: Results) -> str:
    it = figures["machine"]
    return f"{it['cpu']['name']} with {it['cpu']['cores']} cores, {it['kernels'].get('variant')} kernels"


def frame_table(frames: Results, threads: str, *, rss: bool = True, clock: str = "wall") -> list[str]:
    """Contestants down, sizes across."""
    sizes = list(frames[threads])
    ratio = "ratio" if clock == "wall" else "cpu_ratio"
    memory = frames["rss_mb"] if rss else {}
    rows = [header(["", *sizes, *(["peak memory"] if memory else [])])]
    for key, contestant in CONTESTANTS.items():
        cells = []
        for size in sizes:
            found = frames[threads][size][key]
            p95 = f" ({ms(found[clock]['p95_ms'])})" if clock == "wall" else ""
            times = "" if key == "ours" else f" **{found[ratio]['median']:.2f}x**"
            cells.append(f"{ms(found[clock]['p50_ms'])}{p95}{times}")
        if memory:
            cells.append(f"{memory[key]:.0f} MB")
        rows.append(row([contestant.label, *cells]))
    return rows


def part_table(frames: Results) -> list[str]:
    sizes = list(frames["parts"])
    rows = [header(["", *sizes])]
    for part, label in PART_LABELS.items():
        times = (frames["parts"][size]["parts"].get(part) for size in sizes)
        rows.append(row([label, *(ms(found["p50_ms"]) if found else "-" for found in times)]))
    rows.append(row(["whole frame, undisturbed", *(ms(frames["parts"][size]["frame"]["p50_ms"]) for size in sizes)]))
    return rows


def file_caption(files: Results) -> str:
    return (
        f"{files['frames']} frames; frames a second, best of {files['rounds']} rounds each, and part of decoding and "
        "encoding alone:"
    )


def file_table(files: Results) -> list[str]:
    """The best round of each: a run takes seconds of both cores, and whatever else wants them
    then is not ours to count. The medians are in the JSON.
    """
    sizes = list(files["sizes"])
    rows = [header(["", *sizes])]
    for key, label in FILE_LABELS.items():
        cells = []
        for size in sizes:
            fps, alone = (files["sizes"][size][name]["best_fps"] for name in (key, "ends"))
            cells.append(f"{fps:.0f}" + ("" if key == "ends" else f" **{100 * fps / alone:.0f} %**"))
        rows.append(row([label, *cells]))
    return rows


def soak_table(soak: Results) -> list[str]:
    rows = [header(["", "after 500", "at the end", "highest", "threads", "open files"])]
    for key, label in (("file", "through files"), ("session", "`Session.process_frame`")):
        it = soak[key]
        counts = ("/".join(map(str, it[name])) for name in ("threads", "open_files"))
        memory = (f"{it[name]:.1f}" for name in ("settled_rss_mb", "last_rss_mb", "max_rss_mb"))
        rows.append(row([label, *memory, *counts]))
    return rows


def graph_table(graphs: Results) -> list[str]:
    """Networks in every format: size, time, quality."""
    peer = graphs["peer"]
    beside = f"; ratio to {peer['name']}, {ms(peer['wall']['p50_ms'])} ms on LiteRT" if peer else ""
    rows = [
        f"Our networks pruned and quantised, at {graphs['size']}, one core, median milliseconds{beside}. Quality is "
        f"that of the graph alone, unrefined, on {graphs['rows'][0]['pictures']} wide pictures of {graphs['data']}; "
        f"MAD x1000. Ranges of int8 are those of 16 pictures of {graphs['calibrate']}. {machine(graphs)}",
        "",
        header(["network", "format", "multiply-adds", "kB", "ms", "IoU", "boundary F", "MAD"]),
    ]
    for it in graphs["rows"]:
        ratio = f" **{it['ratio']['median']:.2f}x**" if peer else ""
        rows.append(
            row(
                [
                    it["network"],
                    f"`{it['format']}`",
                    f"{it['multiply_adds'] / 1e6:.1f} M",
                    f"{it['size_bytes'] / 1e3:,.0f}",
                    f"{ms(it['wall']['p50_ms'])}{ratio}",
                    f"{it['iou']:.3f}",
                    f"{it['boundary_f']:.3f}",
                    f"{1e3 * it['mad']:.1f}",
                ]
            )
        )
    return [*rows, ""]


def engines(results: Results) -> str:
    """Engines on the same weights."""
    return "\n".join(engine_table(results["engines"]))


def models(results: Results) -> str:
    """Models side by side."""
    return "\n".join(model_table(results["models"], results["quality"]))


def package(results: Results) -> str:
    """The text of the package's quality.json: what `livematte choose` knows of models and browsers."""
    quality, browser = results["quality"], json.loads(BROWSER.read_text(encoding="utf-8"))
    it = quality["machine"]
    chromium = {
        IN_BROWSER[row["contestant"]]: row["above_passthrough_ms"]
        for row in browser["rows"]
        if (row["browser"], row["size"]) == ("chromium", "720p30") and row["contestant"] in IN_BROWSER
    }
    native = {row["model"]: row["cpu_ms"] for row in results["models"]["rows"] if row["model"] in chromium}
    facts = {
        "format": _quality.FORMAT,
        "made_by": "python bench/quality.py",
        "data": quality["data"],
        "clips": quality["clips"],
        "side_px": quality["side_px"],
        "date": it["date"],
        "commit": it["commit"],
        "models": {
            row["model"]: {key: value for key, value in row.items() if key not in ("model", "pictures")}
            for row in quality["rows"]
        },
        "browser": {
            "made_by": browser["command"],
            "frame": "1280x720 at 30 frames a second",
            "version": browser["browsers"]["chromium"],
            "machine": f"{browser['machine']['cpu']}, {browser['machine']['cores']} cores, no graphics card",
            "date": browser["date"],
            "chromium_ms": chromium,
            "native_ms": native,
        },
    }
    return json.dumps(facts, indent=1, ensure_ascii=False) + "\n"


def engine_table(figures: Results) -> list[str]:
    """Milliseconds and distance from the reference; a row for each model, a column for each engine."""
    cells: dict[str, dict[str, str]] = {}
    for it in figures["rows"]:
        if "why_not" in it:
            cells.setdefault(it["model"], {})[it["engine"]] = "-"
            continue
        apart = "" if it["ratio"]["median"] == 1 and not it["mean_of_255"] else f" ({distance(it['mean_of_255'])})"
        cells.setdefault(it["model"], {})[it["engine"]] = f"{ms(it['wall']['p50_ms'])}{apart}"
    names = list(next(iter(cells.values())))
    return [
        f"Milliseconds of one matte on one core, median, in turns; in brackets the mean difference to ONNX Runtime's "
        f"matte in steps of 8 bits, for the worst of {figures['pictures']} pictures of {figures['data']}. "
        f"{machine(figures)}",
        "",
        header(["", *(f"`{name}`" for name in names)]),
        *(row([f"`{model}`", *(found[name] for name in names)]) for model, found in cells.items()),
        "",
    ]


def distance(steps: float) -> str:
    return f"{steps:.2f}" if steps >= 0.005 else "<.005"


def model_table(figures: Results, quality: Results) -> list[str]:
    """Every model whose weights were there, the highest IoU first."""
    scores = {row["model"]: row for row in quality["rows"]}
    terms = {True: "yes", False: "no", None: "unclear"}
    head = [
        "model",
        "IoU",
        "boundary F",
        "flicker",
        "frame, ms",
        "processor, ms",
        "memory, MB",
        "engine",
        "licence",
        "commercial use",
    ]
    rows = [
        f"`{figures['effect']}` on {figures['frame']}, one thread, the engine that `auto` takes on a device that was "
        f"not tuned, each model in a process of its own. IoU and boundary F are means over {quality['data']}, flicker "
        f"x1000 is that of {' and '.join(quality['clips'])}, with the usual refinement. {machine(figures)}",
        "",
        header(head),
    ]
    for it in sorted(figures["rows"], key=lambda it: scores[it["model"]]["iou"], reverse=True):
        if "error" in it:
            rows.append(row([f"`{it['model']}`", f"failed: {it['error']}", *["-"] * (len(head) - 2)]))
            continue
        found = scores[it["model"]]
        good = [f"{found['iou']:.3f}", f"{found['boundary_f']:.3f}", f"{found['flicker']:.2f}"]
        cells = [*good, ms(it["frame_ms"]), ms(it["cpu_ms"]), f"{it['peak_mb']:.0f}"]
        rows.append(row([f"`{it['model']}`", *cells, it["engine"], it["licence"], terms[it["commercial"]]]))
    absent = _bench_models.by_family(figures["not_here"])
    return [*rows, "", f"Not measured, their weights were not there: {absent or 'none'}.", ""]


def startup_line(startup: Results) -> str:
    beyond = startup["beyond_numpy_ms"]
    times = ", ".join(f"{name} {value:.0f}" for name, value in startup["ms"].items())
    return f"{times}; livematte beyond NumPy {beyond['median']:.0f} ({beyond['low']:.0f} to {beyond['high']:.0f})."


def ms(value: float) -> str:
    """Three figures are as many as repeat."""
    return f"{value:.2f}" if value < 10 else f"{value:.1f}"


def header(cells: list[str]) -> str:
    return row(cells) + "\n" + row(["---"] * len(cells))


def row(cells: list[str]) -> str:
    return f"| {' | '.join(cells)} |"


if __name__ == "__main__":
    main(sys.argv[1:])
