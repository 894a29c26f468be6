/** Law 1 in browsers: whatever fails, the output is covered. The room is a wall of stripes; no frame may show one. */

import assert from "node:assert/strict";
import { after, afterEach, before, beforeEach, describe, test } from "node:test";
import { launch, NAMES, visit } from "./browsers.mjs";
import { material } from "./material.mjs";
import { serve } from "./server.mjs";

/** Contrast of the stripes in a corner, in code values: of the camera 180 and more. */
const UNREADABLE = 6;
const WEIGHTS = "/livematte/assets/models/livematte-fast-256x144.tflite";
const ENGINE = "/livematte/assets/litert/litert_wasm_internal.wasm";

const folder = material();

for (const name of NAMES) {
  describe(name, () => {
    let server, browser, page;
    const room = name === "chromium" ? "device" : "striped";

    before(async () => {
      server = await serve({ "/material": folder }, "no-store");
      browser = await launch(name, { clip: `${folder}/striped.y4m` });
    });

    beforeEach(async () => {
      server.faults.clear();
      page = await visit(browser, `${server.url}/index.html`);
    });

    afterEach(async () => {
      const { stripes } = await page.evaluate(() => kit.report());
      await page.close();
      assert.ok(stripes < UNREADABLE, `a stripe was seen: ${stripes}`);
      assert.deepEqual(page.complaints, []);
    });

    after(async () => {
      await browser?.close();
      await server?.close();
    });

    /** Run with a plate of one colour; the rest is the room's. */
    const start = (ready = true) =>
      page.evaluate(
        async (room, ready) => {
          await kit.start(room, { effect: { type: "color", rgb: "#c81e5a" } }, { width: 640, height: 360 });
          return ready ? kit.ready() : kit.until(() => kit.seen.length > 10);
        },
        room,
        ready,
      );

    test("the engine throws at frame n: covered, said, and back again", async () => {
      assert.ok(await start());
      const seen = await page.evaluate(async () => {
        const { covered } = kit.background.stats();
        await kit.background.probe({ type: "fault", what: "engine", frames: 12 });
        await kit.until(() => kit.background.stats().covered >= covered + 12);
        const failing = kit.report();
        await kit.until(() => kit.seen.length > 5 && kit.seen.at(-1).shown > 0.2);
        return { failing, back: kit.seen.at(-1).shown, errors: kit.errors.slice() };
      });
      assert.equal(seen.failing.shownLeast, 0, "nothing but the plate while it fails");
      assert.ok(seen.back > 0.2);
      assert.equal(seen.errors.length, 1);
      assert.match(seen.errors[0], /^engine: /);
      assert.ok(seen.failing.stripes < UNREADABLE);
    });

    for (const [fault, said] of [["404", /404/], ["corrupt", /SHA-256/], ["html", /SHA-256/]]) {
      test(`weights ${fault}: covered, said, and loaded when they are there`, async () => {
        server.faults.set(WEIGHTS, fault);
        assert.ok(await start(false), "frames go out");
        const seen = await page.evaluate(async () => {
          const loaded = await kit.background.loaded.then(() => "loaded", (error) => error.code);
          await kit.until(() => kit.seen.length > 20);
          return { loaded, errors: kit.errors.slice(), ...kit.report(), covered: kit.background.stats().covered };
        });
        assert.equal(seen.loaded, "weights");
        assert.match(seen.errors.join(), said);
        assert.ok(seen.frames > 5 && seen.covered > 5);
        assert.equal(seen.shownMost, 0, "nothing but the plate");
        server.faults.clear();
        assert.ok(await page.evaluate(async () => (await kit.background.setModel("livematte"), kit.ready())), "it recovers");
      });
    }

    for (const fault of ["none", "404", "stall"]) {
      test(`an upright camera ${fault === "none" ? "gets a graph of its own" : `does with the usual graph where its own is not to be had: ${fault}`}`, async () => {
        const own = WEIGHTS.replace("256x144", "144x256");
        server.faults.set(own, fault);
        const seen = await page.evaluate(async () => {
          const canvas = Object.assign(document.createElement("canvas"), { width: 360, height: 640 });
          const context = canvas.getContext("2d");
          await kit.camera("striped");
          const draw = setInterval(() => context.drawImage(kit.film, 219, 0, 202, 360, 0, 0, 360, 640), 33);
          await kit.open({ effect: { type: "color", rgb: "#c81e5a" } });
          kit.watch(await kit.background.process(canvas.captureStream(30).getVideoTracks()[0]));
          const ready = await kit.ready();
          clearInterval(draw);
          return { ready, errors: kit.errors, ...kit.report() };
        });
        assert.ok(seen.ready, JSON.stringify(seen));
        assert.deepEqual(seen.sizes, ["360x640"]);
        assert.ok(page.requested.some((url) => url.endsWith(own)));
      });
    }

    for (const fault of ["404", "corrupt"]) {
      test(`the engine's own file ${fault}: covered, said, and loaded when it is there`, async () => {
        for (const file of [ENGINE, ENGINE.replace("_internal", "_compat_internal")]) server.faults.set(file, fault);
        assert.ok(await start(false), "frames go out");
        const seen = await page.evaluate(async () => {
          const loaded = await kit.background.loaded.then(() => "loaded", (error) => error.code);
          await kit.until(() => kit.seen.length > 20);
          return { loaded, ...kit.report() };
        });
        assert.equal(seen.loaded, "engine");
        assert.ok(seen.frames > 5);
        assert.equal(seen.shownMost, 0, "nothing but the plate");
        server.faults.clear();
        assert.ok(await page.evaluate(async () => (await kit.background.setModel("livematte"), kit.ready())), "it recovers");
      });
    }

    test("no kernels, no Background", async () => {
      server.faults.set("/livematte/assets/livematte.wasm", "404");
      const said = await page.evaluate(() => kit.open().then(() => "open", (error) => `${error.code}: ${error.message}`));
      assert.match(said, /^engine: .*404/);
    });

    test("the renderer fails: no frame at all, then it goes on", async () => {
      assert.ok(await start());
      const seen = await page.evaluate(async () => {
        const { dropped } = kit.background.stats();
        await kit.background.probe({ type: "fault", what: "renderer", frames: 10 });
        await kit.until(() => kit.background.stats().dropped >= dropped + 10);
        kit.seen.length = 0;
        const back = await kit.until(() => kit.seen.length > 10);
        return { back, errors: kit.errors.slice() };
      });
      assert.ok(seen.back);
      assert.match(seen.errors.join(), /^renderer: /);
    });

    test("the worker dies: the output ends, said once, and a new Background works", async () => {
      assert.ok(await start());
      const seen = await page.evaluate(async () => {
        await kit.background.probe({ type: "fault", what: "worker", frames: 0 });
        const ended = await kit.until(() => kit.output.readyState === "ended");
        const after = await kit.background.setEffect({ type: "blur" }).catch((error) => error.code);
        return { ended, after, camera: kit.track.readyState, errors: kit.errors.slice(), ended_events: kit.events.filter(({ type }) => type === "ended").length };
      });
      assert.ok(seen.ended);
      assert.deepEqual([seen.after, seen.camera, seen.ended_events], ["worker", "live", 1]);
      assert.match(seen.errors.join(), /^worker: [^,]*$/);
      assert.ok(await start(), "a new one works");
    });

    test("the camera is switched off: the output ends, and another camera may come", async () => {
      assert.ok(await start());
      const seen = await page.evaluate(async () => {
        kit.track.stop();
        const ended = await kit.until(() => kit.output.readyState === "ended");
        return { ended, events: kit.events.map(({ type }) => type).filter((type) => type !== "rung"), errors: kit.errors };
      });
      assert.ok(seen.ended);
      assert.deepEqual(seen.events, ["ready", "ended"]);
      assert.deepEqual(seen.errors, []);
      const again = await page.evaluate(async (room) => {
        const output = await kit.background.process(await kit.camera(room, { width: 640, height: 360 }));
        kit.seen.length = 0;
        kit.watch(output);
        return kit.ready();
      }, room);
      assert.ok(again);
    });

    test("whoever gets the output may end it; the camera stays the caller's", async () => {
      assert.ok(await start());
      const seen = await page.evaluate(async () => {
        kit.output.stop();
        await kit.wait(1500);
        return { camera: kit.track.readyState, errors: kit.errors };
      });
      assert.deepEqual(seen, { camera: "live", errors: [] });
    });
  });
}
