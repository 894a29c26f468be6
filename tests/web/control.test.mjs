/** The control page of `livematte live --control`, used by keyboard and pointer; and who may not come in. */

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { after, afterEach, before, beforeEach, describe, test } from "node:test";
import { launch, NAMES } from "./browsers.mjs";

const root = fileURLToPath(new URL("../..", import.meta.url));
const local = join(root, ".venv", "bin", "python");
const pictures = process.env.LIVEMATTE_WEB_PICTURES; // folder for screenshots, to be looked at

/** A command that prints an address with a token, and goes on. */
async function started(...words) {
  const home = mkdtempSync(join(tmpdir(), "livematte-control-"));
  const env = { ...process.env, LIVEMATTE_RUNTIME: join(home, "run"), LIVEMATTE_CONFIG: home };
  const running = spawn(existsSync(local) ? local : "python3", ["-u", "-m", "livematte", ...words], { env, stdio: ["ignore", "pipe", "pipe"] });
  let said = "";
  const ended = new Promise((resolve) => running.on("exit", resolve));
  const url = await new Promise((resolve, reject) => {
    const hear = (data) => {
      said += data;
      const found = /http:\S+#token=\S+/.exec(said);
      if (found) resolve(found[0]);
    };
    running.stdout.on("data", hear);
    running.stderr.on("data", hear);
    running.on("exit", (code) => reject(new Error(`livematte ended with ${code}: ${said}`)));
  });
  return {
    url,
    home,
    token: url.split("#token=")[1],
    async stop() {
      running.kill("SIGINT");
      const code = await ended;
      rmSync(home, { recursive: true, force: true });
      return code;
    },
  };
}

const live = () => started("live", "--input", "synthetic:640x360@30*1000000", "-o", "null:", "--control", "0", "--effect", "color:#3b6ea8", "--no-governor");

for (const name of NAMES) {
  describe(`the control page in ${name}`, () => {
    let stream, browser, page, complaints;

    before(async () => {
      [stream, browser] = await Promise.all([live(), launch(name)]);
    });

    beforeEach(async () => {
      page = await browser.newPage();
      complaints = [];
      page.on("pageerror", (error) => complaints.push(String(error?.message ?? error)));
      await page.setViewport({ width: 1280, height: 900 });
    });

    afterEach(async () => {
      await page.close();
      assert.deepEqual(complaints, []);
    });

    after(async () => {
      await browser?.close();
      if (stream) assert.equal(await stream.stop(), 0);
    });

    async function until(condition, ...args) {
      for (let waited = 0; waited < 25_000; waited += 100) {
        if (await page.evaluate(condition, ...args)) return;
        await new Promise((resolve) => setTimeout(resolve, 100));
      }
      assert.fail(`${condition} never held; ${await page.evaluate(() => document.body.innerText)}`);
    }

    async function open() {
      await page.goto(stream.url);
      await until(() => document.getElementById("preview").complete && document.getElementById("preview").naturalWidth > 0 && document.getElementById("fps").textContent !== "–");
    }

    const tabTo = async (id) => {
      for (let i = 0; i < 60 && (await page.evaluate(() => document.activeElement.id)) !== id; i++) await page.keyboard.press("Tab");
      assert.equal(await page.evaluate(() => document.activeElement.id), id);
    };

    /** Colour of the preview's corner, where nobody is. */
    const corner = () =>
      page.evaluate(() => {
        const canvas = new OffscreenCanvas(8, 8).getContext("2d");
        canvas.drawImage(document.getElementById("preview"), 600, 8, 8, 8, 0, 0, 8, 8);
        return [...canvas.getImageData(4, 4, 1, 1).data.slice(0, 3)];
      });

    async function turns(red, green, blue) {
      let seen;
      for (let waited = 0; waited < 25_000; waited += 100) {
        seen = await corner();
        if ([red, green, blue].every((value, index) => Math.abs(value - seen[index]) < 12)) return;
        await new Promise((resolve) => setTimeout(resolve, 100));
      }
      assert.fail(`the corner is ${seen}, and was to become ${[red, green, blue]}`);
    }

    const shoot = async (what) => {
      if (!pictures) return;
      mkdirSync(pictures, { recursive: true });
      writeFileSync(join(pictures, `${name}-${what}.png`), await page.screenshot({ fullPage: true }));
    };

    test("what goes out, and how it is", async () => {
      await open();
      await turns(0x3b, 0x6e, 0xa8);
      await until(() => /^\d/.test(document.getElementById("p99").textContent) && document.getElementById("size").textContent === "640×360");
      assert.equal(await page.evaluate(() => document.getElementById("camera").textContent), "Camera on");
      assert.equal(await page.evaluate(() => location.hash), "", "the token does not stay in sight");
      await shoot("1280");
    });

    test("another effect, by keyboard alone", async () => {
      await open();
      await tabTo("pause");
      await page.keyboard.press("Enter");
      await until(() => document.body.dataset.state === "paused" && document.getElementById("pause").textContent === "Go on");
      await page.keyboard.press("p");
      await until(() => document.body.dataset.state === "open");
      await page.focus("input[value=color]");
      await page.keyboard.press("ArrowUp");
      await page.keyboard.press("ArrowUp");
      await until(() => document.querySelector("input[value=blur]").checked && !document.getElementById("strength").closest("label").hidden);
      await tabTo("strength");
      await page.keyboard.press("ArrowRight");
      await until(async (token) => (await (await fetch("api/status", { headers: { Authorization: `Bearer ${token}` } })).json()).settings.effect === "blur:0.65", stream.token);
      assert.equal(await page.evaluate(() => document.querySelector("output[for=strength]").value), "65 %");
      await shoot("blur");
    });

    test("arrow keys do not show the room in passing: it has a button of its own", async () => {
      await open();
      const effect = () => page.evaluate(async (token) => (await (await fetch("api/status", { headers: { Authorization: `Bearer ${token}` } })).json()).settings.effect, stream.token);
      await page.focus("input[name=effect]:checked");
      while (!(await page.evaluate(() => document.querySelector("input[value=off]").checked))) await page.keyboard.press("ArrowDown");
      await until(() => !document.getElementById("uncover").hidden && /Nothing has changed yet/.test(document.getElementById("uncovered").textContent));
      assert.notEqual(await effect(), "off");
      await tabTo("uncover");
      await page.keyboard.press("Enter");
      await until(() => document.getElementById("uncover").hidden && /Others see the room/.test(document.getElementById("uncovered").textContent));
      assert.equal(await effect(), "off");
      await page.evaluate(() => document.querySelector("input[value=blur]").click());
      await until(() => document.getElementById("uncovered").closest("div").hidden);
    });

    test("a picture of one's own, and one that is none", async () => {
      await open();
      const red = await page.evaluate(async () => {
        const canvas = new OffscreenCanvas(64, 36);
        const paint = canvas.getContext("2d");
        paint.fillStyle = "rgb(200, 40, 40)";
        paint.fillRect(0, 0, 64, 36);
        return [...new Uint8Array(await (await canvas.convertToBlob()).arrayBuffer())];
      });
      const file = join(stream.home, "red wall.png");
      writeFileSync(file, Uint8Array.from(red));
      const input = await page.$("#file");
      await input.uploadFile(file);
      await turns(200, 40, 40);
      await until(() => document.getElementById("picture").textContent === "red wall.png" && document.querySelector("input[value=image]").checked);
      await input.uploadFile(fileURLToPath(import.meta.url));
      await until(() => /What was sent is no PNG, JPEG or WebP/.test(document.getElementById("error").textContent));
      await shoot("error");
      await turns(200, 40, 40);
    });

    test("presets are kept in the file, and the file is followed", async () => {
      await open();
      await page.evaluate(() => {
        document.getElementById("color").value = "#208040";
        document.querySelector("input[value=color]").click();
      });
      await turns(0x20, 0x80, 0x40);
      await page.type("#preset-name", `${name} green`);
      await page.keyboard.press("Enter");
      await until((wanted) => document.getElementById("preset").value === wanted, `${name} green`);
      const path = join(stream.home, "presets.toml");
      const text = readFileSync(path, "utf8");
      assert.match(text, /effect = "color:#208040"/);
      writeFileSync(path, text.replace("#208040", "#802080"));
      await turns(0x80, 0x20, 0x80);
      writeFileSync(path, "[presets.x\n");
      await until(() => /presets\.toml.*line 1/.test(document.getElementById("presets-error").textContent));
      writeFileSync(path, text);
    });

    test("a zone is drawn by keyboard alone, shown over the preview, kept to, and cleared", async () => {
      await open();
      const zones = (count) => until(async (token, count) => (await (await fetch("api/status", { headers: { Authorization: `Bearer ${token}` } })).json()).settings.zones.length === count, stream.token, count);
      const text = (id) => page.evaluate((id) => document.getElementById(id).textContent, id);
      const marked = () => page.evaluate(() => (document.getElementById("zone-marks").hasAttribute("hidden") ? 0 : document.querySelectorAll("#zone-marks polygon").length));
      await tabTo("zone");
      await page.keyboard.press("Enter");
      assert.equal(await page.evaluate(() => document.activeElement.id), "zone-canvas");
      await page.keyboard.press("Enter");
      assert.match(await text("notice"), /needs 3 corners; this one has 0/);
      for (const [times, key] of [[4, "ArrowRight"], [5, "ArrowUp"], [0, " "], [4, "ArrowDown"], [0, " "], [0, "Backspace"], [6, "ArrowDown"], [0, " "], [4, "ArrowLeft"], [0, " "]]) {
        await page.keyboard.down("Shift");
        for (let i = 0; i < times; i++) await page.keyboard.press(key);
        await page.keyboard.up("Shift");
        if (!times) await page.keyboard.press(key);
      }
      assert.match(await text("notice"), /Corner 3 at 50 % across, 100 % down\. Enter closes/);
      await shoot("drawing");
      await page.keyboard.press("Enter");
      await zones(1);
      await until(() => document.getElementById("zone-count").value === "1 drawn" && document.getElementById("zone-tools").hidden);
      assert.equal(await page.evaluate(() => document.activeElement.id), "zone");
      assert.equal(await marked(), 1);
      await shoot("zones");
      await page.keyboard.press("Enter");
      await page.keyboard.press("Escape");
      assert.equal(await text("zone-count"), "1 drawn");
      await page.evaluate(() => document.getElementById("framing").click());
      await until(() => document.getElementById("zone-marks").hasAttribute("hidden"));
      await page.evaluate(() => document.getElementById("zone").click());
      assert.match(await text("notice"), /Zones lie in the whole picture: take “Keep the people in the middle” off/);
      await page.evaluate(() => document.getElementById("framing").click());
      await until(() => !document.getElementById("zone-marks").hasAttribute("hidden") && document.getElementById("notice").textContent === "");
      await tabTo("zone-clear");
      await page.keyboard.press("Enter");
      await zones(0);
      assert.equal(await marked(), 0);
    });

    test("a zone by pointer; none without a picture", async () => {
      await open();
      await page.click("#zone");
      const box = await page.evaluate(() => {
        const { x, y, width, height } = document.getElementById("zone-canvas").getBoundingClientRect();
        return { x, y, width, height };
      });
      for (const [x, y] of [[0.2, 0.2], [0.8, 0.2], [0.5, 0.9], [0.2, 0.2]]) await page.mouse.click(box.x + x * box.width, box.y + y * box.height);
      await until(() => document.getElementById("zone-count").value === "1 drawn");
      const [zone] = (await (await fetch(`${stream.url.split("#")[0]}api/status`, { headers: { Authorization: `Bearer ${stream.token}` } })).json()).settings.zones;
      for (const [i, [x, y]] of [[0.2, 0.2], [0.8, 0.2], [0.5, 0.9]].entries()) assert.ok(Math.hypot(zone[i][0] - x, zone[i][1] - y) < 0.01, `corner ${i} is at ${zone[i]}`);
      await page.click("#zone-clear");
      await until(() => document.getElementById("zone-count").value === "");
      await page.click("#zone");
      await page.click("#watch");
      await until(() => document.getElementById("zone-canvas").hasAttribute("hidden"));
      await page.click("#zone");
      assert.match(await page.evaluate(() => document.getElementById("notice").textContent), /no picture to draw on: start the stream, with the preview on/);
    });

    test("mirrored, zones lie as they are seen; the empty room is refused while somebody is in it", async () => {
      const ask = (values) => fetch(new URL("api/settings", stream.url), { method: "PATCH", headers: { Authorization: `Bearer ${stream.token}` }, body: JSON.stringify(values) });
      await open();
      await ask({ zones: [[[0, 0], [0.25, 0], [0, 1]]] });
      await until(() => document.querySelector("#zone-marks polygon")?.getAttribute("points") === "0,0 160,0 0,360");
      await page.focus("#mirror");
      await page.keyboard.press(" ");
      await until(() => document.querySelector("#zone-marks polygon")?.getAttribute("points") === "640,0 480,0 640,360");
      await ask({ zones: [], mirror: false });
      await until(() => !document.getElementById("mirror").checked);
      await tabTo("room");
      await page.keyboard.press("Enter");
      await until(() => /^Step out of the picture: [123]$/.test(document.getElementById("room-said").value) && document.getElementById("room").disabled);
      await until(() => document.getElementById("room-said").value.startsWith("The room was not taken: somebody is in the picture"));
      assert.equal(await page.evaluate(() => document.getElementById("room").disabled || !document.getElementById("room-drop").disabled), false);
      await shoot("room");
    });

    test("another network", async () => {
      await open();
      await until(() => document.getElementById("model").options.length >= 2);
      await page.select("#model", "livematte:base");
      await until(async (token) => (await (await fetch("api/status", { headers: { Authorization: `Bearer ${token}` } })).json()).live.model === "livematte:base", stream.token);
      await page.select("#model", "livematte:fast");
    });

    test("without a WebSocket it goes on", async () => {
      await page.evaluateOnNewDocument(() => {
        window.WebSocket = class extends EventTarget {
          static OPEN = 1;
          readyState = 3;
          constructor() {
            super();
            setTimeout(() => this.onclose?.());
          }
        };
      });
      await open();
      await until(() => document.getElementById("size").textContent === "640×360");
    });

    test("without the token nothing is shown", async () => {
      await page.goto(stream.url.split("#")[0]);
      await until(() => document.body.dataset.state === "locked" && !document.getElementById("entry").hidden);
      assert.match(await page.evaluate(() => document.getElementById("error").textContent), /The token is missing/);
      assert.equal(await page.evaluate(() => document.getElementById("preview").getAttribute("src")), null);
      await shoot("locked");
      await page.type("#token", stream.token);
      await page.keyboard.press("Enter");
      await until(() => document.getElementById("preview").naturalWidth > 0);
    });

    test("another site cannot steer or look", async () => {
      const site = createServer((request, response) => response.writeHead(200, { "content-type": "text/html" }).end("<!doctype html><title>evil</title>"));
      await new Promise((resolve) => site.listen(0, "127.0.0.1", resolve));
      await page.goto(`http://127.0.0.1:${site.address().port}/`);
      const target = stream.url.split("#")[0];
      const found = await page.evaluate(
        async (target, token) => {
          const tried = {};
          const attempt = async (name, what) => (tried[name] = await what().then(String, () => "refused"));
          const headers = { Authorization: `Bearer ${token}` };
          await attempt("read", async () => (await fetch(`${target}api/status`, { headers })).status);
          await attempt("blind", async () => (await fetch(`${target}api/pause`, { method: "POST", mode: "no-cors" })).type);
          await attempt("socket", () => new Promise((resolve, reject) => {
            const socket = new WebSocket(`${target.replace("http", "ws")}api/socket`, ["livematte", `token.${token}`]);
            socket.onopen = () => resolve("open");
            socket.onerror = reject;
          }));
          await attempt("picture", () => new Promise((resolve, reject) => {
            const image = new Image();
            image.onload = () => resolve("seen");
            image.onerror = reject;
            image.src = `${target}api/preview.jpg?token=${token}`;
          }));
          return tried;
        },
        target,
        stream.token,
      );
      site.close();
      complaints.length = 0; // of the other site: Firefox says what it was not allowed to do
      assert.deepEqual({ ...found, blind: "" }, { read: "refused", blind: "", socket: "refused", picture: "refused" });
      const state = await (await fetch(`${target}api/status`, { headers: { Authorization: `Bearer ${stream.token}` } })).json();
      assert.equal(state.live.paused, false);
    });

    test("fits a phone, in the dark, too", async () => {
      const [light, dark] = [page, await launch(name, { dark: true })];
      try {
        page = await dark.newPage();
        await page.setViewport({ width: 360, height: 740 });
        await open();
        assert.equal(await page.evaluate(() => matchMedia("(prefers-color-scheme: dark)").matches), true);
        await page.evaluate(() => {
          for (const part of document.querySelectorAll("#zone-tools, #marks-hint")) part.hidden = false;
          for (const details of document.querySelectorAll("details")) details.open = true;
        });
        const wide = await page.evaluate(() => [...document.querySelectorAll("body *")].filter((element) => element.getBoundingClientRect().right > innerWidth + 1).map(({ id, tagName }) => `${tagName}#${id}`));
        assert.deepEqual(wide, []);
        await shoot("360-dark");
      } finally {
        page = light;
        await dark.close();
      }
    });
  });
}

test("a stream that ends is told in words", async () => {
  const stream = await live();
  const browser = await launch(NAMES[0]);
  try {
    const page = await browser.newPage();
    await page.goto(stream.url);
    await page.waitForFunction(() => document.getElementById("preview").naturalWidth > 0);
    await page.click("#stop");
    await page.waitForFunction(() => /has ended/.test(document.getElementById("error").textContent) && document.getElementById("preview").getAttribute("src") === null);
  } finally {
    await browser.close();
    await stream.stop();
  }
});

test("both ways from one server: started and ended from the page", async () => {
  const server = await started("serve", "--port", "0", "--live", "--input", "synthetic:640x360@30*1000000", "-o", "null:");
  const browser = await launch(NAMES[0]);
  try {
    const page = await browser.newPage();
    await page.goto(server.url);
    await page.waitForFunction(() => document.getElementById("camera").textContent === "Not running");
    await page.click("#start");
    await page.waitForFunction(() => document.body.dataset.state === "open" && document.getElementById("preview").naturalWidth > 0);
    await page.click("#stop");
    await page.waitForFunction(() => document.getElementById("camera").textContent === "Not running");
    await page.click("#browser-way");
    await page.waitForFunction(() => document.getElementById("use-camera") && document.getElementById("machine"));
    await page.click("#machine");
    await page.waitForFunction(() => document.getElementById("camera").textContent === "Not running");
  } finally {
    await browser.close();
    assert.equal(await server.stop(), 0);
  }
});
