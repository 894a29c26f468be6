/** BodyPix in the SDK: as Python's Session on the same frames, body parts, and the swap while a camera runs. */

import assert from "node:assert/strict";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { launch, NAMES, visit } from "./browsers.mjs";
import { bodypixFiles, material } from "./material.mjs";
import { serve } from "./server.mjs";

/** Mean difference from Python's Session in code values. */
const MOST = 2;
/** Part of a map of parts that may differ: pixels where two parts are equally likely. */
const EDGES = 0.005;
const UNREADABLE = 6;

const folder = bodypixFiles();
const absent = join(folder, "absent.txt");
const skip = existsSync(absent) && readFileSync(absent, "utf8");

for (const name of NAMES) {
  describe(`BodyPix in ${name}`, { skip }, () => {
    let server, browser, page;

    before(async () => {
      const models = "/livematte/assets/models";
      server = await serve({ "/material": material(), "/bodypix": folder, [`${models}/bodypix`]: folder });
      browser = await launch(name, { clip: `${material()}/striped.y4m` });
      page = await visit(browser, `${server.url}/index.html`);
    });

    after(async () => {
      await browser?.close();
      await server?.close();
    });

    test("frames and maps of parts are those of Python", async (t) => {
      const found = await page.evaluate(() => kit.bodypix());
      assert.ok(found.length >= 6);
      for (const { name, mean, other, kinds } of found) {
        assert.ok(mean <= MOST, `${name}: ${mean.toFixed(2)} code values from Python`);
        if (name.includes("-s8")) assert.equal(other, null, `${name} knows no parts`);
        else assert.ok(other <= EDGES && kinds > 5, `${name}: ${other} of the map differs, ${kinds} kinds`);
      }
      t.diagnostic(found.map(({ name, mean, other }) => `${name}: ${mean.toFixed(2)} code values, ${other} of the map`).join("; "));
      assert.deepEqual([await page.evaluate(() => kit.violations), page.complaints], [[], []]);
    });

    test("swaps under way: no gap, nothing of the room, fewer parts show less", async () => {
      const room = name === "chromium" ? "device" : "striped";
      const seen = await page.evaluate(async (room) => {
        await kit.start(room, { effect: { type: "color", rgb: "#c81e5a" } }, { width: 640, height: 360 });
        await kit.ready();
        kit.report();
        const shown = [];
        for (const [model, options] of [["bodypix:mobilenet-050-s16", {}], ["bodypix:mobilenet-050-s16", { parts: ["face"] }], ["livematte", {}], ["bodypix:mobilenet-050-s16", { parts: ["torso", "arm"] }]]) {
          await kit.background.setModel(model, options);
          const swapped = kit.report();
          await kit.until(() => kit.seen.length > 10);
          const settling = kit.report();
          await kit.until(() => kit.seen.length > 10);
          shown.push({ swapped: Math.max(swapped.stripes, settling.stripes), least: Math.min(swapped.shownLeast, settling.shownLeast), ...kit.report() });
        }
        const map = await kit.background.parts();
        const colours = new Set();
        const picture = kit.paintParts(map);
        for (let i = 0; i < picture.data.length; i += 4) colours.add(String(picture.data.subarray(i, i + 4)));
        kit.background.stop();
        return { shown, map: [map.width, map.height, map.data.length], colours: [...colours], errors: kit.errors };
      }, room);
      for (const { stripes, swapped, least } of seen.shown) assert.ok(stripes < UNREADABLE && swapped < UNREADABLE && least > 0, JSON.stringify(seen));
      const [whole, face] = seen.shown.map(({ shownMost }) => shownMost);
      assert.ok(face < 0.7 * whole && face > 0, JSON.stringify(seen.shown));
      assert.equal(seen.map[0] * seen.map[1], seen.map[2]);
      assert.ok(seen.colours.includes("0,0,0,0") && seen.colours.length > 4, seen.colours.join(" "));
      assert.deepEqual(seen.errors, []);
    });
  });
}

test("files that are not BodyPix's end in one clear error", async () => {
  const { graph } = await import("../../web/dist/assets/livematte.bodypix.js");
  const weights = (name, shape) => ({ name, shape, dtype: "float32" });
  const text = (value) => ({ s: Buffer.from(value).toString("base64") });
  const conv = (name, filter) => ({ name, op: "Conv2D", input: ["picture:0", filter], attr: { padding: text("SAME"), strides: { list: { i: ["1", "16", "16", "1"] } } } });
  const node = [{ name: "picture", op: "Placeholder" }, conv("float_segments", "a"), conv("float_part_heatmaps", "b")];
  const good = { modelTopology: { node }, weightsManifest: [{ paths: ["w.bin"], weights: [weights("a", [1, 1, 3, 1]), weights("b", [1, 1, 3, 24])] }] };
  const made = (model, bytes = 4 * 75) => graph(new TextEncoder().encode(typeof model === "string" ? model : JSON.stringify(model)), "https://here/model.json", async () => new Uint8Array(bytes), { width: 33, height: 17 });
  assert.equal(Buffer.from((await made(good)).slice(4, 8)).toString(), "TFL3");
  const but = (change) => {
    const model = structuredClone(good);
    change(model);
    return model;
  };
  const manifest = (change) => but((model) => change(model.weightsManifest[0]));
  for (const [model, words, bytes] of [
    ["<!doctype html>", /no JSON/],
    ["null", /no graph model/],
    ["{}", /no graph model/],
    [good, /end within b/, 299],
    [good, /304 bytes of weights, the description has 300/, 304],
    [manifest((group) => (group.paths = ["../w.bin"])), /plain file name/],
    [manifest((group) => (group.paths = ["https://elsewhere/w.bin"])), /plain file name/],
    [manifest((group) => (group.weights[0].shape = [1e6, 1e6, 3, 1])), /the weight a is/],
    [manifest((group) => (group.weights[0].shape = [1, 1, -3, 1])), /the weight a is/],
    [manifest((group) => (group.weights[0].dtype = "string")), /of string/],
    [but((model) => (model.modelTopology.node[1].op = "MatMul")), /float_segments is a MatMul/],
    [but((model) => (model.modelTopology.node[1].input[1] = "c")), /has no weights c/],
    [but((model) => (model.modelTopology.node[1].input[0] = "nobody")), /no node nobody/],
    [but((model) => (model.modelTopology.node[1].input[0] = "float_segments")), /float_segments hangs on itself/],
    [but((model) => (model.modelTopology.node[1].attr.strides.list.i = ["1", "0", "1", "1"])), /strides/],
    [but((model) => model.modelTopology.node.pop()), /has not all of/],
  ]) {
    const thrown = await made(model, bytes).then(() => null, (error) => error);
    assert.equal(thrown?.code, "weights", `${words}: ${thrown}`);
    assert.match(thrown.message, words);
  }
});

const palette = JSON.parse(readFileSync(join(folder, "palette.json"), "utf8"));

test("parts have Python's names and colours", async () => {
  const server = await serve({});
  const browser = await launch(NAMES[0]);
  try {
    const page = await visit(browser, `${server.url}/index.html`);
    assert.deepEqual(await page.evaluate(() => kit.PARTS), palette);
  } finally {
    await browser.close();
    await server.close();
  }
});

test("options of body parts that are not ones are refused by name", async () => {
  const server = await serve({});
  const browser = await launch(NAMES[0]);
  try {
    const page = await visit(browser, `${server.url}/index.html`);
    const said = await page.evaluate(async () => {
      const background = await kit.createBackground();
      await background.loaded;
      const found = [];
      for (const [model, parts] of [["livematte", ["face"]], ["bodypix:mobilenet-050-s16-q3", undefined], ["bodypix:mobilenet-050-s8", ["face"]], ["bodypix:mobilenet-050-s16", ["ear"]], ["bodypix:mobilenet-050-s16", []], ["bodypix:mobilenet-100-s16", undefined]]) {
        found.push(await background.setModel(model, parts ? { parts } : {}).then(() => "nothing", ({ code, message }) => `${code}: ${message}`));
      }
      found.push(await background.parts(), background.stats().model);
      background.stop();
      return found;
    });
    assert.match(said[0], /^option: livematte knows no body parts/);
    assert.match(said.splice(1, 1)[0], /^option: model must be one of .*got bodypix:mobilenet-050-s16-q3/);
    assert.match(said[1], /^option: .*s8 knows no body parts/);
    assert.match(said[2], /^option: parts are names like .*got ear/);
    assert.match(said[3], /^option: .*got none/);
    assert.match(said[4], /^weights: .*model-stride16\.json: 404/);
    assert.deepEqual(said.slice(5), [null, "livematte"]);
  } finally {
    await browser.close();
    await server.close();
  }
});
