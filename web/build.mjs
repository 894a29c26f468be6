// Build the package into dist/, and the web app for Python's `livematte serve`.
//
//     node build.mjs [--python ../.venv/bin/python]
//
// dist/index.js, livekit.js    ES modules and their types
// dist/assets/                 what is fetched at run time: worker, kernels, engine, network
// dist/app/                    the web app, a static site

import { execFileSync } from "node:child_process";
import { cpSync, existsSync, mkdirSync, readdirSync, rmSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import esbuild from "esbuild";

const here = dirname(fileURLToPath(import.meta.url));
const root = dirname(here);
const { values: options } = parseArgs({ options: { python: { type: "string" } } });
const local = join(root, ".venv", "bin", "python");
const python = options.python ?? (existsSync(local) ? local : "python3");

const dist = join(here, "dist");
const assets = join(dist, "assets");
const served = join(root, "src", "livematte", "web");
const ENGINE_BUILDS = ["", "_compat", "_jspi"]; // with relaxed SIMD, without, and for WebGPU

const shared = { bundle: true, minify: true, target: "es2022", logLevel: "warning", loader: { ".glsl": "text", ".vert": "text", ".frag": "text" }, legalComments: "none" };

rmSync(dist, { recursive: true, force: true });
mkdirSync(join(assets, "models"), { recursive: true });

execFileSync(python, [join(root, "kernels", "build.py"), "--target", "wasm", "--out", assets], { stdio: ["ignore", "ignore", "inherit"] });
const engine = join(here, "node_modules", "@litertjs", "core", "wasm");
for (const build of ENGINE_BUILDS) {
  for (const kind of ["js", "wasm"]) {
    const name = `litert_wasm${build}_internal.${kind}`;
    cpSync(join(engine, name), join(assets, "litert", name));
  }
}
for (const tag of ["fast", "base"]) {
  const weights = join(root, "src", "livematte", "models", "weights", tag);
  for (const name of readdirSync(weights)) if (name.endsWith(".tflite")) cpSync(join(weights, name), join(assets, "models", name));
}

// LiteRT.js loads its own script by importScripts, which only a classic worker has
await esbuild.build({ ...shared, entryPoints: [join(here, "src", "worker", "index.ts")], format: "iife", outfile: join(assets, "livematte.worker.js") });
// fetched by the worker when BodyPix is asked for
await esbuild.build({ ...shared, entryPoints: [join(here, "src", "bodypix", "index.ts")], format: "esm", outfile: join(assets, "livematte.bodypix.js") });
await esbuild.build({ ...shared, entryPoints: [join(here, "src", "index.ts"), join(here, "src", "livekit.ts")], format: "esm", splitting: true, chunkNames: "[name]-[hash]", outdir: dist });
execFileSync(process.execPath, [join(here, "node_modules", "typescript", "bin", "tsc"), "-p", here, "--emitDeclarationOnly", "--declaration", "--outDir", dist], { stdio: "inherit" });

const app = join(here, "app");
if (existsSync(join(app, "index.html"))) {
  const site = join(dist, "app");
  mkdirSync(site, { recursive: true });
  await esbuild.build({ ...shared, entryPoints: [join(app, "app.ts")], format: "esm", outfile: join(site, "app.js") });
  for (const name of readdirSync(app)) if (!/\.ts$|^tsconfig/.test(name)) cpSync(join(app, name), join(site, name), { recursive: true });
  cpSync(join(here, "node_modules", "smol-toml", "LICENSE"), join(site, "smol-toml.LICENSE.txt")); // it is in app.js
  cpSync(assets, join(site, "assets"), { recursive: true });
  rmSync(served, { recursive: true, force: true });
  cpSync(site, served, { recursive: true });
}
