// The table of docs/bench-browser.md from results.json: `node table.mjs` prints it, `--write` puts it there.

import { readFileSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";

const RESULTS = new URL("results.json", import.meta.url);
const DOC = new URL("../../docs/bench-browser.md", import.meta.url);
const NAMES = {
  passthrough: "the camera alone",
  roundtrip: "to a worker and back, unchanged",
  livematte: "livematte",
  "livematte-mediapipe": "livematte, MediaPipe's network",
  "tasks-vision": "@mediapipe/tasks-vision, with care",
  twilio: "@twilio/video-processors",
  livekit: "@livekit/track-processors",
};
const SIZES = { "720p30": "1280x720 at 30", "360p60": "640x360 at 60" };

export function table(results) {
  const parts = [];
  for (const size of [...new Set(results.rows.map((row) => row.size))]) {
    for (const browser of [...new Set(results.rows.map((row) => row.browser))]) {
      const rows = results.rows.filter((row) => row.size === size && row.browser === browser);
      parts.push(`**${SIZES[size]} frames a second, ${results.browsers[browser]}**`, "", HEAD, RULE, ...rows.map(line), "");
    }
  }
  const { machine, packages } = results;
  const versions = Object.entries(packages).map(([name, version]) => `${name} ${version}`).join(", ");
  parts.push(`${machine.cpu}, ${machine.cores} cores, no graphics card; ${results.rounds} rounds of ${results.seconds} s, medians (lowest-highest); ${versions}; ${results.date}.`);
  return parts.join("\n");
}

const HEAD = "| | frames a second | CPU ms a frame | above the camera | main thread | first frame, warm |";
const RULE = "|---|---|---|---|---|---|";

function line(row) {
  const name = NAMES[row.contestant];
  if (row.failed) return `| ${name} | does not run: ${row.failed.replaceAll("|", "/")} | | | | |`;
  const { median, lowest, highest } = row.cpu_ms;
  const above = row.contestant === "passthrough" || row.above_passthrough_ms === undefined ? "" : row.above_passthrough_ms.toFixed(1);
  return `| ${name} | ${row.fps.median.toFixed(1)} | ${median.toFixed(1)} (${lowest.toFixed(1)}-${highest.toFixed(1)}) | ${above} | ${row.main_percent.median.toFixed(1)} % | ${row.first_warm_ms.median.toFixed(0)} ms |`;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const made = table(JSON.parse(readFileSync(RESULTS, "utf8")));
  if (process.argv.includes("--write")) {
    const text = readFileSync(DOC, "utf8");
    writeFileSync(DOC, text.replace(/(<!-- bench:begin -->\n)[^]*?(<!-- bench:end -->)/, (_, from, to) => `${from}${made}\n${to}`));
  } else console.log(made);
}
