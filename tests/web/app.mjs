/** `livematte serve` and its page in a browser, for tests. */

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";

const local = fileURLToPath(new URL("../../.venv/bin/python", import.meta.url));

/** `livematte serve` on a free port; `cache` is the folder of what was pulled. */
export async function serveApp(cache) {
  const env = cache ? { ...process.env, LIVEMATTE_CACHE: cache } : process.env;
  const server = spawn(existsSync(local) ? local : "python3", ["-u", "-m", "livematte", "serve", "--port", "0"], { stdio: ["ignore", "pipe", "inherit"], env });
  const url = await new Promise((resolve, reject) => {
    let said = "";
    server.stdout.on("data", (data) => {
      said += data;
      const found = /http:\/\/\S+/.exec(said);
      if (found) resolve(found[0]);
    });
    server.on("exit", (code) => reject(new Error(`livematte serve ended with ${code}`)));
  });
  const ended = new Promise((resolve) => server.on("exit", resolve));
  return { url, stop: () => (server.kill("SIGINT"), ended) };
}

/** The app in a new page, ready to be used; what it complained of and whom it asked are noted. */
export async function openApp(browser, url) {
  const page = await browser.newPage();
  page.complaints = [];
  page.elsewhere = [];
  page.on("pageerror", (error) => page.complaints.push(String(error?.message ?? error)));
  page.on("request", (request) => request.url().startsWith(url) || /^(blob|data):/.test(request.url()) || page.elsewhere.push(request.url()));
  await page.goto(url);
  await until(page, () => document.querySelectorAll(".tile").length >= 10 && document.getElementById("model").options.length > 1);
  return page;
}

/** Wait until a condition on the page holds. */
export async function until(page, condition, ...args) {
  for (let waited = 0; waited < 25_000; waited += 100) {
    if (await page.evaluate(condition, ...args)) return;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  assert.fail(`${condition} never held; ${await page.evaluate(() => ["message", "notice", "room-said", "preset-said"].map((id) => document.getElementById(id).textContent).join(" "))}`);
}

export const running = (page) => until(page, () => document.getElementById("stage").dataset.state === "running");
