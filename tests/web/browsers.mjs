/** The two real browsers, driven by puppeteer-core: Chromium by CDP, Firefox by WebDriver BiDi. */

import { mkdtempSync, rmSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { accessSync, constants } from "node:fs";

const require = createRequire(new URL("../../web/package.json", import.meta.url));
const puppeteer = require("puppeteer-core");

/** Which to test: LIVEMATTE_BROWSERS=chromium leaves Firefox out. */
export const NAMES = (process.env.LIVEMATTE_BROWSERS ?? "chromium,firefox").split(",");

const PROGRAMS = { chromium: ["chromium", "chromium-browser", "google-chrome"], firefox: ["firefox-esr", "firefox"] };

const CHROMIUM = [
  "--no-sandbox", // tests run as root in containers
  "--disable-gpu",
  "--disable-quic",
  "--disable-sync",
  "--no-first-run",
  "--disable-component-update",
  "--disable-background-networking",
  "--autoplay-policy=no-user-gesture-required",
  "--use-fake-ui-for-media-stream",
  "--use-fake-device-for-media-stream",
];
const FIREFOX = {
  "media.navigator.streams.fake": true,
  "media.navigator.permission.disabled": true,
  "media.autoplay.default": 0,
  "dom.min_background_timeout_value": 1000,
};

/** Path of a browser's program; looked for in PATH. */
export function program(name) {
  for (const file of PROGRAMS[name] ?? []) {
    for (const folder of process.env.PATH.split(delimiter)) {
      const path = join(folder, file);
      try {
        accessSync(path, constants.X_OK);
        return path;
      } catch {
        // the next one
      }
    }
  }
  throw new Error(`${name} is not installed; run scripts/browsers as root, or install Debian's chromium and firefox-esr`);
}

/**
 * Start a browser with a profile of its own.
 * @param clip y4m file that Chromium's fake camera plays; Firefox has a picture of its own.
 * @param dark whether the person likes pages dark.
 */
export async function launch(name, { clip, dark = false, args = [] } = {}) {
  const userDataDir = mkdtempSync(join(tmpdir(), `livematte-${name}-`));
  const options = { executablePath: program(name), headless: true, userDataDir, protocolTimeout: 240_000 };
  const camera = clip ? [`--use-file-for-fake-video-capture=${clip}`] : [];
  const browser = await puppeteer.launch(
    name === "firefox" ? { ...options, browser: "firefox", extraPrefsFirefox: { ...FIREFOX, "layout.css.prefers-color-scheme.content-override": dark ? 0 : 1 }, args } : { ...options, args: [...CHROMIUM, ...(dark ? ["--force-dark-mode"] : []), ...camera, ...args] },
  );
  const close = browser.close.bind(browser);
  browser.close = async () => {
    await close();
    rmSync(userDataDir, { recursive: true, force: true, maxRetries: 3 });
  };
  return browser;
}

/** A page of the test server, ready to be used; what it complained of is in `page.complaints`. */
export async function visit(browser, url) {
  const page = await browser.newPage();
  page.complaints = [];
  page.requested = [];
  page.on("pageerror", (error) => page.complaints.push(String(error?.message ?? error)));
  page.on("request", (request) => page.requested.push(request.url()));
  await page.goto(url);
  for (let waited = 0; !(await page.evaluate(() => window.kit !== undefined)); waited += 50) {
    if (waited > 10_000) throw new Error(`${url} did not load: ${page.complaints.join("; ")}`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  return page;
}
