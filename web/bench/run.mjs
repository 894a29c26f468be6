// livematte beside its peers, in real browsers, without a graphics card.
//
//     npm ci && node run.mjs [--only livematte,twilio] [--browser chromium,firefox] [--size 720p30]
//                            [--seconds 10] [--rounds 3] [--out results.json]
//
// Every contestant blurs the same clip from a fake camera; its output plays in a video element. Counted is the
// processor time of all the browser's processes between two moments, for each frame that was shown. Rounds are
// interleaved, figures are medians, the range is beside them. Nothing is fetched from another host.

import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync, cpSync } from "node:fs";
import { createServer } from "node:http";
import { createRequire } from "node:module";
import { cpus, loadavg, tmpdir, totalmem } from "node:os";
import { extname, join, normalize } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { launch, NAMES } from "../../tests/web/browsers.mjs";
import { measure } from "./processes.mjs";

const here = fileURLToPath(new URL(".", import.meta.url));
const root = join(here, "..", "..");
const esbuild = createRequire(join(root, "web", "package.json"))("esbuild");

const SIZES = {
  "720p30": { width: 1280, height: 720, fps: 30 },
  "360p60": { width: 640, height: 360, fps: 60 },
};
const CONTESTANTS = ["passthrough", "roundtrip", "livematte", "livematte-mediapipe", "tasks-vision", "twilio", "livekit"];
const WARM_MS = 4000;
const START_LIMIT_MS = 20_000;
const FILES = ["@livekit/track-processors", "@mediapipe/tasks-vision", "@twilio/video-processors"];

const { values: given } = parseArgs({
  options: {
    only: { type: "string", default: CONTESTANTS.join() },
    browser: { type: "string", default: NAMES.join() },
    size: { type: "string", default: Object.keys(SIZES).join() },
    seconds: { type: "string", default: "10" },
    rounds: { type: "string", default: "3" },
    out: { type: "string", default: join(here, "results.json") },
  },
});
const chosen = (name, known) => {
  const values = given[name].split(",");
  const wrong = values.find((value) => !known.includes(value));
  if (wrong !== undefined) throw new Error(`--${name} takes ${known.join(", ")}; got ${wrong}`);
  return values;
};
const positive = (name) => {
  const value = Number(given[name]);
  if (!(value > 0)) throw new Error(`--${name} takes a number above 0, got ${given[name]}`);
  return value;
};

const only = chosen("only", CONTESTANTS);
const browsers = chosen("browser", ["chromium", "firefox"]);
const sizes = chosen("size", Object.keys(SIZES));
const [seconds, rounds] = [positive("seconds"), positive("rounds")];

const folder = mkdtempSync(join(tmpdir(), "livematte-bench-"));
const site = await build();
const server = createServer(answer);
await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
const url = `http://localhost:${server.address().port}`;
const samples = [];
const versions = {};
try {
  for (const size of sizes) {
    const clip = join(folder, `${size}.y4m`);
    execFileSync(python(), [join(here, "clip.py"), clip, ...Object.values(SIZES[size]).map(String)], { stdio: "inherit" });
    for (let round = 0; round < rounds; round++) {
      for (const browser of browsers) for (const contestant of only) samples.push(await run(browser, contestant, size, clip));
    }
    rmSync(clip);
  }
  const report = summary();
  mkdirSync(join(given.out, ".."), { recursive: true });
  writeFileSync(`${given.out}.part`, `${JSON.stringify(report, null, 1)}\n`);
  renameSync(`${given.out}.part`, given.out);
} finally {
  server.close();
  server.closeAllConnections();
  rmSync(folder, { recursive: true, force: true });
}

/** One contestant, once. The page is loaded twice: the second time from a warm cache. */
async function run(browserName, contestant, size, clip) {
  const sample = { browser: browserName, contestant, size, load: Number(loadavg()[0].toFixed(2)) };
  let browser;
  try {
    browser = await launch(browserName, { clip });
    versions[browserName] ??= (await browser.version()).replace("Headless", "");
    const page = await browser.newPage();
    page.on("pageerror", (error) => (sample.said ??= String(error?.message ?? error).split("\n")[0]));
    const { width, height, fps } = SIZES[size];
    const places = { assets: `${url}/assets/`, vision: "/vision", livekitVision: "/livekit-vision", landscape: "/landscape.tflite", twilio: "/twilio" };
    const options = { width, height, fps, places };
    for (const visit of ["cold", "warm"]) {
      await page.goto(`${url}/page.html`);
      for (let i = 0; i < 100 && !(await page.evaluate(() => "bench" in window)); i++) await sleep(50);
      sample[`first_${visit}_ms`] = await within(page.evaluate((name, options) => window.bench.start(name, options), contestant, options), START_LIMIT_MS);
    }
    await sleep(WARM_MS);
    const before = await look(browser, page);
    await sleep(1000 * seconds);
    const after = await look(browser, page);
    const wall_ms = after.at_ms - before.at_ms;
    const frames = after.frames - before.frames;
    if (frames === 0) throw new Error("no frame was shown");
    sample.fps = (1000 * frames) / wall_ms;
    sample.cpu_ms = (after.cpu_ms - before.cpu_ms) / frames;
    sample.cores = (after.cpu_ms - before.cpu_ms) / wall_ms;
    sample.main_percent = (100 * (after.main_ms - before.main_ms)) / wall_ms;
    sample.rss_mb = after.rss_mb;
    sample.figures = await page.evaluate(() => window.bench.figures());
  } catch (thrown) {
    sample.failed = sample.said ?? String(thrown?.message ?? thrown).split("\n")[0];
  } finally {
    await browser?.close().catch(() => undefined);
  }
  const said = sample.failed ?? `${sample.fps.toFixed(1)} fps, ${sample.cpu_ms.toFixed(1)} CPU ms a frame, main ${sample.main_percent.toFixed(1)} %, first ${sample.first_warm_ms.toFixed(0)} ms`;
  console.log(`${size} ${browserName} ${contestant}: ${said} (load ${sample.load})`);
  return sample;
}

/** Counters now. The main thread is Chromium's own count of its tasks; in Firefox that of the busiest content process. */
async function look(browser, page) {
  const { cpu_ms, rss_mb, mains } = measure(browser.process().pid);
  const frames = await page.evaluate(() => window.bench.frames);
  const metrics = page.metrics && browser.version && (await browser.version()).includes("Chrome") ? await page.metrics() : null;
  const main_ms = metrics ? 1000 * metrics.TaskDuration : contentMain(browser.process().pid, mains);
  return { at_ms: performance.now(), cpu_ms, rss_mb, frames, main_ms };
}

/** Milliseconds of the main threads of Firefox's content processes. */
function contentMain(parent, mains) {
  let sum = 0;
  for (const [pid, ms] of Object.entries(mains)) if (Number(pid) !== parent && /-contentproc/.test(readSafely(`/proc/${pid}/cmdline`)) && /\btab\b/.test(readSafely(`/proc/${pid}/cmdline`))) sum += ms;
  return sum;
}

/** Medians of every contestant, and how they compare. */
function summary() {
  const rows = [];
  for (const size of sizes) {
    for (const browser of browsers) {
      const floor = row(browser, "passthrough", size);
      for (const contestant of only) {
        const figures = row(browser, contestant, size);
        if (floor && figures && !figures.failed) figures.above_passthrough_ms = round(figures.cpu_ms.median - floor.cpu_ms.median);
        if (floor && figures && !figures.failed) figures.main_above_passthrough_percent = round(figures.main_percent.median - floor.main_percent.median);
        rows.push(figures);
      }
    }
  }
  const packages = Object.fromEntries(FILES.map((name) => [name, JSON.parse(readFileSync(join(here, "node_modules", name, "package.json"), "utf8")).version]));
  const machine = { cpu: cpus()[0].model, cores: cpus().length, memory_gb: Math.round(totalmem() / 2 ** 30), graphics: "none: --disable-gpu" };
  return { command: "cd web/bench && npm ci && node run.mjs", date: new Date().toISOString().slice(0, 10), machine, browsers: versions, packages, seconds, rounds, rows };
}

function row(browser, contestant, size) {
  const all = samples.filter((sample) => sample.browser === browser && sample.contestant === contestant && sample.size === size);
  const good = all.filter((sample) => !sample.failed);
  if (!all.length) return null;
  if (!good.length) return { browser, contestant, size, failed: all[0].failed };
  const spread = (key) => {
    const values = good.map((sample) => sample[key]).sort((a, b) => a - b);
    return { median: round(values[values.length >> 1]), lowest: round(values[0]), highest: round(values.at(-1)) };
  };
  const keys = ["fps", "cpu_ms", "cores", "main_percent", "first_warm_ms", "first_cold_ms", "rss_mb", "load"];
  const { stages } = good.at(-1).figures ?? {};
  return { browser, contestant, size, runs: good.length, ...Object.fromEntries(keys.map((key) => [key, spread(key)])), ...(stages ? { stages } : {}) };
}

/** Contestants bundled, and the files they fetch: path -> file or folder. */
async function build() {
  const bundled = join(folder, "site");
  await esbuild.build({ entryPoints: [...CONTESTANTS, "roundtrip-worker"].map((name) => join(here, "contestants", `${name}.js`)), bundle: true, splitting: true, format: "esm", minify: true, target: "es2022", logLevel: "error", outdir: bundled });
  const modules = join(here, "node_modules");
  const landscape = join(modules, "@mediapipe", "selfie_segmentation", "selfie_segmentation_landscape.tflite");
  // the same network, with the metadata that MediaPipe Tasks insists on
  const withMetadata = join(modules, "@stream-io", "video-filters-web", "mediapipe", "models", "selfie_segmenter_landscape.tflite");
  const assets = join(folder, "assets");
  cpSync(join(root, "web", "dist", "assets"), assets, { recursive: true });
  cpSync(landscape, join(assets, "models", "selfie_segmentation_landscape.tflite"));
  const nested = join(modules, "@livekit", "track-processors", "node_modules", "@mediapipe", "tasks-vision", "wasm");
  return {
    "/assets": assets,
    "/vision": join(modules, "@mediapipe", "tasks-vision", "wasm"),
    "/livekit-vision": existsSync(nested) ? nested : join(modules, "@mediapipe", "tasks-vision", "wasm"),
    "/twilio": join(modules, "@twilio", "video-processors", "dist", "build"),
    "/landscape.tflite": withMetadata,
    "/page.html": join(here, "page.html"),
    "/page.js": join(here, "page.js"),
    "": bundled,
  };
}

function answer(request, response) {
  const path = normalize(decodeURIComponent(new URL(request.url, "http://localhost").pathname));
  const place = Object.keys(site).find((name) => path === name || path.startsWith(`${name}/`));
  const file = join(site[place], path.slice(place.length));
  const types = { ".html": "text/html", ".js": "text/javascript", ".mjs": "text/javascript", ".wasm": "application/wasm" };
  try {
    const bytes = readFileSync(file);
    response.writeHead(200, { "content-type": types[extname(file)] ?? "application/octet-stream", "cache-control": "max-age=3600" }).end(bytes);
  } catch {
    response.writeHead(404).end();
  }
}

function python() {
  const local = join(root, ".venv", "bin", "python");
  return existsSync(local) ? local : "python3";
}

function readSafely(path) {
  try {
    return readFileSync(path, "utf8").replaceAll("\0", " ");
  } catch {
    return "";
  }
}

function within(work, limit_ms) {
  return Promise.race([work, sleep(limit_ms).then(() => Promise.reject(new Error(`no frame within ${limit_ms / 1000} s`)))]);
}

function sleep(ms) {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

function round(value) {
  return Number(value.toFixed(2));
}
