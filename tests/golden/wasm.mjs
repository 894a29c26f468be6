// Run every case of the golden vectors on the WebAssembly module in Node.
//
//     node tests/golden/wasm.mjs MODULE.wasm
//
// Prints one line of JSON: what check() of cases.mjs found.

import { readFileSync } from "node:fs";
import { check } from "./cases.mjs";

const here = new URL(".", import.meta.url);
const cases = JSON.parse(readFileSync(new URL("vectors.json", here), "utf8"));
const module = new WebAssembly.Module(readFileSync(process.argv[2]));
console.log(JSON.stringify(await check(module, cases, readFileSync(new URL("vectors.bin", here)))));
