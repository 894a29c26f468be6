/** The networks this SDK runs. One RGB picture 0-1 in, one alpha of its size out. */

import type { Size } from "../render/renderer.js";
import type { ModelName } from "../types.js";

export interface ModelSpec {
  readonly name: ModelName;
  /** The same network for pictures of several aspects; the first is the usual one. */
  readonly graphs: readonly Graph[];
  /** The same for the larger input of the ladder's best rung, where there are such. */
  readonly large?: readonly Graph[];
  readonly licence: string;
}

export interface Graph {
  /** Below assetBase. */
  readonly file: string;
  readonly sha256: string;
  /** Of the picture it takes. */
  readonly size: Size;
}

/** The graph that a picture of `size` is stretched to least; the first of equals: 4:3 lies as far from 16:9 as from a square. */
export function nearest(graphs: readonly Graph[], { width, height }: Size): Graph {
  const stretch = ({ size }: Graph): number => Math.round(1e6 * Math.abs(Math.log((width * size.height) / (height * size.width))));
  return graphs.reduce((best, graph) => (stretch(graph) < stretch(best) ? graph : best));
}

const LANDSCAPE: Size = { width: 256, height: 144 };

export const MODELS: Record<ModelName, ModelSpec> = {
  livematte: {
    name: "livematte",
    graphs: [
      { file: "models/livematte-fast-256x144.tflite", sha256: "2d56445d235840838a14dacea7b56c37fb1552253f6b8402ebbdd8ee0a277895", size: LANDSCAPE },
      { file: "models/livematte-fast-144x256.tflite", sha256: "b8c506e970969c016c2a3dc88f8cc56d33319490c7b000a1e4443d4d03d4d0cf", size: { width: 144, height: 256 } },
      { file: "models/livematte-fast-192x192.tflite", sha256: "6f279e04f0e7c43b0e901c8ba0e21f09b26e8fe667d6d8ff3d1bfe683e42f447", size: { width: 192, height: 192 } },
    ],
    large: [
      { file: "models/livematte-base-384x224.tflite", sha256: "800f3ad86a5fee72a0ce6472945ca73b26640b4f9a3f483401b72a9b8d26eef3", size: { width: 384, height: 224 } },
      { file: "models/livematte-base-224x384.tflite", sha256: "d82d94b47acd1233f263f1eab8cf1aac50f96dc3085005c3849efa678db175d2", size: { width: 224, height: 384 } },
      { file: "models/livematte-base-288x288.tflite", sha256: "c8c77fc6ec78f026b64d88786892e3325a25972cda773e00de169431c56b0d09", size: { width: 288, height: 288 } },
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
};
