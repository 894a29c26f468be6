/** What the web app has under "More" and "Presets": every control changes the picture, by keyboard too, and presets come back. */

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { cpSync, existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, afterEach, before, beforeEach, describe, test } from "node:test";
import { openApp, running, serveApp, until } from "./app.mjs";
import { launch, NAMES } from "./browsers.mjs";
import { bodypixFiles, material } from "./material.mjs";

/** Code values by which a pixel is another one, and how many of them make another picture. */
const FAR = 5;
const CHANGED_PIXELS = 12;

const folder = material();
const networks = bodypixFiles();
const noBodyPix = existsSync(join(networks, "absent.txt")) && "the shared files of BodyPix are not there";
const cache = mkdtempSync(join(tmpdir(), "livematte-cache-"));
if (!noBodyPix) {
  mkdirSync(join(cache, "weights", "bodypix"), { recursive: true });
  cpSync(join(networks, "mobilenet"), join(cache, "weights", "bodypix", "mobilenet"), { recursive: true });
}
after(() => rmSync(cache, { recursive: true, force: true }));

for (const name of NAMES) {
  describe(`more of the web app in ${name}`, () => {
    let server, browser, page;

    before(async () => {
      server = await serveApp(cache);
      browser = await launch(name, { clip: `${folder}/person.y4m` });
    });

    beforeEach(async () => {
      page = await openApp(browser, server.url);
      await page.evaluate(() => {
        localStorage.clear();
        for (const details of document.querySelectorAll("details")) details.open = true;
      });
    });

    afterEach(async () => {
      const { complaints, elsewhere } = page;
      await page.close();
      assert.deepEqual({ complaints, elsewhere }, { complaints: [], elsewhere: [] });
    });

    after(async () => {
      await browser?.close();
      await server?.stop();
    });

    const upload = async (id, path) => (await page.$(`#${id}`)).uploadFile(path);
    const open = async (file) => (await upload("file", join(folder, file)), running(page));
    const press = (id) => page.evaluate((id) => document.getElementById(id).click(), id);
    const set = (id, value) => page.evaluate((id, value) => {
      const field = document.getElementById(id);
      if (field.type === "checkbox") field.checked = value;
      else field.value = value;
      field.dispatchEvent(new Event("input", { bubbles: true }));
      field.dispatchEvent(new Event("change", { bubbles: true }));
    }, id, value);
    const choose = (value) => page.evaluate((value) => document.querySelector(`.tile input[value="${value}"]`).click(), value);
    const text = (id) => page.evaluate((id) => document.getElementById(id).textContent, id);

    /** What the output shows, once it stands still. */
    const look = async () => {
      let before = null;
      for (let i = 0; i < 60; i++) {
        await new Promise((resolve) => setTimeout(resolve, 250));
        const now = await page.evaluate(() => {
          const video = document.getElementById("after");
          const context = new OffscreenCanvas(160, 90).getContext("2d");
          context.drawImage(video, 0, 0, 160, 90);
          return [...context.getImageData(0, 0, 160, 90).data];
        });
        if (before && others(before, now) === 0) return now;
        before = now;
      }
      assert.fail("the picture never stands still");
    };

    /** Use a control, and ask that the picture is another one. */
    const changes = async (what, use, before) => {
      await use();
      for (let i = 0; i < 20; i++) {
        const now = await look();
        if (others(before, now) >= CHANGED_PIXELS) return now;
      }
      assert.fail(`${what} changed nothing`);
    };

    test("every control changes the picture", async () => {
      await open("pair.png");
      let seen = await look();
      for (const [id, value] of [["strength", "1"], ["bokeh", true], ["nearest", true], ["softness", "1"]]) seen = await changes(id, () => set(id, value), seen);
      seen = await changes("Sea", () => choose("Sea"), seen);
      for (const [id, value] of [["light", "1"], ["match", "1"], ["despill", false]]) seen = await changes(id, () => set(id, value), seen);
      seen = await changes("framing", () => set("framing", true), seen);
      await press("stop");
    });

    test("a zone is drawn by keyboard alone, kept to, and cleared", async () => {
      await open("pair.png");
      await choose("Colour");
      const whole = await look();
      await page.evaluate(() => document.getElementById("zone").focus());
      await page.keyboard.press("Enter");
      assert.equal(await page.evaluate(() => document.activeElement.id), "zone-canvas");
      assert.equal(await page.evaluate(() => document.getElementById("before").srcObject !== null), true, "the person sees the camera to draw on");
      await page.keyboard.press("Enter");
      assert.match(await text("notice"), /needs 3 corners; this one has 0/);
      const corner = async (...keys) => {
        await page.keyboard.down("Shift");
        for (const key of keys) await page.keyboard.press(key);
        await page.keyboard.up("Shift");
        await page.keyboard.press(" ");
      };
      const times = (count, key) => Array(count).fill(key);
      await corner(...times(4, "ArrowRight"), ...times(5, "ArrowUp"));
      assert.match(await text("notice"), /Corner 1 at 90 % across, 0 % down/);
      await corner(...times(4, "ArrowDown"));
      await page.keyboard.press("Backspace");
      assert.match(await text("notice"), /1 corner is left/);
      await corner(...times(6, "ArrowDown"));
      await corner(...times(4, "ArrowLeft"));
      await page.keyboard.press("Enter");
      assert.equal(await text("zone-count"), "1 drawn");
      assert.equal(await page.evaluate(() => document.getElementById("before").srcObject), null, "the camera is connected while it is drawn on, and no longer");
      assert.equal(await page.evaluate(() => document.activeElement.id), "zone");
      const zoned = await changes("the zone", async () => undefined, whole);
      const left = (data) => data.filter((_, i) => ((i >> 2) % 160) < 60);
      assert.ok(apart(left(zoned), left(whole)) > 5, "the person outside it is gone");
      await press("zone");
      await page.keyboard.press("Escape");
      assert.equal(await text("zone-count"), "1 drawn");
      await changes("Clear zones", () => press("zone-clear"), zoned);
      assert.equal(await text("zone-count"), "");
    });

    test("a zone by pointer", async () => {
      await open("pair.png");
      await press("zone");
      const box = await page.evaluate(() => {
        const { x, y, width, height } = document.getElementById("zone-canvas").getBoundingClientRect();
        return { x, y, width, height };
      });
      for (const [x, y] of [[0.2, 0.2], [0.8, 0.2], [0.5, 0.9], [0.2, 0.2]]) await page.mouse.click(box.x + x * box.width, box.y + y * box.height);
      await until(page, () => document.getElementById("zone-count").value === "1 drawn");
    });

    test("the empty room: a picture taken after a countdown, one of another shape, one of another place", async () => {
      await open("pair.png");
      await press("room-take");
      await until(page, () => /Step out of the picture: 4/.test(document.getElementById("room-said").value));
      assert.equal(await text("countdown"), "4");
      await press("room-take");
      await until(page, () => document.getElementById("room-said").value === "");
      await press("room-take");
      await until(page, () => document.getElementById("room-said").value === "In use.");
      await press("room-forget");
      await until(page, () => document.getElementById("room-said").value === "");
      await upload("room-file", join(folder, "plate.png"));
      await until(page, () => /the camera moves, or stands elsewhere/.test(document.getElementById("room-said").value));
      await upload("room-file", join(folder, "stills.json"));
      await until(page, () => /cannot be (shown|read)/.test(document.getElementById("notice").textContent));
    });

    test("presets: saved, chosen after a reload, exported as TOML that Python reads, imported with what is unknown said", async () => {
      await choose("Colour");
      for (const [id, value] of [["color", "#123456"], ["softness", "0.55"], ["light", "0.4"], ["match", "0.25"], ["despill", false], ["nearest", true]]) await set(id, value);
      await set("preset-name", "Office “A”");
      await press("preset-save");
      assert.match(await text("preset-said"), /Saved as Office/);
      await page.reload();
      await until(page, () => document.getElementById("model").options.length > 1 && document.querySelectorAll(".tile").length >= 10);
      assert.equal(await page.evaluate(() => document.getElementById("softness").value), "0.3");
      await set("preset", "Office “A”");
      await until(page, () => document.getElementById("softness").value === "0.55");
      const state = () => page.evaluate(() => [document.querySelector("#gallery input:checked").value, ...["color", "softness", "light", "match"].map((id) => document.getElementById(id).value), ...["despill", "nearest"].map((id) => document.getElementById(id).checked)]);
      assert.deepEqual(await state(), ["Colour", "#123456", "0.55", "0.4", "0.25", false, true]);

      await page.evaluate(() => {
        const make = URL.createObjectURL;
        URL.createObjectURL = (blob) => (void blob.text().then((text) => (window.exported = text)), make(blob));
        HTMLAnchorElement.prototype.click = function () {
          window.file = this.download;
        };
      });
      await press("preset-export");
      await until(page, () => window.exported && window.file === "presets.toml");
      const toml = join(cache, `${name}.toml`);
      writeFileSync(toml, await page.evaluate(() => window.exported));
      const read = JSON.parse(execFileSync("python3", ["-c", "import json, sys\ntry:\n    import tomllib\nexcept ImportError:\n    import tomli as tomllib\nprint(json.dumps(tomllib.load(open(sys.argv[1], 'rb'))))", toml], { encoding: "utf8" }));
      assert.deepEqual(read, { presets: { "Office “A”": { effect: "color:#123456", model: "livematte:fast", light_wrap: 0.4, softness: 0.55, despill: false, match: 0.25, who: "nearest", zones: [], framing: false, bokeh: false } } });

      writeFileSync(toml, '[presets.beach]\neffect = "image:pictures/dusk.jpg"\nsharpness = 3\nsoftness = 7\nmodel = "modnet"\nzones = [[[0.1, 0.1], [0.9, 0.1], [0.5, 0.9]]]\n[presets.gone]\neffect = "image:beach.jpg"\nmirror = true\nroom = "rooms/empty.jpg"\n[other]\n');
      await upload("preset-file", toml);
      await until(page, () => /2 presets came in/.test(document.getElementById("preset-said").value));
      const said = await text("preset-said");
      for (const words of [/other is unknown/, /beach: sharpness is unknown/, /beach: softness must be a number from 0 to 1/]) assert.match(said, words);
      await set("preset", "beach");
      await until(page, () => /modnet is not here/.test(document.getElementById("preset-said").value));
      assert.deepEqual(await state(), ["Dusk", "#123456", "0.3", "0.3", "0", true, false]);
      assert.equal(await text("zone-count"), "1 drawn");
      await set("preset", "gone");
      await until(page, () => /beach\.jpg is not here: add/.test(document.getElementById("preset-said").value));
      assert.match(await text("preset-said"), /rooms\/empty\.jpg is a file that no page can read by itself: .+ The picture is not mirrored here/);
      for (const [content, words] of [["[presets", /no TOML/], ["a = 1", /no presets in this file/]]) {
        writeFileSync(toml, content);
        await upload("preset-file", toml);
        await until(page, (words) => new RegExp(words).test(document.getElementById("preset-said").value), words.source);
      }
    });

    test("BodyPix: parts of the body stay or go, and are shown in colours", { skip: noBodyPix }, async () => {
      await open("pair.png");
      await choose("Colour");
      assert.equal(await page.evaluate(() => document.getElementById("body").hidden), true);
      const plain = await look();
      const whole = await changes("BodyPix", () => set("model", "bodypix:mobilenet-050-s16"), plain);
      assert.equal(await page.evaluate(() => document.getElementById("body").hidden), false);
      await changes("parts", async () => {
        for (const part of ["arm", "torso", "hand", "leg", "feet"]) await press(`part-${part}`);
      }, whole);
      await press("body-view");
      await until(page, () => {
        const canvas = document.getElementById("body-map");
        if (canvas.hidden || canvas.width < 16) return false;
        const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
        const colours = new Set();
        for (let i = 0; i < data.length; i += 400) if (data[i + 3] === 255) colours.add(`${data[i]} ${data[i + 1]} ${data[i + 2]}`);
        return colours.size >= 3;
      });
    });

    test("fits a phone with everything open", async () => {
      await page.setViewport({ width: 360, height: 740 });
      await page.evaluate(() => (document.getElementById("body").hidden = document.getElementById("zone-tools").hidden = false));
      const wide = await page.evaluate(() => [...document.querySelectorAll("body *")].filter((element) => element.getBoundingClientRect().right > innerWidth + 1).map(({ id, tagName }) => `${tagName}#${id}`));
      assert.deepEqual(wide, []);
      const unnamed = await page.evaluate(() => [...document.querySelectorAll("button, input, select")].filter((field) => !field.hidden && !(field.labels?.length || field.textContent.trim() || field.ariaLabel)).map(({ id }) => id));
      assert.deepEqual(unnamed, [], "every control has a name");
    });
  });
}

/** How many pixels of two pictures differ. */
function others(a, b) {
  let count = 0;
  for (let i = 0; i < a.length; i += 4) count += [0, 1, 2].some((c) => Math.abs(a[i + c] - b[i + c]) >= FAR) ? 1 : 0;
  return count;
}

/** Mean difference of two pictures. */
function apart(a, b) {
  return a.reduce((sum, value, i) => sum + Math.abs(value - b[i]), 0) / a.length;
}
