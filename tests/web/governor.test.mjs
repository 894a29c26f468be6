/** The quality ladder: quick down, slow up, no oscillation. Time is a number here, not a clock. */

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { before, describe, test } from "node:test";
import { createRequire } from "node:module";
import { fileURLToPath } from "node:url";
import { launch, NAMES, visit } from "./browsers.mjs";
import { material } from "./material.mjs";
import { serve } from "./server.mjs";
import { busy } from "./hog.mjs";

const FRAME_MS = 1000 / 30;

/** Sequences that src/livematte/_governor.py goes through, too: costs are parts of the time between two frames. */
const SEQUENCES = JSON.parse(readFileSync(new URL("../golden/governor.json", import.meta.url), "utf8"));

let Governor, LADDER;

before(async () => {
  const esbuild = createRequire(new URL("../../web/package.json", import.meta.url))("esbuild");
  const source = fileURLToPath(new URL("../../web/src/governor.ts", import.meta.url));
  const { outputFiles } = await esbuild.build({ entryPoints: [source], bundle: true, format: "esm", write: false });
  ({ Governor, LADDER } = await import(`data:text/javascript;base64,${Buffer.from(outputFiles[0].contents).toString("base64")}`));
});

/** Frames for so many seconds, each costing `spent(rung)` milliseconds; the changes that came of it. */
function run(governor, seconds, spent, from_ms = 0, skipped = () => 0) {
  const changes = [];
  const end_ms = from_ms + 1000 * seconds;
  for (let at_ms = from_ms; at_ms < end_ms; ) {
    const lost = skipped(governor.rung);
    const change = governor.observe(at_ms, spent(governor.rung), lost);
    if (change) changes.push(change);
    at_ms += FRAME_MS * (1 + lost);
  }
  return { changes, end_ms };
}

/** What a governor does in a sequence of tests/golden/governor.json: time in ms, rung and reason of each change. */
function play(governor, steps) {
  const changes = [];
  const note = (change) => change && changes.push([Math.round(10 * change.at_ms) / 10, change.rung, change.why]);
  let at_ms = 0;
  for (const { seconds = 0, cost, skipped = 0, skip_every = Infinity, exchange, fps } of steps) {
    if (exchange !== undefined) note(governor.exchange(exchange, at_ms));
    if (fps) governor.fps = fps;
    const end_ms = at_ms + 1000 * seconds;
    for (let frame = 1; at_ms < end_ms; frame++) {
      const lost = skipped || (frame % skip_every === 0 ? 1 : 0);
      const spent = [cost[governor.rung.name] ?? cost["*"]].flat();
      note(governor.observe(at_ms, spent[frame % spent.length] * FRAME_MS, lost));
      at_ms += FRAME_MS * (1 + lost);
    }
  }
  return changes;
}

describe("the governor", () => {
  test("leaves a device alone that keeps up", () => {
    const governor = new Governor(FRAME_MS);
    assert.deepEqual(run(governor, 60, () => 0.6 * FRAME_MS).changes, []);
    assert.equal(governor.rung.name, "full");
  });

  test("goes down a rung within a second, and down the whole ladder within four", () => {
    const governor = new Governor(FRAME_MS);
    const { changes } = run(governor, 4, () => 1.5 * FRAME_MS);
    assert.ok(changes[0].at_ms <= 1000, JSON.stringify(changes[0]));
    assert.deepEqual(changes.map(({ rung }) => rung), LADDER.slice(2).map(({ name }) => name));
    assert.match(changes[0].why, /^p90 50\.0 of 33\.3 ms$/);
  });

  test("goes down for skipped frames, too, but not for a single one", () => {
    const governor = new Governor(FRAME_MS);
    let frame = 0;
    assert.deepEqual(run(governor, 20, () => 1, 0, () => (++frame % 40 ? 0 : 1)).changes, []);
    const { changes } = run(governor, 1.5, () => 1, 20_000, () => 1);
    assert.equal(changes[0].rung, "every-2nd");
    assert.match(changes[0].why, /skipped/);
  });

  test("goes down where hardly a frame comes through", () => {
    const governor = new Governor(FRAME_MS);
    const { changes } = run(governor, 4, () => 9 * FRAME_MS, 0, () => 9);
    assert.deepEqual(changes.map(({ rung }) => rung), LADDER.slice(2).map(({ name }) => name));
  });

  test("climbs back one rung at a time, after three quiet seconds each", () => {
    const governor = new Governor(FRAME_MS);
    const { end_ms } = run(governor, 4, () => 1.5 * FRAME_MS);
    const { changes } = run(governor, 30, () => 0.2 * FRAME_MS, end_ms);
    assert.equal(governor.rung.name, "full");
    assert.equal(changes.length, LADDER.length - 2);
    changes.slice(1).forEach(({ at_ms }, i) => assert.ok(at_ms - changes[i].at_ms >= 3000));
  });

  test("tries the larger input where the network has one and the device is all but idle, and gives it up again", () => {
    assert.deepEqual(run(new Governor(FRAME_MS), 20, () => 0.1 * FRAME_MS).changes, [], "a network without one");
    const governor = new Governor(FRAME_MS);
    assert.equal(governor.exchange(true, 0), null);
    assert.deepEqual(run(governor, 20, () => 0.3 * FRAME_MS).changes, [], "a device that has other work, or a battery");
    const { changes, end_ms } = run(governor, 20, ({ large }) => (large ? 0.5 : 0.1) * FRAME_MS, 20_000);
    assert.deepEqual(changes.map(({ rung }) => rung), ["large-input"]);
    assert.equal(run(governor, 2, () => 1.2 * FRAME_MS, end_ms).changes[0].rung, "full");
  });

  test("leaves the larger input with the network that had it", () => {
    const governor = new Governor(FRAME_MS);
    governor.exchange(true, 0);
    const { end_ms } = run(governor, 20, () => 0.05 * FRAME_MS);
    assert.equal(governor.rung.name, "large-input");
    assert.equal(governor.exchange(true, end_ms), null);
    assert.equal(governor.exchange(false, end_ms).rung, "full");
    assert.equal(governor.rung.name, "full");
    assert.equal(governor.exchange(false, end_ms), null);
  });

  test("stays where it is between too slow and fast", () => {
    const governor = new Governor(FRAME_MS);
    const cost = { full: 1.2, "every-2nd": 0.7 };
    const { changes } = run(governor, 120, ({ name }) => cost[name] * FRAME_MS);
    assert.deepEqual(changes.map(({ rung }) => rung), ["every-2nd"]);
  });

  test("does not oscillate: a rung that does not hold is tried again ever less often", () => {
    const governor = new Governor(FRAME_MS);
    const cost = { full: 1.2, "every-2nd": 0.4 };
    const { changes } = run(governor, 300, ({ name }) => cost[name] * FRAME_MS);
    const climbs = changes.filter(({ rung }) => rung === "full").map(({ at_ms }) => at_ms);
    const waits = climbs.slice(1).map((at_ms, i) => at_ms - climbs[i]);
    waits.slice(1).forEach((wait_ms, i) => assert.ok(wait_ms >= 0.99 * waits[i], `${waits}`));
    assert.ok(waits.at(-1) >= 48_000 && climbs.length <= 12, `${climbs}`);
  });

  test("keeps a short history", () => {
    const governor = new Governor(FRAME_MS);
    for (let i = 0, at_ms = 0; i < 200; i++) at_ms = run(governor, 60, () => (i % 2 ? 0.1 : 2) * FRAME_MS, at_ms).end_ms;
    assert.equal(governor.history.length, 32);
  });

  test("judges a cycle of the network as a whole: a late frame is caught up by the others", () => {
    const governor = new Governor(FRAME_MS);
    let frame = 0;
    const cost = ({ every }) => (every === 1 ? 1.3 : frame++ % every ? 0.1 : 1.1) * FRAME_MS;
    const { changes } = run(governor, 60, cost);
    assert.deepEqual(changes.map(({ rung }) => rung), ["every-2nd"]);
  });

  for (const { name, enabled = true, steps, changes } of SEQUENCES) {
    test(`and in Python: ${name}`, () => assert.deepEqual(play(new Governor(FRAME_MS, enabled), steps), changes));
  }

  test("does nothing when it is switched off", () => {
    const governor = new Governor(FRAME_MS, false);
    assert.deepEqual(run(governor, 10, () => 9 * FRAME_MS).changes, []);
  });
});

/** Contrast of the room's stripes in a corner; of the camera 180 and more. */
const UNREADABLE = 6;

for (const name of NAMES) {
  test(`${name} beside programs that take the processor: down, up again, always covered`, async () => {
    const folder = material();
    const server = await serve({ "/material": folder });
    const browser = await launch(name, { clip: `${folder}/striped.y4m` });
    let hog;
    try {
      const page = await visit(browser, `${server.url}/index.html`);
      const room = name === "chromium" ? "device" : "striped";
      assert.ok(await page.evaluate(async (room) => (await kit.start(room, { effect: { type: "color", rgb: "#c81e5a" } }, { width: 640, height: 360 }), kit.ready()), room));
      const usual = await page.evaluate(async () => (await kit.wait(5000), kit.background.stats().rung));
      const index = LADDER.findIndex((rung) => rung.name === usual);
      assert.ok(index < LADDER.length - 1, `this machine has no rung to give up: ${usual}`);
      hog = busy();
      const below = LADDER.slice(index + 1).map((rung) => rung.name);
      const slower = await page.evaluate(async (rungs) => kit.until(() => rungs.includes(kit.background.stats().rung), 60_000), below);
      hog.enough();
      const down = await page.evaluate(async () => {
        kit.report();
        const going = await kit.until(() => kit.seen.length >= 40);
        return { going, ...kit.report(), stats: kit.background.stats(), events: kit.events.filter(({ type }) => type === "rung").length };
      });
      hog.stop();
      const up = await page.evaluate(async (rungs) => {
        const up = await kit.until(() => rungs.includes(kit.background.stats().rung), 120_000);
        return { up, ...kit.report(), stats: kit.background.stats() };
      }, LADDER.slice(0, index + 1).map((rung) => rung.name));
      assert.ok(slower && down.events > 0, JSON.stringify(down));
      assert.ok(down.going, `the picture stands still: ${JSON.stringify(down)}`);
      assert.ok(down.shownLeast > 0.1, "the person stays in the picture");
      assert.ok(up.up, JSON.stringify(up));
      assert.ok(Math.max(down.stripes, up.stripes) < UNREADABLE, `${down.stripes} ${up.stripes}`);
    } finally {
      hog?.stop();
      await browser.close();
      await server.close();
    }
  });
}
