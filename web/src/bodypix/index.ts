/**
 * BodyPix in the worker: its files made into a graph for the engine, its logits into alpha and body parts.
 * A module of its own, `assets/livematte.bodypix.js`, which is fetched when BodyPix is asked for.
 *
 * Source: Google, "BodyPix: Real-time Person Segmentation in the Browser with TensorFlow.js", 2019.
 * src/livematte/models/_logits.py has the same mathematics.
 */

import { LivematteError } from "../errors.js";
import type { Size } from "../render/renderer.js";
import type { Output, Segmented } from "../segmenter/litert.js";
import { layersOf, readModel, shardNames } from "./tfjs.js";
import { type Layer, tflite } from "./tflite.js";

/** Outputs that are asked of the graph, under the names they have in TensorFlow's own files. */
const OUTPUTS = ["float_segments", "float_part_heatmaps"];
const PARTS = 24;
const NOBODY = -1;
/** Part of the network's sides that a map of parts has: its grid is far coarser. */
const MAP = 0.5;
/** Of a map: the person is where alpha is more. */
const PERSON = 0.5;

/**
 * A TFLite file from a graph model of TensorFlow.js.
 * @param json `model.json`; `where` is its address, beside which the shards lie.
 * @param fetched the bytes of an address.
 * @throws LivematteError "weights".
 */
export async function graph(json: Uint8Array, where: string, fetched: (url: string) => Promise<Uint8Array>, size: Size): Promise<Uint8Array> {
  const model = readModel(new TextDecoder().decode(json), where);
  const shards = await Promise.all(shardNames(model).map((name) => fetched(new URL(name, where).href)));
  const layers = layersOf(model, shards, OUTPUTS).filter((layer): layer is Layer => layer !== null);
  if (layers.length !== OUTPUTS.length) throw new LivematteError("weights", `${where} has not all of ${OUTPUTS.join(", ")}: it is not BodyPix 2`);
  return tflite(layers, size);
}

/** The picture as the network wants it: -1 to 1. */
export function given(picture: Float32Array): Float32Array {
  return picture.map((value) => 2 * value - 1);
}

/**
 * Alpha at the picture's size: the sigmoid of logits that are stretched with corners on corners.
 * @param chosen parts that count as the person; null for all of it. Each is 0-23.
 * @throws LivematteError "engine": there are no such logits.
 */
export function read(made: readonly Output[], size: Size, chosen: readonly number[] | null): Segmented {
  const [segments, heatmaps] = [1, PARTS].map((channels) => made.find(({ shape }) => shape.length === 4 && shape[3] === channels));
  if (!segments) throw new LivematteError("engine", `the graph gave ${made.map(({ shape }) => shape.join("x")).join(", ")}, expected logits of one channel`);
  const grid = gridOf(segments);
  const alpha = stretch(segments.data, grid, size, 1, 0).map(sigmoid);
  if (chosen && heatmaps) {
    const lead = stretch(leads(heatmaps.data, chosen), gridOf(heatmaps), size, 1, 0);
    for (let i = 0; i < alpha.length; i++) alpha[i] = (alpha[i] as number) * sigmoid(lead[i] as number);
  }
  const map = (): { data: Int8Array; size: Size } => {
    const small = { width: Math.ceil(size.width * MAP), height: Math.ceil(size.height * MAP) };
    return { size: small, data: heatmaps ? partsOf(segments.data, grid, heatmaps, small) : new Int8Array(0) };
  };
  return { alpha, parts: heatmaps ? map : null };
}

/** For each cell by how much the strongest of the chosen parts leads the strongest of the others. */
function leads(heatmaps: Float32Array, chosen: readonly number[]): Float32Array {
  const wanted = Array.from({ length: PARTS }, (_, part) => chosen.includes(part));
  return Float32Array.from({ length: heatmaps.length / PARTS }, (_, cell) => {
    const best = { in: -Infinity, out: -Infinity };
    for (let part = 0; part < PARTS; part++) {
      const side = wanted[part] ? "in" : "out";
      best[side] = Math.max(best[side], heatmaps[cell * PARTS + part] as number);
    }
    return Math.min(Math.max(best.in - best.out, -STEEPEST), STEEPEST);
  });
}

/** The number of the strongest part for each pixel, -1 where nobody is. */
function partsOf(segments: Float32Array, grid: Size, heatmaps: Output, size: Size): Int8Array {
  const person = stretch(segments, grid, size, 1, 0);
  const best = new Float32Array(person.length).fill(-Infinity);
  const out = new Int8Array(person.length).fill(NOBODY);
  for (let part = 0; part < PARTS; part++) {
    const score = stretch(heatmaps.data, gridOf(heatmaps), size, PARTS, part);
    for (let i = 0; i < out.length; i++) {
      if (sigmoid(person[i] as number) <= PERSON || (score[i] as number) <= (best[i] as number)) continue;
      best[i] = score[i] as number;
      out[i] = part;
    }
  }
  return out;
}

const gridOf = ({ shape }: Output): Size => ({ width: shape[2] as number, height: shape[1] as number });

/** Logit beyond which a probability is 0 or 1. */
const STEEPEST = 80;
const sigmoid = (logit: number): number => 1 / (1 + Math.exp(-Math.min(Math.max(logit, -STEEPEST), STEEPEST)));

/** One channel of a grid at another size, linear between cells, the outer cells on the outer pixels. */
function stretch(values: Float32Array, grid: Size, size: Size, channels: number, channel: number): Float32Array {
  const across = places(grid.width, size.width);
  const down = places(grid.height, size.height);
  const out = new Float32Array(size.width * size.height);
  const row = new Float32Array(grid.width);
  let to = 0;
  for (const [y, below, low] of down) {
    for (let x = 0; x < grid.width; x++) {
      const at = (cell: number): number => values[(cell * grid.width + x) * channels + channel] as number;
      row[x] = at(y) + (at(below) - at(y)) * low;
    }
    for (const [x, right, far] of across) out[to++] = (row[x] as number) + ((row[right] as number) - (row[x] as number)) * far;
  }
  return out;
}

/** For each pixel the cell before it, the one after, and how far it lies between them. */
function places(cells: number, pixels: number): (readonly [number, number, number])[] {
  return Array.from({ length: pixels }, (_, pixel) => {
    const at = pixels > 1 ? (pixel * (cells - 1)) / (pixels - 1) : 0;
    const cell = Math.min(Math.floor(at), cells - 1);
    return [cell, Math.min(cell + 1, cells - 1), at - cell] as const;
  });
}
