/** Make what the browser tests look at: see material.py, networks.py, bodypix.py and bodypix_files.py. */

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

/** Folder of BodyPix's files as browsers fetch them, and of pictures by Python; absent.txt says where the shared files are not there. */
export function bodypixFiles() {
  return made("bodypix_files.py", join(folder, "bodypix-files"));
}

function made(script, folder) {
  const python = existsSync(local) ? local : "python3";
  execFileSync(python, [join(root, "tests", "web", script), folder], { stdio: ["ignore", "ignore", "inherit"] });
  return folder;
}
