/** Make what the browser tests look at: see material.py, networks.py and bodypix.py. */

import { execFileSync } from "node:child_process";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("../..", import.meta.url));
const local = join(root, ".venv", "bin", "python");

const folder = process.env.LIVEMATTE_WEB_MATERIAL ?? join(root, "build", "web-tests");

/** Folder of the material. */
export function material() {
  return made("material.py", folder);
}

/** Folder of the networks and their pictures. */
export function networks() {
  return made("networks.py", join(folder, "networks"));
}

/** Folder of BodyPix's networks and what Python finds with them. */
export function bodypix() {
  return made("bodypix.py", join(folder, "bodypix"));
}

function made(script, folder) {
  const python = existsSync(local) ? local : "python3";
  execFileSync(python, [join(root, "tests", "web", script), folder], { stdio: ["ignore", "ignore", "inherit"] });
  return folder;
}
