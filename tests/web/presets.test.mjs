/** Presets go from the web app to `livematte live` and back with equal values: a file that both suites read, and generated ones. */

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, realpathSync, rmSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { fileURLToPath } from "node:url";

const file = (path) => fileURLToPath(new URL(`../../${path}`, import.meta.url));
const local = file(".venv/bin/python");

const PYTHON = `
import json, sys
from pathlib import Path
from livematte._preset_file import PresetFile

came, goes = PresetFile(sys.argv[1]), PresetFile(sys.argv[2])
if came.error:
    sys.exit(came.error)
for name, kept in came.presets.items():
    goes.save(name, kept)
print(json.dumps({name: kept.given() for name, kept in came.presets.items()}))
`;

let folder, presets;

before(async () => {
  folder = mkdtempSync(join(realpathSync(tmpdir()), "livematte-presets-"));
  const esbuild = createRequire(new URL("../../web/package.json", import.meta.url))("esbuild");
  const { outputFiles } = await esbuild.build({ entryPoints: [file("web/app/presets.ts")], bundle: true, format: "esm", write: false });
  const built = join(folder, "presets.mjs");
  writeFileSync(built, outputFiles[0].contents);
  presets = await import(built);
});

after(() => rmSync(folder, { recursive: true, force: true }));

/** What Python reads of a text, and the text of the file that it writes of that. */
function throughPython(text) {
  const [came, goes] = [join(folder, "came.toml"), join(folder, "goes.toml")];
  writeFileSync(came, text);
  rmSync(goes, { force: true });
  const said = execFileSync(existsSync(local) ? local : "python3", ["-c", PYTHON, came, goes], { encoding: "utf8" });
  return { values: new Map(Object.entries(JSON.parse(said))), text: readFileSync(goes, "utf8") };
}

/** Presets with the paths of pictures as Python has them: in the folder of the file. */
const placed = (read) =>
  new Map(
    [...read].map(([name, { effect, room, ...others }]) => [
      name,
      { ...others, ...(effect && { effect: effect.replace(/^(image|video):(.+)$/, (_, kind, path) => `${kind}:${join(folder, path)}`) }), ...(room !== undefined && { room: room && join(folder, room) }) },
    ]),
  );

test("the shared sample", () => {
  const { presets: read, notes } = presets.readPresets(readFileSync(file("tests/golden/presets.toml"), "utf8"));
  assert.deepEqual(notes, []);
  assert.deepEqual(read, new Map(Object.entries(JSON.parse(readFileSync(file("tests/golden/presets.json"), "utf8")))));
});

test("what the app exports is what Python reads, and what Python writes is what the app imports", () => {
  const made = generated();
  const text = presets.writePresets(made);
  assert.deepEqual(presets.readPresets(text), { presets: made, notes: [] });
  const python = throughPython(text);
  assert.deepEqual(python.values, placed(made));
  assert.deepEqual(presets.readPresets(python.text), { presets: made, notes: [] });
});

test("what only livematte live can do is kept, and said where it is chosen", () => {
  const { presets: read, notes } = presets.readPresets('[presets.a]\nroom = "/home/me/rooms/empty.jpg"\nmirror = true\n[presets.b]\nroom = ""\nmirror = false\n[presets.c]\nroom = 3\nmirror = "yes"\n');
  assert.deepEqual(read, new Map([["a", { room: "/home/me/rooms/empty.jpg", mirror: true }], ["b", { room: "", mirror: false }], ["c", {}]]));
  assert.deepEqual(notes, ["c: room must be the path of a picture; it was left out.", "c: mirror must be true or false; it was left out."]);
  const [room, mirror, ...more] = presets.beyondPage(read.get("a"), "");
  assert.match(room, /^\/home\/me\/rooms\/empty\.jpg is a file that no page can read by itself: choose it/);
  assert.match(mirror, /not mirrored here/);
  assert.deepEqual(more, []);
  assert.deepEqual(presets.beyondPage(read.get("a"), "empty.jpg"), [mirror]); // it was chosen
  assert.deepEqual(presets.beyondPage({ room: "C:\\rooms\\empty.jpg" }, "empty.jpg"), []);
  assert.equal(presets.beyondPage({ room: "rooms/other.jpg" }, "empty.jpg").length, 1);
  for (const name of ["b", "c"]) assert.deepEqual(presets.beyondPage(read.get(name), ""), []);
});

test("the app saves no name that Python refuses, and no file", () => {
  for (const name of ["", " ", "a\u00a0b", "a\tb", "👨‍👩‍👧", "x".repeat(65)]) assert.throws(() => presets.checkName(name), /Give the preset a name/, JSON.stringify(name));
  assert.equal(presets.checkName("  “Küche” 🏡 "), "“Küche” 🏡");
  assert.equal(presets.checkName("🏡".repeat(64)).length, 128);
  const many = new Map(Array.from({ length: 201 }, (_, i) => [`p${i}`, {}]));
  assert.throws(() => presets.writePresets(many), /remove one first/);
  assert.deepEqual(presets.readPresets('[presets."a\\tb"]\n[presets.c]\neffect = "blur\\n"\n').notes.length, 2);
});

/** Some presets, the same at every run, with what is hard to write in TOML. */
function generated() {
  let state = 7;
  const random = () => (state = (Math.imul(state, 1664525) + 1013904223) >>> 0) / 2 ** 32;
  const of = (list) => list[Math.floor(random() * list.length)];
  const some = (key, value) => (random() < 0.7 ? { [key]: value } : {});
  const part = () => of([0, 1, 1e-7, Math.round(random() * 1000) / 1000, random()]);
  const zone = () => Array.from({ length: 3 + Math.floor(random() * 4) }, () => [part(), part()]);
  const names = ["office", "two words", 'quote "', "it's", "back\\slash", "dot.ted", "[table]", "# no comment", "a = 1", "Küche", "🏡", "__proto__", "constructor", "presets", "2026", "x".repeat(64)];
  const effects = ["blur", "blur:0.35", "color:#123456", "image:beach.jpg", 'image:my "own" é.png', "video:films/sea.mp4", "transparent", "off"];
  return new Map(
    names.map((name) => [
      name,
      {
        ...some("effect", of(effects)),
        ...some("model", of(["livematte:fast", "mediapipe:landscape", "bodypix:mobilenet-050-s16"])),
        ...some("light_wrap", part()),
        ...some("softness", part()),
        ...some("despill", random() < 0.5),
        ...some("match", part()),
        ...some("who", of(["everyone", "nearest"])),
        ...some("zones", Array.from({ length: Math.floor(random() * 4) }, zone)),
        ...some("framing", random() < 0.5),
        ...some("bokeh", random() < 0.5),
        ...some("mirror", random() < 0.5),
        ...some("room", of(["", "empty.jpg", 'rooms/my "own" é.png'])),
      },
    ]),
  );
}
