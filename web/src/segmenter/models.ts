/** The networks this SDK runs. One RGB picture 0-1 in, one alpha of its size out. BodyPix has a module of its own. */

import type { Size } from "../render/renderer.js";
import type { ModelName } from "../types.js";

export interface ModelSpec {
  readonly name: ModelName;
  /** The same network for pictures of several aspects; the first is the usual one. */
  readonly graphs: readonly Graph[];
  /** The same for the larger input of the ladder's best rung, where there are such. */
  readonly large?: readonly Graph[];
  /** Whether it gets dark pictures as bright as others. */
  readonly lighten?: true;
  /** Whether its files and outputs are BodyPix's. */
  readonly bodypix?: true;
  readonly licence: string;
}

export interface Graph {
  /** Below assetBase: a TFLite file, or the `model.json` of a graph model of TensorFlow.js with its shards beside it. */
  readonly file: string;
  /** Of a TFLite file. */
  readonly sha256?: string;
  /** Of the picture it takes. */
  readonly size: Size;
}

/** The graph that a picture of `size` is stretched to least; the first of equals: 4:3 lies as far from 16:9 as from a square. */
export function nearest(graphs: readonly Graph[], { width, height }: Size): Graph {
  const stretch = ({ size }: Graph): number => Math.round(1e6 * Math.abs(Math.log((width * size.height) / (height * size.width))));
  return graphs.reduce((best, graph) => (stretch(graph) < stretch(best) ? graph : best));
}

/** What a name stands for. The page has checked it. */
export function specOf(name: ModelName): ModelSpec {
  return MODELS[name] ?? bodypix(name);
}

/** One graph model of TensorFlow.js takes pictures of every size; 16 n + 1 puts the corners of its grid onto the picture's. */
function bodypix(name: ModelName): ModelSpec {
  const [, width, , bytes] = name.split("-");
  const kept = bytes ? bytes.replace("q", "quant") : "float";
  const file = `models/bodypix/mobilenet/${kept}/${width}/model-stride16.json`;
  const graph = (width: number, height: number): Graph => ({ file, size: { width, height } });
  return {
    name,
    bodypix: true,
    graphs: [graph(321, 177), graph(177, 321), graph(241, 241)], // half of 640x360, which is what BodyPix itself does with it
    large: [graph(513, 289), graph(289, 513), graph(385, 385)],
    licence: "Apache-2.0",
  };
}

const LANDSCAPE: Size = { width: 256, height: 144 };

const MODELS: Partial<Record<ModelName, ModelSpec>> = {
  livematte: {
    name: "livematte",
    lighten: true,
    graphs: [
      { file: "models/livematte-fast-256x144.tflite", sha256: "edd34748e73d1b0dd813aa226b9405aa4bd99bbef57d6bdbdabdaf6ba58d4a00", size: LANDSCAPE },
      { file: "models/livematte-fast-144x256.tflite", sha256: "44c82de196feeb4216d51795701a8851c6a92bf2b321afbee2dc500e480b5e13", size: { width: 144, height: 256 } },
      { file: "models/livematte-fast-192x192.tflite", sha256: "a618fbc02f7e38c7a9e51b6f860b8862facea191d09b9704b53454042f5198d1", size: { width: 192, height: 192 } },
    ],
    large: [
      { file: "models/livematte-base-448x256.tflite", sha256: "0640e965b548eb3bbea19bd9080f6cb11af09ddf05a9dfcff7c7f9bc1d5da227", size: { width: 448, height: 256 } },
      { file: "models/livematte-base-256x448.tflite", sha256: "90845728334dbd6970412bec0ee176b3f8e4afdaaf4605211bf5d67d2ce4fa67", size: { width: 256, height: 448 } },
      { file: "models/livematte-base-336x336.tflite", sha256: "6a90d348602f717e8be455f13b2bcb567e68eb4fe7d234d4202b0d33422a037e", size: { width: 336, height: 336 } },
    ],
    licence: "Apache-2.0",
  },
  "mediapipe:landscape": {
    name: "mediapipe:landscape",
    graphs: [{ file: "models/selfie_segmentation_landscape.tflite", sha256: "4aafe6223bb8dac6fac8ca8ed56852870a33051ef3f6238822d282a109962894", size: LANDSCAPE }],
    licence: "Apache-2.0",
  },
  "mediapipe:general": {
    name: "mediapipe:general",
    graphs: [{ file: "models/selfie_segmentation.tflite", sha256: "8d13b7fae74af625c641226813616a2117bd6bca19eb3b75574621fc08557f27", size: { width: 256, height: 256 } }],
    licence: "Apache-2.0",
  },
  "bodypix:mobilenet-050-s8": {
    name: "bodypix:mobilenet-050-s8",
    bodypix: true,
    graphs: [{ file: "models/bodypix/body-pix-float-050-8.tflite", sha256: "d2de5fcc47ec4279c3fea0a5e38ab5cdacb3e1a27409b83557faabb81d07402e", size: { width: 257, height: 257 } }],
    licence: "Apache-2.0",
  },
};
