/** The WebGL2 renderer, on a software rasteriser: the same pictures as the processor's, and covered when its context is lost. */

import assert from "node:assert/strict";
import { after, before, beforeEach, describe, test } from "node:test";
import { launch, NAMES, visit } from "./browsers.mjs";
import { material } from "./material.mjs";
import { serve } from "./server.mjs";

/** Mean difference between the renderers in code values of RGB. */
const MOST = 3;
const UNREADABLE = 6;
const SOFTWARE_WEBGL = ["--use-angle=swiftshader", "--enable-unsafe-swiftshader", "--ignore-gpu-blocklist"];

describe("WebGL2 in Chromium", { skip: !NAMES.includes("chromium") && "Chromium is not tested" }, () => {
  const folder = material();
  let server, browser, page;

  before(async () => {
    server = await serve({ "/material": folder });
    browser = await launch("chromium", { clip: `${folder}/striped.y4m`, args: SOFTWARE_WEBGL });
  });

  beforeEach(async () => {
    page = await visit(browser, `${server.url}/index.html`);
  });

  after(async () => {
    await browser?.close();
    await server?.close();
  });

  test("a software rasteriser is never chosen by itself", async () => {
    const { name, why } = await page.evaluate(async () => {
      const background = await kit.open();
      await kit.until(() => background.stats().renderer.why !== "not started");
      return background.stats().renderer;
    });
    assert.equal(name, "cpu");
    assert.match(why, /WebGL2 is software: .*SwiftShader/);
  });

  test("pictures equal those of the processor", async () => {
    const found = await page.evaluate(() => kit.renderers());
    assert.ok(found.length > 20);
    for (const { name, mean, timestamp, size } of found) {
      assert.ok(mean <= MOST, `${name}: ${mean.toFixed(2)}`);
      assert.equal(timestamp, 0, name);
      assert.ok(size, name);
    }
    // a picture that is stored on its side goes to the graph for how it is shown
    assert.ok(page.requested.some((url) => url.endsWith("/livematte-fast-144x256.tflite")));
  });

  test("auto-framing shows the same part on both, however the picture is turned", async () => {
    const found = await page.evaluate(() => kit.renderers(false, { framing: true }, ({ type, src, rgb }) => (type === "blur" && !src) || rgb === "#00b140" || type === "transparent"));
    assert.ok(found.length > 20);
    for (const { name, mean, size } of found) {
      assert.ok(mean <= MOST, `${name}: ${mean.toFixed(2)}`);
      assert.ok(size, name);
    }
  });

  test("a lost context: nothing of the room, said, and the processor goes on", async () => {
    const seen = await page.evaluate(async () => {
      await kit.start("device", { effect: { type: "color", rgb: "#c81e5a" }, renderer: "webgl", governor: false }, { width: 640, height: 360 });
      const ready = await kit.ready();
      const before = kit.background.stats().renderer.name;
      await kit.background.probe({ type: "fault", what: "context", frames: 0 });
      await kit.until(() => kit.background.stats().renderer.name === "cpu");
      kit.seen.splice(0, kit.seen.length - 1);
      const back = await kit.until(() => kit.seen.length > 10 && kit.seen.at(-1).shown > 0.2);
      return { ready, before, back, renderer: kit.background.stats().renderer, errors: kit.errors, ...kit.report() };
    });
    assert.ok(seen.ready && seen.back, JSON.stringify(seen));
    assert.equal(seen.before, "webgl");
    assert.match(seen.renderer.why, /lost/);
    assert.match(seen.errors.join(), /^renderer: .*lost/);
    assert.ok(seen.stripes < UNREADABLE, JSON.stringify(seen));
  });
});
