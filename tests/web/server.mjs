/** A static server with the strict Content-Security-Policy of docs/browser.md, and faults on demand. */

import { createReadStream, readFileSync, statSync } from "node:fs";
import { createServer } from "node:http";
import { extname, join, normalize } from "node:path";
import { fileURLToPath } from "node:url";

const here = fileURLToPath(new URL(".", import.meta.url));
const root = join(here, "..", "..");

const TYPES = { ".html": "text/html", ".js": "text/javascript", ".mjs": "text/javascript", ".css": "text/css", ".wasm": "application/wasm", ".json": "application/json", ".png": "image/png", ".svg": "image/svg+xml", ".webm": "video/webm" };

/** What docs/browser.md asks of a page that embeds livematte; a test compares the two. */
export const POLICY = "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; worker-src 'self'; connect-src 'self'; img-src 'self' blob:; media-src 'self' blob:; style-src 'self'";

/**
 * Serve the tests' pages, the built SDK below /livematte/ and more folders.
 * @param folders address -> folder, such as { "/material": "..." }; the longest address that fits counts.
 * @param cache value of Cache-Control; "no-store" where faults come and go.
 * @param policy Content-Security-Policy.
 * @returns url, close(), and `faults`: address -> "404", "corrupt", "html" or "stall".
 */
export async function serve(folders = {}, cache = "max-age=600", policy = POLICY) {
  const places = { "/livematte": join(root, "web", "dist"), "/golden": join(root, "tests", "golden"), ...folders, "": join(here, "pages") };
  const prefixes = Object.keys(places).sort((a, b) => b.length - a.length);
  const faults = new Map();
  const server = createServer((request, response) => {
    const path = normalize(decodeURIComponent(new URL(request.url, "http://localhost").pathname));
    const prefix = prefixes.find((place) => path.startsWith(`${place}/`));
    const file = join(places[prefix], path.slice(prefix.length));
    const headers = { "content-security-policy": policy, "x-content-type-options": "nosniff", "cache-control": cache };
    const fault = faults.get(path);
    if (fault === "404" || !isFile(file)) return response.writeHead(404, headers).end("not found");
    headers["content-type"] = TYPES[extname(file)] ?? "application/octet-stream";
    if (fault === "html") return response.writeHead(200, { ...headers, "content-type": "text/html" }).end("<!doctype html><title>Sign in</title>");
    if (fault === "corrupt") {
      const bytes = readFileSync(file);
      bytes[bytes.length >> 1] ^= 0xff;
      return response.writeHead(200, headers).end(bytes);
    }
    response.writeHead(200, { ...headers, "content-length": statSync(file).size });
    if (fault === "stall") return response.flushHeaders(); // and never a byte of it
    createReadStream(file).pipe(response);
  });
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    url: `http://localhost:${server.address().port}`,
    faults,
    close: () => new Promise((resolve) => (server.closeAllConnections(), server.close(resolve))),
  };
}

function isFile(path) {
  try {
    return statSync(path).isFile();
  } catch {
    return false;
  }
}
