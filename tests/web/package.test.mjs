/** What `npm pack` packs, what a page downloads, and the example from the packed package. */

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { after, before, test } from "node:test";
import { BUDGET, sizes, table } from "../../web/sizes.mjs";
import { launch, NAMES } from "./browsers.mjs";
import { material } from "./material.mjs";
import { serve } from "./server.mjs";

const root = fileURLToPath(new URL("../..", import.meta.url));
const site = mkdtempSync(join(tmpdir(), "livematte-package-"));
const installed = join(site, "node_modules", "livematte");
let packed;

before(() => {
  const said = execFileSync("npm", ["pack", "--json", "--silent", "--pack-destination", site], { cwd: join(root, "web"), encoding: "utf8" });
  [packed] = JSON.parse(said);
  mkdirSync(installed, { recursive: true });
  execFileSync("tar", ["xzf", join(site, packed.filename), "--strip-components=1", "-C", installed]);
  cpSync(join(root, "examples", "browser.html"), join(site, "browser.html"));
});

after(() => rmSync(site, { recursive: true, force: true }));

test("the package holds what users need, and nothing else", () => {
  const files = packed.files.map(({ path }) => path);
  for (const file of ["README.md", "LICENSE", "dist/index.js", "dist/index.d.ts", "dist/livekit.js", "dist/livekit.d.ts", "dist/assets/livematte.worker.js", "dist/assets/livematte.bodypix.js", "dist/assets/livematte.wasm", ...["fast-256x144", "fast-144x256", "fast-192x192", "base-448x256", "base-256x448", "base-336x336"].map((name) => `dist/assets/models/livematte-${name}.tflite`), "dist/assets/litert/litert_wasm_internal.wasm", "dist/assets/litert/litert_wasm_compat_internal.wasm", "dist/assets/litert/litert_wasm_jspi_internal.wasm"]) {
    assert.ok(files.includes(file), file);
  }
  const strange = files.filter((file) => !/^(package\.json|README\.md|LICENSE|dist\/([\w-]+\.js|[\w/-]+\.d\.ts|assets\/(livematte\.(worker|bodypix)\.js|livematte\.wasm|models\/livematte-(fast|base)-\d+x\d+\.tflite|litert\/[\w]+\.(js|wasm))))$/.test(file));
  assert.deepEqual(strange, []);
});

test("every entry of the package's exports is there", () => {
  const { exports, main, types } = JSON.parse(readFileSync(join(installed, "package.json"), "utf8"));
  const files = packed.files.map(({ path }) => `./${path}`);
  const named = [main, types, ...Object.values(exports).flatMap((entry) => (typeof entry === "string" ? entry : Object.values(entry)))];
  for (const file of named.filter((name) => !name.includes("*"))) assert.ok(files.includes(file), file);
});

test("nothing in the package fetches from another host", () => {
  for (const file of ["index.js", "livekit.js", "assets/livematte.worker.js"]) {
    const source = readFileSync(join(installed, "dist", file), "utf8");
    const hosts = [...source.matchAll(/https?:\/\/[\w.-]+/g)].map(([url]) => url).filter((url) => !/www\.w3\.org|github\.com|apache\.org|developers?\.|web\.dev|localhost/.test(url));
    assert.deepEqual(hosts, [], file);
  }
});

test("a page downloads no more than its budget", () => {
  for (const { file, gzip, budget } of sizes()) assert.ok(gzip <= budget, `${file}: ${gzip} of ${budget} bytes`);
  assert.ok(sizes().reduce((sum, { gzip }) => sum + gzip, 0) <= BUDGET, table());
});

test("the sizes in the documentation are these", () => {
  const documented = [...readFileSync(join(root, "docs", "browser.md"), "utf8").matchAll(/^\| `([^`]+)` \|[^|]*\| ([\d.]+) kB \| ([\d.]+) kB/gm)].map(([, file, , gzip]) => [file, Number(gzip)]);
  assert.equal(documented.length, sizes().length);
  for (const { file, gzip } of sizes()) {
    const [, said] = documented.find(([name]) => name === file) ?? [];
    assert.ok(Math.abs(1000 * said - gzip) < 0.05 * gzip + 500, `${file}: ${gzip} bytes, documented ${said} kB; run node web/sizes.mjs --write`);
  }
});

for (const name of NAMES) {
  test(`the example works from the packed package in ${name}`, async () => {
    const server = await serve({ "/node_modules": join(site, "node_modules"), "/site": site }, "no-store", "default-src 'self' 'unsafe-inline' 'wasm-unsafe-eval'");
    const browser = await launch(name, { clip: `${material()}/person.y4m` });
    try {
      const page = await browser.newPage();
      const elsewhere = [];
      page.on("request", (request) => request.url().startsWith(server.url) || elsewhere.push(request.url()));
      await page.goto(`${server.url}/site/browser.html`);
      await page.evaluate(() => document.getElementById("start").click());
      let said = "";
      for (let i = 0; i < 200 && !/^[1-9]\d* frames/.test(said); i++) {
        await new Promise((resolve) => setTimeout(resolve, 100));
        said = await page.evaluate(() => document.getElementById("said").value);
      }
      assert.match(said, /^[1-9]\d* frames/);
      assert.deepEqual(elsewhere, []);
    } finally {
      await browser.close();
      await server.close();
    }
  });
}
