/** What follows slowly in the worker: the person's light and the window of auto-framing. Time is a number here, not a clock. */

import assert from "node:assert/strict";
import { createRequire } from "node:module";
import { before, describe, test } from "node:test";
import { fileURLToPath } from "node:url";

const SIZE = { width: 64, height: 36 };
const SECOND_US = 1e6;
let light, framing;

before(async () => {
  [light, framing] = await Promise.all(["light", "framing"].map(load));
});

async function load(name) {
  const esbuild = createRequire(new URL("../../web/package.json", import.meta.url))("esbuild");
  const source = fileURLToPath(new URL(`../../web/src/worker/${name}.ts`, import.meta.url));
  const { outputFiles } = await esbuild.build({ entryPoints: [source], bundle: true, format: "esm", write: false });
  return import(`data:text/javascript;base64,${Buffer.from(outputFiles[0].contents).toString("base64")}`);
}

/** Somebody who fills a box of cells, at a time in seconds. */
function matte(left, top, right, bottom, time_s = 0) {
  const alpha = new Float32Array(SIZE.width * SIZE.height);
  for (let y = top; y < bottom; y++) alpha.fill(1, y * SIZE.width + left, y * SIZE.width + right);
  return { alpha, size: SIZE, timestamp_us: time_s * SECOND_US };
}

const near = (got, expected, off = 1e-6) => assert.ok(Math.abs(got - expected) <= off, `${got}, expected ${expected}`);

describe("light", () => {
  const grey = new Float32Array(3 * SIZE.width * SIZE.height).fill(0.5);
  const nobody = matte(0, 0, 0, 0);

  test("the first picture has its gains at once, within bounds, of the root of light", () => {
    const bright = light.matchLight(grey, matte(20, 9, 40, 36), [1, 1, 1], 1, null);
    near(bright.gains[0], Math.log(1.4));
    const little = light.matchLight(grey, matte(20, 9, 40, 36), [0.36, 0.36, 0.36], 1, null);
    near(little.gains[1], 0.35 * Math.log(0.36 / 0.25));
    near(light.codeGains(little)[1], Math.sqrt((0.36 / 0.25) ** 0.35));
    const warm = light.matchLight(grey, matte(20, 9, 40, 36), [0.3, 0.25, 0.2], 1, null);
    assert.ok(warm.gains[0] > 0 && warm.gains[2] < 0);
    near(light.matchLight(grey, matte(20, 9, 40, 36), light.plainLight([128, 128, 128]).mean(SIZE), 1, null).gains[0], 0, 0.01);
  });

  test("later ones follow over two seconds, gaps count as half a second, nobody changes nothing", () => {
    const first = light.matchLight(grey, matte(20, 9, 40, 36, 0), [0.25, 0.25, 0.25], 1, null);
    const wanted = 0.35 * Math.log(0.36 / 0.25);
    const soon = light.matchLight(grey, matte(20, 9, 40, 36, 0.1), [0.36, 0.36, 0.36], 1, first);
    near(soon.gains[0], wanted * (1 - Math.exp(-0.1 / 2)));
    const late = light.matchLight(grey, matte(20, 9, 40, 36, 9), [0.36, 0.36, 0.36], 1, first);
    near(late.gains[0], wanted * (1 - Math.exp(-0.5 / 2)));
    assert.equal(light.matchLight(grey, nobody, [1, 1, 1], 1, soon), soon);
    assert.equal(light.matchLight(grey, nobody, [1, 1, 1], 1, null), null);
  });
});

describe("framing", () => {
  const sitting = (time_s) => matte(24, 12, 40, 36, time_s);
  const follow = (frames, state = null) => frames.map((each) => (state = framing.follow(each, each.timestamp_us, state)));

  test("the first picture is framed at once; the window holds the person and stays inside", () => {
    const [{ shown }] = follow([sitting(0)]);
    assert.ok(shown.side < 0.6 && shown.side >= 0.5);
    const { left, top, side } = framing.cropOf({ shown });
    assert.ok(left >= 0 && left + side <= 65536 && top >= 0 && top + side <= 65536);
    assert.ok(left / 65536 < 24 / 64 && (left + side) / 65536 > 40 / 64 && top / 65536 < 12 / 36);
  });

  test("nothing moves within the dead zone, or for a matte that is wrong for a moment", () => {
    const [first, ...rest] = follow([sitting(0), matte(25, 12, 41, 36, 0.05), matte(2, 20, 8, 30, 0.1), matte(0, 0, 0, 0, 0.15), sitting(0.2)]);
    for (const { shown } of rest) assert.deepEqual(shown, first.shown);
  });

  test("it follows as a critically damped spring does, no faster than it may, and goes back when nobody is left", () => {
    const frames = Array.from({ length: 300 }, (_, i) => (i < 30 ? sitting(i / 30) : matte(0, 0, 0, 0, i / 30)));
    const sides = follow(frames).map(({ shown }) => shown.side);
    const speeds = sides.slice(1).map((side, i) => (side - sides[i]) * 30);
    assert.ok(Math.max(...speeds) <= 0.3 + 1e-9 && Math.min(...speeds) >= -1e-9, String(Math.max(...speeds)));
    assert.equal(framing.cropOf(follow(frames).at(-1)), null);
    const start = { shown: { x: 0.5, y: 0.5, side: 0.99 }, goal: { x: 0.5, y: 0.5, side: 1 }, speed: { x: 0, y: 0, side: 0 }, doubt_s: 0, timestamp_us: 0 };
    const { shown, speed } = framing.follow(null, 0.1 * SECOND_US, start);
    near(shown.side, 1 - 0.01 * (1 + 0.25) * Math.exp(-0.25));
    near(speed.side, 0.01 * 2.5 ** 2 * 0.1 * Math.exp(-0.25));
  });
});
