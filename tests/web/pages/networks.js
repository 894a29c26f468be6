/** Networks in the page, by TensorFlow.js and by LiteRT.js. Bundled by tfjs.test.mjs. */

import { loadAndCompile, loadLiteRt, Tensor } from "@litertjs/core";
import { setWasmPaths } from "@tensorflow/tfjs-backend-wasm";
import "@tensorflow/tfjs-backend-webgl";
import { loadGraphModel } from "@tensorflow/tfjs-converter";
import * as tf from "@tensorflow/tfjs-core";
import { differences, runs } from "../networks.mjs";

const json = async (url) => (await fetch(url)).json();
const binary = async (url) => (await fetch(url)).arrayBuffer();

const violations = [];
document.addEventListener("securitypolicyviolation", (event) => violations.push(`${event.violatedDirective} ${event.blockedURI}`));

window.kit = {
  violations,

  /** The exported network by a back end of TensorFlow.js. */
  async tfjs(backend) {
    setWasmPaths("/tfjs-wasm/");
    if (!(await tf.setBackend(backend))) throw new Error(`TensorFlow.js has no ${backend} here`);
    const [facts, known, buffer] = await Promise.all([json("/networks/model.json"), json("/networks/pictures.json"), binary("/networks/pictures.bin")]);
    const { path } = facts.files.find((file) => file.format === "tfjs" && file.path.endsWith(".json"));
    const model = await loadGraphModel(`/networks/${path}`);
    const found = await differences(known, buffer, facts.input, known.tfjs, runs(tf, model, facts));
    return { backend: tf.getBackend(), float32: backend !== "webgl" || tf.env().getBool("WEBGL_RENDER_FLOAT32_ENABLED"), found };
  },

  /** The network of the package by LiteRT.js. */
  async litert() {
    const [known, buffer, card] = await Promise.all([json("/networks/pictures.json"), binary("/networks/pictures.bin"), json("/weights/model.json")]);
    const graph = await binary(`/weights/${card.files.find((file) => file.format === "tflite").path}`);
    await loadLiteRt("/litert/");
    const model = await loadAndCompile(new Uint8Array(graph), { accelerator: "wasm" });
    const { width, height } = card.input;
    let last = new Float32Array(width * height); // a recurrent network's alpha of the picture before
    const found = await differences(known, buffer, card.input, known.packaged, async (picture) => {
      const given = model.getInputDetails().map(({ shape }) => new Tensor(shape.at(-1) === 3 ? picture : last, [...shape]));
      const made = await model.run(given);
      last = (await made[0].data()).slice();
      for (const tensor of [...given, ...made]) tensor.delete();
      return last;
    });
    model.delete();
    return found;
  },
};
