/** Whether a matte shows somebody: the same cases as tests/unit/test_effects.py. */

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { before, test } from "node:test";
import { createRequire } from "node:module";
import { fileURLToPath } from "node:url";

const CASES = JSON.parse(readFileSync(new URL("../golden/anyone.json", import.meta.url), "utf8"));

let anyone;

before(async () => {
  const esbuild = createRequire(new URL("../../web/package.json", import.meta.url))("esbuild");
  const source = fileURLToPath(new URL("../../web/src/render/anyone.ts", import.meta.url));
  const { outputFiles } = await esbuild.build({ entryPoints: [source], bundle: true, format: "esm", write: false });
  ({ anyone } = await import(`data:text/javascript;base64,${Buffer.from(outputFiles[0].contents).toString("base64")}`));
});

for (const { about, size: [width, height], patches, anyone: expected } of CASES) {
  test(about, () => {
    const alpha = new Float32Array(width * height);
    for (const [left, top, w, h, value] of patches) {
      for (let y = top; y < top + h; y++) alpha.fill(value / 255, y * width + left, y * width + left + w);
    }
    assert.equal(anyone({ alpha }), expected);
  });
}

test("without a matte there is nobody", () => assert.equal(anyone(null), false));
