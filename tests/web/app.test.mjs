/** The web app as `livematte serve` gives it, used by keyboard and pointer. */

import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";
import { after, afterEach, before, beforeEach, describe, test } from "node:test";
import { openApp, running as runningIn, serveApp, until as untilIn } from "./app.mjs";
import { launch, NAMES } from "./browsers.mjs";
import { material } from "./material.mjs";

const folder = material();

for (const name of NAMES) {
  describe(`the web app in ${name}`, () => {
    let server, browser, page;

    before(async () => {
      server = await serveApp();
      browser = await launch(name, { clip: `${folder}/person.y4m` });
    });

    beforeEach(async () => {
      page = await openApp(browser, server.url);
    });

    afterEach(async () => {
      const { complaints, elsewhere } = page;
      await page.close();
      assert.deepEqual({ complaints, elsewhere }, { complaints: [], elsewhere: [] });
    });

    after(async () => {
      await browser?.close();
      if (server) assert.equal(await server.stop(), 0, "Ctrl-C is how it ends");
    });

    const until = (condition, ...args) => untilIn(page, condition, ...args);
    const running = () => runningIn(page);
    const tabTo = async (id) => {
      for (let i = 0; i < 60 && (await page.evaluate(() => document.activeElement.id)) !== id; i++) await page.keyboard.press("Tab");
      assert.equal(await page.evaluate(() => document.activeElement.id), id);
    };

    test("a camera, by keyboard alone", async () => {
      await tabTo("use-camera");
      await page.keyboard.press("Enter");
      await running();
      await page.keyboard.press("6");
      assert.equal(await page.evaluate(() => document.querySelector("#gallery input:checked").value), "Dusk");
      await page.keyboard.press("f");
      await until(() => /frames a second\s+[1-9]/.test(document.getElementById("panel").innerText));
      await tabTo("softness");
      await page.keyboard.press("ArrowRight");
      assert.equal(await page.evaluate(() => document.querySelector("output[for=softness]").value), "35 %");
    });

    test("before and after: the camera is connected only while it is asked for", async () => {
      await page.evaluate(() => document.getElementById("use-camera").click());
      await running();
      const connected = () => page.evaluate(() => document.getElementById("before").srcObject !== null);
      assert.equal(await connected(), false);
      await page.keyboard.press("b");
      assert.equal(await connected(), true);
      assert.equal(await page.evaluate(() => document.activeElement.id), "split");
      for (let i = 0; i < 60; i++) await page.keyboard.press("ArrowLeft");
      assert.equal(await connected(), false);
    });

    test("a film from a file, recorded and saved", async () => {
      const input = await page.$("#file");
      await input.uploadFile(`${folder}/person.webm`);
      await running();
      await page.evaluate(() => {
        window.saved = [];
        HTMLAnchorElement.prototype.click = function () {
          window.saved.push(this.download);
        };
        const make = URL.createObjectURL;
        URL.createObjectURL = (blob) => (window.saved.push(blob.size), make(blob));
      });
      await page.keyboard.press("r");
      await until(() => /0:0[2-9]/.test(document.getElementById("recorded").value));
      await page.keyboard.press("r");
      await until(() => window.saved.length === 2);
      const [bytes, file] = await page.evaluate(() => window.saved);
      assert.match(file, /^livematte-.*\.(webm|mp4)$/);
      assert.ok(bytes > 20_000, `${bytes} bytes`);
      await page.keyboard.press("s");
      await until(() => window.saved.length === 4);
      assert.match((await page.evaluate(() => window.saved))[3], /\.png$/);
      await page.evaluate(() => document.getElementById("stop").click());
      await until(() => document.getElementById("stage").dataset.state === "empty");
    });

    test("clear words for what goes wrong", async () => {
      const state = () => page.evaluate(() => [document.getElementById("stage").dataset.state, document.getElementById("message").textContent]);
      for (const [error, words] of [["NotAllowedError", /may not be used.*Allow/], ["NotFoundError", /No camera/], ["NotReadableError", /in use by another program/]]) {
        await page.evaluate((error) => {
          navigator.mediaDevices.getUserMedia = () => Promise.reject(new DOMException("no", error));
          document.getElementById("use-camera").click();
        }, error);
        await until(() => document.getElementById("stage").dataset.state === "failed");
        assert.match((await state())[1], words);
        await page.evaluate(() => (document.getElementById("stage").dataset.state = "empty"));
      }
      const input = await page.$("#file");
      await input.uploadFile(fileURLToPath(import.meta.url));
      await until(() => /no video or picture/.test(document.getElementById("message").textContent));
    });

    test("fits a phone", async () => {
      await page.setViewport({ width: 360, height: 740 });
      const wide = await page.evaluate(() => [...document.querySelectorAll("body *")].filter((element) => element.getBoundingClientRect().right > innerWidth + 1).map(({ id, tagName }) => `${tagName}#${id}`));
      assert.deepEqual(wide, []);
    });
  });
}
