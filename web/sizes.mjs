// What a page downloads, by file: `node sizes.mjs` prints a table, `--write` puts it into docs/browser.md.

import { readFileSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";

const DOC = new URL("../docs/browser.md", import.meta.url);

/** File, what it is, and the most it may have, gzipped. */
const FILES = [
  ["index.js", "the SDK", 8_000],
  ["assets/livematte.worker.js", "the worker", 30_000],
  ["assets/livematte.wasm", "the kernels", 125_000],
  ["assets/litert/litert_wasm_internal.js", "the engine's loader", 75_000],
  ["assets/litert/litert_wasm_internal.wasm", "the engine", 3_000_000],
  ["assets/models/livematte-fast-256x144.tflite", "the network, for wide pictures", 500_000],
];
/** All of them together. */
export const BUDGET = 3_650_000;

/** Size of every file that a page loads, as it is and gzipped, in bytes. */
export function sizes() {
  return FILES.map(([file, what, budget]) => {
    const sources = file === "index.js" ? ["index.js", ...chunks()] : [file];
    const bytes = Buffer.concat(sources.map((source) => readFileSync(new URL(`dist/${source}`, import.meta.url))));
    return { file, what, budget, bytes: bytes.length, gzip: gzipSync(bytes, { level: 9 }).length };
  });
}

function chunks() {
  return [...readFileSync(new URL("dist/index.js", import.meta.url), "utf8").matchAll(/"\.\/(chunk-[^"]+\.js)"/g)].map(([, name]) => name);
}

export function table() {
  const kb = (bytes) => `${(bytes / 1000).toFixed(bytes < 100_000 ? 1 : 0)} kB`;
  const all = sizes();
  const sum = (key) => all.reduce((total, file) => total + file[key], 0);
  return [
    "| file | | size | gzip | budget, gzip |",
    "|---|---|---|---|---|",
    ...all.map(({ file, what, bytes, gzip, budget }) => `| \`${file}\` | ${what} | ${kb(bytes)} | ${kb(gzip)} | ${kb(budget)} |`),
    `| together | | ${kb(sum("bytes"))} | ${kb(sum("gzip"))} | ${kb(BUDGET)} |`,
  ].join("\n");
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  if (process.argv.includes("--write")) {
    const text = readFileSync(DOC, "utf8");
    writeFileSync(DOC, text.replace(/(<!-- sizes -->\n)[^]*?(<!-- \/sizes -->)/, `$1${table()}\n$2`));
  } else console.log(table());
}
