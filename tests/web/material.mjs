/** Make what the browser tests look at, once: see material.py. */

import { execFileSync } from "node:child_process";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("../..", import.meta.url));
const local = join(root, ".venv", "bin", "python");

/** Folder of the material. */
export function material() {
  const folder = process.env.LIVEMATTE_WEB_MATERIAL ?? join(root, "build", "web-tests");
  const python = existsSync(local) ? local : "python3";
  execFileSync(python, [join(root, "tests", "web", "material.py"), folder], { stdio: ["ignore", "ignore", "inherit"] });
  return folder;
}
