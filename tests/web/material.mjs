/** Make what the browser tests look at: see material.py, networks.py and bodypix_files.py. */

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

/** Folder of BodyPix's files, and of pictures by Python; it holds absent.txt alone where the shared files are not there. */
export function bodypix() {
  return made("bodypix_files.py", join(folder, "bodypix"));
}

function made(script, folder) {
  const python = existsSync(local) ? local : "python3";
  execFileSync(python, [join(root, "tests", "web", script), folder], { stdio: ["ignore", "ignore", "inherit"] });
  return folder;
}
