/** Our BodyPix in Python, and TensorFlow's own on TensorFlow.js: the same masks, parts and people from the same files. */

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { before, describe, test } from "node:test";
import { bodypix } from "./material.mjs";

const require = createRequire(new URL("../../web/package.json", import.meta.url));

/** Of what a network says, as a share of its largest value, or of 1. */
const ROUNDING = 1e-3;
/** Share of a picture's pixels that may differ. */
const PIXELS = 0.01;
/** Of key points, in pixels of the picture. */
const POINT_PX = 0.5;
/** Multiplier of a MobileNet by its name in a tag. */
const WIDTHS = { "050": 0.5, "075": 0.75, 100: 1 };

const folder = bodypix();
const cases = JSON.parse(readFileSync(join(folder, "cases.json")));
const present = cases.some(({ people }) => people);
const blob = readFileSync(join(folder, "cases.bin"));

describe("BodyPix", () => {
  const tf = require("@tensorflow/tfjs-core");
  require("@tensorflow/tfjs-backend-wasm");
  const library = require("@tensorflow-models/body-pix");
  const { padAndResizeTo, toInputResolutionHeightAndWidth } = require("@tensorflow-models/body-pix/dist/util");
  tf.enableProdMode(); // without its advice to install another package
  multiplyWholeNumbers(tf);

  before(async () => assert.ok(await tf.setBackend("wasm")));

  for (const known of cases) {
    test(`${known.tag} ${known.people ? "finds the same people" : "of noise is the same network"}`, async (t) => {
      const net = await library.load({ architecture: known.architecture, outputStride: known.stride, multiplier: WIDTHS[known.tag.split("-")[1]], modelUrl: local(join(folder, known.place)) });
      const worst = { maps: 0, mask: 0, parts: 0, people: 0, "people's parts": 0 };
      const keep = (name, value) => (worst[name] = Math.max(worst[name], value));
      for (const picture of known.pictures) {
        const rgb = array(picture.rgb);
        const image = tf.tensor3d(Int32Array.from(rgb), picture.rgb.shape, "int32");
        const [height, width] = picture.rgb.shape;
        const options = { internalResolution: picture.resolution };

        const size = toInputResolutionHeightAndWidth(picture.resolution, known.stride, [height, width]);
        const said = net.baseModel.predict(padAndResizeTo(image, size).resized);
        for (const [name, place] of Object.entries(picture.maps)) {
          assert.deepEqual(said[name].shape, place.shape, name);
          const ours = array(place);
          keep("maps", apart(name === "heatmapScores" ? ours.map((x) => 1 / (1 + Math.exp(-x))) : ours, said[name].dataSync()));
        }

        const person = await net.segmentPerson(image, options);
        keep("mask", differing(array(picture.mask), person.data));
        assert.equal(person.allPoses.length, picture.poses.length);
        person.allPoses.forEach(({ keypoints }, n) => {
          const points = array(picture.poses[n]);
          keypoints.forEach(({ position: { x, y } }, k) => assert.ok(Math.hypot(x - points[2 * k], y - points[2 * k + 1]) <= POINT_PX, `key point ${k} of person ${n}`));
        });
        keep("parts", differing(array(picture.parts), (await net.segmentPersonParts(image, options)).data));

        const people = await net.segmentMultiPerson(image, options);
        const parts = await net.segmentMultiPersonParts(image, options);
        assert.equal(people.length, picture.people.length);
        people.forEach(({ data, pose }, n) => {
          assert.ok(Math.abs(pose.score - picture.people[n].score) <= ROUNDING);
          keep("people", differing(array(picture.people[n].mask), data));
          keep("people's parts", differing(array(picture.people[n].parts), parts[n].data));
        });
      }
      net.dispose();
      assert.ok(worst.maps <= ROUNDING, `the outputs differ by ${worst.maps} of their largest value`);
      for (const name of ["mask", "parts", "people", "people's parts"]) assert.ok(worst[name] <= PIXELS, `${name} differ in ${100 * worst[name]} % of pixels`);
      const counts = known.pictures.map(({ people }) => people.length).join(", ");
      t.diagnostic(`${known.pictures.length} pictures with ${counts} people; at most ${Object.entries(worst).map(([name, value]) => (name === "maps" ? `${value.toExponential(1)} of an output` : `${(100 * value).toFixed(3)} % of pixels of ${name}`)).join(", ")}`);
    });
  }

  test("real people are among them", { skip: !present && "the shared folder has no weights/bodypix; set LIVEMATTE_SHARED to the folder that holds it" }, () => {
    const real = cases.filter(({ people }) => people);
    assert.deepEqual(real.map(({ stride }) => stride), [16, 8]);
    assert.ok(real[0].pictures.some(({ people }) => people.length === 2));
    assert.ok(real[0].pictures.every(({ mask }) => array(mask).some((x) => x)));
  });
});

/** A graph model in a folder, as TensorFlow.js takes it in place of an address. */
function local(place) {
  const { weightsManifest, ...model } = JSON.parse(readFileSync(join(place, "model.json")));
  const weights = Buffer.concat(weightsManifest[0].paths.map((file) => readFileSync(join(place, file))));
  const weightData = weights.buffer.slice(weights.byteOffset, weights.byteOffset + weights.byteLength);
  return { load: async () => ({ ...model, weightSpecs: weightsManifest[0].weights, weightData }) };
}

/** Let the wasm backend do what body-pix asks of it: parts are numbered by a product of int32, which it has for float32 only. */
function multiplyWholeNumbers(tf) {
  const [multiply, cast] = ["BatchMatMul", "Cast"].map((name) => tf.getKernel(name, "wasm"));
  tf.unregisterKernel(multiply.kernelName, "wasm");
  tf.registerKernel({
    ...multiply,
    kernelFunc: ({ inputs, backend, attrs }) => {
      const floats = Object.entries(inputs).map(([name, x]) => [name, x.dtype === "float32" ? x : cast.kernelFunc({ inputs: { x }, backend, attrs: { dtype: "float32" } })]);
      return multiply.kernelFunc({ inputs: Object.fromEntries(floats), backend, attrs });
    },
  });
}

/** An array of Python's. */
function array({ at, shape, dtype }) {
  const Kind = { uint8: Uint8Array, int8: Int8Array, float32: Float32Array, float64: Float64Array }[dtype];
  const size = shape.reduce((a, b) => a * b, 1);
  return new Kind(blob.buffer.slice(blob.byteOffset + at, blob.byteOffset + at + size * Kind.BYTES_PER_ELEMENT));
}

/** Largest difference, as a share of the largest value, or of 1. */
function apart(a, b) {
  assert.equal(a.length, b.length);
  let [most, largest] = [0, 1];
  for (let i = 0; i < a.length; i++) {
    most = Math.max(most, Math.abs(a[i] - b[i]));
    largest = Math.max(largest, Math.abs(b[i]));
  }
  return most / largest;
}

/** Share of values that are not the same. */
function differing(a, b) {
  assert.equal(a.length, b.length);
  let count = 0;
  for (let i = 0; i < a.length; i++) count += a[i] !== b[i];
  return count / a.length;
}
