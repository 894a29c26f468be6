/** The figures of the running picture, as a table. */

import type { Stage, Stats } from "../src/index.js";

const STAGES: readonly [Stage, string][] = [
  ["read", "take the frame in"],
  ["segment", "find people"],
  ["refine", "follow edges"],
  ["effect", "make the background"],
  ["composite", "put together"],
  ["total", "the whole frame"],
];

export function fillPanel(body: HTMLTableSectionElement, stats: Stats | null): void {
  body.replaceChildren(...(stats ? rows(stats) : [["", "nothing is running"] as const]).map(([name, value]) => {
    const row = document.createElement("tr");
    const head = Object.assign(document.createElement("th"), { scope: "row", textContent: name });
    row.append(head, Object.assign(document.createElement("td"), { textContent: value }));
    return row;
  }));
}

function rows(stats: Stats): (readonly [string, string])[] {
  const { size, renderer, engine } = stats;
  return [
    ["frames a second", stats.fps.toFixed(1)],
    ["size", size ? `${size.width} × ${size.height}` : "–"],
    ...STAGES.flatMap(([stage, name]) => {
      const spent = stats.stages[stage];
      return spent ? [[name, `${spent.p50_ms.toFixed(1)} ms, p95 ${spent.p95_ms.toFixed(1)}`] as const] : [];
    }),
    ["frames out, covered, skipped", `${stats.frames}, ${stats.covered}, ${stats.dropped}`],
    ["first person after", stats.firstMatte_ms === null ? "–" : `${Math.round(stats.firstMatte_ms)} ms`],
    ["quality", stats.rung.replaceAll("-", " ")],
    ["network", stats.model],
    ["drawn by", `${renderer.name === "cpu" ? "processor" : "graphics card"} (${renderer.why})`],
    ["network runs on", `${engine.name} (${engine.why})`],
  ];
}
