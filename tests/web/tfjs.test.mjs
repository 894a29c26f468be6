/** Python and JavaScript agree: the same pictures for a network, and the same alphas from TensorFlow.js and LiteRT.js. */

import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { after, before, describe, test } from "node:test";
import { launch, NAMES, visit } from "./browsers.mjs";
import { networks } from "./material.mjs";
import { differences, runs } from "./networks.mjs";
import { serve } from "./server.mjs";

const require = createRequire(new URL("../../web/package.json", import.meta.url));
const root = fileURLToPath(new URL("../..", import.meta.url));

/** Of an alpha: what `livematte export` accepts of a float32 graph. */
const ROUNDING = 1e-4;
/** Of the package's alphas, between engines. */
const ENGINES = 1e-3;
/** Of the pictures a network is given, in code values. */
const PICTURE = 0.5;
/** Standard deviation of an alpha that says something. */
const SPREAD = 0.1;

const SOFTWARE_WEBGL = ["--use-angle=swiftshader", "--enable-unsafe-swiftshader", "--ignore-gpu-blocklist"];

const folder = networks();
const facts = JSON.parse(readFileSync(join(folder, "pictures.json")));
const untold = { skip: !facts.tfjs && "torch is not installed: pip install \"livematte[train]\"" };

/** Every picture and alpha is Python's; says how far they are. */
function agrees(t, found, most) {
  assert.equal(found.length, facts.whole.length);
  for (const { picture, alphas, spread } of found) {
    assert.ok(spread > SPREAD, `an alpha that hardly varies: ${spread}`);
    assert.ok(picture <= PICTURE, `the network's picture differs by ${picture} code values`);
    for (const [engine, apart] of Object.entries(alphas)) assert.ok(apart <= most, `an alpha differs from ${engine}'s by ${apart}`);
  }
  const worst = (values) => Math.max(...values).toExponential(1);
  const engines = Object.keys(found[0].alphas).map((engine) => `alphas ${worst(found.map(({ alphas }) => alphas[engine]))} from ${engine}'s`);
  t.diagnostic(`pictures at most ${worst(found.map(({ picture }) => picture))} code values from Python's, ${engines.join(", ")}`);
}

describe("TensorFlow.js in Node", untold, () => {
  const tf = require("@tensorflow/tfjs-core");
  const { loadGraphModel } = require("@tensorflow/tfjs-converter");
  require("@tensorflow/tfjs-backend-cpu");
  require("@tensorflow/tfjs-backend-wasm");
  tf.enableProdMode(); // without its advice to install another package

  for (const backend of ["cpu", "wasm"]) {
    test(`the exported network on ${backend} is what torch computes`, async (t) => {
      assert.ok(await tf.setBackend(backend));
      const card = JSON.parse(readFileSync(join(folder, "model.json")));
      const path = join(folder, card.files.find((file) => file.format === "tfjs" && file.path.endsWith(".json")).path);
      const { weightsManifest, ...model } = JSON.parse(readFileSync(path));
      const weights = weightsManifest[0].paths.map((file) => readFileSync(join(dirname(path), file)));
      const artifacts = { ...model, weightSpecs: weightsManifest[0].weights, weightData: whole(Buffer.concat(weights)) };
      const loaded = await loadGraphModel(tf.io.fromMemory(artifacts));
      const found = await differences(facts, whole(readFileSync(join(folder, "pictures.bin"))), card.input, facts.tfjs, runs(tf, loaded, card));
      agrees(t, found, ROUNDING);
    });
  }
});

for (const name of NAMES) {
  describe(name, () => {
    const made = mkdtempSync(join(tmpdir(), "livematte-networks-"));
    let server, browser, page;

    before(async () => {
      await require("esbuild").build({ entryPoints: [join(root, "tests", "web", "pages", "networks.js")], bundle: true, outfile: join(made, "networks.js"), nodePaths: [join(root, "web", "node_modules")], logLevel: "error" });
      server = await serve({
        "/made": made,
        "/networks": folder,
        "/weights": join(root, "src", "livematte", "models", "weights", "fast"),
        "/litert": join(root, "web", "node_modules", "@litertjs", "core", "wasm"),
        "/tfjs-wasm": join(root, "web", "node_modules", "@tensorflow", "tfjs-backend-wasm", "dist"),
      });
      browser = await launch(name, { args: name === "chromium" ? SOFTWARE_WEBGL : [] });
      page = await visit(browser, `${server.url}/networks.html`);
    });

    after(async () => {
      await browser?.close();
      await server?.close();
      rmSync(made, { recursive: true, force: true });
    });

    test("the package's network in LiteRT.js is what Python's engines compute", async (t) => {
      agrees(t, await page.evaluate(() => kit.litert()), ENGINES);
    });

    for (const backend of name === "chromium" ? ["wasm", "webgl"] : ["wasm"]) {
      test(`the exported network in TensorFlow.js on ${backend} is what torch computes`, untold, async (t) => {
        const ran = await page.evaluate((backend) => kit.tfjs(backend), backend);
        assert.equal(ran.backend, backend);
        assert.ok(ran.float32); // a software rasteriser has it; phones that have not round to 16 bits
        agrees(t, ran.found, ROUNDING);
      });
    }

    test("neither needs more than the SDK's Content-Security-Policy", async () => {
      assert.deepEqual(page.complaints, []);
    });
  });
}

/** The bytes of a file by themselves. */
function whole(file) {
  return file.buffer.slice(file.byteOffset, file.byteOffset + file.byteLength);
}
