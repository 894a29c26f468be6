/** Single frames: the same pixels as Python's, in every browser. */

import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { launch, NAMES, visit } from "./browsers.mjs";
import { material } from "./material.mjs";
import { serve } from "./server.mjs";

/** Mean difference from Python's Session in code values; the engines differ, the kernels do not. */
const MOST = 2;

for (const name of NAMES) {
  describe(name, () => {
    let server, browser, page;

    before(async () => {
      server = await serve({ "/material": material() });
      browser = await launch(name);
      page = await visit(browser, `${server.url}/index.html`);
    });

    after(async () => {
      await browser?.close();
      await server?.close();
    });

    test("the kernels equal the golden vectors bit for bit", async () => {
      const { run, faults } = await page.evaluate(() => kit.golden());
      assert.deepEqual(faults, []);
      assert.ok(Object.keys(run).length >= 15, JSON.stringify(run));
    });

    for (const [row, about] of [["steadied", "with what it remembers"], ["nearest", "somebody fading in and out"], ["room", "before a room that is known, until the camera moves"], ["dark", "by day and by night"]]) {
      test(`frames in a row come out as Python's Session gives them, ${about}`, async () => {
        const found = await page.evaluate((row) => kit.row(row), row);
        assert.ok(found.length >= 5);
        for (const mean of found) assert.ok(mean <= MOST, `${found.map((each) => each.toFixed(2))} code values from Python`);
      });
    }

    test("auto-framing shows what Python's does, alone and over time", async () => {
      const found = await page.evaluate(() => kit.framed());
      assert.ok(found.length >= 20);
      for (const { name, mean } of found) assert.ok(mean <= MOST, `${name}: ${mean.toFixed(2)} code values from Python`);
    });

    for (const format of ["I420", "NV12"]) {
      test(`${format} frames come out as Python's Session gives them`, async () => {
        const found = await page.evaluate((format) => kit.stills(format), format);
        assert.ok(found.length >= 30);
        for (const still of found) {
          assert.ok(still.mean <= MOST, `${still.name}: ${still.mean.toFixed(2)} code values from Python`);
          assert.equal(still.timestamp, 0, still.name);
          assert.equal(still.planes, still.kind === "transparent" ? 4 : 3, still.name);
        }
      });
    }
  });
}
